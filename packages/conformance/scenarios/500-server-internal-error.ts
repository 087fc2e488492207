// 500 Server Internal Error: something went wrong that is not the sender's fault, or not now. RFC 3261 §12.2.2, §14.2,
// §16.7 step 6, §21.5.1; RFC 3262 §3.

import { act, contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 500,
  sender: "the called phone, the registrar, and the proxy in place of a 503",
  condition:
    "a request in a dialog or a REGISTER comes out of order or too soon, a reliable response is never acknowledged, a handler fails",
  reacts:
    "sent again once, after Retry-After or, if it does no harm twice, after 2 s; else it fails, and a call goes on",

  producer: {
    "out of order": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "CSeq: 7 INVITE", ...contentOf("carol"));
      const incoming = await bob.rings("bob is called");
      const answering = stage.later(incoming.answer(sdpOf("bob")));
      await carol.expect("bob answers", "SIP/2.0 200 OK\nTo: {*};tag={tag:[^;]+}");
      carol.ack();
      await stage.value("the call is up", answering);
      carol.requestInDialog("INFO", "CSeq: 6 INFO");
      await carol.expect(
        "a CSeq lower than one that was there before (§12.2.2)",
        "SIP/2.0 500 Server Internal Error\nTo: {*};tag={tag}\nCSeq: 6 INFO",
      );
      stage.check.equal("the call goes on", incoming.state, "established");
    },
    "one at a time": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [incoming] = await stage.ringing(carol, bob);
      await carol.expect("carol hears it", "SIP/2.0 180 Ringing");
      carol.requestInDialog("INVITE", "Contact: <{uri}>", ...contentOf("carol"));
      const { wait = "" } = await carol.expect(
        "a second INVITE while the first has no answer; and when it may come back (§14.2)",
        "SIP/2.0 500 Server Internal Error\nRetry-After: {wait:\\d+}\nCSeq: 2 INVITE",
      );
      stage.check.ok("within ten seconds", Number(wait) <= 10);
      stage.check.equal("it still rings", incoming.state, "ringing");
    },
    "a registration out of order": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      const register = (sequence: number, contact: string) =>
        bob.request(
          "REGISTER sip:home.example",
          "To: <sip:bob@home.example>",
          "Call-ID: one",
          `CSeq: ${sequence} REGISTER`,
          `Contact: ${contact}`,
        );
      register(5, "<sip:bob@192.0.2.5>");
      await bob.expect("bob is registered", "SIP/2.0 200 OK\nCSeq: 5 REGISTER");
      register(4, "<sip:bob@192.0.2.5>;expires=0");
      await bob.expect(
        "what was overtaken on the way must not undo what came later (§10.3 step 7)",
        "SIP/2.0 500 {*}\nTo: {*};tag={tag}\nCSeq: 4 REGISTER",
      );
      stage.check.equal("the binding is still there", server.store.locations.memory.bindingCount, 1);
    },
    "nobody confirms the ringing": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Supported: 100rel", ...contentOf("carol"));
      const incoming = await bob.rings("bob is called");
      stage.later(incoming.ring({ reliable: true }));
      await carol.expect("it rings, reliably", "SIP/2.0 180 Ringing\nRequire: 100rel");
      await stage.advance(40_000);
      await carol.expect(
        "without PRACK for 64·T1 there is no use in going on (RFC 3262 §3)",
        "SIP/2.0 500 Server Internal Error\nCSeq: 1 INVITE",
      );
      await stage.value("the phone stops ringing", incoming.ended);
    },
    "a handler fails": async (stage) => {
      const bob = await stage.phone("bob");
      bob.ua.onRequest("MESSAGE", () => {
        throw new Error("the disk is full");
      });
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`MESSAGE ${bob.aor}`);
      await carol.expect(
        "the sender learns that it was not his fault, and not what it was",
        "SIP/2.0 500 Server Internal Error\nTo: {*};tag={tag}\n!Warning: {*}",
      );
      stage.check.equal("the application learns that", String(bob.errors[0]), "Error: the disk is full");
    },
    "a server behind the proxy is overloaded": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      await stage.calls(carol, bob);
      bob.reply("503 Service Unavailable", "Retry-After: 60");
      await carol.expect(
        "which is no reason to avoid the proxy itself (§16.7 step 6)",
        "SIP/2.0 500 Server Internal Error\nTo: {*};tag={tag}\n!Retry-After: {*}",
      );
      await stage.seesNone("the 503 goes no further", { from: "server" }, "SIP/2.0 503 {*}");
    },
  },

  nearMiss: {
    "a gap": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "CSeq: 7 INVITE", ...contentOf("carol"));
      const incoming = await bob.rings("bob is called");
      const answering = stage.later(incoming.answer(sdpOf("bob")));
      await carol.expect("bob answers", "SIP/2.0 200 OK");
      carol.ack();
      await stage.value("the call is up", answering);
      carol.requestInDialog("INFO", "CSeq: 700 INFO");
      await carol.expect("CSeq may leave numbers out (§12.2.2)", "SIP/2.0 200 OK\nCSeq: 700 INFO");
    },
    "one after the other": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [incoming] = await stage.calls(carol, bob);
      const answering = stage.later(incoming.answer(sdpOf("bob")));
      await carol.expect("bob answers", "SIP/2.0 200 OK\nCSeq: 1 INVITE");
      carol.ack();
      await stage.value("the call is up", answering);
      carol.requestInDialog("INVITE", "Contact: <{uri}>", ...contentOf("carol"));
      await carol.expect("a re-INVITE in its time is taken", "SIP/2.0 200 OK\nCSeq: 2 INVITE");
      carol.ack();
    },
  },

  reaction: {
    "a question": act(
      { notInWeather: "the two seconds are exact only where time stands still" },
      async (stage) => {
        const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
        const asked = stage.later(alice.ua.options("sip:bob@bob.example"));
        await bob.expect(
          "an OPTIONS, which does no harm twice",
          "OPTIONS {*}\nCSeq: 1 OPTIONS\nCall-ID: {callId}",
        );
        bob.reply("500 Server Internal Error");
        await stage.advance(1900);
        await bob.expectNone("not at once", "OPTIONS {*}");
        await stage.advance(200);
        await bob.expect(
          "but after two seconds, with CSeq + 1",
          "OPTIONS {*}\nCSeq: 2 OPTIONS\nCall-ID: {callId}",
        );
        bob.reply("200 OK");
        await stage.value("and there is the answer", asked);
      },
    ),
    "a call, with Retry-After": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect(
        "alice calls",
        "INVITE {*}\nCSeq: 1 INVITE\nCall-ID: {callId}\nFrom: {*};tag={fromTag}",
      );
      bob.reply("500 Server Internal Error", "Retry-After: 5");
      await stage.advance(5000);
      await bob.expect(
        "again when the time is over: same Call-ID and From tag, CSeq + 1, no To tag",
        "INVITE {*}\nCSeq: 2 INVITE\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nTo: <sip:bob@bob.example>",
      );
      bob.reply("500 Server Internal Error", "Retry-After: 5");
      const rejected = await stage.rejected("and that was it", call.answered, 500);
      stage.check.equal("the application is told of the one retry", rejected.retries, [500]);
      await stage.advance(60_000);
      await stage.seesTimes("two INVITEs", 2, { from: "alice" }, "INVITE {*}");
    },
    "a call, without": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("500 Server Internal Error");
      await stage.rejected("nobody is called twice unasked: the application is told 500", call.answered, 500);
      await stage.advance(60_000);
      await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
    },
    "in a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob", { update: false });
      const [call] = await stage.talk(alice, bob);
      const held = stage.later(call.hold());
      await bob.expect("she wants to put bob on hold", "INVITE {*}\nCSeq: 2 INVITE\n\na=sendonly");
      bob.reply("500 Server Internal Error", "Retry-After: 3");
      await stage.advance(3000);
      await bob.expect("which he can do three seconds later", "INVITE {*}\nCSeq: 3 INVITE\n\na=sendonly");
      bob.reply("200 OK", "Content-Type: application/sdp", "", sdpOf("bob").replace("sendrecv", "recvonly"));
      await stage.value("bob is on hold", held);
      stage.check.equal("in the same call", call.state, "established");
    },
    "a registration": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
      const registering = stage.later(bob.ua.register({ expires: 600 }));
      await registrar.expect("bob registers", "REGISTER {*}\nCSeq: 1 REGISTER");
      registrar.reply("200 OK", "Expires: 600");
      const registration = await stage.value("and is registered", registering);
      await stage.advance(560_000);
      await registrar.expect("the refresh", "REGISTER {*}\nCSeq: 2 REGISTER");
      registrar.reply("500 Server Internal Error");
      await stage.until(
        "fails, and the binding lives on for a while",
        () => registration.state === "waiting",
      );
      await stage.advance(30_000);
      await registrar.expect("the phone tries again within half a minute", "REGISTER {*}\nCSeq: 3 REGISTER");
      registrar.reply("200 OK", "Expires: 600");
      await stage.until("and is registered again", () => registration.state === "registered");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const desk = await stage.registered("desk", { aor: "sip:bob@home.example" });
      await stage.registered("mobile", { aor: "sip:bob@home.example", doNotDisturb: true });
      desk.ua.onInvite(() => {
        throw new Error("the bell is broken");
      });
      const call = alice.call("sip:bob@home.example");
      await stage.rejected(
        "what a phone says of bob counts more than what ails the other",
        call.answered,
        480,
      );
      await stage.sees("though that one did answer", { from: "desk" }, "SIP/2.0 500 {*}");
    },
  },

  mutants: {
    producer: {
      title: "the order of requests does not matter",
      file: "packages/sip/src/user-agent/call.ts",
      find: "if (!dialog.accept(request)) {",
      replace: "if (dialog.accept(request) === undefined) {",
    },
    reaction: {
      title: "a 500 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  500: { kind: "wait, then retry", delay: errorDelay },\n',
      replace: "",
    },
  },
});
