// The messages of one call, as they were: copied one behind the other into blocks of bytes that are used again for the
// next call. An object for each message, kept until its call is forgotten, would cost the garbage collector more than
// the copying costs us; they are made when somebody asks.

import type { Endpoint, Flow, TransportName } from "@offhook/sip/transport";

/** One message of a call. */
export interface TracedMessage {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly isSent: boolean;
  readonly transport: TransportName;
  /** The other end. */
  readonly remote: Endpoint;
  readonly bytes: Uint8Array;
}

const blockSize = 2048;

/**
 * Blocks that lie side by side in one array. With an array for each, whoever writes into one would wait for three
 * objects to come from memory, each naming the next, before the bytes themselves.
 */
const blocksPerArray = 512;

const none = -1;

/** The memory of all traces: blocks, known by their numbers, each in one trace or free. */
export class TraceMemory {
  readonly #arrays: Uint8Array[] = [];
  /** By block: the one that follows it, in its trace or among the free ones. */
  readonly #next: number[] = [];
  #free = none;

  /** The array with this block, from `startOf` on. */
  arrayOf(block: number): Uint8Array {
    return this.#arrays[Math.trunc(block / blocksPerArray)]!;
  }

  startOf(block: number): number {
    return (block % blocksPerArray) * blockSize;
  }

  /** A block that nobody has. */
  take(): number {
    const block = this.#free;
    if (block !== none) {
      this.#free = this.#next[block]!;
      return block;
    }
    const count = this.#next.push(none);
    if (count > this.#arrays.length * blocksPerArray) {
      this.#arrays.push(new Uint8Array(blocksPerArray * blockSize));
    }
    return count - 1;
  }

  /** Another block, to follow this one. */
  takeAfter(block: number): number {
    const next = this.take();
    this.#next[block] = next;
    return next;
  }

  after(block: number): number {
    return this.#next[block]!;
  }

  /** The blocks from `first` to `last`, of one trace. */
  giveBack(first: number, last: number): void {
    this.#next[last] = this.#free;
    this.#free = first;
  }
}

// What is before each message: whom it came from or went to, its transport and the direction; its length; when (the
// time's lowest 32 bits). 4 bytes each, high byte first. It is never parted; the message may be.
const headSize = 12;

const transports: readonly TransportName[] = ["UDP", "TCP", "TLS", "WS", "WSS"];

function numberOf(transport: TransportName): number {
  return transport === "UDP" ? 0 : transports.indexOf(transport);
}

export class MessageTrace {
  /** Messages in it. */
  count = 0;
  /** Bytes of these messages. */
  byteCount = 0;
  readonly #memory: TraceMemory;
  readonly #first: number;
  #last: number;
  /** Bytes of the last block. */
  #used = 0;
  /**
   * Whom messages came from or went to. Not the flows: they would keep their sockets. The first two apart, since a call has
   * no more most of the time.
   */
  #caller: Endpoint | undefined = undefined;
  #callee: Endpoint | undefined = undefined;
  #others: Endpoint[] | undefined = undefined;

  constructor(memory: TraceMemory) {
    this.#memory = memory;
    this.#first = memory.take();
    this.#last = this.#first;
  }

  /** Copies the bytes. */
  add(isSent: boolean, { transport, remote }: Flow, bytes: Uint8Array, at: number): void {
    const { length } = bytes;
    const peer = this.#peerNumber(remote);
    this.#writeHead(peer * 16 + numberOf(transport) * 2 + (isSent ? 1 : 0), length, at);
    const memory = this.#memory;
    let from = 0;
    while (length - from > blockSize - this.#used) {
      const to = from + blockSize - this.#used;
      const block = this.#last;
      memory.arrayOf(block).set(bytes.subarray(from, to), memory.startOf(block) + this.#used);
      from = to;
      this.#grow();
    }
    const block = this.#last;
    const rest = from === 0 ? bytes : bytes.subarray(from);
    memory.arrayOf(block).set(rest, memory.startOf(block) + this.#used);
    this.#used += length - from;
    this.count++;
    this.byteCount += length;
  }

  /** All of them, oldest first, as copies. None is older than `startedAt`. */
  messages(startedAt: number): TracedMessage[] {
    const memory = this.#memory;
    const messages: TracedMessage[] = [];
    let block = this.#first;
    let used = 0;
    const nextBlock = () => {
      block = memory.after(block);
      used = 0;
    };
    const take = (length: number) => {
      const start = memory.startOf(block) + used;
      used += length;
      return memory.arrayOf(block).subarray(start, start + length);
    };
    while (messages.length < this.count) {
      if (blockSize - used < headSize) nextBlock();
      const { buffer, byteOffset } = take(headSize);
      const head = new DataView(buffer, byteOffset, headSize);
      const mark = head.getUint32(0);
      const bytes = new Uint8Array(head.getUint32(4));
      for (let from = 0; from < bytes.length; ) {
        if (used === blockSize) nextBlock();
        const part = take(Math.min(blockSize - used, bytes.length - from));
        bytes.set(part, from);
        from += part.length;
      }
      messages.push({
        at: startedAt + ((head.getUint32(8) - startedAt) >>> 0),
        isSent: (mark & 1) === 1,
        transport: transports[(mark >>> 1) & 7]!,
        remote: this.#endpoint(mark >>> 4),
        bytes,
      });
    }
    return messages;
  }

  /** Gives its memory back; it must not be used any more. */
  release(): void {
    this.#memory.giveBack(this.#first, this.#last);
  }

  #peerNumber(remote: Endpoint): number {
    if (this.#caller === remote) return 0;
    if (this.#callee === remote) return 1;
    if (this.#caller === undefined) {
      this.#caller = remote;
      return 0;
    }
    if (this.#callee === undefined) {
      this.#callee = remote;
      return 1;
    }
    this.#others ??= [];
    const known = this.#others.indexOf(remote);
    return 2 + (known >= 0 ? known : this.#others.push(remote) - 1);
  }

  #endpoint(number: number): Endpoint {
    return (number === 0 ? this.#caller : number === 1 ? this.#callee : this.#others?.[number - 2])!;
  }

  #writeHead(mark: number, length: number, time: number): void {
    if (blockSize - this.#used < headSize) this.#grow();
    const memory = this.#memory;
    const bytes = memory.arrayOf(this.#last);
    const at = memory.startOf(this.#last) + this.#used;
    writeNumber(bytes, at, mark);
    writeNumber(bytes, at + 4, length);
    writeNumber(bytes, at + 8, time | 0);
    this.#used += headSize;
  }

  #grow(): void {
    this.#last = this.#memory.takeAfter(this.#last);
    this.#used = 0;
  }
}

function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
