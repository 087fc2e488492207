// 606 Not Acceptable: an offer that no phone of this user can take. RFC 3261 §21.6.4, §20.43, §16.7 step 5. (Another phone may be
// able to: 488. The wrong Accept: 406.)

import { contentOf, scenario, sdpOf } from "../src/index.ts";

const pcma = (owner: string) => sdpOf(owner).replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA");

export default scenario({
  code: 606,
  sender: "the called phone that is its user's only one",
  condition:
    "the offer in an INVITE has no stream that it can use, and nobody else answers calls of this user",
  reacts: "called again with the next offer there is, else it fails; other phones stop ringing",

  producer: {
    "no codec in common": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob", { audio: ["PCMA"], soleEndpoint: true });
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", ...contentOf("carol"));
      bob.answer(await bob.rings("bob's phone is called")).catch(() => {});
      await stage.sees(
        "when bob takes the call: 606 with a To tag, a Warning that says why, and what the phone can do instead",
        { from: "bob", to: "server" },
        `SIP/2.0 606 Not Acceptable
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         Warning: 305 {*}"no common codec"
         Content-Type: application/sdp
         CSeq: 1 INVITE
         !Contact: {*}

         m=audio 0 RTP/AVP 8`,
      );
      await stage.sees(
        "the proxy acknowledges it",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
      await carol.expect(
        "and passes it on, body and all",
        "SIP/2.0 606 Not Acceptable\nTo: {*};tag={tag}\nWarning: 305 {*}\n\nm=audio 0 RTP/AVP 8",
      );
    },
  },

  nearMiss: {
    "there are other phones": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMA"] });
      carol.request(`INVITE ${bob.aor}`, ...contentOf("carol"));
      bob.answer(await bob.rings("bob is called")).catch(() => {});
      await carol.expect("so this one speaks for itself only", "SIP/2.0 488 Not Acceptable Here");
    },
    "a codec in common": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMU"], soleEndpoint: true });
      const [call] = await stage.talk(carol, bob);
      stage.check.equal("is all it takes", call.state, "established");
      carol.requestInDialog("UPDATE", "Content-Type: application/sdp", "", pcma("carol"));
      await carol.expect(
        "within a call there is no elsewhere: what does not suit is 488",
        "SIP/2.0 488 Not Acceptable Here\nCSeq: 2 UPDATE",
      );
    },
  },

  reaction: {
    "another offer": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob", { audio: ["PCMA"], soleEndpoint: true });
      bob.ua.onInvite((call) => bob.answer(call).catch(() => {}));
      const call = alice.ua.call(bob.aor, { sdp: sdpOf("alice"), fallbackOffers: [pcma("alice")] });
      await stage.value("the call is answered in the end", call.answered);
      await stage.sees(
        "after a first INVITE",
        { from: "alice", to: "server" },
        "INVITE {*}\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 1 INVITE\n\nm=audio 40000 RTP/AVP 0",
      );
      await stage.sees(
        "by the same with alice's other offer, CSeq one higher, no To tag",
        { from: "alice", to: "server" },
        `INVITE {*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: 2 INVITE

         m=audio 40000 RTP/AVP 8`,
      );
    },
    "no other offer": async (stage) => {
      const alice = await stage.phone("alice");
      const [bob, desk, mobile] = await stage.peers("bob", "desk", "mobile");
      const call = alice.call(bob.aor);
      await bob.expect("bob", "INVITE {*}");
      bob.reply("302 Moved Temporarily", `Contact: <${desk.aor}>;q=0.9`, `Contact: <${mobile.aor}>;q=0.1`);
      await desk.expect("is to be found at two places", "INVITE {*}");
      desk.reply("606 Not Acceptable", 'Warning: 370 desk.example "Insufficient bandwidth"');
      const rejected = await stage.rejected("and can take this offer at neither", call.answered, 606);
      stage.check.equal("for want of bandwidth", rejected.warnings[0]?.code, 370);
      await mobile.expectNone("the other place does not hear of it");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      carol.request("INVITE sip:bob@home.example");
      await mobile.expect("the mobile", "INVITE {*}");
      const onMobile = mobile.last;
      mobile.reply("180 Ringing");
      await carol.expect("rings", "SIP/2.0 180 Ringing");
      await desk.expect("the desk phone", "INVITE {*}");
      desk.reply("606 Not Acceptable");
      await mobile.expect("speaks for both, as 488 would not: CANCEL", "CANCEL {*}\nReason: SIP;cause=606");
      mobile.reply("200 OK");
      if (onMobile !== undefined) mobile.replyTo(onMobile, "487 Request Terminated");
      await carol.expect("and 606 goes up", "SIP/2.0 606 Not Acceptable");
    },
  },

  mutants: {
    producer: {
      title: "a phone never speaks for its user",
      file: "packages/sip/src/user-agent/call-context.ts",
      find: "statusCode: isNowhere ? 606 : 488,",
      replace: "statusCode: 488,",
    },
    reaction: {
      title: "a 606 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: "  606: otherOffer,\n",
      replace: "",
    },
  },
});
