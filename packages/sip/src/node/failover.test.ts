// RFC 3263 §4.3 end to end on real sockets: a name server, gateways behind SRV records, and a stack that calls.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { draftRequest } from "../message/index.ts";
import type { Timer } from "../ports.ts";
import { type RequestFailure, Stack } from "../stack.ts";
import { SeededRandom, VirtualClock, WirePeer } from "../testing/index.ts";
import { a, NameServer, naptr, srv } from "./dns.test.kit.ts";
import { dnsResolver } from "./dns.ts";
import { NodeDriver } from "./driver.ts";
import { nodeRandom } from "./random.ts";
import { tcpWireServer, udpWire, type Wire } from "./wire.ts";

const FAILOVER = 150;

/** Stands still until told otherwise; what is due at once happens at once. */
class StillClock extends VirtualClock {
  override schedule(delay: number, callback: () => void): Timer {
    if (delay <= 0) setImmediate(() => this.advance(0));
    return super.schedule(delay, callback);
  }
}

/**
 * A calling stack, and the records that lead to these ports of 127.0.0.1, by priority. Sockets are real, time is not: it
 * passes when a test says so, and nothing is sent again meanwhile.
 */
async function setup(t: TestContext, transport: "udp" | "tcp", ports: readonly number[]) {
  const name = `_sip._${transport}.gateway.example`;
  const service = transport === "udp" ? "SIP+D2U" : "SIP+D2T";
  const names = await NameServer.open({
    "NAPTR gateway.example": [naptr("gateway.example", `10 10 s ${service} ${name}`)],
    [`SRV ${name}`]: ports.map((port, i) => srv(name, `${i} 0 ${port} gw${i}.example`)),
    ...Object.fromEntries(ports.map((_, i) => [`A gw${i}.example`, [a(`gw${i}.example`, "127.0.0.1")]])),
  });
  const resolver = dnsResolver({
    servers: [names.address],
    hostsFile: false,
    timeout: 30_000,
    random: new SeededRandom(1),
  });
  const clock = new StillClock();
  const driver = new NodeDriver({ resolver, clock });
  const stack = new Stack({
    sink: driver,
    clock: driver.clock,
    random: nodeRandom,
    failoverTime: FAILOVER,
  });
  driver.attach(stack);
  const { port } = await driver.listen({ transport: "UDP", address: "127.0.0.1" });
  t.after(async () => {
    await driver.stop();
    resolver.close();
    await names.close();
  });
  const request = (method: string) => {
    const draft = draftRequest({
      method,
      requestUri: "sip:bob@gateway.example",
      headers: [
        ["From", "<sip:alice@a.example>;tag=a"],
        ["To", "<sip:bob@gateway.example>"],
        ["Call-ID", stack.newCallId()],
        ["CSeq", `1 ${method}`],
        ["Contact", `<sip:alice@127.0.0.1:${port}>`],
      ],
    });
    return new Promise<number | RequestFailure>((resolve) => {
      stack.request(draft, {
        user: {
          onResponse: ({ statusCode }) => statusCode >= 200 && resolve(statusCode),
          onFailure: resolve,
        },
      });
    });
  };
  return { names, request, clock };
}

async function udpGateway(t: TestContext): Promise<WirePeer> {
  const wire = await udpWire();
  t.after(() => wire.close());
  return new WirePeer(wire);
}

/** A listening gateway; its connections end with it. */
async function tcpGateway(t: TestContext) {
  const server = await tcpWireServer();
  const wires: Wire[] = [];
  const close = async () => {
    await Promise.all(wires.map((wire) => wire.close()));
    await server.close();
  };
  t.after(close);
  const accept = async () => {
    const wire = await server.accept();
    wires.push(wire);
    return new WirePeer(wire);
  };
  return { port: server.local.port, accept, close };
}

/** A port of TCP where nobody listens: it was free a moment ago. */
async function deadPort(): Promise<number> {
  const server = await tcpWireServer();
  await server.close();
  return server.local.port;
}

const branchOf = (text: string) => /;branch=([^;\r]+)/.exec(text)?.[1];

test("INVITE, UDP: the first of three gateways is dead, the second gets the call, and the next call at once", async (t) => {
  const gateways = [await udpGateway(t), await udpGateway(t), await udpGateway(t)] as const;
  const [dead, alive] = gateways;
  const { names, request, clock } = await setup(
    t,
    "udp",
    gateways.map(({ wire }) => wire.local.port),
  );
  const call = request("INVITE");
  const { text: first } = await dead.expect("INVITE sip:bob@gateway.example SIP/2.0");
  clock.advance(FAILOVER);
  const { text: second } = await alive.expect("INVITE sip:bob@gateway.example SIP/2.0");
  assert.notEqual(branchOf(first), branchOf(second));
  assert.equal(first.replace(/Via: .*/, ""), second.replace(/Via: .*/, ""));
  alive.reply("486 Busy Here");
  assert.equal(await call, 486);
  await alive.expect("ACK sip:bob@gateway.example SIP/2.0");
  const asked = names.take();
  const again = request("INVITE");
  await alive.expect("INVITE sip:bob@gateway.example SIP/2.0");
  alive.reply("486 Busy Here");
  assert.equal(await again, 486);
  assert.match(asked, /^A gw0\.example, A gw1\.example, A gw2\.example, NAPTR /);
  assert.equal(names.take(), "", "the second call asks nobody");
});

for (const method of ["INVITE", "OPTIONS"]) {
  test(`${method}, UDP: 503 with Retry-After from the first gateway: the second, and there at once next time`, async (t) => {
    const [first, second] = [await udpGateway(t), await udpGateway(t)];
    const ports = [first, second].map(({ wire }) => wire.local.port);
    const { request } = await setup(t, "udp", ports);
    const outcome = request(method);
    const { text: before } = await first.expect(`${method} sip:bob@gateway.example SIP/2.0`);
    first.reply("503 Service Unavailable", "Retry-After: 60");
    const { text: after } = await second.expect(`${method} sip:bob@gateway.example SIP/2.0`);
    assert.notEqual(branchOf(before), branchOf(after));
    second.reply("404 Not Found");
    assert.equal(await outcome, 404);
    const again = request(method);
    if (method === "INVITE") await second.expect("ACK {*}");
    await second.expect(`${method} sip:bob@gateway.example SIP/2.0`);
    second.reply("404 Not Found");
    assert.equal(await again, 404);
  });

  test(`${method}, TCP: nobody listens at the first gateway, the second answers`, async (t) => {
    const second = await tcpGateway(t);
    const { request } = await setup(t, "tcp", [await deadPort(), second.port]);
    const outcome = request(method);
    const gateway = await second.accept();
    await gateway.expect(`${method} sip:bob@gateway.example SIP/2.0\nVia: SIP/2.0/TCP {*}`);
    gateway.reply("404 Not Found");
    assert.equal(await outcome, 404);
  });
}

test("INVITE, TCP: the first gateway dies with the INVITE in its hands, the second gets the call", async (t) => {
  const [first, second] = [await tcpGateway(t), await tcpGateway(t)];
  const { request } = await setup(t, "tcp", [first.port, second.port]);
  const outcome = request("INVITE");
  const dying = await first.accept();
  await dying.expect("INVITE sip:bob@gateway.example SIP/2.0");
  await dying.wire.close();
  const gateway = await second.accept();
  await gateway.expect("INVITE sip:bob@gateway.example SIP/2.0");
  gateway.reply("486 Busy Here");
  assert.equal(await outcome, 486);
});

test("INVITE, TCP: the first of three gateways says 100 and dies: the next has the call at once, and calls until the back-off ends", async (t) => {
  const gateways = [await tcpGateway(t), await tcpGateway(t), await tcpGateway(t)] as const;
  const [dying, alive] = gateways;
  const { request, clock } = await setup(
    t,
    "tcp",
    gateways.map(({ port }) => port),
  );
  const call = request("INVITE");
  const before = await dying.accept();
  const { text: first } = await before.expect("INVITE sip:bob@gateway.example SIP/2.0");
  before.reply("100 Trying");
  await before.wire.close();
  const gateway = await alive.accept();
  const { text: second } = await gateway.expect("INVITE sip:bob@gateway.example SIP/2.0");
  assert.notEqual(branchOf(first), branchOf(second));
  gateway.reply("486 Busy Here");
  assert.equal(await call, 486);
  await gateway.expect("ACK {*}");

  // It is up again and takes the CANCEL of what it forgot (§9.1), but no call before its back-off ends.
  const after = await dying.accept();
  const { text: cancel } = await after.expect("CANCEL sip:bob@gateway.example SIP/2.0");
  assert.equal(branchOf(cancel), branchOf(first));
  after.reply("481 Call/Transaction Does Not Exist");
  for (const wait of [0, 31_000]) {
    clock.advance(wait);
    const again = request("INVITE");
    await gateway.expect("INVITE sip:bob@gateway.example SIP/2.0");
    gateway.reply("486 Busy Here");
    assert.equal(await again, 486);
    await gateway.expect("ACK {*}");
  }
  clock.advance(1_000);
  const last = request("INVITE");
  await after.expect("INVITE sip:bob@gateway.example SIP/2.0");
  after.reply("486 Busy Here");
  assert.equal(await last, 486);
});

test("no gateway is there: the request fails after the last one", async (t) => {
  const { request } = await setup(t, "tcp", [await deadPort()]);
  const outcome = await request("INVITE");
  assert.ok(typeof outcome === "object");
  assert.equal(outcome.kind, "transport");
});
