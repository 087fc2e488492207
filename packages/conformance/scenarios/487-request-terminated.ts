// 487 Request Terminated: an INVITE that ended before it was answered. RFC 3261 §9.2, §13.3.1, §15.1.2, §16.10, §21.4.25.

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 487,
  sender: "the called phone",
  condition: "CANCEL, BYE or the end of the INVITE's Expires comes before its final response",
  reacts: "the call ends quietly, as given up; in a fork any other answer counts more",

  producer: {
    "the caller gives up": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [call, incoming] = await stage.ringing(alice, bob);
      await stage.until("alice hears it", () => call.state === "ringing");
      void call.hangUp();
      await stage.sees("alice sends CANCEL", { from: "alice", to: "server" }, "CANCEL {*}\nCSeq: 1 CANCEL");
      await stage.sees(
        "the proxy answers it by itself",
        { from: "server", to: "alice" },
        "SIP/2.0 200 OK\nCSeq: 1 CANCEL",
      );
      await stage.sees("and cancels its own branch", { from: "server", to: "bob" }, "CANCEL {*}");
      await stage.sees(
        "bob's phone answers the CANCEL with 200",
        { from: "bob", to: "server" },
        "SIP/2.0 200 OK\nCSeq: 1 CANCEL\nTo: {*};tag={tag:[^;]+}",
      );
      await stage.sees(
        "and the INVITE with 487, both under one To tag; there is no dialog any more",
        { from: "bob", to: "server" },
        `SIP/2.0 487 Request Terminated
         CSeq: 1 INVITE
         To: {*};tag={tag}
         !Contact: {*}`,
      );
      await stage.sees(
        "the proxy acknowledges the 487 itself",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
      await stage.sees(
        "and passes it on, tag untouched",
        { from: "server", to: "alice" },
        "SIP/2.0 487 Request Terminated\nTo: {*};tag={tag}\nVia: {one:[^,]+}",
      );
      const { by, cause } = await stage.value("bob's phone stops ringing", incoming.ended);
      stage.check.equal("and knows a missed call when it sees one", [by, cause], ["remote", "canceled"]);
    },
    "a BYE into the early dialog": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [incoming] = await stage.ringing(carol, bob);
      await carol.expect("an early dialog", "SIP/2.0 180 Ringing\nTo: {*};tag={tag:[^;]+}");
      carol.requestInDialog("BYE");
      await carol.expect("the BYE itself succeeds", "SIP/2.0 200 OK\nCSeq: 2 BYE");
      await carol.expect(
        "the INVITE that was pending ends with 487 (§15.1.2)",
        "SIP/2.0 487 Request Terminated\nCSeq: 1 INVITE\nTo: {*};tag={tag}",
      );
      await stage.value("bob's phone stops ringing", incoming.ended);
    },
    "its time is over": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Expires: 200");
      const incoming = await bob.rings("bob is called");
      await stage.value("it rings", incoming.ring());
      await carol.expect("it rings", "SIP/2.0 180 Ringing");
      await stage.advance(201_000);
      await carol.expect("nobody answered while the INVITE was good", "SIP/2.0 487 Request Terminated");
      const { cause } = await stage.value("bob's phone stops ringing", incoming.ended);
      stage.check.equal("by itself", cause, "expired");
    },
    "a re-INVITE": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [call] = await stage.calls(carol, bob);
      const answering = call.answer((asked) =>
        asked?.includes("m=video") === true ? new Promise(() => {}) : sdpOf("bob"),
      );
      await carol.expect("and answers", "SIP/2.0 200 OK");
      carol.ack();
      await stage.value("the call is up", answering);
      carol.requestInDialog("INVITE", ...contentOf("carol", "m=video 40002 RTP/AVP 31"));
      await stage.sees(
        "carol would like to see bob",
        { from: "carol", to: "bob" },
        "INVITE {*}\nCSeq: 2 INVITE",
      );
      await stage.advance(200);
      await carol.expect("who takes his time", "SIP/2.0 100 Trying\nCSeq: 2 INVITE");
      carol.cancel();
      await carol.expect("she gives up", "SIP/2.0 200 OK\nCSeq: 2 CANCEL");
      await carol.expect("which ends the re-INVITE", "SIP/2.0 487 Request Terminated\nCSeq: 2 INVITE");
      stage.check.equal("and not the call", call.state, "established");
    },
  },

  nearMiss: {
    "too late": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [incoming] = await stage.calls(carol, bob);
      const answering = incoming.answer(sdpOf("bob"));
      await carol.expect("bob answers", "SIP/2.0 200 OK\nCSeq: 1 INVITE");
      carol.cancel();
      await carol.expect("a CANCEL that comes after that is answered", "SIP/2.0 200 OK\nCSeq: 1 CANCEL");
      carol.ack();
      await stage.value("but the call is up (§9.2)", answering);
      stage.check.equal("and stays so", incoming.state, "established");
      await stage.seesNone("there is no 487", { from: "bob" }, "SIP/2.0 487 {*}");
    },
    "not an INVITE": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const answers: (() => void)[] = [];
      bob.ua.onRequest("MESSAGE", (incoming) => void answers.push(() => incoming.respond(200)));
      carol.request(`MESSAGE ${bob.aor}`);
      await stage.until("bob's application has the MESSAGE", () => answers.length === 1);
      const { branch, callId, fromTag } = carol.captures;
      carol.request(
        `CANCEL ${bob.aor}`,
        ...[
          `Via: SIP/2.0/{transport} {host}:{port};branch=${branch};rport`,
          `From: <sip:carol@carol.example>;tag=${fromTag}`,
        ],
        `Call-ID: ${callId}`,
      );
      await carol.expect("a CANCEL for it succeeds", "SIP/2.0 200 OK\nCSeq: 1 CANCEL");
      answers[0]?.();
      await carol.expect(
        "without any effect: only INVITE can be cancelled",
        "SIP/2.0 200 OK\nCSeq: 1 MESSAGE",
      );
    },
  },

  reaction: {
    "after our CANCEL": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      const invite = bob.last;
      bob.reply("180 Ringing");
      await stage.until("it rings", () => call.state === "ringing");
      const ended = call.hangUp();
      await bob.expect("the CANCEL", "CANCEL {*}");
      bob.reply("200 OK");
      if (invite !== undefined) bob.replyTo(invite, "487 Request Terminated");
      const { by, cause } = await stage.value("the call is over", ended);
      stage.check.equal("as the person at this end wished", [by, cause], ["local", "canceled"]);
      await stage.rejected("who waits for the answer is told 487", call.answered, 487);
      await bob.expect("487 is acknowledged like every failure", "ACK {*}");
      await stage.seesTimes("nothing is tried again", 1, { from: "alice" }, "INVITE {*}");
      stage.check.equal("no call is left", alice.ua.calls.size, 0);
    },
    "a 487 that never comes": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("180 Ringing");
      await stage.until("it rings", () => call.state === "ringing");
      const ended = call.hangUp();
      await bob.expect("the CANCEL", "CANCEL {*}");
      bob.reply("200 OK");
      await stage.advance(33_000);
      const { cause } = await stage.value("is not waited for longer than 64·T1 (§9.1)", ended);
      stage.check.equal("the call counts as cancelled", cause, "canceled");
    },
    "without our doing": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("487 Request Terminated");
      await stage.rejected("somebody on the way gave up: the application is told 487", call.answered, 487);
      const { by, cause } = await stage.value("the call is over", call.ended);
      stage.check.equal("and not by this end: its time was over", [by, cause], ["remote", "expired"]);
    },
    "the answer crosses the CANCEL": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      const invite = bob.last;
      bob.reply("180 Ringing");
      await stage.until("it rings", () => call.state === "ringing");
      const ended = call.hangUp();
      await bob.expect("the CANCEL", "CANCEL {*}");
      bob.reply("200 OK");
      if (invite !== undefined) bob.replyTo(invite, "200 OK", ...contentOf("bob"));
      await bob.expect("a 200 instead of 487 is acknowledged", "ACK {*}");
      await bob.expect("and the call ended at once", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("the call is over all the same", ended);
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
      const call = alice.call("sip:bob@home.example");
      const onDesk = await desk.rings("the desk phone is called");
      const onMobile = await mobile.rings("the mobile is called");
      await stage.value("the mobile rings", onMobile.ring());
      await stage.value("the desk phone answers", onDesk.answer(sdpOf("desk")));
      await stage.value("and the call is up", call.answered);
      await stage.sees(
        "the mobile is cancelled, and told why",
        { from: "server", to: "mobile" },
        'CANCEL {*}\nReason: SIP;cause=200;text="Call completed elsewhere"',
      );
      await stage.sees("it sends 487", { from: "mobile", to: "server" }, "SIP/2.0 487 {*}");
      await stage.seesNone(
        "which goes no further: the call was answered",
        { from: "server", to: "alice" },
        "SIP/2.0 487 {*}",
      );
    },
  },

  mutants: {
    producer: {
      title: "a phone that nobody calls any more rings on",
      file: "packages/sip/src/user-agent/incoming-invite.ts",
      find: "this.reject(487);",
      replace: "return;",
    },
    reaction: {
      title: "a call that was given up counts as refused by the peer",
      file: "packages/sip/src/user-agent/caller.ts",
      find: "    if (this.#core.hangingUp !== undefined)\n      this.#core.finish(",
      replace: "    if (this.#core.end !== undefined)\n      this.#core.finish(",
    },
  },
});
