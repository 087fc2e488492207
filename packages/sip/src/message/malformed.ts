// The answer to a request that does not parse: RFC 3261 §16.3, §21.4.1, RFC 4475. Reads what it can, promises nothing.
import type { ParseError } from "../errors.ts";
import { ParseError as ParseErrorClass } from "../errors.ts";
import { reasonPhrase } from "../responses/index.ts";
import { CR, classes, LF, WHITE } from "./characters.ts";
import { elementEnd, skipToken, skipWhite } from "./grammar.ts";
import { decodeVia, printVia, type Via } from "./header/via.ts";
import { CALL_ID, CSEQ, FROM, headerIdOf, TO, VIA } from "./header-table.ts";
import { trimmedEnd } from "./headers.ts";
import { noParams } from "./params.ts";
import { statelessTagOf } from "./short-text.ts";
import { decodeAscii, decodeText, encodeText, forgetHead } from "./text.ts";

/** A response to send, and the Via that says where to (§18.2.2); `received` and `rport` are filled in from the source. */
export interface MalformedAnswer {
  readonly statusCode: number;
  readonly bytes: Uint8Array;
  readonly via: Via;
}

/** A final response that cannot be used, and what finds the request that it answers. */
export interface BrokenResponse {
  readonly via: Via;
  readonly statusCode: number;
  /** Of its CSeq; undefined if that is what is broken. */
  readonly method: string | undefined;
}

/**
 * A malformed final response, if it can still be told what it answers and that it is one: then it is as good as an
 * answer from somebody who cannot speak SIP. Undefined for one that was cut short (§18.3), and for all else.
 */
export function readBrokenResponse(bytes: Uint8Array, error: ParseError): BrokenResponse | undefined {
  if (!namesDialog.has(error.field)) return undefined;
  forgetHead();
  let start = 0;
  while (start < bytes.length && (bytes[start] === CR || bytes[start] === LF)) start++;
  const status = /^SIP\/2\.0 ([2-6]\d\d)(?: |$)/i.exec(
    decodeAscii(bytes, start, Math.min(bytes.length, start + 12)),
  );
  const { vias, cSeq } = collectFields(bytes, start);
  const via = vias[0] === undefined ? undefined : readVia(vias[0]);
  if (status === null || via === undefined) return undefined;
  return { via, statusCode: Number(status[1]), method: /^\d+\s+([^\s]+)$/.exec(cSeq ?? "")?.[1] };
}

/** What a proxy must have to send a response on, and a user agent to know its dialog. */
const namesDialog: ReadonlySet<string> = new Set(["From", "To", "Call-ID", "CSeq"]);

/** How much of the head is looked at. */
const mostBytes = 65536;
const mostFields = 256;

/**
 * The stateless response to a malformed request, with the status that the error names. Undefined if there is
 * nothing to answer: no request, an ACK, or no Via to send it by. The same request always gets the same To tag.
 */
export function answerMalformed(
  bytes: Uint8Array,
  error: ParseError,
  source?: { readonly address: string; readonly port: number },
): MalformedAnswer | undefined {
  forgetHead();
  let start = 0;
  while (start < bytes.length && (bytes[start] === CR || bytes[start] === LF)) start++;
  const methodEnd = skipToken(bytes, start, bytes.length);
  if (methodEnd === start || (classes[bytes[methodEnd] ?? 0]! & WHITE) === 0) return undefined;
  // §17: an ACK is never answered.
  if (decodeAscii(bytes, start, Math.min(methodEnd, start + 8)) === "ACK") return undefined;
  const fields = collectFields(bytes, start);
  const topVia = fields.vias[0];
  const via = topVia === undefined ? undefined : readVia(topVia);
  if (via === undefined) return undefined;
  const answered = source === undefined ? via : withSource(via, source);

  const detail =
    error.status === 400 ? `${reasonPhrase(400)} (${error.message})` : reasonPhrase(error.status);
  let head = `SIP/2.0 ${error.status} ${detail}\r\nVia: ${inTheirVersion(printVia(answered), topVia!)}\r\n`;
  for (const value of otherVias(fields.vias)) head += `Via: ${value}\r\n`;
  if (fields.from !== undefined) head += `From: ${fields.from}\r\n`;
  if (fields.to !== undefined) {
    const tag = tagIn(fields.to) === undefined ? `;tag=${tagFor(fields, via)}` : "";
    head += `To: ${fields.to}${tag}\r\n`;
  }
  if (fields.callId !== undefined) head += `Call-ID: ${fields.callId}\r\n`;
  if (fields.cSeq !== undefined) head += `CSeq: ${fields.cSeq}\r\n`;
  // §20.43: for people; the phrase may be lost on the way.
  if (error.status === 400) head += `Warning: 399 offhook "${quotable(error.message)}"\r\n`;
  head += "Content-Length: 0\r\n\r\n";
  return { statusCode: error.status, bytes: encodeText(head), via: answered };
}

interface Fields {
  readonly vias: Uint8Array[];
  from?: string;
  to?: string;
  callId?: string;
  cSeq?: string;
}

/** The first of each core field, lines ended by CR LF or a stray LF. */
function collectFields(bytes: Uint8Array, start: number): Fields {
  const fields: Fields = { vias: [] };
  const end = Math.min(bytes.length, mostBytes);
  let p = nextLine(bytes, start, end);
  for (let count = 0; p < end && count < mostFields; count++) {
    if (bytes[p] === CR || bytes[p] === LF) break;
    const lineStart = p;
    p = nextLine(bytes, p, end);
    while (p < end && (bytes[p] === 32 || bytes[p] === 9)) p = nextLine(bytes, p, end);
    const nameEnd = skipToken(bytes, lineStart, p);
    const colon = skipWhite(bytes, nameEnd, p);
    if (nameEnd === lineStart || bytes[colon] !== 58) continue;
    const valueStart = skipWhite(bytes, colon + 1, p);
    const valueEnd = trimmedEnd(bytes, valueStart, p);
    keepField(fields, headerIdOf(decodeAscii(bytes, lineStart, nameEnd)), bytes, valueStart, valueEnd);
  }
  return fields;
}

function keepField(fields: Fields, id: number, bytes: Uint8Array, start: number, end: number): void {
  switch (id) {
    case VIA:
      fields.vias.push(bytes.subarray(start, end));
      break;
    case FROM:
      fields.from ??= cleanText(bytes, start, end);
      break;
    case TO:
      fields.to ??= cleanText(bytes, start, end);
      break;
    case CALL_ID:
      fields.callId ??= cleanText(bytes, start, end);
      break;
    case CSEQ:
      fields.cSeq ??= cleanText(bytes, start, end);
      break;
  }
}

function nextLine(bytes: Uint8Array, p: number, end: number): number {
  while (p < end && bytes[p] !== LF) p++;
  return Math.min(p + 1, end);
}

function cleanText(bytes: Uint8Array, start: number, end: number): string {
  return decodeText(bytes, start, end).replace(/[\x00-\x08\x0a-\x1f\x7f]/g, " ");
}

/** A Via value by the rules, else by its beginning: protocol, host, port and what parameters make sense. */
function readVia(line: Uint8Array): Via | undefined {
  const end = trimmedEnd(line, 0, elementEnd(line, 0, line.length));
  try {
    return decodeVia(line, 0, end, "Via");
  } catch (error) {
    if (!(error instanceof ParseErrorClass)) throw error;
  }
  const words = cleanText(line, 0, Math.min(end, 1024))
    // In two steps: white space before what may not come would be gone over again from each of its characters.
    .replace(/\s+/g, " ")
    .replace(/ ?([/;=]) ?/g, "$1")
    .split(";");
  const match =
    /^[^/\s]+\/[^/\s]+\/([^/\s]+) +(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?: *: *(\d{1,5}))?(?: |$)/.exec(
      words[0]!,
    );
  if (match === null || !/^[A-Za-z0-9._+-]+$/.test(match[1]!) || Number(match[3] ?? 0) > 65535)
    return undefined;
  let branch: string | undefined;
  let rport: true | undefined;
  for (const word of words.slice(1)) {
    if (/^branch=[\w.!%*+`'~-]+$/i.test(word)) branch ??= word.slice(7);
    else if (/^rport$/i.test(word)) rport = true;
  }
  return {
    transport: match[1]!.toUpperCase(),
    host: match[2]!.replace(/[[\]]/g, "").toLowerCase(),
    ...(match[3] === undefined ? {} : { port: Number(match[3]) }),
    ...(branch === undefined ? {} : { branch }),
    ...(rport === undefined ? {} : { rport }),
    params: noParams,
  };
}

/** §18.2.1 and RFC 3581 §4: where the request really came from. */
function withSource(via: Via, source: { readonly address: string; readonly port: number }): Via {
  const askedForPort = via.rport !== undefined;
  const received = askedForPort || via.host !== source.address.toLowerCase() ? source.address : undefined;
  return {
    ...via,
    ...(received === undefined ? {} : { received }),
    ...(askedForPort ? { rport: source.port } : {}),
  };
}

/** The Via values below the top one, those that are well-formed. */
function otherVias(lines: readonly Uint8Array[]): string[] {
  const values: string[] = [];
  lines.forEach((line, number) => {
    let p = 0;
    for (let first = number === 0; p < line.length; first = false) {
      const stop = elementEnd(line, p, line.length);
      const start = skipWhite(line, p, stop);
      const end = trimmedEnd(line, start, stop);
      p = stop + 1;
      if (first || end === start) continue;
      try {
        values.push(printVia(decodeVia(line, start, end, "Via")));
      } catch (error) {
        if (!(error instanceof ParseErrorClass)) throw error;
      }
    }
  });
  return values;
}

function tagIn(address: string): string | undefined {
  return /;\s*tag\s*=\s*([^\s;,]*)/i.exec(address)?.[1];
}

/** §8.2.7: the same for retransmissions, and known again in the ACK. */
function tagFor({ callId = "", from = "" }: Fields, via: Via): string {
  return statelessTagOf(callId, tagIn(from) ?? "", via.branch ?? "");
}

/** §8.2.6.2: a Via is repeated as it came, also one of another SIP (`SIP/7.0/UDP …`). */
function inTheirVersion(printed: string, line: Uint8Array): string {
  const version = /^([A-Za-z0-9.!%*_+`'~-]+)\s*\/\s*([A-Za-z0-9.!%*_+`'~-]+)\s*\//.exec(
    cleanText(line, 0, Math.min(line.length, 64)),
  );
  return version === null ? printed : printed.replace("SIP/2.0", `${version[1]}/${version[2]}`);
}

/** The text with nothing in it that would have to be escaped in a quoted string. */
export function quotable(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, "?").slice(0, 200);
}
