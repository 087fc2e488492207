import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeClock } from "./clock.ts";
import { nodeHash } from "./hash.ts";
import { nodeRandom } from "./random.ts";

test("random: as many bytes as asked for, never the same", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    const bytes = nodeRandom.bytes(8);
    assert.equal(bytes.length, 8);
    seen.add(bytes.toString());
  }
  assert.equal(seen.size, 5000);
  for (const length of [0, 1, 2048, 2049, 8192, 100_000])
    assert.equal(nodeRandom.bytes(length).length, length);
});

// RFC 1321 §A.5, and FIPS 180-4's one-block example.
test("hash: the algorithms of RFC 8760", () => {
  assert.equal(nodeHash.hex("MD5", "abc"), "900150983cd24fb0d6963f7d28e17f72");
  assert.equal(
    nodeHash.hex("SHA-256", new TextEncoder().encode("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assert.equal(
    nodeHash.hex("SHA-512-256", "abc"),
    "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
  );
});

test("clock: whole milliseconds near the wall clock's; timers fire, canceled ones do not", async () => {
  const now = nodeClock.now();
  assert.ok(Number.isInteger(now));
  assert.ok(Math.abs(now - Date.now()) < 60_000);
  let canceled = true;
  nodeClock
    .schedule(1, () => {
      canceled = false;
    })
    .cancel();
  nodeClock.schedule(2 ** 40, () => {}).cancel();
  await new Promise<void>((resolve) => nodeClock.schedule(2, resolve));
  assert.ok(canceled);
  assert.ok(nodeClock.now() >= now);
});
