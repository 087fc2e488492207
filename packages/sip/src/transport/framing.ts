// Framing: cutting messages out of a stream by Content-Length, RFC 3261 §18.3, and the CRLF keep-alives
// between them, RFC 5626 §3.5.1 and §4.4.1.

import { ParseError } from "../errors.ts";
import { contentLengthOf, decodeAscii, findHeadEnd } from "../message/index.ts";
import { bodyTooLarge } from "../message/parse.ts";

const LF = 10;
const CR = 13;

/** What the framing finds. Bytes are borrowed: they change after the call. */
export interface FramingUser {
  /** One whole message. */
  message(bytes: Uint8Array): void;
  /** A double CRLF: answer it with one (RFC 5626 §4.4.1). */
  ping(): void;
  /** A single CRLF: the answer to a ping of ours. */
  pong?(): void;
  /** The head of a message too long to be taken; its body is skipped, and the stream goes on behind it. */
  refused?(error: ParseError, head: Uint8Array): void;
  /**
   * The stream cannot be followed any further. `head` is what there is of the message at fault, for the
   * best answer that can be given. Nothing is called after this.
   */
  broken(error: ParseError, head: Uint8Array): void;
}

/** In bytes. */
export interface FramingLimits {
  /** The longest message, head and body. */
  readonly messageSize: number;
  /** The longest body of a request. */
  readonly bodySize?: number;
  /** RFC 2543 had a code of its own, 411, for a message without Content-Length. */
  readonly rfc2543?: boolean;
}

/** A refused body longer than this is not waited for: the stream ends. */
const longestSkip = 1_048_576;

const empty = new Uint8Array(0);

/**
 * One direction of one connection. Whole messages in a chunk are passed on without a copy; what is left is
 * kept in a buffer that grows as bytes arrive, never ahead of them. No byte is looked at twice however small
 * the chunks are.
 */
export class StreamFraming {
  readonly #limits: FramingLimits;
  #buffer: Uint8Array = empty;
  /** What is in use of the buffer. */
  #start = 0;
  #end = 0;
  /** How far the search for the end of the head has come, from #start. */
  #scanned = 0;
  /** Length of the message whose head is complete, 0 while it is not. */
  #length = 0;
  /** Why the message is refused once its head is complete. */
  #refusal: ParseError | undefined = undefined;
  /** What is left of the body of a refused message. */
  #skip = 0;
  /** Bytes of CRLFs since the last message, ping or pong. */
  #newlines = 0;
  #pongDue = false;
  #stopped = false;

  constructor(limits: FramingLimits) {
    this.#limits = limits;
  }

  /** True while a message has begun and not ended. */
  get isPartial(): boolean {
    return this.#end > this.#start || this.#skip > 0;
  }

  /** Ignores everything from now on, even what is left of the chunk being read. */
  stop(): void {
    this.#stopped = true;
    this.#buffer = empty;
    this.#start = 0;
    this.#end = 0;
  }

  /** A ping of ours has been sent: the next single CRLF is its answer. */
  expectPong(): void {
    this.#pongDue = true;
  }

  push(chunk: Uint8Array, user: FramingUser): void {
    if (this.#stopped) return;
    if (this.#end === this.#start) {
      const used = this.#read(chunk, 0, chunk.length, user);
      if (!this.#stopped && used < chunk.length) this.#keep(chunk.subarray(used));
      return;
    }
    this.#keep(chunk);
    const buffer = this.#buffer;
    const used = this.#read(buffer, this.#start, this.#end, user);
    if (this.#stopped) return;
    this.#start = used;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
      // A large message leaves no large buffer behind.
      this.#buffer = empty;
    }
  }

  /** Reads from `start` to `end`; returns where the first incomplete message begins, or `end`. */
  #read(bytes: Uint8Array, start: number, end: number, user: FramingUser): number {
    let position = start;
    while (position < end) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - position);
        this.#skip -= skipped;
        position += skipped;
        continue;
      }
      if (this.#length === 0 && this.#scanned === 0) {
        const begin = this.#skipNewlines(bytes, position, end, user);
        if (this.#stopped || begin === end) return end;
        position = begin;
      }
      if (this.#length === 0 && !this.#findHead(bytes, position, end, user)) return position;
      if (end - position < this.#length) return position;
      const message = bytes.subarray(position, position + this.#length);
      position += this.#length;
      this.#length = 0;
      this.#scanned = 0;
      const refusal = this.#refusal;
      this.#refusal = undefined;
      if (refusal === undefined) user.message(message);
      else user.refused?.(refusal, message);
      if (this.#stopped) return end;
    }
    return position;
  }

  /**
   * §7.5: CRLF before a message is ignored. RFC 5626 §4.4.1: two are a ping, one is a pong, if we wait for
   * one. A CR without LF is dropped.
   */
  #skipNewlines(bytes: Uint8Array, start: number, end: number, user: FramingUser): number {
    let position = start;
    while (position < end) {
      if (bytes[position] !== (this.#newlines % 2 === 0 ? CR : LF)) break;
      position++;
      this.#newlines++;
      if (this.#newlines === 2 && this.#pongDue) {
        this.#newlines = 0;
        this.#pongDue = false;
        user.pong?.();
      } else if (this.#newlines === 4) {
        this.#newlines = 0;
        user.ping();
      }
      if (this.#stopped) return end;
    }
    if (position < end) this.#newlines = 0;
    return position;
  }

  /** Looks for the end of the head, and how long the message is. False while that is not known. */
  #findHead(bytes: Uint8Array, start: number, end: number, user: FramingUser): boolean {
    const { messageSize, rfc2543 } = this.#limits;
    const headEnd = findHeadEnd(bytes, start + Math.max(0, this.#scanned - 3), end);
    if (headEnd < 0) {
      this.#scanned = end - start;
      if (this.#scanned > messageSize) this.#break(user, tooLarge(messageSize), bytes.subarray(start, end));
      return false;
    }
    try {
      const bodyLength = contentLengthOf(bytes, start, headEnd);
      if (bodyLength === undefined) {
        // §18.3: on a stream nothing else tells where the message ends.
        throw new ParseError("Content-Length", "missing on a stream", {
          status: rfc2543 === true ? 411 : 400,
        });
      }
      const headLength = headEnd - start;
      const refusal = this.#refusalOf(bytes, start, headLength, bodyLength);
      if (refusal === undefined) {
        this.#length = headLength + bodyLength;
      } else {
        if (bodyLength > longestSkip || user.refused === undefined) throw refusal;
        this.#refusal = refusal;
        this.#length = headLength;
        this.#skip = bodyLength;
      }
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      this.#break(user, error, bytes.subarray(start, headEnd));
      return false;
    }
    return true;
  }

  /** Known from the head alone: nothing that will be refused is kept. */
  #refusalOf(
    bytes: Uint8Array,
    start: number,
    headLength: number,
    bodyLength: number,
  ): ParseError | undefined {
    const { messageSize, bodySize } = this.#limits;
    if (bodySize !== undefined && bodyLength > bodySize && mayBeRefused(bytes, start))
      return bodyTooLarge(bodySize);
    return headLength + bodyLength > messageSize ? tooLarge(messageSize) : undefined;
  }

  #break(user: FramingUser, error: ParseError, head: Uint8Array): void {
    const copy = head.slice();
    this.stop();
    user.broken(error, copy);
  }

  /** Appends to the buffer; moves or doubles it when it is full, so that all copying is linear in what came. */
  #keep(chunk: Uint8Array): void {
    const used = this.#end - this.#start;
    const needed = used + chunk.length;
    if (this.#end + chunk.length > this.#buffer.length) {
      const wanted = Math.max(this.#length, needed);
      const size = needed <= this.#buffer.length >> 1 ? this.#buffer.length : grown(needed, wanted);
      const target = size === this.#buffer.length ? this.#buffer : new Uint8Array(size);
      target.set(this.#buffer.subarray(this.#start, this.#end), 0);
      this.#buffer = target;
      this.#start = 0;
      this.#end = used;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}

/** Twice what is needed now, but not more than the message will need, once that is known. */
function grown(needed: number, wanted: number): number {
  const doubled = Math.max(1024, needed * 2);
  return wanted > needed && wanted < doubled ? wanted : doubled;
}

/** A request that gets an answer, neither ACK nor response. */
function mayBeRefused(bytes: Uint8Array, start: number): boolean {
  const word = decodeAscii(bytes, start, Math.min(start + 4, bytes.length));
  return word !== "ACK " && word !== "SIP/";
}

function tooLarge(limit: number): ParseError {
  // §21.5.7
  return new ParseError("message", `longer than ${limit} bytes`, { status: 513 });
}
