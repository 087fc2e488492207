// URIs: RFC 3261 §19.1 and §25.1. `scanUri` checks and finds the parts, `decodeUri` makes the object.
import { ArgumentError, ParseError } from "../errors.ts";
import {
  ALPHA,
  AMPERSAND,
  AT,
  COLON,
  classes,
  DIGIT,
  EQUALS,
  isEscape,
  PASSWORD,
  PERCENT,
  parseDigits,
  QUESTION,
  SEMICOLON,
  skipClass,
  spells,
  URI_HEADER,
  URI_PARAM,
  URIC,
  USER,
} from "./grammar.ts";
import { decodeHost, printHostPort, skipHost } from "./host.ts";
import { noParams, type Params } from "./params.ts";
import { checkTelUri, parseTelUri, printTelUri, type TelUri } from "./tel-uri.ts";
import { decodeAscii, decodeEscaped, encodeText, escapeUri } from "./text.ts";

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

/** A URI of a scheme that this library does not take apart. */
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

const SIP = 1;
const SIPS = 2;
const TEL = 3;
const OTHER = 4;

/** Where the parts of a URI are, refilled by each `scanUri`. -1 for a part that is not there. */
export const found = {
  scheme: 0,
  colon: 0,
  userStart: -1,
  userEnd: -1,
  passwordStart: -1,
  passwordEnd: -1,
  hostStart: 0,
  hostEnd: 0,
  port: -1,
  paramsStart: 0,
  headersStart: -1,
};

/** Checks that [start, end) is a URI; throws ParseError if not. Allocates nothing. */
export function scanUri(bytes: Uint8Array, start: number, end: number, field: string): void {
  const colon = skipScheme(bytes, start, end, field);
  found.colon = colon;
  const length = colon - start;
  if (length === 3 && spells(bytes, start, colon, "sip")) found.scheme = SIP;
  else if (length === 4 && spells(bytes, start, colon, "sips")) found.scheme = SIPS;
  else {
    if (length === 3 && spells(bytes, start, colon, "tel")) {
      found.scheme = TEL;
      checkTelUri(bytes, colon + 1, end, field);
    } else {
      found.scheme = OTHER;
      checkOpaque(bytes, colon + 1, end, field);
    }
    return;
  }
  scanSipUri(bytes, colon + 1, end, field);
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
  throw new ParseError(field, "not a URI: no scheme", { offset: start });
}

function checkOpaque(bytes: Uint8Array, start: number, end: number, field: string): void {
  if (start >= end) throw new ParseError(field, "nothing after the scheme", { offset: start });
  const p = skipEscapable(bytes, start, end, URIC);
  if (p < end) throw new ParseError(field, "a character that no URI may hold", { offset: p });
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

function scanSipUri(bytes: Uint8Array, start: number, end: number, field: string): void {
  // userinfo and host cannot be told apart before "@" is seen; "@" stands nowhere else unescaped.
  let p = skipEscapable(bytes, start, end, USER);
  found.userStart = -1;
  found.passwordStart = -1;
  const userEnd = p;
  if (p < end && bytes[p] === COLON) p = skipEscapable(bytes, p + 1, end, PASSWORD);
  if (p < end && bytes[p] === AT) {
    if (userEnd === start) throw new ParseError(field, "the user is empty", { offset: start });
    found.userStart = start;
    found.userEnd = userEnd;
    if (userEnd < p) {
      found.passwordStart = userEnd + 1;
      found.passwordEnd = p;
    }
    p++;
  } else {
    p = start;
  }
  found.hostStart = p;
  p = skipHost(bytes, p, end, field);
  found.hostEnd = p;
  found.port = -1;
  if (p < end && bytes[p] === COLON) {
    const portEnd = skipClass(bytes, p + 1, end, DIGIT);
    found.port = parseDigits(bytes, p + 1, portEnd, field, 65535);
    p = portEnd;
  }
  found.paramsStart = p;
  while (p < end && bytes[p] === SEMICOLON) {
    const nameEnd = skipEscapable(bytes, p + 1, end, URI_PARAM);
    if (nameEnd === p + 1 || bytes[p + 1] === EQUALS) {
      throw new ParseError(field, "a URI parameter has no name", { offset: p });
    }
    p = nameEnd;
  }
  found.headersStart = -1;
  if (p < end && bytes[p] === QUESTION) {
    found.headersStart = p;
    p = scanUriHeaders(bytes, p, end, field);
  }
  if (p < end) throw new ParseError(field, "a character that no SIP URI may hold there", { offset: p });
}

/** From "?" or "&": headers = "?" header *( "&" header ), header = hname "=" hvalue. */
function scanUriHeaders(bytes: Uint8Array, position: number, end: number, field: string): number {
  let p = position;
  do {
    const nameEnd = skipEscapable(bytes, p + 1, end, URI_HEADER);
    if (nameEnd === p + 1 || nameEnd >= end || bytes[nameEnd] !== EQUALS) {
      throw new ParseError(field, "a header in the URI has no name or no value", { offset: p });
    }
    p = skipEscapable(bytes, nameEnd + 1, end, URI_HEADER);
  } while (p < end && bytes[p] === AMPERSAND);
  return p;
}

/** The URI in [start, end). Throws ParseError. */
export function decodeUri(bytes: Uint8Array, start: number, end: number, field: string): Uri {
  scanUri(bytes, start, end, field);
  switch (found.scheme) {
    case TEL:
      return parseTelUri(decodeAscii(bytes, found.colon + 1, end));
    case OTHER: {
      const text = decodeAscii(bytes, start, end);
      return { scheme: text.slice(0, found.colon - start).toLowerCase(), text };
    }
  }
  const { userStart, userEnd, passwordStart, passwordEnd, port, headersStart, paramsStart } = found;
  const paramsEnd = headersStart < 0 ? end : headersStart;
  // One shape for all, so that reading a URI's parts stays quick; absent parts are undefined.
  return {
    scheme: found.scheme === SIPS ? "sips" : "sip",
    user: userStart < 0 ? undefined : decodePart(bytes, userStart, userEnd),
    password: passwordStart < 0 ? undefined : decodePart(bytes, passwordStart, passwordEnd),
    host: decodeHost(bytes, found.hostStart, found.hostEnd),
    port: port < 0 ? undefined : port,
    params: paramsStart === paramsEnd ? noParams : decodeUriParams(bytes, paramsStart, paramsEnd),
    headers: headersStart < 0 ? noParams : decodeUriHeaders(bytes, headersStart, end),
  } as SipUri;
}

function decodePart(bytes: Uint8Array, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    if (bytes[i] === PERCENT) return decodeEscaped(bytes, start, end);
  }
  return decodeAscii(bytes, start, end);
}

function decodeUriParams(bytes: Uint8Array, start: number, end: number): Params {
  const params = new Map<string, string>();
  let p = start;
  while (p < end) {
    let next = p + 1;
    let equals = -1;
    while (next < end && bytes[next] !== SEMICOLON) {
      if (equals < 0 && bytes[next] === EQUALS) equals = next;
      next++;
    }
    const name = decodePart(bytes, p + 1, equals < 0 ? next : equals).toLowerCase();
    // §19.1.1: a parameter must not appear twice; the first counts.
    if (!params.has(name)) params.set(name, equals < 0 ? "" : decodePart(bytes, equals + 1, next));
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
    const name = decodePart(bytes, p + 1, equals).toLowerCase();
    const value = decodePart(bytes, equals + 1, next);
    // §19.1.1 allows a name twice (e.g. two Route values): kept as one comma list, which means the same (§7.3.1).
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
    p = next;
  }
  return headers;
}

/** Reads a URI from text or bytes. Throws ParseError. */
export function parseUri(text: string | Uint8Array): Uri {
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
