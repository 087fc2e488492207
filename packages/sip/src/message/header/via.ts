// Via: RFC 3261 §20.42, RFC 3581 (rport), RFC 5118 §4.5 (brackets in received).
import * as characters from "../characters.ts";
import { parseDigits, refusal, skipClass, skipToken, skipWhite, spelling, spells } from "../grammar.ts";
import { type HostParts, hostOf, isHostPlain, isIpv6, printHostPort, skipHost } from "../host.ts";
import { lazyParams, noParams, type Params, param, printParams, scanParam } from "../params.ts";
import { cutAscii, encodeText } from "../text.ts";

const { COLON, COMMA, classes, DIGIT, SEMICOLON, SLASH, SPACE, TOKEN, WHITE } = characters;
const BRANCH = spelling("branch");
const RPORT = spelling("rport");
const MADDR = spelling("maddr");
const TTL = spelling("ttl");
const RECEIVED = spelling("received");
const UDP = 0x504455;
const TCP = 0x504354;
const TLS = 0x534c54;

/** One Via value. */
export interface Via {
  /** Upper case: "UDP", "TCP", "TLS", "WS", "WSS", or what else was there. */
  readonly transport: string;
  /** sent-by's host, lower case, IPv6 without brackets. */
  readonly host: string;
  /** sent-by's port, absent if it was not written. */
  readonly port?: number;
  readonly branch?: string;
  /** The address the request came from, without brackets. */
  readonly received?: string;
  /** `true`: asked for; a number: filled in (RFC 3581 §3, §4). */
  readonly rport?: number | true;
  readonly maddr?: string;
  readonly ttl?: number;
  /** All parameters, also those above, as written. */
  readonly params: Params;
}

/** Where the parts of a Via value are; -1 for a part that is not there. */
export interface ViaParts extends HostParts {
  transportStart: number;
  transportEnd: number;
  port: number;
  paramsStart: number;
  paramsEnd: number;
  branchStart: number;
  branchEnd: number;
  receivedStart: number;
  receivedEnd: number;
  /** -1: not there; -2: there without a value. */
  rport: number;
  maddrStart: number;
  maddrEnd: number;
  ttl: number;
}

/** Parts to be filled in by `scanVia`. */
export function newViaParts(): ViaParts {
  return {
    transportStart: 0,
    transportEnd: 0,
    hostStart: 0,
    hostEnd: 0,
    isHostPlain: false,
    host: undefined,
    port: -1,
    paramsStart: 0,
    paramsEnd: 0,
    branchStart: -1,
    branchEnd: -1,
    receivedStart: -1,
    receivedEnd: -1,
    rport: -1,
    maddrStart: -1,
    maddrEnd: -1,
    ttl: -1,
  };
}

/**
 * Checks one Via value and notes its parts. Returns where it stops: `end`, or the comma behind it.
 * Throws ParseError.
 */
export function scanVia(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  parts: ViaParts,
): number {
  let p = start;
  if (isSip20(bytes, p) && bytes[p + 7] === SLASH && bytes[p + 8]! > SPACE) {
    // The way nearly everyone writes it.
    p += 8;
    parts.transportStart = p;
    while (p < end && (classes[bytes[p]!]! & TOKEN) !== 0) p++;
    if (p === parts.transportStart) throw refusal(field, "no transport", p);
    parts.transportEnd = p;
  } else {
    p = scanSentProtocol(bytes, start, end, field, parts);
  }
  const white = p;
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  if (white === p) throw refusal(field, "no space before sent-by", p);
  parts.hostStart = p;
  p = skipHost(bytes, p, end, field);
  parts.hostEnd = p;
  parts.isHostPlain = isHostPlain();
  parts.host = undefined;
  parts.port = -1;
  if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  // sent-by = host [ COLON port ], white space around the colon allowed
  if (p < end && bytes[p] === COLON) {
    const portStart = skipWhite(bytes, p + 1, end);
    p = skipClass(bytes, portStart, end, DIGIT);
    parts.port = parseDigits(bytes, portStart, p, field, 65535);
    if (bytes[p]! <= SPACE) p = skipWhite(bytes, p, end);
  }
  parts.paramsStart = p;
  parts.branchStart = -1;
  parts.receivedStart = -1;
  parts.rport = -1;
  parts.maddrStart = -1;
  parts.ttl = -1;
  while (p < end && bytes[p] === SEMICOLON) {
    p = scanParam(bytes, p, end, field);
    noteParam(bytes, field, parts);
  }
  parts.paramsEnd = p;
  if (p < end && bytes[p] !== COMMA) throw refusal(field, "unexpected text", p);
  return p;
}

/** True if "SIP/2.0" stands at `at`, in any case (§7.1). */
export function isSip20(bytes: Uint8Array, at: number): boolean {
  return (
    (bytes[at]! | 0x20) === 115 &&
    (bytes[at + 1]! | 0x20) === 105 &&
    (bytes[at + 2]! | 0x20) === 112 &&
    bytes[at + 3] === SLASH &&
    bytes[at + 4] === 50 &&
    bytes[at + 5] === 46 &&
    bytes[at + 6] === 48
  );
}

/** sent-protocol = protocol-name SLASH protocol-version SLASH transport; the name may be any token. */
function scanSentProtocol(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  parts: ViaParts,
): number {
  let p = skipWhite(bytes, start, end);
  for (let part = 0; part < 3; part++) {
    const after = skipToken(bytes, p, end);
    if (after === p) throw refusal(field, "the protocol is not name/version/transport", p);
    if (part === 2) {
      parts.transportStart = p;
      parts.transportEnd = after;
      return after;
    }
    p = skipWhite(bytes, after, end);
    if (p >= end || bytes[p] !== SLASH) {
      throw refusal(field, "the protocol is not name/version/transport", p);
    }
    p = skipWhite(bytes, p + 1, end);
  }
  return p;
}

/** Notes the parameter that `param` points at, if it is one that has a place in `ViaParts`. The first of each counts. */
function noteParam(bytes: Uint8Array, field: string, parts: ViaParts): void {
  const { nameStart, nameEnd, valueStart, valueEnd } = param;
  switch (nameEnd - nameStart) {
    case 6:
      if (parts.branchStart < 0 && spells(bytes, nameStart, nameEnd, BRANCH)) {
        if (valueStart < 0 || param.isQuoted) throw refusal(field, "the branch is no token", nameStart);
        parts.branchStart = valueStart;
        parts.branchEnd = valueEnd;
      }
      break;
    case 5:
      if (parts.rport === -1 && spells(bytes, nameStart, nameEnd, RPORT)) {
        parts.rport = valueStart < 0 ? -2 : parseDigits(bytes, valueStart, valueEnd, field, 65535);
      } else if (parts.maddrStart < 0 && spells(bytes, nameStart, nameEnd, MADDR)) {
        checkHost(bytes, field, "maddr is no host");
        parts.maddrStart = valueStart;
        parts.maddrEnd = valueEnd;
      }
      break;
    case 3:
      if (parts.ttl < 0 && spells(bytes, nameStart, nameEnd, TTL)) {
        parts.ttl = parseDigits(bytes, valueStart, valueEnd, field, 255);
      }
      break;
    case 8:
      if (parts.receivedStart < 0 && spells(bytes, nameStart, nameEnd, RECEIVED)) {
        checkHost(bytes, field, "received is no address");
        parts.receivedStart = valueStart;
        parts.receivedEnd = valueEnd;
      }
      break;
  }
}

/** The value that `param` points at is a host; RFC 5118 §4.5: an IPv6 address may have brackets or not. */
function checkHost(bytes: Uint8Array, field: string, reason: string): void {
  const { valueStart, valueEnd } = param;
  if (valueStart < 0 || param.isQuoted) throw refusal(field, reason, param.nameStart);
  if (!isIpv6(bytes, valueStart, valueEnd) && skipHost(bytes, valueStart, valueEnd, field) !== valueEnd) {
    throw refusal(field, reason, valueStart);
  }
}

/** The value whose parts `scanVia` has noted. */
export function viaOfParts(bytes: Uint8Array, parts: ViaParts): Via {
  const { port, paramsStart, paramsEnd, branchStart, receivedStart, rport, maddrStart, ttl } = parts;
  return {
    transport: decodeTransport(bytes, parts.transportStart, parts.transportEnd),
    host: hostOf(bytes, parts),
    port: port < 0 ? undefined : port,
    branch: branchStart < 0 ? undefined : cutAscii(bytes, branchStart, parts.branchEnd),
    received:
      receivedStart < 0 ? undefined : withoutBrackets(cutAscii(bytes, receivedStart, parts.receivedEnd)),
    rport: rport === -1 ? undefined : rport === -2 ? true : rport,
    maddr: maddrStart < 0 ? undefined : withoutBrackets(cutAscii(bytes, maddrStart, parts.maddrEnd)),
    ttl: ttl < 0 ? undefined : ttl,
    params: paramsStart === paramsEnd ? noParams : lazyParams(bytes, paramsStart, paramsEnd),
  } as Via;
}

const transient = newViaParts();

/** The Via value in [start, end). Throws ParseError. */
export function decodeVia(bytes: Uint8Array, start: number, end: number, field: string): Via {
  const stop = scanVia(bytes, start, end, field, transient);
  if (stop !== end) throw refusal(field, "more than one value", stop);
  return viaOfParts(bytes, transient);
}

function withoutBrackets(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function decodeTransport(bytes: Uint8Array, start: number, end: number): string {
  if (end - start === 3) {
    // As in most messages: without a loop.
    const word = (bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16)) & 0xdfdfdf;
    if (word === UDP) return "UDP";
    if (word === TCP) return "TCP";
    if (word === TLS) return "TLS";
  }
  return cutAscii(bytes, start, end).toUpperCase();
}

/** Reads one Via value. Throws ParseError. */
export function parseVia(text: string | Uint8Array): Via {
  const bytes = typeof text === "string" ? encodeText(text) : text;
  let end = bytes.length;
  while (end > 0 && (classes[bytes[end - 1]!]! & WHITE) !== 0) end--;
  return decodeVia(bytes, 0, end, "Via");
}

/** What goes into a Via that is to be printed; `params` only for parameters that have no field of their own. */
export type ViaInit = Omit<Via, "params"> & { readonly params?: Params };

/** The value as it goes on the wire. The named fields decide over the same names in `params`. */
export function printVia(via: ViaInit): string {
  let out = `SIP/2.0/${via.transport} ${printHostPort(via.host, via.port)}`;
  if (via.rport !== undefined) out += via.rport === true ? ";rport" : `;rport=${via.rport}`;
  // RFC 5118 §4.5: never brackets in received when sending.
  if (via.received !== undefined) out += `;received=${via.received}`;
  if (via.maddr !== undefined) out += `;maddr=${printHostPort(via.maddr, undefined)}`;
  if (via.ttl !== undefined) out += `;ttl=${via.ttl}`;
  if (via.branch !== undefined) out += `;branch=${via.branch}`;
  if (via.params !== undefined && via.params.size > 0) {
    const others = new Map(via.params);
    for (const name of ["rport", "received", "maddr", "ttl", "branch"]) others.delete(name);
    out += printParams(others);
  }
  return out;
}
