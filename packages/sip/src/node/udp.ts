// UDP sockets by node:dgram.

import { createSocket, type Socket } from "node:dgram";
import { TransportError } from "../errors.ts";
import type { Flow, Listener } from "../transport/index.ts";
import { isIpv6 } from "../transport/index.ts";
import {
  describeListener,
  type ListenerSocket,
  type ListenOptions,
  plainBytes,
  type SocketHost,
} from "./host.ts";

const BUFFER_SIZE = 4 * 1024 * 1024;

type SendCallback = (error: Error | null) => void;

/** One bound UDP socket. */
export class UdpSocket implements ListenerSocket {
  readonly listener: Listener;
  /** What the system granted of the buffers asked for, in bytes. */
  readonly bufferSizes: { readonly receive: number; readonly send: number };
  readonly #host: SocketHost;
  readonly #socket: Socket;
  #isClosed = false;

  private constructor(host: SocketHost, socket: Socket, listener: Listener) {
    this.#host = host;
    this.#socket = socket;
    this.listener = listener;
    this.bufferSizes = { receive: socket.getRecvBufferSize(), send: socket.getSendBufferSize() };
    socket.on("message", (bytes, remote) => {
      const { stack, clock } = host;
      const now = clock.now();
      stack.receive(plainBytes(bytes), stack.acceptFlow(listener, remote, now), now);
      host.afterInput();
    });
    socket.on("error", (error) => host.report(error));
  }

  /** Binds. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …). */
  static async open(host: SocketHost, id: number, options: ListenOptions): Promise<UdpSocket> {
    const ipv6 = isIpv6(options.address);
    const family = ipv6 ? 6 : 4;
    const bufferSize = options.bufferSize ?? BUFFER_SIZE;
    const socket = createSocket({
      type: ipv6 ? "udp6" : "udp4",
      ipv6Only: ipv6,
      recvBufferSize: bufferSize,
      sendBufferSize: bufferSize,
      // All our addresses are literal: without this each send waits for a turn of the event loop.
      lookup: (address, _options, callback) => callback(null, address, family),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address: options.address, port: options.port ?? 0 }, () => {
        socket.removeAllListeners("error");
        resolve();
      });
    });
    const { address, port } = socket.address();
    return new UdpSocket(host, socket, describeListener(id, options, address, port));
  }

  send(flow: Flow, bytes: Uint8Array): void {
    if (this.#isClosed) {
      queueMicrotask(() => this.#failed(flow, new TransportError("the socket is closed")));
      return;
    }
    // One callback per peer, not per datagram.
    flow.handle ??= ((error) => {
      if (error) this.#failed(flow, error);
    }) satisfies SendCallback;
    const { address, port } = flow.remote;
    try {
      this.#socket.send(bytes, port, address, flow.handle as SendCallback);
    } catch (error) {
      // A port of 0 or an address that is none: someone else's Via or Contact said so.
      queueMicrotask(() => this.#failed(flow, error as Error));
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #failed(flow: Flow, error: Error): void {
    this.#host.stack.sendFailed(flow, error, this.#host.clock.now());
    this.#host.afterInput();
  }
}
