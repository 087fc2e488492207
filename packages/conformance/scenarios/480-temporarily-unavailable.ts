// 480 Temporarily Unavailable: somebody we know, and cannot reach now. RFC 3261 §16.5, §21.4.18, §20.33; RFC 5630 §5.3;
// RFC 5057 §5.1.

import { act, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 480,
  sender: "the proxy for its own users, or the called phone",
  condition:
    "none of the user's phones can be reached; at the phone: do not disturb, nobody picked up, or the person says not now",
  reacts:
    "the call fails, with the time of Retry-After for another one; a call that is up ends if its re-INVITE is answered so",

  producer: {
    "not registered": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await carol.expect(
        "the proxy knows bob, but not where he is; the phrase says so",
        `SIP/2.0 480 User Not Registered
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}
         !Record-Route: {*}`,
      );
      await stage.sees("the ACK ends there", { from: "carol", to: "server" }, "ACK {*}\nTo: {*};tag={tag}");
      carol.request("MESSAGE sip:bob@home.example");
      await carol.expect("the same for a text", "SIP/2.0 480 User Not Registered\nCSeq: 1 MESSAGE");
    },
    "his time is over": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Expires: 60");
      await bob.expect("bob is registered for a minute", "SIP/2.0 200 OK");
      await stage.advance(70_000);
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await carol.expect("and then no more", "SIP/2.0 480 User Not Registered");
      await bob.expectNone("nobody calls him", "INVITE {*}");
    },
    "his connection is gone": act({ transports: ["TCP"] }, async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob");
      await bob.leave();
      await stage.settle();
      stage.check.equal("the binding is still there", server.store.locations.memory.bindingCount, 1);
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await carol.expect("but leads nowhere", "SIP/2.0 480 User's Connection Is Gone\nTo: {*};tag={tag}");
    }),
    "only SIPS will do": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sips:bob@home.example", "Contact: <sips:{host}:{port}>");
      await carol.expect(
        "who wants to be secure all the way cannot reach a phone that is not",
        'SIP/2.0 480 {*}\nWarning: 380 {*} "SIPS Not Allowed"',
      );
      await stage.seesNone(
        "and is not put through some other way",
        { from: "server", to: "bob" },
        "INVITE {*}",
      );
    },
    "do not disturb": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { doNotDisturb: true });
      carol.request(`INVITE ${bob.aor}`);
      await carol.expect(
        "the phone itself says that it may not ring",
        "SIP/2.0 480 Temporarily Unavailable (do not disturb)\nTo: {*};tag={tag}\n!Contact: {*}",
      );
      carol.request(`OPTIONS ${bob.aor}`);
      await carol.expect("and so an OPTIONS is told (§11.2)", "SIP/2.0 480 {*}\nCSeq: 1 OPTIONS");
      stage.check.equal("nothing has rung", bob.ua.calls.size, 0);
    },
    "nobody picks up": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob", { ringTimeout: 30 });
      const [call, incoming] = await stage.ringing(alice, bob);
      await stage.advance(30_000);
      await stage.sees(
        "after half a minute the phone gives up",
        { from: "bob", to: "server" },
        "SIP/2.0 480 {*}\nTo: {*};tag={tag:[^;]+}",
      );
      const { cause } = await stage.value("and stops ringing", incoming.ended);
      stage.check.equal("by itself", cause, "expired");
      await stage.sees(
        "the proxy passes it on, tag untouched",
        { from: "server", to: "alice" },
        "SIP/2.0 480 {*}\nTo: {*};tag={tag}\nVia: {one:[^,]+}",
      );
      await stage.rejected("alice is told 480", call.answered, 480);
    },
    "the person says not now": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [incoming] = await stage.calls(carol, bob);
      await stage.value(
        "not now, but in ten minutes",
        incoming.reject(480, { reasonPhrase: "At the Dentist", headers: [["Retry-After", 600]] }),
      );
      await carol.expect(
        "in the person's words",
        "SIP/2.0 480 At the Dentist\nRetry-After: 600\nTo: {*};tag={tag}",
      );
    },
  },

  nearMiss: {
    "nobody of that name": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:nobody@home.example");
      await carol.expect(
        "whom the proxy does not know is not unavailable but unknown",
        "SIP/2.0 404 Not Found",
      );
    },
    "another phone is there": act({ transports: ["TCP"] }, async (stage) => {
      await stage.server({ users: ["bob"] });
      const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
      await mobile.leave();
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await desk.rings("one phone that can be reached is enough");
      await carol.expectNone("no 480", "SIP/2.0 480 {*}");
    }),
    "he may be disturbed again": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { doNotDisturb: true });
      bob.ua.doNotDisturb = false;
      carol.request(`INVITE ${bob.aor}`);
      await bob.rings("the next call comes in");
    },
    "just in time": async (stage) => {
      const bob = await stage.phone("bob", { ringTimeout: 60 });
      const alice = await stage.phone("alice");
      const [call, incoming] = await stage.ringing(alice, bob);
      await stage.advance(30_000);
      await stage.value("bob picks up", incoming.answer(sdpOf("bob")));
      await stage.value("and the call is up", call.answered);
      await stage.advance(60_000);
      stage.check.equal("and stays so", [call.state, incoming.state], ["established", "established"]);
    },
  },

  reaction: {
    alone: async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("480 At the Dentist", "Retry-After: 20 (molar)");
      const rejected = await stage.rejected("the application is told 480", call.answered, 480);
      stage.check.equal("in the words of the phone", rejected.reasonPhrase, "At the Dentist");
      stage.check.equal("and when to try again", rejected.retryAfter, 20);
      await stage.advance(60_000);
      await stage.seesTimes(
        "but nothing calls by itself, then or earlier",
        1,
        { from: "alice" },
        "INVITE {*}",
      );
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      await stage.registered("desk", { aor: "sip:bob@home.example", doNotDisturb: true });
      const mobile = await stage.registered("mobile", { aor: "sip:bob@home.example" });
      const call = alice.call("sip:bob@home.example");
      const onMobile = await mobile.rings("the mobile is called");
      await stage.sees("the desk phone may not ring", { from: "desk", to: "server" }, "SIP/2.0 480 {*}");
      await stage.seesNone(
        "which the proxy keeps to itself",
        { from: "server", to: "alice" },
        "SIP/2.0 480 {*}",
      );
      await stage.value("the mobile answers", onMobile.answer(sdpOf("bob")));
      await stage.value("and the call is up", call.answered);
    },
    "in a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob", { update: false });
      const [call] = await stage.talk(alice, bob);
      const held = stage.later(call.hold());
      await bob.expect("she wants to put bob on hold", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("480 Temporarily Unavailable");
      await stage.rejected("who is not there any more", held, 480);
      await bob.expect("so she hangs up (RFC 5057 §5.1)", "BYE {*}");
      bob.reply("200 OK");
      const { response } = await stage.value("the call is over", call.ended);
      stage.check.equal("and why", response?.statusCode, 480);
    },
  },

  mutants: {
    producer: {
      title: "the directory says nothing when nobody can be reached",
      file: "packages/server/src/routing/account-directory.ts",
      find: "context.answer(480, {\n        reasonPhrase: bindings",
      replace: "void ({\n        reasonPhrase: bindings",
    },
    reaction: {
      title: "a call goes on with somebody who is not there",
      file: "packages/sip/src/responses/facts/428-494.ts",
      find: 'guidedBy: ["Retry-After"],\n    effect: "usage"',
      replace: 'guidedBy: ["Retry-After"],\n    effect: "transaction"',
    },
  },
});
