// Bare sockets that carry text: for wire peers that speak SIP by hand, well or badly.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Endpoint, TransportName } from "../transport/index.ts";
import { isIpv6, StreamFraming } from "../transport/index.ts";
import { plainBytes } from "./host.ts";

/** One message as it came; a CRLF that answers a ping counts as one. */
export interface WireMessage {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

/** A socket, or one connection. */
export interface Wire {
  readonly transport: TransportName;
  readonly local: Endpoint;
  /** `to` is for datagrams only. Nothing is checked or added. */
  send(bytes: Uint8Array, to?: Endpoint): void;
  /** The next message; undefined if none comes within `timeout` milliseconds, or the connection has ended. */
  receive(timeout: number): Promise<WireMessage | undefined>;
  /** True once a connection has ended. */
  readonly isClosed: boolean;
  close(): Promise<void>;
}

/** What came and who waits for it. */
class Inbox {
  readonly #messages: WireMessage[] = [];
  #waiter: ((message: WireMessage | undefined) => void) | undefined;
  isClosed = false;

  push(message: WireMessage): void {
    if (this.#waiter) this.#waiter(message);
    else this.#messages.push(message);
  }

  close(): void {
    this.isClosed = true;
    this.#waiter?.(undefined);
  }

  async next(timeout: number): Promise<WireMessage | undefined> {
    const first = this.#messages.shift();
    if (first || this.isClosed) return first;
    return await new Promise((resolve) => {
      const done = (message: WireMessage | undefined) => {
        clearTimeout(timer);
        this.#waiter = undefined;
        resolve(message);
      };
      const timer = setTimeout(() => done(undefined), timeout);
      this.#waiter = done;
    });
  }
}

/** A UDP socket on a free port of this address. */
export async function udpWire(address: string = "127.0.0.1", port: number = 0): Promise<Wire> {
  const socket = createSocket({ type: isIpv6(address) ? "udp6" : "udp4", ipv6Only: isIpv6(address) });
  const inbox = new Inbox();
  socket.on("message", (bytes, from) => inbox.push({ bytes: plainBytes(bytes), from }));
  socket.on("error", () => {});
  socket.bind(port, address);
  await once(socket, "listening");
  const bound = socket.address();
  return {
    transport: "UDP",
    local: { address: bound.address, port: bound.port },
    send(bytes, to) {
      if (to) socket.send(bytes, to.port, to.address);
    },
    receive: (timeout) => inbox.next(timeout),
    get isClosed() {
      return inbox.isClosed;
    },
    async close() {
      if (inbox.isClosed) return;
      inbox.close();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** A TCP connection to this endpoint. */
export async function tcpWire(remote: Endpoint, localAddress?: string): Promise<Wire> {
  const socket = connect({
    host: remote.address,
    port: remote.port,
    noDelay: true,
    ...(localAddress !== undefined && { localAddress }),
  });
  await once(socket, "connect");
  return overSocket(socket);
}

/** A TLS connection to this endpoint; whoever answers is believed. */
export async function tlsWire(remote: Endpoint, options: ConnectionOptions = {}): Promise<Wire> {
  const socket = connectTls({
    ...{
      host: remote.address,
      port: remote.port,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    },
    ...options,
  });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return overSocket(socket, "TLS");
}

/** A listening TCP socket; `accept` gives its connections in turn. */
export interface WireServer {
  readonly local: Endpoint;
  accept(): Promise<Wire>;
  close(): Promise<void>;
}

export async function tcpWireServer(address: string = "127.0.0.1", port: number = 0): Promise<WireServer> {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    server.emit("accepted");
  });
  server.listen({ host: address, port, ipv6Only: isIpv6(address) });
  await once(server, "listening");
  const bound = server.address() as { address: string; port: number };
  return {
    local: { address: bound.address, port: bound.port },
    async accept() {
      while (accepted.length === 0) await once(server, "accepted");
      return overSocket(accepted.shift() as Socket);
    },
    async close() {
      for (const socket of accepted) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function overSocket(socket: Socket, transport: TransportName = "TCP"): Wire {
  const inbox = new Inbox();
  const from = { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
  const framing = new StreamFraming({ messageSize: 1_048_576 });
  framing.expectPong();
  const user = {
    message: (bytes: Uint8Array) => inbox.push({ bytes: bytes.slice(), from }),
    ping: () => inbox.push({ bytes: Uint8Array.of(13, 10, 13, 10), from }),
    pong: () => {
      inbox.push({ bytes: Uint8Array.of(13, 10), from });
      framing.expectPong();
    },
    broken: (_error: Error, head: Uint8Array) => inbox.push({ bytes: head, from }),
  };
  socket.on("data", (chunk: Buffer) => framing.push(plainBytes(chunk), user));
  socket.on("error", () => {});
  socket.on("close", () => inbox.close());
  return {
    transport,
    local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
    send: (bytes) => {
      socket.write(bytes);
    },
    receive: (timeout) => inbox.next(timeout),
    get isClosed() {
      return inbox.isClosed;
    },
    async close() {
      if (socket.destroyed) return;
      socket.end();
      socket.resume();
      if (!socket.closed) await once(socket, "close");
    },
  };
}
