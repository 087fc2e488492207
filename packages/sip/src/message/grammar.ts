// The small steps every header parser takes. All of them walk forward only, so each parser is linear in the length of
// its value.
import { ParseError } from "../errors.ts";
import * as characters from "./characters.ts";

const { BACKSLASH, COMMA, CR, classes, GREATER, HEX, LESS, LF, QUOTE, TOKEN, WHITE } = characters;

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

/** A word, of letters, digits and any of "-.+*", for `spells`. Made once: bytes compare faster with bytes than with a string. */
export function spelling(word: string): Uint8Array {
  return encoder.encode(word.toLowerCase());
}

const encoder = new TextEncoder();

/** True if the bytes in [start, end), a token, spell the word, ignoring case. */
export function spells(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  const { length } = word;
  if (end - start !== length) return false;
  // No other character of a token folds onto one of those.
  let i = 0;
  while (i < length && (bytes[start + i]! | 0x20) === word[i]) i++;
  return i === length;
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
