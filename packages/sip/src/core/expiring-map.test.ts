// Order, growth and wrapping of the rings behind the map.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExpiringMap } from "./expiring-map.ts";

test("entries go in the order they came in, with their times, however many come and go", () => {
  const map = new ExpiringMap<string, number>();
  let next = 0;
  let first = 0;
  // Grows with its first entry in the middle of the rings, to the fourfold of what it begins with.
  for (const [added, gone] of [
    [40, 30],
    [50, 20],
    [100, 0],
    [100, 240],
    [3, 1],
  ] as const) {
    for (let i = 0; i < added; i++, next++) map.add(`k${next}`, next, next / 2);
    for (let i = 0; i < gone; i++, first++) {
      assert.equal(map.firstTime, first / 2);
      assert.equal(map.shift(), `k${first}`);
      assert.equal(map.has(`k${first}`), false);
    }
    assert.equal(map.size, next - first);
    for (let i = first; i < next; i++) assert.equal(map.get(`k${i}`), i);
  }
});

test("a replaced value keeps its place and its time; without entries there is no first time", () => {
  const map = new ExpiringMap<string, number>();
  map.add("a", 1, 10);
  map.add("b", 1, 20);
  map.replace("a", 2);
  assert.equal(map.get("a"), 2);
  assert.equal(map.firstTime, 10);
  assert.deepEqual([map.shift(), map.shift()], ["a", "b"]);
  assert.equal(map.firstTime, Number.POSITIVE_INFINITY);
  map.add("a", 3, 30);
  assert.equal(map.firstTime, 30);
});
