// Forwarding: the received bytes with a few edits in them, everything else as it came. RFC 3261 §16.6, §16.7, §18.2.1.
import { ArgumentError } from "../errors.ts";
import { type HeaderWriter, writer } from "./byte-writer.ts";
import * as characters from "./characters.ts";
import { elementEnd, skipToken, skipWhite, spelling, spells } from "./grammar.ts";
import { headerIdOf, MAX_FORWARDS, ROUTE, VIA } from "./header-table.ts";
import {
  fieldCount,
  firstField,
  hasFieldBehind,
  idOf,
  lineEnd,
  lineStart,
  valueEnd,
  valueStart,
} from "./headers.ts";
import type { SipMessage, SipRequest } from "./message.ts";
import { param, scanParam } from "./params.ts";
import type { PrintedHeaders } from "./response.ts";
import { checkName, type HeaderInit, printHeaderValue } from "./serialize.ts";
import { decodeAscii } from "./text.ts";
import { printUri, type Uri } from "./uri.ts";

const { COMMA, SEMICOLON, SPACE } = characters;
const RECORD_ROUTE = headerIdOf("Record-Route");
const PATH = headerIdOf("Path");

/** Writes whole lines into a copy of a request, without a string for each. */
export interface LineWriter {
  /** It must not print another message meanwhile. */
  writeLines(to: HeaderWriter, request: SipRequest): void;
}

/** What a proxy changes in a request before it sends it on (§16.6). Values of routes are as in the header: `<sip:…;lr>`. */
export interface ForwardEdits {
  /** Item 2. */
  readonly requestUri?: string | Uri;
  /** Item 3: the new value. */
  readonly maxForwards?: number;
  /** How many Route values go from the top. */
  readonly removeRoutes?: number;
  /** Replaces all Route values; `[]` removes them. */
  readonly routes?: readonly string[];
  /** Put before what is left of the Route values. */
  readonly pushRoutes?: readonly string[];
  /** Item 4: put on top of the Record-Route values, in this order. */
  readonly recordRoutes?: readonly string[];
  /** The same, above those. */
  readonly recordRoute?: LineWriter;
  /** RFC 3327: put on top of the Path values, in this order. */
  readonly path?: readonly string[];
  /** Header fields added at the top, below a Via, where a copy of the fields need not be interrupted for them. */
  readonly printed?: PrintedHeaders;
  readonly add?: readonly HeaderInit[];
  /** Names of header fields of which all lines go. Done before the other edits add any. */
  readonly remove?: readonly string[];
}

/** All that can be changed in a message. */
export interface Edits extends ForwardEdits {
  /** A Via value put on top (§16.6 item 8). */
  readonly pushVia?: string;
  /** Takes the first Via value off (§16.7 item 3), though others share its line. */
  readonly popVia?: boolean;
  /** Written into the top Via (§18.2.1), replacing one that is there. */
  readonly received?: string;
  /** Written into the top Via (RFC 3581 §4). */
  readonly rport?: number;
}

/** No field has this number; -1 stands for the place above them all. */
const NOWHERE = -2;
const ALL = 0xffff;

/**
 * The message's bytes with the edits done. Everything else stays byte for byte. Throws ArgumentError for line breaks in edits.
 * @param via put on top, `branch` behind it
 */
export function splice(
  message: SipMessage,
  edits: Edits,
  via: string | undefined = edits.pushVia,
  branch = "",
): Uint8Array {
  const { bytes, index, layout } = message;
  const { recordRoutes, recordRoute, path, maxForwards, remove } = edits;
  writer.start();
  // What is before `at` has been copied, or is left out.
  let at = layout.startLineStart;
  if (edits.requestUri !== undefined) {
    if (layout.requestUri === undefined) throw new ArgumentError("a response has no Request-URI to replace");
    const { start, end } = layout.requestUri;
    writer.bytes(bytes, at, start).text(requestUriText(edits.requestUri));
    at = end;
  }
  at = copy(bytes, at, layout.headersStart);
  if (via !== undefined) writer.text("Via: ").value(via).value(branch).text("\r\n");
  if (edits.printed !== undefined) writer.bytes(edits.printed.bytes, 0, edits.printed.bytes.length);

  // New values stand above the first field of their name; if there is none, here: Record-Route, then Path, then Route.
  const newRoutes = edits.routes ?? edits.pushRoutes;
  const recordsRoute = recordRoute !== undefined || recordRoutes !== undefined;
  const recordRoutesAt = recordsRoute ? firstField(index, RECORD_ROUTE) : NOWHERE;
  const pathAt = path === undefined ? NOWHERE : firstField(index, PATH);
  const routesAt = newRoutes === undefined ? NOWHERE : firstField(index, ROUTE);
  if (recordRoutesAt === -1) writeRecordRoutes(message, edits);
  if (pathAt === -1) writeLines("Path: ", path!);
  if (routesAt === -1) writeRoutes(edits);

  let routesToGo = edits.routes === undefined ? (edits.removeRoutes ?? 0) : ALL;
  let viaIsDone = edits.popVia !== true && edits.received === undefined && edits.rport === undefined;
  let maxForwardsAreDone = maxForwards === undefined;
  let maxForwardsAt = -1;
  const count = fieldCount(index);
  for (let i = 0; i < count; i++) {
    if (i === recordRoutesAt || i === pathAt || i === routesAt) {
      at = copy(bytes, at, lineStart(index, i));
      if (i === recordRoutesAt) writeRecordRoutes(message, edits);
      if (i === pathAt) writeLines("Path: ", path!);
      if (i === routesAt) writeRoutes(edits);
    }
    if (remove !== undefined && isNamed(message, i, remove)) {
      copy(bytes, at, lineStart(index, i));
      at = lineEnd(index, i);
      continue;
    }
    const id = idOf(index, i);
    if (id === VIA && !viaIsDone) {
      at = edits.popVia === true ? skipTopVia(message, i, at) : editVia(message, edits, at);
      viaIsDone = true;
    } else if (id === ROUTE && routesToGo > 0) {
      const start = valueStart(bytes, index, i);
      const end = valueEnd(bytes, index, i, start);
      let keepFrom = start;
      for (; routesToGo > 0 && keepFrom < end; routesToGo--) keepFrom = nextElement(bytes, keepFrom, end);
      at = leaveOut(message, i, at, start, keepFrom < end ? keepFrom : lineEnd(index, i));
    } else if (id === MAX_FORWARDS && !maxForwardsAreDone) {
      const start = valueStart(bytes, index, i);
      const end = valueEnd(bytes, index, i, start);
      if (end - start === 2 && Number.isInteger(maxForwards) && maxForwards! >= 10 && maxForwards! <= 99) {
        // As long as before: written over what is copied, in one piece with the rest.
        maxForwardsAt = writer.size + start - at;
      } else {
        copy(bytes, at, start);
        writer.text(maxForwardsText(maxForwards!));
        at = end;
      }
      maxForwardsAreDone = true;
    }
  }

  if (!maxForwardsAreDone || edits.add !== undefined) {
    // Behind the last field, before the empty line.
    at = copy(bytes, at, layout.bodyStart - 2);
    if (!maxForwardsAreDone) writeLine("Max-Forwards: ", maxForwardsText(maxForwards!));
    if (edits.add !== undefined) for (const [name, value] of edits.add) writeField(name, value);
  }
  writer.bytes(bytes, at, layout.bodyEnd);
  if (maxForwardsAt >= 0) writer.twoDigits(maxForwardsAt, maxForwards!);
  return writer.finish();
}

/** The message without its first Via value (§16.7 item 3); undefined if there is no other. */
export function withoutTopVia(message: SipMessage): Uint8Array | undefined {
  const { bytes, index, layout } = message;
  const first = firstField(index, VIA);
  writer.start();
  const at = skipTopVia(message, first, layout.startLineStart);
  if (at === lineEnd(index, first) && !hasFieldBehind(index, first, VIA)) return undefined;
  return writer.bytes(bytes, at, layout.bodyEnd).finish();
}

/** Appends [at, to); returns the position up to which everything is done then. */
function copy(bytes: Uint8Array, at: number, to: number): number {
  if (to <= at) return at;
  writer.bytes(bytes, at, to);
  return to;
}

/** Copies up to field `i`, and its line as far as `start` unless `keepFrom`, where to go on, is the next line. */
function leaveOut(message: SipMessage, i: number, at: number, start: number, keepFrom: number): number {
  const { bytes, index } = message;
  writer.bytes(bytes, at, keepFrom === lineEnd(index, i) ? lineStart(index, i) : start);
  return keepFrom;
}

/** The start of the element behind the one at `position`; `end` if there is none. */
function nextElement(bytes: Uint8Array, position: number, end: number): number {
  const stop = elementEnd(bytes, position, end);
  return stop < end ? skipWhite(bytes, stop + 1, end) : end;
}

/** Copies up to the first Via value, in field `i`, and leaves that out: SIPp and others put several on one line. */
function skipTopVia(message: SipMessage, i: number, at: number): number {
  const { bytes, index, layout } = message;
  const end = lineEnd(index, i);
  let next = layout.viaEnd;
  if (bytes[next]! <= SPACE) next = skipWhite(bytes, next, end);
  if (next < end && bytes[next] === COMMA) next = skipWhite(bytes, next + 1, end);
  return leaveOut(message, i, at, layout.viaStart, next);
}

const RECEIVED = spelling("received");
const RPORT = spelling("rport");

/** Copies up to the end of the top Via, with what is to be noted in it (§18.2.1). */
function editVia(message: SipMessage, edits: Edits, start: number): number {
  const { bytes, layout } = message;
  const { viaEnd } = layout;
  let { received, rport } = edits;
  let at = start;
  let p = layout.via.paramsStart;
  while (p < viaEnd && bytes[p] === SEMICOLON) {
    const next = scanParam(bytes, p, viaEnd, "Via");
    const { nameStart, nameEnd } = param;
    const end = param.valueStart < 0 ? nameEnd : param.valueEnd;
    if (received !== undefined && spells(bytes, nameStart, nameEnd, RECEIVED)) {
      copy(bytes, at, p);
      writer.text(";received=").value(received);
      received = undefined;
      at = end;
    } else if (rport !== undefined && spells(bytes, nameStart, nameEnd, RPORT)) {
      copy(bytes, at, p);
      writer.text(";rport=").text(String(rport));
      rport = undefined;
      at = end;
    }
    p = next;
  }
  at = copy(bytes, at, viaEnd);
  if (received !== undefined) writer.text(";received=").value(received);
  if (rport !== undefined) writer.text(";rport=").text(String(rport));
  return at;
}

function writeRecordRoutes(message: SipMessage, { recordRoutes, recordRoute }: ForwardEdits): void {
  recordRoute?.writeLines(writer, message as SipRequest);
  if (recordRoutes !== undefined) writeLines("Record-Route: ", recordRoutes);
}

function writeRoutes({ pushRoutes, routes }: ForwardEdits): void {
  if (pushRoutes !== undefined) writeLines("Route: ", pushRoutes);
  if (routes !== undefined) writeLines("Route: ", routes);
}

function writeLines(start: string, values: readonly string[]): void {
  for (const value of values) writeLine(start, value);
}

function writeLine(start: string, value: string): void {
  writer.text(start).value(value).text("\r\n");
}

function writeField(name: string, value: HeaderInit[1]): void {
  writer.text(checkName(name)).text(": ").text(printHeaderValue(name, value)).text("\r\n");
}

/** A Request-URI as text. Throws ArgumentError if it could not stand in a request line. */
export function requestUriText(uri: string | Uri): string {
  const text = typeof uri === "string" ? uri : printUri(uri);
  let isPlain = text !== "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= SPACE || code > 0x7f) isPlain = false;
  }
  if (!isPlain && (text === "" || /\s/.test(text)))
    throw new ArgumentError("a Request-URI holds no white space");
  return text;
}

function maxForwardsText(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 255)
    throw new ArgumentError("Max-Forwards is 0 … 255");
  return String(value);
}

/** True if field `i` has one of the names. */
function isNamed(message: SipMessage, i: number, names: readonly string[]): boolean {
  const { bytes, index } = message;
  const id = idOf(index, i);
  for (const name of names) {
    if (headerIdOf(name) !== id) continue;
    if (id !== 0) return true;
    const start = lineStart(index, i);
    const end = skipToken(bytes, start, bytes.length);
    if (decodeAscii(bytes, start, end).toLowerCase() === name.toLowerCase()) return true;
  }
  return false;
}
