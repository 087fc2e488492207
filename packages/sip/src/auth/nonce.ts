// Nonces that carry their time and our signature, and the bounded memory of how often each was used.
// RFC 7616 §3.3 (nonce, stale), §3.4 (nc), §5.

import type { Clock, Hash, Random } from "../ports.ts";
import { equalInConstantTime } from "./digest.ts";

/** What a nonce turned out to be. Everything but "fresh" is answered with a new nonce. */
export type NonceVerdict = "fresh" | "expired" | "foreign" | "replayed" | "forgotten";

export interface NonceOptions {
  readonly clock: Pick<Clock, "now">;
  readonly hash: Hash;
  readonly random: Random;
  /** Signs nonces; by default 32 random bytes, so that nonces of an earlier process are not accepted. */
  readonly secret?: Uint8Array;
  /** How long a nonce may be used, in seconds. Default 300. */
  readonly lifetime?: number;
  /** How many used nonces are remembered at most. Default 131 072, about 10 MB when full. */
  readonly capacity?: number;
  /** Which process of several made a nonce; only that one can count its uses. Default 0. */
  readonly workerNumber?: number;
}

/** A nonce that was used. */
interface Use {
  /** The highest nc accepted. */
  count: number;
  readonly madeAt: number;
}

const signatureLength = 32;
/** Nonces of the last moment, a power of two: most answers to a challenge come within it. */
const RECENT = 1024;

/**
 * Makes nonces and judges them when they come back. A nonce is `time.serial.worker.signature`. Its use is remembered only
 * once it has come back with a right digest: however many challenges stay unanswered, no more is kept of them than the
 * last few, which need not be signed again.
 */
export class Nonces {
  readonly #clock: Pick<Clock, "now">;
  readonly #hash: Hash;
  readonly #secret: Uint8Array;
  readonly #lifetime: number;
  readonly #capacity: number;
  readonly #worker: string;
  /** Used nonces by serial. */
  readonly #uses = new Map<number, Use>();
  /**
   * Their serials in the order of first use, a ring that starts at #oldest. The map has that order too, but its first
   * key lies behind all that were deleted before it, up to as many as there are keys.
   */
  #order = new Float64Array(64);
  #oldest = 0;
  /** Unused nonces with serials up to this one may have been used and forgotten. */
  #forgottenSerial = 0;
  /** Nonces made before this may have been used with an earlier process that had the same secret. */
  readonly #startedAt: number;
  #serial = 0;
  /** The newest nonces with their realms, by serial modulo RECENT: they need not be signed again to be known as ours. */
  readonly #recent = new Array<string>(RECENT).fill("");
  readonly #recentRealms = new Array<string>(RECENT).fill("");

  constructor(options: NonceOptions) {
    this.#clock = options.clock;
    this.#hash = options.hash;
    this.#secret = options.secret ?? options.random.bytes(32);
    this.#lifetime = (options.lifetime ?? 300) * 1000;
    this.#capacity = options.capacity ?? 131_072;
    this.#worker = (options.workerNumber ?? 0).toString(36);
    this.#startedAt = Math.floor(this.#clock.now());
  }

  /** How many used nonces are remembered now. */
  get size(): number {
    return this.#uses.size;
  }

  /** A new nonce: 128 bits of HMAC after time, serial and worker, so that nobody guesses the next one. */
  make(realm: string): string {
    const body = `${Math.floor(this.#clock.now()).toString(36)}.${(++this.#serial).toString(36)}.${this.#worker}`;
    const nonce = `${body}.${this.#sign(body, realm)}`;
    const place = this.#serial & (RECENT - 1);
    this.#recent[place] = nonce;
    this.#recentRealms[place] = realm;
    return nonce;
  }

  /**
   * Judges a nonce and, if it is fresh, remembers that `count` was used. Call it only once the digest was
   * found right: others must not use counts up. `count` is undefined for clients without qop, which then
   * may use each nonce once (RFC 2069 has no protection against replay).
   */
  use(nonce: string, realm: string, count: number | undefined): NonceVerdict {
    const now = this.#clock.now();
    // Exactly three points before the signature: what is signed ends with the realm, which may have more of them.
    const first = nonce.indexOf(".");
    const second = nonce.indexOf(".", first + 1);
    const third = nonce.indexOf(".", second + 1);
    if (first < 0 || second <= first || third <= second) return "foreign";
    const serial = Number.parseInt(nonce.slice(first + 1, second), 36);
    if (!this.#isSigned(nonce, third, realm, serial)) return "foreign";
    const madeAt = Number.parseInt(nonce.slice(0, first), 36);
    if (now - madeAt > this.#lifetime) return "expired";
    if (nonce.slice(second + 1, third) !== this.#worker || madeAt < this.#startedAt) return "foreign";
    const known = this.#uses.get(serial);
    if (known !== undefined) {
      // RFC 7616 §3.4: a count seen before is a replay; stricter, it has to rise.
      if (count === undefined || count <= known.count) return "replayed";
      known.count = count;
      return "fresh";
    }
    if (serial <= this.#forgottenSerial) return "forgotten";
    this.#remember(serial, { count: count ?? 1, madeAt }, now);
    return "fresh";
  }

  #isSigned(nonce: string, end: number, realm: string, serial: number): boolean {
    const place = serial & (RECENT - 1);
    if (this.#recentRealms[place] === realm && equalInConstantTime(nonce, this.#recent[place]!)) return true;
    return equalInConstantTime(nonce.slice(end + 1), this.#sign(nonce.slice(0, end), realm));
  }

  #remember(serial: number, use: Use, now: number): void {
    const uses = this.#uses;
    if (uses.size === this.#order.length) this.#grow();
    this.#order[(this.#oldest + uses.size) & (this.#order.length - 1)] = serial;
    uses.set(serial, use);
    // The oldest go when they have expired anyway, or when the table is full.
    while (uses.size > 0) {
      const oldest = this.#order[this.#oldest]!;
      const isExpired = now - uses.get(oldest)!.madeAt > this.#lifetime;
      if (!isExpired && uses.size <= this.#capacity) return;
      uses.delete(oldest);
      this.#oldest = (this.#oldest + 1) & (this.#order.length - 1);
      if (!isExpired) this.#forgottenSerial = Math.max(this.#forgottenSerial, oldest);
    }
  }

  /** A ring of twice the size, which begins with the oldest. */
  #grow(): void {
    const { length } = this.#order;
    const order = new Float64Array(2 * length);
    order.set(this.#order.subarray(this.#oldest));
    order.set(this.#order.subarray(0, this.#oldest), length - this.#oldest);
    this.#order = order;
    this.#oldest = 0;
  }

  #sign(body: string, realm: string): string {
    return this.#hash.hmac(this.#secret, `${body}.${realm}`).slice(0, signatureLength);
  }
}
