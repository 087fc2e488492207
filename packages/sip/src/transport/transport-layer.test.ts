// RFC 3261 §18: bad input, and keep-alives (RFC 5626 §4.4.1).

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../message/index.ts";
import { bench, request, response, START, target } from "./transport.test.kit.ts";

// --- Bad input --------------------------------------------------------------------------------------------

test("§18.2.1, a malformed request over UDP: answered with the status, counted, reported", () => {
  const t = bench();
  t.datagram(
    request("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKa;rport", "CSeq: 2 OPTIONS"),
    "192.0.2.7:6000",
  );
  assert.deepEqual(t.effects, ["send UDP 192.0.2.7:6000"]);
  assert.match(t.sent[0] ?? "", /^SIP\/2\.0 400 [^\r]*\r\nVia: [^\r]*;rport=6000/);
  assert.deepEqual(t.reports, ["malformed 400"]);
  assert.equal(t.layer.counts.malformedRequests, 1);
});

test("§18.1.2, a malformed response: dropped and counted", () => {
  const t = bench();
  t.datagram(response("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa", "CSeq: 2 OPTIONS"), "192.0.2.7:6000");
  assert.deepEqual(t.effects, []);
  assert.equal(t.layer.counts.malformedResponses, 1);
});

test("a header of 70 kB over UDP: refused with 513, nothing passed up", () => {
  const t = bench();
  t.datagram(request("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa", `X: ${"x".repeat(70_000)}`), "192.0.2.7:5060");
  assert.match(t.sent[0] ?? "", /^SIP\/2\.0 513 /);
  assert.equal(t.requests.length, 0);
});

test("a header of 70 kB over TCP: refused with 513, connection closed", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  const text = request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa", `X: ${"x".repeat(70_000)}`);
  for (let i = 0; i < text.length; i += 1460) t.receive(text.slice(i, i + 1460), flow);
  assert.deepEqual(t.effects, ["send TCP 192.0.2.7:40000", "close TCP 192.0.2.7:40000"]);
  assert.match(t.sent[0] ?? "", /^SIP\/2\.0 513 /);
  assert.deepEqual(t.reports, ["malformed 513", "closed TCP 192.0.2.7:40000"]);
  assert.equal(t.layer.connectionCount, 0);
});

// title                                       header in place of Content-Length    first answer
const lengthCases: [string, string, RegExp][] = [
  ["§18.3, no Content-Length on a stream", "X: y", /^SIP\/2\.0 400 /],
  ["RFC 4475 §3.1.2.2, ncl, negative Content-Length", "Content-Length: -999", /^SIP\/2\.0 400 /],
  ["RFC 4475 §3.3.9, mcl01, two Content-Lengths", "Content-Length: 0\r\nl: 5", /^SIP\/2\.0 400 /],
  ["RFC 4475 §3.1.2.1, clerr on a stream, larger than anybody waits for", "l: 9999999", /^SIP\/2\.0 513 /],
];

for (const [title, field, answer] of lengthCases) {
  test(`${title}: answered, then closed`, () => {
    const t = bench();
    const flow = t.accept("192.0.2.7:40000");
    t.receive(request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa").replace("Content-Length: 0", field), flow);
    assert.match(t.sent[0] ?? "", answer);
    assert.deepEqual(t.effects.slice(1), ["close TCP 192.0.2.7:40000"]);
    assert.equal(t.requests.length, 0);
  });
}

test("§21.5.7, a message of the greatest size: taken, whatever is added to its Via", () => {
  const plain = request("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa;rport");
  const messageLimits = { ...defaultLimits, messageSize: plain.length, headSize: plain.length };
  const t = bench({}, [], { messageLimits });
  t.datagram(plain, "192.0.2.7:5060");
  assert.equal(t.requests.length, 1);
  t.datagram(plain.replace("z9hG4bKa", "z9hG4bKab"), "192.0.2.7:5060");
  assert.match(t.sent[0] ?? "", /^SIP\/2\.0 513 /);
});

test("§21.5.7, larger than allowed: answered before the body is there, which is then skipped", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  const large = request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa").replace("Content-Length: 0", "l: 99999");
  t.receive(large, flow);
  assert.match(t.sent[0] ?? "", /^SIP\/2\.0 513 /);
  t.receive("x".repeat(50_000), flow);
  t.receive("x".repeat(49_999) + request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKb"), flow);
  assert.equal(t.requests.length, 1);
  assert.equal(flow.state, "open");
});

test("RFC 2543 §7.4.12, where the end of a datagram does not count: a body without Content-Length gets 411", () => {
  const t = bench({}, [], { rfc2543: true });
  const plain = request("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa").replace("Content-Length: 0\r\n", "");
  t.datagram(plain.replace("\r\n\r\n", "\r\nContent-Type: text/plain\r\n\r\nhello"), "192.0.2.7:5060");
  assert.match(t.sent[0] ?? "", /^SIP\/2\.0 411 Length Required\r\n/);
  t.datagram(plain, "192.0.2.7:5060");
  assert.equal(t.requests.length, 1);
});

test("malformed but framed messages on a stream: the stream goes on, until there are too many", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  const bad = request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa", "CSeq: 2 OPTIONS");
  const good = request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKb");
  t.receive(bad + bad + good, flow);
  assert.equal(t.requests.length, 1);
  assert.equal(flow.state, "open");
  t.receive(bad.repeat(40), flow);
  assert.equal(flow.state, "closed");
  assert.equal(t.layer.counts.malformedRequests, 18);
});

test("something that is not SIP at all: closed without an answer", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  t.receive("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", flow);
  assert.deepEqual(t.effects, ["close TCP 192.0.2.7:40000"]);
});

// --- Keep-alives ------------------------------------------------------------------------------------------

test("RFC 5626 §4.4.1, a ping on a stream: one CRLF back", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  t.receive("\r\n", flow);
  assert.deepEqual(t.sent, []);
  t.receive("\r\n", flow);
  assert.deepEqual(t.sent, ["\r\n"]);
});

test("keep-alives over UDP (CRLF, NUL, STUN): ignored and counted", () => {
  const t = bench();
  for (const text of ["\r\n\r\n", "\r\n", "", "\0", "\0\0\0\0", "\0\x01\0\0\x21\x12"]) {
    t.datagram(text, "192.0.2.7:5060");
  }
  assert.deepEqual([t.effects, t.reports], [[], []]);
  assert.equal(t.layer.counts.keepAlives, 6);
});

test("RFC 5626 §4.4.1, our ping: answered in 10 s all is well, else the flow fails", () => {
  const t = bench();
  const flow = t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START);
  t.layer.flowOpened(flow, START);
  t.layer.ping(flow, START);
  assert.deepEqual(t.sent, ["\r\n\r\n"]);
  assert.equal(t.layer.deadline, START + 10_000);
  t.receive("\r\n", flow, START + 9_000);
  t.layer.tick(START + 10_000);
  assert.equal(flow.state, "open");
  t.layer.ping(flow, START + 20_000);
  t.layer.tick(START + 30_000);
  assert.deepEqual(t.reports, [
    "failed TCP 192.0.2.7:5060: a keep-alive was not answered",
    "closed TCP 192.0.2.7:5060",
  ]);
});
