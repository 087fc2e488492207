// Headers made of addresses: From, To, Contact, Route, Path, Refer-To … RFC 3261 §20.10, §20.20, §20.34, §20.39;
// and those of URIs in angle brackets: Alert-Info, Call-Info, Error-Info (§20.4, §20.9, §20.18).
import { ParseError } from "../../errors.ts";
import * as characters from "../characters.ts";
import { skipWhite, spelling, spells } from "../grammar.ts";
import {
  decodeNameAddr,
  type NameAddr,
  newNameAddrParts,
  printNameAddr,
  scanNameAddr,
} from "../name-addr.ts";
import { noParams, type Params, param, paramValue, scanParam } from "../params.ts";
import { cutAscii, decodeAscii, encodeText } from "../text.ts";
import { SIPS, type Uri } from "../uri.ts";
import { readSeconds } from "./number.ts";

const { GREATER, LESS, STAR } = characters;
const EXPIRES = spelling("expires");
const Q = spelling("q");
const INSTANCE = spelling("+sip.instance");

/** A Contact value (§20.10). */
export interface Contact extends NameAddr {
  /** 0 … 1; absent if not given. */
  readonly q?: number;
  /** Seconds; absent if not given or not a number (§20.10: then 3600 counts, left to the registrar). */
  readonly expires?: number;
}

/** One Contact value; "*" is the wildcard of a REGISTER that removes all bindings (§10.2.2). */
export function decodeContact(bytes: Uint8Array, start: number, end: number, field: string): Contact | "*" {
  const first = skipWhite(bytes, start, end);
  if (bytes[first] === STAR && skipWhite(bytes, first + 1, end) === end) return "*";
  const address = decodeNameAddr(bytes, start, end, field);
  const q = address.params.get("q");
  const expires = address.params.get("expires");
  return {
    displayName: address.displayName,
    uri: address.uri,
    params: address.params,
    q: q === undefined ? undefined : parseQ(q, field),
    expires: expires === undefined ? undefined : parseExpires(expires),
  } as Contact;
}

/** A Contact value that was checked, but whose URI was not taken apart: what a registrar keeps and lists. */
export interface ContactAsWritten {
  /** The URI without the brackets, escapes and case as they came: a string that keeps no message alive. */
  readonly uri: string;
  readonly isSips: boolean;
  /** 0 … 1; 1 if not given. */
  readonly q: number;
  /** Seconds; §20.10: 3600 if it is no number. */
  readonly expires: number | undefined;
  /** `+sip.instance` (RFC 5626 §4.1). */
  readonly instanceId: string | undefined;
  /** Those that have no member of their own here. */
  readonly otherParams: Params;
}

const transient = newNameAddrParts();

/** As `decodeContact`. */
export function decodeContactAsWritten(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
): ContactAsWritten | "*" {
  if (bytes[start] === STAR && end === start + 1) return "*";
  scanNameAddr(bytes, start, end, field, false, transient);
  const { uri, paramsStart } = transient;
  let q: number | undefined;
  let expires: number | undefined;
  let instanceId: string | undefined;
  let others: Map<string, string> | undefined;
  for (let p = paramsStart; p < end; ) {
    p = scanParam(bytes, p, end, field);
    const { nameStart, nameEnd, valueStart, valueEnd } = param;
    // The first of two parameters of one name counts; the grammar leaves it open.
    if (spells(bytes, nameStart, nameEnd, EXPIRES)) {
      expires ??= readSeconds(bytes, valueStart, valueEnd) ?? 3600;
    } else if (spells(bytes, nameStart, nameEnd, Q)) {
      q ??= parseQ(paramValue(bytes), field);
    } else if (spells(bytes, nameStart, nameEnd, INSTANCE)) {
      instanceId ??= paramValue(bytes);
    } else {
      others ??= new Map();
      const name = cutAscii(bytes, nameStart, nameEnd).toLowerCase();
      if (!others.has(name)) others.set(name, paramValue(bytes));
    }
  }
  return {
    uri: decodeAscii(bytes, uri.start, uri.end),
    isSips: uri.scheme === SIPS,
    q: q ?? 1,
    expires,
    instanceId,
    otherParams: others ?? noParams,
  };
}

/** qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ). */
export function parseQ(text: string, field: string): number {
  const value = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?|\.\d{1,3})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new ParseError(field, "q is not a number from 0 to 1");
  return value;
}

function parseExpires(text: string): number | undefined {
  if (!/^\d{1,12}$/.test(text)) {
    // RFC 4475 §3.1.2.4: an overlarge value may count as 3600 rather than make the message malformed.
    return undefined;
  }
  // §20.10, §20.19: up to 2**32-1.
  return Math.min(Number(text), 0xffffffff);
}

export function printContact(value: Contact | "*" | Uri): string {
  if (value === "*") return "*";
  if ("scheme" in value) return printNameAddr(value);
  const { q, expires, params } = value;
  if (q === undefined && expires === undefined) return printNameAddr(value);
  const all = new Map(params);
  if (q !== undefined && (!all.has("q") || Number(all.get("q")) !== q)) all.set("q", String(q));
  if (expires !== undefined && Number(all.get("expires")) !== expires) all.set("expires", String(expires));
  return printNameAddr({
    ...(value.displayName === undefined ? {} : { displayName: value.displayName }),
    uri: value.uri,
    params: all,
  });
}

/** route-param and rec-route demand angle brackets (§25.1); the same holds for Path and Service-Route. */
export function decodeRoute(bytes: Uint8Array, start: number, end: number, field: string): NameAddr {
  const value = decodeNameAddr(bytes, start, end, field);
  requireBrackets(bytes, start, end, field);
  return value;
}

function requireBrackets(bytes: Uint8Array, start: number, end: number, field: string): void {
  for (let i = start; i < end; i++) if (bytes[i] === LESS) return;
  throw new ParseError(field, "the URI is not in angle brackets", { offset: start });
}

/** A URI in angle brackets with parameters. */
export interface InfoUri {
  readonly uri: Uri;
  readonly params: NameAddr["params"];
}

export function decodeInfoUri(bytes: Uint8Array, start: number, end: number, field: string): InfoUri {
  const first = skipWhite(bytes, start, end);
  if (bytes[first] !== LESS || bytes.indexOf(GREATER, first) < 0) {
    throw new ParseError(field, "no URI in angle brackets", { offset: first });
  }
  const { uri, params } = decodeNameAddr(bytes, start, end, field);
  return { uri, params };
}

export function printInfoUri(value: InfoUri | Uri): string {
  return printNameAddr(value);
}

/** Reads one Contact value. Throws ParseError. */
export function parseContact(text: string): Contact | "*" {
  const bytes = encodeText(text);
  return decodeContact(bytes, 0, bytes.length, "Contact");
}
