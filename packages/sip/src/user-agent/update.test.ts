// UPDATE in early and confirmed dialogs, and what happens when offers meet. RFC 3311.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NegotiationError, Rejected, StateError } from "../errors.ts";
import { printUri, type SipRequest } from "../message/index.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

const sdp = sdpOf("alice");
const decoder = new TextDecoder();

async function ringing(
  onInvite: (call: Call) => Promise<void>,
  options: { weather?: ConstructorParameters<typeof Testbed>[0]; bob?: Partial<UserAgentOptions> } = {},
) {
  const bed = new Testbed(options.weather);
  const alice = bed.agent("alice");
  const bob = bed.agent("bob", options.bob);
  let there: Call | undefined;
  bob.ua.onInvite((call) => {
    there = call;
    return onInvite(call);
  });
  const here = alice.ua.call(bob.uri, { sdp });
  await bed.clock.run(1000);
  assert(there !== undefined);
  return { bed, alice, bob, here, there };
}

/** Ringing, and the session agreed on in a reliable 183. */
const early = (options: Parameters<typeof ringing>[1] = {}) =>
  ringing((call) => call.progress({ sdp: sdpOf("bob"), reliable: true }), options);

const established = (options: Parameters<typeof ringing>[1] = {}) =>
  ringing((call) => call.answer(sdpOf("bob")), options);

async function finish(bed: Testbed, call: Call): Promise<void> {
  await bed.settle(call.hangUp());
  await bed.close();
  assert.deepEqual(bed.leftovers, []);
  assert.deepEqual(bed.errors, []);
}

/** The last request of that name once more, with another number and branch: what our side would not send. */
function sendAgain(
  bed: Testbed,
  request: SipRequest | undefined,
  to: string,
  sequence: number,
  change = (text: string) => text,
) {
  assert(request !== undefined);
  const text = change(decoder.decode(request.bytes))
    .replace(/^CSeq: \d+/m, `CSeq: ${sequence}`)
    .replace("z9hG4bK", `z9hG4bKagain${sequence}`);
  const from = { address: /SIP\/2\.0\/UDP ([\d.]+)/.exec(text)?.[1] ?? "", port: 5060 };
  bed.network.sendDatagram(from, { address: to, port: 5060 }, new TextEncoder().encode(text));
}

describe("UPDATE", () => {
  it("§5.1: hold and resume in an early dialog, by either side; the 200 says no more of the session", async () => {
    const { bed, here, there } = await early();
    await bed.settle(here.hold());
    assert.deepEqual([here.isOnHold, there.isHeldByPeer], [true, true]);
    await bed.settle(there.hold());
    assert.deepEqual([there.isOnHold, here.isHeldByPeer], [true, true]);
    await bed.settle(here.resume());
    await bed.settle(there.resume());
    assert.deepEqual([here.isHeldByPeer, there.isHeldByPeer], [false, false]);
    await bed.settle(Promise.all([there.answer(), here.answered]));
    assert.deepEqual(
      bed.requests("UPDATE").map(({ cSeq }) => cSeq.sequence),
      [3, 1, 4, 2],
    );
    assert.equal(bed.responses(200, "INVITE")[0]?.body.length, 0);
    assert.deepEqual([here.state, there.state], ["established", "established"]);
    await finish(bed, here);
  });

  it("§5.1: in a confirmed dialog; Contact in the request and in its 200", async () => {
    const { bed, here, there } = await established();
    await bed.settle(here.hold());
    await bed.settle(there.update());
    assert.deepEqual([here.isOnHold, there.isHeldByPeer], [true, true]);
    assert.equal(bed.requests("INVITE").length, 1);
    const [hold, again] = bed.requests("UPDATE");
    assert.equal(hold?.headers.raw("Contact"), bed.requests("INVITE")[0]?.headers.raw("Contact"));
    const [first] = bed.responses(200, "UPDATE");
    assert.equal(first?.headers.raw("Contact"), bed.responses(200, "INVITE")[0]?.headers.raw("Contact"));
    assert.equal(again?.topVia.host, "10.0.0.2");
    await finish(bed, there);
  });

  it("§5.1: for the remote target alone, without an offer", async () => {
    const { bed, here, there } = await established();
    const dialog = there.dialog;
    assert(dialog !== undefined);
    const before = there.remoteDescription;
    await bed.settle(here.update({ offer: false }));
    const update = bed.requests("UPDATE")[0];
    assert.equal(update?.body.length, 0);
    sendAgain(bed, update, "10.0.0.2", 50, (text) =>
      text.replace(/^Contact: .*$/m, "Contact: <sip:alice@10.0.0.77>"),
    );
    await bed.clock.run(100);
    assert.equal(printUri(dialog.remoteTarget), "sip:alice@10.0.0.77");
    assert.equal(there.remoteDescription, before);
    there.abandon();
    here.abandon();
    await bed.close();
  });

  it("§4: the peer does not name UPDATE in Allow: re-INVITE; before the answer there is no way", async () => {
    const { bed, here, there } = await ringing(
      (call) => call.progress({ sdp: sdpOf("bob"), reliable: true }),
      { bob: { update: false } },
    );
    await assert.rejects(here.hold(), StateError);
    await assert.rejects(there.hold(), StateError);
    await bed.settle(Promise.all([there.answer(), here.answered]));
    await assert.rejects(here.update(), StateError);
    await bed.settle(here.hold());
    assert.equal(there.isHeldByPeer, true);
    assert.deepEqual([bed.requests("UPDATE").length, bed.requests("INVITE").length], [0, 2]);
    await finish(bed, here);
  });

  for (const [section, status] of [
    ["§21.4.6 of RFC 3261: the peer said it would", 405],
    ["§5.2: the peer has to ask its user", 504],
  ] as const) {
    it(`${section}, and answers ${status}: re-INVITE, now and later`, async () => {
      const { bed, bob, here, there } = await established();
      const { deliver } = bob.ua;
      bob.ua.deliver = (incoming) =>
        incoming.request.method === "UPDATE"
          ? incoming.respond(status, { headers: [["Allow", "INVITE, ACK, BYE"]] })
          : deliver.call(bob.ua, incoming);
      await bed.settle(here.hold());
      await bed.settle(here.resume());
      assert.equal(there.isHeldByPeer, false);
      assert.deepEqual([bed.requests("UPDATE").length, bed.requests("INVITE").length], [1, 3]);
      await finish(bed, here);
    });
  }

  it("§5.1: no reliable answer yet: not to be offered, and 500 or 491 for a peer that does", async () => {
    const { bed, alice, bob, here, there } = await ringing((call) => call.progress({ sdp: sdpOf("bob") }));
    await assert.rejects(here.hold(), StateError);
    await assert.rejects(there.hold(), StateError);
    const [invite] = bed.requests("INVITE");
    const [progress] = bed.responses(183, "INVITE");
    const inDialog = (text: string) =>
      text.replaceAll("INVITE", "UPDATE").replace(/^To: .*$/m, `To: ${progress?.headers.raw("To")}`);
    sendAgain(bed, invite, bob.address, 2, inDialog);
    const turned = (text: string) =>
      inDialog(text)
        .replace(/^To: .*$/m, `To: ${invite?.headers.raw("From")}`)
        .replace(/^From: .*$/m, `From: ${progress?.headers.raw("To")}`)
        .replace(alice.address, bob.address);
    sendAgain(bed, invite, alice.address, 1, turned);
    await bed.clock.run(100);
    const refused = bed.responses(500, "UPDATE", "bob")[0];
    assert(Number(refused?.headers.raw("Retry-After")) <= 10);
    assert.equal(bed.responses(491, "UPDATE", "alice").length, 1);
    await finish(bed, here);
  });

  it("§5.2: a second one before the answer to the first: 500 with Retry-After", async () => {
    const { bed, bob, here, there } = await established();
    const { media } = there;
    assert(media !== undefined);
    let release = (_sdp: string) => {};
    media.createAnswer = () => new Promise((resolve) => (release = resolve));
    const hold = here.hold();
    await bed.clock.run(100);
    sendAgain(bed, bed.requests("UPDATE")[0], bob.address, 30);
    await bed.clock.run(100);
    assert(Number(bed.responses(500, "UPDATE", "bob")[0]?.headers.raw("Retry-After")) <= 10);
    release(sdpOf("bob").replace("sendrecv", "recvonly"));
    await bed.settle(hold);
    await finish(bed, there);
  });

  it("§5.2: a 500 with Retry-After is tried again then, once", async () => {
    const { bed, bob, here, there } = await established();
    const { deliver } = bob.ua;
    let refusals = 1;
    bob.ua.deliver = (incoming) =>
      incoming.request.method === "UPDATE" && refusals-- > 0
        ? incoming.respond(500, { headers: [["Retry-After", 3]] })
        : deliver.call(bob.ua, incoming);
    await bed.settle(here.hold());
    const at = bed.sent
      .filter(({ message }) => message.kind === "request" && message.method === "UPDATE")
      .map((sent) => sent.at);
    assert(at.length === 2 && (at[1] ?? 0) - (at[0] ?? 0) >= 3000);
    refusals = 9;
    await assert.rejects(
      bed.settle(here.resume()),
      (error) => error instanceof Rejected && error.statusCode === 500,
    );
    assert.deepEqual([here.isOnHold, there.isHeldByPeer], [true, true]);
    await finish(bed, here);
  });

  it("§5.2: who has to ask a person says 504 at once; the re-INVITE in its place waits for the answer", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    let there: Call | undefined;
    bob.ua.onInvite((call) => {
      there = call;
      let asked = 0;
      return call.answer(async () => {
        // Only new offers need somebody's consent.
        if (asked++ > 0) await new Promise<void>((resolve) => bed.clock.schedule(10_000, resolve));
        return sdpOf("bob", 40_000 + asked);
      });
    });
    const here = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
    const start = bed.clock.now();
    await bed.settle(here.hold());
    assert.deepEqual(
      bed.sent
        .filter(({ message, isLost }) => message.kind === "response" && !isLost && message.statusCode > 100)
        .map(({ message }) => message.kind === "response" && `${message.statusCode} ${message.cSeq.method}`),
      ["200 INVITE", "504 UPDATE", "200 INVITE"],
    );
    const refusal = bed.sent.find(({ message }) => message.kind === "response" && message.statusCode === 504);
    assert.equal((refusal?.at ?? 0) + bed.start - start, 2001);
    assert.deepEqual([here.isOnHold, there?.isHeldByPeer], [true, true]);
    await finish(bed, here);
  });

  for (const [phase, start] of [
    ["early", early],
    ["confirmed", established],
  ] as const) {
    it(`§5.3: glare in the ${phase} dialog: both 491, the callee's turn comes first, then the caller's`, async () => {
      const { bed, here, there } = await start();
      bed.network.weather.latency = 20;
      await bed.settle(Promise.all([here.hold(), there.hold()]));
      const updates = bed.sent.filter(
        ({ message }) => message.kind === "request" && message.method === "UPDATE",
      );
      assert.deepEqual(
        updates.slice(2).map(({ from }) => from),
        ["bob", "alice"],
      );
      const wait = (from: string) => {
        const refused = bed.sent.find(
          ({ message, to }) => message.kind === "response" && message.statusCode === 491 && to === from,
        );
        return (updates.findLast((sent) => sent.from === from)?.at ?? 0) - (refused?.at ?? 0) - 20;
      };
      assert(wait("bob") >= 0 && wait("bob") <= 2000, `bob waited ${wait("bob")}`);
      assert(wait("alice") >= 2100 && wait("alice") <= 4000, `alice waited ${wait("alice")}`);
      assert.deepEqual([here.isOnHold, there.isOnHold], [true, true]);
      await finish(bed, here);
    });
  }

  it("RFC 6337 §4.2: an UPDATE of ours meets a re-INVITE: 491 for both", async () => {
    const { bed, here, there } = await ringing((call) => call.answer(sdpOf("bob")));
    // Bob takes UPDATE, and sends re-INVITEs since he has heard of no UPDATE.
    bed.network.weather.latency = 20;
    const [invite] = bed.requests("INVITE");
    const hold = here.hold();
    const [ok] = bed.responses(200, "INVITE");
    sendAgain(bed, invite, "10.0.0.1", 7, (text) =>
      text
        .replace(/^To: .*$/m, `To: ${invite?.headers.raw("From")}`)
        .replace(/^From: .*$/m, `From: ${ok?.headers.raw("To")}`)
        .replace("10.0.0.1", "10.0.0.2"),
    );
    await bed.settle(hold);
    assert.equal(bed.responses(491, "INVITE", "alice").length, 1);
    assert.equal(there.isHeldByPeer, true);
    await finish(bed, here);
  });

  it("§5.2: an offer that cannot be used: 488 with Warning, and the session is as before", async () => {
    const { bed, here, there } = await early();
    const { media } = there;
    assert(media !== undefined);
    media.createAnswer = () => {
      throw new NegotiationError("not now", { warning: 399 });
    };
    await assert.rejects(bed.settle(here.hold()), (error) => {
      assert(error instanceof Rejected && error.statusCode === 488);
      assert.match(error.response.headers.raw("Warning") ?? "", /^399 .*"not now"$/);
      return true;
    });
    assert.deepEqual([here.isOnHold, here.state, there.state], [false, "ringing", "ringing"]);
    await finish(bed, here);
  });

  it("§5.3: the peer has lost the confirmed dialog: 481, BYE", async () => {
    const { bed, bob, here, there } = await established();
    there.abandon();
    bob.ua.onInvite(() => {});
    await assert.rejects(
      bed.settle(here.hold()),
      (error) => error instanceof Rejected && error.statusCode === 481,
    );
    assert.equal((await bed.settle(here.ended)).cause, "no dialog");
    await finish(bed, here);
  });

  it("BYE while one waits for its answer: 481 for it", async () => {
    const { bed, here, there } = await established();
    const { media } = there;
    assert(media !== undefined);
    let release = (_sdp: string) => {};
    media.createAnswer = () => new Promise((resolve) => (release = resolve));
    const hold = here.hold();
    hold.catch(() => {});
    await bed.clock.run(100);
    const ended = bed.settle(here.hangUp());
    await ended;
    release(sdpOf("bob"));
    await assert.rejects(bed.settle(hold), { code: "SIP_CALL_ENDED" });
    assert.equal(bed.responses(481, "UPDATE").length, 1);
    await finish(bed, here);
  });
});
