// Challenges and credentials: RFC 3261 §20.7, §20.27, §20.28, §20.44, §22.4, with RFC 8760's algorithms.
import * as characters from "../characters.ts";
import { refusal, skipQuoted, skipToken, skipWhite, spelling, spells } from "../grammar.ts";
import { isToken, quote } from "../params.ts";
import { Reader } from "../reader.ts";
import { cutAscii, decodeQuoted, decodeText, encodeText } from "../text.ts";

const { COMMA, classes, EQUALS, PLAIN, QUOTE, WHITE } = characters;
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
 * Digest credentials as a server looks at them (RFC 7616 §3.4): where in the request the values of the parameters that
 * count begin and end, quotation marks excluded; -1 for those that are absent. Most are compared or hashed as they stand,
 * so no strings are made of them.
 */
export class DigestCredentials {
  readonly bytes: Uint8Array;
  usernameStart = -1;
  usernameEnd = -1;
  /** `username*`. */
  extendedUsernameStart = -1;
  extendedUsernameEnd = -1;
  realmStart = -1;
  realmEnd = -1;
  nonceStart = -1;
  nonceEnd = -1;
  uriStart = -1;
  uriEnd = -1;
  responseStart = -1;
  responseEnd = -1;
  algorithmStart = -1;
  algorithmEnd = -1;
  cnonceStart = -1;
  cnonceEnd = -1;
  qopStart = -1;
  qopEnd = -1;
  nonceCountStart = -1;
  nonceCountEnd = -1;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The value that stands there, escapes undone. */
  text(start: number, end: number): string {
    return (this.bytes[start - 1] === QUOTE ? decodeQuoted : decodeText)(this.bytes, start, end);
  }

  /** True if the value that stands there is this text. */
  is(start: number, end: number, text: string): boolean {
    const { bytes } = this;
    if (end - start === text.length) {
      let i = 0;
      while (i < text.length && bytes[start + i] === text.charCodeAt(i) && bytes[start + i]! < 0x80) i++;
      if (i === text.length) return true;
    }
    // It may be another way to write it.
    for (let i = start; i < end; i++) {
      if ((classes[bytes[i]!]! & PLAIN) === 0) return this.text(start, end) === text;
    }
    return false;
  }

  /** True if the value that stands there, a token, is this word in any case. */
  spells(start: number, end: number, word: Uint8Array): boolean {
    return spells(this.bytes, start, end, word);
  }
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
  const credentials = new DigestCredentials(bytes);
  for (let p = behind; ; ) {
    p = scanAuthParam(bytes, p, end, field);
    if (p < 0) return credentials;
    noteDigestParam(bytes, credentials);
  }
}

/** Notes where the value of `param` stands, if it is one of those and the first of its name. */
function noteDigestParam(bytes: Uint8Array, credentials: DigestCredentials): void {
  const { nameStart: start, nameEnd: end, valueStart, valueEnd } = param;
  switch (end - start) {
    case 2:
      if (credentials.nonceCountStart < 0 && spells(bytes, start, end, NC)) {
        credentials.nonceCountStart = valueStart;
        credentials.nonceCountEnd = valueEnd;
      }
      return;
    case 3:
      if (credentials.uriStart < 0 && spells(bytes, start, end, URI)) {
        credentials.uriStart = valueStart;
        credentials.uriEnd = valueEnd;
      } else if (credentials.qopStart < 0 && spells(bytes, start, end, QOP)) {
        credentials.qopStart = valueStart;
        credentials.qopEnd = valueEnd;
      }
      return;
    case 5:
      if (credentials.nonceStart < 0 && spells(bytes, start, end, NONCE)) {
        credentials.nonceStart = valueStart;
        credentials.nonceEnd = valueEnd;
      } else if (credentials.realmStart < 0 && spells(bytes, start, end, REALM)) {
        credentials.realmStart = valueStart;
        credentials.realmEnd = valueEnd;
      }
      return;
    case 6:
      if (credentials.cnonceStart < 0 && spells(bytes, start, end, CNONCE)) {
        credentials.cnonceStart = valueStart;
        credentials.cnonceEnd = valueEnd;
      }
      return;
    case 8:
      if (credentials.usernameStart < 0 && spells(bytes, start, end, USERNAME)) {
        credentials.usernameStart = valueStart;
        credentials.usernameEnd = valueEnd;
      } else if (credentials.responseStart < 0 && spells(bytes, start, end, RESPONSE)) {
        credentials.responseStart = valueStart;
        credentials.responseEnd = valueEnd;
      }
      return;
    case 9:
      if (credentials.algorithmStart < 0 && spells(bytes, start, end, ALGORITHM)) {
        credentials.algorithmStart = valueStart;
        credentials.algorithmEnd = valueEnd;
      } else if (credentials.extendedUsernameStart < 0 && spells(bytes, start, end, EXTENDED_USERNAME)) {
        credentials.extendedUsernameStart = valueStart;
        credentials.extendedUsernameEnd = valueEnd;
      }
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
