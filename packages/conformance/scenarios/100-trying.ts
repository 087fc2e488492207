// 100 Trying: the next hop has the request, do not resend it. RFC 3261 §17.2.1, §8.2.6.1, §16.7 step 2; RFC 4320 §4.1.

import { act, type Recorded, type Stage, scenario } from "../src/index.ts";

const exact = "times are exact only where time stands still";

/** Every copy that was sent, by its start line. */
const copies = (stage: Stage, sender: string, startLine: RegExp): readonly Recorded[] =>
  stage.recording.messages.filter((one) => one.sender === sender && startLine.test(one.startLine));

export default scenario({
  code: 100,
  sender:
    "every server transaction: the proxy's at once, a phone's after 200 ms, of another method after 3.5 s",
  condition: "nothing else has been answered by then",
  reacts: "an INVITE is not resent, its CANCEL may go out; a proxy keeps the 100 for itself",

  producer: {
    "the proxy, at once": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob");
      const alice = await stage.peer("alice");
      alice.request("INVITE sip:bob@home.example", "Timestamp: 54.7");
      await alice.expect(
        "100 without a To tag, with the Timestamp, and without what makes a dialog",
        `SIP/2.0 100 Trying
         To: <sip:bob@home.example>
         Timestamp: 54.7
         CSeq: 1 INVITE
         !Contact: {*}
         !Record-Route: {*}
         !Require: {*}`,
      );
      await bob.rings("bob is called meanwhile");
      await stage.seesTimes("one 100, the proxy's own", 1, { to: "alice" }, "SIP/2.0 100 {*}");
    },
    "a phone, after 200 ms": act({ notInWeather: exact }, async (stage) => {
      const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
      alice.request(`INVITE ${bob.aor}`);
      await bob.rings("bob's application thinks about it");
      await stage.advance(199);
      await alice.expectNone("nothing yet", "SIP/2.0 100 {*}");
      await stage.advance(1);
      await alice.expect(
        "the transaction says 100 by itself",
        "SIP/2.0 100 Trying\nTo: <sip:bob@bob.example>",
      );
    }),
    "another method, after 3.5 s": act({ notInWeather: exact }, async (stage) => {
      const bob = await stage.phone("bob");
      bob.ua.onRequest("MESSAGE", () => {});
      const alice = await stage.peer("alice", { to: bob, manners: false });
      alice.request(`MESSAGE ${bob.aor}`);
      await stage.advance(3499);
      await alice.expectNone("not while the client's timer E still grows", "SIP/2.0 100 {*}");
      await stage.advance(1);
      await alice.expect("but then", "SIP/2.0 100 Trying\nCSeq: 1 MESSAGE");
    }),
  },

  nearMiss: {
    "a phone that rings at once": async (stage) => {
      const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
      await stage.ringing(alice, bob);
      await alice.expect("180 says more than 100", "SIP/2.0 180 {*}");
      await stage.advance(1000);
      await stage.seesNone("no 100 comes after it", { from: "bob" }, "SIP/2.0 100 {*}");
    },
    "a MESSAGE answered at once": async (stage) => {
      const bob = await stage.phone("bob");
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      const alice = await stage.peer("alice", { to: bob });
      alice.request(`MESSAGE ${bob.aor}`);
      await alice.expect("200 alone", "SIP/2.0 200 OK");
      await stage.seesNone("no 100", { from: "bob" }, "SIP/2.0 100 {*}");
    },
  },

  reaction: {
    "an INVITE is not resent": act(
      { notInWeather: "the 100 itself may get lost", transports: ["UDP"] },
      async (stage) => {
        const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
        const [call] = await stage.calls(alice, bob);
        await stage.advance(1600);
        stage.check.equal(
          "before it: resent after 0.5 and 1.5 s",
          copies(stage, "alice", /^INVITE/).length,
          3,
        );
        bob.reply("100 Trying");
        await stage.settle();
        await stage.advance(60_000);
        stage.check.equal("after it: never again", copies(stage, "alice", /^INVITE/).length, 3);
        stage.check.equal("and timer B gives nothing up", call.state, "calling");
      },
    ),
    "CANCEL waits for it": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      call.answered.catch(() => {});
      await bob.expect("the INVITE", "INVITE {*}\nVia: {via}");
      void call.hangUp();
      await stage.seesNone("no CANCEL before a provisional response (§9.1)", { from: "alice" }, "CANCEL {*}");
      bob.reply("100 Trying");
      await bob.expect("then at once, in the transaction's name", "CANCEL {*}\nVia: {via}");
    },
    "a proxy keeps it": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const alice = await stage.peer("alice");
      await stage.calls(alice, bob);
      bob.reply("100 Trying", "Server: bob");
      await stage.settle();
      bob.reply("180 Ringing", "Server: bob");
      await alice.expect("the 180 goes through", "SIP/2.0 180 Ringing\nServer: bob");
      await stage.seesNone(
        "the 100 does not",
        { from: "server", to: "alice" },
        "SIP/2.0 100 {*}\nServer: bob",
      );
    },
  },

  mutants: {
    producer: {
      title: "an INVITE's transaction has no timer for its 100",
      file: "packages/sip/src/transaction/invite-server.ts",
      find: '        this.startSendTimer("timer 100", durations.trying, now);\n',
      replace: "",
    },
    reaction: {
      title: "a provisional response does not stop timer A",
      file: "packages/sip/src/transaction/invite-client.ts",
      find: '  calling: {\n    "1xx": ["proceeding",',
      replace: '  calling: {\n    "1xx": ["calling",',
    },
  },
});
