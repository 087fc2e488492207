// Headers of one token each, or a list of them: Allow, Supported, Require, Proxy-Require, Unsupported,
// Content-Encoding, Priority … RFC 3261 §20.5, §20.32, §20.37, §20.40.
import { ParseError } from "../../errors.ts";
import { classes, VISIBLE, WHITE } from "../characters.ts";
import { skipToken, skipWhite } from "../grammar.ts";
import { decodeAscii } from "../text.ts";

export function decodeToken(bytes: Uint8Array, start: number, end: number, field: string): string {
  const first = skipWhite(bytes, start, end);
  const after = skipToken(bytes, first, end);
  if (after === first || skipWhite(bytes, after, end) !== end) {
    throw new ParseError(field, "not a token", { offset: first });
  }
  return decodeAscii(bytes, first, after);
}

/** Any run of visible characters: Call-ID, In-Reply-To, SIP-ETag. Laxer than §25.1's word: the bytes only get compared. */
export function decodeWord(bytes: Uint8Array, start: number, end: number, field: string): string {
  const first = skipWhite(bytes, start, end);
  let p = first;
  while (p < end && (classes[bytes[p]!]! & VISIBLE) !== 0) p++;
  if (p === first || skipWhite(bytes, p, end) !== end) {
    throw new ParseError(field, "not one word", { offset: p });
  }
  return decodeAscii(bytes, first, p);
}

export function printPlain(value: string | number): string {
  return String(value);
}

/** True if the range holds nothing but white space. */
export function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  while (start < end && (classes[bytes[start]!]! & WHITE) !== 0) start++;
  return start === end;
}
