// What stands between and beside phones: bare connections, a forwarded port, a peer that is stopped.

import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type Socket as Connection, connect, createServer } from "node:net";
import { until } from "../interop/peers/program.ts";
import { printed } from "./phone.ts";

/** What a container's or cloud's port forwarding does: clients see the outer address, the server the forwarder's. */
export async function forwardPort(outer: string, port: number, inner: string, innerPort: number) {
  const flows = new Map<string, ReturnType<typeof createSocket>>();
  const front = createSocket("udp4");
  front.on("message", (bytes, from) => {
    const key = printed(from.address, from.port);
    let back = flows.get(key);
    if (back === undefined) {
      back = createSocket("udp4");
      back.on("message", (answer) => front.send(answer, from.port, from.address));
      back.bind(0, outer);
      flows.set(key, back);
    }
    back.send(bytes, innerPort, inner);
  });
  front.bind(port, outer);
  await once(front, "listening");
  const connections = new Set<Connection>();
  const server = createServer((client) => {
    const upstream = connect({ host: inner, port: innerPort, localAddress: outer });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      connections.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(port, outer);
  await once(server, "listening");
  return () => {
    for (const connection of connections) connection.destroy();
    for (const socket of flows.values()) socket.close();
    front.close();
    server.close();
  };
}

export const crlf = (lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
let counter = 0;
export const request = (method: string, uri: string, host: string, user = "somebody", more: string[] = []) =>
  crlf([
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/TCP ${host};branch=z9hG4bK-net-${++counter}`,
    "Max-Forwards: 70",
    `From: <sip:${user}@offhook.test>;tag=${counter}`,
    `To: <sip:${user}@offhook.test>`,
    `Call-ID: networks-${counter}`,
    `CSeq: 1 ${method}`,
    ...more,
    "Content-Length: 0",
  ]);

export async function connected(
  port: number,
  host = "127.0.0.1",
  localAddress?: string,
): Promise<Connection> {
  const connection = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
  connection.on("error", () => {});
  await once(connection, "connect", { signal: AbortSignal.timeout(20_000) });
  return connection;
}

/** Collects what a connection brings. */
export function reading(connection: Connection): { text: string; closed: boolean } {
  const seen = { text: "", closed: false };
  connection.on("data", (chunk) => {
    seen.text += chunk;
  });
  connection.on("close", () => {
    seen.closed = true;
  });
  return seen;
}

/** A program that listens on TCP and was stopped: its kernel takes connections until the queue is full, nobody answers. */
export class FrozenPeer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<FrozenPeer> {
    const program = `const server = require("node:net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 },
      () => process.stdout.write(server.address().port + "\\n", () => process.kill(process.pid, "SIGSTOP")))`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    const [port] = await once(child.stdout!, "data", { signal: AbortSignal.timeout(20_000) });
    const peer = new FrozenPeer(child, Number(port));
    await until("it to be stopped", async () => {
      const stat = await readFile(`/proc/${child.pid}/stat`, "latin1").catch(() => ") T");
      return stat.slice(stat.lastIndexOf(")")).startsWith(") T");
    });
    return peer;
  }

  end(): void {
    this.#process.kill("SIGKILL");
  }
}

export async function metric(httpPort: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m"))?.[1] ?? Number.NaN);
}
