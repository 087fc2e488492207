// Header parameters, *(SEMI generic-param), and quoted strings: RFC 3261 §7.3.1 and §25.1.
import { ParseError } from "../errors.ts";
import {
  classes,
  EQUALS,
  QUOTE,
  SEMICOLON,
  skipClass,
  skipQuoted,
  skipToken,
  skipWhite,
  TOKEN,
  VALUE,
} from "./grammar.ts";
import { decodeAscii, decodeQuoted } from "./text.ts";

/** Parameters by lower-case name; quotes are gone from values; a flag such as `;lr` has the value "". */
export type Params = ReadonlyMap<string, string>;

/** The map of no parameters; shared, so never to be written to. */
export const noParams: Params = new Map<string, string>();

/** Where one parameter stands; refilled by each `scanParam`. `valueStart` is -1 for a flag. */
export const param = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0, isQuoted: false };

/**
 * Steps over one `;name[=value]` whose semicolon is at `position`, leaving in `param` where its parts are.
 * Returns the position after it and the white space behind it. Throws ParseError (empty names and values included).
 */
export function scanParam(bytes: Uint8Array, position: number, end: number, field: string): number {
  const nameStart = skipWhite(bytes, position + 1, end);
  const nameEnd = skipToken(bytes, nameStart, end);
  // RFC 4475 §3.1.2.1: separators with nothing between them are malformed.
  if (nameEnd === nameStart) throw new ParseError(field, "a parameter has no name", { offset: nameStart });
  param.nameStart = nameStart;
  param.nameEnd = nameEnd;
  param.isQuoted = false;
  let p = skipWhite(bytes, nameEnd, end);
  if (p >= end || bytes[p] !== EQUALS) {
    param.valueStart = -1;
    param.valueEnd = -1;
    return p;
  }
  p = skipWhite(bytes, p + 1, end);
  if (p < end && bytes[p] === QUOTE) {
    const after = skipQuoted(bytes, p, end);
    if (after < 0) throw new ParseError(field, "a quoted string does not end", { offset: p });
    param.isQuoted = true;
    param.valueStart = p + 1;
    param.valueEnd = after - 1;
    return skipWhite(bytes, after, end);
  }
  const valueEnd = skipClass(bytes, p, end, VALUE);
  if (valueEnd === p) throw new ParseError(field, "a parameter has no value", { offset: p });
  param.valueStart = p;
  param.valueEnd = valueEnd;
  return skipWhite(bytes, valueEnd, end);
}

/** The value that `param` points at, quotes undone; "" for a flag. */
export function paramValue(bytes: Uint8Array): string {
  if (param.valueStart < 0) return "";
  return param.isQuoted
    ? decodeQuoted(bytes, param.valueStart, param.valueEnd)
    : decodeAscii(bytes, param.valueStart, param.valueEnd);
}

/** All parameters from `position` (white space or a semicolon) to `end`; throws ParseError if anything else is there. */
export function parseParams(bytes: Uint8Array, position: number, end: number, field: string): Params {
  let p = skipWhite(bytes, position, end);
  if (p === end) return noParams;
  const params = new Map<string, string>();
  while (p < end) {
    if (bytes[p] !== SEMICOLON) throw new ParseError(field, "unexpected text after a value", { offset: p });
    p = scanParam(bytes, p, end, field);
    const name = decodeAscii(bytes, param.nameStart, param.nameEnd).toLowerCase();
    // The first of two parameters of one name counts; the grammar leaves it open.
    if (!params.has(name)) params.set(name, paramValue(bytes));
  }
  return params;
}

/** True if the text can stand as a token. */
export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127 || (classes[code]! & TOKEN) === 0) return false;
  }
  return true;
}

/** Text as a quoted string: in quotes, with `"` and `\` escaped. Line breaks, which cannot be escaped, become spaces. */
export function quote(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "\\") out += `\\${c}`;
    else out += c === "\r" || c === "\n" ? " " : c;
  }
  return `${out}"`;
}

/** `;name=value` for each parameter; values that are no tokens are quoted, those of feature tags (RFC 3840 §9) always. */
export function printParams(params: Params): string {
  let out = "";
  for (const [name, value] of params) {
    if (value === "") out += `;${name}`;
    else out += `;${name}=${printParamValue(name, value)}`;
  }
  return out;
}

function printParamValue(name: string, value: string): string {
  if (name.charCodeAt(0) !== 43 && isPlainValue(value)) return value;
  return quote(value);
}

/** A token, or a host with brackets and port: both may stand without quotes. */
function isPlainValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 127 || ((classes[code]! & TOKEN) === 0 && code !== 91 && code !== 93 && code !== 58))
      return false;
  }
  return true;
}
