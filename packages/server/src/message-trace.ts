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

/** Some blocks. */
class BlockArray {
  readonly bytes = new Uint8Array(blocksPerArray * blockSize);
  /** The same memory. */
  readonly words = new Uint32Array(this.bytes.buffer);
}

/** The memory of all traces: blocks, known by their numbers, each in one trace or free. */
export class TraceMemory {
  readonly #arrays: BlockArray[] = [];
  /** By block: the one that follows it, in its trace or among the free ones. */
  readonly #next: number[] = [];
  #free = none;

  /** The array with this block, from `startOf` on. */
  arrayOf(block: number): BlockArray {
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
      this.#arrays.push(new BlockArray());
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
// time's lowest 32 bits). A word each, so it starts where a word does. It is never parted; the message may be.
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
  /** Where the last block lies, */
  #array: BlockArray;
  /** and where in that array what comes next is written, at most up to #end. */
  #at: number;
  #end: number;
  /**
   * Whom messages came from or went to. Not the flows: they would keep their sockets. The first two apart, since a call has
   * no more most of the time.
   */
  #caller: Endpoint | undefined = undefined;
  #callee: Endpoint | undefined = undefined;
  #others: Endpoint[] | undefined = undefined;
  readonly #memory: TraceMemory;
  readonly #first: number;
  #last: number;

  constructor(memory: TraceMemory) {
    this.#memory = memory;
    this.#first = memory.take();
    this.#last = this.#first;
    this.#array = memory.arrayOf(this.#first);
    this.#at = memory.startOf(this.#first);
    this.#end = this.#at + blockSize;
  }

  /** Copies the bytes. */
  add(isSent: boolean, { transport, remote }: Flow, bytes: Uint8Array, at: number): void {
    const { length } = bytes;
    const peer = this.#peerNumber(remote);
    if (this.#end - this.#at < headSize) this.#grow();
    const { words } = this.#array;
    const word = this.#at >>> 2;
    words[word] = peer * 16 + numberOf(transport) * 2 + (isSent ? 1 : 0);
    words[word + 1] = length;
    words[word + 2] = at;
    this.#at += headSize;
    let from = 0;
    while (length - from > this.#end - this.#at) {
      const to = from + this.#end - this.#at;
      this.#array.bytes.set(bytes.subarray(from, to), this.#at);
      from = to;
      this.#grow();
    }
    this.#array.bytes.set(from === 0 ? bytes : bytes.subarray(from), this.#at);
    this.#at = upToWord(this.#at + length - from);
    this.count++;
    this.byteCount += length;
  }

  /** All of them, oldest first, as copies. None is older than `startedAt`. */
  messages(startedAt: number): TracedMessage[] {
    const memory = this.#memory;
    const messages: TracedMessage[] = [];
    let block = this.#first;
    let at = memory.startOf(block);
    let end = at + blockSize;
    const nextBlock = () => {
      block = memory.after(block);
      at = memory.startOf(block);
      end = at + blockSize;
    };
    while (messages.length < this.count) {
      if (end - at < headSize) nextBlock();
      const [mark = 0, length = 0, time = 0] = memory.arrayOf(block).words.subarray(at >>> 2);
      at += headSize;
      const bytes = new Uint8Array(length);
      for (let from = 0; from < length; ) {
        if (at === end) nextBlock();
        const part = Math.min(end - at, length - from);
        bytes.set(memory.arrayOf(block).bytes.subarray(at, at + part), from);
        from += part;
        at += part;
      }
      at = upToWord(at);
      messages.push({
        at: startedAt + ((time - startedAt) >>> 0),
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

  #grow(): void {
    const memory = this.#memory;
    const block = memory.takeAfter(this.#last);
    this.#last = block;
    this.#array = memory.arrayOf(block);
    this.#at = memory.startOf(block);
    this.#end = this.#at + blockSize;
  }
}

/** The first place from there on where a word can start. */
function upToWord(at: number): number {
  return (at + 3) & ~3;
}
