// Whole calls over a network that loses, delays, doubles and reorders: they must come out as in good weather.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rejected } from "../errors.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

const climates = {
  "10 % loss, 200 ms": { loss: 0.1, latency: 200, jitter: 50, duplication: 0.05 },
  "30 % loss": { loss: 0.3, latency: 20 },
  "everything twice": { duplication: 1, latency: 20, jitter: 30 },
  "out of order": { latency: 10, jitter: 400 },
};

/** A second 491 is the application's to deal with; this one insists. */
async function insist(wish: () => Promise<void>): Promise<void> {
  for (let left = 5; ; left--) {
    try {
      await wish();
      return;
    } catch (error) {
      if (!(error instanceof Rejected && error.statusCode === 491) || left === 0) throw error;
    }
  }
}

/** One call with ring, answer, hold from both sides at once, and BYE from either side. */
async function play(bed: Testbed): Promise<void> {
  const alice = bed.agent("alice");
  const bob = bed.agent("bob");
  const taken: Call[] = [];
  bob.ua.onInvite(async (call) => {
    taken.push(call);
    await call.ring();
    await new Promise<void>((resolve) => bed.clock.schedule(2000, resolve));
    await call.answer(sdpOf("bob"));
  });
  const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
  const there = taken[0];
  assert(there !== undefined && taken.length === 1, "one call came of it");
  await bed.settle(there.answered);
  await bed.settle(Promise.all([insist(() => call.hold()), insist(() => there.hold())]));
  assert.deepEqual([call.isOnHold, there.isOnHold], [true, true]);
  assert.deepEqual([call.isHeldByPeer, there.isHeldByPeer], [true, true]);
  await bed.settle(insist(() => call.resume()));
  await bed.settle(insist(() => there.resume()));
  assert.deepEqual([call.isHeldByPeer, there.isHeldByPeer], [false, false]);
  const [first, second] = bed.network.random.next() < 0.5 ? [call, there] : [there, call];
  await bed.settle(first.hangUp());
  assert.equal((await bed.settle(second.ended)).cause, "bye");
  await bed.close();
  assert.deepEqual(bed.leftovers, []);
  assert.deepEqual(bed.errors, []);
}

describe("calls in bad weather", () => {
  for (const [name, weather] of Object.entries(climates)) {
    it(`${name}: 20 calls are set up, held, resumed and ended`, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        try {
          await play(new Testbed({ ...weather, seed }));
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
      }
    });
  }

  it("10 % loss: whatever the moment of the CANCEL, both sides agree that the call is over", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const bed = new Testbed({ loss: 0.1, latency: 100, jitter: 100, seed });
      const alice = bed.agent("alice");
      const bob = bed.agent("bob");
      const taken: Call[] = [];
      bob.ua.onInvite(async (call) => {
        taken.push(call);
        await call.ring();
        await new Promise<void>((resolve) => bed.clock.schedule(1000, resolve));
        await call.answer(sdpOf("bob"));
      });
      const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice") });
      await bed.clock.run(seed * 50);
      await bed.settle(call.hangUp());
      await bed.clock.run(60_000);
      for (const there of taken) assert.equal(there.state, "ended", `seed ${seed}`);
      await bed.close();
      assert.deepEqual(bed.leftovers, [], `seed ${seed}`);
      assert.deepEqual(bed.errors, [], `seed ${seed}`);
    }
  });

  for (const [name, weather] of Object.entries(climates)) {
    it(`${name}: given up at any moment between reliable 180, 183 with answer or offer, UPDATE and 200`, async () => {
      for (let seed = 1; seed <= 40; seed++) {
        const bed = new Testbed({ ...weather, seed });
        const alice = bed.agent("alice");
        const bob = bed.agent("bob");
        const taken: Call[] = [];
        bob.ua.onInvite(async (call) => {
          taken.push(call);
          await call.ring({ reliable: true });
          await call.progress({ sdp: sdpOf("bob"), reliable: true });
          await call.hold().catch(() => {});
          await new Promise<void>((resolve) => bed.clock.schedule(500, resolve));
          await call.answer();
        });
        const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice"), offer: seed % 3 > 0 });
        await bed.clock.run(seed * 60);
        await bed.settle(call.hangUp());
        await bed.clock.run(60_000);
        for (const there of taken) assert.equal(there.state, "ended", `seed ${seed}`);
        await bed.close();
        assert.deepEqual([bed.leftovers, bed.errors], [[], []], `seed ${seed}`);
      }
    });
  }
});
