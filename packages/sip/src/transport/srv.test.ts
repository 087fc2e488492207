import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../testing/index.ts";
import { inFixedOrder, inRandomOrder, isUnavailable, type SrvRecord, serviceName } from "./srv.ts";

function record(priority: number, weight: number, target: string, port = 5060): SrvRecord {
  return { priority, weight, port, target };
}

const names = (records: readonly SrvRecord[]) => records.map(({ target }) => target).join(" ");

/** How often each comes first in so many draws; the seed makes every run the same. */
function firsts(records: readonly SrvRecord[], draws: number): Record<string, number> {
  const random = new SeededRandom(2782);
  const counts: Record<string, number> = Object.fromEntries(records.map(({ target }) => [target, 0]));
  for (let draw = 0; draw < draws; draw++) {
    const first = inRandomOrder(records, random)[0]!.target;
    counts[first] = counts[first]! + 1;
  }
  return counts;
}

const DRAWS = 20_000;

// what                                    weights                        expected share of first places
const shares: [what: string, weights: Record<string, number>, expected: Record<string, number>][] = [
  // Drawn from 0 to 4, both included: whoever stands first, by chance, has one chance more.
  ["one to three", { a: 1, b: 3 }, { a: 3 / 10, b: 7 / 10 }],
  ["60 to 20 to 20", { a: 60, b: 20, c: 20 }, { a: 60 / 100, b: 20 / 100, c: 20 / 100 }],
  ["all zero: each the same", { a: 0, b: 0, c: 0, d: 0 }, { a: 0.25, b: 0.25, c: 0.25, d: 0.25 }],
  ["zero beside 99: a very small chance", { a: 0, b: 99 }, { a: 1 / 100, b: 99 / 100 }],
  ["largest weights", { a: 65_535, b: 65_535 }, { a: 0.5, b: 0.5 }],
];

for (const [what, weights, expected] of shares) {
  test(`RFC 2782 weight, ${what}`, () => {
    const records = Object.entries(weights).map(([target, weight]) => record(10, weight, target));
    const counts = firsts(records, DRAWS);
    for (const [target, share] of Object.entries(expected)) {
      const deviation = Math.abs(counts[target]! / DRAWS - share);
      assert.ok(deviation < 0.015, `${target}: ${counts[target]} of ${DRAWS}`);
    }
  });
}

test("RFC 2782 priority: lower ones always first, whatever the weights", () => {
  const random = new SeededRandom(1);
  const records = [record(20, 65_535, "late"), record(10, 0, "early"), record(30, 9, "last")];
  for (let draw = 0; draw < 200; draw++)
    assert.equal(names(inRandomOrder(records, random)), "early late last");
});

test("RFC 2782: every server comes exactly once, the input stays as it was", () => {
  const random = new SeededRandom(7);
  const records = Array.from({ length: 40 }, (_, i) => record(i % 3, (i * 7) % 11, `s${i}`));
  const before = names(records);
  for (let draw = 0; draw < 100; draw++) {
    const ordered = inRandomOrder(records, random);
    assert.deepEqual(ordered.map(({ target }) => target).sort(), records.map(({ target }) => target).sort());
    assert.deepEqual(
      ordered.map(({ priority }) => priority),
      ordered.map(({ priority }) => priority).sort((a, b) => a - b),
    );
  }
  assert.equal(names(records), before);
});

test("RFC 2782 target: the root means not available, and is never a server", () => {
  assert.equal(isUnavailable([record(0, 0, ".")]), true);
  assert.equal(isUnavailable([record(0, 0, "")]), true);
  assert.equal(isUnavailable([]), false);
  assert.equal(isUnavailable([record(0, 0, "."), record(1, 0, "a")]), false);
  assert.equal(names(inRandomOrder([record(0, 0, "."), record(1, 0, "a")], new SeededRandom(1))), "a");
});

test("RFC 3263 §4.4: the fixed order depends on nothing but the records", () => {
  const records = [record(10, 5, "c"), record(10, 9, "d"), record(10, 5, "b"), record(0, 0, "z")];
  assert.equal(names(inFixedOrder(records)), "z d b c");
  assert.equal(names(inFixedOrder([...records].reverse())), "z d b c");
});

test("RFC 3263 §4.2: the names of services", () => {
  assert.deepEqual(
    (["UDP", "TCP", "TLS", "WS", "WSS"] as const).map((transport) => serviceName(transport, "b.example")),
    [
      "_sip._udp.b.example",
      "_sip._tcp.b.example",
      "_sips._tcp.b.example",
      "_sip._ws.b.example",
      "_sips._ws.b.example",
    ],
  );
});
