// A UDP socket that hands over all datagrams that wait at once, and sends all that was queued meanwhile by one system
// call. native/udp_batch.c is the other side of the memory that is read and written here.

import { isIPv6 } from "node:net";
import { getSystemErrorName } from "node:util";
import { Gathering } from "./gathering.ts";
import { type Native, type NativeSocket, native, unavailable } from "./native.ts";
import { Peer, PeerTable } from "./peer.ts";

export interface BatchSocketOptions<Data = unknown> {
  /** A literal address of this host; its family is the socket's. IPv6 sockets take IPv6 only. */
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** Bytes of buffer to ask the system for instead of its default; beyond its limit if the process may (CAP_NET_ADMIN). */
  readonly receiveBufferSize?: number;
  readonly sendBufferSize?: number;
  /**
   * Milliseconds that datagrams may wait, while many come, so that more are read at once: waking up costs as much as
   * handling several. Only until half a batch is expected, and only where that makes it at least eight: where less comes,
   * above 32 datagrams a millisecond, and for a second at a time where peers wait for our answers before they send more,
   * they are read as they come. At most 20. Default 0: always.
   */
  readonly gather?: number;
  /**
   * So many datagrams have come: `socket.bytes(i)` from `socket.peer(i)`, for i from 0. They are gone when this
   * returns. What is sent meanwhile leaves afterwards, together.
   */
  onBatch(count: number, socket: BatchSocket<Data>): void;
  /** The system refused a datagram to this peer. Never called during `send`. */
  onSendFailed?(peer: Peer<Data>, error: SystemError): void;
  /** Not for one peer: the socket could not be read, or datagrams are lost here because the system takes none. */
  onError?(error: Error): void;
}

/** An error of the system, as Node makes them. */
export interface SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly address: string;
  readonly port: number;
}

// Words of the shared memory, as in udp_batch.c.
const RECEIVED = 0;
const QUEUED = 1;
const USED = 2;
const FAILED = 3;
const LOST = 4;
const SOCKET_ERROR = 5;
const NOW = 6;
const WAIT = 7;
const SCRATCH = 8;
const ADDRESS = 7;
const EMSGSIZE = 90;
// Where everything else is, of which the compiled half alone knows; constants here, as they are needed for each datagram.
const {
  received = 0,
  queued = 0,
  failed = 0,
  slots = 0,
  slotSize = 0,
  queueLength = 0,
  areaSize = 0,
} = native ?? {};

const open = new Set<{ close(): void }>();

/** Sockets of this process, or worker thread, that are open: they keep it alive, and Node does not list them. */
export function openSockets(): number {
  return open.size;
}

// `process.exit` does not wait for the event loop.
if (native !== undefined) process.on("exit", () => open.forEach((socket) => void socket.close()));

export class BatchSocket<Data = unknown> {
  /** As bound. */
  readonly address: string;
  readonly port: number;
  /** What the system granted, in bytes. */
  readonly receiveBufferSize: number;
  readonly sendBufferSize: number;
  readonly #options: BatchSocketOptions<Data>;
  readonly #native: Native;
  readonly #socket: NativeSocket;
  readonly #buffer: ArrayBuffer;
  readonly #isIpv6: boolean;
  readonly #words: Int32Array;
  /** Where datagrams wait to be sent. */
  readonly #area: Uint8Array;
  readonly #peers: PeerTable<Data>;
  readonly #gathering: Gathering | undefined;
  #lost = 0;
  #isBlocked = false;
  #isClosed = false;

  /**
   * Binds.
   * @throws {RangeError} for a time to gather that is none
   * @throws {SystemError} EADDRINUSE, EACCES, EADDRNOTAVAIL …
   * @throws {Error} where batch sockets are not available
   */
  constructor(options: BatchSocketOptions<Data>) {
    if (native === undefined) throw new Error(`no batch sockets: ${unavailable}`);
    const { address, port, receiveBufferSize = 0, sendBufferSize = 0, gather = 0 } = options;
    this.#gathering = gather === 0 ? undefined : new Gathering(gather);
    const ipv6 = isIPv6(address);
    const socket = native.open(ipv6, address, port, receiveBufferSize, sendBufferSize, () => this.#onEvent());
    if (typeof socket === "number") throw systemError(socket, "bind", address, port);
    this.#options = options;
    this.#native = native;
    this.#socket = socket;
    this.#buffer = socket.buffer;
    this.#isIpv6 = ipv6;
    this.#words = new Int32Array(socket.buffer, 0, native.words);
    this.#area = new Uint8Array(socket.buffer, native.area, native.areaSize);
    this.#peers = new PeerTable(this.#words, ipv6);
    this.receiveBufferSize = socket.receiveBufferSize;
    this.sendBufferSize = socket.sendBufferSize;
    this.address = native.printAddress(socket, SCRATCH);
    this.port = this.#portAt(SCRATCH);
    open.add(this);
  }

  /** Datagrams given to `send` that were lost here, because the system took none for too long. */
  get lost(): number {
    return this.#lost + (this.#words[LOST] ?? 0);
  }

  /** True once `close` was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A datagram of the batch in hand, in memory that the next batch takes. */
  bytes(index: number): Uint8Array {
    const length = this.#words[received + index * (1 + ADDRESS)]!;
    return new Uint8Array(this.#buffer, slots + index * slotSize, length);
  }

  /** Who sent a datagram of the batch in hand: the same object as the last time, unless that is long ago. */
  peer(index: number): Peer<Data> {
    return this.#peer(received + index * (1 + ADDRESS) + 1);
  }

  /** The peer at an address, to send to; undefined if that is not a literal address of the socket's family. */
  peerAt(address: string, port: number): Peer<Data> | undefined {
    return this.#native.parseAddress(this.#socket, address, port) ? this.#peer(SCRATCH) : undefined;
  }

  /**
   * Queues a datagram; the bytes are copied. It leaves at the end of the batch, or before the event loop waits again.
   * If the system takes no more, up to 1024 datagrams in 1 MiB wait until it does; what comes then is lost, as in a
   * full queue anywhere on the way.
   */
  send(bytes: Uint8Array, peer: Peer<Data>): void {
    if (this.#isClosed) return;
    const words = this.#words;
    const { length } = bytes;
    let count = words[QUEUED]!;
    let used = words[USED]!;
    if (count === queueLength || used + length > areaSize) {
      this.#native.flush(this.#socket);
      count = words[QUEUED]!;
      used = words[USED]!;
      if (count === queueLength || used + length > areaSize) {
        if (length > areaSize) this.#fail(peer, EMSGSIZE);
        else this.#lose();
        return;
      }
    }
    if (count === 0) this.#isBlocked = false;
    this.#area.set(bytes, used);
    const entry = queued + count * (2 + ADDRESS);
    words[entry] = used;
    words[entry + 1] = length;
    this.#write(peer, entry + 2);
    words[USED] = used + length;
    words[QUEUED] = count + 1;
  }

  /** Sends what is queued, as far as the system takes it now, and closes. Nothing is called any more. */
  close(): void {
    if (this.#isClosed) return;
    open.delete(this);
    this.#isClosed = true;
    this.#native.close(this.#socket);
  }

  #onEvent(): void {
    const words = this.#words;
    if (words[FAILED]! > 0) this.#tellFailures();
    if (words[SOCKET_ERROR]! > 0) {
      this.#options.onError?.(systemError(-words[SOCKET_ERROR]!, "recvmmsg", this.address, this.port));
    }
    const count = words[RECEIVED]!;
    if (count === 0 || this.#isClosed) return;
    if (this.#gathering !== undefined) words[WAIT] = this.#gathering.after(count, words[NOW]!);
    this.#options.onBatch(count, this);
  }

  #tellFailures(): void {
    const words = this.#words;
    const failures: { peer: Peer<Data>; errno: number }[] = [];
    for (let i = 0; i < words[FAILED]!; i++) {
      const entry = failed + i * (1 + ADDRESS);
      failures.push({ peer: this.#peer(entry + 1), errno: words[entry]! });
    }
    // Before anybody hears of them: what is sent in answer may fail too.
    words[FAILED] = 0;
    for (const { peer, errno } of failures) {
      if (this.#isClosed) return;
      this.#options.onSendFailed?.(peer, systemError(-errno, "send", peer.address, peer.port));
    }
  }

  /** A datagram that cannot even be queued: told with those that the system refuses. */
  #fail(peer: Peer<Data>, errno: number): void {
    const words = this.#words;
    if (words[FAILED]! >= queueLength) return;
    const entry = failed + words[FAILED]!++ * (1 + ADDRESS);
    words[entry] = errno;
    this.#write(peer, entry + 1);
  }

  #lose(): void {
    this.#lost++;
    if (this.#isBlocked) return;
    this.#isBlocked = true;
    const error = new Error(`${this.address}:${this.port} cannot send: datagrams are lost`);
    queueMicrotask(() => this.#options.onError?.(error));
  }

  #peer(word: number): Peer<Data> {
    const known = this.#peers.find(word);
    if (known !== undefined) return known;
    const address = this.#native.printAddress(this.#socket, word);
    const peer = new Peer<Data>(address, this.#portAt(word), this.#words, word);
    this.#peers.add(peer);
    return peer;
  }

  #write(peer: Peer<Data>, at: number): void {
    const words = this.#words;
    words[at] = peer.w0;
    words[at + 1] = peer.w1;
    if (!this.#isIpv6) return;
    words[at + 2] = peer.w2;
    words[at + 3] = peer.w3;
    words[at + 4] = peer.w4;
    words[at + 5] = peer.w5;
    words[at + 6] = peer.w6;
  }

  /** The two bytes after the family, most significant first. */
  #portAt(word: number): number {
    const bytes = new DataView(this.#socket.buffer, word * 4, 4);
    return bytes.getUint16(2);
  }
}

function systemError(errno: number, syscall: string, address: string, port: number): SystemError {
  const code = getSystemErrorName(errno);
  const error = new Error(`${syscall} ${code} ${address}:${port}`);
  return Object.assign(error, { code, errno, syscall, address, port });
}
