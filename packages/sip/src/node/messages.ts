// Connections that keep messages whole and are accepted outside: a WebSocket server hands them over, one SIP message
// in each of its own (RFC 7118 §5). What streams get from tcp.ts they get here.

import { StateError, TransportError } from "../errors.ts";
import type { Timer } from "../ports.ts";
import type { Endpoint, Flow, Listener } from "../transport/index.ts";
import { canonicalHost } from "../transport/index.ts";
import type { FlowSocket, ListenerSocket, SocketHost } from "./host.ts";
import { DROP_AT, PAUSE_AT, STALL_TIME } from "./tcp.ts";

/** A connection of a WebSocket library, as far as the driver needs it. */
export interface MessageSocket {
  /** Bytes given to `send` that have not left yet. */
  readonly bufferedAmount: number;
  /** Sends one message; `sent` is called when it has left, or cannot. */
  send(bytes: Uint8Array, sent: () => void): void;
  /** Reads no more until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends what is left, then ends. */
  close(): void;
  /** Ends at once. */
  destroy(): void;
}

/** What a driver lists for a server that accepts connections itself. */
export class MessageListener implements ListenerSocket {
  readonly listener: Listener;
  readonly #host: SocketHost;
  readonly #onOpen: (connection: MessageConnection) => void;
  readonly #onClosed: (connection: MessageConnection) => void;
  #isClosed = false;

  constructor(
    host: SocketHost,
    listener: Listener,
    onOpen: (connection: MessageConnection) => void,
    onClosed: (connection: MessageConnection) => void,
  ) {
    this.#host = host;
    this.listener = listener;
    this.#onOpen = onOpen;
    this.#onClosed = onClosed;
  }

  /**
   * A new connection, before its handshake: from now on it counts. Undefined if a limit refuses it, or nothing is
   * accepted any more.
   */
  accept(remote: Endpoint): MessageConnection | undefined {
    if (this.#isClosed) return undefined;
    const { stack, clock } = this.#host;
    const endpoint = { address: canonicalHost(remote.address), port: remote.port };
    const flow = stack.acceptFlow(this.listener, endpoint, clock.now());
    if (flow.state === "closed") return undefined;
    const connection = new MessageConnection(this.#host, flow, () => this.#onClosed(connection));
    this.#onOpen(connection);
    this.#host.afterInput();
    return connection;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}

/** One connection and its flow. Who accepted it says when it opens, what it brings, and when it ends. */
export class MessageConnection implements FlowSocket {
  readonly flow: Flow;
  readonly #host: SocketHost;
  #socket: MessageSocket | undefined;
  #error: Error | undefined;
  #stall: Timer | undefined;
  #onClosed: (() => void) | undefined;

  constructor(host: SocketHost, flow: Flow, onClosed: () => void) {
    this.#host = host;
    this.flow = flow;
    this.#onClosed = onClosed;
    flow.handle = this;
  }

  /**
   * The handshake is done.
   * @param peerIdentities what the peer's certificate has proved, if it showed a good one (RFC 5922 §7.1)
   */
  opened(socket: MessageSocket, peerIdentities?: readonly string[]): void {
    if (this.#socket !== undefined) throw new StateError("the connection is open already");
    if (this.flow.state === "closed") {
      // A limit, or `stop`, was faster than the handshake.
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#host.stack.flowOpened(this.flow, this.#host.clock.now(), peerIdentities);
    this.#host.afterInput();
  }

  /** One message has come, borrowed for the call. */
  received(bytes: Uint8Array): void {
    this.#host.stack.receive(bytes, this.flow, this.#host.clock.now());
    this.#host.afterInput();
  }

  /** It has ended, or will never open; with an error unless it ended in order. Once is enough. */
  closed(error?: Error): void {
    if (this.#onClosed === undefined) return;
    this.#stall?.cancel();
    this.#onClosed();
    this.#onClosed = undefined;
    this.#host.stack.flowClosed(this.flow, this.#error ?? error, this.#host.clock.now());
    this.#host.afterInput();
  }

  send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.send(bytes, () => this.#sent());
    const unsent = socket.bufferedAmount;
    if (unsent <= PAUSE_AT) return;
    if (unsent > DROP_AT) this.#drop();
    else if (this.#stall === undefined) {
      socket.pause();
      this.#stall = this.#host.clock.schedule(STALL_TIME, () => this.#drop());
    }
  }

  close(): void {
    if (this.#socket === undefined) this.closed();
    else {
      // The peer's part of the closing handshake has to be read.
      this.#stall?.cancel();
      this.#socket.resume();
      this.#socket.close();
    }
  }

  destroy(): void {
    if (this.#socket === undefined) this.closed();
    else this.#socket.destroy();
  }

  #sent(): void {
    if (this.#stall === undefined || (this.#socket?.bufferedAmount ?? 0) > PAUSE_AT) return;
    this.#stall.cancel();
    this.#stall = undefined;
    this.#socket?.resume();
  }

  #drop(): void {
    this.#error ??= new TransportError("the peer does not read what it is sent");
    this.#socket?.destroy();
  }
}
