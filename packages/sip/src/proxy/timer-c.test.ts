// RFC 3261 §16.6 step 11, §16.7 step 2: one clock timer for all branches.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TimerC, type TimerCEntry } from "./timer-c.ts";

class OneTimerClock {
  time = 1_000_000;
  #due = Number.POSITIVE_INFINITY;
  #callback = () => {};
  now(): number {
    return this.time;
  }
  schedule(delay: number, callback: () => void) {
    assert.equal(this.#due, Number.POSITIVE_INFINITY, "only one timer at a time");
    this.#due = this.time + delay;
    this.#callback = callback;
    return {
      cancel: () => {
        this.#due = Number.POSITIVE_INFINITY;
      },
    };
  }
  advance(to: number): void {
    while (this.#due <= to) {
      this.time = this.#due;
      this.#due = Number.POSITIVE_INFINITY;
      this.#callback();
    }
    this.time = to;
  }
}

function entry(name: string, fired: string[]): TimerCEntry {
  return {
    timerCDue: 0,
    timerCPrevious: undefined,
    timerCNext: undefined,
    onTimerC: () => fired.push(name),
  };
}

test("fires in order, resets and clears", () => {
  const clock = new OneTimerClock();
  const start = clock.time;
  const fired: string[] = [];
  const timerC = new TimerC(clock, 185_000);
  const [a, b, c, d] = [entry("a", fired), entry("b", fired), entry("c", fired), entry("d", fired)];
  timerC.set(a);
  timerC.set(b);
  clock.advance(start + 10_000);
  timerC.set(c);
  timerC.set(d);
  timerC.set(a); // A provisional response: a now comes after d.
  timerC.clear(d);
  timerC.clear(d);
  clock.advance(start + 184_999);
  assert.deepEqual(fired, []);
  clock.advance(start + 185_000);
  assert.deepEqual(fired, ["b"]);
  clock.advance(start + 195_000);
  assert.deepEqual(fired, ["b", "c", "a"]);
  timerC.set(b);
  timerC.close();
  clock.advance(start + 900_000);
  assert.deepEqual(fired, ["b", "c", "a"]);
});

test("timer C, closed: nothing fires, nor does what begins afterwards wait", () => {
  const clock = new OneTimerClock();
  const timerC = new TimerC(clock, 1000);
  const fired: string[] = [];
  timerC.set(entry("before", fired));
  timerC.close();
  timerC.set(entry("after", fired));
  clock.advance(clock.time + 5000);
  assert.deepEqual(fired, []);
});

test("timer C, closed by what it fires: nothing else fires, now or later", () => {
  const clock = new OneTimerClock();
  const timerC = new TimerC(clock, 1000);
  const fired: string[] = [];
  timerC.set({ ...entry("first", fired), onTimerC: () => timerC.close() });
  timerC.set(entry("at the same time", fired));
  clock.advance(clock.time + 500);
  timerC.set(entry("later", fired));
  clock.advance(clock.time + 5000);
  assert.deepEqual(fired, []);
});
