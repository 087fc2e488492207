// Large and odd networks: a server in a process of its own on IPv4 and IPv6, on many sockets, behind a forwarded port,
// among peers that are half there, slow, or restart. RFC 3261 §16.6, §18; RFC 5658; RFC 5626 §4.4.1.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Rejected } from "@offhook/sip";
import { freePort } from "./free-port.ts";
import { until } from "./interop/peers/program.ts";
import { OffhookServer } from "./interop/peers/server.ts";
import { connected, FrozenPeer, forwardPort, metric, reading, request } from "./networks/connections.ts";
import {
  authority,
  callBothWays,
  open,
  Phone,
  type Place,
  type Protocol,
  printed,
  sdp,
  secure,
} from "./networks/phone.ts";

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
        await assert.rejects(alice.agent.invite("sip:bob@offhook.test", { sdp, timeout: 30 }), Rejected);
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
      await callBothWays(alice, bob, "bob");
      // Within the time that a connection has to open, 10 s.
      assert.deepEqual(
        stuck.map(({ isOver }) => isOver()),
        [false, false],
      );
      for (let i = 0; i < 4; i++) await callBothWays(alice, bob, "bob");
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
