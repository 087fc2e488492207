// Puts messages together from text and ranges of other messages. `finish` hands out the place where they were written.
import { checkLine } from "./serialize.ts";
import { encodeText } from "./text.ts";

// An ArrayBuffer of its own costs more than filling it, and the garbage collector's care comes on top: short messages
// share blocks. A block lives as long as the last message in it, so it holds only about a dozen.
const BLOCK = 8192;
const LARGEST_IN_BLOCK = 2048;
let block = new Uint8Array(BLOCK);
let blockUsed = BLOCK;

/** source[start, end) as bytes that nobody else writes to; they may share a larger buffer with others. */
export function ownBytes(source: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length > LARGEST_IN_BLOCK) return source.slice(start, end);
  if (blockUsed + length > BLOCK) {
    block = new Uint8Array(BLOCK);
    blockUsed = 0;
  }
  const at = blockUsed;
  blockUsed += length;
  block.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
  return block.subarray(at, blockUsed);
}

/** Where header fields are written straight into a message. */
export interface HeaderWriter {
  /** Text as it is to stand there: `Name: value` and, at the end, a line break. */
  text(text: string): this;
  /** A part of a line. Throws ArgumentError for line breaks and NUL. */
  value(text: string): this;
  /** source[start, end) as it is to stand there. */
  bytes(source: Uint8Array, start: number, end: number): this;
}

/** Collects bytes; not for use across an `await`, since `writer` is shared. */
export class ByteWriter implements HeaderWriter {
  /** A block of the same kind; messages are written where they stay. */
  #buffer = new Uint8Array(BLOCK);
  #start = 0;
  #length = 0;

  /** Makes room behind #length, which counts from the start of the buffer. */
  #room(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#buffer.length) return;
    const written = this.#buffer.subarray(this.#start, this.#length);
    this.#length = written.length;
    this.#start = 0;
    this.#buffer = new Uint8Array(Math.max(BLOCK, 2 * (written.length + extra)));
    this.#buffer.set(written);
  }

  start(): this {
    this.#length = this.#start;
    return this;
  }

  /** Appends text; ASCII is the quick case. */
  text(text: string): this {
    if (this.#ascii(text, 0)) return this;
    const encoded = encodeText(text);
    return this.bytes(encoded, 0, encoded.length);
  }

  /** Appends text that may not end its line (header injection). Throws ArgumentError for line breaks and NUL. */
  value(text: string): this {
    return this.#ascii(text, 0x20) ? this : this.text(checkLine(text, "a header field"));
  }

  /** Appends text whose characters are all from `lowest` to 0x7f; false, and nothing is there, if one is not. */
  #ascii(text: string, lowest: number): boolean {
    const length = text.length;
    this.#room(length);
    const buffer = this.#buffer;
    const at = this.#length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code < lowest || code > 0x7f) return false;
      buffer[at + i] = code;
    }
    this.#length = at + length;
    return true;
  }

  /** Appends source[start, end). */
  bytes(source: Uint8Array, start: number, end: number): this {
    const length = end - start;
    if (length <= 0) return this;
    this.#room(length);
    if (length < 48) {
      const buffer = this.#buffer;
      for (let i = start, at = this.#length; i < end; i++, at++) buffer[at] = source[i]!;
    } else {
      this.#buffer.set(
        start === 0 && end === source.length ? source : source.subarray(start, end),
        this.#length,
      );
    }
    this.#length += length;
    return this;
  }

  /** How many bytes were collected. */
  get size(): number {
    return this.#length - this.#start;
  }

  /** Writes a number from 10 to 99 over what was collected. */
  twoDigits(at: number, value: number): void {
    const tens = Math.floor(value / 10);
    this.#buffer[this.#start + at] = 48 + tens;
    this.#buffer[this.#start + at + 1] = 48 + value - 10 * tens;
  }

  /** What was collected, as bytes that nobody else writes to. */
  finish(): Uint8Array {
    const end = this.#length;
    const buffer = this.#buffer;
    const length = end - this.#start;
    // A long message that stayed in its block would keep the whole buffer, twice its size.
    const out =
      length > LARGEST_IN_BLOCK ? buffer.slice(this.#start, end) : buffer.subarray(this.#start, end);
    if (buffer.length > BLOCK) {
      this.#buffer = new Uint8Array(BLOCK);
      this.#start = 0;
    } else if (length <= LARGEST_IN_BLOCK) {
      this.#start = end;
    }
    return out;
  }
}

/** The writer that everything in this folder uses, one message at a time. */
export const writer: ByteWriter = new ByteWriter();
