// Multipart bodies: RFC 2046 §5.1, as SIP uses them (RFC 5621).
import { ArgumentError, ParseError } from "../errors.ts";
import { COLON, CR, LF, SPACE, TAB } from "./characters.ts";
import { skipToken, skipWhite } from "./grammar.ts";
import type { MediaType } from "./header/media-type.ts";
import { headerIdOf } from "./header-table.ts";
import { indexEntry, SipHeaders } from "./headers.ts";
import type { SipMessage } from "./message.ts";
import { bodyBytes, checkLine, type HeaderInit, printHeaders } from "./serialize.ts";
import { decodeAscii, encodeText } from "./text.ts";

/** One part of a body: the header fields of its own, and its octets (a view). */
export interface BodyPart {
  readonly headers: SipHeaders;
  /** RFC 2046 §5.1: text/plain where the part does not say. */
  readonly type: MediaType;
  readonly body: Uint8Array;
}

const mostParts = 128;
const textPlain: MediaType = { type: "text/plain", params: new Map() };

/**
 * The parts of a message's body: those of a multipart body (one level), or the body as the only part, or none
 * if it is empty. Throws ParseError if Content-Type or the multipart structure is malformed.
 */
export function bodyParts(message: SipMessage): BodyPart[] {
  if (message.body.length === 0) return [];
  const type = message.headers.get("Content-Type");
  if (type?.type.startsWith("multipart/") === true) return parseMultipart(message.body, type);
  return [{ headers: message.headers, type: type ?? textPlain, body: message.body }];
}

/** Splits a multipart body at the boundary that its type names. Throws ParseError. */
export function parseMultipart(body: Uint8Array, type: MediaType): BodyPart[] {
  const boundary = type.params.get("boundary");
  // RFC 2046 §5.1.1: 1 to 70 characters.
  if (boundary === undefined || boundary === "" || boundary.length > 70) {
    throw new ParseError("Content-Type", "multipart without a usable boundary");
  }
  const delimiter = encodeText(`--${boundary}`);
  const parts: BodyPart[] = [];
  let partStart = -1;
  // Line by line: a delimiter stands at the start of a line.
  for (let line = 0; line < body.length; ) {
    const next = nextLine(body, line);
    const kind = delimiterAt(body, line, delimiter);
    if (kind !== "none") {
      if (partStart >= 0) {
        // The line break before a delimiter belongs to the delimiter.
        const end = line - partStart < 2 || body[line - 2] !== CR ? line - 1 : line - 2;
        parts.push(readPart(body, partStart, Math.max(partStart, end)));
      }
      if (parts.length > mostParts)
        throw new ParseError("body", `more than ${mostParts} parts`, { status: 513 });
      if (kind === "last") return parts;
      partStart = next;
    }
    line = next;
  }
  throw new ParseError("body", "the multipart body does not end with its boundary");
}

function nextLine(bytes: Uint8Array, p: number): number {
  const at = bytes.indexOf(LF, p);
  return at < 0 ? bytes.length : at + 1;
}

function delimiterAt(body: Uint8Array, line: number, delimiter: Uint8Array): "none" | "next" | "last" {
  if (line + delimiter.length > body.length) return "none";
  for (let i = 0; i < delimiter.length; i++) if (body[line + i] !== delimiter[i]) return "none";
  let p = line + delimiter.length;
  const isLast = body[p] === 45 && body[p + 1] === 45;
  if (isLast) p += 2;
  // Transport padding may follow.
  while (p < body.length && (body[p] === SPACE || body[p] === TAB)) p++;
  if (p < body.length && body[p] !== CR && body[p] !== LF) return "none";
  return isLast ? "last" : "next";
}

function readPart(body: Uint8Array, start: number, end: number): BodyPart {
  const bytes = body.subarray(start, end);
  const index: number[] = [];
  let p = 0;
  while (p < bytes.length && bytes[p] !== CR && bytes[p] !== LF) {
    const nameEnd = skipToken(bytes, p, bytes.length);
    const colon = skipWhite(bytes, nameEnd, bytes.length);
    if (nameEnd === p || bytes[colon] !== COLON) {
      throw new ParseError("body", "a line in a part's header that is no header field", {
        offset: start + p,
      });
    }
    let next = nextLine(bytes, p);
    while (next < bytes.length && (bytes[next] === SPACE || bytes[next] === TAB))
      next = nextLine(bytes, next);
    index.push(indexEntry(p, headerIdOf(decodeAscii(bytes, p, nameEnd))));
    p = next;
  }
  index.push(indexEntry(p, 0));
  const headers = new SipHeaders(bytes, index, p);
  return {
    headers,
    type: headers.get("Content-Type") ?? textPlain,
    body: bytes.subarray(p < bytes.length ? nextLine(bytes, p) : bytes.length),
  };
}

/** A part to be printed. */
export interface BodyPartInit {
  readonly type: string;
  readonly headers?: readonly HeaderInit[];
  readonly body: Uint8Array | string;
}

/**
 * A multipart body with this boundary. Throws ArgumentError if the boundary is not one, or stands in a part.
 * The Content-Type to go with it: `multipart/mixed;boundary="…"`.
 */
export function printMultipart(parts: readonly BodyPartInit[], boundary: string): Uint8Array {
  if (!/^[0-9A-Za-z'()+_,\-./:=?]{1,70}$/.test(boundary)) throw new ArgumentError("not a multipart boundary");
  const delimiter = `--${boundary}`;
  const pieces: Uint8Array[] = [];
  for (const part of parts) {
    const head = `${delimiter}\r\nContent-Type: ${checkLine(part.type, "Content-Type")}\r\n${printHeaders(part.headers ?? [])}\r\n`;
    const body = bodyBytes(part.body)!;
    if (decodeAscii(body, 0, body.length).includes(delimiter)) {
      throw new ArgumentError("the boundary stands in a part");
    }
    pieces.push(encodeText(head), body, encodeText("\r\n"));
  }
  pieces.push(encodeText(`${delimiter}--\r\n`));
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
