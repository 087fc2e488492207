import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock, Timer } from "@offhook/sip";
import { OverloadWatch } from "./overload.ts";

/** A clock whose timer fires when the test says so, as late as it likes. */
class LateClock implements Clock {
  time = 0;
  due = 0;
  callback: (() => void) | undefined;
  now(): number {
    return this.time;
  }
  schedule(delay: number, callback: () => void): Timer {
    this.due = this.time + delay;
    this.callback = callback;
    return {
      cancel: () => {
        this.callback = undefined;
      },
    };
  }
}

// title, how late each look is (milliseconds, limit 500), what is told when
const rows: readonly (readonly [title: string, late: number[], told: string[]])[] = [
  ["in time", [0, 3, 500], []],
  ["halted once", [0, 30_000, 0, 2000, 10], []],
  ["late twice in a row: overload; in time once: over", [501, 502, 700, 100, 0], ["on at 2", "off at 4"]],
  ["and again", [600, 600, 0, 600, 600], ["on at 2", "off at 3", "on at 5"]],
];
for (const [title, late, expected] of rows) {
  test(`overload, ${title}`, () => {
    const clock = new LateClock();
    const told: string[] = [];
    let look = 0;
    const watch = new OverloadWatch({
      clock,
      limit: 500,
      onChange: (isOverloaded) => told.push(`${isOverloaded ? "on" : "off"} at ${look}`),
    });
    for (const by of late) {
      look++;
      clock.time = clock.due + by;
      clock.callback?.();
    }
    assert.deepEqual(told, expected);
    watch.close();
    assert.equal(clock.callback, undefined);
  });
}
