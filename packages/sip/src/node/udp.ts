// UDP sockets: by batches if it can be (batched-udp.ts), else by node:dgram.

import { createSocket, type Socket } from "node:dgram";
import { TransportError } from "../errors.ts";
import type { Flow, Listener } from "../transport/index.ts";
import { isIpv6 } from "../transport/index.ts";
import { BatchedUdpSocket, loadBatchModule } from "./batched-udp.ts";
import {
  describeListener,
  type ListenerSocket,
  type ListenOptions,
  plainBytes,
  type SocketHost,
} from "./host.ts";

const BUFFER_SIZE = 4 * 1024 * 1024;
/** Milliseconds: of no weight in a call that takes seconds to answer, and a batch of eight at the least. */
const GATHER = 8;

/**
 * Milliseconds between two sends to one peer whose outcome is asked for. Each such send costs a callback and a turn of
 * the queue of ticks; what fails in between, fails again at the resend (T1 or more later), which is asked for.
 */
const CHECK_INTERVAL = 200;
/** Longer datagrams than this are always asked about: they may be too long for the socket. */
const CHECK_SIZE = 8192;

/** A peer's `handle`: one callback for all datagrams to it. */
interface SendCheck {
  readonly callback: (error: Error | null) => void;
  /** When the next outcome is asked for. */
  due: number;
}

/** Binds. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …). */
export async function openUdp(
  host: SocketHost,
  id: number,
  options: ListenOptions,
): Promise<UdpSocket | BatchedUdpSocket> {
  const { batch, bufferSize = BUFFER_SIZE, gather = GATHER } = options;
  const sized = { ...options, bufferSize };
  const module = batch === false ? "not wanted" : await loadBatchModule();
  if (typeof module !== "string") return new BatchedUdpSocket(module, host, id, { ...sized, gather });
  if (batch === true) throw new TransportError(`UDP in batches is not possible: ${module}`);
  return UdpSocket.open(host, id, sized);
}

/** One socket of node:dgram. */
class UdpSocket implements ListenerSocket {
  readonly listener: Listener;
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

  static async open(
    host: SocketHost,
    id: number,
    options: ListenOptions & { bufferSize: number },
  ): Promise<UdpSocket> {
    const { bufferSize } = options;
    const ipv6 = isIpv6(options.address);
    const family = ipv6 ? 6 : 4;
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
    flow.handle ??= { callback: (error) => error && this.#failed(flow, error), due: 0 } satisfies SendCheck;
    const check = flow.handle as SendCheck;
    const { address, port } = flow.remote;
    const now = this.#host.clock.now();
    const isChecked = now >= check.due || bytes.length > CHECK_SIZE;
    if (isChecked) check.due = now + CHECK_INTERVAL;
    try {
      this.#socket.send(bytes, port, address, isChecked ? check.callback : undefined);
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
