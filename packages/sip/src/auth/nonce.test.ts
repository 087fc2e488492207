// Nonces: life, signature, counts, and what is forgotten. RFC 7616 §3.3–3.4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeRandom as random } from "../node/index.ts";
import { Nonces, type NonceVerdict } from "./nonce.ts";

const encoder = new TextEncoder();

/** Judges a nonce in the middle of other text. */
function use(nonces: Nonces, nonce: string, realm: string, count: number | undefined): NonceVerdict {
  const text = encoder.encode(`"${nonce}"`);
  return nonces.use(text, 1, text.length - 1, realm, count);
}

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
    assert.equal(use(nonces, nonce, "r", count), verdict, `nc ${count}`);
  }
});

test("RFC 2069: without a count a nonce is good for one request", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  assert.equal(use(nonces, nonce, "r", undefined), "fresh");
  assert.equal(use(nonces, nonce, "r", undefined), "replayed");
});

test("RFC 7616 §3.3: a nonce expires, used or not", () => {
  const { clock, nonces } = setUp();
  const [used, unused] = [nonces.make("r"), nonces.make("r")];
  assert.equal(use(nonces, used, "r", 1), "fresh");
  clock.time += 60_000;
  assert.equal(use(nonces, used, "r", 2), "fresh");
  clock.time += 1;
  assert.equal(use(nonces, used, "r", 3), "expired");
  assert.equal(use(nonces, unused, "r", 1), "expired");
});

test("a nonce that was changed, invented, of another realm or process is foreign", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  const later = `${nonce.slice(0, 3)}${nonce[3] === "1" ? "2" : "1"}${nonce.slice(4)}`;
  for (const [title, text, realm] of [
    ["changed time", later, "r"],
    ["other realm", nonce, "s"],
    ["more at the end", `${nonce}.x`, "r"],
    ["cut", nonce.slice(0, -1), "r"],
    ["invented", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "r"],
    ["empty", "", "r"],
    ["of another process, or of an earlier one", setUp().nonces.make("r"), "r"],
    ["a part of it as the realm", nonce.slice(0, 15), nonce.slice(15)],
  ] as const) {
    assert.equal(use(nonces, text, realm, 1), "foreign", title);
  }
  assert.equal(use(nonces, nonce, "r", 1), "fresh");
});

test("the table is bounded; what it forgot is never accepted again", () => {
  const { nonces } = setUp({ capacity: 3 });
  const made = Array.from({ length: 5 }, () => nonces.make("r"));
  for (const nonce of made) assert.equal(use(nonces, nonce, "r", 1), "fresh");
  assert.deepEqual(
    made.map((nonce) => use(nonces, nonce, "r", 1)),
    ["forgotten", "forgotten", "replayed", "replayed", "replayed"],
  );
  // New ones are not affected.
  assert.equal(use(nonces, nonces.make("r"), "r", 1), "fresh");
});

test("a nonce used first when as many later ones were made as can be remembered is good unless one of them has its place", () => {
  const { nonces } = setUp({ capacity: 3 });
  const made = Array.from({ length: 6 }, () => nonces.make("r"));
  const useOf = (i: number) => use(nonces, made[i]!, "r", 1);
  assert.deepEqual([3, 1, 0, 3, 4, 1, 2].map(useOf), [
    ...["fresh", "fresh", "forgotten", "replayed"],
    // The fifth takes the place of the second, which is forgotten for it, and what was made before it.
    ...["fresh", "forgotten", "fresh"],
  ]);
});

test("of nonces used in the order they were made in, the oldest are forgotten", () => {
  const { clock, nonces } = setUp({ capacity: 200 });
  const useAll = (made: string[]) => made.map((nonce) => use(nonces, nonce, "r", 1));
  const make = (count: number) => Array.from({ length: count }, () => nonces.make("r"));
  const all = (count: number, verdict: string) => new Array<string>(count).fill(verdict);
  const early = make(50);
  assert.deepEqual(useAll(early), all(50, "fresh"));
  clock.time += 30_000;
  const fresh = make(350);
  clock.time += 30_001;
  assert.deepEqual(useAll(fresh), all(350, "fresh"));
  assert.deepEqual(useAll(fresh.slice(150)), all(200, "replayed"));
  assert.deepEqual(useAll(fresh.slice(0, 150)), all(150, "forgotten"));
  assert.deepEqual(useAll(early), all(50, "expired"));
});

test("a nonce of one realm is none of another that ends alike", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("a.example.com");
  const moved = `${nonce.slice(0, 15)}a.${nonce.slice(15)}`;
  assert.equal(use(nonces, moved, "example.com", 1), "foreign");
  assert.equal(use(nonces, nonce, "a.example.com", 1), "fresh");
});

test("nonces are known by their signature, however many were made since", () => {
  const { nonces } = setUp();
  const nonce = nonces.make("r");
  for (let i = 0; i < 5000; i++) nonces.make(i % 2 === 0 ? "r" : "s");
  assert.equal(use(nonces, nonce, "s", 1), "foreign");
  assert.equal(use(nonces, `${nonce.slice(0, -1)}${nonce.endsWith("0") ? "1" : "0"}`, "r", 1), "foreign");
  assert.equal(use(nonces, nonce, "r", 1), "fresh");
});
