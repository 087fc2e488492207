// UDP sockets that receive and send in batches, where the package `@offhook/udp-batch` is installed and compiled.
// Nothing here needs it: without it udp.ts uses node:dgram.

import { TransportError } from "../errors.ts";
import type { Flow, Listener, StackInput } from "../transport/index.ts";
import { describeListener, type ListenerSocket, type ListenOptions, type SocketHost } from "./host.ts";

/** A peer as the package knows it; `data` is ours. */
interface Peer {
  readonly address: string;
  readonly port: number;
  data: Flow | undefined;
}

interface BatchSocket {
  readonly address: string;
  readonly port: number;
  readonly receiveBufferSize: number;
  readonly sendBufferSize: number;
  bytes(index: number): Uint8Array;
  peer(index: number): Peer;
  peerAt(address: string, port: number): Peer | undefined;
  send(bytes: Uint8Array, peer: Peer): void;
  close(): void;
}

/** What `@offhook/udp-batch` exports, as far as it is used here. */
export interface BatchModule {
  readonly BatchSocket: new (options: {
    readonly address: string;
    readonly port: number;
    readonly receiveBufferSize: number;
    readonly sendBufferSize: number;
    readonly gather: number;
    onBatch(count: number): void;
    onSendFailed(peer: Peer, error: Error): void;
    onError(error: Error): void;
  }) => BatchSocket;
  readonly isAvailable: boolean;
  readonly whyUnavailable: string | undefined;
}

/** The package, or why it cannot be used. */
export async function loadBatchModule(): Promise<BatchModule | string> {
  // A name that is computed keeps it out of bundles and of the type checker's view: it may be absent.
  const name = ["@offhook", "udp-batch"].join("/");
  try {
    const module = (await import(name)) as BatchModule;
    return module.isAvailable ? module : `${name}: ${module.whyUnavailable}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** One bound socket. */
export class BatchedUdpSocket implements ListenerSocket {
  readonly listener: Listener;
  readonly bufferSizes: { readonly receive: number; readonly send: number };
  readonly isBatched = true;
  readonly #host: SocketHost;
  readonly #stack: StackInput;
  readonly #socket: BatchSocket;
  #isClosed = false;

  /** Binds. @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …) */
  constructor(
    { BatchSocket }: BatchModule,
    host: SocketHost,
    id: number,
    options: ListenOptions & { bufferSize: number; gather: number },
  ) {
    this.#host = host;
    this.#stack = host.stack;
    this.#socket = new BatchSocket({
      address: options.address,
      port: options.port ?? 0,
      receiveBufferSize: options.bufferSize,
      sendBufferSize: options.bufferSize,
      gather: options.gather,
      onBatch: (count) => this.#receive(count),
      onSendFailed: (peer, error) => this.#failed(this.#flowOf(peer, host.clock.now()), error),
      onError: (error) => host.report(error),
    });
    const { address, port, receiveBufferSize, sendBufferSize } = this.#socket;
    this.listener = describeListener(id, options, address, port);
    this.bufferSizes = { receive: receiveBufferSize, send: sendBufferSize };
  }

  send(flow: Flow, bytes: Uint8Array): void {
    const peer = (flow.handle as Peer | undefined) ?? this.#peerOf(flow);
    if (peer === undefined || this.#isClosed) {
      const error = new TransportError(this.#isClosed ? "the socket is closed" : "not an address to send to");
      queueMicrotask(() => this.#failed(flow, error));
      return;
    }
    this.#socket.send(bytes, peer);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#socket.close();
  }

  #receive(count: number): void {
    const now = this.#host.clock.now();
    for (let i = 0; i < count && !this.#isClosed; i++) {
      const flow = this.#flowOf(this.#socket.peer(i), now);
      this.#stack.receive(this.#socket.bytes(i), flow, now);
    }
    this.#host.afterInput();
  }

  #flowOf(peer: Peer, now: number): Flow {
    peer.data ??= this.#stack.acceptFlow(this.listener, peer, now);
    return peer.data;
  }

  #peerOf(flow: Flow): Peer | undefined {
    const peer = this.#socket.peerAt(flow.remote.address, flow.remote.port);
    if (peer === undefined) return undefined;
    // An older flow to the same peer may have been forgotten above: the newest one hears of failures.
    peer.data = flow;
    flow.handle = peer;
    return peer;
  }

  #failed(flow: Flow, error: Error): void {
    this.#stack.sendFailed(flow, error, this.#host.clock.now());
    this.#host.afterInput();
  }
}
