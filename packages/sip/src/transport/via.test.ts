// RFC 3261 §18.1, §18.2, RFC 3581: what the top Via gets and says, and whose response it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeResponse } from "../message/index.ts";
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
