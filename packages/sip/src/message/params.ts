// Header parameters, *(SEMI generic-param), and quoted strings: RFC 3261 §7.3.1 and §25.1.
import * as characters from "./characters.ts";
import { refusal, skipQuoted, skipWhite } from "./grammar.ts";
import { cutAscii, decodeQuoted, latin1Bytes } from "./text.ts";

const { classes, EQUALS, QUOTE, SEMICOLON, SPACE, TOKEN, VALUE } = characters;

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
  let p = position + 1;
  // Most messages have no white space here: the look at one byte saves a call.
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  param.nameStart = p;
  const nameStart = p;
  while (p < end && (classes[bytes[p]!]! & TOKEN) !== 0) p++;
  // RFC 4475 §3.1.2.1: separators with nothing between them are malformed.
  if (p === nameStart) throw refusal(field, "a parameter has no name", p);
  param.nameEnd = p;
  param.isQuoted = false;
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  if (p >= end || bytes[p] !== EQUALS) {
    param.valueStart = -1;
    param.valueEnd = -1;
    return p;
  }
  p++;
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  if (p < end && bytes[p] === QUOTE) return scanQuotedValue(bytes, p, end, field);
  param.valueStart = p;
  const valueStart = p;
  while (p < end && (classes[bytes[p]!]! & VALUE) !== 0) p++;
  if (p === valueStart) throw refusal(field, "a parameter has no value", p);
  param.valueEnd = p;
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  return p;
}

function scanQuotedValue(bytes: Uint8Array, position: number, end: number, field: string): number {
  const after = skipQuoted(bytes, position, end);
  if (after < 0) throw refusal(field, "a quoted string does not end", position);
  param.isQuoted = true;
  param.valueStart = position + 1;
  param.valueEnd = after - 1;
  return skipWhite(bytes, after, end);
}

/** The value that `param` points at, quotes undone; "" for a flag. */
export function paramValue(bytes: Uint8Array): string {
  if (param.valueStart < 0) return "";
  return param.isQuoted
    ? decodeQuoted(bytes, param.valueStart, param.valueEnd)
    : cutAscii(bytes, param.valueStart, param.valueEnd);
}

/** All parameters from `position` (white space or a semicolon) to `end`; throws ParseError if anything else is there. */
export function parseParams(bytes: Uint8Array, position: number, end: number, field: string): Params {
  let p = skipWhite(bytes, position, end);
  if (p === end) return noParams;
  const params = new Map<string, string>();
  while (p < end) {
    if (bytes[p] !== SEMICOLON) throw refusal(field, "unexpected text after a value", p);
    p = scanParam(bytes, p, end, field);
    const name = cutAscii(bytes, param.nameStart, param.nameEnd).toLowerCase();
    // The first of two parameters of one name counts; the grammar leaves it open.
    if (!params.has(name)) params.set(name, paramValue(bytes));
  }
  return params;
}

/**
 * Parameters that were checked, but are taken apart only when someone looks. Holds the text and not the bytes,
 * since these may be used again for another message.
 */
export class LazyParams implements ReadonlyMap<string, string> {
  /** As written; enumerable, so that comparing two of them compares this. */
  readonly text: string;
  readonly #decode: (bytes: Uint8Array) => Params;
  readonly #initials: number;
  #map: Params | undefined = undefined;

  /**
   * One class for both kinds, since making an object of a derived class costs twice as much.
   * @param initials - if names and values stand in the text as they are, with nothing around them: the bits of
   *   `initialOf` of all names; else 0
   */
  constructor(text: string, decode: (bytes: Uint8Array) => Params, initials: number) {
    this.text = text;
    this.#decode = decode;
    this.#initials = initials;
  }

  get map(): Params {
    this.#map ??= this.#decode(latin1Bytes(this.text));
    return this.#map;
  }

  get size(): number {
    return this.map.size;
  }

  // Most that are asked for are not there, or one or two: no map is made to find them.
  get(name: string): string | undefined {
    const initials = this.#initials;
    if (initials === 0) return this.map.get(name);
    if ((initials & initialOf(name.charCodeAt(0))) === 0) return undefined;
    const { text } = this;
    const end = endOfName(text, name);
    if (end < 0) return undefined;
    if (text.charCodeAt(end) !== EQUALS) return "";
    const next = text.indexOf(";", end);
    return text.slice(end + 1, next < 0 ? text.length : next);
  }

  has(name: string): boolean {
    const initials = this.#initials;
    if (initials === 0) return this.map.has(name);
    return (initials & initialOf(name.charCodeAt(0))) !== 0 && endOfName(this.text, name) >= 0;
  }

  forEach(callback: (value: string, key: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.map) callback(value, name, this);
  }

  entries(): MapIterator<[string, string]> {
    return this.map.entries();
  }

  keys(): MapIterator<string> {
    return this.map.keys();
  }

  values(): MapIterator<string> {
    return this.map.values();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.map[Symbol.iterator]();
  }
}

/** The parameters in [start, end), which `scanParam` has already gone over. */
export function lazyParams(bytes: Uint8Array, start: number, end: number): Params {
  return new LazyParams(cutAscii(bytes, start, end), decodeParams, 0);
}

function decodeParams(bytes: Uint8Array): Params {
  return parseParams(bytes, 0, bytes.length, "parameters");
}

/** A bit for the letter that a name begins with, the same for both cases. */
export function initialOf(letter: number): number {
  return 1 << (letter & 31);
}

/** Where the name of the first parameter that is called so ends in `;name=value;name`; -1 if there is none. */
function endOfName(text: string, name: string): number {
  for (let p = 0; p >= 0 && p < text.length; p = text.indexOf(";", p + 1)) {
    const end = p + 1 + name.length;
    const after = text.charCodeAt(end);
    // NaN at the end of the text.
    if (after !== EQUALS && after !== SEMICOLON && end !== text.length) continue;
    let i = 0;
    while (i < name.length && lowerCase(text.charCodeAt(p + 1 + i)) === name.charCodeAt(i)) i++;
    if (i === name.length) return end;
  }
  return -1;
}

function lowerCase(code: number): number {
  return code >= 65 && code <= 90 ? code | 0x20 : code;
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

/** Text as a quoted string: in quotes, `"`, `\` and control characters escaped. Line breaks, which cannot be, become spaces. */
export function quote(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    const code = text.charCodeAt(i);
    if (code === 13 || code === 10) out += " ";
    else if (c === '"' || c === "\\" || (code < 32 && code !== 9) || code === 127) out += `\\${c}`;
    else out += c;
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
