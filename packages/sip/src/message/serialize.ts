// Header fields to text, guarded against injected lines: RFC 3261 §7.3.
import { ArgumentError } from "../errors.ts";
import { type HeaderName, type HeaderPrintable, headerEntry, headerIdOf } from "./header-table.ts";
import type { SipMessage } from "./message.ts";
import { type FromTo, type NameAddr, printNameAddr } from "./name-addr.ts";
import { isToken } from "./params.ts";
import { encodeText } from "./text.ts";
import type { Uri } from "./uri.ts";

/** One value of a header field: text as it is to stand there, or a typed value of that header. */
export type HeaderInitValue = string | number | Uri | NameAddr | FromTo | HeaderPrintable<HeaderName>;
/** A header field to be printed. An array gives a comma-separated list. */
export type HeaderInit = readonly [name: string, value: HeaderInitValue | readonly HeaderInitValue[]];

/** Throws ArgumentError if the text could end the line that it is put into (header injection). */
export function checkLine(text: string, what: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // §25.1: a quoted-pair may hold NUL, nothing else may.
    if (code === 13 || code === 10 || (code === 0 && text.charCodeAt(i - 1) !== 92)) {
      throw new ArgumentError(`${what} must not hold a line break or NUL`);
    }
  }
  return text;
}

/** A header field's value as text. Throws ArgumentError for line breaks, and for objects that are none of its values. */
export function printHeaderValue(name: string, value: HeaderInit[1]): string {
  if (typeof value === "string") return checkLine(value, name);
  const id = headerIdOf(name);
  if (Array.isArray(value)) {
    if (value.length > 1 && id > 0 && !headerEntry(id).isList) {
      throw new ArgumentError(`${name} takes one value`);
    }
    return value.map((item: HeaderInitValue) => printHeaderValue(name, item)).join(", ");
  }
  return checkLine(printTyped(id, name, value as HeaderInitValue), name);
}

function printTyped(id: number, name: string, value: HeaderInitValue): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new ArgumentError(`${name} is not a finite number`);
    return id > 0 && headerEntry(id).name === "Date" ? headerEntry(id).print(value as never) : String(value);
  }
  if (typeof value !== "object" || value === null) throw new ArgumentError(`${name} has no printable value`);
  try {
    if (id > 0) {
      const text = headerEntry(id).print(value as never);
      if (text !== "[object Object]") return text;
    } else if ("scheme" in value || "uri" in value) {
      return printNameAddr(value as Uri | NameAddr);
    }
  } catch (error) {
    // A value of another header's type: the printer found a part missing.
    if (!(error instanceof TypeError)) throw error;
  }
  throw new ArgumentError(`${name} does not take such a value`);
}

/** `Name: value` lines with their line ends. */
export function printHeaders(headers: readonly HeaderInit[]): string {
  let out = "";
  for (const [name, value] of headers) out += `${checkName(name)}: ${printHeaderValue(name, value)}\r\n`;
  return out;
}

/** Throws ArgumentError if the name of a header field is no token (§25.1). */
export function checkName(name: string): string {
  if (isToken(name)) return name;
  throw new ArgumentError(`"${name.replace(/[^\x20-\x7e]/g, "?")}" is no header name`);
}

/** Body text or bytes as bytes. */
export function bodyBytes(body: Uint8Array | string | undefined): Uint8Array | undefined {
  return typeof body === "string" ? encodeText(body) : body;
}

/**
 * A message printed afresh: folds gone, one space after each colon, names as they came. For display and tests;
 * forwarding uses `splice`, which keeps the bytes.
 */
export function printMessage(message: SipMessage): Uint8Array {
  const start =
    message.kind === "request"
      ? `${message.method} ${message.requestUriText} SIP/2.0\r\n`
      : `SIP/2.0 ${message.statusCode} ${message.reasonPhrase}\r\n`;
  let head = start;
  for (const [name, value] of message.headers.entries()) head += `${name}: ${value}\r\n`;
  const encoded = encodeText(`${head}\r\n`);
  const out = new Uint8Array(encoded.length + message.body.length);
  out.set(encoded);
  out.set(message.body, encoded.length);
  return out;
}
