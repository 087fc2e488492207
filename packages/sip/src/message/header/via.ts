// Via: RFC 3261 §20.42, RFC 3581 (rport), RFC 5118 §4.5 (brackets in received).
import { ParseError } from "../../errors.ts";
import {
  COLON,
  COMMA,
  classes,
  DIGIT,
  parseDigits,
  SEMICOLON,
  SLASH,
  skipClass,
  skipToken,
  skipWhite,
  spells,
  WHITE,
} from "../grammar.ts";
import { decodeHost, isIpv6, printHostPort, skipHost } from "../host.ts";
import { noParams, type Params, param, parseParams, printParams, scanParam } from "../params.ts";
import { decodeAscii, encodeText } from "../text.ts";

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

/** Where the parts are, refilled by each `scanVia`; -1 for a part that is not there. */
export const viaParts = {
  transportStart: 0,
  transportEnd: 0,
  hostStart: 0,
  hostEnd: 0,
  port: -1,
  paramsStart: 0,
  branchStart: -1,
  branchEnd: -1,
};

/**
 * Checks one Via value and leaves in `viaParts` where the parts are. Returns where it stops: `end`, or the
 * comma behind it. Throws ParseError. Allocates nothing.
 */
export function scanVia(bytes: Uint8Array, start: number, end: number, field: string): number {
  let p = scanSentProtocol(bytes, start, end, field);
  const white = skipWhite(bytes, p, end);
  if (white === p) throw new ParseError(field, "no space before sent-by", { offset: p });
  viaParts.hostStart = white;
  p = skipHost(bytes, white, end, field);
  viaParts.hostEnd = p;
  viaParts.port = -1;
  p = skipWhite(bytes, p, end);
  // sent-by = host [ COLON port ], white space around the colon allowed
  if (p < end && bytes[p] === COLON) {
    const portStart = skipWhite(bytes, p + 1, end);
    const portEnd = skipClass(bytes, portStart, end, DIGIT);
    viaParts.port = parseDigits(bytes, portStart, portEnd, field, 65535);
    p = skipWhite(bytes, portEnd, end);
  }
  viaParts.paramsStart = p;
  viaParts.branchStart = -1;
  while (p < end && bytes[p] === SEMICOLON) {
    p = scanParam(bytes, p, end, field);
    checkParam(bytes, field);
  }
  if (p < end && bytes[p] !== COMMA) throw new ParseError(field, "unexpected text", { offset: p });
  return p;
}

/** sent-protocol = protocol-name SLASH protocol-version SLASH transport; the name may be any token. */
function scanSentProtocol(bytes: Uint8Array, start: number, end: number, field: string): number {
  let p = skipWhite(bytes, start, end);
  for (let part = 0; part < 3; part++) {
    const after = skipToken(bytes, p, end);
    if (after === p) throw new ParseError(field, "the protocol is not name/version/transport", { offset: p });
    if (part === 2) {
      viaParts.transportStart = p;
      viaParts.transportEnd = after;
      return after;
    }
    p = skipWhite(bytes, after, end);
    if (p >= end || bytes[p] !== SLASH) {
      throw new ParseError(field, "the protocol is not name/version/transport", { offset: p });
    }
    p = skipWhite(bytes, p + 1, end);
  }
  return p;
}

function checkParam(bytes: Uint8Array, field: string): void {
  const { nameStart, nameEnd, valueStart, valueEnd, isQuoted } = param;
  switch (nameEnd - nameStart) {
    case 6:
      if (viaParts.branchStart < 0 && spells(bytes, nameStart, nameEnd, "branch")) {
        if (valueStart < 0 || isQuoted)
          throw new ParseError(field, "the branch is no token", { offset: nameStart });
        viaParts.branchStart = valueStart;
        viaParts.branchEnd = valueEnd;
      }
      break;
    case 5:
      if (spells(bytes, nameStart, nameEnd, "rport") && valueStart >= 0) {
        parseDigits(bytes, valueStart, valueEnd, field, 65535);
      } else if (spells(bytes, nameStart, nameEnd, "maddr")) {
        if (valueStart < 0 || isQuoted || skipAnyHost(bytes, valueStart, valueEnd, field) !== valueEnd) {
          throw new ParseError(field, "maddr is no host", { offset: nameStart });
        }
      }
      break;
    case 3:
      if (spells(bytes, nameStart, nameEnd, "ttl")) parseDigits(bytes, valueStart, valueEnd, field, 255);
      break;
    case 8:
      // RFC 5118 §4.5: an IPv6 address in received may have brackets or not.
      if (spells(bytes, nameStart, nameEnd, "received")) {
        if (valueStart < 0 || isQuoted || skipAnyHost(bytes, valueStart, valueEnd, field) !== valueEnd) {
          throw new ParseError(field, "received is no address", { offset: nameStart });
        }
      }
      break;
  }
}

function skipAnyHost(bytes: Uint8Array, start: number, end: number, field: string): number {
  return isIpv6(bytes, start, end) ? end : skipHost(bytes, start, end, field);
}

/** The Via value in [start, end). Throws ParseError. */
export function decodeVia(bytes: Uint8Array, start: number, end: number, field: string): Via {
  const stop = scanVia(bytes, start, end, field);
  if (stop !== end) throw new ParseError(field, "more than one value", { offset: stop });
  const { transportStart, transportEnd, hostStart, hostEnd, port, paramsStart, branchStart, branchEnd } =
    viaParts;
  const params = paramsStart === end ? noParams : parseParams(bytes, paramsStart, end, field);
  const rport = params.get("rport");
  const ttl = params.get("ttl");
  const received = params.get("received");
  const maddr = params.get("maddr");
  return {
    transport: decodeTransport(bytes, transportStart, transportEnd),
    host: decodeHost(bytes, hostStart, hostEnd),
    port: port < 0 ? undefined : port,
    branch: branchStart < 0 ? undefined : decodeAscii(bytes, branchStart, branchEnd),
    received: received === undefined ? undefined : withoutBrackets(received),
    rport: rport === undefined ? undefined : rport === "" ? true : Number(rport),
    maddr: maddr === undefined ? undefined : withoutBrackets(maddr),
    ttl: ttl === undefined ? undefined : Number(ttl),
    params,
  } as Via;
}

function withoutBrackets(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function decodeTransport(bytes: Uint8Array, start: number, end: number): string {
  if (spells(bytes, start, end, "udp")) return "UDP";
  if (spells(bytes, start, end, "tcp")) return "TCP";
  if (spells(bytes, start, end, "tls")) return "TLS";
  return decodeAscii(bytes, start, end).toUpperCase();
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
