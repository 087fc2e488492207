// A whole server on loopback with ports of the system's choosing, and phones beside it.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import type { TestContext } from "node:test";
import { udp } from "@offhook/sip/node";
import type { TransportName } from "@offhook/sip/transport";
import { UserAgent } from "@offhook/sip/user-agent";
import { parseConfig } from "./config.ts";
import { OffhookServer } from "./server.ts";

const loopback = (listeners: string, http: string) => `
listeners:
  - { transport: udp, host: 127.0.0.1, port: 0 }
  - { transport: tcp, host: 127.0.0.1, port: 0 }
${listeners}
${http}
log: { level: silent }
`;

export interface RunningServer {
  readonly server: OffhookServer;
  readonly folder: string;
  readonly udpPort: number;
  readonly tcpPort: number;
  /** Resolves once the terminal has shown this. */
  shows(pattern: RegExp): Promise<void>;
  /** Stopped before the server, so that they can unregister. */
  readonly phones: UserAgent[];
}

/** Starts a server; it and its folder go when the test ends. Bindings and accounts are in memory. */
export async function startServer(
  t: TestContext,
  more = "store: { kind: memory }\n",
  listeners = "",
  http = "http: { port: 0 }",
): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), "offhook-server-"));
  const terminal = new PassThrough();
  let shown = "";
  terminal.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
  });
  const phones: UserAgent[] = [];
  const config = parseConfig(loopback(listeners, http) + more, "test.yaml");
  const server = await OffhookServer.start({
    // A machine that halts the tests again and again is no overload of theirs: see overload.test.ts.
    config: { ...config, overload: { ...config.overload, eventLoopDelay: 600_000 } },
    folder,
    terminal,
  });
  t.after(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const port = (transport: TransportName) =>
    Number(
      server.listening
        .find((one) => one.startsWith(transport.toLowerCase()))
        ?.split(":")
        .pop(),
    );
  const shows = async (pattern: RegExp) => {
    while (!pattern.test(shown)) await once(terminal, "data", { signal: AbortSignal.timeout(20_000) });
  };
  return { server, folder, phones, shows, udpPort: port("UDP"), tcpPort: port("TCP") };
}

/** A phone of that user. */
export function makePhone({ udpPort, phones }: RunningServer, user: string, password?: string): UserAgent {
  const phone = new UserAgent({
    aor: `sip:${user}@127.0.0.1:${udpPort}`,
    transports: [udp({ address: "127.0.0.1" })],
    outboundProxy: `sip:127.0.0.1:${udpPort};lr`,
    ...(password === undefined ? {} : { credentials: { user, password } }),
  });
  phones.push(phone);
  return phone;
}

/** A session description that promises nothing. */
export const sdp = [
  ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 9 RTP/AVP 0", ""],
].join("\r\n");
