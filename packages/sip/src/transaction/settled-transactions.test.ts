// Settled transactions: found by their key until they are due, in any number, whatever the hash.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "../ports.ts";
import { SeededRandom } from "../testing/index.ts";
import { SettledTransactions } from "./settled-transactions.ts";
import { flow, request } from "./sink.test.kit.ts";
import { type TransactionKey, TransactionKeys } from "./transaction-id.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const udp = flow("UDP");

function setUp(random: Random = new SeededRandom(3)) {
  const keys = new TransactionKeys(random);
  const known = new Map<string, TransactionKey>();
  /** "branch", or "branch host:port method". */
  const keyOf = (text: string) => {
    const [branch = "", host, method = ""] = text.split(" ");
    const make = () =>
      host === undefined
        ? keys.client(branch, false)
        : keys.server(request(method, { branch, host }), method);
    const key = known.get(text) ?? make();
    known.set(text, key);
    return key;
  };
  const settled = new SettledTransactions("server", () => {});
  return {
    settled,
    keyOf,
    add: (key: string, text: string, until: number, statusCode = 200) =>
      settled.add(
        keyOf(key),
        {
          ...{ method: keyOf(key).method || "OPTIONS", statusCode, toTag: `t-${key}`, peer: udp },
          response: encoder.encode(text),
        },
        until,
      ),
    find: (key: string) => {
      const found = settled.get(keyOf(key));
      return found && decoder.decode(found.response);
    },
  };
}

test("a response is found by its key alone, with where it went and what it was", () => {
  const { settled, keyOf, add, find } = setUp();
  assert.equal(find("a"), undefined);
  assert.equal(settled.deadline, Number.POSITIVE_INFINITY);
  assert.equal(add("a", "one", 100, 404), true);
  assert.equal(add("aa", "two", 200), true);
  assert.equal(find("a"), "one");
  assert.equal(find("aa"), "two");
  assert.equal(find("aaa"), undefined);
  const found = settled.get(keyOf("a"));
  assert.equal(found?.peer, udp);
  assert.equal(found?.method, "OPTIONS");
  assert.equal(found?.statusCode, 404);
  assert.equal(found?.toTag, "t-a");
  assert.equal(settled.deadline, 100);
});

test("branch, host, port and method have to be the same, whatever the hash", () => {
  const { add, find } = setUp({ bytes: (length: number) => new Uint8Array(length) });
  for (const key of ["k h1:1 INFO", "k h2:1 INFO", "k h1:2 INFO", "k h1:1 OPTIONS", "j h1:1 INFO"])
    assert.equal(add(key, key, 100), true);
  for (const key of ["k h1:1 INFO", "k h2:1 INFO", "k h1:2 INFO", "k h1:1 OPTIONS", "j h1:1 INFO"])
    assert.equal(find(key), key);
  assert.equal(find("k"), undefined);
  assert.equal(find("k h1:3 INFO"), undefined);
});

test("what is due goes, oldest first, and is told of; the rest stays", () => {
  const { settled, add, find } = setUp();
  for (let n = 1; n <= 5; n++) add(`k${n}`, `r${n}`, n * 10, 200 + n);
  const ended: number[] = [];
  settled.expire(30, (_method, statusCode) => ended.push(statusCode));
  assert.deepEqual(ended, [201, 202, 203]);
  assert.deepEqual(
    ["k1", "k3", "k4", "k5"].map((key) => find(key)),
    [undefined, undefined, "r4", "r5"],
  );
  assert.equal(settled.deadline, 40);
  assert.equal(settled.size, 2);
});

for (const [title, random] of [
  ["spread over all buckets", new SeededRandom(9)],
  // With a seed and a factor of zeros the last letters decide: many keys share a bucket.
  ["many of one hash", { bytes: (length: number) => new Uint8Array(length) }],
] as [string, Random][]) {
  test(`ten thousand come and go as in a map: ${title}`, () => {
    const { settled, add, find } = setUp(random);
    const expected = new Map<string, string>();
    let gone = 0;
    for (let n = 0; n < 10_000; n++) {
      const key = `z9hG4bK-${n * 7919} host${n % 2}:${1 + (n % 3)} ${n % 5 === 0 ? "INFO" : "OPTIONS"}`;
      add(key, `response ${n} ${"x".repeat(n % 700)}`, n);
      expected.set(key, `response ${n} ${"x".repeat(n % 700)}`);
      // Up and down, so that the ring turns while it grows.
      if (n % 1000 !== 999) continue;
      settled.expire(n - 600, () => gone++);
      const kept = [...expected].slice(-settled.size);
      assert.equal(gone + settled.size, n + 1);
      for (const [of, text] of kept) assert.equal(find(of), text);
      for (const [of] of [...expected].slice(0, gone)) assert.equal(find(of), undefined);
    }
    settled.expire(10_000, () => gone++);
    assert.equal(gone, 10_000);
    assert.equal(settled.size, 0);
    add("again", "and again", 20_000);
    assert.equal(find("again"), "and again");
  });
}

test("what cannot be kept is said: too long, or a key that bytes cannot hold", () => {
  const { settled, add } = setUp();
  assert.equal(add("k", "x".repeat(70_000), 1), false);
  assert.equal(add("k\u4e00", "x", 1), false);
  assert.equal(settled.size, 0);
});

test("who comes now and then, when all others are gone, takes no memory for good", () => {
  const { settled, add } = setUp();
  for (let n = 0; n < 1000; n++) {
    add(`k${n}`, "x".repeat(600), n);
    settled.expire(n);
    assert.equal(settled.size, 0);
  }
  assert.equal(settled.memory, 65_536);
});
