// TCP by node:net: listening, connecting, and what every stream socket does for its flow.

import { connect, createServer, type Server, type Socket } from "node:net";
import { TransportError } from "../errors.ts";
import type { Timer } from "../ports.ts";
import type { Flow, Listener, Target } from "../transport/index.ts";
import { canonicalHost, isIpv6, isLoopback, isWildcard } from "../transport/index.ts";
import {
  describeListener,
  type FlowSocket,
  type ListenerSocket,
  type ListenOptions,
  plainBytes,
  type SocketHost,
} from "./host.ts";

/** Above this many unsent bytes nothing more is read: who does not listen need not be heard. */
export const PAUSE_AT = 65_536;
/** Above this many, or after this many milliseconds so, the peer is given up. */
export const DROP_AT = 1_048_576;
export const STALL_TIME = 32_000;
/** How long a close may wait for the last bytes to leave and for the peer to agree. */
const FLUSH_TIME = 3_000;
/** Probes for dead peers, milliseconds. */
export const probeAfter = 60_000;

/** Sockets with something to send: what one turn of the event loop gives cause to send leaves by one system call at its end. */
const corked = new Set<Socket>();

function uncorkAll(): void {
  for (const socket of corked) socket.uncork();
  corked.clear();
}

// `process.exit` does not wait for the end of the turn.
process.on("exit", uncorkAll);

/** A stream socket and the flow that runs over it. */
export class StreamSocket implements FlowSocket {
  readonly #host: SocketHost;
  readonly #socket: Socket;
  readonly #flow: Flow;
  #error: Error | undefined;
  #stall: Timer | undefined;
  #flush: NodeJS.Timeout | undefined;
  #onClosed: (() => void) | undefined;

  /**
   * `flow.handle` becomes this object.
   * @param explain puts an error of the socket into words
   */
  constructor(
    host: SocketHost,
    socket: Socket,
    flow: Flow,
    onClosed: () => void,
    explain: (error: Error) => TransportError = systemError,
  ) {
    this.#host = host;
    this.#socket = socket;
    this.#flow = flow;
    this.#onClosed = onClosed;
    flow.handle = this;
    socket.on("data", (chunk: Buffer) => {
      host.stack.receive(plainBytes(chunk), flow, host.clock.now());
      host.afterInput();
    });
    socket.on("drain", () => this.#drained());
    socket.on("error", (error) => {
      this.#error ??= explain(error);
    });
    socket.on("close", () => this.#closed());
  }

  /** Ours, while it is open. */
  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (!socket.writable) {
      // The peer has ended it, and we are about to hear of that: these bytes are lost.
      this.#error ??= new TransportError("the connection has ended");
      return;
    }
    if (socket.writableCorked === 0) {
      socket.cork();
      if (corked.size === 0) setImmediate(uncorkAll);
      corked.add(socket);
    }
    socket.write(bytes);
    if (socket.writableLength <= PAUSE_AT) return;
    // Only what the system does not take is held against the peer.
    socket.uncork();
    const unsent = socket.writableLength;
    if (unsent <= PAUSE_AT) return;
    if (unsent > DROP_AT) this.#drop();
    else if (!this.#stall) {
      socket.pause();
      this.#stall = this.#host.clock.schedule(STALL_TIME, () => this.#drop());
    }
  }

  /** Sends what is left, then ends; at once if nothing was ever sent. */
  close(): void {
    const socket = this.#socket;
    if (socket.connecting || socket.bytesWritten === 0) {
      socket.destroy();
      return;
    }
    socket.end();
    // Reads on, for nothing: closing with bytes unread would reset the connection, and the peer might lose
    // our last words.
    socket.resume();
    this.#flush ??= setTimeout(() => socket.destroy(), FLUSH_TIME).unref();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #drained(): void {
    this.#stall?.cancel();
    this.#stall = undefined;
    this.#socket.resume();
  }

  #drop(): void {
    this.#error ??= new TransportError("the peer does not read what it is sent");
    this.#socket.destroy();
  }

  #closed(): void {
    this.#stall?.cancel();
    clearTimeout(this.#flush);
    this.#onClosed?.();
    this.#onClosed = undefined;
    this.#host.stack.flowClosed(this.#flow, this.#error, this.#host.clock.now());
    this.#host.afterInput();
  }
}

/** One listening TCP socket. */
export class TcpListener implements ListenerSocket {
  readonly listener: Listener;
  readonly #server: Server;

  private constructor(server: Server, listener: Listener) {
    this.#server = server;
    this.listener = listener;
  }

  /** Binds; `accept` gets each connection. Rejects with the system's error. */
  static async open(
    host: SocketHost,
    id: number,
    options: ListenOptions,
    accept: (socket: Socket, listener: Listener) => void,
  ): Promise<TcpListener> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: probeAfter });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      const { address, port = 0 } = options;
      server.listen({ host: address, port, ipv6Only: isIpv6(address), backlog: 1024 }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new TransportError("not a TCP socket");
    const listener = describeListener(id, options, bound.address, bound.port);
    server.on("error", (error) => host.report(error));
    server.on("connection", (socket) => accept(socket, listener));
    return new TcpListener(server, listener);
  }

  /** Resolves once the connections that it accepted have ended too. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function systemError(error: Error): TransportError {
  return new TransportError(error.message, { cause: error });
}

/** The inbound flow of an accepted socket, "connecting"; undefined if it is refused, or gone already. */
export function acceptFlow(host: SocketHost, socket: Socket, listener: Listener): Flow | undefined {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) {
    socket.destroy();
    return undefined;
  }
  const remote = { address: canonicalHost(remoteAddress), port: remotePort };
  const flow = host.stack.acceptFlow(listener, remote, host.clock.now());
  if (flow.state === "closed") {
    // Reset rather than a polite end: no port of ours waits in TIME_WAIT for those whom a limit refuses.
    socket.on("error", () => {});
    socket.resetAndDestroy();
    return undefined;
  }
  return flow;
}

/** The stream of an accepted socket, open at once; undefined if it is refused, or gone already. */
export function acceptStream(
  host: SocketHost,
  socket: Socket,
  listener: Listener,
  onClosed: () => void,
): StreamSocket | undefined {
  const flow = acceptFlow(host, socket, listener);
  if (flow === undefined) return undefined;
  const stream = new StreamSocket(host, socket, flow, onClosed);
  host.stack.flowOpened(flow, host.clock.now());
  host.afterInput();
  return stream;
}

/** Where to connect to for an outbound flow, and from: the listener's address where that is one. */
export function connectOptions(
  flow: Flow,
  target: Target,
): { host: string; port: number; localAddress?: string } {
  const { address } = flow.listener;
  const bind = !isWildcard(address) && isLoopback(address) === isLoopback(target.address);
  return { host: target.address, port: target.port, ...(bind && { localAddress: address }) };
}

/** Connects for an outbound flow. */
export function connectStream(
  host: SocketHost,
  flow: Flow,
  target: Target,
  onClosed: () => void,
): StreamSocket {
  const socket = connect({
    ...connectOptions(flow, target),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: probeAfter,
  });
  const stream = new StreamSocket(host, socket, flow, onClosed);
  socket.on("connect", () => {
    host.stack.flowOpened(flow, host.clock.now());
    host.afterInput();
  });
  return stream;
}
