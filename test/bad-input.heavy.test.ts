// A server in a process of its own under bad input: nothing stops it, slows it for others, or stays behind in it.
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Socket as Connection, connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { freePort } from "./free-port.ts";
import { until } from "./interop/peers/program.ts";
import { configuration, OffhookServer } from "./interop/peers/server.ts";

const host = "127.0.0.1";
/** Somebody else than the one who misbehaves: another source address. */
const otherHost = "127.0.0.2";
const crlf = (lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
let counter = 0;

/** A UDP peer that keeps what it gets. */
class Peer {
  readonly socket: Socket;
  readonly received: string[] = [];
  readonly address: string;

  private constructor(socket: Socket, address: string) {
    this.socket = socket;
    this.address = address;
    socket.on("message", (message) => this.received.push(message.toString("latin1")));
    socket.on("error", () => {});
  }

  static async at(address: string): Promise<Peer> {
    const socket = createSocket("udp4");
    socket.bind(0, address);
    await once(socket, "listening");
    return new Peer(socket, address);
  }

  get port(): number {
    return this.socket.address().port;
  }

  via(): string {
    return `Via: SIP/2.0/UDP ${this.address}:${this.port};branch=z9hG4bK-bad-${++counter}`;
  }

  send(text: string | Uint8Array, port: number): void {
    this.socket.send(text, port, host);
  }

  /** Sends and waits for the answer that carries the Call-ID. */
  async ask(text: string, port: number): Promise<string> {
    const callId = text.match(/^Call-ID: (.*)\r$/m)?.[1] ?? "";
    this.send(text, port);
    return until(
      `an answer to ${text.split("\r\n")[0]}`,
      () => this.received.find((message) => message.includes(callId)),
      20_000,
    );
  }
}

describe("bad input is a normal day", () => {
  let port: number;
  let httpPort: number;
  let server: OffhookServer;
  let bad: Peer;
  let good: Peer;

  const request = (peer: Peer, method: string, more: string[] = [], uri = `sip:${host}:${port}`) =>
    crlf([
      `${method} ${uri} SIP/2.0`,
      peer.via(),
      "Max-Forwards: 70",
      `From: <sip:eve@${host}>;tag=${counter}`,
      `To: <sip:eve@${host}>`,
      `Call-ID: bad-input-${++counter}@${peer.address}`,
      `CSeq: 1 ${method}`,
      ...more,
      "Content-Length: 0",
    ]);

  /** The others are served: an OPTIONS from another address gets its 200; sent again as a client does, it may be lost. */
  async function othersAreServed(): Promise<void> {
    const text = request(good, "OPTIONS");
    const again = setInterval(() => good.send(text, port), 500);
    try {
      assert.match(await good.ask(text, port), /^SIP\/2\.0 200 /);
    } finally {
      clearInterval(again);
    }
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    return Number(text.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m"))?.[1] ?? Number.NaN);
  }

  before(async () => {
    [port, httpPort] = [await freePort(host), await freePort(host)];
    const limits = "limits: { silentConnection: 3, connectionsPerSource: 1500 }";
    const text = configuration(host, port, limits).replace(
      "http: { port: 0 }",
      `http: { port: ${httpPort} }`,
    );
    server = await OffhookServer.start(text, [{ name: "eve", password: "right-one-1" }]);
    [bad, good] = [await Peer.at(host), await Peer.at(otherHost)];
  });

  after(async () => {
    bad?.socket.close();
    good?.socket.close();
    assert.equal(await server?.close(), 0, server?.program.output.slice(-2000));
  });

  test("§8.2 a malformed request gets the status its error names, and is counted", async () => {
    const before = await metric("offhook_malformed_total");
    const text = request(bad, "OPTIONS").replace(/^CSeq: .*$/m, "CSeq: 99999999999 OPTIONS");
    assert.match(await bad.ask(text, port), /^SIP\/2\.0 400 /);
    const version = request(bad, "OPTIONS").replace("SIP/2.0\r\n", "SIP/7.0\r\n");
    assert.match(await bad.ask(version, port), /^SIP\/2\.0 505 /);
    assert.equal(await metric("offhook_malformed_total"), before + 2);
    await othersAreServed();
  });

  test("§18.1.2 malformed and unasked responses, stray ACKs and noise are dropped without an answer", async () => {
    const seen = bad.received.length;
    for (let i = 0; i < 500; i++) {
      bad.send(`SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ${host}:${port};branch=z9hG4bKnobody${i}\r\n\r\n`, port);
      bad.send(
        crlf([
          `SIP/2.0 200 OK`,
          `Via: SIP/2.0/UDP ${host}:${port};branch=z9hG4bKno${i}`,
          "From: <sip:a@b>;tag=1",
          "To: <sip:a@b>;tag=2",
          "Call-ID: x",
          "CSeq: 1 INVITE",
          "Content-Length: 0",
        ]),
        port,
      );
      bad.send(request(bad, "ACK"), port);
      bad.send(crypto.getRandomValues(new Uint8Array(200)), port);
      bad.send("\r\n\r\n", port);
    }
    await othersAreServed();
    // The good peer's answer was sent after all of the above was read; nothing came back for it.
    assert.deepEqual(bad.received.slice(seen), []);
    await until(
      "no transaction is left of it",
      async () => (await metric("offhook_transactions")) <= 5,
      40_000,
    );
  });

  test("§18.3 half a message on a connection, and then nothing: the connection ends, others go on", async () => {
    const connection = connect(port, host);
    await once(connection, "connect");
    connection.write("INVITE sip:eve@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1");
    await othersAreServed();
    connection.resume();
    await once(connection, "close", { signal: AbortSignal.timeout(20_000) });
  });

  test("a 70 kB header: refused and closed on TCP, answered or dropped on UDP", async () => {
    const connection = connect(port, host);
    await once(connection, "connect");
    let answer = "";
    connection.on("data", (chunk) => {
      answer += chunk;
    });
    connection.on("error", () => {});
    connection.write(
      request(bad, "OPTIONS", [`Subject: ${"x".repeat(70_000)}`]).replaceAll("SIP/2.0/UDP", "SIP/2.0/TCP"),
    );
    await once(connection, "close", { signal: AbortSignal.timeout(20_000) });
    assert.match(answer, /^$|^SIP\/2\.0 (400|413|513) /);
    bad.send(request(bad, "OPTIONS", [`Subject: ${"x".repeat(60_000)}`]), port);
    await othersAreServed();
  });

  test("2 000 connections that say nothing: others still connect and are served, then they are closed", async () => {
    const silent: Connection[] = [];
    let closed = 0;
    for (let i = 0; i < 2000; i++) {
      const connection = connect(port, host);
      connection.on("error", () => {});
      connection.on("close", () => closed++);
      connection.resume();
      silent.push(connection);
      if (i % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the limit of one source to be reached", async () => closed >= 500);
    await othersAreServed();
    const other = connect({ port, host, localAddress: otherHost });
    await once(other, "connect");
    other.write(request(good, "OPTIONS").replaceAll("SIP/2.0/UDP", "SIP/2.0/TCP"));
    const [answer] = await once(other, "data", { signal: AbortSignal.timeout(20_000) });
    assert.match(String(answer), /^SIP\/2\.0 200 /);
    other.destroy();
    await until("the silent ones to be closed", () => closed === silent.length, 20_000);
    await until("the server to know no connection", async () => (await metric("offhook_connections")) === 0);
  });

  test("a REGISTER flood with wrong passwords: throttled, others register, the right password works from elsewhere", async () => {
    const register = (peer: Peer, more: string[]) =>
      request(peer, "REGISTER", [`Contact: <sip:eve@${peer.address}:${peer.port}>`, ...more]);
    const challenge = await bad.ask(register(bad, []), port);
    assert.match(challenge, /^SIP\/2\.0 401 /);
    const nonce = challenge.match(/nonce="([^"]+)"/)?.[1] ?? "";
    const realm = challenge.match(/realm="([^"]+)"/)?.[1] ?? "";
    for (let i = 0; i < 3000; i++) {
      const credentials = `Digest username="eve", realm="${realm}", nonce="${nonce}", uri="sip:${host}", response="${"0".repeat(31)}${i % 10}", algorithm=MD5, qop=auth, cnonce="c", nc=${(i + 1).toString(16).padStart(8, "0")}`;
      bad.send(register(bad, [`Authorization: ${credentials}`]), port);
      if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
    await othersAreServed();
    assert.ok((await metric("offhook_auth_failures_total")) >= 10);
    assert.ok((await metric("offhook_auth_throttled_total")) > 0);
    assert.equal(await metric("offhook_bindings"), 0);
    assert.doesNotMatch(server.program.output, /right-one-1/);
  });

  test("after all this no connection is left, no user is registered, and others are served", async () => {
    // That transactions end with their timers is shown in virtual time, in transaction-layer.test.ts.
    assert.equal(await metric("offhook_connections"), 0);
    assert.equal(await metric("offhook_bindings"), 0);
    await othersAreServed();
  });
});
