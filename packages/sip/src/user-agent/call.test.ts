// Whole calls between two user agents in virtual time: every way to begin and to end one. RFC 3261 §13–§15.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CallEndedError, Rejected, StateError } from "../errors.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

/** Alice and Bob; Bob does with each call what he is told. */
function pair(
  onInvite: (call: Call) => Promise<void> | void,
  weather: ConstructorParameters<typeof Testbed>[0] = {},
) {
  const bed = new Testbed(weather);
  const alice = bed.agent("alice");
  const bob = bed.agent("bob");
  const taken: Call[] = [];
  bob.ua.onInvite((call) => {
    taken.push(call);
    return onInvite(call);
  });
  return { bed, alice, bob, taken };
}

const sdp = sdpOf("alice");

describe("a call", () => {
  it("§13, §15: ring, answer, BYE by the caller", async () => {
    const { bed, alice, bob, taken } = pair(async (call) => {
      await call.ring();
      await call.answer(sdpOf("bob"));
    });
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    assert.equal(call.state, "established");
    assert.equal(call.remoteDescription, sdpOf("bob"));
    await bed.clock.run(100);
    assert.equal(taken[0]?.state, "established");
    assert.equal(taken[0]?.remoteDescription, sdp);
    const end = await bed.settle(call.hangUp());
    assert.deepEqual([end.by, end.cause], ["local", "bye"]);
    assert.deepEqual(await bed.settle(taken[0]!.ended).then(({ by, cause }) => [by, cause]), [
      "remote",
      "bye",
    ]);
    assert.deepEqual(bed.ladder(), [
      "alice INVITE",
      "bob 180 INVITE",
      "bob 200 INVITE",
      "alice ACK",
      "alice BYE",
      "bob 200 BYE",
    ]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
    assert.deepEqual(bed.errors, []);
  });

  it("§15: BYE by the callee", async () => {
    const { bed, alice, bob } = pair(async (call) => {
      await call.answer(sdpOf("bob"));
      await call.hangUp();
    });
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    const end = await bed.settle(call.ended);
    assert.deepEqual([end.by, end.cause], ["remote", "bye"]);
    assert.deepEqual(bed.ladder(), [
      "alice INVITE",
      "bob 200 INVITE",
      "alice ACK",
      "bob BYE",
      "alice 200 BYE",
    ]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.3.1.3: rejected, the error carries the response", async () => {
    const { bed, alice, bob, taken } = pair(async (call) => {
      await call.ring();
      await call.reject(486, { headers: [["Retry-After", 20]] });
    });
    await assert.rejects(bed.settle(alice.ua.invite(bob.uri, { sdp })), (error) => {
      assert(error instanceof Rejected);
      assert.deepEqual(
        [error.response.statusCode, error.code, error.retryAfter, error.origin],
        [486, "SIP_REJECTED", 20, "peer"],
      );
      return true;
    });
    assert.deepEqual(bed.ladder(), ["alice INVITE", "bob 180 INVITE", "bob 486 INVITE", "alice ACK"]);
    assert.equal(taken[0]?.state, "ended");
    await assert.rejects(taken[0]!.answer(sdpOf("bob")), CallEndedError);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§9.1: cancelled while it rings", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    assert.equal(call.state, "ringing");
    const end = await bed.settle(call.hangUp());
    assert.deepEqual([end.by, end.cause, end.response?.statusCode], ["local", "canceled", 487]);
    const there = await bed.settle(taken[0]!.ended);
    assert.deepEqual([there.by, there.cause, there.request?.method], ["remote", "canceled", "CANCEL"]);
    assert.deepEqual(bed.ladder(), [
      "alice INVITE",
      "bob 180 INVITE",
      "alice CANCEL",
      "bob 200 CANCEL",
      "bob 487 INVITE",
      "alice ACK",
    ]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§9.1: cancelled before a provisional response: the CANCEL waits for it", async () => {
    const { bed, alice, bob } = pair(() => {});
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(50);
    assert.equal(bed.requests("INVITE").length, 1);
    const ended = call.hangUp();
    await bed.clock.run(100);
    assert.equal(bed.requests("CANCEL").length, 0);
    await bed.settle(ended);
    // The 100 of the server transaction comes after 200 ms.
    assert.deepEqual(bed.ladder({ hundreds: true }), [
      "alice INVITE",
      "bob 100 INVITE",
      "alice CANCEL",
      "bob 200 CANCEL",
      "bob 487 INVITE",
      "alice ACK",
    ]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§9.1, §15: a 200 crosses the CANCEL: ACK, then BYE", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    bed.network.weather.latency = 50;
    const ended = call.hangUp();
    const answered = taken[0]!.answer(sdpOf("bob"));
    const end = await bed.settle(ended);
    assert.deepEqual([end.by, end.cause, end.response?.statusCode], ["local", "canceled", 200]);
    await bed.settle(answered);
    assert.deepEqual(await bed.settle(taken[0]!.ended).then((there) => there.cause), "bye");
    assert.equal(bed.requests("ACK").length, 1);
    assert.equal(bed.requests("BYE", "alice").length, 1);
    assert.equal(bed.responses(487, "INVITE").length, 0);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("the signal gives the call up and is the reason", async () => {
    const { bed, alice, bob } = pair((call) => call.ring());
    const controller = new AbortController();
    const reason = new Error("never mind");
    const outcome = assert.rejects(alice.ua.invite(bob.uri, { sdp, signal: controller.signal }), reason);
    await bed.clock.run(1000);
    controller.abort(reason);
    await bed.settle(outcome);
    assert.equal(bed.requests("CANCEL").length, 1);
    assert.throws(() => alice.ua.call(bob.uri, { sdp, signal: controller.signal }), reason);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("hangUp with a header field that cannot be sent: the call is over here, and the error is told", async () => {
    const { bed, alice, bob } = pair((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    assert.equal((await bed.settle(call.hangUp({ headers: [["X", "a\r\nb"]] }))).cause, "bye");
    assert.deepEqual(
      bed.errors.map((error) => (error as Error).message),
      ["X must not hold a line break or NUL"],
    );
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  for (const [title, giveUp, cause] of [
    ["hangUp", (call: Call) => void call.hangUp(), "canceled"],
    ["the timeout", () => {}, "expired"],
    ["abandon", (call: Call) => call.abandon(), "bye"],
  ] as const) {
    it(`${title} while the offer is still being made: over at once, and nothing is sent`, async () => {
      const { bed, alice, bob } = pair(() => {});
      let go: (sdp: string) => void = () => {};
      const call = alice.ua.call(bob.uri, {
        timeout: 20,
        sdp: () =>
          new Promise((resolve) => {
            go = resolve;
          }),
      });
      await bed.clock.run(100);
      giveUp(call);
      assert.equal((await bed.settle(call.ended)).cause, cause);
      await assert.rejects(call.answered, { code: "SIP_CALL_ENDED" });
      go(sdp);
      await bed.clock.run(1000);
      assert.deepEqual(bed.sent, []);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
      assert.deepEqual(bed.errors, []);
    });
  }

  it("nobody answers within `timeout`: CANCEL with a Reason", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp, timeout: 20 });
    await assert.rejects(bed.settle(call.answered), Rejected);
    assert.equal((await call.ended).cause, "expired");
    assert.equal(
      Math.floor(
        (bed.sent.find(({ message }) => message.kind === "request" && message.method === "CANCEL")?.at ?? 0) /
          1000,
      ),
      20,
    );
    assert.match(taken[0]!.invitation!.method, /INVITE/);
    assert.match((await taken[0]!.ended).request?.headers.raw("Reason") ?? "", /408/);
    await bed.close();
  });

  it("§8.1.3.1: nobody is there: 408 after 64·T1", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    await assert.rejects(bed.settle(alice.ua.invite("sip:nobody@10.0.0.77", { sdp })), (error) => {
      assert(error instanceof Rejected);
      assert.deepEqual([error.statusCode, error.code, error.origin], [408, "SIP_TIMEOUT", "timeout"]);
      return true;
    });
    assert.equal(bed.clock.now() - bed.start, 32_000);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§8.1.3.1: the name has no address: 503", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    await assert.rejects(bed.settle(alice.ua.invite("sip:bob@nowhere.invalid", { sdp })), (error) => {
      assert(error instanceof Rejected);
      assert.deepEqual([error.statusCode, error.code, error.origin], [503, "SIP_TRANSPORT", "transport"]);
      return true;
    });
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.3.1.4: no ACK ever: the 200 is resent by T1 and T2, then BYE", async () => {
    const { bed, alice, bob, taken } = pair(async (call) => {
      await call.answer(sdpOf("bob"));
    });
    const call = alice.ua.call(bob.uri, { sdp });
    // Alice's network goes away just after the INVITE.
    await bed.clock.runUntil(() => bed.requests("INVITE").length === 1);
    await bed.clock.run(1);
    bed.network.disconnect(alice.address);
    const there = await bed.settle(taken[0]!.ended);
    assert.deepEqual([there.by, there.cause], ["local", "no ack"]);
    const at = bed.sent
      .filter(({ message }) => message.kind === "response" && message.statusCode === 200)
      .map((sent) => sent.at - 1);
    assert.deepEqual(at, [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert.equal(bed.requests("BYE", "bob").length > 0, true);
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.2.2.4: the first ACK is lost: another one for the next copy of the 200", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.answer(sdpOf("bob")));
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => bed.responses(200, "INVITE").length === 1);
    bed.network.weather.loss = 1;
    await bed.clock.runUntil(() => bed.requests("ACK").length === 1);
    bed.network.weather.loss = 0;
    await bed.clock.run(5000);
    assert.equal(taken[0]?.state, "established");
    assert.equal(bed.requests("ACK").length, 2);
    const [first, second] = bed.requests("ACK");
    assert.deepEqual(first?.bytes, second?.bytes);
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§15: the callee that hangs up before the ACK waits for it", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    bed.network.weather.latency = 100;
    const answered = taken[0]!.answer(sdpOf("bob"));
    await bed.clock.runUntil(() => bed.responses(200, "INVITE").length > 0);
    const ended = taken[0]!.hangUp();
    await bed.clock.run(150);
    assert.equal(bed.requests("BYE").length, 0);
    await bed.settle(answered);
    await bed.settle(ended);
    assert.equal(await bed.settle(call.ended).then(({ by }) => by), "remote");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§15: hanging up while the answer is being made refuses the call", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    const answered = taken[0]!.answer(sdpOf("bob"));
    const ended = taken[0]!.hangUp();
    await assert.rejects(bed.settle(answered), CallEndedError);
    assert.equal((await bed.settle(ended)).cause, "rejected");
    assert.equal((await bed.settle(call.ended)).response?.statusCode, 480);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§9.2: CANCEL while the answer is being made: 487, and answer() says that the call has ended", async () => {
    let release = (_sdp: string) => {};
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    const made = new Promise<string>((resolve) => {
      release = resolve;
    });
    const answered = taken[0]!.answer(() => made);
    const outcome = assert.rejects(answered, CallEndedError);
    const end = await bed.settle(call.hangUp());
    assert.equal(end.response?.statusCode, 487);
    release(sdpOf("bob"));
    await bed.settle(outcome);
    assert.equal(bed.responses(200, "INVITE").length, 0);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§15.1.2: BYE on an early dialog: 200 for it, 487 for the INVITE", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    // A caller may do so (§15), ours sends CANCEL: written by hand.
    const [invite] = bed.requests("INVITE");
    const [ringing] = bed.responses(180, "INVITE");
    const text = new TextDecoder()
      .decode(invite?.bytes)
      .replace(/INVITE/, "BYE")
      .replace("CSeq: 1 INVITE", "CSeq: 2 BYE")
      .replace("z9hG4bK", "z9hG4bKbye")
      .replace(/^To: .*$/m, `To: ${ringing?.headers.raw("To")}`)
      .replace(/^Content-Type: .*\r\n/m, "")
      .replace(/^Content-Length: .*/ms, "Content-Length: 0\r\n\r\n");
    const from = { address: alice.address, port: 5060 };
    bed.network.sendDatagram(from, { address: bob.address, port: 5060 }, new TextEncoder().encode(text));
    await assert.rejects(
      bed.settle(call.answered),
      (error) => error instanceof Rejected && error.statusCode === 487,
    );
    assert.equal(bed.responses(200, "BYE", "bob").length, 1);
    assert.equal((await taken[0]!.ended).cause, "bye");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.3.1: the INVITE's Expires runs out: 487", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring());
    const outcome = bed.settle(alice.ua.invite(bob.uri, { sdp, headers: [["Expires", 10]] }));
    await assert.rejects(outcome, (error) => error instanceof Rejected && error.statusCode === 487);
    assert.equal((await taken[0]!.ended).cause, "expired");
    assert.equal(bed.requests("CANCEL").length, 0);
    await bed.close();
  });

  it("§13.3.1.1: a phone that rings says so every minute", async () => {
    const { bed, alice, bob } = pair((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(185_000);
    assert.equal(bed.responses(180, "INVITE").length, 4);
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.2.1: no offer in the INVITE: it comes in the 200, the answer in the ACK", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp, offer: false }));
    await bed.clock.run(10);
    assert.equal(bed.requests("INVITE")[0]?.body.length, 0);
    assert.equal(new TextDecoder().decode(bed.requests("ACK")[0]?.body), sdp);
    assert.equal(call.remoteDescription, sdpOf("bob"));
    assert.equal(taken[0]?.remoteDescription, sdp);
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.2.1: early media, 183 with the answer; the 200 repeats it", async () => {
    const { bed, alice, bob, taken } = pair(async (call) => {
      await call.progress({ sdp: sdpOf("bob") });
    });
    const call = alice.ua.call(bob.uri, { sdp });
    const codes: number[] = [];
    call.onProgress((response) => codes.push(response.statusCode));
    await bed.clock.run(1000);
    assert.deepEqual(codes, [183]);
    assert.equal(call.remoteDescription, sdpOf("bob"));
    await bed.settle(taken[0]!.answer(sdpOf("bob")));
    assert.equal(new TextDecoder().decode(bed.responses(200, "INVITE")[0]?.body), sdpOf("bob"));
    await bed.settle(call.hangUp());
    await bed.close();
  });

  it("§13.2.2.4: a 200 that brings no answer is acknowledged and ended", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.answer({ sdp: () => "" }));
    await assert.rejects(bed.settle(alice.ua.invite(bob.uri, { sdp })), { code: "SIP_NEGOTIATION" });
    assert.equal(await bed.settle(taken[0]!.ended).then(({ cause }) => cause), "bye");
    assert.deepEqual(bed.ladder(), [
      "alice INVITE",
      "bob 200 INVITE",
      "alice ACK",
      "alice BYE",
      "bob 200 BYE",
    ]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("a redirection is followed: 302, then the new place", async () => {
    const { bed, alice, bob } = pair((call) => call.redirect([carolUri]));
    const carol = bed.agent("carol");
    const carolUri = carol.uri;
    carol.ua.onInvite((call) => call.answer(sdpOf("carol")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    assert.equal(call.remoteDescription, sdpOf("carol"));
    const [first, second] = bed.requests("INVITE");
    assert.deepEqual([first?.cSeq.sequence, second?.cSeq.sequence], [1, 2]);
    assert.deepEqual([first?.callId, second?.to.tag], [second?.callId, undefined]);
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("states forbid what does not fit them", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    await assert.rejects(call.answer(sdp), StateError);
    await assert.rejects(taken[0]!.ring(), StateError);
    await assert.rejects(taken[0]!.reject(486), StateError);
    await assert.rejects(call.sendDtmf("1"), StateError);
    await bed.settle(call.hangUp());
    await assert.rejects(call.hold(), CallEndedError);
    await bed.close();
  });

  it("stop() ends the calls and refuses new ones", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.answer(sdpOf("bob")));
    await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    const ringing = alice.ua.call("sip:nobody@10.0.0.77", { sdp });
    await bed.settle(alice.ua.stop());
    assert.equal(ringing.state, "ended");
    assert.equal(taken[0]?.state, "ended");
    assert.throws(() => alice.ua.call(bob.uri), StateError);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("TCP: the same call over a connection", async () => {
    const bed = new Testbed({ pieces: 100 });
    const alice = bed.agent("alice", { transport: "TCP" });
    const bob = bed.agent("bob", { transport: "TCP" });
    bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    await bed.settle(call.hangUp());
    assert.equal(
      bed.requests("INVITE")[0]?.headers.raw("Contact"),
      `<sip:alice@${alice.address}:5060;transport=tcp>`,
    );
    assert.equal(bed.responses(200, "BYE").length, 1);
    // Without UDP of its own, a user agent takes what it has.
    await bed.settle((await bed.settle(alice.ua.invite(`sip:bob@${bob.address}`, { sdp }))).hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });
});
