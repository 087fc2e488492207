// The ladder as it is drawn.

import assert from "node:assert/strict";
import { test } from "node:test";
import { printLadder } from "./ladder.ts";

const message = (at: number, from: string, to: string, summary: string, more: object = {}) => ({
  ...{
    at,
    from,
    to,
    summary,
    transport: "UDP",
    cSeq: "1 INVITE",
    isRetransmission: false,
    text: `${summary}\r\n\r\n`,
  },
  ...more,
});

const ladder = {
  ...{ callId: "c", participants: ["192.0.2.1:1", "server", "192.0.2.2:2"], omitted: 0 },
  messages: [
    message(1000, "192.0.2.1:1", "server", "INVITE sip:bob@example.com"),
    message(1004, "server", "192.0.2.2:2", "INVITE sip:bob@192.0.2.2:2"),
    message(1504, "server", "192.0.2.2:2", "INVITE sip:bob@192.0.2.2:2", { isRetransmission: true }),
    message(1510, "192.0.2.2:2", "server", "180 Ringing"),
    message(1511, "server", "192.0.2.1:1", "180 Ringing"),
  ],
};

test("trace: an arrow per message, from left to right and back", () => {
  const lines = printLadder(ladder, { color: false }).split("\n");
  assert.equal(lines.length, 1 + 2 * ladder.messages.length);
  const [, first, arrow] = lines as [string, string, string];
  assert.match(first, /^ +│ +INVITE +│ +│$/);
  assert.match(arrow, /^ {2}0\.000 s +│─+>│ +│$/);
  assert.match(lines[5] ?? "", /│ +INVITE again +│$/);
  assert.match(lines[8] ?? "", /^ {2}0\.510 s +│ +│<─+│$/);
  // The rails stand below one another.
  const rails = lines.slice(1).map((line) => [...line].flatMap((c, at) => (c === "│" ? [at] : [])).join(" "));
  assert.equal(new Set(rails).size, 1);
});

test("trace: the transport is told where it differs, and every message in full if wanted", () => {
  const mixed = {
    ...ladder,
    messages: [...ladder.messages, message(2000, "192.0.2.1:1", "server", "ACK sip:x", { transport: "TCP" })],
  };
  const text = printLadder(mixed, { color: false, full: true });
  assert.match(text, /ACK tcp/);
  assert.match(text, /\n {10}180 Ringing\n/);
});

test("trace: what a peer sent never reaches the terminal as control characters", () => {
  const nasty = {
    ...ladder,
    messages: [
      message(0, "192.0.2.1:1", "server", "INVITE\u001b[2J sip:x"),
      message(1, "server", "192.0.2.1:1", "486 \u001b]0;pwned\u0007"),
    ],
  };
  assert.doesNotMatch(printLadder(nasty, { color: false, full: true }), /[\u0000-\u0009\u000b-\u001f]/);
});
