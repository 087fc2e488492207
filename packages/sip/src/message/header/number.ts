// Headers that are one number: Expires, Min-Expires, Max-Forwards, Max-Breadth, RSeq, Flow-Timer, Content-Length.
// RFC 3261 §20.14, §20.19, §20.22, §20.23; RFC 3262 §7.1; RFC 5393 §5.3; RFC 5626 §4.4.
import { ParseError } from "../../errors.ts";
import { DIGIT } from "../characters.ts";
import { parseDigits, skipClass, skipWhite } from "../grammar.ts";

/** A parser for a number up to `most`. */
export function numberUpTo(most: number) {
  return (bytes: Uint8Array, start: number, end: number, field: string): number => {
    const first = skipWhite(bytes, start, end);
    const after = skipClass(bytes, first, end, DIGIT);
    if (skipWhite(bytes, after, end) !== end) throw new ParseError(field, "not a number", { offset: after });
    return parseDigits(bytes, first, after, field, most);
  };
}

/** delta-seconds; RFC 3261 §20.19 ends at 2**32-1, what is above counts as that (RFC 4475 §3.1.2.4). */
export function decodeSeconds(bytes: Uint8Array, start: number, end: number, field: string): number {
  return Math.min(numberUpTo(Number.MAX_SAFE_INTEGER / 16)(bytes, start, end, field), 0xffffffff);
}

/** A delta-seconds that stands there; undefined if that is no number. Never throws. */
export function readSeconds(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (start >= end) return undefined;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return Math.min(value, 0xffffffff);
}
