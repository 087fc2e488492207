// Character classes of RFC 3261 §25.1 as one table, and the small steps every header parser takes.
// All of them walk forward only, so each parser is linear in the length of its value.
import { ParseError } from "../errors.ts";

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SPACE = 32;
export const QUOTE = 34;
export const PERCENT = 37;
export const AMPERSAND = 38;
export const STAR = 42;
export const COMMA = 44;
export const SLASH = 47;
export const COLON = 58;
export const SEMICOLON = 59;
export const LESS = 60;
export const EQUALS = 61;
export const GREATER = 62;
export const QUESTION = 63;
export const AT = 64;
export const OPEN_BRACKET = 91;
export const BACKSLASH = 92;
export const CLOSE_BRACKET = 93;

/** token. */
export const TOKEN = 1;
/** user, without "%" (an escape is more than one character). */
export const USER = 2;
/** password, likewise. */
export const PASSWORD = 4;
/** paramchar of URI parameters, likewise. */
export const URI_PARAM = 8;
/** Characters of URI headers, likewise. */
export const URI_HEADER = 16;
/** Letters, digits, "-", "_", "." of host names. */
export const HOST = 32;
export const HEX = 64;
export const DIGIT = 128;
/** White space inside a header value: SP, HTAB, and the CR LF of a fold, which the line scan has checked. */
export const WHITE = 256;
/** The value of a header parameter without quotes: gen-value, and what is odd but harms nobody. */
export const VALUE = 512;
/** Visible ASCII. */
export const VISIBLE = 1024;
/** uric of absolute URIs, without "%". */
export const URIC = 2048;
/** Display name without quotes: token, and (odd, but widespread) UTF-8. */
export const DISPLAY = 4096;
export const ALPHA = 8192;
/** Capital letters. */
export const UPPER = 16384;
/** Visible ASCII and space, but what escapes in a quoted string. */
export const PLAIN = 32768;

/** The classes of each byte, as bits. */
export const classes: Uint16Array = new Uint16Array(256);

function mark(bit: number, characters: string): void {
  for (let i = 0; i < characters.length; i++) {
    const code = characters.charCodeAt(i);
    classes[code] = classes[code]! | bit;
  }
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const digits = "0123456789";
const alphanum = letters + digits;
const unreserved = `${alphanum}-_.!~*'()`;
for (let code = SPACE; code < 127; code++) if (code !== BACKSLASH) mark(PLAIN, String.fromCharCode(code));
mark(ALPHA, letters);
mark(DIGIT, digits);
mark(UPPER, letters.slice(26));
mark(HEX, `${digits}abcdefABCDEF`);
mark(TOKEN | DISPLAY, `${alphanum}-.!%*_+\`'~`);
// Laxer than §25.1: "#" is dialled (feature codes) and many phones do not escape it.
mark(USER, `${unreserved}&=+$,;?/#`);
mark(PASSWORD, `${unreserved}&=+$,`);
// Laxer than §25.1: a second "=" in a parameter's value.
mark(URI_PARAM, `${unreserved}[]/:&+$=`);
mark(URI_HEADER, `${unreserved}[]/?:+$`);
// Laxer than §25.1: "_" in host names, as container networks have them.
mark(HOST, `${alphanum}-._`);
mark(WHITE, " \t\r\n");
mark(VALUE, `${alphanum}-.!%*_+\`'~[]:/=(){}&$#^|`);
mark(URIC, `${unreserved};/?:@&=+$,#[]`);
for (let code = 0x21; code < 0x7f; code++) classes[code] = classes[code]! | VISIBLE;
for (let code = 0x80; code < 0x100; code++) classes[code] = classes[code]! | DISPLAY;

/** The ParseError to throw; made apart, so that the scanners stay small. */
export function refusal(field: string, reason: string, offset: number): ParseError {
  return new ParseError(field, reason, { offset });
}

/** The first position from `position` on that holds no white space. */
export function skipWhite(bytes: Uint8Array, position: number, end: number): number {
  while (position < end && (classes[bytes[position]!]! & WHITE) !== 0) position++;
  return position;
}

/** The position after the token that starts at `position`; the same position if none does. */
export function skipToken(bytes: Uint8Array, position: number, end: number): number {
  while (position < end && (classes[bytes[position]!]! & TOKEN) !== 0) position++;
  return position;
}

/** The position after the run of bytes of the given class. */
export function skipClass(bytes: Uint8Array, position: number, end: number, bits: number): number {
  while (position < end && (classes[bytes[position]!]! & bits) !== 0) position++;
  return position;
}

/** Given the opening quote's position, the one after the closing quote; -1 if the string does not end. */
export function skipQuoted(bytes: Uint8Array, position: number, end: number): number {
  position++;
  while (position < end) {
    const c = bytes[position]!;
    if (c === QUOTE) return position + 1;
    // §25.1 quoted-pair: the next byte is not looked at, unless it is a line break (which cannot be escaped).
    if (c === BACKSLASH && position + 1 < end && bytes[position + 1] !== CR && bytes[position + 1] !== LF)
      position++;
    position++;
  }
  return -1;
}

/** True if a "%" at `position` starts a complete escape. */
export function isEscape(bytes: Uint8Array, position: number, end: number): boolean {
  return (
    position + 2 < end &&
    (classes[bytes[position + 1]!]! & HEX) !== 0 &&
    (classes[bytes[position + 2]!]! & HEX) !== 0
  );
}

/**
 * The digits in [start, end) as a number. Refuses anything but digits, an empty range, and values above `most`.
 * Leading zeros count for nothing (RFC 4475 §3.1.1.1).
 */
export function parseDigits(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  most: number = 0xffffffff,
): number {
  if (start >= end) throw new ParseError(field, "a number is missing", { offset: start });
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) throw new ParseError(field, "not a number", { offset: i });
    value = value * 10 + digit;
    if (value > most) throw new ParseError(field, `above ${most}`, { offset: start });
  }
  return value;
}

/** True if the bytes in [start, end) spell `lower` (given in lower case), ignoring case. */
export function spells(bytes: Uint8Array, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const c = bytes[start + i]!;
    const folded = c >= 65 && c <= 90 ? c | 0x20 : c;
    if (folded !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * The end of the list element that starts at `position`: the next comma outside quotes and angle brackets,
 * or `end`. A quote or bracket left open reaches to the end; the element's parser will say so.
 */
export function elementEnd(bytes: Uint8Array, position: number, end: number): number {
  let inBrackets = false;
  while (position < end) {
    const c = bytes[position]!;
    if (c === COMMA) {
      if (!inBrackets) return position;
    } else if (c === QUOTE && !inBrackets) {
      const after = skipQuoted(bytes, position, end);
      if (after < 0) return end;
      position = after;
      continue;
    } else if (c === LESS) {
      inBrackets = true;
    } else if (c === GREATER) {
      inBrackets = false;
    }
    position++;
  }
  return end;
}
