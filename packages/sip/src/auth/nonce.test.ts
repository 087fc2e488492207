// Nonces: life, signature, counts, and what is forgotten. RFC 7616 §3.3–3.4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeHash as hash, nodeRandom as random } from "../node/index.ts";
import { Nonces } from "./nonce.ts";

function setUp(
  options: { capacity?: number; secret?: Uint8Array; workerNumber?: number; start?: number } = {},
) {
  const clock = { time: options.start ?? 1_800_000_000_000, now: () => clock.time };
  return { clock, nonces: new Nonces({ clock, hash, random, lifetime: 60, ...options }) };
}

test("RFC 7616 §3.4: each count once, and rising", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  for (const [count, verdict] of [
    [1, "fresh"],
    [1, "replayed"],
    [2, "fresh"],
    [7, "fresh"],
    [5, "replayed"],
    [undefined, "replayed"],
    [8, "fresh"],
  ] as const) {
    assert.equal(nonces.use(nonce, "r", count), verdict, `nc ${count}`);
  }
});

test("RFC 2069: without a count a nonce is good for one request", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  assert.equal(nonces.use(nonce, "r", undefined), "fresh");
  assert.equal(nonces.use(nonce, "r", undefined), "replayed");
});

test("RFC 7616 §3.3: a nonce expires, used or not", () => {
  const { clock, nonces } = setUp();
  const [used, unused] = [nonces.make("r"), nonces.make("r")];
  assert.equal(nonces.use(used, "r", 1), "fresh");
  clock.time += 60_000;
  assert.equal(nonces.use(used, "r", 2), "fresh");
  clock.time += 1;
  assert.equal(nonces.use(used, "r", 3), "expired");
  assert.equal(nonces.use(unused, "r", 1), "expired");
});

test("a nonce that was changed, invented, of another realm, secret or worker is foreign", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  const later = nonce.replace(/^[^.]+/, (time) => (Number.parseInt(time, 36) + 60_000).toString(36));
  for (const [title, text, realm] of [
    ["changed time", later, "r"],
    ["other realm", nonce, "s"],
    ["more at the end", `${nonce}.x`, "r"],
    ["cut", nonce.slice(0, -1), "r"],
    ["invented", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "r"],
    ["empty", "", "r"],
    ["other secret", setUp().nonces.make("r"), "r"],
  ] as const) {
    assert.equal(nonces.use(text, realm, 1), "foreign", title);
  }
  const secret = new Uint8Array(32);
  const other = setUp({ secret, workerNumber: 1 }).nonces.make("r");
  assert.equal(setUp({ secret, workerNumber: 2 }).nonces.use(other, "r", 1), "foreign");
  assert.equal(nonces.use(nonce, "r", 1), "fresh");
});

test("after a restart with the same secret, nonces of before may have been used", () => {
  const secret = new Uint8Array(32).fill(7);
  const before = setUp({ secret });
  const nonce = before.nonces.make("r");
  assert.equal(setUp({ secret, start: before.clock.time + 1 }).nonces.use(nonce, "r", 1), "foreign");
});

test("the table is bounded; what it forgot is never accepted again", () => {
  const { clock, nonces } = setUp({ capacity: 3 });
  const made = Array.from({ length: 5 }, () => nonces.make("r"));
  for (const nonce of made) assert.equal(nonces.use(nonce, "r", 1), "fresh");
  assert.equal(nonces.size, 3);
  assert.deepEqual(
    made.map((nonce) => nonces.use(nonce, "r", 1)),
    ["forgotten", "forgotten", "replayed", "replayed", "replayed"],
  );
  // New ones are not affected, and expired ones make room.
  clock.time += 61_000;
  assert.equal(nonces.use(nonces.make("r"), "r", 1), "fresh");
  assert.equal(nonces.size, 1);
});

test("the table forgets in the order of first use, whatever it has grown to", () => {
  const { clock, nonces } = setUp({ capacity: 200 });
  const use = (made: string[]) => made.map((nonce) => nonces.use(nonce, "r", 1));
  const make = (count: number) => Array.from({ length: count }, () => nonces.make("r"));
  const all = (count: number, verdict: string) => new Array<string>(count).fill(verdict);
  const early = make(50);
  assert.deepEqual(use(early), all(50, "fresh"));
  // The early ones expire while the table is small, so that it grows with its oldest in the middle.
  clock.time += 30_000;
  const fresh = make(350);
  clock.time += 30_001;
  assert.deepEqual(use(fresh), all(350, "fresh"));
  assert.equal(nonces.size, 200);
  assert.deepEqual(use(fresh.slice(150)), all(200, "replayed"));
  assert.deepEqual(use(fresh.slice(0, 150)), all(150, "forgotten"));
  assert.deepEqual(use(early), all(50, "expired"));
});

test("a nonce of one realm is none of another that ends alike", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("a.example.com");
  const signature = nonce.lastIndexOf(".");
  const moved = `${nonce.slice(0, signature)}.a${nonce.slice(signature)}`;
  assert.equal(nonces.use(moved, "example.com", 1), "foreign");
  assert.equal(nonces.use(nonce, "a.example.com", 1), "fresh");
});

test("nonces are known by their signature when many were made since", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  for (let i = 0; i < 5000; i++) nonces.make(i % 2 === 0 ? "r" : "s");
  assert.equal(nonces.use(nonce, "s", 1), "foreign");
  assert.equal(nonces.use(`${nonce.slice(0, -1)}${nonce.endsWith("0") ? "1" : "0"}`, "r", 1), "foreign");
  assert.equal(nonces.use(nonce, "r", 1), "fresh");
});
