import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@offhook/sip";
import { SkippingClock } from "./skipping-clock.ts";

/** A clock that stands until its hand is moved. */
class HandClock implements Clock {
  time = 1000;
  readonly timers = new Map<object, { due: number; callback: () => void }>();
  now(): number {
    return this.time;
  }
  schedule(delay: number, callback: () => void) {
    const timer = { cancel: () => void this.timers.delete(timer) };
    this.timers.set(timer, { due: this.time + delay, callback });
    return timer;
  }
  move(milliseconds: number): void {
    this.time += milliseconds;
    for (const [timer, { due, callback }] of this.timers)
      if (due <= this.time && this.timers.delete(timer)) callback();
  }
}

test("what is skipped has passed", () => {
  const hand = new HandClock();
  const clock = new SkippingClock(hand);
  const told: string[] = [];
  const tell = (what: string) => () => void told.push(`${what} at ${clock.now()}`);
  clock.schedule(50, tell("50"));
  clock.schedule(20, tell("20"));
  clock.schedule(100, tell("100"));
  clock.schedule(30, tell("cancelled")).cancel();
  const never = clock.schedule(40, tell("cancelled by another"));
  clock.schedule(25, () => never.cancel());

  clock.skip(60);
  assert.deepEqual(told, ["20 at 1060", "50 at 1060"]);
  assert.equal(hand.timers.size, 1, "no timer is left of what was skipped");

  // The other clock goes on: what it was told before the skip still waits as long as it was told.
  clock.schedule(10, tell("10"));
  hand.move(10);
  assert.deepEqual(told.slice(2), ["10 at 1070"]);
  clock.skip(29);
  assert.deepEqual(told.slice(3), []);
  clock.skip(1);
  assert.deepEqual(told.slice(3), ["100 at 1100"]);
  assert.equal(hand.timers.size, 0);
});

test("what happens in a skip may wait for more", () => {
  const hand = new HandClock();
  const clock = new SkippingClock(hand);
  let rounds = 0;
  const again = () => {
    rounds++;
    clock.schedule(10, again);
  };
  again();
  clock.skip(1000);
  assert.equal(rounds, 2);
  hand.move(10);
  assert.equal(rounds, 3);
});
