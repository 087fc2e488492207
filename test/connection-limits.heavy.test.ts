// More connections than the server wants to have: limits.connections, connectionsPerSource, idleConnection.

import assert from "node:assert/strict";
import { type Socket as Connection, connect } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { freePort } from "./free-port.ts";
import { until } from "./interop/peers/program.ts";
import { OffhookServer } from "./interop/peers/server.ts";
import { connected, reading, request } from "./networks/connections.ts";
import { open, Phone } from "./networks/phone.ts";

const host = "127.0.0.1";

function start(port: number, limits: string): Promise<OffhookServer> {
  return OffhookServer.start(
    `domains: [offhook.test]
accounts: any
auth: { enabled: false }
store: { kind: memory }
listeners:
  - { transport: udp, host: ${host}, port: ${port} }
  - { transport: tcp, host: ${host}, port: ${port} }
http: false
limits: { ${limits} }
`,
  );
}

interface Talker {
  readonly connection: Connection;
  readonly seen: ReturnType<typeof reading>;
}

/** A connection that has had an answer, and so need not make room for others. */
async function talker(port: number, from: string): Promise<Talker> {
  const connection = connect({ port, host, localAddress: from }).on("error", () => {});
  const seen = reading(connection);
  const own = () => `${connection.localAddress}:${connection.localPort}`;
  connection.on("connect", () => connection.write(request("OPTIONS", "sip:offhook.test", own())));
  await until("an answer, or the end", () => seen.closed || seen.text.startsWith("SIP/2.0 200"));
  return { connection, seen };
}

/** A talker that was let in: the connections of the test before may not have been noticed to be gone. */
const admitted = (port: number, from: string) =>
  until("a place", async () => {
    const next = await talker(port, from);
    return next.seen.closed ? undefined : next;
  });

describe("a server with room for few", () => {
  let port: number;
  let server: OffhookServer;

  before(async () => {
    port = await freePort(host);
    server = await start(port, "connections: 10, connectionsPerSource: 4");
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ agent }) => agent.stop(1000)));
  });

  after(async () => {
    assert.equal(await server?.close(), 0, server?.program.output.slice(-2000));
  });

  test("limits.connectionsPerSource: one more is reset, other sources are not affected, and a place given up is free", async () => {
    const four = await Promise.all([1, 2, 3, 4].map(() => talker(port, "127.0.0.11")));
    assert.ok(four.every(({ seen }) => !seen.closed));
    assert.ok((await talker(port, "127.0.0.11")).seen.closed);
    const other = await talker(port, "127.0.0.12");
    assert.ok(!other.seen.closed);
    const left = four.pop();
    left?.connection.destroy();
    const again = await admitted(port, "127.0.0.11");
    for (const { connection } of [...four, other, again]) connection.destroy();
  });

  test("limits.connections: silent ones make room, those who have spoken stay; then one more is reset, and UDP goes on", async () => {
    const silent = await Promise.all([21, 21, 22].map((last) => connected(port, host, `127.0.0.${last}`)));
    const ended = silent.map(reading);
    const ten: Talker[] = [];
    for (let i = 0; i < 10; i++) ten.push(await admitted(port, `127.0.0.${31 + (i % 5)}`));
    await until("the silent ones to make room", () => ended.every(({ closed }) => closed));
    assert.ok((await talker(port, "127.0.0.40")).seen.closed);
    assert.ok(ten.every(({ seen }) => !seen.closed));
    const phone = new Phone("alice", { protocol: "udp", own: host, server: `${host}:${port}` });
    await phone.agent.register();
    for (const { connection } of ten) connection.destroy();
  });
});

describe("a server that keeps no idle connection", { concurrency: true }, () => {
  let port: number;
  let server: OffhookServer;
  /** Seconds; longer than a busy machine may stand still between two keep-alives. */
  const idle = 8;

  before(async () => {
    port = await freePort(host);
    server = await start(port, `idleConnection: ${idle}`);
  });

  after(async () => {
    await Promise.all(open.splice(0).map(({ agent }) => agent.stop(1000)));
    assert.equal(await server?.close(), 0, server?.program.output.slice(-2000));
  });

  test("limits.idleConnection: closed after that time; keep-alives (RFC 5626 §4.4.1) keep a connection", async () => {
    const alive = await admitted(port, "127.0.0.52");
    const pinging = setInterval(() => alive.connection.write("\r\n\r\n"), 200);
    try {
      const since = performance.now();
      const silent = await admitted(port, "127.0.0.51");
      await until("the idle one to be closed", () => silent.seen.closed, 60_000);
      const lasted = performance.now() - since;
      assert.ok(lasted > idle * 1000 - 10, `closed after ${lasted} ms`);
      const pings = alive.seen.text.length;
      await until("another pong", () => alive.seen.text.length > pings);
    } finally {
      clearInterval(pinging);
    }
    assert.ok(!alive.seen.closed);
    alive.connection.destroy();
  });

  test("§10, limits.idleConnection: a phone whose connection was closed so registers again by another", async () => {
    const phone = new Phone("bob", { protocol: "tcp", own: host, server: `${host}:${port}` });
    const registration = await phone.agent.register();
    const states: string[] = [];
    registration.onState((state) => states.push(state));
    await until("the connection to be lost", () => states.includes("waiting"), 60_000);
    await until("to be registered again", () => states.at(-1) === "registered", 60_000);
  });
});
