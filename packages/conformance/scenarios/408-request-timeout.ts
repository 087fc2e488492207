// 408 Request Timeout: nobody answered in time. RFC 3261 §16.7 step 6, §16.8, §17.1.1.2, §8.1.3.1; RFC 4320 §4.2.

import { act, scenario } from "../src/index.ts";

export default scenario({
  code: 408,
  sender: "the proxy, and the caller's own timer",
  condition: "no final response to an INVITE: 64·T1 without any, or timer C after the last provisional",
  reacts: "the call fails, one that is up ends; in a fork any other answer counts more",

  producer: {
    "nobody there": act({ transports: ["UDP"] }, async (stage) => {
      await stage.server({ users: ["bob"] });
      const alice = await stage.peer("alice");
      const bob = await stage.registered("bob");
      await bob.leave();
      alice.request("INVITE sip:bob@home.example");
      await alice.expect("the proxy has it", "SIP/2.0 100 Trying\n!To: {*};tag={*}");
      await stage.advance(33_000);
      await alice.expect(
        "after 64·T1 the proxy answers 408 for the branch, with a To tag",
        "SIP/2.0 408 Request Timeout\nTo: {*};tag={tag}\nCSeq: 1 INVITE",
      );
    }),
    "it rings for ever": async (stage) => {
      await stage.server({ users: ["bob"] });
      const alice = await stage.peer("alice");
      const bob = await stage.registeredPeer("bob");
      await stage.calls(alice, bob);
      bob.reply("180 Ringing");
      await alice.expect("it rings", "SIP/2.0 180 Ringing");
      await stage.advance(185_000);
      await stage.sees("after three minutes timer C cancels the branch", { from: "server" }, "CANCEL {*}");
      await stage.advance(33_000);
      await alice.expect("and the caller is told 408", "SIP/2.0 408 Request Timeout");
    },
  },

  nearMiss: act({ transports: ["UDP"] }, async (stage) => {
    await stage.server({ users: ["bob"] });
    const alice = await stage.peer("alice");
    const bob = await stage.registered("bob");
    await bob.leave();
    alice.request("MESSAGE sip:bob@home.example");
    await stage.sees("a text goes the same way", { from: "server" }, "MESSAGE {*}");
    await stage.advance(5000);
    await alice.expect("the proxy has it (RFC 4320 §4.1)", "SIP/2.0 100 Trying\nCSeq: 1 MESSAGE");
    await stage.advance(35_000);
    await alice.expectNone("no 408 to anything but INVITE (RFC 4320 §4.2)", "SIP/2.0 408 {*}");
  }),

  reaction: {
    "nobody there": act({ transports: ["UDP"] }, async (stage) => {
      const alice = await stage.phone("alice");
      stage.name("void.example", stage.nowhere());
      const call = alice.call("sip:bob@void.example");
      call.answered.catch(() => {});
      await stage.advance(33_000);
      const rejected = await stage.rejected("timer B ends the call as a 408 would", call.answered, 408);
      stage.check.equal("and says that it was a timer", rejected.origin, "timeout");
      stage.check.equal("the call is over", call.state, "ended");
    }),
    "somebody says so": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("408 Request Timeout");
      const rejected = await stage.rejected("the application is told 408", call.answered, 408);
      stage.check.equal("nothing is tried again by itself", rejected.retries, []);
      await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
    },
    "in a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob", { update: false });
      const [call] = await stage.talk(alice, bob);
      const holding = stage.later(call.hold());
      await bob.expect("a re-INVITE that bob is silent about", "INVITE {*}\nCSeq: 2 INVITE");
      await stage.advance(33_000);
      await stage.rejected("counts as 408", holding, 408);
      await bob.expect("he is taken to be gone (§12.2.1.2)", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("and the call is over", call.ended);
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["bob"] });
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      const alice = await stage.peer("alice");
      alice.request("INVITE sip:bob@home.example");
      await desk.expect("the desk phone is called", "INVITE {*}");
      await mobile.expect("and the mobile", "INVITE {*}");
      desk.reply("408 Request Timeout");
      mobile.reply("404 Not Found");
      await alice.expect("the 404 says more (§16.7 step 6)", "SIP/2.0 404 Not Found");
    },
  },

  mutants: {
    producer: {
      title: "a silent branch counts as a 480",
      file: "packages/sip/src/proxy/response-context.ts",
      find: 'failure.kind === "canceled" ? 408',
      replace: 'failure.kind === "canceled" ? 480',
    },
    reaction: {
      title: "a timeout counts as a 480",
      file: "packages/sip/src/core/uac.ts",
      find: "timeout: 408",
      replace: "timeout: 480",
    },
  },
});
