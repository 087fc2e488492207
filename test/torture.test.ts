// The messages of RFC 4475 and RFC 5118 at message level: verdict, status to answer, reason; one row each.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ParseError } from "@offhook/sip";
import {
  answerMalformed,
  headerEntries,
  parseMessage,
  printMessage,
  type SipMessage,
} from "@offhook/sip/message";
import type { TortureRow } from "./torture/row.ts";
import { tortureTable } from "./torture/table.ts";

const folder = new URL("./fixtures/torture/", import.meta.url);

function bytesOf(row: TortureRow): Uint8Array {
  return new Uint8Array(readFileSync(new URL(row.file, folder)));
}

/** The headers that do not parse when asked for, with the reason. */
function lateErrors(message: SipMessage): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const { name } of headerEntries) {
    try {
      message.headers.getAll(name);
    } catch (error) {
      assert.ok(error instanceof ParseError, `${name} threw ${error}`);
      assert.equal(error.field, name);
      errors[name] = error.message.slice(error.field.length + 2);
    }
  }
  return errors;
}

test("every fixture has a row, and every row a fixture", () => {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".dat"));
  assert.deepEqual(tortureTable.map((row) => row.file).sort(), files.sort());
});

for (const row of tortureTable) {
  const outcome =
    row.verdict === "refuse" ? `refused with ${row.status}` : row.verdict === "drop" ? "dropped" : "accepted";
  test(`${row.section}, ${row.title}, ${outcome}`, () => {
    const bytes = bytesOf(row);
    if (row.verdict === "accept") {
      const message = parseMessage(bytes);
      assert.equal(message.kind, row.kind);
      for (const [actual, expected] of row.reads?.(message) ?? []) assert.deepEqual(actual, expected);
      assert.deepEqual(lateErrors(message), row.lateErrors ?? {});
      // Printed afresh, it is still the same message.
      const again = parseMessage(printMessage(message));
      assert.deepEqual([...again.headers.entries()], [...message.headers.entries()]);
      assert.deepEqual(again.body, message.body);
      return;
    }
    let error: unknown;
    try {
      parseMessage(bytes);
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error instanceof ParseError, "it was not refused");
    assert.ok(error.message.includes(row.reason ?? ""), `the reason was: ${error.message}`);
    const answer = answerMalformed(bytes, error, { address: "192.0.2.200", port: 4567 });
    if (row.kind === "response" || row.stack.status === "none") {
      assert.equal(answer, undefined);
      return;
    }
    assert.equal(error.status, row.status);
    assert.ok(answer !== undefined, "nothing to answer with");
    const text = new TextDecoder().decode(answer.bytes);
    assert.match(text, new RegExp(`^SIP/2\\.0 ${row.status} `));
    assert.match(text, /\r\nVia: SIP\/[27]\.0\/[A-Z]+ \S+;.*received=192\.0\.2\.200/);
    if (/\r\nTo: /.test(text)) assert.match(text, /\r\nTo: .*;tag=/);
    assert.ok(text.endsWith("\r\nContent-Length: 0\r\n\r\n"));
  });
}
