// Nonces: life, signature, counts, and what is forgotten. RFC 7616 §3.3–3.4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeRandom as random } from "../node/index.ts";
import { Nonces } from "./nonce.ts";

function setUp(options: { capacity?: number } = {}) {
  const clock = { time: 1_800_000_000_000, now: () => clock.time };
  return { clock, nonces: new Nonces({ clock, random, lifetime: 60, ...options }) };
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

test("a nonce that was changed, invented, of another realm or process is foreign", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  const later = nonce.replace(/^.{12}/, (time) =>
    (Number.parseInt(time, 16) + 60_000).toString(16).padStart(12, "0"),
  );
  for (const [title, text, realm] of [
    ["changed time", later, "r"],
    ["other realm", nonce, "s"],
    ["more at the end", `${nonce}.x`, "r"],
    ["cut", nonce.slice(0, -1), "r"],
    ["invented", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "r"],
    ["empty", "", "r"],
    ["of another process, or of an earlier one", setUp().nonces.make("r"), "r"],
    ["a part of it as the realm", nonce.slice(0, 24), nonce.slice(24)],
  ] as const) {
    assert.equal(nonces.use(text, realm, 1), "foreign", title);
  }
  assert.equal(nonces.use(nonce, "r", 1), "fresh");
});

test("the table is bounded; what it forgot is never accepted again", () => {
  const { nonces } = setUp({ capacity: 3 });
  const made = Array.from({ length: 5 }, () => nonces.make("r"));
  for (const nonce of made) assert.equal(nonces.use(nonce, "r", 1), "fresh");
  assert.deepEqual(
    made.map((nonce) => nonces.use(nonce, "r", 1)),
    ["forgotten", "forgotten", "replayed", "replayed", "replayed"],
  );
  // New ones are not affected.
  assert.equal(nonces.use(nonces.make("r"), "r", 1), "fresh");
});

test("a nonce used first when as many later ones were made as can be remembered is good unless one of them has its place", () => {
  const { nonces } = setUp({ capacity: 3 });
  const made = Array.from({ length: 6 }, () => nonces.make("r"));
  const use = (i: number) => nonces.use(made[i]!, "r", 1);
  assert.deepEqual([3, 1, 0, 3, 4, 1, 2].map(use), [
    ...["fresh", "fresh", "forgotten", "replayed"],
    // The fifth takes the place of the second, which is forgotten for it, and what was made before it.
    ...["fresh", "forgotten", "fresh"],
  ]);
});

test("of nonces used in the order they were made in, the oldest are forgotten", () => {
  const { clock, nonces } = setUp({ capacity: 200 });
  const use = (made: string[]) => made.map((nonce) => nonces.use(nonce, "r", 1));
  const make = (count: number) => Array.from({ length: count }, () => nonces.make("r"));
  const all = (count: number, verdict: string) => new Array<string>(count).fill(verdict);
  const early = make(50);
  assert.deepEqual(use(early), all(50, "fresh"));
  clock.time += 30_000;
  const fresh = make(350);
  clock.time += 30_001;
  assert.deepEqual(use(fresh), all(350, "fresh"));
  assert.deepEqual(use(fresh.slice(150)), all(200, "replayed"));
  assert.deepEqual(use(fresh.slice(0, 150)), all(150, "forgotten"));
  assert.deepEqual(use(early), all(50, "expired"));
});

test("a nonce of one realm is none of another that ends alike", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("a.example.com");
  const moved = `${nonce.slice(0, 24)}a.${nonce.slice(24)}`;
  assert.equal(nonces.use(moved, "example.com", 1), "foreign");
  assert.equal(nonces.use(nonce, "a.example.com", 1), "fresh");
});

test("nonces are known by their signature, however many were made since", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  for (let i = 0; i < 5000; i++) nonces.make(i % 2 === 0 ? "r" : "s");
  assert.equal(nonces.use(nonce, "s", 1), "foreign");
  assert.equal(nonces.use(`${nonce.slice(0, -1)}${nonce.endsWith("0") ? "1" : "0"}`, "r", 1), "foreign");
  assert.equal(nonces.use(nonce, "r", 1), "fresh");
});
