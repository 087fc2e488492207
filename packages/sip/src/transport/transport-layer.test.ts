import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits, makeResponse } from "../message/index.ts";
import type { Listener } from "./flow.ts";
import { bench, endpoint, listener, request, response, START, target } from "./transport.test.kit.ts";

// --- §18.2.1, RFC 3581: what the top Via gets; §18.2.2: where the response goes ------------------------------

// title                                        from                Via                                       received, rport     response goes to
const udpCases: [string, string, string, [string?, (number | true)?], string][] = [
  [
    "§18.2.1, sent-by is the source, nothing added",
    "192.0.2.7:5060",
    "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKa",
    [],
    "192.0.2.7:5060",
  ],
  [
    "§18.2.2, no port in sent-by, default port",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa",
    [],
    "192.0.2.7:5060",
  ],
  [
    "§18.2.2, sent-by's port, not the source's",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKa",
    [],
    "192.0.2.7:5070",
  ],
  [
    "§18.2.1, sent-by a name, received",
    "192.0.2.7:6000",
    "SIP/2.0/UDP phone.example.com:5070;branch=z9hG4bKa",
    ["192.0.2.7"],
    "192.0.2.7:5070",
  ],
  [
    "§18.2.1, sent-by another address, received",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa",
    ["192.0.2.7"],
    "192.0.2.7:5070",
  ],
  [
    "§18.2.1, a lie in received, replaced",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 192.0.2.7:5070;received=10.9.9.9;branch=z9hG4bKa",
    ["192.0.2.7"],
    "192.0.2.7:5070",
  ],
  [
    "RFC 3581 §4, rport asked for, both filled in",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bKa",
    ["192.0.2.7", 6000],
    "192.0.2.7:6000",
  ],
  [
    "RFC 3581 §4, rport though sent-by fits, both",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 192.0.2.7:6000;rport;branch=z9hG4bKa",
    ["192.0.2.7", 6000],
    "192.0.2.7:6000",
  ],
  [
    "RFC 3581 §4, a lie in rport, replaced",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 192.0.2.7;rport=1;branch=z9hG4bKa",
    ["192.0.2.7", 6000],
    "192.0.2.7:6000",
  ],
  [
    "§18.2.2, maddr before all",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 10.0.0.1;maddr=192.0.2.99;branch=z9hG4bKa",
    ["192.0.2.7"],
    "192.0.2.99:5060",
  ],
  [
    "§18.2.2, maddr a name, not looked up",
    "192.0.2.7:6000",
    "SIP/2.0/UDP 10.0.0.1;maddr=x.example;branch=z9hG4bKa",
    ["192.0.2.7"],
    "192.0.2.7:5060",
  ],
];

for (const [title, from, via, [received, rport], to] of udpCases) {
  test(title, () => {
    const t = bench();
    t.datagram(request(via, "X-Odd:   kept as it is"), from);
    const [arrival] = t.requests;
    assert.ok(arrival);
    assert.equal(arrival.request.topVia.received, received);
    assert.equal(arrival.request.topVia.rport, rport);
    assert.match(new TextDecoder().decode(arrival.request.bytes), /X-Odd: {3}kept as it is\r\n/);
    const flow = t.layer.sendResponse(
      arrival.request,
      arrival.flow,
      makeResponse(arrival.request, 200).bytes,
      START,
    );
    assert.deepEqual(flow.remote, endpoint(to));
    assert.deepEqual(t.effects, [`send UDP ${to}`]);
  });
}

test("§18.2.1, IPv6 spelt differently, nothing added; another one, received without brackets", () => {
  const udp6 = listener(3, "UDP", "::1", 5060);
  const t = bench({}, [udp6]);
  for (const sentBy of ["[0:0::1]:5060", "[2001:db8::2]:5060"]) {
    const flow = t.layer.acceptFlow(udp6, endpoint("::1:5060"), START);
    t.receive(request(`SIP/2.0/UDP ${sentBy};branch=z9hG4bKa`), flow);
  }
  assert.deepEqual(
    t.requests.map(({ request }) => request.topVia.received),
    [undefined, "::1"],
  );
});

test("§18.2.2, a response to a request over TCP goes by the same connection", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  t.receive(request("SIP/2.0/TCP 192.0.2.7:5070;branch=z9hG4bKa"), flow);
  const [arrival] = t.requests;
  assert.ok(arrival);
  assert.equal(t.layer.sendResponse(arrival.request, flow, new Uint8Array(3), START), flow);
  assert.deepEqual(t.effects, ["send TCP 192.0.2.7:40000"]);
});

test("§18.2.2, that connection is gone: a new one to received and sent-by's port, then sent", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:40000");
  t.receive(request("SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bKa"), flow);
  t.layer.flowClosed(flow, undefined, START);
  const [arrival] = t.requests;
  assert.ok(arrival);
  const again = t.layer.sendResponse(arrival.request, flow, new Uint8Array(3), START);
  assert.deepEqual(t.effects, ["connect TCP 192.0.2.7:5070"]);
  t.layer.flowOpened(again, START);
  assert.deepEqual(t.effects, ["connect TCP 192.0.2.7:5070", "send TCP 192.0.2.7:5070"]);
  assert.deepEqual(t.reports, ["closed TCP 192.0.2.7:40000"]);
});

test("RFC 7118 §5, a WebSocket that is gone is not opened from this side", () => {
  const ws = listener(3, "WS", "192.0.2.1", 80);
  const t = bench({}, [ws]);
  const flow = t.layer.acceptFlow(ws, endpoint("192.0.2.7:40000"), START);
  t.layer.flowOpened(flow, START);
  t.receive(request("SIP/2.0/WS x.invalid;branch=z9hG4bKa"), flow);
  t.layer.flowClosed(flow, undefined, START);
  const [arrival] = t.requests;
  assert.ok(arrival);
  t.layer.sendResponse(arrival.request, flow, new Uint8Array(3), START);
  assert.equal(t.layer.deadline, 0);
  t.layer.tick(START);
  assert.deepEqual(t.effects, []);
  assert.deepEqual(t.reports, [
    "closed WS 192.0.2.7:40000",
    "failed WS 192.0.2.7:40000: the connection has ended",
  ]);
});

// --- §18.1.2: whose response it is ------------------------------------------------------------------------

// title                                       Via                                     passed up
const responseCases: [string, string, boolean][] = [
  ["§18.1.2, sent-by is ours, passed up", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa", true],
  ["§18.1.2, our default port left out, passed up", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", true],
  ["§18.1.2, another host, dropped", "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKa", false],
  ["§18.1.2, another port, dropped", "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa", false],
  ["§18.1.2, what we advertise, passed up", "SIP/2.0/UDP sip.example.com:5090;branch=z9hG4bKa", true],
  [
    "§18.1.2, what we advertise in other case, passed up",
    "SIP/2.0/UDP SIP.Example.com:5090;branch=z9hG4bKa",
    true,
  ],
];

for (const [title, via, passed] of responseCases) {
  test(title, () => {
    const t = bench({}, [
      { ...listener(3, "UDP", "10.0.0.1", 5060), advertise: { host: "sip.example.com", port: 5090 } },
    ]);
    t.datagram(response(via), "192.0.2.7:5060");
    assert.equal(t.responses.length, passed ? 1 : 0);
    assert.equal(t.layer.counts.foreignResponses, passed ? 0 : 1);
  });
}

test("§18.1.2, a connection that outlives its listener: its responses are still ours", () => {
  const t = bench();
  const flow = t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START);
  t.layer.flowOpened(flow, START);
  t.layer.removeListener(t.tcp.id);
  t.layer.removeListener(t.udp.id);
  t.receive(response("SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKa"), flow);
  t.receive(response("SIP/2.0/TCP 192.0.2.1:5061;branch=z9hG4bKa"), flow);
  assert.equal(t.responses.length, 1);
});

// --- §18.1.1: what our Via says -----------------------------------------------------------------------------

test("§18.1.1, sent-by: bound address, IPv6 in brackets, advertised host, address of a wildcard", () => {
  const wildcard = {
    ...listener(6, "UDP", "0.0.0.0", 5066),
    localAddresses: [
      { address: "127.0.0.1", prefixLength: 8 },
      { address: "198.51.100.4", prefixLength: 24 },
    ],
  };
  const t = bench({}, [listener(3, "UDP", "::1", 5070), wildcard]);
  const advertised = { ...listener(4, "UDP", "10.0.0.1", 5060), advertise: { host: "2001:db8::5", port: 5 } };
  const bare = { ...listener(5, "TCP", "10.0.0.1", 5060), advertise: { host: "sip.example.com" } };
  const elsewhere = { ...listener(7, "TCP", "10.0.0.1", 5080), advertise: { host: "sip.example.com" } };
  const from = (each: Listener, remote: string) => t.layer.acceptFlow(each, endpoint(remote), START);
  assert.equal(
    t.layer.via(from(t.udp, "192.0.2.7:5060"), "b1"),
    "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=b1",
  );
  assert.equal(t.layer.via(t.accept("192.0.2.7:5060"), "b2"), "SIP/2.0/TCP 192.0.2.1:5060;branch=b2");
  assert.equal(t.layer.sentBy(t.layer.flowTo(target("UDP", "::1:1"), START)), "[::1]:5070");
  assert.equal(t.layer.sentBy(from(advertised, "192.0.2.7:5060")), "[2001:db8::5]:5");
  assert.equal(t.layer.sentBy(from(bare, "192.0.2.7:5060")), "sip.example.com");
  assert.equal(t.layer.sentBy(from(elsewhere, "192.0.2.7:5060")), "sip.example.com:5080");
  assert.equal(t.layer.sentBy(from(wildcard, "198.51.100.9:5060")), "198.51.100.4:5066");
  assert.equal(t.layer.sentBy(from(wildcard, "127.0.0.1:5060")), "127.0.0.1:5066");
});

test("isLocalAddress: bound, advertised and wildcard addresses, with port and transport", () => {
  const wildcard = {
    ...listener(3, "TCP", "0.0.0.0", 5066),
    localAddresses: [{ address: "198.51.100.4", prefixLength: 24 }],
    advertise: { host: "Sip.example.com", port: 5090 },
  };
  const t = bench({}, [wildcard]);
  const local = (host: string, port?: number, transport?: "UDP" | "TCP" | "TLS") =>
    t.layer.isLocalAddress(host, port, transport);
  assert.ok(local("192.0.2.1"));
  assert.ok(local("192.0.2.1", 5060, "UDP"));
  assert.ok(!local("192.0.2.1", 5061));
  assert.ok(!local("192.0.2.1", 5060, "TLS"));
  assert.ok(local("198.51.100.4", 5066, "TCP"));
  assert.ok(!local("198.51.100.4"));
  assert.ok(local("sip.EXAMPLE.com", 5090));
  assert.ok(!local("example.com"));
  t.layer.removeListener(3);
  assert.ok(!local("sip.example.com", 5090));
  t.layer.addListener({ ...wildcard, advertise: { host: "sip.example.com" } });
  assert.ok(local("sip.example.com", 5066));
  assert.ok(!local("sip.example.com"));
});

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
  const messageLimits = { ...defaultLimits, messageSize: plain.length };
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

// --- Flows --------------------------------------------------------------------------------------------------

test("§18, UDP flows: the same peer has the same flow, found by its id even when forgotten", () => {
  const t = bench({ datagramFlows: 8 });
  const flow = t.layer.acceptFlow(t.udp, endpoint("192.0.2.7:5060"), START);
  assert.equal(t.layer.acceptFlow(t.udp, endpoint("192.0.2.7:5060"), START), flow);
  assert.equal(t.layer.flowTo(target("UDP", "192.0.2.7:5060"), START), flow);
  assert.notEqual(t.layer.acceptFlow(t.udp, endpoint("192.0.2.7:5061"), START).id, flow.id);
  assert.equal(t.layer.flowById(flow.id), flow);
  for (let port = 1; port < 100; port++) t.layer.acceptFlow(t.udp, { address: "192.0.2.8", port }, START);
  const again = t.layer.flowById(flow.id);
  assert.equal(again?.id, flow.id);
  assert.deepEqual(again?.remote, flow.remote);
  t.layer.removeListener(t.udp.id);
  assert.equal(t.layer.flowById(flow.id), undefined);
});

test("§18, connections: an open or connecting one is used again, an inbound one too", () => {
  const t = bench();
  const first = t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START);
  assert.equal(first.state, "connecting");
  assert.equal(t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START), first);
  t.layer.flowOpened(first, START);
  assert.equal(t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START), first);
  assert.notEqual(t.layer.flowTo(target("TCP", "192.0.2.7:5061"), START), first);
  const inbound = t.accept("192.0.2.8:40000");
  assert.equal(t.layer.flowTo(target("TCP", "192.0.2.8:40000"), START), inbound);
  assert.equal(t.layer.flowById(inbound.id), inbound);
  t.layer.flowClosed(inbound, undefined, START);
  assert.equal(t.layer.flowById(inbound.id), undefined);
  const anew = t.layer.flowTo(target("TCP", "192.0.2.8:40000"), START);
  assert.notEqual(anew.id, inbound.id);
});

test("RFC 5922 §4, TLS: used again only for the name that its certificate was checked against", () => {
  const t = bench({}, [listener(3, "TLS", "192.0.2.1", 5061)]);
  const one = t.layer.flowTo(target("TLS", "192.0.2.7:5061", "one.example"), START);
  assert.equal(t.layer.flowTo(target("TLS", "192.0.2.7:5061", "one.example"), START), one);
  assert.notEqual(t.layer.flowTo(target("TLS", "192.0.2.7:5061", "two.example"), START), one);
});

test("§18.1.1, which socket: loopback to loopback, family to family, else a failure with the next tick", () => {
  const t = bench({}, [listener(3, "UDP", "127.0.0.1", 5060), listener(4, "UDP", "::1", 5060)]);
  const idTo = (to: string) => t.layer.flowTo(target("UDP", to), START).listener.id;
  assert.equal(idTo("127.0.0.9:5060"), 3);
  assert.equal(idTo("198.51.100.1:5060"), 1);
  assert.equal(idTo("::1:5060"), 4);
  const lost = t.layer.flowTo(target("UDP", "2001:db8::1:5060"), START);
  assert.equal(lost.state, "closed");
  t.layer.send(lost, new Uint8Array(1));
  t.layer.send(lost, new Uint8Array(1));
  assert.deepEqual([t.reports, t.wakes], [[], [0, 0]]);
  t.layer.tick(START);
  assert.deepEqual(t.reports, ["failed UDP 2001:db8::1:5060: no UDP listener reaches 2001:db8::1"]);
  assert.equal(t.layer.deadline, Number.POSITIVE_INFINITY);
});

test("§18.1.1, which of several sockets: the preferred one, else the one nearest to the peer, else the first", () => {
  const more = [listener(3, "UDP", "10.1.0.1", 5060), listener(4, "UDP", "10.1.0.1", 5070)];
  const outside = listener(5, "TCP", "10.2.0.1", 5060);
  const t = bench({}, [...more, outside, listener(6, "UDP", "2001:db8::6", 5060)]);
  const idTo = (to: string, preferred?: Listener) =>
    t.layer.flowTo(target("UDP", to), START, preferred).listener.id;
  assert.equal(idTo("10.1.0.7:5060"), 3);
  assert.equal(idTo("192.0.2.9:5060"), 1);
  assert.equal(idTo("192.0.2.9:5060", more[1]), 4);
  assert.equal(idTo("2001:db8::9:5060", more[1]), 6);
  const tcpTo = (preferred?: Listener) => t.layer.listeners.choose("TCP", "192.0.2.9", preferred)?.address;
  assert.deepEqual([tcpTo(), tcpTo(outside), tcpTo(more[0])], ["192.0.2.1", "10.2.0.1", "192.0.2.1"]);
});

test("§18.4, sends while connecting wait in order; a refused connection reports one failure", () => {
  const t = bench();
  const flow = t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START);
  for (const text of ["one", "two"]) t.layer.send(flow, new TextEncoder().encode(text));
  assert.deepEqual(t.sent, []);
  t.layer.flowOpened(flow, START);
  assert.deepEqual(t.sent, ["one", "two"]);
  const refused = t.layer.flowTo(target("TCP", "192.0.2.8:5060"), START);
  t.layer.send(refused, new Uint8Array(3));
  t.layer.flowClosed(refused, new Error("refused"), START);
  assert.deepEqual(t.reports, ["failed TCP 192.0.2.8:5060: refused", "closed TCP 192.0.2.8:5060"]);
});

test("what waits for a connection is bounded", () => {
  const t = bench({ queuedBytes: 1000 });
  const flow = t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START);
  for (let i = 0; i < 20; i++) t.layer.send(flow, new Uint8Array(100));
  t.layer.tick(START);
  assert.deepEqual(t.reports, ["failed TCP 192.0.2.7:5060: too much waits for the connection to open"]);
  t.layer.flowOpened(flow, START);
  assert.equal(t.sent.length, 10);
});

test("§18.4, a UDP send that failed: reported, the flow goes on", () => {
  const t = bench();
  const flow = t.layer.flowTo(target("UDP", "192.0.2.7:5060"), START);
  t.layer.sendFailed(flow, new Error("ENETUNREACH"), START);
  assert.deepEqual(t.reports, ["failed UDP 192.0.2.7:5060: ENETUNREACH"]);
  t.layer.send(flow, new Uint8Array(1));
  assert.equal(t.sent.length, 1);
});

// --- Limits and time ----------------------------------------------------------------------------------------

test("a connection that does not open: failed after connectTime", () => {
  const t = bench({ connectTime: 10_000 });
  t.layer.flowTo(target("TCP", "192.0.2.7:5060"), START);
  assert.equal(t.layer.deadline, START + 10_000);
  t.layer.tick(START + 10_000);
  assert.deepEqual(t.effects, ["connect TCP 192.0.2.7:5060", "close TCP 192.0.2.7:5060"]);
  assert.match(t.reports[0] ?? "", /^failed TCP 192\.0\.2\.7:5060: the connection did not open in time/);
});

test("an inbound connection that says nothing: closed after silentTime, keep-alives or not", () => {
  const t = bench({ silentTime: 30_000 });
  const silent = t.accept("192.0.2.7:1");
  const pinging = t.accept("192.0.2.7:2");
  const speaking = t.accept("192.0.2.7:3");
  t.receive("\r\n\r\n", pinging, START + 20_000);
  t.receive(request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa"), speaking, START + 20_000);
  t.layer.tick(START + 30_000);
  assert.deepEqual([silent.state, pinging.state, speaking.state], ["closed", "closed", "open"]);
  assert.equal(t.layer.counts.expiredConnections, 2);
});

test("half a message: closed after messageTime, however slowly it trickles", () => {
  const t = bench({ messageTime: 32_000 });
  const flow = t.accept("192.0.2.7:1");
  const text = request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa");
  t.receive(text + text.slice(0, 10), flow);
  for (let i = 10; i < 40; i++) t.receive(text.slice(i, i + 1), flow, START + i * 1000 - 9000);
  t.layer.tick(START + 31_000);
  assert.equal(flow.state, "open");
  assert.equal(t.layer.deadline, START + 32_000);
  t.layer.tick(START + 32_000);
  assert.equal(flow.state, "closed");
});

test("half a message, then the end: closed, nothing passed up, no failure", () => {
  const t = bench();
  const flow = t.accept("192.0.2.7:1");
  t.receive(request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa").slice(0, 60), flow);
  t.layer.flowClosed(flow, undefined, START);
  t.receive("more", flow);
  assert.deepEqual([t.requests.length, t.reports], [0, ["closed TCP 192.0.2.7:1"]]);
});

test("an idle connection: closed after idleTime; messages and keep-alives count as life", () => {
  const t = bench({ idleTime: 100_000 });
  const flow = t.accept("192.0.2.7:1");
  t.receive(request("SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKa"), flow, START);
  t.receive("\r\n\r\n", flow, START + 90_000);
  t.layer.tick(START + 100_000);
  assert.equal(flow.state, "open");
  t.layer.tick(START + 190_000);
  assert.equal(flow.state, "closed");
});

test("2 000 silent connections: the oldest make room, those that have spoken stay", () => {
  const t = bench({ connections: 50, connectionsPerAddress: 20 });
  const phone = t.accept("198.51.100.1:5060");
  t.receive(request("SIP/2.0/TCP 198.51.100.1;branch=z9hG4bKa"), phone);
  const neighbour = t.accept("192.0.2.66:1");
  t.receive(request("SIP/2.0/TCP 192.0.2.66;branch=z9hG4bKb"), neighbour);
  for (let i = 0; i < 1000; i++) t.accept(`192.0.2.66:${i + 10}`);
  for (let i = 0; i < 1000; i++) t.accept(`10.0.${i >> 8}.${i & 255}:5060`);
  assert.ok(t.layer.connectionCount <= 50);
  assert.deepEqual([phone.state, neighbour.state], ["open", "open"]);
  const late = t.accept("198.51.100.2:5060");
  t.receive(request("SIP/2.0/TCP 198.51.100.2;branch=z9hG4bKc"), late);
  assert.equal(t.requests.length, 3);
});

test("connections of one IPv6 network count together: it has addresses enough for any number", () => {
  const t = bench({ connections: 50, connectionsPerAddress: 2 });
  const states = ["2001:db8::1:1", "2001:db8::2:1", "2001:db8::3:1", "2001:db8:0:1::1:1"].map((from) => {
    const flow = t.accept(from);
    t.receive(request("SIP/2.0/TCP h;branch=z9hG4bKv6"), flow);
    return flow.state;
  });
  assert.deepEqual(states, ["open", "open", "closed", "open"]);
});

test("only talkers: further connections are refused, ours too", () => {
  const t = bench({ connections: 3, connectionsPerAddress: 2 });
  const talk = (from: string) => {
    const flow = t.accept(from);
    t.receive(request(`SIP/2.0/TCP h;branch=z9hG4bK${from.length}`), flow);
    return flow.state;
  };
  const states = ["192.0.2.7:1", "192.0.2.7:2", "192.0.2.7:3", "192.0.2.8:1", "192.0.2.9:1"].map(talk);
  assert.deepEqual(states, ["open", "open", "closed", "open", "closed"]);
  assert.equal(t.layer.flowTo(target("TCP", "192.0.2.10:5060"), START).state, "closed");
  assert.equal(t.layer.counts.refusedConnections, 3);
});
