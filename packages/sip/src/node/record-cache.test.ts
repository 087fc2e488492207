import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordCache } from "./record-cache.ts";

function cacheAt(start: number, capacity = 3) {
  const clock = { at: start };
  const cache = new RecordCache({ now: () => clock.at, capacity, failureTime: 50 });
  return { clock, cache };
}

test("an answer holds for its lifetime", async () => {
  const { clock, cache } = cacheAt(1000);
  let asked = 0;
  const get = () => cache.get("k", async () => ({ value: ++asked, lifetime: 100 }));
  assert.deepEqual([await get(), await get()], [1, 1]);
  clock.at = 1099;
  assert.equal(await get(), 1);
  clock.at = 1100;
  assert.equal(await get(), 2);
  assert.deepEqual(cache.counts, { hits: 2, misses: 2, shared: 0 });
});

test("those who ask at the same time share the question, of which nothing is kept if its time is 0", async () => {
  const { cache } = cacheAt(0);
  let asked = 0;
  const get = () => cache.get("k", async () => ({ value: ++asked, lifetime: 0 }));
  assert.deepEqual(await Promise.all([get(), get(), get()]), [1, 1, 1]);
  assert.equal(await get(), 2);
  assert.deepEqual(cache.counts, { hits: 0, misses: 2, shared: 2 });
});

test("a failure is shared and kept for a while too", async () => {
  const { clock, cache } = cacheAt(0);
  let asked = 0;
  const get = () =>
    cache.get("k", async () => {
      throw new Error(`failure ${++asked}`);
    });
  const both = await Promise.allSettled([get(), get()]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await assert.rejects(get(), /failure 1/);
  clock.at = 50;
  await assert.rejects(get(), /failure 2/);
});

test("the bound: what was asked for longest ago leaves", async () => {
  const { cache } = cacheAt(0);
  const asked: string[] = [];
  const get = (key: string) =>
    cache.get(key, async () => {
      asked.push(key);
      return { value: key, lifetime: 1000 };
    });
  for (const key of ["a", "b", "c", "a", "d", "a", "c", "d"]) await get(key);
  assert.equal(asked.join(""), "abcd");
  assert.equal(cache.size, 3);
  await get("b");
  assert.equal(asked.join(""), "abcdb");
});
