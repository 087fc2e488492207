// Unpredictable bytes from OpenSSL's generator, fetched by the pool: a call per tag would cost more than the tag.

import { randomFillSync } from "node:crypto";
import type { Random } from "../ports.ts";

const POOL = 8192;

class PooledRandom implements Random {
  readonly #pool = new Uint8Array(POOL);
  #used = POOL;

  bytes(length: number): Uint8Array {
    if (length > POOL >> 2) return randomFillSync(new Uint8Array(length));
    if (this.#used + length > POOL) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const bytes = this.#pool.slice(this.#used, this.#used + length);
    // What was given out is not kept.
    this.#pool.fill(0, this.#used, this.#used + length);
    this.#used += length;
    return bytes;
  }
}

/** The random source of a Node process. */
export const nodeRandom: Random = new PooledRandom();
