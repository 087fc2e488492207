import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { draftRequest } from "../message/index.ts";
import type { ClientRequest, RequestFailure, Roles } from "../stack.ts";
import { Stack, type StackOptions } from "../stack.ts";
import { VirtualClock, WirePeer } from "../testing/index.ts";
import type { Flow, Listener } from "../transport/index.ts";
import { udpKinds } from "./batched-udp.test.kit.ts";
import { NodeDriver } from "./driver.ts";
import { nodeRandom } from "./random.ts";
import { tcpWire, udpWire, type Wire } from "./wire.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A stack on real sockets that answers every request with 200. */
function node(options: Partial<StackOptions> & { clock?: VirtualClock } = {}) {
  const { clock, ...rest } = options;
  const errors: Error[] = [];
  const driver = new NodeDriver({ ...(clock && { clock }), onError: (error) => errors.push(error) });
  cleanups.push(() => driver.stop());
  const roles: Roles = { isOurs: () => true, route: (incoming) => void incoming.respond(200) };
  const stack = new Stack({ sink: driver, clock: driver.clock, random: nodeRandom, roles, ...rest });
  driver.attach(stack);
  return { driver, stack, errors };
}

type Outcome = { status: number; flow: Flow } | { failure: RequestFailure };

/** Sends OPTIONS and waits for what becomes of it. */
function ask(stack: Stack, uri: string, body?: string): Promise<Outcome> {
  const draft = draftRequest({
    method: "OPTIONS",
    requestUri: uri,
    headers: [
      ["From", "<sip:a@example.com>;tag=1"],
      ["To", "<sip:b@example.com>"],
      ["Call-ID", stack.newCallId()],
      ["CSeq", "1 OPTIONS"],
      ["Max-Forwards", 70],
    ],
    ...(body !== undefined && { body }),
  });
  return new Promise((resolve) => {
    const request: ClientRequest = stack.request(draft, {
      user: {
        onResponse: (response, _request, flow) => resolve({ status: response.statusCode, flow }),
        onFailure: (failure) => resolve({ failure }),
      },
    });
    void request;
  });
}

function uriOf({ transport, address, port }: Listener): string {
  return `sip:${address.includes(":") ? `[${address}]` : address}:${port};transport=${transport.toLowerCase()}`;
}

async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!done()) {
    assert.ok(performance.now() < end, "waited in vain");
    await setImmediate();
  }
}

const options = (via: string, ...more: string[]) =>
  [
    "OPTIONS sip:a@example.com SIP/2.0",
    `Via: ${via}`,
    "From: <sip:a@example.com>;tag=1",
    "To: <sip:b@example.com>",
    "Call-ID: {port}",
    "CSeq: 1 OPTIONS",
    ...more,
    "Content-Length: 0",
  ].join("\n");

for (const transport of ["UDP", "TCP"] as const) {
  for (const { name, batch, skip } of transport === "UDP" ? udpKinds : udpKinds.slice(0, 1)) {
    const by = transport === "UDP" ? `UDP by ${name}` : transport;
    for (const address of ["127.0.0.1", "::1"]) {
      test(`driver: a request and its response over ${by} and ${address}`, { skip }, async () => {
        const alice = node();
        const bob = node();
        await alice.driver.listen({ transport, address, batch });
        const listener = await bob.driver.listen({ transport, address, batch });
        assert.equal(bob.driver.listeners[0]?.isBatched, transport === "UDP" ? batch : undefined);
        assert.equal(listener.address, address);
        assert.ok(listener.port > 0);
        const outcome = await ask(alice.stack, uriOf(listener));
        assert.ok("status" in outcome && outcome.status === 200);
        assert.equal(outcome.flow.transport, transport);
      });
    }
  }
}

test("driver: ECONNREFUSED over TCP is a failure of the request, nothing else", async () => {
  const { driver, stack, errors } = node();
  const listener = await driver.listen({ transport: "TCP", address: "127.0.0.1" });
  const outcome = await ask(stack, "sip:127.0.0.1:1;transport=tcp");
  assert.ok("failure" in outcome && outcome.failure.kind === "transport");
  assert.match(outcome.failure.error?.message ?? "", /ECONNREFUSED/);
  const next = await ask(stack, uriOf(listener));
  assert.ok("status" in next && next.status === 200);
  assert.deepEqual(errors, []);
});

test("driver: silent connections are bounded, and the phone that speaks is served", async () => {
  const { driver, stack } = node({ limits: { connections: 40, connectionsPerAddress: 30 } });
  const listener = await driver.listen({ transport: "TCP", address: "127.0.0.1" });
  const wires: Wire[] = [];
  for (let i = 0; i < 120; i++) wires.push(await tcpWire(listener));
  const peer = new WirePeer(await tcpWire(listener));
  cleanups.push(() => Promise.all([peer.close(), ...wires.map((wire) => wire.close())]));
  peer.send(options("SIP/2.0/TCP {host}:{port};branch=z9hG4bKa"));
  await peer.expect("SIP/2.0 200 OK");
  await until(() => wires.filter((wire) => !wire.isClosed).length <= 30);
  void stack;
});

test("driver: silent connections end after their time, on the driver's clock", async () => {
  const clock = new VirtualClock();
  const { driver } = node({ clock, limits: { silentTime: 30_000 } });
  const listener = await driver.listen({ transport: "TCP", address: "127.0.0.1" });
  const silent = await tcpWire(listener);
  const peer = new WirePeer(await tcpWire(listener));
  cleanups.push(() => Promise.all([silent.close(), peer.close()]));
  peer.send(options("SIP/2.0/TCP {host}:{port};branch=z9hG4bKa"));
  await peer.expect("SIP/2.0 200 OK");
  clock.advance(31_000);
  await until(() => silent.isClosed);
  assert.ok(!peer.wire.isClosed);
});

test("driver: a peer that does not read is given up, others go on", async () => {
  const { driver, stack } = node();
  const listener = await driver.listen({ transport: "TCP", address: "127.0.0.1" });
  const sockets: Socket[] = [];
  const deaf = createServer((socket) => sockets.push(socket.pause()));
  await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    deaf.close();
  });
  const { port } = deaf.address() as { port: number };
  const outcomes: Outcome[] = [];
  for (let i = 0; i < 400; i++) {
    void ask(stack, `sip:127.0.0.1:${port};transport=tcp`, "x".repeat(40_000)).then((outcome) =>
      outcomes.push(outcome),
    );
    if (i % 20 === 0) await setImmediate();
  }
  await until(() => outcomes.length > 0);
  const [outcome] = outcomes;
  assert.ok(outcome && "failure" in outcome);
  assert.match(outcome.failure.error?.message ?? "", /does not read|too much waits/);
  const next = await ask(stack, uriOf(listener));
  assert.ok("status" in next && next.status === 200);
});

test("driver: a peer that resets the connection: a failure of the request, and the next goes on", async () => {
  const { driver, stack } = node();
  const listener = await driver.listen({ transport: "TCP", address: "127.0.0.1" });
  const rude = createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => rude.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => rude.close());
  const { port } = rude.address() as { port: number };
  const outcome = await ask(stack, `sip:127.0.0.1:${port};transport=tcp`);
  assert.ok("failure" in outcome && outcome.failure.kind === "transport");
  assert.match(outcome.failure.error?.message ?? "", /ECONNRESET/);
  const next = await ask(stack, uriOf(listener));
  assert.ok("status" in next && next.status === 200);
});

for (const { name, batch, skip } of udpKinds) {
  test(`driver, UDP by ${name}: names are looked up; localhost reaches a listener of the family that we have`, {
    skip,
  }, async () => {
    const { driver, stack } = node();
    const listener = await driver.listen({ transport: "UDP", batch, address: "127.0.0.1" });
    const outcome = await ask(stack, `sip:localhost:${listener.port}`);
    assert.ok("status" in outcome && outcome.status === 200);
    const unknown = await ask(stack, "sip:no-such-host.invalid");
    assert.ok("failure" in unknown && unknown.failure.kind === "unresolved");
  });

  test(`driver, UDP by ${name}: a datagram that the system refuses is a failure of the request`, {
    skip,
  }, async () => {
    const { driver, stack } = node({ udpSizeLimit: 1_000_000 });
    const listener = await driver.listen({ transport: "UDP", batch, address: "127.0.0.1" });
    // EMSGSIZE: no UDP datagram is as long as this.
    const outcome = await ask(stack, uriOf(listener), "x".repeat(70_000));
    assert.ok("failure" in outcome && outcome.failure.kind === "transport");
    const next = await ask(stack, uriOf(listener));
    assert.ok("status" in next && next.status === 200);
  });

  test(`driver, UDP by ${name}: UDP to a port where nobody listens disturbs nobody`, { skip }, async () => {
    const { driver, stack, errors } = node();
    const listener = await driver.listen({ transport: "UDP", batch, address: "127.0.0.1" });
    const lost = ask(stack, "sip:127.0.0.1:1");
    const outcome = await ask(stack, uriOf(listener));
    assert.ok("status" in outcome && outcome.status === 200);
    assert.deepEqual(errors, []);
    await driver.stop();
    void lost;
  });

  test(`driver, UDP by ${name}: a port of 0 or out of range in a Via or URI never throws`, {
    skip,
  }, async () => {
    const { driver } = node();
    const listener = await driver.listen({ transport: "UDP", batch, address: "127.0.0.1" });
    const peer = new WirePeer(await udpWire(), { remote: listener });
    cleanups.push(() => peer.close());
    peer.send(options("SIP/2.0/UDP 127.0.0.1:0;branch=z9hG4bKa"));
    peer.send(options("SIP/2.0/UDP 127.0.0.1;maddr=255.255.255.255;branch=z9hG4bKb"));
    peer.send(options("SIP/2.0/UDP {host}:{port};branch=z9hG4bKc"));
    await peer.expect("SIP/2.0 200 OK\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKc");
  });

  test(`driver, UDP by ${name}: a busy port rejects with the system's error, and the driver goes on`, {
    skip,
  }, async () => {
    const { driver } = node();
    for (const transport of ["UDP", "TCP"] as const) {
      const { port } = await driver.listen({ transport, batch, address: "127.0.0.1" });
      await assert.rejects(driver.listen({ transport, batch, address: "127.0.0.1", port }), /EADDRINUSE/);
      // IPv6 sockets take IPv6 only: the same port for both families is no conflict.
      await driver.listen({ transport, batch, address: "::1", port });
    }
    await assert.rejects(
      driver.listen({ transport: "UDP", batch, address: "198.51.100.1" }),
      /EADDRNOTAVAIL/,
    );
    assert.equal(driver.listeners.length, 4);
  });

  test(`driver, UDP by ${name}: UDP buffers as asked for, what was granted is told`, { skip }, async () => {
    const { driver } = node();
    await driver.listen({ transport: "UDP", batch, address: "127.0.0.1", bufferSize: 65_536 });
    const [entry] = driver.listeners;
    assert.ok((entry?.bufferSizes?.receive ?? 0) >= 65_536);
    assert.ok((entry?.bufferSizes?.send ?? 0) >= 65_536);
  });

  test(`driver, UDP by ${name}: a wildcard listener knows the host's addresses and shows the right one`, {
    skip,
  }, async () => {
    const { driver, stack } = node();
    const listener = await driver.listen({ transport: "UDP", batch, address: "0.0.0.0" });
    assert.ok(listener.localAddresses?.some(({ address }) => address === "127.0.0.1"));
    const outcome = await ask(stack, `sip:127.0.0.1:${listener.port}`);
    assert.ok("status" in outcome);
    assert.equal(stack.sentBy(outcome.flow), `127.0.0.1:${listener.port}`);
  });

  test(`driver, UDP by ${name}: bad input of all kinds, and a good request is still answered`, {
    skip,
  }, async () => {
    const { driver } = node();
    const udp = await driver.listen({ transport: "UDP", batch, address: "127.0.0.1" });
    const tcp = await driver.listen({ transport: "TCP", address: "127.0.0.1" });
    const datagrams = new WirePeer(await udpWire(), { remote: udp });
    const streams: WirePeer[] = [];
    for (let i = 0; i < 5; i++) streams.push(new WirePeer(await tcpWire(tcp)));
    cleanups.push(() => Promise.all([datagrams, ...streams].map((peer) => peer.close())));
    const [half, long, noise, odd, pinging] = streams as [WirePeer, WirePeer, WirePeer, WirePeer, WirePeer];

    half.sendBytes("OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0");
    await half.close();
    long.send(options("SIP/2.0/TCP {host}:{port};branch=z9hG4bKlong", `X: ${"x".repeat(70_000)}`));
    await long.expect("SIP/2.0 513 {*}");
    noise.sendBytes("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert.equal(await noise.receive(), undefined);
    assert.ok(noise.wire.isClosed);
    odd.send(options("SIP/2.0/TCP {host}:{port};branch=z9hG4bKodd").replace("CSeq: 1", "CSeq: one"));
    await odd.expect("SIP/2.0 400 {*}\nVia: SIP/2.0/TCP {host}:{port};branch=z9hG4bKodd");
    pinging.sendBytes("\r\n\r\n");
    assert.equal((await pinging.receive())?.text, "\r\n");
    datagrams.sendBytes("\r\n\r\n");
    datagrams.sendBytes("\0\0\0\0");
    datagrams.sendBytes("SIP/2.0 banana\r\n\r\n");
    datagrams.send(options("SIP/2.0/UDP {host}:{port};branch=z9hG4bKbig", `X: ${"x".repeat(60_000)}`));
    await datagrams.expect("SIP/2.0 513 {*}");
    for (const [peer, name] of [
      [datagrams, "UDP"],
      [odd, "TCP"],
      [pinging, "TCP"],
    ] as const) {
      peer.send(options(`SIP/2.0/${name} {host}:{port};branch=z9hG4bKgood`));
      await peer.expect("SIP/2.0 200 OK");
    }
  });

  test(`driver, UDP by ${name}: stop flushes, closes everything, and leaves nothing open`, {
    skip,
  }, async () => {
    const { driver, stack } = node();
    const other = node();
    await driver.listen({ transport: "TCP", address: "127.0.0.1" });
    await driver.listen({ transport: "UDP", batch, address: "127.0.0.1" });
    const listener = await other.driver.listen({ transport: "TCP", address: "127.0.0.1" });
    await ask(stack, uriOf(listener));
    await driver.stop();
    await other.driver.stop();
    // Node's own account lags by a turn or two.
    await until(() => !process.getActiveResourcesInfo().some((name) => /^(TCP|UDP)/.test(name)));
    await assert.rejects(driver.listen({ transport: "UDP", batch, address: "127.0.0.1" }), /stopped/);
    await driver.stop();
  });
}
