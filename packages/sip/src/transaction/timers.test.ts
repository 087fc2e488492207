import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Timer, Timers } from "./timers.ts";

function collector(): { fired: string[]; owner: { fire(timer: Timer, now: number): void } } {
  const fired: string[] = [];
  return { fired, owner: { fire: (timer, now) => fired.push(`${timer.event}@${now}`) } };
}

test("the deadline is the earliest of queues and heap, Infinity when nothing runs", () => {
  const { owner } = collector();
  const timers = new Timers([500, 32_000]);
  assert.equal(timers.deadline, Number.POSITIVE_INFINITY);
  const b = new Timer(owner, "B");
  timers.start(b, 32_000, 0);
  timers.start(new Timer(owner, "A"), 500, 10);
  timers.start(new Timer(owner, "C"), 77, 20);
  assert.equal(timers.deadline, 97);
  timers.tick(600);
  assert.equal(timers.deadline, 32_000);
  timers.stop(b);
  assert.equal(timers.deadline, Number.POSITIVE_INFINITY);
});

test("a timer restarted while it runs counts from anew, a stopped one never fires", () => {
  const { owner, fired } = collector();
  const timers = new Timers([500]);
  const again = new Timer(owner, "again");
  const stopped = new Timer(owner, "stopped");
  timers.start(again, 500, 0);
  timers.start(stopped, 500, 0);
  timers.start(again, 500, 400);
  timers.stop(stopped);
  timers.stop(stopped);
  timers.tick(899);
  assert.deepEqual(fired, []);
  timers.tick(900);
  assert.deepEqual(fired, ["again@900"]);
  assert.equal(again.isRunning, false);
});

test("a clock that steps back does not lose or reorder timers", () => {
  const { owner, fired } = collector();
  const timers = new Timers([500]);
  timers.start(new Timer(owner, "first"), 500, 1000);
  timers.start(new Timer(owner, "second"), 500, 900);
  timers.tick(1500);
  assert.deepEqual(fired, ["first@1500", "second@1500"]);
});

test("any mix of starts and stops fires the rest once each, in order of their deadlines", () => {
  const operation = fc.record({
    timer: fc.nat(15),
    duration: fc.constantFrom(500, 1000, 4000, 1, 77, 3000, 12_345),
    stop: fc.boolean(),
    wait: fc.nat(300),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const timers = new Timers([500, 1000, 4000]);
      const order: Timer[] = [];
      const deadlines: number[] = [];
      const owner = {
        fire(timer: Timer, now: number) {
          order.push(timer);
          deadlines.push(timer.deadline);
          assert.ok(timer.deadline <= now);
          assert.equal(expected.get(timer), timer.deadline);
          expected.delete(timer);
        },
      };
      const all = Array.from({ length: 16 }, (_, i) => new Timer(owner, String(i)));
      const expected = new Map<Timer, number>();
      let now = 0;
      for (const { timer: index, duration, stop, wait } of operations) {
        now += wait;
        timers.tick(now);
        const timer = all[index]!;
        if (stop) {
          timers.stop(timer);
          expected.delete(timer);
        } else {
          timers.start(timer, duration, now);
          expected.set(timer, now + duration);
        }
        assert.equal(timers.deadline, Math.min(Number.POSITIVE_INFINITY, ...expected.values()));
      }
      deadlines.length = 0;
      timers.tick(now + 100_000);
      assert.equal(expected.size, 0);
      assert.deepEqual(
        deadlines,
        deadlines.toSorted((a, b) => a - b),
      );
    }),
  );
});
