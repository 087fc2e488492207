// Media types and what else negotiates content: RFC 3261 §20.1–§20.3, §20.11–§20.15.
import { type Params, printParams } from "../params.ts";
import { Reader } from "../reader.ts";
import { encodeText } from "../text.ts";

/** Content-Type, or one range of Accept. */
export interface MediaType {
  /** "type/subtype" in lower case; ranges hold "*". */
  readonly type: string;
  readonly params: Params;
}

export function decodeMediaType(bytes: Uint8Array, start: number, end: number, field: string): MediaType {
  const reader = new Reader(bytes, start, end, field);
  const type = reader.token("the type");
  reader.expect("/");
  const subtype = reader.token("the subtype");
  return { type: `${type}/${subtype}`.toLowerCase(), params: reader.params() };
}

export function printMediaType(value: MediaType): string {
  return value.type + printParams(value.params);
}

/** Reads a media type. Throws ParseError. */
export function parseMediaType(text: string): MediaType {
  const bytes = encodeText(text);
  return decodeMediaType(bytes, 0, bytes.length, "Content-Type");
}

/** A token with parameters: Accept-Encoding, Accept-Language, Content-Disposition, Event, Reason and many more. */
export interface TokenWithParams {
  /** As written. */
  readonly value: string;
  readonly params: Params;
}

export function decodeTokenWithParams(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
): TokenWithParams {
  const reader = new Reader(bytes, start, end, field);
  const value = reader.token();
  return { value, params: reader.params() };
}

export function printTokenWithParams(value: TokenWithParams): string {
  return value.value + printParams(value.params);
}
