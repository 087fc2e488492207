// Reads single header fields from the bytes of a message that we made or parsed before: for trace and call records.

import { reasonPhrase } from "@offhook/sip/responses";

const CR = 13;
const LF = 10;
const COLON = 58;

/** The Call-ID, or undefined. */
export function callIdOf(bytes: Uint8Array): string | undefined {
  return findHeader(bytes, "call-id", "i");
}

/** True if the CSeq names this method. */
export function hasCSeqMethod(bytes: Uint8Array, method: string): boolean {
  let at = findValue(bytes, "cseq", undefined);
  if (at < 0) return false;
  while (bytes[at]! >= 48 && bytes[at]! <= 57) at++;
  const start = skipBlanks(bytes, at);
  const after = skipBlanks(bytes, start + method.length);
  return start > at && startsWith(bytes, start, method) && bytes[after] === CR;
}

/** The status code of a response, 0 for a request. */
export function statusCodeOf(bytes: Uint8Array): number {
  // "SIP/2.0 180": no request begins with "SIP/".
  if (bytes[0] !== 0x53 || bytes[3] !== 0x2f || bytes[7] !== 0x20) return 0;
  return (bytes[8]! - 48) * 100 + (bytes[9]! - 48) * 10 + (bytes[10]! - 48);
}

/** Registered reason phrases by status code, as far as they were asked for. */
const phrases: string[] = new Array(700).fill("");

/** The reason phrase of a response. */
export function reasonPhraseOf(bytes: Uint8Array): string {
  // Nearly always the registered one, which need not be made again.
  const status = statusCodeOf(bytes);
  const registered = phrases[status] || reasonPhrase(status);
  if (status < phrases.length) phrases[status] = registered;
  if (startsWith(bytes, 12, registered) && bytes[12 + registered.length] === CR) return registered;
  return view(bytes).toString("utf8", 12, Math.max(12, bytes.indexOf(CR)));
}

/** The first field of that name (lower case; `compact` its short form), unfolded only as far as its first line. */
export function findHeader(bytes: Uint8Array, name: string, compact?: string): string | undefined {
  const start = findValue(bytes, name, compact);
  if (start < 0) return undefined;
  return view(bytes).toString("latin1", start, bytes.indexOf(CR, start)).trimEnd();
}

/** Where the value of the first field of that name starts; -1 if there is none. The message ends its head with an empty line. */
function findValue(bytes: Uint8Array, name: string, compact: string | undefined): number {
  const first = name.charCodeAt(0);
  const firstOfCompact = compact?.charCodeAt(0) ?? first;
  const last = bytes.length - 3;
  for (let p = 1; p < last; p++) {
    if (bytes[p - 1] !== LF) continue;
    if (bytes[p] === CR) break;
    const lower = bytes[p]! | 0x20;
    let value = lower === first ? valueAfter(bytes, p, name) : -1;
    if (value < 0 && compact !== undefined && lower === firstOfCompact) value = valueAfter(bytes, p, compact);
    if (value >= 0) return value;
  }
  return -1;
}

/** Where the value of the field at `p` starts, if it has this name; else -1. */
function valueAfter(bytes: Uint8Array, p: number, name: string): number {
  for (let i = 0; i < name.length; i++) if ((bytes[p + i]! | 0x20) !== name.charCodeAt(i)) return -1;
  const colon = skipBlanks(bytes, p + name.length);
  return bytes[colon] === COLON ? skipBlanks(bytes, colon + 1) : -1;
}

function skipBlanks(bytes: Uint8Array, p: number): number {
  while (bytes[p] === 32 || bytes[p] === 9) p++;
  return p;
}

function startsWith(bytes: Uint8Array, p: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[p + i] !== text.charCodeAt(i)) return false;
  return true;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
