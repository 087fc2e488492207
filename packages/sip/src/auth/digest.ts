// The digest computation: RFC 3261 §22.4, RFC 7616 §3.4, with the algorithms of RFC 8760.

import { quote } from "../message/index.ts";
import type { Hash, HashAlgorithm } from "../ports.ts";

/** A value of the `algorithm` parameter that we can compute (RFC 8760 §2.7). */
export type DigestAlgorithm = HashAlgorithm | `${HashAlgorithm}-sess`;

/** The `qop` values of RFC 7616 §3.3. */
export type QualityOfProtection = "auth" | "auth-int";

/** All algorithms by registered name, weakest first. */
export const digestAlgorithms: readonly DigestAlgorithm[] = [
  "MD5",
  "MD5-sess",
  "SHA-256",
  "SHA-256-sess",
  "SHA-512-256",
  "SHA-512-256-sess",
];

const byLowerCase = new Map(digestAlgorithms.map((algorithm) => [algorithm.toLowerCase(), algorithm]));

/**
 * The algorithm that a parameter names, without regard to case; MD5 if the parameter is absent
 * (RFC 7616 §3.3); undefined if it is one that we do not know.
 */
export function parseAlgorithm(text: string | undefined): DigestAlgorithm | undefined {
  return text === undefined || text === "MD5" ? "MD5" : byLowerCase.get(text.toLowerCase());
}

/** The hash function behind an algorithm: `SHA-256-sess` computes with SHA-256. */
export function hashOf(algorithm: DigestAlgorithm): HashAlgorithm {
  return (isSession(algorithm) ? algorithm.slice(0, -5) : algorithm) as HashAlgorithm;
}

/** True for the variants that mix nonce and cnonce into the key (RFC 7616 §3.4.2). */
export function isSession(algorithm: DigestAlgorithm): boolean {
  return algorithm.endsWith("-sess");
}

/** H(user ":" realm ":" password) in lower-case hex: what servers keep instead of a password. */
export function computeHa1(
  hash: Hash,
  algorithm: HashAlgorithm,
  credential: { readonly user: string; readonly realm: string; readonly password: string },
): string {
  return hash.hex(algorithm, `${credential.user}:${credential.realm}:${credential.password}`);
}

/** What goes into a response value; the strings as they stand between the quotation marks. */
export interface DigestInput {
  readonly algorithm: DigestAlgorithm;
  /** Hex, from `computeHa1` with the hash of the algorithm; the same for `-sess`. */
  readonly ha1: string;
  readonly method: string;
  /** The `uri` parameter. */
  readonly uri: string;
  readonly nonce: string;
  /** Absent: the computation of RFC 2069, without nc and cnonce. */
  readonly qop?: QualityOfProtection | undefined;
  /** Eight hex digits, as sent. */
  readonly nonceCount?: string | undefined;
  readonly cnonce?: string | undefined;
  /** Hashed for auth-int; an absent body counts as empty (RFC 8760 §2.6 item 7). */
  readonly body?: Uint8Array | undefined;
}

const nothing = new Uint8Array(0);

/** The `response` parameter in lower-case hex (RFC 7616 §3.4.1–3.4.3). */
export function digestResponse(hash: Hash, input: DigestInput): string {
  const name = hashOf(input.algorithm);
  const { nonce, qop } = input;
  // RFC 7616 §3.4.2: the session key depends on the nonce and the client's first cnonce for it.
  const ha1 = isSession(input.algorithm)
    ? hash.hex(name, `${input.ha1}:${nonce}:${input.cnonce ?? ""}`)
    : input.ha1;
  const ha2 =
    qop === "auth-int"
      ? hash.hex(name, `${input.method}:${input.uri}:${hash.hex(name, input.body ?? nothing)}`)
      : hashOfTarget(hash, name, input.method, input.uri);
  return qop === undefined
    ? hash.hex(name, `${ha1}:${nonce}:${ha2}`)
    : hash.hex(name, `${ha1}:${nonce}:${input.nonceCount ?? ""}:${input.cnonce ?? ""}:${qop}:${ha2}`);
}

/** The last HA2: all REGISTERs of a domain have the same one, and it is no secret. */
const last = { hash: undefined as Hash | undefined, name: "", method: "", uri: "", ha2: "" };
const LONGEST_REMEMBERED = 256;

/** H(method ":" uri) (RFC 7616 §3.4.3). */
function hashOfTarget(hash: Hash, name: HashAlgorithm, method: string, uri: string): string {
  if (last.uri === uri && last.method === method && last.name === name && last.hash === hash) return last.ha2;
  const ha2 = hash.hex(name, `${method}:${uri}`);
  if (method.length + uri.length <= LONGEST_REMEMBERED) {
    last.hash = hash;
    last.name = name;
    last.method = method;
    last.uri = uri;
    last.ha2 = ha2;
  }
  return ha2;
}

/**
 * Text as it stands between quotation marks, escapes included: that is what digests cover (RFC 7616 §3.4.5),
 * while `Credentials` and `Challenge` of the message have the escapes undone.
 */
export function unq(text: string): string {
  return text.includes("\\") || text.includes('"') ? quote(text).slice(1, -1) : text;
}

/** Compares two hex strings in a time that depends on their lengths only. */
export function equalInConstantTime(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
