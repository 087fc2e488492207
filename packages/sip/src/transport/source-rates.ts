// How many new requests come from one source: a flood from one slows nobody else. Overload of a server: RFC 3261 §21.5.4.

import { sourceOf } from "./address.ts";

/** What becomes of a request by the rate of its source. */
export type RateVerdict = "pass" | "refuse" | "drop";

/** Milliseconds of one count. */
const window = 1000;

/** New requests of the present second, by source. */
export class SourceRates {
  readonly #limit: number;
  readonly #isExempt: ((address: string) => boolean) | undefined;
  readonly #counts = new Map<string, number>();
  #windowEnd = 0;

  /**
   * @param limit - requests of one source in a second
   * @param isExempt - asked only for a source above it
   */
  constructor(limit: number, isExempt?: (address: string) => boolean) {
    this.#limit = limit;
    this.#isExempt = isExempt;
  }

  /** Counts one request. Above the limit it is refused; above twice that it is not worth an answer either. */
  take(address: string, now: number): RateVerdict {
    if (now >= this.#windowEnd) {
      this.#counts.clear();
      this.#windowEnd = now + window;
    }
    const source = sourceOf(address);
    const count = (this.#counts.get(source) ?? 0) + 1;
    this.#counts.set(source, count);
    if (count <= this.#limit || this.#isExempt?.(address) === true) return "pass";
    return count <= 2 * this.#limit ? "refuse" : "drop";
  }
}
