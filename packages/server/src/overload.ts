// Notices that the event loop cannot keep up. RFC 3261 §21.5.4: an overloaded server says so, with 503.

import type { Clock, Timer } from "@offhook/sip";

/** Milliseconds between two looks, at least and at most: each wakes a server that has nothing to do. */
const shortest = 100;
const longest = 250;

export interface OverloadOptions {
  readonly clock: Clock;
  /** Milliseconds that a look may be late. */
  readonly limit: number;
  /** Told when it begins and when it is over. */
  onChange(isOverloaded: boolean): void;
}

/**
 * Looks regularly how late the event loop is. Two looks in a row that are too late are an overload, a single one is
 * not: whatever halts the process for once (a collection, a machine put to sleep) is over when it is noticed. One look
 * in time ends it.
 */
export class OverloadWatch {
  readonly #options: OverloadOptions;
  readonly #interval: number;
  #timer: Timer;
  #due = 0;
  #lateLooks = 0;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.#interval = Math.min(Math.max(shortest, Math.floor(options.limit / 4)), longest);
    this.#timer = this.#schedule();
  }

  close(): void {
    this.#timer.cancel();
  }

  #schedule(): Timer {
    const { clock } = this.#options;
    this.#due = clock.now() + this.#interval;
    return clock.schedule(this.#interval, () => this.#look());
  }

  #look(): void {
    const { clock, limit, onChange } = this.#options;
    if (clock.now() - this.#due > limit) {
      if (++this.#lateLooks === 2) onChange(true);
    } else {
      if (this.#lateLooks >= 2) onChange(false);
      this.#lateLooks = 0;
    }
    this.#timer = this.#schedule();
  }
}
