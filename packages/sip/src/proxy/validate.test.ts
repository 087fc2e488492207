// RFC 3261 §16.3 as changed by RFC 5393 §4.2: what a proxy refuses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey } from "../keyed-hash.ts";
import { parseMessage, type SipRequest } from "../message/index.ts";
import { hasLooped, loopMark, validate } from "./validate.ts";

const encoder = new TextEncoder();
const key = hashKey(new Uint8Array(16));
const rules = { uriSchemes: new Set(["sip", "sips", "tel"]), proxyRequire: new Set(["known"]) };

function request(first: string, ...more: string[]): SipRequest {
  const method = first.slice(0, first.indexOf(" "));
  const lines = [
    `${first} SIP/2.0`,
    "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1",
    "From: <sip:alice@example.com>;tag=a",
    "To: <sip:bob@example.com>",
    "Call-ID: call-1",
    `CSeq: 2 ${method}`,
    ...more,
    "",
    "",
  ];
  return parseMessage(encoder.encode(lines.join("\r\n"))) as SipRequest;
}

const rows: readonly (readonly [title: string, SipRequest, status: number, unsupported?: string])[] = [
  ["item 2, sip: passes", request("INVITE sip:b@x"), 0],
  ["item 2, sips: passes", request("INVITE sips:b@x"), 0],
  ["item 2, unknown scheme: 416", request("INVITE soap.beep://192.0.2.103:3002"), 416],
  ["item 3, no Max-Forwards: passes", request("INVITE sip:b@x"), 0],
  ["item 3, Max-Forwards 1: passes", request("INVITE sip:b@x", "Max-Forwards: 1"), 0],
  ["item 3, Max-Forwards 0: 483", request("INVITE sip:b@x", "Max-Forwards: 0"), 483],
  ["item 3, Max-Forwards 0, OPTIONS: answered here", request("OPTIONS sip:b@x", "Max-Forwards: 0"), 200],
  ["item 3 comes before item 5", request("INVITE sip:b@x", "Max-Forwards: 0", "Proxy-Require: foo"), 483],
  ["item 2 comes before item 3", request("INVITE nobody:b", "Max-Forwards: 0"), 416],
  ["item 5, known tag: passes", request("INVITE sip:b@x", "Proxy-Require: known"), 0],
  [
    "item 5, unknown tags: 420 naming them",
    request("INVITE sip:b@x", "Proxy-Require: foo, known", "Proxy-Require: bar"),
    420,
    "foo, bar",
  ],
  ["item 5, not on ACK", request("ACK sip:b@x", "Proxy-Require: foo"), 0],
  ["item 5, Require is for the callee: passes", request("INVITE sip:b@x", "Require: foo"), 0],
  ["item 1, a malformed Date is nobody's business here", request("INVITE sip:b@x", "Date: yesterday"), 0],
  ["item 1, an unknown method passes", request("FROBNICATE sip:b@x"), 0],
];
for (const [title, message, status, unsupported] of rows) {
  test(`§16.3 ${title}`, () => {
    const refusal = validate(message, message.requestUri.scheme, rules);
    assert.equal(refusal?.statusCode ?? 0, status);
    assert.deepEqual(
      refusal?.headers,
      unsupported === undefined ? undefined : [["Unsupported", unsupported]],
    );
  });
}

const mark = loopMark(key, request("INVITE sip:a@x"));
const ownVia = `Via: SIP/2.0/UDP p.example.com;branch=z9hG4bK0-abc.${mark}`;
const loops: readonly (readonly [title: string, SipRequest, boolean])[] = [
  ["our Via, nothing changed: loop", request("INVITE sip:a@x", ownVia), true],
  [
    "our Via under others: loop",
    request("INVITE sip:a@x", 'Via: SIP/2.0/UDP q;branch=z9hG4bK2;odd="x";y', ownVia),
    true,
  ],
  ["our Via under one that cannot be read: loop", request("INVITE sip:a@x", "Via: <>", ownVia), true],
  ["our Via, other Request-URI: spiral", request("INVITE sip:b@x", ownVia), false],
  ["our Via, other Route: spiral", request("INVITE sip:a@x", ownVia, "Route: <sip:q;lr>"), false],
  [
    "our Via, credentials added: spiral",
    request("INVITE sip:a@x", ownVia, 'Proxy-Authorization: Digest username="a"'),
    false,
  ],
  [
    "our Via without a mark (not forked then): passes",
    request("INVITE sip:a@x", "Via: SIP/2.0/UDP p;branch=z9hG4bK0-abc"),
    false,
  ],
  ["the mark of another key: passes", request("INVITE sip:a@x", ownVia.replace(mark, "0".repeat(16))), false],
];
for (const [title, message, expected] of loops) {
  test(`RFC 5393 §4.2.2, ${title}`, () => {
    assert.equal(hasLooped(message, loopMark(key, message)), expected);
  });
}

test("RFC 5393 §4.2.1, the mark does not depend on the method", () => {
  assert.equal(loopMark(key, request("ACK sip:a@x")), mark);
});
