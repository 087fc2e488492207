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

/** A piece of a trace, and the next one. */
class Block {
  readonly bytes = new Uint8Array(blockSize);
  next: Block | undefined = undefined;
}

/** Blocks that no trace needs at present. */
export class TraceBlocks {
  #free: Block | undefined;

  take(): Block {
    const block = this.#free;
    if (block === undefined) return new Block();
    this.#free = block.next;
    block.next = undefined;
    return block;
  }

  /** The blocks from `first` to `last`, linked to each other. */
  giveBack(first: Block, last: Block): void {
    last.next = this.#free;
    this.#free = first;
  }
}

/** Whom messages came from or went to. Not the flow: it would keep its socket. */
interface Peer {
  readonly transport: TransportName;
  readonly remote: Endpoint;
}

/**
 * Before each message: which peer it concerns, with the direction in the lowest bit, its length, and the
 * milliseconds since the trace began (4 bytes each, high byte first). It is never parted; the message may be.
 */
const headSize = 12;

export class MessageTrace {
  /** Messages in it. */
  count = 0;
  /** Bytes of these messages. */
  byteCount = 0;
  readonly #blocks: TraceBlocks;
  readonly #startedAt: number;
  readonly #first: Block;
  #last: Block;
  /** Of the last block. */
  #used = 0;
  /** A call has two, most of the time. */
  readonly #peers: Peer[] = [];

  constructor(blocks: TraceBlocks, now: number) {
    this.#blocks = blocks;
    this.#startedAt = now;
    this.#first = blocks.take();
    this.#last = this.#first;
  }

  /** Copies the bytes. */
  add(isSent: boolean, flow: Flow, bytes: Uint8Array, at: number): void {
    const { length } = bytes;
    this.#writeHead(this.#peerNumber(flow) * 2 + (isSent ? 1 : 0), length, Math.max(0, at - this.#startedAt));
    let from = 0;
    while (length - from > blockSize - this.#used) {
      const to = from + blockSize - this.#used;
      this.#last.bytes.set(bytes.subarray(from, to), this.#used);
      from = to;
      this.#grow();
    }
    this.#last.bytes.set(from === 0 ? bytes : bytes.subarray(from), this.#used);
    this.#used += length - from;
    this.count++;
    this.byteCount += length;
  }

  /** All of them, oldest first, as copies. */
  messages(): TracedMessage[] {
    const messages: TracedMessage[] = [];
    let block = this.#first;
    let used = 0;
    const nextBlock = () => {
      block = block.next!;
      used = 0;
    };
    while (messages.length < this.count) {
      if (blockSize - used < headSize) nextBlock();
      const head = new DataView(block.bytes.buffer, used, headSize);
      used += headSize;
      const mark = head.getUint32(0);
      const bytes = new Uint8Array(head.getUint32(4));
      for (let from = 0; from < bytes.length; ) {
        if (used === blockSize) nextBlock();
        const part = block.bytes.subarray(used, used + bytes.length - from);
        bytes.set(part, from);
        from += part.length;
        used += part.length;
      }
      const { transport, remote } = this.#peers[mark >> 1]!;
      const at = this.#startedAt + head.getUint32(8);
      messages.push({ at, isSent: (mark & 1) === 1, transport, remote, bytes });
    }
    return messages;
  }

  /** Gives its memory back; it must not be used any more. */
  release(): void {
    this.#blocks.giveBack(this.#first, this.#last);
  }

  #peerNumber({ transport, remote }: Flow): number {
    const peers = this.#peers;
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!;
      if (peer.remote === remote && peer.transport === transport) return i;
    }
    return peers.push({ transport, remote }) - 1;
  }

  #writeHead(mark: number, length: number, time: number): void {
    if (blockSize - this.#used < headSize) this.#grow();
    const { bytes } = this.#last;
    const at = this.#used;
    writeNumber(bytes, at, mark);
    writeNumber(bytes, at + 4, length);
    writeNumber(bytes, at + 8, time);
    this.#used = at + headSize;
  }

  #grow(): void {
    const block = this.#blocks.take();
    this.#last.next = block;
    this.#last = block;
    this.#used = 0;
  }
}

function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
