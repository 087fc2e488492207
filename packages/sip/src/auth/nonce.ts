// Nonces that carry their time and our signature, and the bounded memory of how often each was used.
// RFC 7616 §3.3 (nonce, stale), §3.4 (nc), §5.

import { type HashKey, hashBytes, hashed, hashKey, PADDING } from "../keyed-hash.ts";
import { decodeAscii, encodeText } from "../message/index.ts";
import type { Clock, Random } from "../ports.ts";

/** What a nonce turned out to be. Everything but "fresh" is answered with a new nonce. */
export type NonceVerdict = "fresh" | "expired" | "foreign" | "replayed" | "forgotten";

export interface NonceOptions {
  readonly clock: Pick<Clock, "now">;
  /** Gives the key of the signatures, so that nonces of another process, or of an earlier one, are not accepted. */
  readonly random: Random;
  /** How long a nonce may be used, in seconds. Default 300. */
  readonly lifetime?: number;
  /** How many used nonces are remembered at most. Default 131 072, which takes 2 MB. */
  readonly capacity?: number;
}

// A nonce is text in digits of 6 bits: 42 bits of time in milliseconds, 48 of a serial, 64 of signature. The shorter it is,
// the fewer blocks the digest has.
const SERIAL = 7;
const SIGNATURE = SERIAL + 8;
export const NONCE_LENGTH: number = SIGNATURE + 11;

const digits = encodeText("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_");
const valueOfDigit = new Uint8Array(256);
for (let i = 0; i < digits.length; i++) valueOfDigit[digits[i]!] = i;
/** Numbers that fit in 30 bits are worked on as integers, five digits at a time. */
const FIVE_DIGITS = 2 ** 30;

/**
 * Makes nonces and judges them when they come back. A nonce is time, serial and signature, in fixed places. Its use is
 * remembered only once it has come back with a right digest: however many challenges stay unanswered, nothing is kept
 * of them.
 */
export class Nonces {
  readonly #clock: Pick<Clock, "now">;
  readonly #key: HashKey;
  readonly #lifetime: number;
  readonly #capacity: number;
  /** Serials of used nonces, each in the place of its remainder by the capacity, and the highest nc accepted for each. */
  readonly #used: Float64Array;
  readonly #counts: Float64Array;
  /** Nonces with serials up to this one may have been used, and forgotten for the sake of later ones. */
  #forgottenSerial = 0;
  #serial = 0;
  /** The nonce in hand, up to its signature, and the last realm behind it: what is signed. */
  #body = new Uint8Array(0);
  #realm: string | undefined;
  /** Where the realm ends. */
  #bodyEnd = 0;

  constructor(options: NonceOptions) {
    this.#clock = options.clock;
    this.#key = hashKey(options.random.bytes(16));
    this.#lifetime = (options.lifetime ?? 300) * 1000;
    this.#capacity = options.capacity ?? 131_072;
    this.#used = new Float64Array(this.#capacity);
    this.#counts = new Float64Array(this.#capacity);
  }

  /** A new nonce. Its signature is 64 bits of a keyed hash, so that nobody guesses the next one. */
  make(realm: string): string {
    const nonce = new Uint8Array(NONCE_LENGTH);
    this.write(realm, nonce);
    return decodeAscii(nonce, 0, NONCE_LENGTH);
  }

  /** Writes a new nonce to the beginning of `to`. */
  write(realm: string, to: Uint8Array): void {
    this.#setRealm(realm);
    const body = this.#body;
    putNumber(body, 0, SERIAL, Math.floor(this.#clock.now()));
    putNumber(body, SERIAL, SIGNATURE, ++this.#serial);
    for (let i = 0; i < SIGNATURE; i++) to[i] = body[i]!;
    hashBytes(this.#key, body, this.#bodyEnd);
    putHash(to);
  }

  /**
   * Judges a nonce, text[start, end), and, if it is fresh, remembers that `count` was used. Call it only once the digest
   * was found right: others must not use counts up. `count` is undefined for clients without qop, which then may use each
   * nonce once (RFC 2069 has no protection against replay).
   */
  use(text: Uint8Array, start: number, end: number, realm: string, count: number | undefined): NonceVerdict {
    if (end - start !== NONCE_LENGTH) return "foreign";
    this.#setRealm(realm);
    const body = this.#body;
    for (let i = 0; i < SIGNATURE; i++) body[i] = text[start + i]!;
    hashBytes(this.#key, body, this.#bodyEnd);
    putHash(expected);
    let difference = 0;
    for (let i = SIGNATURE; i < NONCE_LENGTH; i++) difference |= text[start + i]! ^ expected[i]!;
    if (difference !== 0) return "foreign";
    if (this.#clock.now() - numberIn(text, start, start + SERIAL) > this.#lifetime) return "expired";
    const serial = numberIn(text, start + SERIAL, start + SIGNATURE);
    const place = serial % this.#capacity;
    const last = this.#used[place]!;
    if (last === serial) {
      // RFC 7616 §3.4: a count seen before is a replay; stricter, it has to rise.
      if (count === undefined || count <= this.#counts[place]!) return "replayed";
      this.#counts[place] = count;
      return "fresh";
    }
    if (serial <= this.#forgottenSerial || serial < last) return "forgotten";
    this.#forgottenSerial = Math.max(this.#forgottenSerial, last);
    this.#used[place] = serial;
    this.#counts[place] = count ?? 1;
    return "fresh";
  }

  /** Time and serial have a fixed length, so that no two pairs of them and a realm are the same text. */
  #setRealm(realm: string): void {
    if (realm === this.#realm) return;
    const bytes = encodeText(realm);
    this.#realm = realm;
    this.#bodyEnd = SIGNATURE + bytes.length;
    this.#body = new Uint8Array(this.#bodyEnd + PADDING);
    this.#body.set(bytes, SIGNATURE);
  }
}

/** The signature that a nonce should have, in its place. */
const expected = new Uint8Array(NONCE_LENGTH);

/** Writes the digits of a number to [start, end). */
function putNumber(to: Uint8Array, start: number, end: number, value: number): void {
  let low = value % FIVE_DIGITS;
  for (let i = end - 1; i >= end - 5; i--, low >>>= 6) to[i] = digits[low & 63]!;
  let high = Math.floor(value / FIVE_DIGITS);
  for (let i = end - 6; i >= start; i--, high >>>= 6) to[i] = digits[high & 63]!;
}

/** The number whose digits are [start, end). */
function numberIn(text: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 64 + valueOfDigit[text[i]!]!;
  return value;
}

/** Writes the 64 bits of `hashed` to where a nonce has its signature. */
function putHash(to: Uint8Array): void {
  let high = hashed[0]!;
  let low = hashed[1]!;
  for (let i = NONCE_LENGTH - 1; i >= SIGNATURE; i--) {
    to[i] = digits[low & 63]!;
    low = (low >>> 6) | (high << 26);
    high >>>= 6;
  }
}
