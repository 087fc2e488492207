// The whole server on real sockets: registrations, calls, refusals, bad input, admin socket, shutdown.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Rejected } from "@offhook/sip";
import { udpWire } from "@offhook/sip/node";
import { WirePeer } from "@offhook/sip/testing";
import { isAvailable, openSockets } from "@offhook/udp-batch";
import { RemoteAdministration } from "./admin.ts";
import { AdministrationError, LocalAdministration } from "./administration.ts";
import { parseConfig } from "./config.ts";
import { makePhone, sdp, startServer } from "./server.test.kit.ts";
import { OffhookServer } from "./server.ts";
import { StartError } from "./start-error.ts";

const rejectedWith = (statusCode: number) => (error: unknown) =>
  error instanceof Rejected && error.statusCode === statusCode;

test("§21.5.4 maintenance over the admin socket: new requests get 503, calls go on, and back", async (t) => {
  const running = await startServer(
    t,
    "auth: { enabled: false }\naccounts: any\nstore: { kind: memory }\noverload: { retryAfter: 1 }\n",
  );
  const admin = new RemoteAdministration(join(running.folder, "offhook-data/admin.sock"));
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${running.server.httpPort}/health`);
    return [response.status, ((await response.json()) as { status: string }).status];
  };
  const bob = makePhone(running, "bob");
  bob.onInvite((call) => call.answer(sdp));
  await bob.register();
  const alice = makePhone(running, "alice");
  const call = await alice.invite("bob", { sdp });
  assert.equal(await admin.maintenance(), false);
  assert.equal(await admin.maintenance(true), true);
  assert.deepEqual(await health(), [503, "maintenance"]);
  await assert.rejects(alice.options("bob"), rejectedWith(503));
  await call.hangUp();
  assert.equal(await admin.maintenance(false), false);
  assert.deepEqual(await health(), [200, "ok"]);
  await alice.options("bob");
  await assert.rejects(
    new LocalAdministration({ store: running.server.store, domain: "localhost" }).maintenance(true),
    AdministrationError,
  );
});

test("§10.3 a user registers with the password and is listed; a wrong one, or nobody's name, gets 401", async (t) => {
  const running = await startServer(t);
  const { server } = running;
  await server.store.accounts.add({ user: "alice", domain: "localhost", password: "wonder" });
  await makePhone(running, "alice", "wonder").register();
  assert.deepEqual(
    [...server.store.locations.memory.entries()].map(({ aor }) => aor),
    ["sip:alice@localhost"],
  );
  await assert.rejects(makePhone(running, "alice", "wrong").register(), rejectedWith(401));
  await assert.rejects(makePhone(running, "mallory", "wonder").register(), rejectedWith(401));
});

test("§16 a call between two users: answered, traced, recorded, told on the terminal", async (t) => {
  const running = await startServer(t);
  const { server } = running;
  for (const user of ["alice", "bob"])
    await server.store.accounts.add({ user, domain: "localhost", password: user });
  const bob = makePhone(running, "bob", "bob");
  bob.onInvite((call) => call.answer(sdp));
  await bob.register();
  const alice = makePhone(running, "alice", "alice");
  const call = await alice.invite("bob", { sdp });
  assert.equal(server.monitor.activeCount, 1);
  await call.hangUp();
  const [listed] = await new RemoteAdministration(join(running.folder, "offhook-data/admin.sock")).calls(5);
  assert.deepEqual([listed?.state, listed?.status, listed?.isTraced], ["ended", 200, true]);
  const ladder = await new RemoteAdministration(join(running.folder, "offhook-data/admin.sock")).trace(
    "last",
  );
  const summaries = ladder.messages
    .filter(({ isRetransmission }) => !isRetransmission)
    .map(({ summary }) => summary.replace(/ sip:.*/, ""));
  assert.deepEqual(
    summaries.filter((summary) => !summary.startsWith("100")),
    [
      ...[
        "INVITE",
        "407 Proxy Authentication Required",
        "ACK",
        "INVITE",
        "INVITE",
        "200 OK",
        "200 OK",
        "ACK",
        "ACK",
      ],
      ...["BYE", "BYE", "200 OK", "200 OK"],
    ],
  );
  assert.ok(!JSON.stringify(ladder).includes('response=\\"'), "no digest in the trace");
  await running.shows(/alice → bob {2}answered after .*\n.*alice → bob {2}ended by the caller/);
});

test("§16.5, §21.4.18 nobody of that name: 404; nobody at home: 480", async (t) => {
  const running = await startServer(t);
  for (const user of ["alice", "bob"]) {
    await running.server.store.accounts.add({ user, domain: "localhost", password: user });
  }
  const alice = makePhone(running, "alice", "alice");
  await assert.rejects(alice.invite("nobody", { sdp }), rejectedWith(404));
  await assert.rejects(alice.invite("bob", { sdp }), rejectedWith(480));
  await assert.rejects(
    alice.invite("sip:someone@192.0.2.1", { sdp, from: "sip:bob@127.0.0.1" }),
    rejectedWith(403),
  );
});

test("§11.2 OPTIONS to the server itself: 200 with what it takes; to a user: the user's", async (t) => {
  const running = await startServer(t, "auth: { enabled: false }\naccounts: any\nstore: { kind: memory }\n");
  const asker = makePhone(running, "asker");
  const { headers } = await asker.options(`sip:127.0.0.1:${running.udpPort}`);
  assert.match(headers.raw("Allow") ?? "", /\bREGISTER\b/);
  assert.equal(headers.raw("Accept"), "application/sdp");
  assert.equal(headers.raw("Supported"), "path");
  await assert.rejects(asker.options("nobody-here"), rejectedWith(480));
});

test("accounts: any, one password for all", async (t) => {
  const running = await startServer(t, "accounts: { any: { password: secret } }\nstore: { kind: memory }\n");
  await makePhone(running, "u000001", "secret").register();
  await assert.rejects(makePhone(running, "u000002", "other").register(), rejectedWith(401));
});

test("a flood of wrong passwords is no longer looked at; the right user elsewhere is not affected", async (t) => {
  const running = await startServer(t, "store: { kind: memory }\nlimits: { failedAuthPerSource: 3 }\n");
  const { server, udpPort } = running;
  for (const user of ["alice", "bob"])
    await server.store.accounts.add({ user, domain: "localhost", password: user });
  for (let i = 0; i < 3; i++)
    await assert.rejects(makePhone(running, "alice", "guess").register(), rejectedWith(401));
  await assert.rejects(makePhone(running, "alice", "alice").register(), rejectedWith(403));
  await makePhone(running, "bob", "bob").register();
  await assert.rejects(
    makePhone(running, "alice", "alice").call(`sip:bob@127.0.0.1:${udpPort}`).answered,
    rejectedWith(403),
  );
  assert.match(await server.metrics.print(), /offhook_auth_failures_total 3\n/);
  assert.ok(udpPort > 0);
});

test("bad input: half a message, no message and 200 connections that say nothing stop nothing", async (t) => {
  const running = await startServer(t, "auth: { enabled: false }\naccounts: any\nstore: { kind: memory }\n");
  const { udpPort, tcpPort, server } = running;
  const wire = await udpWire();
  t.after(() => wire.close());
  const peer = new WirePeer(wire, { remote: { address: "127.0.0.1", port: udpPort } });
  const sockets = Array.from({ length: 200 }, () => connect(tcpPort, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const half = connect(tcpPort, "127.0.0.1");
  half.write("INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;bra");
  wire.send(new Uint8Array(2000).fill(0x41), { address: "127.0.0.1", port: udpPort });
  wire.send(new Uint8Array(Buffer.from("SIP/2.0 999\r\n\r\n")), { address: "127.0.0.1", port: udpPort });
  peer.send(`OPTIONS sip:127.0.0.1 SIP/2.0
    Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-bad;rport
    Max-Forwards: many
    From: <sip:a@b>;tag=1
    To: <sip:127.0.0.1>
    Call-ID: bad-1
    CSeq: 1 OPTIONS
    Content-Length: 0`);
  await peer.expect("SIP/2.0 400 {reason}");
  await makePhone(running, "alice").register();
  const metrics = await server.metrics.print();
  assert.match(metrics, /offhook_malformed_total [3-9]/);
  for (const socket of [...sockets, half]) socket.destroy();
});

test("/health and /metrics", async (t) => {
  const { server } = await startServer(t);
  const health = await fetch(`http://127.0.0.1:${server.httpPort}/health`);
  assert.equal(health.status, 200);
  assert.equal(((await health.json()) as { status: string }).status, "ok");
  const metrics = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
  assert.match(metrics, /^offhook_bindings 0$/m);
  assert.match(metrics, /^offhook_event_loop_delay_p999_seconds [\d.e-]+$/m);
});

test("admin socket: mode 0600; users are added, listed, given a password, removed", async (t) => {
  const { server, folder } = await startServer(t);
  const path = join(folder, "offhook-data/admin.sock");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const admin = new RemoteAdministration(path);
  await admin.addUser({ name: "carol", password: "x", displayName: "Carol" });
  await assert.rejects(admin.addUser({ name: "carol", password: "x" }), /carol@localhost exists already/);
  await admin.setPassword("carol", "y");
  assert.deepEqual(await admin.importUsers("dave,pw\n"), { added: 1, updated: 0 });
  await assert.rejects(
    admin.importUsers("eve\n"),
    (error: { problems?: unknown[] }) => error.problems?.length === 1,
  );
  assert.deepEqual(
    (await admin.users()).map(({ user }) => user),
    ["carol", "dave"],
  );
  await admin.removeUser("carol@localhost");
  await assert.rejects(admin.removeUser("carol"), /there is no user carol@localhost/);
  await assert.rejects(admin.trace("last"), /no call to show/);
  assert.equal(server.store.accounts.count, 1);
});

test("a removed user's registrations go, however the name is written", async (t) => {
  const { server, folder } = await startServer(t);
  const admin = new RemoteAdministration(join(folder, "offhook-data/admin.sock"));
  await admin.addUser({ name: "jo#hn", password: "x" });
  // §10.3 step 5: the key that the registrar makes of sip:jo%23hn@localhost.
  await server.store.locations.update("sip:jo%23hn@localhost", {
    ...{ callId: "r", cSeq: 1, path: [], now: Date.now() },
    contacts: [{ uri: "sip:x@127.0.0.1", expires: 60, q: 1 }],
  });
  assert.equal(server.store.locations.memory.bindingCount, 1);
  await admin.removeUser("jo#hn@LocalHost");
  assert.equal(server.store.locations.memory.bindingCount, 0);
});

test("a port in use, or a store in use: one line, and nothing is left open", async (t) => {
  const running = await startServer(t);
  const taken = parseConfig(
    `listeners: [{ transport: udp, port: ${running.udpPort} }]\nhttp: false\nstore: { kind: memory }\n`,
    "x",
  );
  await assert.rejects(
    OffhookServer.start({ config: taken, folder: join(running.folder, "other") }),
    (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.message, `udp 127.0.0.1:${running.udpPort} is in use by another program`);
      return true;
    },
  );
  const same = parseConfig(
    "listeners: [{ transport: udp, port: 0 }]\nhttp: false\nstore: { kind: memory }\n",
    "x",
  );
  await assert.rejects(OffhookServer.start({ config: same, folder: running.folder }), /runs already/);
});

test("a secret that cannot be read: one line that names it, and nothing is left open", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "offhook-server-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const secret = join(folder, "offhook-data/secret.key");
  mkdirSync(secret, { recursive: true });
  const config = parseConfig("listeners: [{ transport: udp, port: 0 }]\nhttp: false\n", "x");
  await assert.rejects(OffhookServer.start({ config, folder }), (error: unknown) => {
    assert.ok(error instanceof StartError);
    assert.ok(error.message.startsWith(`${secret} cannot be used: `), error.message);
    return true;
  });
  const workers = process
    .getActiveResourcesInfo()
    .filter((name) => name === "Worker" || name === "MessagePort");
  assert.deepEqual(workers, []);
});

test("shutdown: what has been answered holds nothing up, though its transaction lasts for 32 s (§17.2.2)", {
  timeout: 25_000,
}, async (t) => {
  const running = await startServer(t, "auth: { enabled: false }\naccounts: any\nstore: { kind: memory }\n");
  await makePhone(running, "alice").options(`sip:127.0.0.1:${running.udpPort}`);
  assert.ok(running.server.stack.transactionCount > 0);
  await running.server.stop(3_600_000);
});

test("shutdown: a registration in the file survives it", async (t) => {
  const first = await startServer(t, "");
  await first.server.store.accounts.add({ user: "alice", domain: "localhost", password: "wonder" });
  const phone = makePhone(first, "alice", "wonder");
  await phone.register();
  await first.server.stop();
  await phone.stop(1);
  const config = parseConfig(
    "listeners: [{ transport: udp, port: 0 }]\nhttp: false\nlog: { level: silent }\n",
    "x",
  );
  const second = await OffhookServer.start({ config, folder: first.folder });
  t.after(() => second.stop());
  assert.equal(second.store.locations.memory.bindingCount, 1);
  assert.equal(second.store.accounts.count, 1);
});

test("listeners[].batch: on, off, and by itself where it is compiled", async (t) => {
  const before = openSockets();
  const opened = async (batch: string) => {
    const { server } = await startServer(
      t,
      undefined,
      `  - { transport: udp, host: "::1", port: 0, ${batch} }`,
    );
    const count = openSockets() - before;
    await server.stop();
    assert.equal(openSockets(), before);
    return count;
  };
  // The server of these tests has one more UDP listener, which is "auto".
  const automatic = isAvailable ? 1 : 0;
  assert.equal(await opened("batch: off"), automatic);
  assert.equal(await opened("batch: auto"), 2 * automatic);
  if (isAvailable) assert.equal(await opened("batch: on"), 2);
  else await assert.rejects(opened("batch: on"), /udp \[?::1\]?:0 .*UDP in batches is not possible: /);
});
