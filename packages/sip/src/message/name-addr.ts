// name-addr and addr-spec with header parameters: RFC 3261 §20.10, §25.1, and RFC 8217's rule on brackets.
import { ParseError } from "../errors.ts";
import {
  COMMA,
  classes,
  DISPLAY,
  GREATER,
  LESS,
  QUESTION,
  QUOTE,
  SEMICOLON,
  skipQuoted,
  skipWhite,
  WHITE,
} from "./grammar.ts";
import {
  isToken,
  noParams,
  type Params,
  param,
  parseParams,
  printParams,
  quote,
  scanParam,
} from "./params.ts";
import { decodeAscii, decodeQuoted, decodeText, encodeText } from "./text.ts";
import { decodeUri, printUri, scanUri, type Uri } from "./uri.ts";

/** A URI with an optional name for people and the parameters of the header (not of the URI). */
export interface NameAddr {
  /** Quotes and escapes are gone; absent if empty. */
  readonly displayName?: string;
  readonly uri: Uri;
  readonly params: Params;
}

/** From and To (§20.20, §20.39). */
export interface FromTo extends NameAddr {
  readonly tag?: string;
}

/** Where the parts are, refilled by each `scanNameAddr`; -1 for a part that is not there. */
export const nameAddrParts = {
  displayStart: -1,
  displayEnd: -1,
  isQuoted: false,
  uriStart: 0,
  uriEnd: 0,
  paramsStart: 0,
  tagStart: -1,
  tagEnd: -1,
};

/**
 * Checks one name-addr or addr-spec with its parameters and leaves in `nameAddrParts` where the parts are.
 * Returns where it stops: `end`, or (in a list) the comma. Throws ParseError. Allocates nothing.
 */
export function scanNameAddr(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  inList: boolean,
): number {
  const parts = nameAddrParts;
  parts.displayStart = -1;
  parts.tagStart = -1;
  let p = scanAddress(bytes, skipWhite(bytes, start, end), end, field);
  p = skipWhite(bytes, p, end);
  parts.paramsStart = p;
  while (p < end && bytes[p] === SEMICOLON) {
    p = scanParam(bytes, p, end, field);
    if (param.nameEnd - param.nameStart === 3 && parts.tagStart < 0 && isTag(bytes, param.nameStart)) {
      // §25.1: tag-param has a token, never a quoted string or nothing.
      if (param.valueStart < 0 || param.isQuoted)
        throw new ParseError(field, "the tag is no token", { offset: p });
      parts.tagStart = param.valueStart;
      parts.tagEnd = param.valueEnd;
    }
  }
  if (p < end && !(inList && bytes[p] === COMMA)) {
    // RFC 8217 §3, RFC 4475 §3.1.2.13: a URI with "?" or "," must be in angle brackets.
    throw new ParseError(field, "unexpected text after the address", { offset: p });
  }
  return p;
}

function isTag(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! | 0x20) === 116 && (bytes[at + 1]! | 0x20) === 97 && (bytes[at + 2]! | 0x20) === 103;
}

function scanAddress(bytes: Uint8Array, start: number, end: number, field: string): number {
  const parts = nameAddrParts;
  let p = start;
  if (p < end && bytes[p] === QUOTE) {
    const after = skipQuoted(bytes, p, end);
    if (after < 0) throw new ParseError(field, "a quoted string does not end", { offset: p });
    parts.displayStart = p + 1;
    parts.displayEnd = after - 1;
    parts.isQuoted = true;
    p = skipWhite(bytes, after, end);
    if (p >= end || bytes[p] !== LESS) {
      throw new ParseError(field, "no address in angle brackets after the display name", { offset: p });
    }
  } else {
    // §25.1: display-name = *(token LWS). RFC 4475 §3.1.1.6: the LWS before "<" may be missing.
    while (p < end && (classes[bytes[p]!]! & (DISPLAY | WHITE)) !== 0) p++;
    if (p < end && bytes[p] === LESS) {
      let displayEnd = p;
      while (displayEnd > start && (classes[bytes[displayEnd - 1]!]! & WHITE) !== 0) displayEnd--;
      if (displayEnd > start) {
        parts.displayStart = start;
        parts.displayEnd = displayEnd;
        parts.isQuoted = false;
      }
    } else {
      return scanBareAddress(bytes, start, end, field);
    }
  }
  const uriStart = p + 1;
  p = uriStart;
  while (p < end && bytes[p] !== GREATER) p++;
  if (p >= end) throw new ParseError(field, "no closing angle bracket", { offset: uriStart - 1 });
  // RFC 4475 §3.1.2.14: no white space inside the brackets; scanUri refuses it.
  scanUri(bytes, uriStart, p, field);
  parts.uriStart = uriStart;
  parts.uriEnd = p;
  return p + 1;
}

/** Without brackets the URI ends at the first ";" "," "?" or white space (RFC 8217 §3). */
function scanBareAddress(bytes: Uint8Array, start: number, end: number, field: string): number {
  let p = start;
  while (p < end) {
    const c = bytes[p]!;
    if (c === SEMICOLON || c === COMMA || c === QUESTION || (classes[c]! & WHITE) !== 0) break;
    p++;
  }
  if (p === start) throw new ParseError(field, "the address is missing", { offset: start });
  scanUri(bytes, start, p, field);
  nameAddrParts.uriStart = start;
  nameAddrParts.uriEnd = p;
  return p;
}

function decodeDisplayName(bytes: Uint8Array): string | undefined {
  const { displayStart, displayEnd, isQuoted } = nameAddrParts;
  if (displayStart < 0 || displayEnd === displayStart) return undefined;
  const text = isQuoted
    ? decodeQuoted(bytes, displayStart, displayEnd)
    : decodeText(bytes, displayStart, displayEnd);
  return text === "" ? undefined : text;
}

/** The name-addr in [start, end). Throws ParseError. */
export function decodeNameAddr(bytes: Uint8Array, start: number, end: number, field: string): NameAddr {
  scanNameAddr(bytes, start, end, field, false);
  const { uriStart, uriEnd, paramsStart } = nameAddrParts;
  return {
    displayName: decodeDisplayName(bytes),
    uri: decodeUri(bytes, uriStart, uriEnd, field),
    params: paramsStart === end ? noParams : parseParams(bytes, paramsStart, end, field),
  } as NameAddr;
}

/** The value of From or To in [start, end). Throws ParseError. */
export function decodeFromTo(bytes: Uint8Array, start: number, end: number, field: string): FromTo {
  scanNameAddr(bytes, start, end, field, false);
  const { uriStart, uriEnd, paramsStart, tagStart, tagEnd } = nameAddrParts;
  return {
    displayName: decodeDisplayName(bytes),
    uri: decodeUri(bytes, uriStart, uriEnd, field),
    params: paramsStart === end ? noParams : parseParams(bytes, paramsStart, end, field),
    tag: tagStart < 0 ? undefined : decodeAscii(bytes, tagStart, tagEnd),
  } as FromTo;
}

/** Reads `"Name" <uri>;param=…` or a bare URI with parameters. Throws ParseError. */
export function parseNameAddr(text: string | Uint8Array): FromTo {
  const bytes = typeof text === "string" ? encodeText(text) : text;
  return decodeFromTo(bytes, 0, bytes.length, "address");
}

/** As it goes on the wire, always in angle brackets; a bare URI is taken as one without name and parameters. */
export function printNameAddr(value: NameAddr | Uri): string {
  if ("scheme" in value) return `<${printUri(value)}>`;
  const { displayName, uri, params } = value;
  let out = "";
  if (displayName !== undefined && displayName !== "") {
    out = `${displayName.split(" ").every(isToken) ? displayName : quote(displayName)} `;
  }
  out += `<${printUri(uri)}>`;
  // A value with a `tag` of its own says by it what the tag is, so that { ...to, tag } does what it seems to do.
  if ("tag" in value) {
    const tag = (value as FromTo).tag;
    if (tag !== params.get("tag")) {
      const others = new Map(params);
      others.delete("tag");
      return `${out}${tag === undefined ? "" : `;tag=${tag}`}${printParams(others)}`;
    }
  }
  return params.size === 0 ? out : out + printParams(params);
}
