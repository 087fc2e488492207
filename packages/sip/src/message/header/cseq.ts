// CSeq: RFC 3261 §20.16; RAck: RFC 3262 §7.2.
import { ParseError } from "../../errors.ts";
import * as characters from "../characters.ts";
import { parseDigits, refusal, skipClass, skipToken, skipWhite } from "../grammar.ts";
import { methodIdAt, methodNames } from "../method.ts";
import { decodeAscii } from "../text.ts";

const { DIGIT } = characters;

export interface CSeq {
  /** 0 … 2³¹−1 (§8.1.1.5). */
  readonly sequence: number;
  readonly method: string;
}

/** Where the parts are. */
export interface CSeqParts {
  sequence: number;
  /** As in method.ts; 0 for another method. */
  methodId: number;
  methodStart: number;
  methodEnd: number;
}

/** Parts to be filled in by `scanCSeq`. */
export function newCSeqParts(): CSeqParts {
  return { sequence: 0, methodId: 0, methodStart: 0, methodEnd: 0 };
}

/** Checks a CSeq value and notes its parts. Throws ParseError. */
export function scanCSeq(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  parts: CSeqParts,
): void {
  let p = start;
  let sequence = 0;
  while (p < end) {
    const digit = bytes[p]! - 48;
    if (digit < 0 || digit > 9) break;
    sequence = sequence * 10 + digit;
    // §8.1.1.5 bounds only the first of a dialog by 2**31; later ones count on from there (§12.2.1.1).
    if (sequence > 0xffffffff) throw refusal(field, "above 4294967295", start);
    p++;
  }
  const methodStart = skipWhite(bytes, p, end);
  if (p === start || methodStart === p || methodStart === end) {
    throw refusal(field, "not a number and a method", p);
  }
  parts.sequence = sequence;
  parts.methodStart = methodStart;
  parts.methodEnd = end;
  parts.methodId = methodIdAt(bytes, methodStart, end);
  if (parts.methodId === 0 && skipToken(bytes, methodStart, end) !== end) {
    throw refusal(field, "the method is no token", methodStart);
  }
}

const transient = newCSeqParts();

export function decodeCSeq(bytes: Uint8Array, start: number, end: number, field: string): CSeq {
  scanCSeq(bytes, start, end, field, transient);
  const { sequence, methodId, methodStart, methodEnd } = transient;
  return {
    sequence,
    method: methodId > 0 ? methodNames[methodId]! : decodeAscii(bytes, methodStart, methodEnd),
  };
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
