// A flood of one failing request slows nobody else: one address sends 8000 a second, whatever becomes of them, another one
// asks in the midst of it and is answered before it would have to ask again (T1, RFC 3261 §17.1.2.2).
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { freePort } from "./free-port.ts";
import { OffhookServer } from "./interop/peers/server.ts";

const host = "127.0.0.1";
const flooder = "127.0.0.2";
/** Requests in a millisecond, and for how many milliseconds. */
const rate = 8;
const duration = 2000;
/** More at once would only fill the server's receive buffer after a halt of ours. */
const mostAtOnce = 800;
/** Requests of one source in a second; as many more get 503, and what is beyond that no answer. */
const limit = 500;
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
limits: { requestsPerSource: ${limit} }
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
        const begin = performance.now();
        const elapsed = () => performance.now() - begin;
        let sent = 0;
        const seconds = () => Math.ceil(elapsed() / 1000) + 1;
        // At first it may have nothing but what the flood before has left of this second; after a halt it catches up.
        const isOver = () => elapsed() > duration && seen.has(String(status)) && sent > 4 * limit * seconds();
        const flooding = async () => {
          for (; !isOver(); await setTimeout(10)) {
            const due = Math.min(rate * elapsed() - sent, mostAtOnce);
            for (let k = 0; k < due; k++) {
              const id = `${title.length}f${sent++}`;
              flood.send(request(method, uri, flooder, flood.address().port, id, more), port, host);
            }
          }
        };
        const waits: number[] = [];
        const asking = async () => {
          for (; !isOver(); await setTimeout(10)) {
            waits.push(await ask(asker, port, `${title.length}ask${waits.length}`));
          }
        };
        await Promise.all([flooding(), asking()]);
        const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
        // Of most of them: a server that falls behind makes each wait longer than the one before, a halt only some.
        const median = waits.sort((a, b) => a - b)[waits.length >> 1]!;
        assert.ok(median < T1, `half of the answers took ${median} ms or more`);
        // What is beyond twice the limit was not worth an answer.
        assert.ok(total <= 2 * limit * seconds(), `${total} of ${sent} were answered in ${seconds()} s`);
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

/** Asks the server itself, again every T1 as a user agent does if the datagram was lost; milliseconds to the first answer. */
async function ask(socket: Socket, port: number, id: string): Promise<number> {
  const own = socket.address();
  const text = request("OPTIONS", `sip:${host}`, own.address, own.port, id);
  const answer = Promise.withResolvers<string>();
  const hear = (message: Buffer) => {
    if (message.includes(id)) answer.resolve(message.toString("latin1"));
  };
  socket.on("message", hear);
  const sent = performance.now();
  const send = () => socket.send(text, port, host);
  const again = setInterval(send, T1);
  send();
  try {
    assert.match(await answer.promise, /^SIP\/2\.0 200 /);
    return performance.now() - sent;
  } finally {
    clearInterval(again);
    socket.off("message", hear);
  }
}
