// Decides how long datagrams may wait so that more are read at once: each time that a process is woken for one costs it as
// much as handling several.

// Datagrams read at once, as in udp_batch.c. A batch that is expected to be half full leaves room for what comes at once,
// here and in a receive buffer of the system's default size; one of fewer than eight datagrams is not worth waiting for.
const BATCH = 64;
const ENOUGH = BATCH / 2;
const WORTHWHILE = 8;
/** Milliseconds over which arrivals are counted: less, and chance would decide. */
const PERIOD = 64;
/** Periods, in the first of which nothing waits. */
const ROUND = 16;
/** The longest time that may be asked for, in milliseconds. */
const LONGEST = 20;

export class Gathering {
  readonly #longest: number;
  #countedFrom: number | undefined;
  #arrived = 0;
  /** Which period of its round this is. */
  #period = 0;
  /** Datagrams in a millisecond: of the last period, and of the first of the round. */
  #rate = 0;
  #unhindered = 0;
  /** For the rest of the round nothing waits. */
  #isHeld = false;

  /**
   * @param longest milliseconds that a datagram may wait
   * @throws {RangeError} for a time that is none
   */
  constructor(longest: number) {
    if (!Number.isInteger(longest) || longest < 0 || longest > LONGEST)
      throw new RangeError(`gather: a whole number of milliseconds from 0 to ${LONGEST} is needed`);
    this.#longest = longest;
  }

  /**
   * So many datagrams have come. Returns the milliseconds until it is worth reading again: as long as it takes until enough
   * of them wait, or 0: when the next comes.
   * @param now milliseconds of a clock that goes on from 2³² - 1 to 0
   */
  after(count: number, now: number): number {
    this.#countedFrom ??= now;
    const elapsed = (now - this.#countedFrom) >>> 0;
    this.#arrived += count;
    if (elapsed >= PERIOD) {
      this.#endPeriod(this.#arrived / elapsed);
      // A lull is not what waiting leads to: who comes after it may be others.
      if (elapsed >= 2 * PERIOD) this.#period = 0;
      this.#countedFrom = now;
      this.#arrived = 0;
    }
    const rate = this.#rate;
    // After a full batch there may be more already.
    const isWorthwhile = count < BATCH && rate * this.#longest >= WORTHWHILE;
    if (!isWorthwhile || this.#period === 0 || this.#isHeld) return 0;
    return Math.min(this.#longest, Math.floor(ENOUGH / rate));
  }

  /**
   * Peers that wait for our answers before they send more are slowed down if we wait for more of them to send. So once in
   * a round nothing waits: if twice as many came then, nothing does for the rest of it.
   */
  #endPeriod(rate: number): void {
    if (this.#period === 0) {
      this.#unhindered = rate;
      this.#isHeld = false;
    } else if (this.#unhindered > 2 * rate) {
      this.#isHeld = true;
    }
    this.#period = (this.#period + 1) % ROUND;
    this.#rate = rate;
  }
}
