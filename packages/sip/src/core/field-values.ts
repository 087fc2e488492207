// Values of header fields as clients and servers compare them: option tags, seconds, media ranges. RFC 3261 §7.3.1, §20.

import type { HeaderInit, SipHeaders, SipResponse } from "../message/index.ts";

/** §20.33: seconds to wait from Retry-After, undefined if it is not there or cannot be read. */
export function retryAfterOf(response: SipResponse): number | undefined {
  return secondsOf(response.headers.raw("Retry-After"));
}

/** A leading delta-seconds; comments and parameters after it do not matter. */
export function secondsOf(text: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,10})/.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), 2 ** 32 - 1);
}

/** Option tags, or other tokens, of header lines in lower case (§7.3.1: tokens are case-insensitive). */
export function optionTags(lines: readonly string[]): string[] {
  return lines
    .flatMap((line) => line.split(","))
    .map((tag) => tag.trim().toLowerCase())
    .filter((tag) => tag !== "");
}

/** Type and subtype of a message's or part's body in lower case, without parameters. */
export function mediaTypeOf({ headers }: { readonly headers: SipHeaders }): string | undefined {
  const text = headers.raw("Content-Type");
  return text === undefined ? undefined : typeOf(text);
}

/**
 * The ranges of Accept, Accept-Encoding or Accept-Language in lower case, without those that q=0 shuts out (RFC 2616
 * §14.1). Empty if the header is there but empty: nothing at all; undefined if it is missing.
 */
export function acceptedOf(headers: SipHeaders, name: string): string[] | undefined {
  if (!headers.has(name)) return undefined;
  return headers
    .rawAll(name)
    .flatMap((line) => line.split(","))
    .filter((range) => range.trim() !== "" && !/;\s*q\s*=\s*0(\.0*)?\s*(;|$)/i.test(range))
    .map(typeOf);
}

/** True if one of the ranges, which may end in "/*", takes the media type. */
export function takesType(ranges: readonly string[], type: string): boolean {
  const wide = `${type.slice(0, type.indexOf("/"))}/*`;
  return ranges.some((range) => range === type || range === "*/*" || range === wide);
}

function typeOf(text: string): string {
  return (text.split(";", 1)[0] ?? "").replace(/\s+/g, "").toLowerCase();
}

/** The fields with all of one name replaced by one. */
export function withHeader(
  headers: readonly HeaderInit[],
  name: string,
  value: string | number,
): HeaderInit[] {
  return [...headers.filter(([other]) => !isHeader(other, name)), [name, value]];
}

/** Everything that stands under one name in fields that are going to be sent, as one text per field. */
export function fieldsNamed(headers: readonly HeaderInit[], name: string): string[] {
  return headers.filter(([other]) => isHeader(other, name)).map(([, value]) => String(value));
}

export function isHeader(name: string, expected: string): boolean {
  return name.toLowerCase() === expected.toLowerCase();
}
