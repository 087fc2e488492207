// The test suite of RFC 1321 §A.5, and every length that needs another padding.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { MD5_PADDING, md5 } from "./md5.ts";

function hexOf(text: string): string {
  const out = new Uint8Array(32);
  const bytes = new Uint8Array(text.length + MD5_PADDING).fill(0xff);
  new TextEncoder().encodeInto(text, bytes);
  md5(bytes, text.length, out);
  return new TextDecoder().decode(out);
}

for (const [text, expected] of [
  ["", "d41d8cd98f00b204e9800998ecf8427e"],
  ["a", "0cc175b9c0f1b6a831c399e269772661"],
  ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
  ["1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a"],
] as const) {
  test(`RFC 1321 §A.5: ${text}`, () => assert.equal(hexOf(text), expected));
}

test("RFC 1321 §3.1: whatever the length", () => {
  for (let length = 0; length < 300; length++) {
    const text = "x7".repeat(length).slice(0, length);
    assert.equal(hexOf(text), createHash("md5").update(text).digest("hex"), `${length} bytes`);
  }
});
