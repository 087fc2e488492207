// RFC 3261 §18, §18.4: which flow a message takes, and how long connections live.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Listener } from "./flow.ts";
import { bench, endpoint, listener, request, START, target } from "./transport.test.kit.ts";

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
