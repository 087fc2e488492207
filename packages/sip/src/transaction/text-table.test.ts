// The table of entries by text, against a Map, with hashes that collide and with good ones.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Random } from "../ports.ts";
import { TextTable } from "./text-table.ts";

/** These bytes make the factor 1: then texts of the same letters collide, whatever their order. */
const weak = [0, 0, 0, 0, 0x94, 0xe9, 0xd1, 0x5b];
const sources: [title: string, random: Random][] = [
  ["a hash that spreads", { bytes: (length) => new Uint8Array(length).fill(0xa7) }],
  ["a hash that collides", { bytes: () => Uint8Array.from(weak) }],
];

for (const [title, random] of sources) {
  test(`text table, ${title}: adds, finds, replaces and deletes as a Map does`, () => {
    const key = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 }).map((letters) => letters.join(""));
    const step = fc.record({ key, isAdd: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const table = new TextTable<{ key: string; step: number }>(random);
        const expected = new Map<string, number>();
        steps.forEach(({ key, isAdd }, number) => {
          if (isAdd) {
            table.add({ key, step: number });
            expected.set(key, number);
          } else {
            assert.equal(table.delete(key), expected.delete(key));
          }
          assert.equal(table.size, expected.size);
          for (const [known, value] of expected) {
            assert.equal(table.get(known)?.step, value);
            assert.equal(table.getWritten(Buffer.from(`d${known}d`), 1, 1 + known.length)?.step, value);
          }
        });
        assert.equal([...table.values()].length, expected.size);
        assert.equal(table.get("never"), undefined);
        assert.equal(table.getWritten(Buffer.from("never"), 0, 5), undefined);
      }),
    );
  });
}
