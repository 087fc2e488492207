// CSeq: RFC 3261 §20.16; RAck: RFC 3262 §7.2.
import { ParseError } from "../../errors.ts";
import { DIGIT, parseDigits, skipClass, skipToken, skipWhite } from "../grammar.ts";
import { methodIdAt, methodNames } from "../method.ts";
import { decodeAscii } from "../text.ts";

export interface CSeq {
  /** 0 … 2³¹−1 (§8.1.1.5). */
  readonly sequence: number;
  readonly method: string;
}

/** Where the parts are, refilled by each `scanCSeq`. */
export const cSeqParts = { sequence: 0, methodStart: 0, methodEnd: 0 };

/** Checks a CSeq value; leaves the parts in `cSeqParts`. Throws ParseError. */
export function scanCSeq(bytes: Uint8Array, start: number, end: number, field: string): void {
  const digitsEnd = skipClass(bytes, start, end, DIGIT);
  // §8.1.1.5: less than 2**31.
  cSeqParts.sequence = parseDigits(bytes, start, digitsEnd, field, 0x7fffffff);
  const methodStart = skipWhite(bytes, digitsEnd, end);
  const methodEnd = skipToken(bytes, methodStart, end);
  if (methodStart === digitsEnd || methodEnd === methodStart || methodEnd !== end) {
    throw new ParseError(field, "not a number and a method", { offset: digitsEnd });
  }
  cSeqParts.methodStart = methodStart;
  cSeqParts.methodEnd = methodEnd;
}

export function decodeCSeq(bytes: Uint8Array, start: number, end: number, field: string): CSeq {
  scanCSeq(bytes, start, end, field);
  const { sequence, methodStart, methodEnd } = cSeqParts;
  const id = methodIdAt(bytes, methodStart, methodEnd);
  return { sequence, method: id > 0 ? methodNames[id]! : decodeAscii(bytes, methodStart, methodEnd) };
}

export function printCSeq(cSeq: CSeq): string {
  return `${cSeq.sequence} ${cSeq.method}`;
}

/** What a PRACK acknowledges (RFC 3262 §7.2). */
export interface RAck extends CSeq {
  /** The RSeq of the provisional response. */
  readonly rSeq: number;
}

export function decodeRAck(bytes: Uint8Array, start: number, end: number, field: string): RAck {
  const digitsEnd = skipClass(bytes, start, end, DIGIT);
  const rSeq = parseDigits(bytes, start, digitsEnd, field);
  const next = skipWhite(bytes, digitsEnd, end);
  if (next === digitsEnd) throw new ParseError(field, "not two numbers and a method", { offset: next });
  return { rSeq, ...decodeCSeq(bytes, next, end, field) };
}

export function printRAck(rAck: RAck): string {
  return `${rAck.rSeq} ${printCSeq(rAck)}`;
}
