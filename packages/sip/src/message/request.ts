// Requests that go out: made here (§8.1.1), forwarded (§16.6), and the two that repeat another: ACK for a non-2xx
// (§17.1.1.3) and CANCEL (§9.1).
import { ArgumentError, ParseError } from "../errors.ts";
import { writer } from "./byte-writer.ts";
import { elementEnd, skipWhite } from "./grammar.ts";
import { FROM, headerIdOf, ROUTE, TO } from "./header-table.ts";
import { fieldCount, idOf, trimmedEnd, valueEnd, valueStart } from "./headers.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { parseNameAddr } from "./name-addr.ts";
import { isToken } from "./params.ts";
import { bodyBytes, type HeaderInit, printHeaders, printHeaderValue } from "./serialize.ts";
import { type ForwardEdits, requestUriText, splice } from "./splice.ts";
import { encodeText } from "./text.ts";
import { parseUri, type Uri } from "./uri.ts";

/** A request to be made. */
export interface RequestInit {
  readonly method: string;
  readonly requestUri: string | Uri;
  /** All but Via and Content-Length, which are added; Max-Forwards: 70 if none is given. */
  readonly headers: readonly HeaderInit[];
  readonly body?: Uint8Array | string;
}

/** A request that lacks only its top Via: each target it is tried on gets a branch of its own (RFC 3263 §4.3). */
export interface RequestDraft {
  readonly method: string;
  readonly requestUri: Uri;
  /** The URI of the first Route value. */
  readonly topRoute?: Uri | undefined;
  /** If it is at hand: for whoever looks on. */
  readonly callId?: string;
  /** The whole request with a Via value on top, which may come in two parts: most have the first in common. */
  withVia(via: string, branch?: string): Uint8Array;
}

function uriOf(uri: string | Uri): Uri {
  if (typeof uri !== "string") return uri;
  try {
    return parseUri(uri);
  } catch (error) {
    if (error instanceof ParseError) throw new ArgumentError(`not a usable Request-URI (${error.message})`);
    throw error;
  }
}

/** §8.1.1: these must be in every request. */
const required = ["To", "From", "CSeq", "Call-ID"];

/**
 * A request made by this element. Throws ArgumentError for what could never be sent: a missing To, From, CSeq
 * or Call-ID, line breaks, a method that is no token, a Via or Content-Length among the headers.
 */
export function draftRequest(init: RequestInit): RequestDraft {
  const { method, headers } = init;
  if (!isToken(method)) throw new ArgumentError("the method is no token");
  const requestUri = uriOf(init.requestUri);
  const uriText = requestUriText(init.requestUri);
  const ids = new Set(headers.map(([name]) => headerIdOf(name)));
  for (const name of required) {
    if (!ids.has(headerIdOf(name))) throw new ArgumentError(`a request needs ${name}`);
  }
  for (const name of ["Via", "Content-Length"]) {
    if (ids.has(headerIdOf(name))) throw new ArgumentError(`${name} is added by the stack`);
  }
  const body = bodyBytes(init.body);
  const startLine = `${method} ${uriText} SIP/2.0\r\n`;
  const maxForwards = ids.has(headerIdOf("Max-Forwards")) ? "" : "Max-Forwards: 70\r\n";
  const rest = encodeText(
    `${maxForwards}${printHeaders(headers)}Content-Length: ${body?.length ?? 0}\r\n\r\n`,
  );
  const topRoute = firstRoute(headers);
  return {
    method,
    requestUri,
    ...(topRoute === undefined ? {} : { topRoute }),
    withVia(via, branch = "") {
      writer.start().text(startLine).text("Via: ").value(via).value(branch).text("\r\n");
      writer.bytes(rest, 0, rest.length);
      if (body !== undefined) writer.bytes(body, 0, body.length);
      return writer.finish();
    },
  };
}

function firstRoute(headers: readonly HeaderInit[]): Uri | undefined {
  for (const [name, value] of headers) {
    if (headerIdOf(name) !== ROUTE) continue;
    const text = printHeaderValue(name, value);
    if (text.trim() !== "") return routeUri(text);
  }
  return undefined;
}

/** The URI of the first value in a Route header's text. */
function routeUri(text: string): Uri {
  const bytes = encodeText(text);
  const start = skipWhite(bytes, 0, bytes.length);
  const end = trimmedEnd(bytes, start, elementEnd(bytes, start, bytes.length));
  try {
    return parseNameAddr(bytes.subarray(start, end)).uri;
  } catch (error) {
    if (error instanceof ParseError) throw new ArgumentError(`not a usable Route (${error.message})`);
    throw error;
  }
}

/**
 * The request as a proxy sends it on: its bytes with the edits (§16.6).
 * @param requestUri that of the edits, if it is at hand as a value
 */
export function draftForward(request: SipRequest, edits: ForwardEdits, requestUri?: Uri): RequestDraft {
  return new ForwardDraft(request, edits, requestUri);
}

class ForwardDraft implements RequestDraft {
  readonly requestUri: Uri;
  readonly #request: SipRequest;
  readonly #edits: ForwardEdits;

  constructor(request: SipRequest, edits: ForwardEdits, requestUri: Uri | undefined) {
    this.#request = request;
    this.#edits = edits;
    if (edits.requestUri !== undefined) requestUriText(edits.requestUri);
    this.requestUri =
      requestUri ?? (edits.requestUri === undefined ? request.requestUri : uriOf(edits.requestUri));
  }

  get method(): string {
    return this.#request.method;
  }

  get callId(): string {
    return this.#request.callId;
  }

  get topRoute(): Uri | undefined {
    return topRouteAfter(this.#request, this.#edits);
  }

  withVia(via: string, branch = ""): Uint8Array {
    return splice(this.#request, this.#edits, via, branch);
  }
}

function topRouteAfter(request: SipRequest, edits: ForwardEdits): Uri | undefined {
  const pushed = edits.pushRoutes?.[0] ?? edits.routes?.[0];
  if (pushed !== undefined) return routeUri(pushed);
  if (edits.routes !== undefined || !request.hasRoute) return undefined;
  return request.headers.getAll("Route")[edits.removeRoutes ?? 0]?.uri;
}

/** Appends `Name: value` of each line of that header, values as they came. */
function copyLines(message: SipRequest | SipResponse, id: number, name: string): void {
  const { index, bytes } = message;
  for (let i = 0; i < fieldCount(index); i++) {
    if (idOf(index, i) !== id) continue;
    const start = valueStart(bytes, index, i);
    writer.text(name);
    writer.bytes(bytes, start, valueEnd(bytes, index, i, start));
    writer.text("\r\n");
  }
}

/** What ACK and CANCEL take from the INVITE: Request-URI, top Via, Route, From, Call-ID, the number of CSeq. */
function startLike(invite: SipRequest, method: string): void {
  const { bytes, layout } = invite;
  writer.start().text(`${method} `).bytes(bytes, layout.requestUri!.start, layout.requestUri!.end);
  // A single Via, the top one of the original request.
  writer.text(" SIP/2.0\r\nVia: ").bytes(bytes, layout.viaStart, layout.viaEnd);
  writer.text("\r\nMax-Forwards: 70\r\n");
  copyLines(invite, ROUTE, "Route: ");
  copyLines(invite, FROM, "From: ");
}

function finishLike(invite: SipRequest, method: string, headers: readonly HeaderInit[]): Uint8Array {
  const { bytes, layout } = invite;
  writer.text("Call-ID: ").bytes(bytes, layout.callIdStart, layout.callIdEnd);
  writer.text(
    `\r\nCSeq: ${layout.cSeqNumber} ${method}\r\n${printHeaders(headers)}Content-Length: 0\r\n\r\n`,
  );
  return writer.finish();
}

/** §17.1.1.3: the ACK for a response of 300–699, in the transaction of the INVITE as it was sent. */
export function makeAck(invite: SipRequest, response: SipResponse): Uint8Array {
  startLike(invite, "ACK");
  // To is that of the response, with its tag.
  copyLines(response, TO, "To: ");
  return finishLike(invite, "ACK", []);
}

/** §9.1: the CANCEL of an INVITE as it was sent. `headers` are added, e.g. Reason (RFC 3326). */
export function makeCancel(invite: SipRequest, headers: readonly HeaderInit[] = []): Uint8Array {
  startLike(invite, "CANCEL");
  copyLines(invite, TO, "To: ");
  return finishLike(invite, "CANCEL", headers);
}
