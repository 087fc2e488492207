// The table of live transactions, against a Map, with hashes that collide and with good ones.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InviteClient } from "./invite-client.ts";
import { flow, NoteTaker } from "./sink.test.kit.ts";
import type { TransactionKey } from "./transaction-id.ts";
import { TransactionTable } from "./transaction-table.ts";

const notes = new NoteTaker();
const make = (key: TransactionKey) => new InviteClient(key, flow(), new Uint8Array(0), notes, notes);

for (const [title, hashOf] of [
  ["a hash that spreads", (number: number) => Math.imul(number, 0x9e3779b1)],
  ["a hash that collides", (number: number) => number & 3],
] as [string, (number: number) => number][]) {
  test(`transaction table, ${title}: adds, finds and deletes as a Map does`, () => {
    const key = fc
      .integer({ min: 0, max: 150 })
      .map((number) => ({ branch: `${number}`, host: "", port: -1, method: "", hash: hashOf(number) }));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
        const table = new TransactionTable<InviteClient>();
        const expected = new Map<string, InviteClient>();
        for (const key of keys) {
          const before = expected.get(key.branch);
          assert.equal(table.get({ ...key }), before);
          if (before !== undefined) {
            assert.equal(table.delete(before), true);
            assert.equal(table.delete(before), false);
            expected.delete(key.branch);
          } else {
            const transaction = make(key);
            table.add(transaction);
            expected.set(key.branch, transaction);
          }
          assert.equal(table.size, expected.size);
        }
        for (const transaction of expected.values()) assert.equal(table.get(transaction.key), transaction);
      }),
    );
  });
}
