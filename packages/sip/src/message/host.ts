// Hosts and ports, as in SIP URIs and in Via: RFC 3261 §25.1 host, with RFC 5118's IPv6 lessons.
import * as characters from "./characters.ts";
import { refusal, skipClass } from "./grammar.ts";
import { cutAscii, decodeAscii } from "./text.ts";
import * as view from "./window.ts";
import { fourAt } from "./window.ts";

const { window } = view;
const { ALPHA, CLOSE_BRACKET, COLON, classes, DIGIT, HEX, HOST, OPEN_BRACKET, UPPER } = characters;

const FULL_STOP = 46;
const HYPHEN = 45;

/** What the last `skipHost` saw: the classes of all characters of a name, or 0 for an address in brackets. */
let hostClasses = 0;

/** True if the host that `skipHost` has just stepped over is written as it is kept. */
export function isHostPlain(): boolean {
  return hostClasses !== 0 && (hostClasses & UPPER) === 0;
}

/** The position after the host that starts at `position`. Throws ParseError if none does. */
export function skipHost(bytes: Uint8Array, position: number, end: number, field: string): number {
  if (position < end && bytes[position] === OPEN_BRACKET) {
    hostClasses = 0;
    let close = position + 1;
    while (close < end && bytes[close] !== CLOSE_BRACKET) close++;
    if (close >= end || !isIpv6(bytes, position + 1, close)) {
      throw refusal(field, "not an IPv6 address in brackets", position);
    }
    return close + 1;
  }
  let p = position;
  let seen = 0;
  let label = p;
  while (p < end) {
    const c = bytes[p]!;
    const kind = classes[c]!;
    if ((kind & HOST) === 0) break;
    seen |= kind;
    if (c === FULL_STOP) {
      // Labels are not empty; a last dot may end the name.
      if (p === label) throw refusal(field, "an empty label in a host name", p);
      label = p + 1;
    }
    p++;
  }
  hostClasses = seen;
  if (p === position) throw refusal(field, "the host is missing", position);
  if ((seen & ALPHA) === 0 && !isIpv4(bytes, position, p)) {
    // Only digits and dots: an IPv4 address, or nothing.
    throw refusal(field, "neither an IPv4 address nor a host name", position);
  }
  if (bytes[position] === HYPHEN || bytes[p - 1] === HYPHEN) {
    throw refusal(field, "not a host name", position);
  }
  return p;
}

/** True if [start, end) is an IPv4 address. */
export function isIpv4(bytes: Uint8Array, start: number, end: number): boolean {
  let value = -1;
  let dots = 0;
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c === FULL_STOP) {
      if (value < 0) return false;
      value = -1;
      dots++;
    } else {
      if ((classes[c]! & DIGIT) === 0) return false;
      value = (value < 0 ? 0 : value * 10) + (c - 48);
      if (value > 255) return false;
    }
  }
  return dots === 3 && value >= 0;
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
    if (p < end && bytes[p] === FULL_STOP) {
      if (!isIpv4(bytes, groupStart, end)) return false;
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
        if (i >= end || bytes[i] !== FULL_STOP) return false;
        p++;
      }
      if (p === end) break;
    } else if (p === end) {
      return false;
    }
  }
  return compressed ? groups <= 7 : groups === 8;
}

/** Where a host is in a message. */
export interface HostParts {
  hostStart: number;
  hostEnd: number;
  /** It is written as it is kept: `isHostPlain`, or `host` was found. */
  isHostPlain: boolean;
  /** The host, once it is known. */
  host: string | undefined;
}

/** A host as it is kept: lower case, no brackets, no third colon. */
export function hostOf(bytes: Uint8Array, parts: HostParts): string {
  parts.host ??= decodeHost(bytes, parts.hostStart, parts.hostEnd, parts.isHostPlain);
  return parts.host;
}

function decodeHost(bytes: Uint8Array, start: number, end: number, isPlain: boolean): string {
  if (isPlain) return keptHost(bytes, start, end);
  if (bytes[start] === OPEN_BRACKET) {
    const address = cutAscii(bytes, start + 1, end - 1).toLowerCase();
    return address.includes(":::") ? address.replace(":::", "::") : address;
  }
  return cutAscii(bytes, start, end).toLowerCase();
}

// Hosts of earlier messages: most name the same few. One that is there need not be checked again, its string need not be
// made, and sets of hosts find it at once, which a new one with the same letters costs much more. It is found by the
// twelve bytes that begin with it, so that nobody has to look for its end; as a rule what stands behind a short one is
// always the same, too. Their letters stand beside them, 64 bytes for each.
const placeBits = 6;
const places = 1 << placeBits;
const longest = 64;
const known: string[] = new Array<string>(places).fill("");
const knownLetters = new Uint8Array(places * longest);
const knownView = new DataView(knownLetters.buffer);

function placeOf(first: number, second: number, third: number): number {
  return Math.imul(first ^ Math.imul(second, 5) ^ Math.imul(third, 17), 0x9e3779b1) >>> (32 - placeBits);
}

/** The host of an earlier message that stands at `start` of the window; undefined if it is none that is kept. */
export function knownHostAt(start: number): string | undefined {
  const place = placeOf(fourAt(start), fourAt(start + 4), fourAt(start + 8));
  const host = known[place]!;
  const end = start + host.length;
  // One that goes on is another host: quickly seen.
  if (end === start || (classes[window[end]!]! & HOST) !== 0) return undefined;
  const letters = place * longest - start;
  let p = start;
  for (const whole = end - 3; p < whole; p += 4)
    if (fourAt(p) !== knownView.getInt32(letters + p, true)) return undefined;
  while (p < end && window[p] === knownLetters[letters + p]) p++;
  return p === end ? host : undefined;
}

/** A host that is written as it is kept: the string of an earlier message, or one that later messages will find. */
function keptHost(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > longest) return decodeAscii(bytes, start, end);
  const place = placeOf(fourIn(bytes, start), fourIn(bytes, start + 4), fourIn(bytes, start + 8));
  const letters = place * longest - start;
  if (known[place]!.length === length) {
    let i = start;
    while (i < end && knownLetters[letters + i] === bytes[i]) i++;
    if (i === end) return known[place]!;
  }
  const text = decodeAscii(bytes, start, end);
  known[place] = text;
  for (let i = start; i < end; i++) knownLetters[letters + i] = bytes[i]!;
  return text;
}

/** As `fourAt`, of any bytes; zeros behind their end. */
function fourIn(bytes: Uint8Array, at: number): number {
  let four = 0;
  for (let i = Math.min(bytes.length, at + 4) - 1; i >= at; i--) four = (four << 8) | bytes[i]!;
  return four;
}

/** A host as it is written: IPv6 addresses get their brackets. */
export function printHost(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/** host[:port]. */
export function printHostPort(host: string, port: number | undefined): string {
  return port === undefined ? printHost(host) : `${printHost(host)}:${port}`;
}

/** True if it is the same host: an IPv6 address may be written in many ways (RFC 5954 §4.2). As kept, without brackets. */
export function equalHosts(a: string, b: string): boolean {
  if (a === b) return true;
  if (!a.includes(":") || !b.includes(":")) return false;
  const [groups, others] = [ipv6Groups(a), ipv6Groups(b)];
  return groups?.every((group, i) => group === others?.[i]) === true;
}

/** The eight groups of an IPv6 address without brackets, its zone left out; undefined if it is none. */
export function ipv6Groups(address: string): number[] | undefined {
  const zone = address.indexOf("%");
  let text = zone < 0 ? address : address.slice(0, zone);
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted) {
    const [, head = "", a, b, c, d] = dotted;
    const high = (Number(a) << 8) | Number(b);
    const low = (Number(c) << 8) | Number(d);
    text = `${head}${high.toString(16)}:${low.toString(16)}`;
  }
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...before, ...new Array<string>(missing).fill("0"), ...after].map((group) =>
    /^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16) : Number.NaN,
  );
  return groups.some(Number.isNaN) ? undefined : groups;
}
