// Calls followed by their messages: states, bounds, and what a flood cannot do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMessage, type SipMessage } from "@offhook/sip/message";
import type { Flow } from "@offhook/sip/transport";
import { CallMonitor, type CallMonitorOptions } from "./call-monitor.ts";
import { ladderOf, redact } from "./trace.ts";

const listener = { id: 1, transport: "UDP", address: "127.0.0.1", port: 5060 } as const;
const flowTo = (port: number): Flow => ({
  ...{ id: String(port), transport: "UDP", isReliable: false, listener, state: "open" },
  remote: { address: "192.0.2.1", port },
});
const alice = flowTo(1111);
const bob = flowTo(2222);

/** `more`: further lines; "To tag" for a To with a tag, "From tag: x" for another one in From. */
function bytes(startLine: string, callId: string, cSeq: string, ...more: string[]): Uint8Array {
  const fromTag = more.find((line) => line.startsWith("From tag: "))?.slice(10) ?? "a";
  const lines = [
    ...[startLine, "Via: SIP/2.0/UDP 192.0.2.1:1111;branch=z9hG4bK1", "Max-Forwards: 70"],
    ...[
      `From: <sip:alice@example.com>;tag=${fromTag}`,
      `To: <sip:bob@example.com>${more.includes("To tag") ? ";tag=b" : ""}`,
    ],
    ...[
      `Call-ID: ${callId}`,
      `CSeq: ${cSeq}`,
      ...more.filter((line) => !/^(To tag|From tag: .*)$/.test(line)),
      "Content-Length: 0",
    ],
  ];
  return new Uint8Array(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`));
}

const invite = (callId: string, ...more: string[]) =>
  parsed(bytes("INVITE sip:bob@example.com SIP/2.0", callId, "1 INVITE", ...more));
const parsed = (message: Uint8Array): SipMessage => parseMessage(message);
const response = (status: string, callId: string, cSeq = "1 INVITE", ...more: string[]) =>
  bytes(`SIP/2.0 ${status}`, callId, cSeq, "To tag", ...more);

function monitorWith(options: Partial<CallMonitorOptions> = {}) {
  const events: string[] = [];
  const monitor = new CallMonitor({
    ...{ calls: 10, messagesPerCall: 20, bytes: 1_000_000, startedAt: 0 },
    onEvent: (call, event) => events.push(`${call.callId} ${event} ${call.status}`),
    ...options,
  });
  return { monitor, events };
}

const stories: [
  title: string,
  run: (monitor: CallMonitor) => void,
  events: string[],
  state: string | undefined,
][] = [
  [
    "§13 rings, is answered, the caller hangs up",
    (monitor) => {
      monitor.received(invite("c"), alice, 1000);
      monitor.sent(response("100 Trying", "c"), alice, 1001);
      monitor.sent(response("180 Ringing", "c"), alice, 1100);
      monitor.sent(response("180 Ringing", "c"), alice, 1200);
      monitor.sent(response("200 OK", "c"), alice, 2000);
      monitor.received(parsed(bytes("BYE sip:bob@example.com SIP/2.0", "c", "2 BYE", "To tag")), alice, 9000);
    },
    ["c ringing 180", "c answered 200", "c ended 200"],
    "ended",
  ],
  [
    "§8.1.3.5 refused, and again under the same Call-ID: another call; copies of the first begin none",
    (monitor) => {
      monitor.received(invite("c"), alice, 1000);
      monitor.sent(response("420 Bad Extension", "c"), alice, 1100);
      monitor.received(invite("c"), alice, 1500);
      monitor.sent(response("420 Bad Extension", "c"), alice, 1500);
      monitor.received(parsed(bytes("INVITE sip:bob@example.com SIP/2.0", "c", "2 INVITE")), alice, 2000);
      monitor.sent(response("200 OK", "c", "2 INVITE"), alice, 2100);
      assert.equal(monitor.activeCount, 1);
      assert.equal(monitor.get("c")?.trace?.count, 2);
      monitor.received(parsed(bytes("BYE sip:bob@example.com SIP/2.0", "c", "3 BYE", "To tag")), alice, 9000);
    },
    ["c failed 420", "c answered 200", "c ended 200"],
    "ended",
  ],
  [
    "§21.4.24 busy",
    (monitor) => {
      monitor.received(invite("c"), alice, 1000);
      monitor.sent(response("486 Busy Here", "c"), alice, 1100);
      monitor.sent(response("486 Busy Here", "c"), alice, 1600);
    },
    ["c failed 486"],
    "failed",
  ],
  [
    "§22.2 challenged, tried again, answered: one call",
    (monitor) => {
      monitor.received(invite("c"), alice, 1000);
      monitor.sent(response("407 Proxy Authentication Required", "c"), alice, 1001);
      monitor.received(parsed(bytes("INVITE sip:bob@example.com SIP/2.0", "c", "2 INVITE")), alice, 1002);
      monitor.sent(response("200 OK", "c", "2 INVITE"), alice, 1003);
    },
    ["c answered 200"],
    "answered",
  ],
  [
    "§14 a refused re-INVITE does not end the call",
    (monitor) => {
      monitor.received(invite("c"), alice, 1000);
      monitor.sent(response("200 OK", "c"), alice, 1003);
      monitor.received(invite("c", "To tag"), bob, 1004);
      monitor.sent(response("488 Not Acceptable Here", "c"), bob, 1005);
    },
    ["c answered 200"],
    "answered",
  ],
  [
    "§12.2 a request inside a dialog that we never saw begin is no call",
    (monitor) => monitor.received(invite("c", "To tag"), alice, 1000),
    [],
    undefined,
  ],
];

for (const [title, run, events, state] of stories) {
  test(`${title}: ${events.join(", ") || "nothing"}`, () => {
    const { monitor, events: seen } = monitorWith();
    run(monitor);
    assert.deepEqual(seen, events);
    assert.equal(monitor.get("c")?.state, state);
    assert.equal(monitor.activeCount, state === "answered" ? 1 : 0);
  });
}

test("§19.3 two calls at a time under one Call-ID, told by the From tag: each has its record", () => {
  const { monitor, events } = monitorWith();
  const ofSecond = "From tag: a2";
  monitor.received(invite("c"), alice, 1000);
  monitor.received(invite("c", ofSecond), bob, 1001);
  monitor.received(invite("c", ofSecond), bob, 1501);
  monitor.sent(response("180 Ringing", "c"), alice, 1600);
  monitor.sent(response("486 Busy Here", "c", "1 INVITE", ofSecond), bob, 1700);
  monitor.sent(response("200 OK", "c"), alice, 1800);
  const [first, second] = [...monitor.list()];
  assert.deepEqual([first?.callerTag, first?.state, first?.trace?.count], ["a", "answered", 3]);
  assert.deepEqual([second?.callerTag, second?.state, second?.trace?.count], ["a2", "failed", 3]);
  assert.equal(monitor.get("c"), second);
  assert.equal(monitor.get("c", first?.id), first);
  // The callee hangs up: the caller's tag is in To.
  const bye = bytes("BYE sip:alice@example.com SIP/2.0", "c", "7 BYE", "From tag: b", "To tag");
  const fromCallee = Buffer.from(bye)
    .toString()
    .replace("bob@example.com>;tag=b", "alice@example.com>;tag=a");
  monitor.received(parsed(Buffer.from(fromCallee)), bob, 1900);
  assert.deepEqual(events, ["c ringing 180", "c failed 486", "c answered 200", "c ended 200"]);
  assert.deepEqual([first?.state, first?.endedBy], ["ended", "callee"]);
  // §8.1.3.5: the second tries again, and the first is still there.
  monitor.received(parsed(bytes("INVITE sip:bob@example.com SIP/2.0", "c", "2 INVITE", ofSecond)), bob, 2000);
  assert.deepEqual(
    [...monitor.list()].map((call) => [call.callerTag, call.state]),
    [
      ["a", "ended"],
      ["a2", "calling"],
    ],
  );
});

test("bounds: calls under one Call-ID, which go one by one", () => {
  const { monitor } = monitorWith({ calls: 2 });
  const tags = Array.from({ length: 100 }, (_, i) => `t${i}`);
  for (const tag of tags) monitor.received(invite("c", `From tag: ${tag}`), alice, 1000);
  assert.equal([...monitor.list()].length, 16);
  for (const tag of tags.slice(0, 16)) {
    monitor.sent(response("486 Busy Here", "c", "1 INVITE", `From tag: ${tag}`), alice, 1001);
  }
  assert.deepEqual(
    [...monitor.list()].map((call) => [call.callerTag, call.namesakes?.length]),
    [
      ["t14", 2],
      ["t15", 2],
    ],
  );
  monitor.received(invite("other"), alice, 1002);
  monitor.sent(response("486 Busy Here", "other"), alice, 1003);
  assert.deepEqual([monitor.get("c")?.callerTag, monitor.get("c")?.namesakes], ["t15", undefined]);
  monitor.received(invite("third"), alice, 1004);
  monitor.sent(response("486 Busy Here", "third"), alice, 1005);
  assert.equal(monitor.get("c"), undefined);
});

test("bounds: the oldest trace goes, the call itself stays until it ends", () => {
  const { monitor, events } = monitorWith({ calls: 2 });
  for (const id of ["1", "2", "3"]) {
    monitor.received(invite(id), alice, 1000);
    monitor.sent(response("200 OK", id), alice, 1001);
  }
  assert.equal(monitor.get("1")?.messages, undefined);
  assert.equal(monitor.get("3")?.messages?.length, 2);
  assert.equal(monitor.activeCount, 3);
  monitor.received(parsed(bytes("BYE sip:bob@example.com SIP/2.0", "1", "2 BYE", "To tag")), alice, 2000);
  assert.equal(events.at(-1), "1 ended 200");
  assert.equal(monitor.get("1"), undefined);
});

test("bounds: a flood of INVITEs that are only challenged evicts no call that was let in", () => {
  const { monitor } = monitorWith({ calls: 4 });
  monitor.received(invite("good"), alice, 1000);
  monitor.sent(response("180 Ringing", "good"), alice, 1001);
  for (let i = 0; i < 5000; i++) {
    monitor.received(invite(`flood${i}`), bob, 1002);
    monitor.sent(response("407 Proxy Authentication Required", `flood${i}`), bob, 1002);
  }
  assert.equal(monitor.get("good")?.messages?.length, 2);
  assert.deepEqual(
    [...monitor.list()].map((call) => call.callId),
    ["good"],
  );
  assert.ok(monitor.tracedBytes < 300 * 1000, `${monitor.tracedBytes} bytes`);
});

test("bounds: bytes in all, and messages of one call", () => {
  const { monitor } = monitorWith({ bytes: 5000, messagesPerCall: 3, calls: 1000 });
  for (let i = 0; i < 50; i++) {
    monitor.received(invite(String(i)), alice, i);
    for (let n = 0; n < 5; n++) monitor.sent(response("180 Ringing", String(i)), alice, i);
  }
  assert.ok(monitor.tracedBytes <= 5000);
  assert.equal(monitor.get("49")?.messages?.length, 3);
  assert.equal(monitor.get("49")?.omitted, 3);
});

test("ownership: what came in is copied, for the buffer is used again", () => {
  const { monitor } = monitorWith();
  const borrowed = bytes("INVITE sip:bob@example.com SIP/2.0", "c", "1 INVITE");
  monitor.received(parsed(borrowed), alice, 1000);
  borrowed.fill(0x20);
  assert.match(ladderOf(monitor.get("c")!).messages[0]!.text, /^INVITE sip:bob@example\.com SIP\/2\.0\r\n/);
});

test("ladder: caller, server, callee from left to right; a repeated message is told as such", () => {
  const { monitor } = monitorWith();
  monitor.received(invite("c"), alice, 1000);
  monitor.sent(bytes("INVITE sip:bob@192.0.2.1:2222 SIP/2.0", "c", "1 INVITE"), bob, 1001);
  monitor.sent(bytes("INVITE sip:bob@192.0.2.1:2222 SIP/2.0", "c", "1 INVITE"), bob, 1501);
  monitor.sent(response("180 Ringing", "c"), alice, 1600);
  const { participants, messages } = ladderOf(monitor.get("c")!);
  assert.deepEqual(participants, ["192.0.2.1:1111", "server", "192.0.2.1:2222"]);
  assert.deepEqual(
    messages.map(({ from, to, summary, isRetransmission }) => [from, to, summary, isRetransmission]),
    [
      ["192.0.2.1:1111", "server", "INVITE sip:bob@example.com", false],
      ["server", "192.0.2.1:2222", "INVITE sip:bob@192.0.2.1:2222", false],
      ["server", "192.0.2.1:2222", "INVITE sip:bob@192.0.2.1:2222", true],
      ["server", "192.0.2.1:1111", "180 Ringing", false],
    ],
  );
});

test("ladder: a password in the Request-URI is in no part of it (§19.1.1)", () => {
  const { monitor } = monitorWith();
  monitor.received(parsed(bytes("INVITE sip:bob:secret@example.com SIP/2.0", "c", "1 INVITE")), alice, 1000);
  const { messages } = ladderOf(monitor.get("c")!);
  assert.equal(messages[0]?.summary, "INVITE sip:bob:…@example.com");
  assert.doesNotMatch(JSON.stringify(messages), /secret/);
});

const secrets: [title: string, text: string, shown: string][] = [
  [
    "§22.4 Authorization",
    'Authorization: Digest username="bob", realm="x", nonce="n1", uri="sip:x", response="d0", cnonce="c1", opaque="o", qop=auth',
    'Authorization: Digest username="bob", realm="x", nonce=…, uri="sip:x", response=…, cnonce=…, opaque=…, qop=auth',
  ],
  [
    "§22.3 folded",
    'proxy-authorization : digest a="b",\r\n response="d0"',
    'proxy-authorization : digest a="b",\r\n response=…',
  ],
  [
    "§20.44 challenge",
    'WWW-Authenticate: Digest realm="x", nonce="n1"',
    'WWW-Authenticate: Digest realm="x", nonce=…',
  ],
  [
    "§22.4 behind a character that ends lines elsewhere (U+2028)",
    'Authorization: Digest username="a\u2028b", response="d0"',
    'Authorization: Digest username="a\u2028b", response=…',
  ],
  [
    "§25.1 an escaped quote in it",
    'Authorization: Digest cnonce="a\\"secret", response="d0"',
    "Authorization: Digest cnonce=…, response=…",
  ],
  ["§19.1.1 a password in a URI", "Contact: <sip:alice:secret@h:5060>", "Contact: <sip:alice:…@h:5060>"],
  ["no password in a URI", "Contact: <sip:h:5060;x=y>, <sip:a@h>", "Contact: <sip:h:5060;x=y>, <sip:a@h>"],
  ["RFC 4566 media key", "k=clear:secret", "k=…"],
  ["RFC 4567 media key", "a=key-mgmt:mikey AQAFgM0X", "a=key-mgmt:mikey …"],
  ["another scheme, whole", "Authorization: Bearer abcdef", "Authorization: …"],
  [
    "RFC 4568 media key",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 …",
  ],
  [
    "RFC 7616 §3.5 nonces to come",
    'Proxy-Authentication-Info: nextnonce="n2", rspauth="d1", qop=auth',
    "Proxy-Authentication-Info: nextnonce=…, rspauth=…, qop=auth",
  ],
  [
    "RFC 4568 §9.1 white space",
    "a=crypto:1  AES_CM_128_HMAC_SHA1_80\tinline:d0",
    "a=crypto:1  AES_CM_128_HMAC_SHA1_80\t…",
  ],
  [
    "RFC 5939 §3.3.2 media key on offer",
    "a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0",
    "a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 …",
  ],
  ["no secret", 'From: "response=1" <sip:a@b>', 'From: "response=1" <sip:a@b>'],
];

for (const [title, text, shown] of secrets) {
  test(`trace, ${title}: secrets are left out`, () => {
    assert.equal(redact(`X: y\r\n${text}\r\nZ: w`), `X: y\r\n${shown}\r\nZ: w`);
  });
}
