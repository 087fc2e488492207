// re-INVITEs in virtual time: hold, resume, refusal, glare, lost peers. RFC 3261 §14, RFC 5407 §3.1.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NegotiationError, Rejected } from "../errors.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

async function established(options: ConstructorParameters<typeof Testbed>[0] = {}) {
  const bed = new Testbed(options);
  // Between peers without UPDATE.
  const alice = bed.agent("alice", { update: false });
  const bob = bed.agent("bob", { update: false });
  let there: Call | undefined;
  bob.ua.onInvite((call) => {
    there = call;
    return call.answer(sdpOf("bob"));
  });
  const here = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
  await bed.clock.run(1000);
  assert(there !== undefined);
  return { bed, alice, bob, here, there };
}

function directionOf(sdp: string | undefined): string | undefined {
  return /a=(sendrecv|sendonly|recvonly|inactive)/.exec(sdp ?? "")?.[1];
}

describe("re-INVITE", () => {
  it("§14.1, RFC 3264 §8.4: hold and resume by the caller", async () => {
    const { bed, here, there } = await established();
    await bed.settle(here.hold());
    assert.deepEqual([here.isOnHold, there.isHeldByPeer], [true, true]);
    assert.equal(directionOf(here.localDescription), "sendonly");
    assert.equal(directionOf(there.localDescription), "recvonly");
    await bed.settle(here.resume());
    assert.deepEqual([here.isOnHold, there.isHeldByPeer], [false, false]);
    assert.equal(directionOf(there.localDescription), "sendrecv");
    const [, hold, resume] = bed.requests("INVITE");
    assert.deepEqual([hold?.cSeq.sequence, resume?.cSeq.sequence], [2, 3]);
    assert.match(new TextDecoder().decode(hold?.body), /^o=alice 1 2 /m);
    assert.match(new TextDecoder().decode(resume?.body), /^o=alice 1 3 /m);
    assert.equal(hold?.headers.raw("Contact"), bed.requests("INVITE")[0]?.headers.raw("Contact"));
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
    assert.deepEqual(bed.errors, []);
  });

  it("§14.1: hold by the callee, whose CSeq starts on its own", async () => {
    const { bed, here, there } = await established();
    await bed.settle(there.hold());
    assert.deepEqual([there.isOnHold, here.isHeldByPeer], [true, true]);
    assert.equal(bed.requests("INVITE", "bob")[0]?.cSeq.sequence, 1);
    await bed.settle(there.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("RFC 3264 §8.4: hold as RFC 2543 had it, with the address 0.0.0.0", async () => {
    const { bed, here, there } = await established();
    const { media } = here;
    assert(media !== undefined);
    const nowhere = (sdp: string) => sdp.replace("c=IN IP4 10.0.0.9", "c=IN IP4 0.0.0.0");
    media.createOffer = () => nowhere(sdpOf("alice"));
    await bed.settle(here.renegotiate());
    assert.equal(there.isHeldByPeer, true);
    assert.equal(directionOf(there.localDescription), "recvonly");
    await bed.settle(there.hold());
    assert.equal(directionOf(there.localDescription), "inactive");
    await bed.settle(here.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("both on hold: inactive", async () => {
    const { bed, here, there } = await established();
    await bed.settle(here.hold());
    await bed.settle(there.hold());
    assert.equal(directionOf(there.localDescription), "inactive");
    assert.equal(directionOf(here.localDescription), "inactive");
    await bed.settle(there.resume());
    assert.deepEqual([here.isOnHold, here.isHeldByPeer, there.isHeldByPeer], [true, false, true]);
    await bed.close();
  });

  it("§14.1: two wishes of one side go one after the other", async () => {
    const { bed, here } = await established();
    await bed.settle(Promise.all([here.hold(), here.resume(), here.hold()]));
    assert.deepEqual(
      bed.requests("INVITE").map((invite) => invite.cSeq.sequence),
      [1, 2, 3, 4],
    );
    assert.equal(here.isOnHold, true);
    await bed.close();
  });

  it("§14.1, §14.2: glare: both get 491, the callee's turn comes first, then the caller's", async () => {
    const { bed, here, there } = await established();
    bed.network.weather.latency = 20;
    await bed.settle(Promise.all([here.hold(), there.hold()]));
    assert.equal(bed.responses(491, "INVITE", "alice").length, 1);
    assert.equal(bed.responses(491, "INVITE", "bob").length, 1);
    const invites = bed.sent.filter(
      ({ message }) => message.kind === "request" && message.method === "INVITE",
    );
    const [, first, second, ...retries] = invites;
    assert.deepEqual([first?.from, second?.from].sort(), ["alice", "bob"]);
    assert.deepEqual(
      retries.map(({ from }) => from),
      ["bob", "alice"],
    );
    const wait = (from: string) =>
      (retries.find((sent) => sent.from === from)?.at ?? 0) -
      (bed.sent.find(
        ({ message, to }) => message.kind === "response" && message.statusCode === 491 && to === from,
      )?.at ?? 0) -
      20;
    assert(wait("bob") >= 0 && wait("bob") <= 2000, `bob waited ${wait("bob")}`);
    assert(wait("alice") >= 2100 && wait("alice") <= 4000, `alice waited ${wait("alice")}`);
    assert.deepEqual([here.isOnHold, there.isOnHold], [true, true]);
    assert.equal(directionOf(here.localDescription), "inactive");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
    assert.deepEqual(bed.errors, []);
  });

  it("§14.1: while the timer of a 491 runs, BYE ends it", async () => {
    const { bed, here, there } = await established();
    bed.network.weather.latency = 20;
    const holds = Promise.allSettled([here.hold(), there.hold()]);
    await bed.clock.runUntil(() => bed.responses(491, "INVITE").length === 2);
    await bed.clock.run(25);
    await bed.settle(here.hangUp());
    const outcomes = await bed.settle(holds);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal(bed.requests("INVITE").length, 3);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§14.1: refused with 488, the session stays as it was", async () => {
    const { bed, alice, here, there } = await established();
    alice.ua.onInvite(() => {});
    // Bob's application takes no new offers.
    const media = there.media;
    assert(media !== undefined);
    media.createAnswer = () => {
      throw new NegotiationError("not now", { warning: 399 });
    };
    const before = here.localDescription;
    await assert.rejects(bed.settle(here.hold()), (error) => {
      assert(error instanceof Rejected);
      assert.equal(error.statusCode, 488);
      assert.match(error.response.headers.raw("Warning") ?? "", /^399 .*"not now"$/);
      return true;
    });
    assert.deepEqual([here.isOnHold, here.state, there.state], [false, "established", "established"]);
    assert.equal(directionOf(before), "sendrecv");
    await bed.settle(here.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§12.2.1.2: the peer has lost the dialog: 481, BYE", async () => {
    const { bed, bob, here, there } = await established();
    there.abandon();
    bob.ua.onInvite(() => {});
    await assert.rejects(
      bed.settle(here.hold()),
      (error) => error instanceof Rejected && error.statusCode === 481,
    );
    assert.equal((await bed.settle(here.ended)).cause, "no dialog");
    assert.equal(bed.requests("BYE", "alice").length, 1);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§12.2.1.2: the peer is silent: 408, BYE", async () => {
    const { bed, bob, here } = await established();
    bed.network.disconnect(bob.address);
    await assert.rejects(bed.settle(here.hold()), { code: "SIP_TIMEOUT" });
    assert.equal((await bed.settle(here.ended)).cause, "no answer");
    bed.network.reconnect(bob.address);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§14.2: no ACK for the 200 of a re-INVITE: BYE", async () => {
    const { bed, alice, here, there } = await established();
    const hold = here.hold();
    hold.catch(() => {});
    await bed.clock.runUntil(() => bed.requests("INVITE").length === 2);
    await bed.clock.run(1);
    bed.network.disconnect(alice.address);
    assert.equal((await bed.settle(there.ended)).cause, "no ack");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§15.1.2: BYE while a re-INVITE waits for its answer: 487 for it", async () => {
    const { bed, here, there } = await established();
    const media = there.media;
    assert(media !== undefined);
    media.createAnswer = () => new Promise(() => {});
    const hold = here.hold();
    hold.catch(() => {});
    await bed.clock.run(100);
    await bed.settle(here.hangUp());
    assert.equal(bed.responses(487, "INVITE", "bob").length, 1);
    await assert.rejects(bed.settle(hold), { code: "SIP_CALL_ENDED" });
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§9.1: a peer that says no more than 180 to a re-INVITE does not keep it: CANCEL when the call ends", async () => {
    const { bed, alice, bob, here, there } = await established();
    const dialog = there.dialog;
    assert(dialog !== undefined);
    bob.ua.dialogs.add(dialog, {
      onRequest: (incoming) => void incoming.respond(incoming.request.method === "INVITE" ? 180 : 200),
    });
    const hold = here.hold();
    hold.catch(() => {});
    await bed.clock.run(1000);
    await bed.settle(here.hangUp());
    await assert.rejects(bed.settle(hold), { code: "SIP_CALL_ENDED" });
    assert.equal(bed.requests("CANCEL", "alice").length, 1);
    await bed.clock.run(100_000);
    assert.equal(alice.ua.stack.transactionCount, 0);
    bob.ua.dialogs.remove(dialog);
    there.abandon();
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§14.2: a second re-INVITE before the answer to the first: 500 with Retry-After", async () => {
    const { bed, bob, here, there } = await established();
    const media = there.media;
    assert(media !== undefined);
    media.createAnswer = () => new Promise(() => {});
    here.hold().catch(() => {});
    await bed.clock.run(100);
    // Against the rules, so not by way of the call: the same once more, a number higher.
    const [, hold] = bed.requests("INVITE");
    const text = new TextDecoder()
      .decode(hold?.bytes)
      .replace("CSeq: 2", "CSeq: 3")
      .replace("z9hG4bK", "z9hG4bKother");
    const from = { address: "10.0.0.1", port: 5060 };
    bed.network.sendDatagram(from, { address: bob.address, port: 5060 }, new TextEncoder().encode(text));
    await bed.clock.run(100);
    const [refusal] = bed.responses(500, "INVITE", "bob");
    assert(Number(refusal?.headers.raw("Retry-After")) <= 10);
    await bed.settle(here.hangUp());
    await bed.close();
  });

  for (const [title, change, make] of [
    ["without an offer", (text: string) => text.replace(/\r\n\r\n.*$/s, "\r\n\r\n"), "createOffer"],
    ["with one", (text: string) => text, "createAnswer"],
  ] as const) {
    it(`§9.2: a re-INVITE ${title} is cancelled while its answer is made: the session is as before`, async () => {
      const { bed, bob, there } = await established();
      const { media, localDescription, remoteDescription } = there;
      assert(media !== undefined);
      let go: (sdp: string) => void = () => {};
      media[make] = () =>
        new Promise((resolve) => {
          go = resolve;
        });
      const invite = new TextDecoder().decode(bed.requests("INVITE")[0]?.bytes);
      const tag = there.dialog?.localTag ?? "";
      const again = change(invite)
        .replace("CSeq: 1", "CSeq: 2")
        .replace("z9hG4bK", "z9hG4bKother")
        .replace(/^(To: .*)$/m, `$1;tag=${tag}`)
        .replace(/^Content-Length: .*\r\n/m, "");
      const send = (text: string) =>
        bed.network.sendDatagram(
          { address: "10.0.0.1", port: 5060 },
          { address: bob.address, port: 5060 },
          new TextEncoder().encode(text),
        );
      send(again);
      await bed.clock.run(100);
      send(
        again
          .replace("INVITE", "CANCEL")
          .replace("2 INVITE", "2 CANCEL")
          .replace(/\r\n\r\n.*$/s, "\r\n\r\n"),
      );
      await bed.clock.run(100);
      assert.equal(bed.responses(487, "INVITE", "bob").length, 1);
      go(sdpOf("bob", 40_006));
      await bed.clock.run(100);
      assert.deepEqual(
        [there.localDescription, there.remoteDescription],
        [localDescription, remoteDescription],
      );
      media[make] = () => sdpOf("bob", 40_008);
      send(again.replace("CSeq: 2", "CSeq: 3").replace("z9hG4bKother", "z9hG4bKthird"));
      await bed.clock.run(100);
      assert.equal(bed.responses(200, "INVITE", "bob").at(-1)?.cSeq.sequence, 3);
      await bed.settle(there.hangUp());
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
      assert.deepEqual(bed.errors, []);
    });
  }

  it("§12.2.2: a request out of order: 500", async () => {
    const { bed, here } = await established();
    await bed.settle(here.request("OPTIONS"));
    const dialog = here.dialog;
    assert(dialog !== undefined);
    const plan = dialog.plan;
    dialog.plan = (method, content) => ({ ...plan.call(dialog, method, content), nextSequence: () => 1 });
    await assert.rejects(
      bed.settle(here.request("OPTIONS")),
      (error) => error instanceof Rejected && error.statusCode === 500,
    );
    assert.equal(here.state, "established");
    await bed.close();
  });
});
