// SIPp's own caller and callee through our server, over UDP and TCP: the calls of RFC 3665 §3.1 at a modest rate.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, test } from "node:test";
import { freePort } from "../free-port.ts";
import { needs } from "./peers/program.ts";
import { configuration, OffhookServer } from "./peers/server.ts";
import { startSipp } from "./peers/sipp.ts";
import { Capture } from "./peers/tshark.ts";

/** Registers `contact` for `aor` with one datagram; the server takes it without password here. */
async function register(host: string, port: number, aor: string, contact: string): Promise<string> {
  const socket = createSocket("udp4");
  socket.bind(0, host);
  await once(socket, "listening");
  const own = socket.address().port;
  const lines = [
    `REGISTER sip:${host} SIP/2.0`,
    `Via: SIP/2.0/UDP ${host}:${own};branch=z9hG4bK-${own}`,
    "Max-Forwards: 70",
    `From: <${aor}>;tag=${own}`,
    `To: <${aor}>`,
    `Call-ID: register-${own}`,
    "CSeq: 1 REGISTER",
    `Contact: <${contact}>`,
    "Expires: 600",
    "Content-Length: 0",
  ];
  const answer = once(socket, "message", { signal: AbortSignal.timeout(20_000) });
  socket.send(`${lines.join("\r\n")}\r\n\r\n`, port, host);
  const [message] = await answer;
  socket.close();
  return String(message);
}

// Each has servers, ports and a capture of its own.
describe("SIPp on both sides", { concurrency: true }, () => {
  for (const transport of ["udp", "tcp"] as const) {
    test(
      `SIPp uac → server → SIPp uas over ${transport.toUpperCase()}: no failed call`,
      needs("sipp", "tshark"),
      async (t) => {
        const host = "127.0.0.1";
        const port = await freePort(host);
        const capture = await Capture.start();
        t.after(() => capture.close());
        const server = await OffhookServer.start(
          configuration(host, port, "auth: { enabled: false }\naccounts: any\nstore: { kind: memory }\n"),
        );
        t.after(() => server.close());
        const calleePort = await freePort(host);
        const mode = transport === "udp" ? "u1" : "t1";
        const callee = await startSipp(["-sn", "uas", "-i", host, "-p", String(calleePort), "-t", mode]);
        t.after(() => callee.program.stop("SIGTERM"));
        const answer = await register(
          host,
          port,
          `sip:service@${host}`,
          `sip:service@${host}:${calleePort};transport=${transport}`,
        );
        assert.match(answer, /^SIP\/2\.0 200 /);

        const calls = 200;
        const caller = await startSipp([
          ...["-sn", "uac", "-i", host, "-p", String(await freePort(host)), "-t", mode, "-s", "service"],
          ...[
            "-r",
            "50",
            "-m",
            String(calls),
            "-d",
            "100",
            "-timeout",
            "60",
            "-recv_timeout",
            "10000",
            `${host}:${port}`,
          ],
        ]);
        const result = await caller.result();
        assert.deepEqual(
          { exitCode: result.exitCode, successful: result.successful, failed: result.failed },
          { exitCode: 0, successful: calls, failed: 0 },
          result.output,
        );
        await capture.stop();
        const { messages, faults } = await capture.sentFrom(port);
        assert.equal(faults, "");
        // INVITE, 180, 200, ACK, BYE, 200 leave the server for each call.
        assert.ok(
          messages >= calls * (transport === "udp" ? 6 : 1),
          `${messages} messages of ours were captured`,
        );
      },
    );
  }
});
