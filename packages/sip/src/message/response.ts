// Responses that go out: made here (RFC 3261 §8.2.6) or passed back with our Via taken off (§16.7 item 3).
import { ArgumentError, ParseError } from "../errors.ts";
import { reasonPhrase } from "../responses/index.ts";
import { type HeaderWriter, writer } from "./byte-writer.ts";
import { CALL_ID, CSEQ, FROM, headerIdOf, LAST_CHECKED, TO, VIA } from "./header-table.ts";
import { fieldCount, idOf, lineEnd, lineStart } from "./headers.ts";
import { noLimits } from "./limits.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { isToken } from "./params.ts";
import { parseMessage } from "./parse.ts";
import {
  bodyBytes,
  checkLine,
  checkName,
  type HeaderInit,
  printHeaders,
  printHeaderValue,
} from "./serialize.ts";
import { type ForwardEdits, splice, withoutTopVia } from "./splice.ts";
import { encodeText } from "./text.ts";

/** A response ready to be sent. */
export interface OutgoingResponse {
  readonly statusCode: number;
  /** If they are at hand, for whoever looks on: Call-ID, and the number of the method in CSeq as in method.ts. */
  readonly callId?: string | undefined;
  readonly methodId?: number;
  readonly bytes: Uint8Array;
}

/** Header fields that are checked and printed once, for all responses that repeat them. */
export class PrintedHeaders {
  /** Whole lines. */
  readonly bytes: Uint8Array;

  /** Throws ArgumentError for line breaks, and for fields that each response has of its own (Via, To, CSeq …). */
  constructor(headers: readonly HeaderInit[]) {
    if (hasChecked(headers)) throw new ArgumentError("these fields come from the request or the body");
    this.bytes = encodeText(printHeaders(headers));
  }
}

export interface ResponseOptions {
  /** Default: the registered phrase of the code. */
  readonly reasonPhrase?: string;
  /** Put into To if the request's has none (§8.2.6.2). */
  readonly toTag?: string;
  readonly headers?: readonly HeaderInit[];
  /** Further header fields, the same in many responses. */
  readonly printed?: PrintedHeaders;
  /** Writes further header fields, without a string for each. It must not print another message meanwhile. */
  readonly write?: (to: HeaderWriter) => void;
  readonly body?: Uint8Array | string;
  /** Content-Type of the body, if it is not among `headers`. */
  readonly contentType?: string;
  /** Seconds that a 100 comes after its request, for its Timestamp. Default 0: at once. */
  readonly delay?: number;
}

const timestamp = headerIdOf("Timestamp");

/**
 * The response of a UAS to a request: Via, From, To, Call-ID and CSeq as in the request (§8.2.6.2), then the
 * given headers. Throws ArgumentError for a status code outside 100–699, line breaks, a tag that is no token.
 */
export function makeResponse(
  request: SipRequest,
  statusCode: number,
  options: ResponseOptions = {},
): SipResponse {
  return parsed(responseBytes(request, statusCode, options, options.toTag));
}

/** As `makeResponse`, for sending only: the bytes, without reading them again. `toTag` may stand apart from the others. */
export function printResponse(
  request: SipRequest,
  statusCode: number,
  options: ResponseOptions = noOptions,
  toTag: string | undefined = options.toTag,
): OutgoingResponse {
  const bytes = responseBytes(request, statusCode, options, toTag);
  // The copied parts were checked when the request came: only these headers can be wrong, or be there twice.
  if (options.headers !== undefined && hasChecked(options.headers)) parsed(bytes);
  return { statusCode, callId: request.callIdAtHand, methodId: request.methodId, bytes };
}

const noOptions: ResponseOptions = {};
const noHeaders: readonly HeaderInit[] = [];

/** True if one of them is among those that the parser itself looks at. */
function hasChecked(headers: readonly HeaderInit[]): boolean {
  for (const header of headers) {
    const id = headerIdOf(header[0]);
    if (id > 0 && id <= LAST_CHECKED) return true;
  }
  return false;
}

function parsed(bytes: Uint8Array): SipResponse {
  try {
    return parseMessage(bytes, noLimits) as SipResponse;
  } catch (error) {
    if (error instanceof ParseError)
      throw new ArgumentError(`the response would be malformed (${error.message})`);
    throw error;
  }
}

function responseBytes(
  request: SipRequest,
  statusCode: number,
  options: ResponseOptions,
  toTag: string | undefined,
): Uint8Array {
  if (!Number.isInteger(statusCode) || statusCode < 100 || statusCode > 699) {
    throw new ArgumentError("a status code is 100 … 699");
  }
  const { headers = noHeaders, contentType, printed, write } = options;
  const statusLine = statusLineOf(statusCode, options.reasonPhrase);
  if (toTag !== undefined && !isToken(toTag)) throw new ArgumentError("a tag is a token");
  const body = bodyBytes(options.body);
  writer.start().text(statusLine);
  copyCore(request, toTag);
  // §8.2.6.1: a 100 repeats the Timestamp.
  if (statusCode === 100) copyTimestamp(request, options.delay ?? 0);
  // Piece by piece: text put together first would have to be copied twice. No value's printer uses the writer.
  for (const header of headers) {
    const name = checkName(header[0]);
    writer.text(name).text(": ").text(printHeaderValue(name, header[1])).text("\r\n");
  }
  if (printed !== undefined) writer.bytes(printed.bytes, 0, printed.bytes.length);
  write?.(writer);
  if (contentType !== undefined) {
    writer.text("Content-Type: ").text(checkLine(contentType, "Content-Type")).text("\r\n");
  }
  if (body === undefined) writer.text("Content-Length: 0\r\n\r\n");
  else writer.text(`Content-Length: ${body.length}\r\n\r\n`);
  if (body !== undefined) writer.bytes(body, 0, body.length);
  return writer.finish();
}

/** Those with the registered phrases, which are nearly all. */
const statusLines: (string | undefined)[] = new Array<string | undefined>(700).fill(undefined);

function statusLineOf(statusCode: number, phrase: string | undefined): string {
  if (phrase !== undefined) return `SIP/2.0 ${statusCode} ${checkLine(phrase, "the reason phrase")}\r\n`;
  statusLines[statusCode] ??= `SIP/2.0 ${statusCode} ${reasonPhrase(statusCode)}\r\n`;
  return statusLines[statusCode];
}

/** §8.2.6.2: Via, From, To, Call-ID and CSeq as in the request, but for the tag. Lines that are neighbours there go together. */
function copyCore(request: SipRequest, toTag: string | undefined): void {
  const { index, bytes } = request;
  const count = fieldCount(index);
  let from = 0;
  let to = 0;
  let callId = 0;
  let cSeq = 0;
  for (let i = 0; i < count; i++) {
    switch (idOf(index, i)) {
      case VIA:
        writer.bytes(bytes, lineStart(index, i), lineEnd(index, i));
        break;
      case FROM:
        from = i;
        break;
      case TO:
        to = i;
        break;
      case CALL_ID:
        callId = i;
        break;
      case CSEQ:
        cSeq = i;
        break;
    }
  }
  const isTagged = toTag !== undefined && !request.hasToTag;
  const toEnd = isTagged ? request.layout.toEnd : lineEnd(index, to);
  if (to === from + 1) writer.bytes(bytes, lineStart(index, from), toEnd);
  else
    writer
      .bytes(bytes, lineStart(index, from), lineEnd(index, from))
      .bytes(bytes, lineStart(index, to), toEnd);
  if (isTagged) writer.text(";tag=").text(toTag).text("\r\n");
  if (cSeq === callId + 1) writer.bytes(bytes, lineStart(index, callId), lineEnd(index, cSeq));
  else {
    writer.bytes(bytes, lineStart(index, callId), lineEnd(index, callId));
    writer.bytes(bytes, lineStart(index, cSeq), lineEnd(index, cSeq));
  }
}

/** Appends the whole lines of that header, as they came. */
function copyFields(request: SipRequest, id: number): void {
  const { index, bytes } = request;
  for (let i = 0; i < fieldCount(index); i++) {
    if (idOf(index, i) === id) writer.bytes(bytes, lineStart(index, i), lineEnd(index, i));
  }
}

/** §8.2.6.1: with the delay behind it, if the response did not come at once. */
function copyTimestamp(request: SipRequest, delay: number): void {
  const at = delay > 0 ? request.headers.raw("Timestamp") : undefined;
  if (at === undefined || !/^[\d.]+$/.test(at)) copyFields(request, timestamp);
  else writer.text(`Timestamp: ${at} ${delay}\r\n`);
}

/**
 * The response as a proxy passes it back: without its first Via value.
 * @throws {ParseError} if that was the only one: then it is meant for the proxy itself (§16.7 item 3)
 */
export function forwardResponse(
  response: SipResponse,
  edits?: Pick<ForwardEdits, "add" | "remove">,
): OutgoingResponse {
  let bytes = withoutTopVia(response);
  if (bytes === undefined) throw new ParseError("Via", "nobody further on");
  if (edits !== undefined) bytes = splice(response, { popVia: true, ...edits });
  const { statusCode, callId, methodId } = response;
  return { statusCode, callId, methodId, bytes };
}
