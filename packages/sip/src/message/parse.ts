// Parsing: one scan over the bytes, then checks of what every element relies on. RFC 3261 §7, §16.3, §25.
// The judge in doubtful cases is RFC 4475; see test/torture.test.ts.
import { ParseError } from "../errors.ts";
import * as characters from "./characters.ts";
import { parseDigits, refusal, skipClass, skipWhite, spelling, spells } from "./grammar.ts";
import { newCSeqParts, scanCSeq } from "./header/cseq.ts";
import { isSip20, newViaParts, scanVia } from "./header/via.ts";
import {
  CALL_ID,
  CONTENT_LENGTH,
  CSEQ,
  FROM,
  headerIdAt,
  LAST_CHECKED,
  LAST_ID,
  MAX_FORWARDS,
  nameSpellings,
  ROUTE,
  TO,
  VIA,
} from "./header-table.ts";
import { indexEntry, trimmedEnd } from "./headers.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { type Layout, type SipMessage, SipRequest, SipResponse } from "./message.ts";
import { ACK, methodIdAt, methodNames } from "./method.ts";
import { newNameAddrParts, scanNameAddr } from "./name-addr.ts";
import { forgetHead } from "./text.ts";
import { newUriParts, scanUri, type UriParts } from "./uri.ts";
import {
  digitsEnd,
  scanUsualCSeq,
  scanUsualFromTo,
  scanUsualRoute,
  scanUsualUri,
  scanUsualVia,
  usualMethodAt,
  usualNumber,
} from "./usual.ts";
import * as view from "./window.ts";
import {
  endsLine,
  fillWindow,
  findControl,
  findInvisible,
  fourAt,
  fourOf,
  spanAt,
  windowSize,
} from "./window.ts";

const { COLON, CR, classes, DIGIT, LESS, LF, SLASH, SPACE, TAB, TOKEN } = characters;
const { window } = view;
// As `classes`: a constant of this module.
const names = nameSpellings;

const MAGIC_COOKIE = spelling("z9hG4bK");

/**
 * Reads one message that fills `bytes` (a datagram, or a frame cut out of a stream). Checks start line, top Via,
 * From, To, Call-ID, CSeq, Max-Forwards, Content-Length and Route; other headers are read when asked for.
 * Octets behind the body that Content-Length ends are ignored (§18.3). The result is a view: the bytes must not
 * change while it is used. Throws ParseError only, with the status to answer.
 */
export function parseMessage(bytes: Uint8Array, limits: Limits = defaultLimits): SipMessage {
  forgetHead();
  const filled = fillWindow(bytes);
  let start = 0;
  // §7.5: empty lines before the start line are ignored.
  while (window[start] === CR && window[start + 1] === LF) start += 2;
  if (start >= filled) throw fault(bytes, filled, start, 0, "nothing but empty lines");
  // No method holds a slash, so "SIP/" begins a status line.
  const isResponse = beginsWithSip(bytes, start);
  const layout: Layout = {
    startLineStart: start,
    headersStart: 0,
    bodyStart: 0,
    bodyEnd: 0,
    coreEnd: 0,
    methodId: 0,
    methodEnd: 0,
    statusCode: 0,
    reasonStart: 0,
    reasonEnd: 0,
    viaStart: -1,
    viaEnd: -1,
    fromStart: -1,
    fromEnd: -1,
    toStart: -1,
    toEnd: -1,
    callIdStart: -1,
    callIdEnd: -1,
    cSeqStart: -1,
    cSeqEnd: -1,
    cSeqNumber: 0,
    maxForwards: -1,
    hasRoute: false,
    requestUri: isResponse ? undefined : newUriParts(),
    via: newViaParts(),
    from: newNameAddrParts(),
    to: newNameAddrParts(),
  };
  if (isResponse) scanStatusLine(bytes, layout, limits);
  else scanRequestLine(bytes, layout, layout.requestUri!, limits, filled);
  const index = scanHeaders(bytes, layout, limits, filled);
  const message = layout.bodyEnd === bytes.length ? bytes : bytes.subarray(0, layout.bodyEnd);
  return isResponse ? new SipResponse(message, layout, index) : new SipRequest(message, layout, index);
}

function tooLarge(field: string, reason: string, offset: number = -1): ParseError {
  // §21.5.7: more than this element wants to process.
  return new ParseError(field, reason, { status: 513, offset });
}

function beginsWithSip(bytes: Uint8Array, start: number): boolean {
  return (
    (bytes[start]! | 0x20) === 115 &&
    (bytes[start + 1]! | 0x20) === 105 &&
    (bytes[start + 2]! | 0x20) === 112 &&
    bytes[start + 3] === SLASH
  );
}

/** Throws the error for a version that is not SIP/2.0: 505 if it is a version at all. */
function refuseVersion(bytes: Uint8Array, start: number, end: number): never {
  if (beginsWithSip(bytes, start)) {
    const major = skipClass(bytes, start + 4, end, DIGIT);
    const minor = skipClass(bytes, major + 1, end, DIGIT);
    if (major > start + 4 && bytes[major] === 46 && minor > major + 1 && minor === end) {
      // §21.5.6, RFC 4475 §3.1.2.16.
      throw new ParseError("start line", "another version than SIP/2.0", { status: 505, offset: start });
    }
  }
  throw refusal("start line", "no SIP version", start);
}

/** The position of the CR that ends the start line. */
function startLineEnd(bytes: Uint8Array, start: number, limits: Limits): number {
  let p = start;
  const end = bytes.length;
  while (p < end && bytes[p] !== CR && bytes[p] !== LF) p++;
  if (p - start > limits.lineLength)
    throw tooLarge("start line", `longer than ${limits.lineLength} bytes`, start);
  if (p + 1 >= end || bytes[p] !== CR || bytes[p + 1] !== LF) {
    throw refusal("start line", "does not end with CR LF", p);
  }
  return p;
}

/** Request-Line = Method SP Request-URI SP SIP-Version CRLF. */
function scanRequestLine(
  bytes: Uint8Array,
  layout: Layout,
  uri: UriParts,
  limits: Limits,
  filled: number,
): void {
  const start = layout.startLineStart;
  const end = bytes.length;
  let p = start;
  const id = usualMethodAt(start);
  if (id > 0 && window[start + methodNames[id]!.length] === SPACE) {
    p += methodNames[id]!.length;
    layout.methodId = id;
  } else {
    while (p < end && (classes[bytes[p]!]! & TOKEN) !== 0) p++;
    if (p === start || bytes[p] !== SPACE) throw refusal("start line", "no method", p);
    layout.methodId = methodIdAt(bytes, start, p);
  }
  layout.methodEnd = p;
  const uriStart = ++p;
  const stop = uriStart < filled ? scanUsualUri(uriStart, uri) : -1;
  if (stop >= 0 && stop - uriStart <= limits.uriLength && endsRequestLine(stop)) {
    layout.headersStart = stop + 10;
    return;
  }
  while (p < end && bytes[p]! > SPACE) p++;
  if (p - uriStart > limits.uriLength) {
    // §21.4.12
    throw new ParseError("Request-URI", `longer than ${limits.uriLength} bytes`, {
      status: 414,
      offset: uriStart,
    });
  }
  if (bytes[p] !== SPACE || p === uriStart) {
    throw new ParseError("start line", "not a method, a URI and a version, each after one space", {
      offset: p,
    });
  }
  const version = p + 1;
  if (!isSip20(bytes, version) || bytes[version + 7] !== CR || bytes[version + 8] !== LF) {
    refuseVersion(bytes, version, startLineEnd(bytes, version, limits));
  }
  scanUri(bytes, uriStart, p, "Request-URI", uri);
  // §19.1.1: no headers in a Request-URI (RFC 4475 §3.1.2.11).
  if (uri.headersStart >= 0) {
    throw refusal("Request-URI", "a URI with headers in it", uri.headersStart);
  }
  layout.headersStart = version + 9;
}

/** True if the version and CR LF stand at `at`, after a space. */
function endsRequestLine(at: number): boolean {
  return (
    window[at] === SPACE && fourAt(at + 1) === SIP_SLASH && fourAt(at + 5) === TWO_CR && window[at + 9] === LF
  );
}

const SIP_SLASH = fourOf("SIP/");
const TWO_CR = fourOf("2.0\r");

/** Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF. */
function scanStatusLine(bytes: Uint8Array, layout: Layout, limits: Limits): void {
  const start = layout.startLineStart;
  const end = startLineEnd(bytes, start, limits);
  let p = start;
  while (p < end && bytes[p] !== SPACE) p++;
  if (p !== start + 7 || !isSip20(bytes, start)) refuseVersion(bytes, start, p);
  const codeEnd = skipClass(bytes, p + 1, end, DIGIT);
  // Status-Code has three digits; RFC 4475 §3.1.2.19: above 699 there is no class.
  if (codeEnd - p !== 4 || (codeEnd < end && bytes[codeEnd] !== SPACE)) {
    throw refusal("start line", "no status code", p + 1);
  }
  layout.statusCode = parseDigits(bytes, p + 1, codeEnd, "start line", 699);
  if (layout.statusCode < 100) throw refusal("start line", "a status code below 100", p + 1);
  // RFC 4475 §3.1.1.13: the phrase may be empty; the space before it may then be missing (lenient).
  layout.reasonStart = Math.min(codeEnd + 1, end);
  layout.reasonEnd = end;
  layout.headersStart = end + 2;
}

/** Walks over all header fields up to the empty line, building the index, noting the core fields and checking them. */
function scanHeaders(bytes: Uint8Array, layout: Layout, limits: Limits, filled: number): number[] {
  const index = scratch;
  let size = 0;
  // As integers: V8 would compare fractions if one of them may be Infinity.
  const headSize = Math.min(limits.headSize ?? defaultLimits.headSize, windowSize) | 0;
  const headerCount = Math.min(limits.headerCount, windowSize) | 0;
  const lineLength = Math.min(limits.lineLength, windowSize) | 0;
  let contentLength = -1;
  // Checked fields that are not written as usual: a bit for each.
  let unusual = 0;
  let id = 0;
  let p = layout.headersStart | 0;
  if (p > filled) throw fault(bytes, filled, p, layout.startLineStart, "no empty line ends the header");
  while (true) {
    const nameStart = p;
    let nameEnd = p;
    const guess = successors[id << 1]!;
    const otherGuess = successors[(id << 1) + 1]!;
    const span = spanAt(p, names, guess);
    const otherSpan = span > 0 ? 0 : spanAt(p, names, otherGuess);
    if (span > 0) {
      id = guess;
      p += span;
    } else if (otherSpan > 0) {
      id = otherGuess;
      p += otherSpan;
    } else {
      if (p >= filled) throw fault(bytes, filled, p, p, "no empty line ends the header");
      if (window[p] === CR) {
        if (window[p + 1] !== LF) throw fault(bytes, filled, p + 1, p, "a stray CR");
        break;
      }
      while (window[p]! > SPACE && window[p] !== COLON) p++;
      nameEnd = p;
      // HCOLON = *( SP / HTAB ) ":" SWS
      while (window[p] === SPACE || window[p] === TAB) p++;
      if (nameEnd === nameStart || window[p] !== COLON) {
        throw fault(bytes, filled, p, nameStart, "a line that is no header field");
      }
      p++;
      const previous = id;
      id = headerIdAt(window, nameStart, nameEnd);
      successors[(previous << 1) + 1] = guess;
      successors[previous << 1] = id;
    }
    const afterColon = p;
    // Of several Via values the first is ours to check.
    const isChecked = id > 0 && id <= LAST_CHECKED && (id !== VIA || layout.viaStart < 0);
    // What is written as usual is read at once, to the end of the line.
    let valueStart = p + 1;
    let valueEnd = -1;
    if (isChecked && window[p] === SPACE) {
      valueEnd = scanUsual(valueStart, id, layout);
      if (valueEnd === valueStart || !endsLine(valueEnd)) valueEnd = -1;
    }
    if (valueEnd < 0) {
      // To the CR LF that no white space follows; a CR or LF anywhere else is an attempt to smuggle.
      while (true) {
        p = findControl(p);
        if (p >= filled) throw fault(bytes, filled, p, nameStart, "no empty line ends the header");
        const c = window[p]!;
        if (c === CR) {
          if (window[p + 1] !== LF) throw fault(bytes, filled, p + 1, p, "a stray CR");
          if (endsLine(p)) break;
          p += 3;
        } else if (c === LF) {
          throw refusal("message", "a stray LF", p);
        } else {
          p++;
        }
      }
    } else {
      p = valueEnd;
    }
    if (p - nameStart > lineLength) {
      throw tooLarge("message", `a header field longer than ${lineLength} bytes`, nameStart);
    }
    if (id === 0 && skipClass(bytes, nameStart, nameEnd, TOKEN) < nameEnd) {
      throw refusal("message", "a line that is no header field", nameStart);
    }
    if (size >= headerCount) throw tooLarge("message", `more than ${headerCount} header fields`, nameStart);
    index[size++] = indexEntry(nameStart, id);
    const lineEnd = p;
    p += 2;
    if (!isChecked) continue;
    if (valueEnd < 0) {
      valueEnd = trimmedEnd(bytes, afterColon, lineEnd);
      valueStart = skipWhite(bytes, afterColon, valueEnd);
      unusual |= 1 << id;
    }
    switch (id) {
      case VIA:
        layout.viaStart = valueStart;
        layout.viaEnd = valueEnd;
        break;
      case FROM:
        if (layout.fromStart >= 0) throw second("From", nameStart);
        layout.fromStart = valueStart;
        layout.fromEnd = valueEnd;
        break;
      case TO:
        if (layout.toStart >= 0) throw second("To", nameStart);
        layout.toStart = valueStart;
        layout.toEnd = valueEnd;
        break;
      case CALL_ID:
        if (layout.callIdStart >= 0) throw second("Call-ID", nameStart);
        layout.callIdStart = valueStart;
        layout.callIdEnd = valueEnd;
        break;
      case CSEQ:
        if (layout.cSeqStart >= 0) throw second("CSeq", nameStart);
        layout.cSeqStart = valueStart;
        layout.cSeqEnd = valueEnd;
        break;
      case MAX_FORWARDS:
        if (layout.maxForwards >= 0) throw second("Max-Forwards", nameStart);
        // §20.22: 0 … 255.
        layout.maxForwards = usualNumber(valueStart, valueEnd);
        if (layout.maxForwards < 0 || layout.maxForwards > 255)
          layout.maxForwards = parseDigits(bytes, valueStart, valueEnd, "Max-Forwards", 255);
        break;
      case CONTENT_LENGTH:
        // Stricter than the RFC: two of them are refused even if equal (request smuggling). RFC 4475 §3.3.9.
        if (contentLength >= 0) throw second("Content-Length", nameStart);
        contentLength = usualNumber(valueStart, valueEnd);
        if (contentLength < 0) contentLength = parseDigits(bytes, valueStart, valueEnd, "Content-Length");
        break;
      case ROUTE:
        layout.hasRoute = true;
        if ((unusual & (1 << ROUTE)) !== 0) checkRoute(bytes, valueStart, valueEnd);
        break;
    }
  }
  index[size++] = indexEntry(p, 0);
  const end = bytes.length;
  layout.bodyStart = p + 2;
  layout.bodyEnd = end;
  if (layout.bodyStart > headSize) throw tooLarge("message", `a header of more than ${headSize} bytes`);
  if (contentLength >= 0) {
    // §18.3: over UDP, fewer octets than announced make the message malformed; more are ignored.
    if (layout.bodyStart + contentLength > end) {
      throw new ParseError("Content-Length", "larger than what follows the header", {
        offset: layout.bodyStart,
      });
    }
    layout.bodyEnd = layout.bodyStart + contentLength;
  }
  if (layout.statusCode === 0 && limits.bodySize !== undefined)
    checkBody(layout.bodyEnd - layout.bodyStart, layout.methodId, limits.bodySize);
  if (layout.bodyEnd > limits.messageSize) throw tooLarge("message", `more than ${limits.messageSize} bytes`);
  checkCore(bytes, layout, unusual);
  return index.slice(0, size);
}

/** What is wrong at `at`: the size, if the message goes on where it is not looked at any more. */
function fault(bytes: Uint8Array, filled: number, at: number, offset: number, reason: string): ParseError {
  if (at >= filled && filled < bytes.length)
    return tooLarge("message", `a header of more than ${filled} bytes`, offset);
  return refusal("message", reason, offset);
}

/**
 * The numbers of two fields that have come after the one with each number, the newer guess first: senders keep to an order.
 * Two, since several Via values are usual.
 */
const successors = new Uint8Array(2 * (LAST_ID + 1));

/** Where the value of a checked field ends if it is written as usual; -1 if it is not. */
function scanUsual(start: number, id: number, layout: Layout): number {
  switch (id) {
    case VIA:
      return scanUsualVia(start, layout.via);
    case FROM:
      return scanUsualFromTo(start, layout.from);
    case TO:
      return scanUsualFromTo(start, layout.to);
    case CALL_ID:
      return findInvisible(start);
    case CSEQ:
      return scanUsualCSeq(start, cSeqParts);
    case MAX_FORWARDS:
    case CONTENT_LENGTH:
      return digitsEnd(start);
    case ROUTE:
      return scanUsualRoute(start, routeParts.uri);
    default:
      return -1;
  }
}

/** §21.4.11. Not for ACK: it has no response, and the call would be lost. */
function checkBody(length: number, methodId: number, limit: number): void {
  if (length > limit && methodId !== ACK) throw bodyTooLarge(limit);
}

/** For requests that were read no further than that. */
export function bodyTooLarge(limit: number): ParseError {
  return new ParseError("body", `longer than ${limit} bytes`, { status: 413 });
}

/** The index while it grows; what a message keeps is a copy of the right size. */
const scratch: number[] = new Array<number>(defaultLimits.headerCount + 1).fill(0);

function second(field: string, offset: number): ParseError {
  // RFC 4475 §3.3.8.
  return new ParseError(field, "more than one", { offset });
}

function checkRoute(bytes: Uint8Array, start: number, end: number): void {
  let p = start;
  while (true) {
    p = scanNameAddr(bytes, p, end, "Route", true, routeParts);
    // §25.1: route-param = name-addr, so always with brackets.
    if (bytes[routeParts.uri.start - 1] !== LESS) {
      throw refusal("Route", "the URI is not in angle brackets", routeParts.uri.start);
    }
    if (p >= end) return;
    p++;
  }
}

const routeParts = newNameAddrParts();

/** §8.1.1, §16.3: what every message must have, well-formed; by the grammar what is `unusual`. */
function checkCore(bytes: Uint8Array, layout: Layout, unusual: number): void {
  if (layout.viaStart < 0) throw missing("Via");
  if (layout.fromStart < 0) throw missing("From");
  if (layout.toStart < 0) throw missing("To");
  if (layout.callIdStart < 0) throw missing("Call-ID");
  if (layout.cSeqStart < 0) throw missing("CSeq");

  const { via } = layout;
  if ((unusual & (1 << VIA)) !== 0) {
    const stop = scanVia(bytes, layout.viaStart, layout.viaEnd, "Via", via);
    if (stop + 1 === layout.viaEnd) throw refusal("Via", "nothing after a comma", stop);
    if (stop < layout.viaEnd) layout.viaEnd = trimmedEnd(bytes, layout.viaStart, stop);
  }
  // RFC 4475 §3.2.1: the magic cookie alone identifies nothing.
  if (via.branchEnd - via.branchStart === 7 && spells(bytes, via.branchStart, via.branchEnd, MAGIC_COOKIE)) {
    throw refusal("Via", "a branch of nothing but the magic cookie", via.branchStart);
  }
  if ((unusual & (1 << FROM)) !== 0) {
    scanNameAddr(bytes, layout.fromStart, layout.fromEnd, "From", false, layout.from);
  }
  if ((unusual & (1 << TO)) !== 0) {
    scanNameAddr(bytes, layout.toStart, layout.toEnd, "To", false, layout.to);
  }
  if ((unusual & (1 << CALL_ID)) !== 0) checkWord(bytes, layout.callIdStart, layout.callIdEnd);
  layout.coreEnd = Math.max(layout.viaEnd, layout.fromEnd, layout.toEnd, layout.callIdEnd);
  if ((unusual & (1 << CSEQ)) !== 0) {
    scanCSeq(bytes, layout.cSeqStart, layout.cSeqEnd, "CSeq", cSeqParts);
  }
  layout.cSeqNumber = cSeqParts.sequence;
  if (layout.statusCode > 0) {
    layout.methodId = cSeqParts.methodId;
  } else if (
    layout.methodId !== cSeqParts.methodId ||
    (layout.methodId === 0 && !isSameMethod(bytes, layout))
  ) {
    // RFC 4475 §3.1.2.17, §3.1.2.18: 400, but rather 501 if nobody knows the method anyway.
    throw new ParseError("CSeq", "another method than the request's", {
      status: layout.methodId === 0 ? 501 : 400,
      offset: cSeqParts.methodStart,
    });
  }
}

const cSeqParts = newCSeqParts();

function missing(field: string): ParseError {
  return new ParseError(field, "missing");
}

function checkWord(bytes: Uint8Array, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c <= SPACE || c >= 0x7f) throw refusal("Call-ID", "not one word", i);
  }
  if (start === end) throw refusal("Call-ID", "empty", start);
}

/** §8.1.1.5: the method of CSeq is that of the request. */
function isSameMethod(bytes: Uint8Array, layout: Layout): boolean {
  const { methodStart, methodEnd } = cSeqParts;
  const start = layout.startLineStart;
  if (methodEnd - methodStart !== layout.methodEnd - start) return false;
  for (let i = methodStart; i < methodEnd; i++) if (bytes[i] !== bytes[start + i - methodStart]) return false;
  return true;
}
