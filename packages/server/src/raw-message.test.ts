// Header fields found in raw bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { callIdOf, findHeader, hasCSeqMethod, reasonPhraseOf, statusCodeOf } from "./raw-message.ts";

const bytes = (...lines: string[]) => new Uint8Array(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`));

const callIds: [title: string, message: Uint8Array, callId: string | undefined][] = [
  ["usual spelling", bytes("SIP/2.0 200 OK", "Call-ID: abc@host"), "abc@host"],
  ["compact form", bytes("SIP/2.0 200 OK", "i:abc"), "abc"],
  ["odd case and space", bytes("SIP/2.0 200 OK", "cALL-iD \t:  abc  "), "abc"],
  ["absent", bytes("SIP/2.0 200 OK", "To: x"), undefined],
];

for (const [title, message, callId] of callIds) {
  test(`§20.8 Call-ID, ${title}: ${callId}`, () => assert.equal(callIdOf(message), callId));
}

test("§7.2 status line: code and phrase; a request has none", () => {
  const response = bytes("SIP/2.0 486 Busy Here", "CSeq: 2 INVITE");
  assert.equal(statusCodeOf(response), 486);
  assert.equal(reasonPhraseOf(response), "Busy Here");
  assert.equal(statusCodeOf(bytes("SUBSCRIBE sip:a@b SIP/2.0")), 0);
});

test("§20.16 CSeq: the method counts whole", () => {
  assert.equal(hasCSeqMethod(bytes("SIP/2.0 200 OK", "CSeq: 2 INVITE"), "INVITE"), true);
  assert.equal(hasCSeqMethod(bytes("SIP/2.0 200 OK", "cseq:2\tINVITE"), "INVITE"), true);
  assert.equal(hasCSeqMethod(bytes("SIP/2.0 200 OK", "CSeq: 2 REINVITE"), "INVITE"), false);
  assert.equal(hasCSeqMethod(bytes("SIP/2.0 200 OK", "CSeq: 2 BYE"), "INVITE"), false);
});

test("§7.3 fields end with the head", () => {
  assert.equal(findHeader(bytes("SIP/2.0 200 OK", "To: x", "", "Subject: body"), "subject"), undefined);
});
