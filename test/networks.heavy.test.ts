// Large and odd networks: a server in a process of its own on IPv4 and IPv6, on many sockets, behind a forwarded port,
// among peers that are half there, slow, too many, or restart. RFC 3261 §16.6, §18; RFC 5658; RFC 5626 §4.4.1.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type Socket as Connection, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Rejected } from "@offhook/sip";
import type { SipMessage } from "@offhook/sip/message";
import { makeCertificate, tcp, tls, udp } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";
import { freePort } from "./free-port.ts";
import { until } from "./interop/peers/program.ts";
import { OffhookServer } from "./interop/peers/server.ts";

type Protocol = "udp" | "tcp" | "tls";
/** Where a phone sits and which socket of the server it uses. */
interface Place {
  readonly protocol: Protocol;
  /** Its own address. */
  readonly own: string;
  /** The server's, brackets included, with port. */
  readonly server: string;
}

const sdp =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
const authority = makeCertificate({ names: [], commonName: "Test Root", isAuthority: true });
const secure = makeCertificate({ names: ["127.0.0.1", "::1"], issuer: authority });

/** A phone and what it has received, with the address and port that each message came from. */
class Phone {
  readonly agent: UserAgent;
  readonly received: { message: SipMessage; from: string }[] = [];

  constructor(
    user: string,
    { protocol, own, server }: Place,
    { port, contact }: { port?: number; contact?: string } = {},
  ) {
    const options = { address: own, ...(port === undefined ? {} : { port }) };
    const transport =
      protocol === "udp"
        ? udp(options)
        : protocol === "tcp"
          ? tcp(options)
          : tls({ ...options, ca: authority.certificate, certificate: secure.certificate, key: secure.key });
    this.agent = new UserAgent({
      aor: `sip:${user}@offhook.test`,
      transports: [transport],
      ...(contact === undefined ? {} : { contact }),
      outboundProxy: `sip:${server}${protocol === "udp" ? "" : `;transport=${protocol}`};lr`,
      observer: {
        received: (message, flow) => {
          const { address, port: remotePort } = flow.remote;
          this.received.push({ message: message.detach(), from: printed(address, remotePort) });
        },
      },
    });
    open.push(this);
  }

  /** Requests of a method that have come. */
  requests(method: string) {
    return this.received.filter(({ message }) => message.kind === "request" && message.method === method);
  }

  /** Answers calls; each answered call. */
  answers(): { next(): Promise<Awaited<ReturnType<UserAgent["invite"]>>> } {
    const waiting: Awaited<ReturnType<UserAgent["invite"]>>[] = [];
    this.agent.onInvite(async (call) => {
      await call.answer(sdp);
      waiting.push(call);
    });
    return { next: () => until("the answered call", () => waiting.shift()) };
  }
}

const open: Phone[] = [];
const printed = (address: string, port: number) =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** Calls, and both sides hang up once: requests inside the call go both ways. */
async function callBothWays(caller: Phone, callee: Phone, user: string): Promise<void> {
  const answered = callee.answers();
  for (const hangsUp of ["caller", "callee"] as const) {
    const outgoing = await caller.agent.invite(`sip:${user}@offhook.test`, { sdp });
    const incoming = await answered.next();
    const [ending, other] = hangsUp === "caller" ? [outgoing, incoming] : [incoming, outgoing];
    await ending.hangUp();
    await other.ended;
  }
}

/** What a container's or cloud's port forwarding does: clients see the outer address, the server the forwarder's. */
async function forwardPort(outer: string, port: number, inner: string, innerPort: number) {
  const flows = new Map<string, ReturnType<typeof createSocket>>();
  const front = createSocket("udp4");
  front.on("message", (bytes, from) => {
    const key = printed(from.address, from.port);
    let back = flows.get(key);
    if (back === undefined) {
      back = createSocket("udp4");
      back.on("message", (answer) => front.send(answer, from.port, from.address));
      back.bind(0, outer);
      flows.set(key, back);
    }
    back.send(bytes, innerPort, inner);
  });
  front.bind(port, outer);
  await once(front, "listening");
  const connections = new Set<Connection>();
  const server = createServer((client) => {
    const upstream = connect({ host: inner, port: innerPort, localAddress: outer });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      connections.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(port, outer);
  await once(server, "listening");
  return () => {
    for (const connection of connections) connection.destroy();
    for (const socket of flows.values()) socket.close();
    front.close();
    server.close();
  };
}

const crlf = (lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
let counter = 0;
const request = (method: string, uri: string, host: string, user = "somebody", more: string[] = []) =>
  crlf([
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/TCP ${host};branch=z9hG4bK-net-${++counter}`,
    "Max-Forwards: 70",
    `From: <sip:${user}@offhook.test>;tag=${counter}`,
    `To: <sip:${user}@offhook.test>`,
    `Call-ID: networks-${counter}`,
    `CSeq: 1 ${method}`,
    ...more,
    "Content-Length: 0",
  ]);

async function connected(port: number, host = "127.0.0.1", localAddress?: string): Promise<Connection> {
  const connection = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
  connection.on("error", () => {});
  await once(connection, "connect", { signal: AbortSignal.timeout(5000) });
  return connection;
}

/** Collects what a connection brings. */
function reading(connection: Connection): { text: string; closed: boolean } {
  const seen = { text: "", closed: false };
  connection.on("data", (chunk) => {
    seen.text += chunk;
  });
  connection.on("close", () => {
    seen.closed = true;
  });
  return seen;
}

/** A program that listens on TCP and was stopped: its kernel takes connections until the queue is full, nobody answers. */
class FrozenPeer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<FrozenPeer> {
    const program = `const server = require("node:net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 },
      () => process.stdout.write(server.address().port + "\\n", () => process.kill(process.pid, "SIGSTOP")))`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    const [port] = await once(child.stdout!, "data", { signal: AbortSignal.timeout(10_000) });
    const peer = new FrozenPeer(child, Number(port));
    await until("it to be stopped", async () => {
      const stat = await readFile(`/proc/${child.pid}/stat`, "latin1").catch(() => ") T");
      return stat.slice(stat.lastIndexOf(")")).startsWith(") T");
    });
    return peer;
  }

  end(): void {
    this.#process.kill("SIGKILL");
  }
}

async function metric(httpPort: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m"))?.[1] ?? Number.NaN);
}

describe("a server on many sockets", () => {
  /** The port on 127.0.0.1 and ::1, its TLS port, and those of the further sockets. */
  let port: number;
  let tlsPort: number;
  let third: number;
  let inner: number;
  let outer: number;
  let httpPort: number;
  let server: OffhookServer;
  let folder: string;
  let stopForwarding: () => void;
  const place = (protocol: Protocol, own: string): Place => {
    const number = protocol === "tls" ? tlsPort : port;
    return { protocol, own, server: printed(own, number) };
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "offhook-networks-"));
    const file = async (name: string, text: string) => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    };
    const ca = await file("ca.pem", authority.certificate);
    const pair = `certificate: ${await file("own.pem", secure.certificate)}, key: ${await file("own.key", secure.key)}`;
    port = await freePort("127.0.0.1", "::1", "127.0.0.2");
    tlsPort = await freePort("127.0.0.1", "::1");
    [third, inner, outer] = [
      await freePort("127.0.0.1"),
      await freePort("127.0.0.3"),
      await freePort("127.0.0.4"),
    ];
    httpPort = await freePort("127.0.0.1");
    const listeners = [
      ...["127.0.0.1", "::1"].flatMap((host) => [
        `{ transport: udp, host: "${host}", port: ${port} }`,
        `{ transport: tcp, host: "${host}", port: ${port} }`,
        `{ transport: tls, host: "${host}", port: ${tlsPort}, tls: { ${pair} } }`,
      ]),
      `{ transport: udp, host: 127.0.0.1, port: ${third} }`,
      `{ transport: tcp, host: 127.0.0.1, port: ${third} }`,
      `{ transport: udp, host: 127.0.0.2, port: ${port} }`,
      `{ transport: tcp, host: 127.0.0.2, port: ${port} }`,
      `{ transport: udp, host: 127.0.0.3, port: ${inner}, advertise: { host: 127.0.0.4, port: ${outer} } }`,
      `{ transport: tcp, host: 127.0.0.3, port: ${inner}, advertise: { host: 127.0.0.4, port: ${outer} } }`,
    ];
    server = await OffhookServer.start(
      `domains: [offhook.test]
accounts: any
auth: { enabled: false }
listeners:
${listeners.map((one) => `  - ${one}`).join("\n")}
tls: { ca: ["${ca}"] }
http: { port: ${httpPort} }
`,
    );
    stopForwarding = await forwardPort("127.0.0.4", outer, "127.0.0.3", inner);
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ agent }) => agent.stop(1000)));
  });

  after(async () => {
    stopForwarding?.();
    const code = await server?.close();
    await rm(folder, { recursive: true, force: true });
    assert.equal(code, 0, server?.program.output.slice(-2000));
  });

  const recordRoutes = (phone: Phone) =>
    phone
      .requests("INVITE")[0]
      ?.message.headers.getAll("Record-Route")
      .map(({ uri }) => uri) ?? [];
  const hosts = (phone: Phone) =>
    recordRoutes(phone).map((uri) => ("host" in uri ? printed(uri.host, uri.port ?? 0) : ""));

  for (const protocol of ["udp", "tcp", "tls"] as const) {
    test(`§18.1.1, §25.1 ${protocol} over IPv6: registered, called, hung up from either side, in brackets everywhere`, async () => {
      const [alice, bob] = [
        new Phone("alice", place(protocol, "::1")),
        new Phone("bob", place(protocol, "::1")),
      ];
      await Promise.all([alice.agent.register(), bob.agent.register()]);
      await callBothWays(alice, bob, "bob");
      const invite = bob.requests("INVITE")[0]!;
      const { server: own } = place(protocol, "::1");
      assert.equal(printed(invite.message.topVia.host, invite.message.topVia.port ?? 0), own);
      assert.deepEqual(hosts(bob), [own]);
      assert.match(invite.message.headers.raw("Record-Route") ?? "", /^<sips?:\[::1\]:\d+;/);
      assert.match(invite.message.headers.raw("Via") ?? "", /^SIP\/2\.0\/[A-Z]+ \[::1\]:\d+;/);
    });
  }

  const mixed: readonly (readonly [Protocol, string, Protocol, string])[] = [
    ["udp", "127.0.0.1", "udp", "::1"],
    ["udp", "::1", "udp", "127.0.0.1"],
    ["tcp", "127.0.0.1", "udp", "::1"],
    ["tls", "::1", "tcp", "127.0.0.1"],
    ["udp", "127.0.0.1", "tls", "::1"],
  ];
  for (const [from, fromHost, to, toHost] of mixed) {
    test(`RFC 5658 §4 dual stack, ${from} ${fromHost} calls ${to} ${toHost}: each side has a route in its own family`, async () => {
      const [alice, bob] = [new Phone("alice", place(from, fromHost)), new Phone("bob", place(to, toHost))];
      await Promise.all([alice.agent.register(), bob.agent.register()]);
      await callBothWays(alice, bob, "bob");
      assert.deepEqual(hosts(bob), [place(to, toHost).server, place(from, fromHost).server]);
      assert.equal(bob.requests("INVITE")[0]?.message.topVia.host, toHost);
    });
  }

  const sockets = () => ({
    first: `127.0.0.1:${port}`,
    "other port": `127.0.0.1:${third}`,
    "other address": `127.0.0.2:${port}`,
  });
  for (const protocol of ["udp", "tcp"] as const) {
    for (const [a, b] of [
      ["first", "other port"],
      ["other port", "first"],
      ["other address", "other port"],
      ["other port", "other address"],
      ["other address", "other address"],
    ] as const) {
      test(`§18.2.2, RFC 5658 §4 several ${protocol} sockets: a caller at the ${a}, a callee at the ${b}, each hears from its own alone`, async () => {
        const { [a]: caller, [b]: callee } = sockets();
        const alice = new Phone("alice", { protocol, own: "127.0.0.1", server: caller });
        const bob = new Phone("bob", { protocol, own: "127.0.0.1", server: callee });
        await Promise.all([alice.agent.register(), bob.agent.register()]);
        await callBothWays(alice, bob, "bob");
        assert.deepEqual([...new Set(alice.received.map(({ from }) => from))], [caller]);
        assert.deepEqual([...new Set(bob.received.map(({ from }) => from))], [callee]);
        assert.deepEqual(hosts(bob), a === b ? [callee] : [callee, caller]);
        assert.equal(
          printed(
            bob.requests("INVITE")[0]?.message.topVia.host ?? "",
            bob.requests("INVITE")[0]?.message.topVia.port ?? 0,
          ),
          callee,
        );
      });
    }
  }

  for (const protocol of ["udp", "tcp"] as const) {
    test(`advertise, ${protocol} behind a forwarded port: it stands in Via and Record-Route, and a Route with it is ours`, async () => {
      const outside = `127.0.0.4:${outer}`;
      const alice = new Phone("alice", { protocol, own: "127.0.0.1", server: outside });
      const bob = new Phone("bob", { protocol, own: "127.0.0.1", server: outside });
      const carol = new Phone("carol", place(protocol, "127.0.0.1"));
      await Promise.all([alice.agent.register(), bob.agent.register(), carol.agent.register()]);
      await callBothWays(alice, bob, "bob");
      assert.deepEqual(hosts(bob), [outside]);
      const { host, port: viaPort } = bob.requests("INVITE")[0]!.message.topVia;
      assert.equal(printed(host, viaPort ?? 0), outside);
      // In by the advertised socket, out by another, and the other way round.
      await callBothWays(alice, carol, "carol");
      assert.deepEqual(hosts(carol), [`127.0.0.1:${port}`, outside]);
      await callBothWays(carol, alice, "alice");
      assert.deepEqual(hosts(alice), [outside, `127.0.0.1:${port}`]);
      for (const { from } of [...alice.received, ...bob.received]) assert.equal(from, outside);
    });
  }

  for (const protocol of ["tcp", "tls"] as const) {
    test(`§18.2.2 a ${protocol} phone that listens is started again: the next call goes by a new connection`, async () => {
      const alice = new Phone("alice", place("udp", "127.0.0.1"));
      let own = 0;
      for (let run = 0; run < 2; run++) {
        const bob = new Phone("bob", place(protocol, "127.0.0.1"), { port: own });
        await bob.agent.ready;
        if (run === 0) {
          own = bob.agent.listeners[0]?.port ?? 0;
          await bind("bob", `sip:bob@127.0.0.1:${own};transport=${protocol}`);
        }
        await callBothWays(alice, bob, "bob");
        await bob.agent.stop();
        // Nobody listens there now: refused, and told at once.
        await assert.rejects(alice.agent.invite("sip:bob@offhook.test", { sdp, timeout: 5 }), Rejected);
      }
    });
  }

  test("half-open peers, one that never accepts and one that never answers: others are called meanwhile", async () => {
    const alice = new Phone("alice", place("tcp", "127.0.0.1"));
    const bob = new Phone("bob", place("tcp", "127.0.0.1"));
    await bob.agent.register();
    const [full, frozen] = await Promise.all([FrozenPeer.start(), FrozenPeer.start()]);
    const fill = [1, 2, 3].map(() => connect(full.port, "127.0.0.1").on("error", () => {}));
    try {
      await until("its queue to be full", () => fill.filter(({ connecting }) => !connecting).length >= 2);
      await bind("full", `sip:full@127.0.0.1:${full.port};transport=tcp`);
      await bind("frozen", `sip:frozen@127.0.0.1:${frozen.port};transport=tcp`);
      await bind("bob", `sip:bob@127.0.0.1:${full.port};transport=tcp`);
      const stuck = ["full", "frozen"].map((user) => {
        const call = alice.agent.call(`sip:${user}@offhook.test`, { sdp });
        let isOver = false;
        void call.ended.then(() => {
          isOver = true;
        });
        return { call, isOver: () => isOver };
      });
      // One of bob's devices is such a peer: the other one answers.
      for (let i = 0; i < 5; i++) await callBothWays(alice, bob, "bob");
      assert.deepEqual(
        stuck.map(({ isOver }) => isOver()),
        [false, false],
      );
      // Its end is the end of the call that it never answered.
      frozen.end();
      await assert.rejects(stuck[1]!.call.answered, Rejected);
      stuck[0]!.call.answered.catch(() => {});
      void stuck[0]!.call.hangUp();
    } finally {
      for (const connection of fill) connection.destroy();
      full.end();
      frozen.end();
    }
  });

  test("a phone that stops reading is given up once a megabyte waits for it; the server stays small", async () => {
    const slow = await connected(port);
    const seen = reading(slow);
    const contact = `Contact: <sip:slow@127.0.0.1:${slow.localPort};transport=tcp>;expires=600`;
    slow.write(request("REGISTER", "sip:offhook.test", `127.0.0.1:${slow.localPort}`, "slow", [contact]));
    await until("to be registered", () => /^SIP\/2\.0 200/.test(seen.text));
    slow.pause();
    const before = await metric(httpPort, "offhook_process_resident_memory_bytes");
    const alice = new Phone("alice", place("tcp", "127.0.0.1"));
    await alice.agent.options("sip:offhook.test");
    const text = "x".repeat(60_000);
    const outcomes: Promise<unknown>[] = [];
    let failed: unknown;
    await until("the connection to be given up", async () => {
      for (let i = 0; i < 20; i++) {
        const outcome = alice.agent.message("sip:slow@offhook.test", text).catch((error: unknown) => {
          failed ??= error;
        });
        outcomes.push(outcome);
      }
      // In step with the server.
      await alice.agent.options("sip:offhook.test");
      return failed !== undefined;
    });
    await Promise.all(outcomes);
    // The connection has gone, and with it the way to this phone: no more waiting for others who write to it.
    await assert.rejects(alice.agent.message("sip:slow@offhook.test", "are you there?"), /480/);
    slow.destroy();
    const grown = (await metric(httpPort, "offhook_process_resident_memory_bytes")) - before;
    assert.ok(grown < 120_000_000, `grown by ${grown} bytes after ${outcomes.length} messages`);
  });

  test("a client that asks and asks and never reads is no longer read from; others are served", async () => {
    const client = await connected(port);
    client.pause();
    const before = await metric(httpPort, "offhook_process_resident_memory_bytes");
    const alice = new Phone("alice", place("tcp", "127.0.0.1"));
    const own = `127.0.0.1:${client.localPort}`;
    const taken = () => client.bytesWritten - client.writableLength;
    let last = -1;
    for (let written = 0; written < 40_000_000; ) {
      let batch = "";
      while (batch.length < 500_000) batch += request("OPTIONS", "sip:offhook.test", own, "greedy");
      client.write(batch);
      written += batch.length;
      if (written % 5_000_000 < 500_000) await alice.agent.options("sip:offhook.test");
    }
    await until("the server to read no more of it", async () => {
      await alice.agent.options("sip:offhook.test");
      const still = taken() === last;
      last = taken();
      return still;
    });
    assert.ok(client.writableLength > 0, "it has read everything");
    const grown = (await metric(httpPort, "offhook_process_resident_memory_bytes")) - before;
    assert.ok(grown < 120_000_000, `grown by ${grown} bytes`);
    client.destroy();
  });

  test("RFC 5626 §4.5 the server is killed and started again: TCP and TLS phones are registered within 15 s and call", async () => {
    const phones = [
      new Phone("alice", place("tcp", "127.0.0.1")),
      new Phone("bob", place("tls", "127.0.0.1")),
      new Phone("carol", place("tcp", "::1")),
      new Phone("dave", place("tls", "::1")),
    ] as const;
    const registrations = await Promise.all(phones.map(({ agent }) => agent.register({ keepAlive: 10 })));
    const lost = until("all to notice", () => registrations.every(({ state }) => state !== "registered"));
    const restarted = server.restart("SIGKILL");
    await lost;
    await restarted;
    await until("all to be back", () => registrations.every(({ state }) => state === "registered"), 15_000);
    const [alice, bob, carol, dave] = phones;
    await callBothWays(alice, bob, "bob");
    await callBothWays(bob, carol, "carol");
    await callBothWays(dave, alice, "alice");
  });

  /** Binds a contact over UDP, whoever is there: no connection of its own to be called back on. */
  async function bind(user: string, contact: string): Promise<void> {
    const keeper = new Phone(user, place("udp", "127.0.0.1"), { contact });
    await keeper.agent.register();
  }
});

describe("a server with narrow limits", () => {
  let port: number;
  let server: OffhookServer;
  const host = "127.0.0.1";

  before(async () => {
    port = await freePort(host);
    server = await OffhookServer.start(
      `domains: [offhook.test]
accounts: any
auth: { enabled: false }
store: { kind: memory }
listeners:
  - { transport: udp, host: ${host}, port: ${port} }
  - { transport: tcp, host: ${host}, port: ${port} }
http: false
limits: { connections: 10, connectionsPerSource: 4, idleConnection: 2 }
`,
    );
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ agent }) => agent.stop(1000)));
  });

  after(async () => {
    assert.equal(await server?.close(), 0, server?.program.output.slice(-2000));
  });

  const options = (connection: Connection) =>
    connection.write(
      request("OPTIONS", "sip:offhook.test", `${connection.localAddress}:${connection.localPort}`),
    );

  /** A connection that has had an answer, and so need not make room for others. */
  async function talker(from: string): Promise<{ connection: Connection; seen: ReturnType<typeof reading> }> {
    const connection = connect({ port, host, localAddress: from }).on("error", () => {});
    const seen = reading(connection);
    connection.on("connect", () => options(connection));
    await until("an answer, or the end", () => seen.closed || seen.text.startsWith("SIP/2.0 200"));
    return { connection, seen };
  }

  /** A talker that was let in: the connections of the test before may not have been noticed to be gone. */
  const admitted = (from: string) =>
    until("a place", async () => {
      const next = await talker(from);
      return next.seen.closed ? undefined : next;
    });

  test("limits.connectionsPerSource: one more is reset, other sources are not affected, and a place given up is free", async () => {
    const four = await Promise.all([1, 2, 3, 4].map(() => talker("127.0.0.11")));
    assert.ok(four.every(({ seen }) => !seen.closed));
    assert.ok((await talker("127.0.0.11")).seen.closed);
    const other = await talker("127.0.0.12");
    assert.ok(!other.seen.closed);
    const left = four.pop();
    left?.connection.destroy();
    const again = await admitted("127.0.0.11");
    for (const { connection } of [...four, other, again]) connection.destroy();
  });

  test("limits.connections: silent ones make room, those who have spoken stay; then one more is reset, and UDP goes on", async () => {
    const silent = await Promise.all([21, 21, 22].map((last) => connected(port, host, `127.0.0.${last}`)));
    const ended = silent.map(reading);
    const ten: Awaited<ReturnType<typeof talker>>[] = [];
    for (let i = 0; i < 10; i++) ten.push(await admitted(`127.0.0.${31 + (i % 5)}`));
    await until("the silent ones to make room", () => ended.every(({ closed }) => closed));
    assert.ok((await talker("127.0.0.40")).seen.closed);
    assert.ok(ten.every(({ seen }) => !seen.closed));
    const phone = new Phone("alice", { protocol: "udp", own: host, server: `${host}:${port}` });
    await phone.agent.register();
    for (const { connection } of ten) connection.destroy();
  });

  test("limits.idleConnection: closed after that time; keep-alives (RFC 5626 §4.4.1) keep a connection", async () => {
    const idle = await admitted("127.0.0.51");
    const since = Date.now();
    const alive = await admitted("127.0.0.52");
    const pinging = setInterval(() => alive.connection.write("\r\n\r\n"), 200);
    try {
      await until("the idle one to be closed", () => idle.seen.closed);
      const lasted = Date.now() - since;
      assert.ok(lasted > 1500, `closed after ${lasted} ms`);
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
    await until("the connection to be lost", () => registration.state === "waiting");
    await until("to be registered again", () => registration.state === "registered");
  });
});
