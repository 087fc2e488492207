// Timestamp: RFC 3261 §20.38.
import { ParseError } from "../../errors.ts";
import { decodeText } from "../text.ts";

export interface Timestamp {
  /** Seconds, by the sender's own scale. */
  readonly time: number;
  /** Seconds between receipt and response. */
  readonly delay?: number;
}

export function decodeTimestamp(bytes: Uint8Array, start: number, end: number, field: string): Timestamp {
  const match =
    end - start > 64
      ? null
      : /^(\d+(?:\.\d*)?)(?:[ \t]+(\d*(?:\.\d*)?))?$/.exec(decodeText(bytes, start, end));
  if (match === null) throw new ParseError(field, "not a time", { offset: start });
  const delay = match[2];
  return {
    time: Number(match[1]),
    delay: delay === undefined || delay === "" || delay === "." ? undefined : Number(delay),
  } as Timestamp;
}

export function printTimestamp(value: Timestamp | number): string {
  if (typeof value === "number") return String(value);
  return value.delay === undefined ? String(value.time) : `${value.time} ${value.delay}`;
}
