// What nearly every message has, written as nearly everyone writes it, in one pass over the window that gives up at the
// first byte that is not usual. What passes here passes the grammar too (via.ts, name-addr.ts, uri.ts), with the same
// parts; the rest is left to it, also to say what is wrong. Each scan returns where it stopped, which is for the
// caller to judge, or -1. "| 0" tells V8 that a position is an integer: without, it would look at each step of a loop.
import * as characters from "./characters.ts";
import type { CSeqParts } from "./header/cseq.ts";
import type { ViaParts } from "./header/via.ts";
import { type HostParts, isIpv4, knownHostAt } from "./host.ts";
import { methodNames } from "./method.ts";
import type { NameAddrParts } from "./name-addr.ts";
import { SIP, type UriParts } from "./uri.ts";
import * as view from "./window.ts";
import { fourAt, fourOf, spanAt, spellingsOf } from "./window.ts";

const {
  ALPHA,
  AT,
  BACKSLASH,
  COLON,
  classes,
  DIGIT,
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
const { window } = view;

const HYPHEN = 45;
const SMALL_T = 116;
const SIP_SLASH = fourOf("SIP/");
const TWO_SLASH = fourOf("2.0/");
const BRAN = fourOf("bran");
const NCH = fourOf("nch=");
const RPOR = fourOf("rpor");
const RECE = fourOf("rece");
const IVED = fourOf("ived");
const SIP_COLON = fourOf("sip:");
const TAG = fourOf("tag=");

/** One Via with no other parameters than branch, rport and received. */
export function scanUsualVia(start: number, parts: ViaParts): number {
  let p = start | 0;
  if (fourAt(p) !== SIP_SLASH || fourAt(p + 4) !== TWO_SLASH) return -1;
  p += 8;
  parts.transportStart = p;
  while ((classes[window[p]!]! & TOKEN) !== 0) p++;
  parts.transportEnd = p;
  if (p === parts.transportStart || window[p] !== SPACE) return -1;
  p++;
  p = scanUsualHost(p, parts);
  if (p < 0) return -1;
  if (window[p] === COLON) {
    const port = usualPort(p + 1);
    if (port < 0) return -1;
    parts.port = port & 0xffff;
    p += 1 + (port >> 16);
  }
  parts.paramsStart = p;
  while (window[p] === SEMICOLON) {
    const name = fourAt(p + 1);
    if (name === BRAN && fourAt(p + 4) === NCH && parts.branchStart < 0) {
      p += 8;
      parts.branchStart = p;
      while ((classes[window[p]!]! & VALUE) !== 0) p++;
      if (p === parts.branchStart) return -1;
      parts.branchEnd = p;
    } else if (name === RPOR && window[p + 5] === SMALL_T && parts.rport === -1) {
      p += 6;
      parts.rport = -2;
      if (window[p] === EQUALS) {
        const port = usualPort(p + 1);
        if (port < 0) return -1;
        parts.rport = port & 0xffff;
        p += 1 + (port >> 16);
      }
    } else if (
      name === RECE &&
      fourAt(p + 5) === IVED &&
      window[p + 9] === EQUALS &&
      parts.receivedStart < 0
    ) {
      p += 10;
      parts.receivedStart = p;
      while ((classes[window[p]!]! & HOST) !== 0) p++;
      if (!isIpv4(window, parts.receivedStart, p)) return -1;
      parts.receivedEnd = p;
    } else {
      return -1;
    }
  }
  parts.paramsEnd = p;
  return p;
}

/** From or To: a display name of ASCII or none, a URI in angle brackets, and a tag or nothing. */
export function scanUsualFromTo(start: number, parts: NameAddrParts): number {
  let p = start | 0;
  if (window[p] === QUOTE) {
    p++;
    parts.displayStart = p;
    let c = window[p]!;
    while (c !== QUOTE) {
      if (c < SPACE || c > 126 || c === BACKSLASH) return -1;
      p++;
      c = window[p]!;
    }
    parts.displayEnd = p;
    p++;
    if (window[p] === SPACE) p++;
  } else if (window[p] !== LESS) {
    parts.displayStart = p;
    while ((classes[window[p]!]! & TOKEN) !== 0) p++;
    if (p === parts.displayStart || window[p] !== SPACE) return -1;
    parts.displayEnd = p;
    p++;
  }
  if (window[p] !== LESS) return -1;
  p = scanUsualUri(p + 1, parts.uri);
  if (p < 0 || window[p] !== GREATER) return -1;
  p++;
  parts.paramsStart = p;
  if (window[p] === SEMICOLON && fourAt(p + 1) === TAG) {
    p += 5;
    parts.tagStart = p;
    while ((classes[window[p]!]! & VALUE) !== 0) p++;
    if (p === parts.tagStart) return -1;
    parts.tagEnd = p;
  }
  parts.paramsEnd = p;
  return p;
}

/** One route: a URI in angle brackets and nothing else. */
export function scanUsualRoute(start: number, parts: UriParts): number {
  if (window[start] !== LESS) return -1;
  const stop = scanUsualUri(start + 1, parts);
  return stop < 0 || window[stop] !== GREATER ? -1 : stop + 1;
}

/** A SIP URI without password, escapes and headers. */
export function scanUsualUri(start: number, parts: UriParts): number {
  let p = start | 0;
  if (fourAt(p) !== SIP_COLON) return -1;
  p += 4;
  const user = p;
  while ((classes[window[p]!]! & USER) !== 0) p++;
  if (window[p] === AT && p > user) {
    parts.userStart = user;
    parts.userEnd = p;
    p++;
  } else {
    p = user;
  }
  parts.scheme = SIP;
  parts.start = start;
  p = scanUsualHost(p, parts);
  if (p < 0) return -1;
  if (window[p] === COLON) {
    const port = usualPort(p + 1);
    if (port < 0) return -1;
    parts.port = port & 0xffff;
    p += 1 + (port >> 16);
  }
  parts.paramsStart = p;
  while (window[p] === SEMICOLON) {
    p++;
    const name = p;
    while ((classes[window[p]!]! & URI_PARAM) !== 0) p++;
    if (p === name || window[name] === EQUALS) return -1;
  }
  parts.end = p;
  return p;
}

/** A number, one space, and a method that has a number. */
export function scanUsualCSeq(start: number, parts: CSeqParts): number {
  let p = start | 0;
  let sequence = 0;
  while ((classes[window[p]!]! & DIGIT) !== 0) {
    sequence = sequence * 10 + window[p]! - 48;
    p++;
  }
  if (p === start || p - start > 9 || window[p] !== SPACE) return -1;
  p++;
  const id = usualMethodAt(p);
  parts.sequence = sequence;
  parts.methodId = id;
  parts.methodStart = p;
  p += methodNames[id]!.length;
  parts.methodEnd = p;
  return id === 0 ? -1 : p;
}

// Methods that have a number are told apart by three letters.
const methodSpellings = spellingsOf(methodNames);
const methodSlots = new Uint8Array(64);
for (let id = 1; id < methodNames.length; id++) {
  const [a, b, c] = methodNames[id]!;
  methodSlots[slotOf(a!.charCodeAt(0), b!.charCodeAt(0), c!.charCodeAt(0))] = id;
}

function slotOf(a: number, b: number, c: number): number {
  return (2 * a + b + c) & 63;
}

/** The number of a method that begins at `at`; what stands behind it is for the caller to look at. 0 if there is none. */
export function usualMethodAt(at: number): number {
  const id = methodSlots[slotOf(window[at]!, window[at + 1]!, window[at + 2]!)]!;
  return spanAt(at, methodSpellings, id) > 0 ? id : 0;
}

/** Where the run of digits ends. */
export function digitsEnd(start: number): number {
  let p = start | 0;
  while ((classes[window[p]!]! & DIGIT) !== 0) p++;
  return p;
}

/** The number that the digits in [start, end) make, one to nine of them; -1 if it is something else that stands there. */
export function usualNumber(start: number, end: number): number {
  if (end <= start || end - start > 9) return -1;
  let number = 0;
  for (let p = start; p < end; p++) {
    const digit = window[p]! - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** A host name in lower case or an IPv4 address. */
function scanUsualHost(start: number, parts: HostParts): number {
  const host = knownHostAt(start);
  let end = start | 0;
  if (host !== undefined) end += host.length;
  else {
    while ((classes[window[end]!]! & (HOST | UPPER)) === HOST) end++;
    if (!isUsualHost(start, end)) return -1;
  }
  parts.hostStart = start;
  parts.hostEnd = end;
  parts.isHostPlain = true;
  parts.host = host;
  return end;
}

/** True if [start, end), letters of hosts, is one by the rules of `skipHost`. */
function isUsualHost(start: number, end: number): boolean {
  let last = DOT;
  let seen = 0;
  let pairs = 0;
  for (let p = start | 0; p < end; p++) {
    const kind = classes[window[p]!]!;
    seen |= kind;
    pairs |= kind & last;
    last = kind;
  }
  // No label is empty, no name is of digits only, none begins or ends with "-".
  if ((pairs & DOT) !== 0 || end === start) return false;
  if ((seen & ALPHA) === 0 && !isIpv4(window, start, end)) return false;
  return window[start] !== HYPHEN && window[end - 1] !== HYPHEN;
}

/** A port of up to five digits, and in the bits above it how many they are. */
function usualPort(start: number): number {
  let p = start | 0;
  let port = 0;
  while ((classes[window[p]!]! & DIGIT) !== 0) {
    port = port * 10 + window[p]! - 48;
    p++;
    if (port > 65535) return -1;
  }
  const digits = p - start;
  return digits === 0 || digits > 5 ? -1 : port | (digits << 16);
}
