// Nonces that carry their time and our signature, and the bounded memory of how often each was used.
// RFC 7616 §3.3 (nonce, stale), §3.4 (nc), §5.

import { type HashKey, hashKey, hex, keyedHash } from "../keyed-hash.ts";
import type { Clock, Random } from "../ports.ts";
import { equalInConstantTime } from "./digest.ts";

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

/** Digits of a number in a nonce: hex, so that 48 bits are enough for milliseconds, and for as many nonces. */
const DIGITS = 12;
/** Where the signature begins: behind time and serial. */
const SIGNATURE = 2 * DIGITS;

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
  /** The time of the last nonce, and its digits. */
  #time = Number.NaN;
  #timeText = "";

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
    const now = Math.floor(this.#clock.now());
    if (now !== this.#time) {
      this.#time = now;
      this.#timeText = digits(now);
    }
    const body = this.#timeText + digits(++this.#serial);
    return body + this.#sign(body, realm);
  }

  /**
   * Judges a nonce and, if it is fresh, remembers that `count` was used. Call it only once the digest was
   * found right: others must not use counts up. `count` is undefined for clients without qop, which then
   * may use each nonce once (RFC 2069 has no protection against replay).
   */
  use(nonce: string, realm: string, count: number | undefined): NonceVerdict {
    const signature = this.#sign(nonce.slice(0, SIGNATURE), realm);
    if (!equalInConstantTime(nonce.slice(SIGNATURE), signature)) return "foreign";
    if (this.#clock.now() - numberAt(nonce, 0) > this.#lifetime) return "expired";
    const serial = numberAt(nonce, DIGITS);
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
  #sign(body: string, realm: string): string {
    return keyedHash(this.#key, body + realm);
  }
}

/** A number in hex, DIGITS long. */
function digits(value: number): string {
  return hex(Math.floor(value / 0x100000000)).slice(4) + hex(value | 0);
}

/** The number whose digits start there. */
function numberAt(text: string, start: number): number {
  let value = 0;
  for (let i = start; i < start + DIGITS; i++) {
    const code = text.charCodeAt(i);
    value = value * 16 + (code <= 57 ? code - 48 : code - 87);
  }
  return value;
}
