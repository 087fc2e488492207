// One WebSocket for everything: RFC 7118 §4, §5; back again after a loss, RFC 5626 §4.5.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { parseMessage, type SipMessage } from "../message/index.ts";
import { nodeHash } from "../node/index.ts";
import { SeededRandom, settle, VirtualClock } from "../testing/index.ts";
import { UserAgent } from "../user-agent/index.ts";
import { WebDriver, type WebSocketLike, ws } from "./index.ts";

/** The server's side is the test. */
class FakeSocket implements WebSocketLike {
  static made: FakeSocket[] = [];
  static refuses = false;
  binaryType = "blob";
  bufferedAmount = 0;
  closedWith: number | undefined;
  readonly sent: (string | Uint8Array)[] = [];
  readonly url: string;
  readonly protocols: string;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;

  constructor(url: string, protocols: string) {
    if (FakeSocket.refuses) throw new Error("mixed content");
    this.url = url;
    this.protocols = protocols;
    FakeSocket.made.push(this);
  }
  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(code = 1005): void {
    this.closedWith ??= code;
    queueMicrotask(() => this.onclose?.({ code, wasClean: true } as never));
  }
  open(): void {
    this.onopen?.({} as never);
  }
  receive(data: string | ArrayBuffer): void {
    this.onmessage?.({ data } as never);
  }
  breaks(code = 1006): void {
    this.onclose?.({ code, wasClean: false } as never);
  }
  message(index: number): SipMessage {
    const data = this.sent[index];
    return parseMessage(typeof data === "string" ? new TextEncoder().encode(data) : (data as Uint8Array));
  }
  /** Answers the last request with this status. */
  answer(statusCode: number): void {
    const { headers } = this.message(this.sent.length - 1);
    const copied = ["Via", "From", "To", "Call-ID", "CSeq", "Contact"];
    const lines = copied.flatMap((name) => headers.rawAll(name).map((value) => `${name}: ${value}`));
    this.receive([`SIP/2.0 ${statusCode} x`, ...lines, "Content-Length: 0", "", ""].join("\r\n"));
  }
}

function setUp(url = "wss://sip.example.com/ws") {
  FakeSocket.made = [];
  FakeSocket.refuses = false;
  const clock = new VirtualClock();
  const network = new EventTarget();
  const runtime = {
    ...{ clock, hash: nodeHash, random: new SeededRandom(4) },
    createDriver: () => new WebDriver({ url, clock, network, WebSocket: FakeSocket }),
  };
  const ua = new UserAgent({
    aor: "sip:alice@example.com",
    transports: [{ runtime, transport: "WSS", address: "0.0.0.0" }],
  });
  return { clock, network, ua, sockets: FakeSocket.made };
}

async function registered() {
  const world = setUp();
  const registering = world.ua.register();
  await settle();
  const [socket] = world.sockets as [FakeSocket];
  socket.open();
  socket.answer(200);
  return { ...world, socket, registration: await registering };
}

for (const [url, complaint] of [
  ["https://sip.example.com", /ws: or wss:/],
  ["sip.example.com", /no URL/],
] as const) {
  test(`RFC 7118 §4: no transport for ${url}`, () => assert.throws(() => ws({ url }), complaint));
}

for (const [url, transport, address, port] of [
  ["ws://sip.example.com", "WS", "sip.example.com", 80],
  ["wss://sip.example.com/path", "WSS", "sip.example.com", 443],
  ["ws://192.0.2.1:8060", "WS", "192.0.2.1", 8060],
  ["ws://[2001:db8::1]:8060/", "WS", "2001:db8::1", 8060],
] as const) {
  test(`RFC 7118 §5: everything goes to ${url}`, async () => {
    const { ua, sockets } = setUp(url);
    for (const target of [
      "sip:bob@example.com",
      "sip:bob@192.0.2.7:5061;transport=tls",
      "sip:bob@[2001:db8::7]",
    ]) {
      ua.message(target, "hello").catch(() => {});
    }
    await settle();
    assert.deepEqual(
      sockets.map((socket) => [socket.url, socket.protocols, socket.binaryType]),
      [[url, "sip", "arraybuffer"]],
    );
    sockets[0]?.open();
    assert.equal(sockets[0]?.sent.length, 3);
    assert.equal(sockets[0]?.message(0).topVia.transport, transport);
    const driver = new WebDriver({ url, WebSocket: FakeSocket, network: new EventTarget() });
    assert.deepEqual(driver.nextHop, { transport, address, port, hostName: address });
    await driver.stop();
    const stopped = ua.stop(0);
    await settle();
    await stopped;
  });
}

for (const refuses of [true, false]) {
  test(`what an error says of the URL ends at its query (${refuses ? "refused" : "not connected"})`, async () => {
    const { ua, sockets } = setUp("wss://sip.example.com/ws?token=s3cret");
    FakeSocket.refuses = refuses;
    const outcome = assert.rejects(ua.message("sip:bob@example.com", "x"), (error: Error) => {
      const text = inspect(error, { depth: 9 });
      return /sip\.example\.com\/ws\b/.test(text) && !text.includes("s3cret");
    });
    await settle();
    sockets[0]?.breaks();
    await outcome;
  });
}

test("RFC 7118 §5: Via and Contact name a host that cannot be looked up, the same each time", async () => {
  const { socket, ua } = await registered();
  const [register] = [socket.message(0)];
  const { host, port } = register.topVia;
  assert.match(host, /^[a-z2-7]{12}\.invalid$/);
  assert.equal(port, undefined);
  assert.match(register.headers.raw("Contact") ?? "", new RegExp(`^<sip:alice@${host};transport=ws>;`));
  ua.message("bob", "hello").catch(() => {});
  await settle();
  assert.equal(socket.message(1).topVia.host, host);
});

test("RFC 7118 §4.2: text, but binary for what is no UTF-8; both are understood", async () => {
  const { socket, ua } = await registered();
  assert.equal(typeof socket.sent[0], "string");
  const body = new Uint8Array([0xfc, 0xff]);
  const sent = ua.request("MESSAGE", "bob", { body, contentType: "application/octet-stream" });
  await settle();
  assert(socket.sent[1] instanceof Uint8Array);
  const { headers } = socket.message(1);
  const lines = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${headers.raw(name)}`);
  const answer = new TextEncoder().encode(["SIP/2.0 202 x", ...lines, "", ""].join("\r\n"));
  socket.receive(answer.buffer);
  assert.equal((await sent).statusCode, 202);
});

test("RFC 5626 §4.5: a socket that breaks is replaced, and the registration made anew", async () => {
  const { socket, sockets, clock, registration } = await registered();
  socket.breaks();
  await settle();
  assert.equal(registration.state, "waiting");
  await clock.run(1_001);
  const second = sockets[1] as FakeSocket;
  second.breaks();
  await clock.run(2_001);
  const third = sockets[2] as FakeSocket;
  third.open();
  third.answer(200);
  await settle();
  assert.equal(registration.state, "registered");
  assert.equal(third.message(0).callId, socket.message(0).callId);
});

test("RFC 6455 §7.4.1: the server is going away (1001): the same", async () => {
  const { socket, sockets, clock, registration } = await registered();
  socket.close(1001);
  await clock.run(1_001);
  assert.equal(sockets.length, 2);
  assert.equal(registration.state, "registering");
});

test("offline: the socket is given up at once; online: tried at once", async () => {
  const { socket, sockets, clock, network, registration } = await registered();
  network.dispatchEvent(new Event("offline"));
  await settle();
  assert.equal(socket.closedWith, 1005);
  assert.equal(registration.state, "waiting");
  // As long as the network is away, each try fails.
  for (let i = 1; i < 8; i++) {
    await clock.runUntil(() => sockets.length > i);
    sockets[i]?.breaks();
    await settle();
  }
  network.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(sockets.length, 9);
  sockets[8]?.open();
  sockets[8]?.answer(200);
  await settle();
  assert.equal(registration.state, "registered");
});

test("§18.4: a socket that cannot even be made is a failure of the request", async () => {
  const { ua } = setUp();
  FakeSocket.refuses = true;
  await assert.rejects(ua.message("bob", "hello"), { statusCode: 503 });
});

test("a server that reads nothing is given up before the page drowns", async () => {
  const { socket, ua } = await registered();
  socket.bufferedAmount = 2_000_000;
  await assert.rejects(ua.message("bob", "hello"), { statusCode: 503 });
  assert.equal(socket.sent.length, 1);
});

test("stop(): unregisters, closes the socket, hears the network no more", async () => {
  const { socket, ua, network, sockets } = await registered();
  const stopped = ua.stop();
  await settle();
  assert.match(socket.message(1).headers.raw("Contact") ?? "", /expires=0/);
  socket.answer(200);
  await settle();
  await stopped;
  assert.equal(socket.closedWith, 1000);
  network.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(sockets.length, 1);
});
