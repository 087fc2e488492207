// The vectors published with SipHash-2-4: key 00 01 … 0f, message 00 01 … of the given length.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey, keyedHash } from "./keyed-hash.ts";

const key = hashKey(Uint8Array.from({ length: 16 }, (_, i) => i));

const vectors: readonly (readonly [bytes: number, hash: string])[] = [
  [0, "726fdb47dd0e0e31"],
  [2, "0d6c8009d9a94f5a"],
  [8, "93f5f5799a932462"],
];

for (const [bytes, expected] of vectors) {
  test(`SipHash-2-4, ${bytes} bytes, ${expected}`, () => {
    let text = "";
    for (let i = 0; i < bytes; i += 2) text += String.fromCharCode(i | ((i + 1) << 8));
    assert.equal(keyedHash(key, text), expected);
  });
}

test("a text of one byte each and one of two bytes each are never the same input", () => {
  assert.notEqual(keyedHash(key, "\x01\x02"), keyedHash(key, "\u0201"));
  assert.notEqual(keyedHash(key, "abcdefgh"), keyedHash(key, "\u6261\u6463\u6665\u6867"));
});

test("each character of a text of one byte each counts, and its place", () => {
  const seen = new Set<string>();
  for (let length = 1; length < 20; length++) {
    for (let at = 0; at < length; at++)
      seen.add(keyedHash(key, `${"a".repeat(at)}é${"a".repeat(length - at - 1)}`));
  }
  assert.equal(seen.size, (19 * 20) / 2);
});

test("another key, another hash", () => {
  const other = hashKey(new Uint8Array(16));
  assert.notEqual(keyedHash(key, "abc"), keyedHash(other, "abc"));
});

test("texts of every length differ from their prefix", () => {
  const seen = new Set<string>();
  for (let length = 0; length < 64; length++) seen.add(keyedHash(key, "\0".repeat(length)));
  assert.equal(seen.size, 64);
});
