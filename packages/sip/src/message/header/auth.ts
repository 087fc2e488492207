// Challenges and credentials: RFC 3261 §20.7, §20.27, §20.28, §20.44, §22.4, with RFC 8760's algorithms.
import * as characters from "../characters.ts";
import { refusal, skipQuoted, skipToken, skipWhite, spelling, spells } from "../grammar.ts";
import { isToken, quote } from "../params.ts";
import { Reader } from "../reader.ts";
import { cutAscii, decodeQuoted, decodeText, encodeText } from "../text.ts";

const { COMMA, classes, EQUALS, QUOTE, WHITE } = characters;
const DIGEST = spelling("digest");
const NC = spelling("nc");
const URI = spelling("uri");
const QOP = spelling("qop");
const NONCE = spelling("nonce");
const REALM = spelling("realm");
const CNONCE = spelling("cnonce");
const USERNAME = spelling("username");
const RESPONSE = spelling("response");
const ALGORITHM = spelling("algorithm");
const EXTENDED_USERNAME = spelling("username*");

/** WWW-Authenticate or Proxy-Authenticate. */
export interface Challenge {
  /** As written, e.g. "Digest"; compare without case. */
  readonly scheme: string;
  /** Lower-case names, quotes undone. */
  readonly params: ReadonlyMap<string, string>;
}

/** Authorization or Proxy-Authorization; the same syntax as a challenge. */
export type Credentials = Challenge;

/** Authentication-Info (§20.6): parameters only. */
export type AuthenticationInfo = ReadonlyMap<string, string>;

/** Where one auth-param stands; refilled by each `scanAuthParam`. */
const param = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0, isQuoted: false };

/**
 * Steps over one auth-param and the commas before it, leaving in `param` where its parts are. Returns the position
 * behind it; -1 if there is no further one. Throws ParseError.
 */
function scanAuthParam(bytes: Uint8Array, position: number, end: number, field: string): number {
  let p = position;
  // Empty elements between commas are let through, as HTTP does.
  while (p < end && (bytes[p] === COMMA || (classes[bytes[p]!]! & WHITE) !== 0)) p++;
  if (p === end) return -1;
  param.nameStart = p;
  p = skipToken(bytes, p, end);
  if (p === param.nameStart) throw refusal(field, "a parameter is missing", p);
  param.nameEnd = p;
  p = skipWhite(bytes, p, end);
  if (p === end || bytes[p] !== EQUALS) throw refusal(field, '"=" is missing', p);
  p = skipWhite(bytes, p + 1, end);
  param.isQuoted = p < end && bytes[p] === QUOTE;
  if (param.isQuoted) {
    const after = skipQuoted(bytes, p, end);
    if (after < 0) throw refusal(field, "a quoted string does not end", p);
    param.valueStart = p + 1;
    param.valueEnd = after - 1;
    p = after;
  } else {
    // A value without quotes may be more than a token (uri=sip:…, base64): it ends at a comma or space.
    param.valueStart = p;
    while (p < end && bytes[p] !== COMMA && (classes[bytes[p]!]! & WHITE) === 0) p++;
    param.valueEnd = p;
  }
  p = skipWhite(bytes, p, end);
  if (p < end && bytes[p] !== COMMA) throw refusal(field, "no comma between parameters", p);
  return p;
}

/** The value that `param` points at, quotes undone. */
function paramValue(bytes: Uint8Array): string {
  return (param.isQuoted ? decodeQuoted : decodeText)(bytes, param.valueStart, param.valueEnd);
}

/** auth-param *( COMMA auth-param ); the first of two parameters of one name counts. */
function readAuthParams(reader: Reader): Map<string, string> {
  const { bytes, end, field } = reader;
  const params = new Map<string, string>();
  for (let p = reader.position; ; ) {
    p = scanAuthParam(bytes, p, end, field);
    if (p < 0) return params;
    const name = cutAscii(bytes, param.nameStart, param.nameEnd).toLowerCase();
    if (!params.has(name)) params.set(name, paramValue(bytes));
  }
}

/**
 * Digest credentials as a server looks at them (RFC 7616 §3.4): the parameters that count, quotes undone, without a map
 * for all of them.
 */
export interface DigestCredentials {
  username: string | undefined;
  /** `username*`. */
  extendedUsername: string | undefined;
  realm: string | undefined;
  nonce: string | undefined;
  uri: string | undefined;
  response: string | undefined;
  algorithm: string | undefined;
  cnonce: string | undefined;
  qop: string | undefined;
  nonceCount: string | undefined;
}

/** Credentials of the digest scheme; undefined if they are of another. Throws ParseError, for those of others too. */
export function decodeDigestCredentials(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
): DigestCredentials | undefined {
  const behind = skipToken(bytes, start, end);
  if (!spells(bytes, start, behind, DIGEST) || behind === end || (classes[bytes[behind]!]! & WHITE) === 0) {
    decodeChallenge(bytes, start, end, field);
    return undefined;
  }
  const credentials: DigestCredentials = {
    username: undefined,
    extendedUsername: undefined,
    realm: undefined,
    nonce: undefined,
    uri: undefined,
    response: undefined,
    algorithm: undefined,
    cnonce: undefined,
    qop: undefined,
    nonceCount: undefined,
  };
  for (let p = behind; ; ) {
    p = scanAuthParam(bytes, p, end, field);
    if (p < 0) return credentials;
    noteDigestParam(bytes, credentials);
  }
}

/** Takes over the parameter that `param` points at, if it is one of those. */
function noteDigestParam(bytes: Uint8Array, credentials: DigestCredentials): void {
  const { nameStart: start, nameEnd: end } = param;
  const is = (name: Uint8Array) => spells(bytes, start, end, name);
  switch (end - start) {
    case 2:
      if (is(NC)) credentials.nonceCount ??= paramValue(bytes);
      return;
    case 3:
      if (is(URI)) credentials.uri ??= paramValue(bytes);
      else if (is(QOP)) credentials.qop ??= paramValue(bytes);
      return;
    case 5:
      if (is(NONCE)) credentials.nonce ??= paramValue(bytes);
      else if (is(REALM)) credentials.realm ??= paramValue(bytes);
      return;
    case 6:
      if (is(CNONCE)) credentials.cnonce ??= paramValue(bytes);
      return;
    case 8:
      if (is(USERNAME)) credentials.username ??= paramValue(bytes);
      else if (is(RESPONSE)) credentials.response ??= paramValue(bytes);
      return;
    case 9:
      if (is(ALGORITHM)) credentials.algorithm ??= paramValue(bytes);
      else if (is(EXTENDED_USERNAME)) credentials.extendedUsername ??= paramValue(bytes);
  }
}

export function decodeChallenge(bytes: Uint8Array, start: number, end: number, field: string): Challenge {
  const reader = new Reader(bytes, start, end, field);
  const scheme = reader.token("the scheme");
  const at = reader.position;
  reader.white();
  if (reader.isAtEnd) return { scheme, params: new Map() };
  if (reader.position === at) reader.fail("no space after the scheme");
  // RFC 7235 §2.1 token68, e.g. "Bearer abc==": kept whole under the name "". Digest has none.
  if (scheme.toLowerCase() === "digest") return { scheme, params: readAuthParams(reader) };
  const from = reader.position;
  const first = reader.until(" ,\t\r\n");
  reader.white();
  if (reader.isAtEnd && /^[A-Za-z0-9\-._~+/]+=*$/.test(first) && !/^[^=]+=[^=]/.test(first)) {
    return { scheme, params: new Map([["", first]]) };
  }
  reader.position = from;
  return { scheme, params: readAuthParams(reader) };
}

export function decodeAuthenticationInfo(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
): AuthenticationInfo {
  return readAuthParams(new Reader(bytes, start, end, field));
}

/** Parameters that stand without quotes in each kind (RFC 3261 §25.1, RFC 7616 §3.3, §3.4). */
const bareInChallenge = new Set(["stale", "algorithm", "userhash", "charset"]);
const bareInCredentials = new Set(["algorithm", "qop", "nc", "userhash"]);

function printAuthParams(params: ReadonlyMap<string, string>, bare: ReadonlySet<string>): string {
  const parts: string[] = [];
  for (const [name, value] of params) {
    if (name === "") parts.push(value);
    else parts.push(`${name}=${bare.has(name) && isToken(value) ? value : quote(value)}`);
  }
  return parts.join(", ");
}

export function printChallenge(challenge: Challenge): string {
  return `${challenge.scheme} ${printAuthParams(challenge.params, bareInChallenge)}`.trimEnd();
}

export function printCredentials(credentials: Credentials): string {
  return `${credentials.scheme} ${printAuthParams(credentials.params, bareInCredentials)}`.trimEnd();
}

export function printAuthenticationInfo(info: AuthenticationInfo): string {
  return printAuthParams(info, bareInCredentials);
}

/** Reads the value of WWW-Authenticate, Proxy-Authenticate, Authorization or Proxy-Authorization. Throws ParseError. */
export function parseChallenge(text: string): Challenge {
  const bytes = encodeText(text);
  return decodeChallenge(bytes, 0, bytes.length, "challenge");
}
