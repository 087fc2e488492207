// Hosts and ports, as in SIP URIs and in Via: RFC 3261 §25.1 host, with RFC 5118's IPv6 lessons.
import { ParseError } from "../errors.ts";
import {
  ALPHA,
  CLOSE_BRACKET,
  COLON,
  classes,
  DIGIT,
  HEX,
  HOST,
  OPEN_BRACKET,
  skipClass,
} from "./grammar.ts";
import { decodeAscii } from "./text.ts";

const DOT = 46;
const HYPHEN = 45;

/** The position after the host that starts at `position`. Throws ParseError if none does. */
export function skipHost(bytes: Uint8Array, position: number, end: number, field: string): number {
  if (position < end && bytes[position] === OPEN_BRACKET) {
    let close = position + 1;
    while (close < end && bytes[close] !== CLOSE_BRACKET) close++;
    if (close >= end || !isIpv6(bytes, position + 1, close)) {
      throw new ParseError(field, "not an IPv6 address in brackets", { offset: position });
    }
    return close + 1;
  }
  let p = position;
  let seen = 0;
  let previous = DOT;
  let dots = 0;
  while (p < end) {
    const c = bytes[p]!;
    const kind = classes[c]!;
    if ((kind & HOST) === 0) break;
    if (c === DOT) {
      // Labels are not empty; a last dot may end the name.
      if (previous === DOT) throw new ParseError(field, "an empty label in a host name", { offset: p });
      dots++;
    } else {
      seen |= (kind & DIGIT) !== 0 ? DIGIT : ALPHA;
    }
    previous = c;
    p++;
  }
  if (p === position) throw new ParseError(field, "the host is missing", { offset: position });
  // Only digits and dots: an IPv4 address, or nothing.
  if (seen === DIGIT && !isIpv4(bytes, position, p, dots)) {
    throw new ParseError(field, "not an IPv4 address", { offset: position });
  }
  if (bytes[position] === HYPHEN || previous === HYPHEN || seen === 0) {
    throw new ParseError(field, "not a host name", { offset: position });
  }
  return p;
}

function isIpv4(bytes: Uint8Array, start: number, end: number, dots: number): boolean {
  if (dots !== 3) return false;
  let value = -1;
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c === DOT) value = -1;
    else value = (value < 0 ? 0 : value * 10) + (c - 48);
    if (value > 255) return false;
  }
  return value >= 0;
}

/** True if [start, end) is an IPv6 address without brackets; "X:::1.2.3.4" included (RFC 5118 §4.10). */
export function isIpv6(bytes: Uint8Array, start: number, end: number): boolean {
  let groups = 0;
  let compressed = false;
  let p = start;
  if (end - start < 2) return false;
  if (bytes[p] === COLON) {
    if (bytes[p + 1] !== COLON) return false;
    compressed = true;
    p += 2;
  }
  while (p < end) {
    const groupStart = p;
    p = skipClass(bytes, p, end, HEX);
    if (p < end && bytes[p] === DOT) {
      let dots = 0;
      for (let i = groupStart; i < end; i++) {
        if (bytes[i] === DOT) dots++;
        else if ((classes[bytes[i]!]! & DIGIT) === 0) return false;
      }
      if (!isIpv4Strict(bytes, groupStart, end, dots)) return false;
      groups += 2;
      return compressed ? groups <= 7 : groups === 8;
    }
    if (p === groupStart || p - groupStart > 4) return false;
    groups++;
    if (p === end) break;
    if (bytes[p] !== COLON) return false;
    p++;
    if (p < end && bytes[p] === COLON) {
      if (compressed) return false;
      compressed = true;
      p++;
      // RFC 5118 §4.10: RFC 3261's grammar demanded a third colon before an IPv4 tail.
      if (p < end && bytes[p] === COLON) {
        let i = p + 1;
        while (i < end && (classes[bytes[i]!]! & DIGIT) !== 0) i++;
        if (i >= end || bytes[i] !== DOT) return false;
        p++;
      }
      if (p === end) break;
    } else if (p === end) {
      return false;
    }
  }
  return compressed ? groups <= 7 : groups === 8;
}

function isIpv4Strict(bytes: Uint8Array, start: number, end: number, dots: number): boolean {
  if (bytes[start] === DOT || bytes[end - 1] === DOT) return false;
  for (let i = start + 1; i < end; i++) if (bytes[i] === DOT && bytes[i - 1] === DOT) return false;
  return isIpv4(bytes, start, end, dots);
}

/** A host as it is kept: lower case, no brackets, no third colon. */
export function decodeHost(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] === OPEN_BRACKET) {
    const address = decodeAscii(bytes, start + 1, end - 1).toLowerCase();
    return address.includes(":::") ? address.replace(":::", "::") : address;
  }
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c >= 65 && c <= 90) return decodeAscii(bytes, start, end).toLowerCase();
  }
  return decodeAscii(bytes, start, end);
}

/** A host as it is written: IPv6 addresses get their brackets. */
export function printHost(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/** host[:port]. */
export function printHostPort(host: string, port: number | undefined): string {
  return port === undefined ? printHost(host) : `${printHost(host)}:${port}`;
}
