// Challenges and credentials: RFC 3261 §20.7, §20.27, §20.28, §20.44, §22.4, with RFC 8760's algorithms.
import { skipToken, spells } from "../grammar.ts";
import { isToken, quote } from "../params.ts";
import { Reader } from "../reader.ts";
import { encodeText } from "../text.ts";

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

/** The names of RFC 3261 §20.7 and §20.44: those that nearly every message has, found without a string for each. */
const known = [
  ...["username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc", "stale"],
];

/** The name of a parameter in lower case. */
function readName(reader: Reader): string {
  const { bytes, position, end } = reader;
  const after = skipToken(bytes, position, end);
  for (const name of known) {
    if (!spells(bytes, position, after, name)) continue;
    reader.position = after;
    return name;
  }
  return reader.token("a parameter").toLowerCase();
}

/** auth-param *( COMMA auth-param ); empty elements between commas are let through, as HTTP does. */
function readAuthParams(reader: Reader): Map<string, string> {
  const params = new Map<string, string>();
  while (true) {
    while (reader.takes(",")) {
      // an empty element
    }
    if (reader.isAtEnd) return params;
    const name = readName(reader);
    reader.expect("=");
    // A value without quotes may be more than a token (uri=sip:…, base64): it ends at a comma or space.
    const value = reader.isAtQuote ? reader.quoted() : reader.until(", \t\r\n");
    if (!params.has(name)) params.set(name, value);
    reader.white();
    if (!reader.isAtEnd && reader.peek() !== ",") reader.fail("no comma between parameters");
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
