// Bytes to strings and back. ASCII by a fast path where the runtime has one; UTF-8 only where a byte asks for it.
import * as characters from "./characters.ts";

const { BACKSLASH, CR, classes, LF, PERCENT, PLAIN, SPACE, WHITE } = characters;

/** Turns [start, end) into a string, one character per byte (Latin-1). */
export type DecodeAscii = (bytes: Uint8Array, start: number, end: number) => string;

/** The decoder that works everywhere. */
export function portableDecodeAscii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let from = start; from < end; from += 4096) {
    text += String.fromCharCode.apply(
      null,
      bytes.subarray(from, Math.min(end, from + 4096)) as unknown as number[],
    );
  }
  return text;
}

// Node's byte arrays carry this method; it works on any Uint8Array. Looked up by feature, so that browsers
// (whose "latin1" TextDecoder is windows-1252) take the portable way.
type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;
const runtime = globalThis as { Buffer?: { prototype?: { latin1Slice?: Latin1Slice } } };
const latin1Slice: unknown = runtime.Buffer?.prototype?.latin1Slice;

const best: DecodeAscii =
  typeof latin1Slice === "function"
    ? (bytes, start, end) => (latin1Slice as Latin1Slice).call(bytes, start, end)
    : portableDecodeAscii;
let port = best;

/** Replaces the decoder that all parsing uses, for runtimes with a fast path of their own; `undefined` undoes it. */
export function setDecodeAscii(decode: DecodeAscii | undefined): void {
  port = decode ?? best;
}

/** The bytes in [start, end) as a string of its own, one character per byte. */
export function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  return start >= end ? "" : port(bytes, start, end);
}

// The head of the message that is being read, as one string: cutting out of it is cheaper than decoding many
// short ranges. Only one is kept, and every parse forgets it, since buffers are used again for other messages.
let headBytes: Uint8Array | undefined;
let headText = "";

/** Makes `cutAscii` quick for [0, headEnd) of this message. */
export function readFrom(bytes: Uint8Array, headEnd: number): void {
  if (bytes === headBytes && headText.length >= headEnd) return;
  headBytes = bytes;
  headText = port(bytes, 0, headEnd);
}

/** What was read from a message is as good for a copy of it. */
export function readFromCopy(bytes: Uint8Array, copy: Uint8Array): void {
  if (bytes === headBytes) headBytes = copy;
}

/** Text that is being read as if it had come as bytes; overwritten by the next. */
export const textBytes: Uint8Array = new Uint8Array(512);

/** Puts a text into `textBytes`, and makes `cutAscii` quick for it; false if it is not short ASCII. */
export function readText(text: string): boolean {
  const { length } = text;
  if (length > textBytes.length) return false;
  headBytes = undefined;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return false;
    textBytes[i] = code;
  }
  headBytes = textBytes;
  headText = text;
  return true;
}

/** The buffers may hold something else from now on. */
export function forgetHead(): void {
  headBytes = undefined;
  headText = "";
}

/** Like `decodeAscii`; the string may share the memory of the head that it is cut from. */
export function cutAscii(bytes: Uint8Array, start: number, end: number): string {
  return bytes === headBytes && end <= headText.length
    ? headText.substring(start, end)
    : decodeAscii(bytes, start, end);
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** The bytes in [start, end) as text for people: UTF-8 if a byte asks for it, bad sequences as U+FFFD. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    if (bytes[i]! >= 0x80) return utf8.decode(bytes.subarray(start, end));
  }
  return cutAscii(bytes, start, end);
}

/** A header value as text: UTF-8, each fold (§7.3.1) and the white space around it replaced by one space. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  let p = start;
  while (p < end && (classes[bytes[p]!]! & PLAIN) !== 0) p++;
  if (p === end) return cutAscii(bytes, start, end);
  while (p < end && bytes[p] !== CR && bytes[p] !== LF) p++;
  if (p === end) return decodeUtf8(bytes, start, end);
  let text = "";
  let from = start;
  for (let i = start; i < end; i++) {
    if (bytes[i] !== CR && bytes[i] !== LF) continue;
    let before = i;
    while (before > from && (classes[bytes[before - 1]!]! & WHITE) !== 0) before--;
    while (i < end && (classes[bytes[i]!]! & WHITE) !== 0) i++;
    text += `${decodeUtf8(bytes, from, before)} `;
    from = i;
  }
  return text + decodeUtf8(bytes, from, end);
}

/** The contents of a quoted string, quotes excluded: quoted-pairs undone, folds replaced by a space. */
export function decodeQuoted(bytes: Uint8Array, start: number, end: number): string {
  let i = start;
  while (i < end && (classes[bytes[i]!]! & PLAIN) !== 0) i++;
  if (i === end) return cutAscii(bytes, start, end);
  while (i < end && bytes[i] !== BACKSLASH && bytes[i] !== CR && bytes[i] !== LF) i++;
  if (i === end) return decodeUtf8(bytes, start, end);
  const out = new Uint8Array(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    let c = bytes[i]!;
    if (c === BACKSLASH && i + 1 < end && bytes[i + 1] !== CR && bytes[i + 1] !== LF) {
      c = bytes[++i]!;
    } else if (c === CR || c === LF) {
      while (i + 1 < end && (classes[bytes[i + 1]!]! & WHITE) !== 0) i++;
      while (length > 0 && out[length - 1] === SPACE) length--;
      c = SPACE;
    }
    out[length++] = c;
  }
  return decodeUtf8(out, 0, length);
}

/** The bytes that `decodeAscii` made a string of. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Text as bytes (UTF-8). */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * Undoes %HH escapes. The result is read as UTF-8; a byte that is none becomes the lone surrogate U+DC80…U+DCFF,
 * so that `escapeUri` can bring back exactly the byte that came.
 */
export function decodeEscaped(bytes: Uint8Array, start: number, end: number): string {
  const out = new Uint8Array(end - start);
  let length = 0;
  let ascii = true;
  for (let i = start; i < end; i++) {
    let c = bytes[i]!;
    if (c === PERCENT) {
      c = (hexValue(bytes[i + 1]!) << 4) | hexValue(bytes[i + 2]!);
      i += 2;
    }
    if (c >= 0x80) ascii = false;
    out[length++] = c;
  }
  return ascii ? decodeAscii(out, 0, length) : decodeUtf8Exactly(out, length);
}

function hexValue(c: number): number {
  return c <= 57 ? c - 48 : (c | 0x20) - 87;
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8Exactly(bytes: Uint8Array, length: number): string {
  let text = "";
  for (let i = 0; i < length; ) {
    const c = bytes[i]!;
    const size = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    try {
      text += strictUtf8.decode(bytes.subarray(i, Math.min(length, i + size)));
      i += size;
    } catch {
      text += String.fromCharCode(0xdc00 + c);
      i++;
    }
  }
  return text;
}

const hex = "0123456789ABCDEF";

function needsNoEscape(text: string, allowed: number, not: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f || (classes[code]! & allowed) === 0) return false;
  }
  return not === "" || !text.includes(not);
}

/** Escapes what the class (`USER`, `URI_PARAM`, …) does not allow, as %HH of its UTF-8 bytes. */
export function escapeUri(text: string, allowed: number, not: string = ""): string {
  if (needsNoEscape(text, allowed, not)) return text;
  let out = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) {
      out +=
        (classes[code]! & allowed) !== 0 && !not.includes(character)
          ? character
          : `%${hex[code >> 4]}${hex[code & 15]}`;
    } else if (code >= 0xdc80 && code <= 0xdcff) {
      out += `%${hex[(code & 0xff) >> 4]}${hex[code & 15]}`;
    } else {
      for (const byte of encoder.encode(character)) out += `%${hex[byte >> 4]}${hex[byte & 15]}`;
    }
  }
  return out;
}
