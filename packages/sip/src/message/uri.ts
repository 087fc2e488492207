// URIs: RFC 3261 §19.1 and §25.1. `scanUri` checks and finds the parts, `decodeUri` makes the object.
import { ArgumentError } from "../errors.ts";
import * as characters from "./characters.ts";
import { isEscape, parseDigits, refusal, skipClass, spelling, spells } from "./grammar.ts";
import { type HostParts, hostOf, isHostPlain, printHostPort, skipHost } from "./host.ts";
import { initialOf, LazyParams, noParams, type Params } from "./params.ts";
import { checkTelUri, parseTelUri, printTelUri, type TelUri } from "./tel-uri.ts";
import { cutAscii, decodeAscii, decodeEscaped, encodeText, escapeUri, readText, textBytes } from "./text.ts";

const {
  ALPHA,
  AMPERSAND,
  AT,
  COLON,
  classes,
  DIGIT,
  EQUALS,
  GREATER,
  HASH,
  PASSWORD,
  PERCENT,
  QUESTION,
  SEMICOLON,
  URI_HEADER,
  URI_PARAM,
  URIC,
  USER,
} = characters;

/** A SIP or SIPS URI. Escapes are undone in all parts; a byte that is no UTF-8 stands as U+DC80…U+DCFF. */
export interface SipUri {
  readonly scheme: "sip" | "sips";
  /** Everything before "@" or ":", e.g. "alice" or "+1555;phone-context=x". */
  readonly user?: string;
  readonly password?: string;
  /** Lower case; IPv6 addresses without brackets. */
  readonly host: string;
  readonly port?: number;
  readonly params: Params;
  /** Header fields of the URI (§19.1.1 "headers"), names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** A URI of a scheme that this library does not take apart. Tell them apart by `isSipUri` and `isTelUri`. */
export interface OtherUri {
  /** Lower case; never "sip", "sips" or "tel". */
  readonly scheme: string;
  /** The whole URI as it was written. */
  readonly text: string;
}

export type Uri = SipUri | TelUri | OtherUri;

/** True for sip: and sips: URIs. */
export function isSipUri(uri: Uri): uri is SipUri {
  return uri.scheme === "sip" || uri.scheme === "sips";
}

/** True for tel: URIs (RFC 3966). */
export function isTelUri(uri: Uri): uri is TelUri {
  return uri.scheme === "tel";
}

export const SIP = 1;
export const SIPS = 2;
const TEL = 3;
const TEL_SCHEME = spelling("tel");
const OTHER = 4;

/** Where the parts of a URI are; -1 for a part that is not there. Positions mean something for SIP and SIPS only. */
export interface UriParts extends HostParts {
  scheme: number;
  start: number;
  end: number;
  userStart: number;
  userEnd: number;
  passwordStart: number;
  passwordEnd: number;
  /** There is an escape in user or password. */
  isEscaped: boolean;
  port: number;
  paramsStart: number;
  headersStart: number;
}

/** Parts to be filled in by `scanUri`. */
export function newUriParts(): UriParts {
  return {
    scheme: 0,
    start: 0,
    end: 0,
    userStart: -1,
    userEnd: -1,
    passwordStart: -1,
    passwordEnd: -1,
    isEscaped: false,
    hostStart: 0,
    hostEnd: 0,
    isHostPlain: false,
    host: undefined,
    port: -1,
    paramsStart: 0,
    headersStart: -1,
  };
}

/** Checks that [start, end) is a URI and notes its parts; throws ParseError if it is none. */
export function scanUri(bytes: Uint8Array, start: number, end: number, field: string, parts: UriParts): void {
  const stop = scanSipUri(bytes, start, end, field, parts);
  if (stop < 0) scanOtherUri(bytes, start, end, field, parts);
  else if (stop < end) throw refusal(field, "a character that no SIP URI may hold there", stop);
}

/** Like `scanUri` for a URI that ends with an angle bracket, whose position is returned. */
export function scanUriInBrackets(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  parts: UriParts,
): number {
  let stop = scanSipUri(bytes, start, end, field, parts);
  if (stop < 0) {
    stop = start;
    while (stop < end && bytes[stop] !== GREATER) stop++;
    scanOtherUri(bytes, start, stop, field, parts);
  }
  if (stop >= end) throw refusal(field, "no closing angle bracket", start - 1);
  // RFC 4475 §3.1.2.14: no white space inside the brackets.
  if (bytes[stop] !== GREATER) throw refusal(field, "a character that no SIP URI may hold there", stop);
  return stop;
}

function scanOtherUri(bytes: Uint8Array, start: number, end: number, field: string, parts: UriParts): void {
  const colon = skipScheme(bytes, start, end, field);
  parts.end = end;
  if (spells(bytes, start, colon, TEL_SCHEME)) {
    parts.scheme = TEL;
    checkTelUri(bytes, colon + 1, end, field);
  } else {
    parts.scheme = OTHER;
    checkOpaque(bytes, colon + 1, end, field);
  }
}

function skipScheme(bytes: Uint8Array, start: number, end: number, field: string): number {
  let p = start;
  // scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
  if (p < end && (classes[bytes[p]!]! & ALPHA) !== 0) {
    p++;
    while (p < end) {
      const c = bytes[p]!;
      if ((classes[c]! & (ALPHA | DIGIT)) === 0 && c !== 43 && c !== 45 && c !== 46) break;
      p++;
    }
    if (p < end && bytes[p] === COLON) return p;
  }
  throw refusal(field, "not a URI: no scheme", start);
}

function checkOpaque(bytes: Uint8Array, start: number, end: number, field: string): void {
  if (start >= end) throw refusal(field, "nothing after the scheme", start);
  const p = skipEscapable(bytes, start, end, URIC);
  if (p < end) throw refusal(field, "a character that no URI may hold", p);
}

/** The position after the run of allowed characters and complete escapes. */
function skipEscapable(bytes: Uint8Array, position: number, end: number, allowed: number): number {
  while (position < end) {
    const c = bytes[position]!;
    if ((classes[c]! & allowed) !== 0) position++;
    else if (c === PERCENT && isEscape(bytes, position, end)) position += 3;
    else break;
  }
  return position;
}

/** Notes the parts of the SIP or SIPS URI at `uriStart`. Returns where its grammar ends; -1 for another scheme. */
function scanSipUri(
  bytes: Uint8Array,
  uriStart: number,
  end: number,
  field: string,
  parts: UriParts,
): number {
  parts.start = uriStart;
  parts.userStart = -1;
  parts.passwordStart = -1;
  parts.headersStart = -1;
  parts.isEscaped = false;
  const start = schemeEnd(bytes, uriStart, end);
  if (start < 0) return -1;
  parts.scheme = start === uriStart + 4 ? SIP : SIPS;
  // userinfo and host cannot be told apart before "@" is seen; "@" stands nowhere else unescaped.
  let p = start;
  while (p < end && (classes[bytes[p]!]! & USER) !== 0) p++;
  if (p < end && bytes[p] === PERCENT) {
    p = skipEscapable(bytes, p, end, USER);
    parts.isEscaped = true;
  }
  const userEnd = p;
  if (p < end && bytes[p] === COLON) {
    p = skipEscapable(bytes, p + 1, end, PASSWORD);
    parts.isEscaped = true;
  }
  if (p < end && bytes[p] === AT) {
    if (userEnd === start) throw refusal(field, "the user is empty", start);
    parts.userStart = start;
    parts.userEnd = userEnd;
    if (userEnd < p) {
      parts.passwordStart = userEnd + 1;
      parts.passwordEnd = p;
    }
    p++;
  } else {
    p = start;
    parts.isEscaped = false;
  }
  parts.hostStart = p;
  p = skipHost(bytes, p, end, field);
  parts.hostEnd = p;
  parts.isHostPlain = isHostPlain();
  parts.host = undefined;
  parts.port = -1;
  if (p < end && bytes[p] === COLON) {
    const portEnd = skipClass(bytes, p + 1, end, DIGIT);
    parts.port = parseDigits(bytes, p + 1, portEnd, field, 65535);
    p = portEnd;
  }
  parts.paramsStart = p;
  if (p < end && (bytes[p] === SEMICOLON || bytes[p] === QUESTION))
    p = scanUriTail(bytes, p, end, field, parts);
  parts.end = p;
  return p;
}

/** The position behind "sip:" or "sips:"; -1 if neither is there. */
function schemeEnd(bytes: Uint8Array, start: number, end: number): number {
  if (
    start + 4 > end ||
    (bytes[start]! | 0x20) !== 115 ||
    (bytes[start + 1]! | 0x20) !== 105 ||
    (bytes[start + 2]! | 0x20) !== 112
  ) {
    return -1;
  }
  if (bytes[start + 3] === COLON) return start + 4;
  return start + 4 < end && (bytes[start + 3]! | 0x20) === 115 && bytes[start + 4] === COLON ? start + 5 : -1;
}

/** uri-parameters [ headers ] */
function scanUriTail(bytes: Uint8Array, start: number, end: number, field: string, parts: UriParts): number {
  let p = start;
  while (p < end && bytes[p] === SEMICOLON) {
    const nameEnd = skipEscapable(bytes, p + 1, end, URI_PARAM);
    if (nameEnd === p + 1 || bytes[p + 1] === EQUALS) throw refusal(field, "a URI parameter has no name", p);
    p = nameEnd;
  }
  if (p < end && bytes[p] === QUESTION) {
    parts.headersStart = p;
    p = scanUriHeaders(bytes, p, end, field);
  }
  return p;
}

/** From "?" or "&": headers = "?" header *( "&" header ), header = hname "=" hvalue. */
function scanUriHeaders(bytes: Uint8Array, position: number, end: number, field: string): number {
  let p = position;
  do {
    const nameEnd = skipEscapable(bytes, p + 1, end, URI_HEADER);
    if (nameEnd === p + 1 || nameEnd >= end || bytes[nameEnd] !== EQUALS) {
      throw refusal(field, "a header in the URI has no name or no value", p);
    }
    p = skipEscapable(bytes, nameEnd + 1, end, URI_HEADER);
  } while (p < end && bytes[p] === AMPERSAND);
  return p;
}

/** The URI whose parts `scanUri` has noted. */
export function uriOfParts(bytes: Uint8Array, parts: UriParts): Uri {
  const { scheme, start, end, userStart, passwordStart, port, headersStart, paramsStart } = parts;
  if (scheme > SIPS) return otherUri(bytes, scheme, start, end);
  const paramsEnd = headersStart < 0 ? end : headersStart;
  // One shape for all, so that reading a URI's parts stays quick; absent parts are undefined.
  return {
    scheme: scheme === SIPS ? "sips" : "sip",
    user: userStart < 0 ? undefined : decodePart(bytes, userStart, parts.userEnd, parts.isEscaped),
    password: passwordStart < 0 ? undefined : decodePart(bytes, passwordStart, parts.passwordEnd, true),
    host: hostOf(bytes, parts),
    port: port < 0 ? undefined : port,
    params: paramsStart === paramsEnd ? noParams : uriParams(bytes, paramsStart, paramsEnd),
    headers: headersStart < 0 ? noParams : decodeUriHeaders(bytes, headersStart, end),
  } as SipUri;
}

/**
 * `aorOf` of the URI whose parts `scanUri` has noted, in a string of its own, if that is what it begins with, letter by
 * letter; undefined if it has to be worked out.
 */
export function writtenAor(bytes: Uint8Array, parts: UriParts): string | undefined {
  const { scheme, start, userStart, userEnd, hostEnd, passwordStart, isEscaped, isHostPlain } = parts;
  if (scheme !== SIP || passwordStart >= 0 || isEscaped || !isHostPlain) return undefined;
  // Let through where it is read, but printed with an escape.
  for (let i = userStart; i < userEnd; i++) if (bytes[i] === HASH) return undefined;
  // "SIP:" is as good.
  const isLower = bytes[start] === 115 && bytes[start + 1] === 105 && bytes[start + 2] === 112;
  return isLower ? decodeAscii(bytes, start, hostEnd) : undefined;
}

function otherUri(bytes: Uint8Array, scheme: number, start: number, end: number): Uri {
  const text = decodeAscii(bytes, start, end);
  if (scheme === TEL) return parseTelUri(text.slice(4));
  return { scheme: text.slice(0, text.indexOf(":")).toLowerCase(), text };
}

/** The URI in [start, end). Throws ParseError. */
export function decodeUri(bytes: Uint8Array, start: number, end: number, field: string): Uri {
  scanUri(bytes, start, end, field, transient);
  return uriOfParts(bytes, transient);
}

const transient = newUriParts();

function decodePart(bytes: Uint8Array, start: number, end: number, mayBeEscaped: boolean): string {
  for (let i = start; mayBeEscaped && i < end; i++) {
    if (bytes[i] === PERCENT) return decodeEscaped(bytes, start, end);
  }
  return cutAscii(bytes, start, end);
}

function uriParams(bytes: Uint8Array, start: number, end: number): Params {
  let initials = 0;
  let isPlain = true;
  for (let p = start; p < end; p++) {
    if (bytes[p] === SEMICOLON) initials |= initialOf(bytes[p + 1]!);
    else if (bytes[p] === PERCENT) isPlain = false;
  }
  return new LazyParams(cutAscii(bytes, start, end), decodeUriParams, isPlain ? initials : 0);
}

function decodeUriParams(bytes: Uint8Array): Params {
  const params = new Map<string, string>();
  const end = bytes.length;
  let p = 0;
  while (p < end) {
    let next = p + 1;
    let equals = -1;
    while (next < end && bytes[next] !== SEMICOLON) {
      if (equals < 0 && bytes[next] === EQUALS) equals = next;
      next++;
    }
    const name = decodePart(bytes, p + 1, equals < 0 ? next : equals, true).toLowerCase();
    // §19.1.1: a parameter must not appear twice; the first counts.
    if (!params.has(name)) params.set(name, equals < 0 ? "" : decodePart(bytes, equals + 1, next, true));
    p = next;
  }
  return params;
}

function decodeUriHeaders(bytes: Uint8Array, start: number, end: number): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let p = start;
  while (p < end) {
    let next = p + 1;
    let equals = -1;
    while (next < end && bytes[next] !== AMPERSAND) {
      if (equals < 0 && bytes[next] === EQUALS) equals = next;
      next++;
    }
    const name = decodePart(bytes, p + 1, equals, true).toLowerCase();
    const value = decodePart(bytes, equals + 1, next, true);
    // §19.1.1 allows a name twice (e.g. two Route values): kept as one comma list, which means the same (§7.3.1).
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
    p = next;
  }
  return headers;
}

/** Reads a URI from text or bytes. Throws ParseError. */
export function parseUri(text: string | Uint8Array): Uri {
  if (typeof text === "string" && readText(text)) return decodeUri(textBytes, 0, text.length, "URI");
  const bytes = typeof text === "string" ? encodeText(text) : text;
  return decodeUri(bytes, 0, bytes.length, "URI");
}

/** The URI as it goes on the wire; parts are escaped where they must be (§19.1.2). */
export function printUri(uri: Uri): string {
  if (isSipUri(uri)) return printSipUri(uri);
  if (isTelUri(uri)) return printTelUri(uri);
  return uri.text;
}

function printSipUri(uri: SipUri): string {
  if (uri.host === "") throw new ArgumentError("a SIP URI needs a host");
  let out = `${uri.scheme}:`;
  if (uri.user !== undefined) {
    out += escapeUri(uri.user, USER, "#");
    if (uri.password !== undefined) out += `:${escapeUri(uri.password, PASSWORD)}`;
    out += "@";
  }
  out += printHostPort(uri.host, uri.port);
  for (const [name, value] of uri.params) {
    out += `;${escapeUri(name, URI_PARAM, "=")}`;
    if (value !== "") out += `=${escapeUri(value, URI_PARAM, "=")}`;
  }
  let separator = "?";
  for (const [name, value] of uri.headers) {
    out += `${separator}${escapeUri(name, URI_HEADER)}=${escapeUri(value, URI_HEADER)}`;
    separator = "&";
  }
  return out;
}

/**
 * The address-of-record that a URI stands for, in the canonical form of §10.3 step 5: no port, parameters,
 * headers or password; escapes undone. Usable as a key. A sips: URI counts as the sip: one (same user);
 * tel: URIs give their digits without visual separators; others stay as they are.
 */
export function aorOf(uri: Uri): string {
  if (isSipUri(uri)) {
    const user = uri.user === undefined ? "" : `${escapeUri(uri.user, USER, "#")}@`;
    return `sip:${user}${printHostPort(uri.host, undefined)}`;
  }
  if (isTelUri(uri))
    return printTelUri({ scheme: "tel", number: uri.number.replace(/[-.()]/g, ""), params: noParams });
  return uri.text;
}
