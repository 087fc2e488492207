// The torture messages sent to the whole server, as a stranger would: what comes back, and that nothing falls over.
// RFC 4475, RFC 5118; the column `stack` of torture/table.ts says what to expect.
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { OffhookServer, parseConfig } from "@offhook/server";
import { needs, until } from "./interop/peers/program.ts";
import { tortureTable } from "./torture/table.ts";

const host = "127.0.0.1";
/** RFC 3261 §18.2.2: answers go to the port in the topmost Via, whatever port the request came from. */
const viaPorts = [5060, 5050, 5070, 6050, 19823];
const domains = [
  "example.com",
  "example.net",
  "example.org",
  "company.com",
  "chair-dnrc.example.com",
  "registrar.example.com",
];
const config = `
domains: [${domains.join(", ")}]
listeners: [{ transport: udp, host: ${host}, port: 5080 }]
auth: { enabled: false }
accounts: any
store: { kind: memory }
http: false
dns: { servers: ["127.0.0.1:9"] }
log: { level: silent, calls: false }
`;

describe("torture messages through the server", needs("namespace"), () => {
  const sockets: Socket[] = [];
  let received: string[] = [];
  let probes = 0;

  before(async () => {
    for (const port of viaPorts) {
      const socket = createSocket("udp4");
      socket.on("message", (message) => received.push(message.toString("latin1")));
      socket.bind(port, host);
      await once(socket, "listening");
      sockets.push(socket);
    }
  });
  after(() => {
    for (const socket of sockets) socket.close();
  });

  /** An OPTIONS to the server itself: its answer comes after the answers to what was sent before. */
  async function probe(): Promise<void> {
    const callId = `torture-probe-${++probes}`;
    const lines = [
      `OPTIONS sip:${host}:5080 SIP/2.0`,
      `Via: SIP/2.0/UDP ${host}:5060;branch=z9hG4bK-${callId}`,
      "Max-Forwards: 70",
      `From: <sip:probe@${host}>;tag=1`,
      `To: <sip:${host}:5080>`,
      `Call-ID: ${callId}`,
      "CSeq: 1 OPTIONS",
      "Content-Length: 0",
    ];
    sockets[0]?.send(`${lines.join("\r\n")}\r\n\r\n`, 5080, host);
    const answer = await until("the probe to be answered", () =>
      received.find((text) => text.includes(callId)),
    );
    assert.match(answer, /^SIP\/2\.0 200 /);
    received = received.filter((text) => !text.includes(callId));
  }

  for (const row of tortureTable) {
    const { status } = row.stack;
    const expected =
      row.kind === "response" ? "nothing" : Array.isArray(status) ? status.join(" or ") : String(status);
    test(`${row.section}, ${row.title}: ${expected}`, async (t) => {
      // A server of its own for each: the files share Call-IDs and branches.
      const terminal = new Writable({ write: (_chunk, _encoding, done) => done() });
      const server = await OffhookServer.start({
        config: parseConfig(config, "torture.yaml"),
        folder: ".",
        terminal,
      });
      t.after(() => server.stop());
      received = [];
      const bytes = readFileSync(new URL(`./fixtures/torture/${row.file}`, import.meta.url));
      sockets[0]?.send(bytes, 5080, host);
      await probe();
      // Requests go nowhere from here, so whatever is to be said is said at once or not at all; the same once more is a
      // resend (§17.2.1), after half a second without an ACK.
      const finals = () =>
        [...new Set(received)]
          .filter((text) => /^SIP\/2\.0 [2-6]/.test(text))
          .map((text) => Number(text.slice(8, 11)));
      if (row.kind === "response" || status === "none") {
        assert.deepEqual(received, []);
      } else if (status === "policy") {
        assert.ok(
          received.every((text) => text.startsWith("SIP/2.0 ")),
          received.join("\n"),
        );
        assert.ok(
          finals().every((code) => code !== 400 && code !== 505 && code !== 513),
          `answered ${finals()}`,
        );
      } else if (row.stack.by === "user agent") {
        // For a proxy it is a request like any other: to a user who has no phone here.
        assert.ok(
          finals().every((code) => [...status, 480, 404].includes(code)),
          `answered ${finals()}`,
        );
      } else {
        assert.equal(finals().length, 1, received.join("\n"));
        assert.ok(status.includes(finals()[0] ?? 0), `answered ${finals()}`);
        for (const name of row.stack.headers ?? [])
          assert.match(received.join(""), new RegExp(`\r\n${name}: `));
      }
    });
  }
});
