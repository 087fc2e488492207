// The response value of right credentials, as a server works it out: over the bytes of the request, without strings.
// RFC 7616 §3.4.1–3.4.3; digest.ts has the same for text.

import { MD5_PADDING, md5 } from "../md5.ts";
import { type DigestCredentials, encodeText } from "../message/index.ts";
import type { Hash, HashAlgorithm } from "../ports.ts";
import { type DigestAlgorithm, hashOf, isSession, type QualityOfProtection } from "./digest.ts";

/** Hex digits of the longest hash. */
const LONGEST_HASH = 64;
const LONGEST_REMEMBERED = 256;
const COLON = 0x3a;
const CR = 13;
const LF = 10;
const SPACE = 0x20;
const TAB = 9;

/** What a response covers, besides what is in the credentials. */
export interface Covered {
  readonly algorithm: DigestAlgorithm;
  readonly ha1: string;
  readonly method: string;
  readonly qop: QualityOfProtection | undefined;
  readonly body: Uint8Array;
}

/** Works out responses, one at a time. */
export class ExpectedResponse {
  readonly #hash: Hash;
  /** What is hashed. */
  #input = new Uint8Array(1024);
  #length = 0;
  /** The last hash, and how many digits it has. */
  readonly #digest = new Uint8Array(LONGEST_HASH);
  #digestLength = 0;
  /** The last HA2 and what it is of: all REGISTERs of a domain have the same one, and it is no secret. */
  readonly #target = new Uint8Array(LONGEST_REMEMBERED);
  #targetLength = -1;
  #targetMethod = "";
  #targetHash: HashAlgorithm = "MD5";
  readonly #ha2 = new Uint8Array(LONGEST_HASH);

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** True if this is the response of the credentials, which are in these bytes. Takes a time that does not depend on where they differ. */
  isThatOf(credentials: DigestCredentials, bytes: Uint8Array, covered: Covered): boolean {
    const { nonceStart, nonceEnd, cnonceStart, cnonceEnd, responseStart, responseEnd } = credentials;
    const { algorithm, qop, ha1 } = covered;
    const name = hashOf(algorithm);
    this.#makeHa2(name, credentials, bytes, covered);
    this.#start(ha1.length + bytes.length);
    this.#text(ha1);
    this.#value(bytes, nonceStart, nonceEnd);
    if (isSession(algorithm)) {
      // §3.4.2: the session key depends on the nonce and the client's first cnonce for it.
      this.#value(bytes, cnonceStart, cnonceEnd);
      this.#finish(name);
      this.#length = 0;
      this.#bytes(this.#digest, 0, this.#digestLength);
      this.#value(bytes, nonceStart, nonceEnd);
    }
    // Absent: the computation of RFC 2069.
    if (qop !== undefined) {
      this.#value(bytes, credentials.nonceCountStart, credentials.nonceCountEnd);
      this.#value(bytes, cnonceStart, cnonceEnd);
      this.#colon();
      this.#text(qop);
    }
    this.#colon();
    this.#bytes(this.#ha2, 0, this.#digestLength);
    this.#finish(name);
    if (responseEnd - responseStart !== this.#digestLength) return false;
    let difference = 0;
    for (let i = 0; i < this.#digestLength; i++) {
      const given = bytes[responseStart + i]!;
      // In lower case; digits have that bit anyway.
      difference |= (given >= 0x41 ? given | 0x20 : given) ^ this.#digest[i]!;
    }
    return difference === 0;
  }

  /** §3.4.3: H(method ":" uri), for auth-int with the hash of the body. */
  #makeHa2(
    name: HashAlgorithm,
    { uriStart, uriEnd }: DigestCredentials,
    bytes: Uint8Array,
    covered: Covered,
  ): void {
    const { method, qop, body } = covered;
    const isOfBody = qop === "auth-int";
    if (!isOfBody && this.#isTarget(name, method, bytes, uriStart, uriEnd)) return;
    this.#start(method.length + uriEnd - uriStart + body.length);
    if (isOfBody) {
      this.#bytes(body, 0, body.length);
      this.#finish(name);
      this.#ha2.set(this.#digest);
      this.#length = 0;
    }
    this.#text(method);
    this.#value(bytes, uriStart, uriEnd);
    if (isOfBody) {
      this.#colon();
      this.#bytes(this.#ha2, 0, this.#digestLength);
    }
    this.#finish(name);
    this.#ha2.set(this.#digest);
    this.#targetLength = -1;
    if (isOfBody || uriEnd - uriStart > LONGEST_REMEMBERED) return;
    for (let i = uriStart; i < uriEnd; i++) this.#target[i - uriStart] = bytes[i]!;
    this.#targetLength = uriEnd - uriStart;
    this.#targetMethod = method;
    this.#targetHash = name;
  }

  #isTarget(name: HashAlgorithm, method: string, bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.#targetLength;
    if (end - start !== length || method !== this.#targetMethod || name !== this.#targetHash) return false;
    let i = 0;
    while (i < length && bytes[start + i] === this.#target[i]) i++;
    return i === length;
  }

  #start(length: number): void {
    // Two hashes, and what stands between the parts.
    const needed = length + 3 * LONGEST_HASH + MD5_PADDING;
    if (needed > this.#input.length) this.#input = new Uint8Array(2 * needed);
    this.#length = 0;
  }

  #colon(): void {
    this.#input[this.#length++] = COLON;
  }

  /** ASCII. */
  #text(text: string): void {
    const input = this.#input;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) input[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  #bytes(source: Uint8Array, start: number, end: number): void {
    const input = this.#input;
    let at = this.#length;
    for (let i = start; i < end; i++) input[at++] = source[i]!;
    this.#length = at;
  }

  /** A colon and a value as it stands, which is how digests cover it (RFC 7616 §3.4.5), but with a space for a fold. */
  #value(source: Uint8Array, start: number, end: number): void {
    const input = this.#input;
    let at = this.#length;
    input[at++] = COLON;
    for (let i = start; i < end; i++) {
      let c = source[i]!;
      if (c === CR || c === LF) {
        while (i + 1 < end && isWhite(source[i + 1]!)) i++;
        while (input[at - 1] === SPACE) at--;
        c = SPACE;
      }
      input[at++] = c;
    }
    this.#length = at;
  }

  /** Hashes the input. */
  #finish(name: HashAlgorithm): void {
    if (name === "MD5") {
      md5(this.#input, this.#length, this.#digest);
      this.#digestLength = 32;
      return;
    }
    const digest = encodeText(this.#hash.hex(name, this.#input.subarray(0, this.#length)));
    this.#digest.set(digest);
    this.#digestLength = digest.length;
  }
}

function isWhite(c: number): boolean {
  return c === SPACE || c === TAB || c === CR || c === LF;
}
