// name-addr and addr-spec with header parameters: RFC 3261 §20.10, §25.1, and RFC 8217's rule on brackets.
import * as characters from "./characters.ts";
import { refusal, skipQuoted, skipWhite } from "./grammar.ts";
import {
  isToken,
  lazyParams,
  noParams,
  type Params,
  param,
  printParams,
  quote,
  scanParam,
} from "./params.ts";
import { cutAscii, decodeQuoted, decodeText, encodeText } from "./text.ts";
import {
  newUriParts,
  printUri,
  scanUri,
  scanUriInBrackets,
  type Uri,
  type UriParts,
  uriOfParts,
} from "./uri.ts";

const { COMMA, classes, DISPLAY, LESS, QUESTION, QUOTE, SEMICOLON, SPACE, WHITE } = characters;

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

/** A display name of ASCII without escapes and folds, the quotes apart. */
export const AS_IT_IS = 0;
const TOKENS = 1;
const QUOTED = 2;

/** Where the parts of an address with its parameters are; -1 for a part that is not there. */
export interface NameAddrParts {
  displayStart: number;
  displayEnd: number;
  /** `AS_IT_IS`, `TOKENS` or `QUOTED`: how the display name is read. */
  displayForm: number;
  paramsStart: number;
  paramsEnd: number;
  tagStart: number;
  tagEnd: number;
  readonly uri: UriParts;
}

/** Parts to be filled in by `scanNameAddr`. */
export function newNameAddrParts(): NameAddrParts {
  return {
    displayStart: -1,
    displayEnd: -1,
    displayForm: AS_IT_IS,
    paramsStart: 0,
    paramsEnd: 0,
    tagStart: -1,
    tagEnd: -1,
    uri: newUriParts(),
  };
}

/**
 * Checks one name-addr or addr-spec with its parameters and notes its parts. Returns where it stops: `end`, or
 * (in a list) the comma. Throws ParseError.
 */
export function scanNameAddr(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  inList: boolean,
  parts: NameAddrParts,
): number {
  parts.displayStart = -1;
  parts.tagStart = -1;
  let p = start;
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  p = scanAddress(bytes, p, end, field, parts);
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  parts.paramsStart = p;
  while (p < end && bytes[p] === SEMICOLON) {
    p = scanParam(bytes, p, end, field);
    if (param.nameEnd - param.nameStart === 3 && parts.tagStart < 0 && isTag(bytes, param.nameStart)) {
      // §25.1: tag-param has a token, never a quoted string or nothing.
      if (param.valueStart < 0 || param.isQuoted) throw refusal(field, "the tag is no token", p);
      parts.tagStart = param.valueStart;
      parts.tagEnd = param.valueEnd;
    }
  }
  parts.paramsEnd = p;
  if (p < end && !(inList && bytes[p] === COMMA)) {
    // RFC 8217 §3, RFC 4475 §3.1.2.13: a URI with "?" or "," must be in angle brackets.
    throw refusal(field, "unexpected text after the address", p);
  }
  return p;
}

function isTag(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! | 0x20) === 116 && (bytes[at + 1]! | 0x20) === 97 && (bytes[at + 2]! | 0x20) === 103;
}

function scanAddress(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  parts: NameAddrParts,
): number {
  let p = start;
  if (p < end && bytes[p] === QUOTE) {
    const after = skipQuoted(bytes, p, end);
    if (after < 0) throw refusal(field, "a quoted string does not end", p);
    parts.displayStart = p + 1;
    parts.displayEnd = after - 1;
    parts.displayForm = QUOTED;
    p = skipWhite(bytes, after, end);
    if (p >= end || bytes[p] !== LESS) {
      throw refusal(field, "no address in angle brackets after the display name", p);
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
        parts.displayForm = TOKENS;
      }
    } else {
      return scanBareAddress(bytes, start, end, field, parts);
    }
  }
  return scanUriInBrackets(bytes, p + 1, end, field, parts.uri) + 1;
}

/** Without brackets the URI ends at the first ";" "," "?" or white space (RFC 8217 §3). */
function scanBareAddress(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  parts: NameAddrParts,
): number {
  let p = start;
  while (p < end) {
    const c = bytes[p]!;
    if (c === SEMICOLON || c === COMMA || c === QUESTION || (classes[c]! & WHITE) !== 0) break;
    p++;
  }
  if (p === start) throw refusal(field, "the address is missing", start);
  scanUri(bytes, start, p, field, parts.uri);
  return p;
}

function decodeDisplayName(bytes: Uint8Array, parts: NameAddrParts): string | undefined {
  const { displayStart, displayEnd, displayForm } = parts;
  if (displayStart < 0 || displayEnd === displayStart) return undefined;
  if (displayForm === AS_IT_IS) return cutAscii(bytes, displayStart, displayEnd);
  const text =
    displayForm === QUOTED
      ? decodeQuoted(bytes, displayStart, displayEnd)
      : decodeText(bytes, displayStart, displayEnd);
  return text === "" ? undefined : text;
}

const transient = newNameAddrParts();

/** The name-addr in [start, end). Throws ParseError. */
export function decodeNameAddr(bytes: Uint8Array, start: number, end: number, field: string): NameAddr {
  scanNameAddr(bytes, start, end, field, false, transient);
  const { uri, paramsStart } = transient;
  return {
    displayName: decodeDisplayName(bytes, transient),
    uri: uriOfParts(bytes, uri),
    params: paramsStart === end ? noParams : lazyParams(bytes, paramsStart, end),
  } as NameAddr;
}

/** From or To, as `scanNameAddr` has noted it. */
export function fromToOfParts(bytes: Uint8Array, parts: NameAddrParts): FromTo {
  const { uri, paramsStart, paramsEnd, tagStart, tagEnd } = parts;
  return {
    displayName: decodeDisplayName(bytes, parts),
    uri: uriOfParts(bytes, uri),
    params: paramsStart === paramsEnd ? noParams : lazyParams(bytes, paramsStart, paramsEnd),
    tag: tagStart < 0 ? undefined : cutAscii(bytes, tagStart, tagEnd),
  } as FromTo;
}

/** The value of From or To in [start, end). Throws ParseError. */
export function decodeFromTo(bytes: Uint8Array, start: number, end: number, field: string): FromTo {
  scanNameAddr(bytes, start, end, field, false, transient);
  return fromToOfParts(bytes, transient);
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
