// The head of a message in a stream: where it ends, and how long the body is. RFC 3261 §7.5, §18.3.
import { ParseError } from "../errors.ts";
import { COLON, CR, classes, LF, SPACE, TAB, WHITE } from "./characters.ts";
import { parseDigits, skipToken } from "./grammar.ts";
import { CONTENT_LENGTH, headerIdAt } from "./header-table.ts";

/**
 * The position behind the empty line that ends the head of the message, or -1 if it is not within [from, limit).
 * `from` may be any position in the head (to go on where the last search ended, go back 3).
 */
export function findHeadEnd(bytes: Uint8Array, from: number, limit: number = bytes.length): number {
  let p = from + 3;
  while (p < limit) {
    // CR LF CR LF: what stands at p tells how far the end can be.
    const c = bytes[p]!;
    if (c === LF) {
      if (bytes[p - 1] === CR && bytes[p - 2] === LF && bytes[p - 3] === CR) return p + 1;
      p += 2;
    } else if (c === CR) {
      p += 1;
    } else {
      p += 4;
    }
  }
  return -1;
}

/**
 * The value of Content-Length in the head [start, headEnd), headEnd as from `findHeadEnd`; undefined if there is none.
 * Throws ParseError if it is no number or there are two.
 */
export function contentLengthOf(bytes: Uint8Array, start: number, headEnd: number): number | undefined {
  let length: number | undefined;
  let p = start;
  while (p < headEnd) {
    const lineStart = p;
    p = skipToken(bytes, p, headEnd);
    const id = p > lineStart ? headerIdAt(bytes, lineStart, p) : 0;
    while (p < headEnd && (bytes[p] === SPACE || bytes[p] === TAB)) p++;
    const isField = bytes[p] === COLON;
    const valueAt = p + 1;
    p = lineEnd(bytes, p, headEnd);
    if (id !== CONTENT_LENGTH || !isField) continue;
    if (length !== undefined) throw new ParseError("Content-Length", "more than one", { offset: lineStart });
    let valueStart = valueAt;
    while (valueStart < p && (classes[bytes[valueStart]!]! & WHITE) !== 0) valueStart++;
    let valueEnd = p;
    while (valueEnd > valueStart && (classes[bytes[valueEnd - 1]!]! & WHITE) !== 0) valueEnd--;
    length = parseDigits(bytes, valueStart, valueEnd, "Content-Length");
  }
  return length;
}

/** Behind the CR LF of the header field that `p` is in, continuation lines included. */
function lineEnd(bytes: Uint8Array, p: number, headEnd: number): number {
  while (p < headEnd) {
    if (bytes[p] === LF && bytes[p - 1] === CR && bytes[p + 1] !== SPACE && bytes[p + 1] !== TAB)
      return p + 1;
    p++;
  }
  return headEnd;
}
