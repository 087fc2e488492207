// 406 Not Acceptable: what the answer would bring is nothing that the caller reads. RFC 3261 §21.4.7, §20.1; RFC 4475
// §3.3.15. (An offer that does not suit is 488.)

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 406,
  sender: "the called phone",
  condition: "the Accept of an INVITE or UPDATE has no room for the session description in the answer",
  reacts: "asked again, once, with everything in Accept that can be read here; else the request fails",

  producer: {
    "an INVITE": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Accept: text/plain, application/sdp;q=0");
      await stage.sees(
        "406 with a To tag, and a Warning that says what there is",
        { from: "bob", to: "server" },
        `SIP/2.0 406 Not Acceptable
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         Warning: 399 {*}application/sdp{*}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees(
        "the proxy acknowledges it",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
      await carol.expect(
        "and passes it on as it came",
        "SIP/2.0 406 Not Acceptable\nTo: <sip:bob@home.example>;tag={tag}\nWarning: 399 {*}",
      );
    },
    "an empty Accept": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Accept:");
      await carol.expect("takes nothing at all", "SIP/2.0 406 Not Acceptable\nTo: {*};tag={tag}");
    },
    "an UPDATE in a call": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [call] = await stage.talk(carol, bob);
      carol.requestInDialog("UPDATE", "Accept: text/plain", ...contentOf("carol"));
      await carol.expect("is refused", "SIP/2.0 406 Not Acceptable\nCSeq: 2 UPDATE");
      stage.check.equal("and the call goes on", call.state, "established");
    },
  },

  nearMiss: {
    "by range": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Accept: text/html, application/*;q=0.2");
      await bob.rings("a range that session descriptions are in will do, however little it is liked");
      await carol.expectNone("nothing is refused", "SIP/2.0 406 {*}");
    },
    "without Accept": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`);
      await bob.rings("who says nothing takes session descriptions (§20.1)");
    },
    "nothing to send": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      bob.ua.onInvite(() => {});
      carol.request(`OPTIONS ${bob.aor}`, "Accept: text/plain");
      await carol.expect("an answer without body suits every Accept", "SIP/2.0 200 OK\nContent-Length: 0");
    },
  },

  reaction: {
    "more can be read": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const call = alice.ua.call(bob.aor, { sdp: sdpOf("alice"), headers: [["Accept", "text/plain"]] });
      await stage.sees(
        "alice's application forgot what calls are made of",
        { from: "alice", to: "server" },
        "INVITE {*}\nAccept: text/plain\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 1 INVITE",
      );
      const incoming = await bob.rings("bob's phone is called all the same");
      await stage.sees(
        "by the same INVITE, CSeq one higher, which names what alice's phone reads; no To tag, there is no dialog",
        { from: "alice", to: "server" },
        `INVITE {*}
         Accept: text/plain, application/sdp
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: 2 INVITE`,
      );
      await stage.value("bob answers", incoming.answer(sdpOf("bob")));
      await stage.value("and the call is up", call.answered);
    },
    "nothing more can be read": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const asking = alice.ua.options("sip:bob@bob.example");
      await bob.expect("it names session descriptions already", "OPTIONS {*}\nAccept: application/sdp");
      bob.reply("406 Not Acceptable");
      const { retries } = await stage.rejected(
        "there is nothing to change: the application is told",
        asking,
        406,
      );
      stage.check.equal("without a second try", retries, []);
    },
    "a peer that is never content": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const asking = alice.ua.request("SUBSCRIBE", "sip:bob@bob.example", {
        headers: [
          ["Event", "presence"],
          ["Accept", "application/foo"],
        ],
      });
      asking.catch(() => {});
      await bob.expect("a subscription for what bob does not have", "SUBSCRIBE {*}\nAccept: application/foo");
      bob.reply("406 Not Acceptable");
      await bob.expect("is asked for with more", "SUBSCRIBE {*}\nAccept: application/foo, application/sdp");
      bob.reply("406 Not Acceptable");
      const { retries } = await stage.rejected("but only once", asking, 406);
      stage.check.equal("which the application is told", retries, [406]);
      await stage.seesTimes("two in all", 2, { from: "alice" }, "SUBSCRIBE {*}");
    },
  },

  mutants: {
    producer: {
      title: "Accept is not looked at",
      file: "packages/sip/src/core/uas.ts",
      find: 'if (accepted === undefined || takesType(accepted, "application/sdp")) return undefined;',
      replace: "return undefined;",
    },
    reaction: {
      title: "a 406 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  406: { kind: "retry with", change: withWiderAccept },\n',
      replace: "",
    },
  },
});
