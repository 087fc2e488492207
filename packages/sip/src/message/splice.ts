// Forwarding: the received bytes with a few edits in them, everything else as it came. RFC 3261 §16.6, §16.7, §18.2.1.
import { ArgumentError } from "../errors.ts";
import { writer } from "./byte-writer.ts";
import { SEMICOLON } from "./characters.ts";
import { elementEnd, skipToken, skipWhite, spelling, spells } from "./grammar.ts";
import { headerIdOf, MAX_FORWARDS, ROUTE, VIA } from "./header-table.ts";
import { fieldCount, firstField, idOf, lineEnd, lineStart, valueEnd, valueStart } from "./headers.ts";
import type { SipMessage } from "./message.ts";
import { param, scanParam } from "./params.ts";
import { checkLine, type HeaderInit, printHeaders } from "./serialize.ts";
import { decodeAscii } from "./text.ts";
import { printUri, type Uri } from "./uri.ts";

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
  /** RFC 3327: put on top of the Path values, in this order. */
  readonly path?: readonly string[];
  /** Header fields added at the end. */
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

/** The bytes in [start, end) are replaced by `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The message's bytes with the edits done. Everything else stays byte for byte. Throws ArgumentError for line breaks in edits. */
export function splice(message: SipMessage, edits: Edits): Uint8Array {
  return applyEdits(message, collectEdits(message, edits));
}

/** The edits in the order of their places. */
export function collectEdits(message: SipMessage, edits: Edits): Edit[] {
  const { layout } = message;
  const list: Edit[] = [];
  // What goes in at the same place stands in the order of this function: Via on top, then Record-Route, Path, Route.
  if (edits.pushVia !== undefined) insertAt(list, layout.headersStart, fieldLine("Via", edits.pushVia));
  if (edits.requestUri !== undefined) {
    if (message.kind !== "request") throw new ArgumentError("a response has no Request-URI to replace");
    const uri = typeof edits.requestUri === "string" ? edits.requestUri : printUri(edits.requestUri);
    if (/\s/.test(uri) || uri === "") throw new ArgumentError("a Request-URI holds no white space");
    const { start, end } = layout.requestUri!;
    list.push({ start, end, text: uri });
  }
  if (edits.popVia === true) popVia(message, list);
  else if (edits.received !== undefined || edits.rport !== undefined) editVia(message, edits, list);
  if (edits.recordRoutes !== undefined) pushLines(message, "Record-Route", edits.recordRoutes, list);
  if (edits.path !== undefined) pushLines(message, "Path", edits.path, list);
  editRoutes(message, edits, list);
  if (edits.maxForwards !== undefined) editMaxForwards(message, edits.maxForwards, list);
  if (edits.remove !== undefined) for (const name of edits.remove) removeAll(message, name, list);
  if (edits.add !== undefined && edits.add.length > 0) {
    insertAt(list, layout.bodyStart - 2, printHeaders(edits.add));
  }
  return inOrder(list);
}

/** Sorted by place, equals as they were. They are few and nearly in order: sorting by insertion makes no second array. */
function inOrder(list: Edit[]): Edit[] {
  for (let i = 1; i < list.length; i++) {
    const edit = list[i]!;
    let to = i;
    while (to > 0 && list[to - 1]!.start > edit.start) {
      list[to] = list[to - 1]!;
      to--;
    }
    list[to] = edit;
  }
  return list;
}

/** Writes the message with edits that `collectEdits` made for it, and one Via value more on top. */
export function applyEdits(message: SipMessage, edits: readonly Edit[], via = ""): Uint8Array {
  const { bytes, layout } = message;
  writer.start();
  let at = layout.startLineStart;
  let i = 0;
  if (via !== "") {
    // Behind the edits of the start line, before all others at the same place.
    for (; i < edits.length && edits[i]!.start < layout.headersStart; i++) {
      const { start, end, text } = edits[i]!;
      writer.bytes(bytes, at, start).text(text);
      at = end;
    }
    writer.bytes(bytes, at, layout.headersStart).text("Via: ").text(via).text("\r\n");
    at = layout.headersStart;
  }
  for (; i < edits.length; i++) {
    const { start, end, text } = edits[i]!;
    // Two edits that take the same bytes away (remove and removeRoutes, say) count once.
    if (start > at) writer.bytes(bytes, at, start);
    writer.text(text);
    if (end > at) at = end;
    else if (start > at) at = start;
  }
  return writer.bytes(bytes, at, layout.bodyEnd).finish();
}

function insertAt(list: Edit[], at: number, text: string): void {
  list.push({ start: at, end: at, text });
}

function fieldLine(name: string, value: string): string {
  return `${name}: ${checkLine(value, name)}\r\n`;
}

/** Removes the line of field `i`, or (if values are left) only what is before `keepFrom`. */
function removeValues(
  message: SipMessage,
  i: number,
  start: number,
  keepFrom: number,
  end: number,
  list: Edit[],
): void {
  const { index } = message;
  if (keepFrom >= end) list.push({ start: lineStart(index, i), end: lineEnd(index, i), text: "" });
  else list.push({ start, end: keepFrom, text: "" });
}

function popVia(message: SipMessage, list: Edit[]): void {
  const { bytes, index } = message;
  const i = firstField(index, VIA);
  const start = valueStart(bytes, index, i);
  const end = valueEnd(bytes, index, i, start);
  const stop = elementEnd(bytes, start, end);
  // SIPp and others put several values on one line.
  removeValues(message, i, start, stop >= end ? end : skipWhite(bytes, stop + 1, end), end, list);
}

const RECEIVED = spelling("received");
const RPORT = spelling("rport");

function editVia(message: SipMessage, edits: Edits, list: Edit[]): void {
  const { bytes, layout } = message;
  const { viaEnd } = layout;
  let p = layout.via.paramsStart;
  let received = edits.received === undefined ? "" : `;received=${checkLine(edits.received, "received")}`;
  let rport = edits.rport === undefined ? "" : `;rport=${edits.rport}`;
  while (p < viaEnd && bytes[p] === SEMICOLON) {
    const next = scanParam(bytes, p, viaEnd, "Via");
    const end = param.valueStart < 0 ? param.nameEnd : param.valueEnd;
    if (received !== "" && spells(bytes, param.nameStart, param.nameEnd, RECEIVED)) {
      list.push({ start: p, end, text: received });
      received = "";
    } else if (rport !== "" && spells(bytes, param.nameStart, param.nameEnd, RPORT)) {
      list.push({ start: p, end, text: rport });
      rport = "";
    }
    p = next;
  }
  if (received !== "" || rport !== "") insertAt(list, viaEnd, received + rport);
}

/** New lines above the first field of that name, or at the top of the header if there is none. */
function pushLines(message: SipMessage, name: string, values: readonly string[], list: Edit[]): void {
  if (values.length === 0) return;
  const i = firstField(message.index, headerIdOf(name));
  const at = i < 0 ? message.layout.headersStart : lineStart(message.index, i);
  insertAt(list, at, values.map((value) => fieldLine(name, value)).join(""));
}

function editRoutes(message: SipMessage, edits: ForwardEdits, list: Edit[]): void {
  const { routes, removeRoutes = 0, pushRoutes = [] } = edits;
  if (routes === undefined && removeRoutes === 0 && pushRoutes.length === 0) return;
  pushLines(message, "Route", [...pushRoutes, ...(routes ?? [])], list);
  if (routes !== undefined) {
    removeAll(message, "Route", list);
    return;
  }
  const { bytes, index } = message;
  let left = removeRoutes;
  for (let i = 0; i < fieldCount(index) && left > 0; i++) {
    if (idOf(index, i) !== ROUTE) continue;
    const start = valueStart(bytes, index, i);
    const end = valueEnd(bytes, index, i, start);
    let keepFrom = start;
    while (left > 0 && keepFrom < end) {
      const stop = elementEnd(bytes, keepFrom, end);
      keepFrom = stop < end ? skipWhite(bytes, stop + 1, end) : end;
      left--;
    }
    removeValues(message, i, start, keepFrom, end, list);
  }
}

function editMaxForwards(message: SipMessage, value: number, list: Edit[]): void {
  if (!Number.isInteger(value) || value < 0 || value > 255)
    throw new ArgumentError("Max-Forwards is 0 … 255");
  const { bytes, index } = message;
  const i = firstField(index, MAX_FORWARDS);
  if (i < 0) insertAt(list, message.layout.bodyStart - 2, fieldLine("Max-Forwards", String(value)));
  else {
    const start = valueStart(bytes, index, i);
    list.push({ start, end: valueEnd(bytes, index, i, start), text: String(value) });
  }
}

function removeAll(message: SipMessage, name: string, list: Edit[]): void {
  const id = headerIdOf(name);
  const lower = name.toLowerCase();
  const { bytes, index } = message;
  for (let i = 0; i < fieldCount(index); i++) {
    if (idOf(index, i) !== id) continue;
    const start = lineStart(index, i);
    if (id === 0 && decodeAscii(bytes, start, skipToken(bytes, start, bytes.length)).toLowerCase() !== lower)
      continue;
    list.push({ start, end: lineEnd(index, i), text: "" });
  }
}
