// A flood of one failing request slows nobody else: one address sends as fast as it can, another one asks and is answered
// before it would have to ask again (T1, RFC 3261 §17.1.2.2).
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { freePort } from "./free-port.ts";
import { until } from "./interop/peers/program.ts";
import { OffhookServer } from "./interop/peers/server.ts";

const host = "127.0.0.1";
const flooder = "127.0.0.2";
/** Requests in a burst, one burst every 10 ms. */
const burst = 80;
const bursts = 200;
const T1 = 500;

function request(
  method: string,
  uri: string,
  from: string,
  port: number,
  id: string,
  more: string[] = [],
): string {
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from}:${port};branch=z9hG4bK${id}`,
    ...(more.some((line) => line.startsWith("Max-Forwards")) ? [] : ["Max-Forwards: 70"]),
    `From: <sip:caller@${host}>;tag=${id}`,
    `To: <sip:nobody@${host}>`,
    `Call-ID: ${id}`,
    `CSeq: 1 ${method}`,
    ...(method === "INVITE" ? [`Contact: <sip:caller@${from}:${port}>`] : []),
    ...more,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

// what the flood is made of, and the status that one of them gets
const floods: readonly (readonly [
  title: string,
  status: number,
  method: string,
  uri: string,
  more?: string[],
])[] = [
  ["INVITE without password", 407, "INVITE", `sip:nobody@${host}`],
  ["REGISTER without password", 401, "REGISTER", `sip:${host}`],
  ["too many hops", 483, "MESSAGE", `sip:nobody@${host}`, ["Max-Forwards: 0"]],
  ["malformed", 400, "MESSAGE", `sip:nobody@${host}`, ["Max-Forwards: 1000"]],
];

test("a flood of one failing request slows nobody else", async (t) => {
  const port = await freePort(host);
  const server = await OffhookServer.start(
    `domains: ["${host}"]
listeners: [{ transport: udp, host: 0.0.0.0, port: ${port} }]
limits: { requestsPerSource: 500 }
relay: { inbound: allow }
http: false
store: { kind: memory }
`,
  );
  t.after(() => server.close());
  for (const [title, status, method, uri, more] of floods) {
    await t.test(title, async () => {
      const sockets = await Promise.all([open(flooder), open(host)]);
      const [flood, asker] = sockets;
      try {
        const seen = new Map<string, number>();
        flood.on("message", (message) => {
          const code = message.toString("latin1", 8, 11);
          seen.set(code, (seen.get(code) ?? 0) + 1);
        });
        const answers = ask(asker, port, bursts / 4);
        for (let i = 0; i < bursts; i++) {
          for (let k = 0; k < burst; k++) {
            const id = `${title.length}f${i}-${k}`;
            flood.send(request(method, uri, flooder, flood.address().port, id, more), port, host);
          }
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        const waits = (await answers).sort((a, b) => a - b);
        // Of most of them: a server that falls behind makes each wait longer than the one before, a busy machine only some.
        const median = waits[waits.length >> 1]!;
        assert.ok(median < T1, `half of the answers took ${median} ms or more`);
        assert.ok((seen.get(String(status)) ?? 0) > 0, `the flood got ${JSON.stringify([...seen])}`);
        // Most of it was not worth an answer.
        const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
        assert.ok(total < (burst * bursts) / 2, `${total} of ${burst * bursts} were answered`);
      } finally {
        for (const socket of sockets) socket.close();
      }
    });
  }
});

async function open(address: string): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, address);
  await once(socket, "listening");
  return socket;
}

/** Sends OPTIONS to the server itself, one every 40 ms; how long each answer took, milliseconds. */
async function ask(socket: Socket, port: number, count: number): Promise<number[]> {
  const sentAt = new Map<string, number>();
  const waits: number[] = [];
  socket.on("message", (message) => {
    const text = message.toString("latin1");
    const id = /^Call-ID: (.*)\r$/m.exec(text)?.[1] ?? "";
    const sent = sentAt.get(id);
    if (sent === undefined) return;
    assert.match(text, /^SIP\/2\.0 200 /);
    waits.push(performance.now() - sent);
  });
  for (let i = 0; i < count; i++) {
    const id = `ask-${socket.address().port}-${i}`;
    sentAt.set(id, performance.now());
    socket.send(request("OPTIONS", `sip:${host}`, host, socket.address().port, id), port, host);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  await until(`${count} answers`, () => waits.length === count);
  return waits;
}
