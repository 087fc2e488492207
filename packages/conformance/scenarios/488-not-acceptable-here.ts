// 488 Not Acceptable Here: a session description that this phone cannot take; another phone may. RFC 3261 §13.3.1.3, §14.2,
// §21.4.26, §20.43; RFC 3264 §6, §9; RFC 3311 §5.2. (Nowhere at all is 606, the wrong kind of body 415.)

import { scenario, sdpOf } from "../src/index.ts";

const offer = (...lines: readonly string[]) => [
  "Content-Type: application/sdp",
  "",
  ...["v=0", "o=carol 1 2 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", ...lines],
];
const [pcmu, pcma] = ["m=audio 40000 RTP/AVP 0", "m=audio 40000 RTP/AVP 8"];

export default scenario({
  code: 488,
  sender: "the called phone, and either one within a call",
  condition:
    "the offer in INVITE or UPDATE has no stream with codec, transport and address that the phone can use",
  reacts: "called again with the next offer there is, else it fails; within a call all stays as it was",

  producer: {
    "no codec in common": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob", { audio: ["PCMA"] });
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", ...offer(pcmu));
      const call = await bob.rings("bob's phone is called");
      bob.answer(call).catch(() => {});
      await stage.sees(
        "when bob takes the call: 488 with a To tag, a Warning that says why, and what the phone can do instead",
        { from: "bob", to: "server" },
        `SIP/2.0 488 Not Acceptable Here
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
        "SIP/2.0 488 Not Acceptable Here\nTo: {*};tag={tag}\nWarning: 305 {*}\n\nm=audio 0 RTP/AVP 8",
      );
      const { by, cause } = await stage.value("the phone has no call any more", call.ended);
      stage.check.equal("it was the phone that refused", [by, cause], ["local", "rejected"]);
    },
    "other reasons": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMU"] });
      for (const [why, warning, ...lines] of [
        ["encrypted media, which the phone cannot do", 302, "m=audio 40000 RTP/SAVP 0"],
        ["an address of the other family", 301, "m=audio 40000 RTP/AVP 0", "c=IN IP6 2001:db8::1"],
        ["nothing to hear", 304, "m=video 40002 RTP/AVP 31"],
      ] as const) {
        carol.request(`INVITE ${bob.aor}`, ...offer(...lines));
        bob.answer(await bob.rings(`an offer with ${why}`)).catch(() => {});
        await carol.expect(why, `SIP/2.0 488 Not Acceptable Here\nWarning: ${warning} {*}`);
      }
    },
    "within a call": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMU"] });
      const [call] = await stage.talk(carol, bob);
      const before = [call.localDescription, call.remoteDescription];
      carol.requestInDialog("INVITE", ...offer(pcma));
      await carol.expect("a re-INVITE", "SIP/2.0 488 Not Acceptable Here\nCSeq: 2 INVITE\nWarning: 305 {*}");
      carol.requestInDialog("UPDATE", ...offer(pcma));
      await carol.expect("an UPDATE", "SIP/2.0 488 Not Acceptable Here\nCSeq: 3 UPDATE\nWarning: 305 {*}");
      stage.check.equal("neither does the call any harm", call.state, "established");
      stage.check.equal("nor the session", [call.localDescription, call.remoteDescription], before);
    },
  },

  nearMiss: {
    "one stream of two": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMU"] });
      carol.request(`INVITE ${bob.aor}`, ...offer("m=video 40002 RTP/AVP 31", pcmu));
      const answering = bob.answer(await bob.rings("bob is called"));
      await carol.expect(
        "is enough: the other one is refused in the answer (RFC 3264 §6)",
        "SIP/2.0 200 OK\nCSeq: 1 INVITE\n\nm=video 0 RTP/AVP 31\nm=audio 40000 RTP/AVP 0",
      );
      carol.ack();
      await stage.value("and the call is up", answering);
    },
    nonsense: async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMU"] });
      carol.request(`INVITE ${bob.aor}`, "Content-Type: application/sdp", "", "v=one");
      await carol.expect("what cannot be read is a bad request", "SIP/2.0 400 {*}\nWarning: 399 {*}");
    },
    "the offer is bob's": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { audio: ["PCMU"] });
      carol.request(`INVITE ${bob.aor}`);
      bob.answer(await bob.rings("carol leaves the offer to bob")).catch(() => {});
      await carol.expect("the 200 brings it", "SIP/2.0 200 OK\nContent-Type: application/sdp");
      carol.requestInDialog("ACK", "CSeq: 1 ACK", ...offer(pcma));
      await carol.expect("an answer that does not fit cannot be refused any more: BYE", "BYE {*}");
      carol.reply("200 OK");
      await stage.seesNone("there was no 488", { from: "bob" }, "SIP/2.0 488 {*}");
    },
  },

  reaction: {
    "another offer": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob", { audio: ["PCMA"] });
      bob.ua.onInvite((call) => bob.answer(call).catch(() => {}));
      const fallback = sdpOf("alice").replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA");
      const call = alice.ua.call(bob.aor, { sdp: sdpOf("alice"), fallbackOffers: [fallback] });
      await stage.sees(
        "alice offers what she likes best",
        { from: "alice", to: "server" },
        "INVITE {*}\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 1 INVITE\n\nm=audio 40000 RTP/AVP 0",
      );
      await stage.value("the call is answered in the end", call.answered);
      await stage.sees(
        "by a second INVITE with her other offer, CSeq one higher, no To tag",
        { from: "alice", to: "server" },
        `INVITE {*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: 2 INVITE

         m=audio 40000 RTP/AVP 8`,
      );
      stage.check.match("that is the session", call.localDescription, /RTP\/AVP 8/);
    },
    "no other offer": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("the offer", "INVITE {*}");
      bob.reply("488 Not Acceptable Here", 'Warning: 305 bob.example "Incompatible media format"');
      const rejected = await stage.rejected("the application is told", call.answered, 488);
      stage.check.equal("and why", rejected.warnings[0]?.code, 305);
      await stage.seesTimes("nothing else is tried", 1, { from: "alice" }, "INVITE {*}");
    },
    "within a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const before = call.localDescription;
      const holding = call.hold();
      holding.catch(() => {});
      await bob.expect("alice offers to put bob on hold", "INVITE {*}\nCSeq: 2 INVITE\n\na=sendonly");
      bob.reply("488 Not Acceptable Here");
      await stage.rejected("bob will not be held", holding, 488);
      stage.check.equal("the call goes on", call.state, "established");
      stage.check.equal("as before (§14.1)", [call.isOnHold, call.localDescription], [false, before]);
      await stage.seesNone("nobody hangs up", { from: "alice" }, "BYE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const desk = await stage.registered("desk", { aor: "sip:bob@home.example", audio: ["PCMA"] });
      const mobile = await stage.registered("mobile", { aor: "sip:bob@home.example", audio: ["PCMU"] });
      const call = alice.call("sip:bob@home.example");
      const onMobile = await mobile.rings("the mobile is called");
      desk.answer(await desk.rings("the desk phone too")).catch(() => {});
      await stage.sees("the desk phone cannot", { from: "desk", to: "server" }, "SIP/2.0 488 {*}");
      await stage.seesNone("which is no reason to give up", { from: "server", to: "mobile" }, "CANCEL {*}");
      await stage.value("the mobile can", mobile.answer(onMobile));
      await stage.value("and the call is up", call.answered);
    },
  },

  mutants: {
    producer: {
      title: "any codec will do",
      file: "packages/sip/src/sdp/offer-answer.ts",
      find: 'if (!codecs.some(isAudio)) return "no common codec";',
      replace: "",
    },
    reaction: {
      title: "a 488 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: "  488: otherOffer,\n",
      replace: "",
    },
  },
});
