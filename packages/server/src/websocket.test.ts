// SIP over WebSocket: who gets in, what is carried, who is put out. RFC 7118 §4, RFC 6455 §4, §5, §7.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCertificate, NodeDriver, nodeRandom } from "@offhook/sip/node";
import { Stack } from "@offhook/sip/stack";
import { VirtualClock } from "@offhook/sip/testing";
import { WebSocket } from "ws";
import { makeUpgradeApp, serveHttp } from "./http.ts";
import { type RunningServer, startServer } from "./server.test.kit.ts";
import { checkHandshake, WebSocketGate } from "./websocket.ts";

const memory = "store: { kind: memory }\n";

// --- The handshake -------------------------------------------------------------------------------------------

const good = { host: "sip.example.com:8060", upgrade: "websocket", "sec-websocket-protocol": "sip" };
const handshakes: [
  title: string,
  headers: IncomingMessage["headers"],
  origins: string[],
  status: number | undefined,
][] = [
  ["RFC 7118 §4.1, subprotocol sip: taken", good, [], undefined],
  ["RFC 6455 §4.2.1, Upgrade in capitals: taken", { ...good, upgrade: "WebSocket" }, [], undefined],
  ["RFC 6455 §4.2.1, another Upgrade: 426", { ...good, upgrade: "h2c" }, [], 426],
  ["RFC 7118 §4.1, no subprotocol: 400", { host: good.host, upgrade: "websocket" }, [], 400],
  ["RFC 7118 §4.1, another subprotocol: 400", { ...good, "sec-websocket-protocol": "xmpp" }, [], 400],
  [
    "RFC 7118 §4.1, sip among others: taken",
    { ...good, "sec-websocket-protocol": "xmpp, sip" },
    [],
    undefined,
  ],
  [
    "RFC 6455 §11.3.4, a name that only contains sip: 400",
    { ...good, "sec-websocket-protocol": "msip" },
    [],
    400,
  ],
  [
    "RFC 6455 §10.2, page of this host, other port: taken",
    { ...good, origin: "https://sip.example.com" },
    [],
    undefined,
  ],
  ["RFC 6455 §10.2, page of localhost: taken", { ...good, origin: "http://localhost:5173" }, [], undefined],
  ["RFC 6455 §10.2, page of 127.0.0.1: taken", { ...good, origin: "http://127.0.0.1" }, [], undefined],
  ["RFC 6455 §10.2, page of [::1]: taken", { ...good, origin: "http://[::1]:80" }, [], undefined],
  ["RFC 6455 §10.2, page of elsewhere: 403", { ...good, origin: "https://evil.example" }, [], 403],
  [
    "RFC 6455 §10.2, page of a host that ends alike: 403",
    { ...good, origin: "https://evilsip.example.com" },
    [],
    403,
  ],
  [
    "RFC 6455 §10.2, page of localhost.evil.example: 403",
    { ...good, origin: "https://localhost.evil.example" },
    [],
    403,
  ],
  [
    "RFC 6455 §10.2, page of a name that was turned to this machine (DNS rebinding): 403",
    { ...good, origin: "http://evil.example:8060", host: "evil.example:8060" },
    [],
    403,
  ],
  [
    "RFC 6455 §10.2, page of the very address: taken",
    { ...good, origin: "http://192.0.2.1", host: "192.0.2.1:8060" },
    [],
    undefined,
  ],
  ["RFC 6455 §10.2, opaque origin: 403", { ...good, origin: "null" }, [], 403],
  [
    "RFC 6455 §10.2, listed origin: taken",
    { ...good, origin: "https://phone.example" },
    ["https://phone.example"],
    undefined,
  ],
  [
    "RFC 6455 §10.2, listed host, other scheme: 403",
    { ...good, origin: "http://phone.example" },
    ["https://phone.example"],
    403,
  ],
  ["RFC 6455 §10.2, all origins: taken", { ...good, origin: "https://any.example" }, ["*"], undefined],
];
const isOurHost = (host: string) => host === "sip.example.com";
for (const [title, headers, origins, status] of handshakes) {
  test(`handshake: ${title}`, () =>
    assert.equal(checkHandshake(headers, { origins, isOurHost })?.status, status));
}

const upgrade = (...lines: string[]) =>
  ["GET / HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket", ...lines, "", ""].join(
    "\r\n",
  );
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const version = "Sec-WebSocket-Version: 13";
const sip = "Sec-WebSocket-Protocol: sip";

const answers: [title: string, request: string, answer: RegExp][] = [
  [
    "RFC 6455 §4.2.2, good: 101 with the subprotocol",
    upgrade(key, version, sip),
    /^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Protocol: sip\r\n/s,
  ],
  [
    "RFC 7118 §4.1, no subprotocol: 400",
    upgrade(key, version),
    /^HTTP\/1\.1 400 .*\r\n\r\nthe subprotocol sip is required/s,
  ],
  [
    "RFC 6455 §10.2, foreign page: 403",
    upgrade(key, version, sip, "Origin: https://evil.example"),
    /^HTTP\/1\.1 403 /,
  ],
  [
    "RFC 6455 §4.4, version 9: told which one is spoken",
    upgrade(key, "Sec-WebSocket-Version: 9", sip),
    /^HTTP\/1\.1 4\d\d .*\r\nSec-WebSocket-Version: 13/s,
  ],
  ["RFC 6455 §4.2.1, no key: 400", upgrade(version, sip), /^HTTP\/1\.1 400 /],
];
for (const [title, request, answer] of answers) {
  test(`on the HTTP port: ${title}`, async (t) => {
    const server = await startServer(t);
    const socket = await raw(t, server);
    socket.write(request);
    assert.match(await readHead(socket), answer);
    if (!answer.source.includes("101")) {
      await until(() => server.server.stack.connectionCount === 0);
      await ended(socket);
    }
  });
}

test("on the HTTP port: the other pages are there as before", async (t) => {
  const { server } = await startServer(t);
  const [response] = (await once(get(`http://127.0.0.1:${server.httpPort}/health`), "response")) as [
    IncomingMessage,
  ];
  response.resume();
  assert.equal(response.statusCode, 200);
});

test("a port of its own: WebSocket, and 426 for everything else", async (t) => {
  const { server } = await startServer(
    t,
    `${memory}webSocket: { onHttp: false }\n`,
    "  - { transport: ws, host: 127.0.0.1, port: 0 }\n",
  );
  const port = Number(/^ws 127\.0\.0\.1:(\d+)$/m.exec(server.listening.join("\n"))?.[1]);
  const [response] = (await once(get(`http://127.0.0.1:${port}/`), "response")) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 426);
  assert.equal(response.headers.upgrade, "websocket");
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, "sip");
  await once(socket, "open");
  socket.terminate();
  const [refused] = (await once(
    get(`http://127.0.0.1:${server.httpPort}/`, { headers: { Connection: "Upgrade", Upgrade: "websocket" } }),
    "response",
  )) as [IncomingMessage];
  refused.resume();
  assert.equal(refused.statusCode, 404);
});

test("on the HTTP port with http.tls: WSS and HTTPS, by the certificate of the domain asked for", async (t) => {
  const authority = makeCertificate({ names: [], commonName: "test authority", isAuthority: true });
  const folder = mkdtempSync(join(tmpdir(), "offhook-wss-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const pair = (name: string) => {
    const { certificate, key } = makeCertificate({ names: [name], issuer: authority });
    return `certificate: ${file(`${name}.pem`, certificate)}, key: ${file(`${name}.key`, key)}`;
  };
  const tls = `{ ${pair("127.0.0.1")}, certificates: [{ domain: sip.example.com, ${pair("sip.example.com")} }] }`;
  const { server } = await startServer(
    t,
    memory,
    `  - { transport: wss, host: 127.0.0.1, port: 0, tls: ${tls} }`,
    `http: { port: 0, tls: ${tls} }`,
  );
  const ports = server.listening.filter((one) => one.startsWith("wss ")).map((one) => one.split(":").at(-1));
  assert.equal(ports.length, 2);
  for (const port of ports) {
    for (const servername of [undefined, "sip.example.com"]) {
      const socket = new WebSocket(`wss://127.0.0.1:${port}`, "sip", {
        ca: authority.certificate,
        ...(servername === undefined ? {} : { servername }),
      });
      t.after(() => socket.terminate());
      await once(socket, "open");
      socket.send(options("secure").replace("SIP/2.0/WS ", "SIP/2.0/WSS "));
      const [answer] = (await once(socket, "message")) as [Buffer];
      assert.match(answer.toString(), /^SIP\/2\.0 200 /);
    }
  }
});

// --- Messages ------------------------------------------------------------------------------------------------

test("RFC 7118 §4.2: a request as text, its response as text", async (t) => {
  const client = await open(t, await startServer(t));
  client.send(options("text"));
  const { text, isBinary } = await client.next();
  assert.match(
    text,
    /^SIP\/2\.0 200 OK\r\n.*Via: SIP\/2\.0\/WS k3.invalid;branch=z9hG4bKtext;received=127\.0\.0\.1/s,
  );
  assert.equal(isBinary, false);
});

test("RFC 7118 §4.2: a request as binary is understood too", async (t) => {
  const client = await open(t, await startServer(t));
  client.send(Buffer.from(options("binary")));
  assert.match((await client.next()).text, /^SIP\/2\.0 200 /);
});

test("RFC 6455 §5.4: one message in several frames", async (t) => {
  const client = await open(t, await startServer(t));
  const text = options("fragments");
  for (let at = 0; at < text.length; at += 50) {
    client.socket.send(text.slice(at, at + 50), { fin: at + 50 >= text.length });
  }
  assert.match((await client.next()).text, /^SIP\/2\.0 200 /);
});

test("RFC 7118 §4.2: what is no UTF-8 comes back as binary", async (t) => {
  const client = await open(t, await startServer(t));
  const request = Buffer.from(options("latin1", 'From: "M\u00fcller" <sip:m@a.invalid>;tag=1'), "latin1");
  client.send(request);
  const { bytes, isBinary } = await client.next();
  assert.equal(isBinary, true);
  assert.match(bytes.toString("latin1"), /^SIP\/2\.0 200 .*M\u00fcller/s);
});

test("RFC 6455 §8.1: text that is no UTF-8 ends the connection with 1007", async (t) => {
  const server = await startServer(t);
  const client = await open(t, server);
  client.socket.send(Buffer.from([0x4f, 0xff, 0xfe]), { binary: false });
  assert.equal(await client.closed, 1007);
  await until(() => server.server.stack.connectionCount === 0);
});

test("RFC 6455 §7.4.1: a message over limits.messageSize ends the connection with 1009, others stay", async (t) => {
  const server = await startServer(t, `${memory}limits: { messageSize: 2000 }\n`);
  const client = await open(t, server);
  const other = await open(t, server);
  client.send(options("big", `Subject: ${"x".repeat(2000)}`));
  assert.equal(await client.closed, 1009);
  other.send(options("small"));
  assert.match((await other.next()).text, /^SIP\/2\.0 200 /);
});

test("a malformed request gets its 400, and the connection goes on", async (t) => {
  const client = await open(t, await startServer(t));
  client.send(options("bad").replace("CSeq: 1 OPTIONS", "CSeq: x"));
  assert.match((await client.next()).text, /^SIP\/2\.0 400 /);
  client.send(options("good"));
  assert.match((await client.next()).text, /^SIP\/2\.0 200 /);
});

test("RFC 5626 §4.4.1, RFC 7118 §6: CRLF CRLF gets CRLF", async (t) => {
  const client = await open(t, await startServer(t));
  client.send("\r\n\r\n");
  assert.equal((await client.next()).text, "\r\n");
});

test("RFC 7118 §5: several clients on one port, each answered on its own connection", async (t) => {
  const server = await startServer(t);
  const clients = await Promise.all([1, 2, 3].map(() => open(t, server)));
  for (const [index, client] of clients.entries()) client.send(options(`many${index}`));
  for (const [index, client] of clients.entries()) {
    assert.match((await client.next()).text, new RegExp(`branch=z9hG4bKmany${index};`));
  }
});

// --- Ends ----------------------------------------------------------------------------------------------------

test("webSocket.pingInterval: who does not answer is cut off", async (t) => {
  const server = await startServer(t, `${memory}webSocket: { pingInterval: 1 }\n`);
  const deaf = await raw(t, server);
  deaf.write(upgrade(key, version, sip));
  await readHead(deaf);
  await ended(deaf);
  await until(() => server.server.stack.connectionCount === 0);
});

test("RFC 6455 §5.5.2: who does not answer a ping is cut off at the next, who does stays", async (t) => {
  const clock = new VirtualClock();
  const driver = new NodeDriver();
  const stack = new Stack({ sink: driver, clock: driver.clock, random: nodeRandom });
  driver.attach(stack);
  const http = await serveHttp(makeUpgradeApp(), { host: "127.0.0.1", port: 0 });
  t.after(async () => {
    await driver.stop();
    await http.close();
  });
  new WebSocketGate(http.server, {
    listener: driver.listenForMessages({ transport: "WS", address: http.address, port: http.port }),
    ...{ origins: [], isOurHost: () => false, messageSize: 65_536, pingInterval: 25_000, clock },
  });
  const phone = async (autoPong: boolean) => {
    const socket = new WebSocket(`ws://127.0.0.1:${http.port}/`, "sip", { autoPong });
    t.after(() => socket.terminate());
    await once(socket, "open");
    return socket;
  };
  const [deaf, good] = [await phone(false), await phone(true)];
  await until(() => stack.connectionCount === 2);
  for (let i = 0; i < 3; i++) {
    const pinged = once(good, "ping");
    const cutOff = i === 1 ? once(deaf, "close") : undefined;
    clock.advance(25_000);
    await Promise.all([pinged, cutOff]);
    // What answers this ping of the phone's own comes when its pong has been read.
    good.ping();
    await once(good, "pong");
    assert.equal(deaf.readyState, i === 0 ? WebSocket.OPEN : WebSocket.CLOSED);
  }
  assert.equal(good.readyState, WebSocket.OPEN);
  await until(() => stack.connectionCount === 1);
});

test("limits.connectionsPerSource: one more gets 503 before the upgrade", async (t) => {
  const server = await startServer(t, `${memory}limits: { connectionsPerSource: 2 }\n`);
  const clients = [await open(t, server), await open(t, server)];
  // Silent ones would make room.
  for (const client of clients) {
    client.send(options("here"));
    await client.next();
  }
  const socket = await raw(t, server);
  socket.write(upgrade(key, version, sip));
  assert.match(await readHead(socket), /^HTTP\/1\.1 503 .*\r\nRetry-After: \d+/s);
});

test("limits.silentConnection: a client that never speaks is closed", async (t) => {
  const server = await startServer(t, `${memory}limits: { silentConnection: 1 }\n`);
  const client = await open(t, server);
  assert.equal(await client.closed, 1000);
});

test("back-pressure: a client that does not read is not read from, and the server stays small", async (t) => {
  const server = await startServer(t);
  const client = await open(t, server);
  client.socket.pause();
  const request = options("flood", `Subject: ${"x".repeat(20_000)}`);
  for (let i = 0; i < 2000; i++) client.send(request.replace("z9hG4bKflood", `z9hG4bKflood${i}`));
  // 2000 responses of 20 kB would be 40 MB: either side stops long before.
  const other = await open(t, server);
  other.send(options("meanwhile"));
  assert.match((await other.next()).text, /^SIP\/2\.0 200 /);
  assert(server.server.stack.transactionCount < 2000);
  client.socket.terminate();
});

test("stopping: clients are told 1001, new ones get 503", async (t) => {
  const server = await startServer(t);
  const client = await open(t, server);
  client.send(options("last"));
  await client.next();
  await server.server.stop();
  assert.equal(await client.closed, 1001);
});

test("RFC 6455 §5.2: connections cut after each byte of handshake and message leave nothing behind", async (t) => {
  const server = await startServer(t);
  const bytes = Buffer.concat([Buffer.from(upgrade(key, version, sip)), frame(options("cut"))]);
  const sockets = await Promise.all(
    Array.from({ length: bytes.length }, async (_, cut) => {
      const socket = await raw(t, server);
      socket.resume();
      socket.end(bytes.subarray(0, cut));
      await ended(socket);
      return socket;
    }),
  );
  assert.equal(sockets.length, bytes.length);
  await until(() => server.server.stack.connectionCount === 0);
  assert.equal(server.server.stack.transactionCount, 0);
  // The whole of it is heard.
  const socket = await raw(t, server);
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
  });
  socket.write(bytes);
  await until(() => heard.includes("SIP/2.0 200 OK"));
});

// --- Helpers -------------------------------------------------------------------------------------------------

interface Client {
  readonly socket: WebSocket;
  send(data: string | Buffer): void;
  next(): Promise<{ text: string; bytes: Buffer; isBinary: boolean }>;
  readonly closed: Promise<number>;
}

async function open(t: TestContext, { server }: RunningServer): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.httpPort}/`, "sip");
  t.after(() => socket.terminate());
  const inbox: { text: string; bytes: Buffer; isBinary: boolean }[] = [];
  socket.on("message", (bytes: Buffer, isBinary) => {
    inbox.push({ bytes, isBinary, text: bytes.toString() });
  });
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await once(socket, "open");
  return {
    socket,
    closed,
    send: (data) => socket.send(data),
    async next() {
      await until(() => inbox.length > 0);
      return inbox.shift() as { text: string; bytes: Buffer; isBinary: boolean };
    },
  };
}

async function raw(t: TestContext, { server }: RunningServer): Promise<Socket> {
  const socket = connect(server.httpPort as number, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** What has come once the head is whole, and what came with it. */
async function readHead(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await until(() => text.includes("\r\n\r\n"));
  return text;
}

async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

/** One masked text frame (RFC 6455 §5.2). */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}

function options(branch: string, ...more: string[]): string {
  return [
    "OPTIONS sip:127.0.0.1 SIP/2.0",
    `Via: SIP/2.0/WS k3.invalid;branch=z9hG4bK${branch}`,
    ...(more.some((line) => line.startsWith("From:")) ? [] : ["From: <sip:a@a.invalid>;tag=1"]),
    ...more,
    "To: <sip:127.0.0.1>",
    `Call-ID: ${branch}`,
    "CSeq: 1 OPTIONS",
    "Max-Forwards: 70",
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

/** Looks again and again, for 20 s at least: what is counted does not go on while this process stands still. */
async function until(done: () => boolean): Promise<void> {
  for (let looks = 0; !done(); looks++) {
    assert.ok(looks < 4000, "waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
