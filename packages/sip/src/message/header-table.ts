// The table of header fields: name, compact form, one value or a list, parser, printer. A new header is a line here
// (and a file in header/ if its syntax is new). Names as registered; compact forms from RFC 3261 §7.3.3 and later RFCs.
import {
  decodeAuthenticationInfo,
  decodeChallenge,
  printAuthenticationInfo,
  printChallenge,
  printCredentials,
} from "./header/auth.ts";
import { decodeContact, decodeInfoUri, decodeRoute, printContact, printInfoUri } from "./header/contact.ts";
import { decodeCSeq, decodeRAck, printCSeq, printRAck } from "./header/cseq.ts";
import { decodeDate, printDate } from "./header/date.ts";
import { decodeEvent, decodeSubscriptionState, printEvent, printSubscriptionState } from "./header/event.ts";
import { decodeIdentity, printIdentity } from "./header/identity.ts";
import {
  decodeMediaType,
  decodeTokenWithParams,
  printMediaType,
  printTokenWithParams,
} from "./header/media-type.ts";
import { decodeSeconds, numberUpTo } from "./header/number.ts";
import { decodeReason, printReason } from "./header/reason.ts";
import { decodeReplaces, printReplaces, printTargetDialog } from "./header/replaces.ts";
import { decodeRetryAfter, printRetryAfter } from "./header/retry-after.ts";
import { decodeMinSe, decodeSessionExpires, printSessionExpires } from "./header/session-expires.ts";
import { decodeTextValue } from "./header/text-value.ts";
import { decodeTimestamp, printTimestamp } from "./header/timestamp.ts";
import { decodeToken, decodeWord, printPlain } from "./header/token.ts";
import { decodeVia, printVia } from "./header/via.ts";
import { decodeWarning, printWarning } from "./header/warning.ts";
import { decodeFromTo, decodeNameAddr, printNameAddr } from "./name-addr.ts";
import { type Spellings, spellingsOf } from "./window.ts";

/** Reads one value in [start, end), white space trimmed at both ends. `field` is the name for errors. Throws ParseError only. */
export type HeaderParser<T> = (bytes: Uint8Array, start: number, end: number, field: string) => T;

/** One line of the table. */
export interface HeaderDefinition<T = unknown, P = T> {
  readonly compact?: string;
  /** Values may be joined by commas (§7.3.1). */
  readonly isList: boolean;
  readonly parse: HeaderParser<T>;
  readonly print: (value: P) => string;
}

function single<T, P>(
  parse: HeaderParser<T>,
  print: (value: P) => string,
  compact?: string,
): HeaderDefinition<T, P> {
  return { parse, print, isList: false, ...(compact === undefined ? {} : { compact }) };
}

function list<T, P>(
  parse: HeaderParser<T>,
  print: (value: P) => string,
  compact?: string,
): HeaderDefinition<T, P> {
  return { parse, print, isList: true, ...(compact === undefined ? {} : { compact }) };
}

// The first eight have fixed numbers (see below): the parser looks at them itself.
const definitions = {
  Via: list(decodeVia, printVia, "v"),
  From: single(decodeFromTo, printNameAddr, "f"),
  To: single(decodeFromTo, printNameAddr, "t"),
  "Call-ID": single(decodeWord, printPlain, "i"),
  CSeq: single(decodeCSeq, printCSeq),
  "Max-Forwards": single(numberUpTo(255), printPlain),
  "Content-Length": single(numberUpTo(0xffffffff), printPlain, "l"),
  Route: list(decodeRoute, printNameAddr),

  Contact: list(decodeContact, printContact, "m"),
  "Record-Route": list(decodeRoute, printNameAddr),
  Path: list(decodeRoute, printNameAddr),
  "Service-Route": list(decodeRoute, printNameAddr),
  "Reply-To": single(decodeNameAddr, printNameAddr),
  "Refer-To": single(decodeNameAddr, printNameAddr, "r"),
  "Referred-By": single(decodeNameAddr, printNameAddr, "b"),
  "P-Asserted-Identity": list(decodeNameAddr, printNameAddr),
  "P-Preferred-Identity": list(decodeNameAddr, printNameAddr),
  "P-Associated-URI": list(decodeNameAddr, printNameAddr),
  "P-Called-Party-ID": single(decodeNameAddr, printNameAddr),
  "P-Served-User": single(decodeNameAddr, printNameAddr),
  "Remote-Party-ID": list(decodeNameAddr, printNameAddr),
  Diversion: list(decodeNameAddr, printNameAddr),
  "History-Info": list(decodeNameAddr, printNameAddr),
  "Permission-Missing": list(decodeNameAddr, printNameAddr),
  "Trigger-Consent": list(decodeNameAddr, printNameAddr),
  "Policy-Contact": list(decodeNameAddr, printNameAddr),
  "Refer-Events-At": single(decodeInfoUri, printInfoUri),
  "Alert-Info": list(decodeInfoUri, printInfoUri),
  "Call-Info": list(decodeInfoUri, printInfoUri),
  "Error-Info": list(decodeInfoUri, printInfoUri),
  "P-Refused-URI-List": list(decodeInfoUri, printInfoUri),
  Geolocation: list(decodeInfoUri, printInfoUri),

  "WWW-Authenticate": single(decodeChallenge, printChallenge),
  "Proxy-Authenticate": single(decodeChallenge, printChallenge),
  Authorization: single(decodeChallenge, printCredentials),
  "Proxy-Authorization": single(decodeChallenge, printCredentials),
  "Authentication-Info": single(decodeAuthenticationInfo, printAuthenticationInfo),
  "Proxy-Authentication-Info": single(decodeAuthenticationInfo, printAuthenticationInfo),

  "Content-Type": single(decodeMediaType, printMediaType, "c"),
  Accept: list(decodeMediaType, printMediaType),
  "Accept-Encoding": list(decodeTokenWithParams, printTokenWithParams),
  "Accept-Language": list(decodeTokenWithParams, printTokenWithParams),
  "Content-Disposition": single(decodeTokenWithParams, printTokenWithParams),
  "Content-Encoding": list(decodeToken, printPlain, "e"),
  "Content-Language": list(decodeToken, printPlain),
  "Content-ID": single(decodeTextValue, printPlain),
  "MIME-Version": single(decodeToken, printPlain),

  Allow: list(decodeToken, printPlain),
  Supported: list(decodeToken, printPlain, "k"),
  Require: list(decodeToken, printPlain),
  "Proxy-Require": list(decodeToken, printPlain),
  Unsupported: list(decodeToken, printPlain),
  "Recv-Info": list(decodeTokenWithParams, printTokenWithParams),
  "Info-Package": single(decodeTokenWithParams, printTokenWithParams),
  "Feature-Caps": list(decodeTextValue, printPlain),
  Privacy: single(decodeTextValue, printPlain),
  Priority: single(decodeToken, printPlain),
  "Request-Disposition": list(decodeToken, printPlain, "d"),
  "Accept-Contact": list(decodeTokenWithParams, printTokenWithParams, "a"),
  "Reject-Contact": list(decodeTokenWithParams, printTokenWithParams, "j"),
  "Answer-Mode": single(decodeTokenWithParams, printTokenWithParams),
  "Priv-Answer-Mode": single(decodeTokenWithParams, printTokenWithParams),
  "Resource-Priority": list(decodeToken, printPlain),
  "Accept-Resource-Priority": list(decodeToken, printPlain),
  "Security-Client": list(decodeTokenWithParams, printTokenWithParams),
  "Security-Server": list(decodeTokenWithParams, printTokenWithParams),
  "Security-Verify": list(decodeTokenWithParams, printTokenWithParams),
  "Refer-Sub": single(decodeTokenWithParams, printTokenWithParams),
  "Session-ID": single(decodeTokenWithParams, printTokenWithParams),
  "Suppress-If-Match": single(decodeWord, printPlain),
  "SIP-ETag": single(decodeToken, printPlain),
  "SIP-If-Match": single(decodeToken, printPlain),
  "In-Reply-To": list(decodeWord, printPlain),
  "Geolocation-Routing": single(decodeTokenWithParams, printTokenWithParams),
  "Geolocation-Error": list(decodeTokenWithParams, printTokenWithParams),
  "P-Early-Media": list(decodeTokenWithParams, printTokenWithParams),
  "P-Charging-Vector": single(decodeTextValue, printPlain),
  "P-Access-Network-Info": single(decodeTextValue, printPlain),
  "P-Asserted-Service": single(decodeTextValue, printPlain),
  "P-Preferred-Service": single(decodeTextValue, printPlain),

  Expires: single(decodeSeconds, printPlain),
  "Min-Expires": single(decodeSeconds, printPlain),
  "Max-Breadth": single(numberUpTo(0xffffffff), printPlain),
  RSeq: single(numberUpTo(0xffffffff), printPlain),
  RAck: single(decodeRAck, printRAck),
  "Flow-Timer": single(decodeSeconds, printPlain),
  "Session-Expires": single(decodeSessionExpires, printSessionExpires, "x"),
  "Min-SE": single(decodeMinSe, printPlain),
  "Retry-After": single(decodeRetryAfter, printRetryAfter),
  Timestamp: single(decodeTimestamp, printTimestamp),
  Date: single(decodeDate, printDate),
  Warning: list(decodeWarning, printWarning),
  Reason: list(decodeReason, printReason),
  Event: single(decodeEvent, printEvent, "o"),
  "Allow-Events": list(decodeToken, printPlain, "u"),
  "Subscription-State": single(decodeSubscriptionState, printSubscriptionState),
  Replaces: single(decodeReplaces, printReplaces),
  Join: single(decodeReplaces, printReplaces),
  "Target-Dialog": single(decodeReplaces, printTargetDialog),
  Identity: list(decodeIdentity, printIdentity, "y"),

  Subject: single(decodeTextValue, printPlain, "s"),
  Organization: single(decodeTextValue, printPlain),
  Server: single(decodeTextValue, printPlain),
  "User-Agent": single(decodeTextValue, printPlain),
  "User-to-User": list(decodeTextValue, printPlain),
  "Identity-Info": single(decodeTextValue, printPlain, "n"),
};

/** Names of the header fields that have typed values. */
export type HeaderName = keyof typeof definitions;
/** The type of one value of a header field. */
export type HeaderValue<N extends HeaderName> = ReturnType<(typeof definitions)[N]["parse"]>;
/** What can be printed as a value of a header field, text apart. */
export type HeaderPrintable<N extends HeaderName> = Parameters<(typeof definitions)[N]["print"]>[0];

/** A line of the table with its number. Number 0 is kept for names that are not in the table. */
export interface HeaderEntry extends HeaderDefinition<unknown, never> {
  readonly id: number;
  readonly name: HeaderName;
}

export const headerEntries: readonly HeaderEntry[] = Object.entries(definitions).map(
  ([name, definition], index) => ({
    ...(definition as unknown as HeaderDefinition<unknown, never>),
    id: index + 1,
    name: name as HeaderName,
  }),
);

export const VIA = 1;
export const FROM = 2;
export const TO = 3;
export const CALL_ID = 4;
export const CSEQ = 5;
export const MAX_FORWARDS = 6;
export const CONTENT_LENGTH = 7;
export const ROUTE = 8;
/** Up to this number, the parser itself looks at the value. */
export const LAST_CHECKED = 8;

export const LAST_ID: number = headerEntries.length;

const idsByName = new Map<string, number>();
for (const { id, name, compact } of headerEntries) {
  idsByName.set(name, id);
  idsByName.set(name.toLowerCase(), id);
  if (compact !== undefined) {
    idsByName.set(compact, id);
    idsByName.set(compact.toUpperCase(), id);
  }
}

/** The number of a header field by its name in any case or its compact form; 0 if it is not in the table. */
export function headerIdOf(name: string): number {
  return idsByName.get(name) ?? idsByName.get(name.toLowerCase()) ?? 0;
}

// Names as they stand in messages: found by their length and three of their letters, which no two names of the table
// have in common; the chains are for names to come.
const slotCount = 1024;
const slots = new Uint8Array(slotCount);
const nextInSlot = new Uint8Array(headerEntries.length + 1);
// All lower-case names in one array; the name with number n is at [spellingStarts[n], spellingStarts[n + 1]).
const spellings = new Uint8Array(headerEntries.reduce((sum, { name }) => sum + name.length, 0));
const spellingStarts = new Uint16Array(headerEntries.length + 2);
const compactIds = new Uint8Array(128);

function slotOf(bytes: Uint8Array, start: number, length: number): number {
  const first = bytes[start]! | 0x20;
  const middle = bytes[start + (length >> 1)]! | 0x20;
  const last = bytes[start + length - 1]! | 0x20;
  return (5 * length + 11 * first + 47 * middle + last) & (slotCount - 1);
}

for (const { id, name, compact } of headerEntries) {
  const lower = name.toLowerCase();
  const start = spellingStarts[id]!;
  for (let i = 0; i < lower.length; i++) spellings[start + i] = lower.charCodeAt(i);
  const slot = slotOf(spellings, start, lower.length);
  nextInSlot[id] = slots[slot]!;
  slots[slot] = id;
  spellingStarts[id + 1] = start + lower.length;
  if (compact !== undefined) compactIds[compact.charCodeAt(0)] = id;
}

/** The number of the header field whose name, a token, is at [start, end); 0 if it is not in the table. */
export function headerIdAt(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 1) return compactIds[bytes[start]! | 0x20] ?? 0;
  let id = slots[slotOf(bytes, start, length)]!;
  while (id !== 0) {
    let at = spellingStarts[id]!;
    if (spellingStarts[id + 1]! - at === length) {
      let i = start;
      // Names hold letters and "-" only, for which this folding is exact (no other token character folds onto them).
      while (i < end && (bytes[i]! | 0x20) === spellings[at]) {
        i++;
        at++;
      }
      if (i === end) return id;
    }
    id = nextInSlot[id]!;
  }
  return 0;
}

/** The line of the table with this number (1 …). */
export function headerEntry(id: number): HeaderEntry {
  return headerEntries[id - 1]!;
}

/** The names with their colons, by number. */
export const nameSpellings: Spellings = spellingsOf(["", ...headerEntries.map(({ name }) => `${name}:`)]);
