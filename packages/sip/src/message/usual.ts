// Core header fields written as nearly everyone writes them, in one pass each that gives up at the first byte that is
// not usual. What passes here passes the grammar too (via.ts, name-addr.ts, uri.ts), with the same parts; the rest is
// left to it, also to say what is wrong. Each function returns where it stopped, which is for the caller to judge, or -1.
// "| 0" tells V8 that a position is an integer: without, it would look at each step of the loops.
import * as characters from "./characters.ts";
import type { CSeqParts } from "./header/cseq.ts";
import type { ViaParts } from "./header/via.ts";
import { isIpv4 } from "./host.ts";
import { methodIdAt } from "./method.ts";
import type { NameAddrParts } from "./name-addr.ts";
import { SIP, type UriParts } from "./uri.ts";

const {
  ALPHA,
  AT,
  BACKSLASH,
  COLON,
  classes,
  DISPLAY,
  DOT,
  EQUALS,
  GREATER,
  HOST,
  LESS,
  QUOTE,
  SEMICOLON,
  SPACE,
  TOKEN,
  UPPER,
  URI_PARAM,
  USER,
  VALUE,
} = characters;

const HYPHEN = 45;
const SMALL_T = 116;

/** Four bytes as one number, so that words are compared without a loop. */
function four(bytes: Uint8Array, p: number): number {
  return bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
}

function fourOf(text: string): number {
  return four(
    Uint8Array.from(text, (c) => c.charCodeAt(0)),
    0,
  );
}

const SIP_SLASH = fourOf("SIP/");
const TWO_SLASH = fourOf("2.0/");
const BRAN = fourOf("bran");
const CH = fourOf("nch=");
const RPOR = fourOf("rpor");
const RECE = fourOf("rece");
const IVED = fourOf("ived");
const SIP_COLON = fourOf("sip:");
const TAG = fourOf("tag=");

/** One Via with no other parameters than branch, rport and received. */
export function scanUsualVia(bytes: Uint8Array, start: number, end: number, parts: ViaParts): number {
  let p = start | 0;
  if (p + 12 > end || four(bytes, p) !== SIP_SLASH || four(bytes, p + 4) !== TWO_SLASH) return -1;
  p += 8;
  parts.transportStart = p;
  while (p < end && (classes[bytes[p]!]! & TOKEN) !== 0) p++;
  parts.transportEnd = p;
  if (p === parts.transportStart || p >= end || bytes[p] !== SPACE) return -1;
  p++;
  parts.hostStart = p;
  p = usualHostEnd(bytes, p, end);
  if (p < 0) return -1;
  parts.hostEnd = p;
  parts.isHostPlain = true;
  if (p < end && bytes[p] === COLON) {
    const port = usualPort(bytes, p + 1, end);
    if (port < 0) return -1;
    parts.port = port & 0xffff;
    p += 1 + (port >> 16);
  }
  parts.paramsStart = p;
  while (p + 10 < end && bytes[p] === SEMICOLON) {
    const name = four(bytes, p + 1);
    if (name === BRAN && four(bytes, p + 4) === CH && parts.branchStart < 0) {
      p += 8;
      parts.branchStart = p;
      while (p < end && (classes[bytes[p]!]! & VALUE) !== 0) p++;
      if (p === parts.branchStart) return -1;
      parts.branchEnd = p;
    } else if (name === RPOR && bytes[p + 5] === SMALL_T && parts.rport === -1) {
      p += 6;
      parts.rport = -2;
      if (bytes[p] === EQUALS) {
        const port = usualPort(bytes, p + 1, end);
        if (port < 0) return -1;
        parts.rport = port & 0xffff;
        p += 1 + (port >> 16);
      }
    } else if (
      name === RECE &&
      four(bytes, p + 5) === IVED &&
      bytes[p + 9] === EQUALS &&
      parts.receivedStart < 0
    ) {
      p += 10;
      parts.receivedStart = p;
      while (p < end && (classes[bytes[p]!]! & HOST) !== 0) p++;
      if (!isIpv4(bytes, parts.receivedStart, p)) return -1;
      parts.receivedEnd = p;
    } else {
      return -1;
    }
  }
  parts.paramsEnd = p;
  return p;
}

/** From or To: a display name or none, a URI in angle brackets, and a tag or nothing. */
export function scanUsualFromTo(bytes: Uint8Array, start: number, end: number, parts: NameAddrParts): number {
  let p = start | 0;
  if (p >= end) return -1;
  if (bytes[p] === QUOTE) {
    p++;
    parts.displayStart = p;
    parts.isQuoted = true;
    while (p < end && bytes[p] !== QUOTE) {
      if (bytes[p]! < SPACE || bytes[p] === BACKSLASH) return -1;
      p++;
    }
    parts.displayEnd = p;
    p++;
    if (p < end && bytes[p] === SPACE) p++;
  } else if (bytes[p] !== LESS) {
    parts.displayStart = p;
    while (p < end && (classes[bytes[p]!]! & DISPLAY) !== 0) p++;
    if (p === parts.displayStart || p >= end || bytes[p] !== SPACE) return -1;
    parts.displayEnd = p;
    p++;
  }
  if (p >= end || bytes[p] !== LESS) return -1;
  p = scanUsualUri(bytes, p + 1, end, parts.uri);
  if (p < 0 || p >= end || bytes[p] !== GREATER) return -1;
  p++;
  parts.paramsStart = p;
  if (p + 5 < end && bytes[p] === SEMICOLON && four(bytes, p + 1) === TAG) {
    p += 5;
    parts.tagStart = p;
    while (p < end && (classes[bytes[p]!]! & VALUE) !== 0) p++;
    if (p === parts.tagStart) return -1;
    parts.tagEnd = p;
  }
  parts.paramsEnd = p;
  return p;
}

/** A SIP URI without password, escapes and headers. */
export function scanUsualUri(bytes: Uint8Array, start: number, end: number, parts: UriParts): number {
  let p = start | 0;
  if (p + 4 > end || four(bytes, p) !== SIP_COLON) return -1;
  p += 4;
  const user = p;
  while (p < end && (classes[bytes[p]!]! & USER) !== 0) p++;
  if (p < end && bytes[p] === AT && p > user) {
    parts.userStart = user;
    parts.userEnd = p;
    p++;
  } else {
    p = user;
  }
  parts.scheme = SIP;
  parts.start = start;
  parts.hostStart = p;
  p = usualHostEnd(bytes, p, end);
  if (p < 0) return -1;
  parts.hostEnd = p;
  parts.isHostPlain = true;
  if (p < end && bytes[p] === COLON) {
    const port = usualPort(bytes, p + 1, end);
    if (port < 0) return -1;
    parts.port = port & 0xffff;
    p += 1 + (port >> 16);
  }
  parts.paramsStart = p;
  while (p < end && bytes[p] === SEMICOLON) {
    p++;
    const name = p;
    while (p < end && (classes[bytes[p]!]! & URI_PARAM) !== 0) p++;
    if (p === name || bytes[name] === EQUALS) return -1;
  }
  parts.end = p;
  return p;
}

/** A number, one space, and a method that has a number. */
export function scanUsualCSeq(bytes: Uint8Array, start: number, end: number, parts: CSeqParts): number {
  let p = start | 0;
  let sequence = 0;
  while (p < end) {
    const digit = bytes[p]! - 48;
    if (digit < 0 || digit > 9) break;
    sequence = sequence * 10 + digit;
    p++;
  }
  if (p === start || p - start > 9 || p >= end || bytes[p] !== SPACE) return -1;
  p++;
  const method = p;
  while (p < end && (classes[bytes[p]!]! & UPPER) !== 0) p++;
  parts.sequence = sequence;
  parts.methodStart = method;
  parts.methodEnd = p;
  parts.methodId = methodIdAt(bytes, method, p);
  return parts.methodId === 0 ? -1 : p;
}

/** The end of a host name in lower case or an IPv4 address. */
function usualHostEnd(bytes: Uint8Array, start: number, end: number): number {
  let p = start | 0;
  let seen = 0;
  let last = DOT;
  let pairs = 0;
  while (p < end) {
    const kind = classes[bytes[p]!]!;
    if ((kind & (HOST | UPPER)) !== HOST) break;
    seen |= kind;
    pairs |= kind & last;
    last = kind;
    p++;
  }
  // As `skipHost`: no label is empty, no name is of digits only, none begins or ends with "-".
  if ((pairs & DOT) !== 0 || p === start) return -1;
  if ((seen & ALPHA) === 0 && !isIpv4(bytes, start, p)) return -1;
  return bytes[start] === HYPHEN || bytes[p - 1] === HYPHEN ? -1 : p;
}

/** A port of up to five digits, and in the bits above it how many they are. */
function usualPort(bytes: Uint8Array, start: number, end: number): number {
  let p = start | 0;
  let port = 0;
  while (p < end) {
    const digit = bytes[p]! - 48;
    if (digit < 0 || digit > 9) break;
    port = port * 10 + digit;
    p++;
    if (port > 65535) return -1;
  }
  const digits = p - start;
  return digits === 0 || digits > 5 ? -1 : port | (digits << 16);
}
