// The clock of a Node process.

import type { Clock, Timer } from "../ports.ts";

/** What setTimeout can count to; longer waits are made of several. */
const LONGEST = 2_147_483_647;

class NodeTimer implements Timer {
  readonly #callback: () => void;
  #left: number;
  #timeout: NodeJS.Timeout;

  constructor(delay: number, callback: () => void) {
    this.#callback = callback;
    this.#left = Math.max(0, delay);
    this.#timeout = this.#wait();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  #wait(): NodeJS.Timeout {
    const part = Math.min(this.#left, LONGEST);
    this.#left -= part;
    return setTimeout(() => {
      if (this.#left > 0) this.#timeout = this.#wait();
      else this.#callback();
    }, part);
  }
}

// The global one is looked up through a getter each time.
const { performance } = globalThis;
const origin = performance.timeOrigin;

/** Whole milliseconds since the Unix epoch that never step back, whatever happens to the wall clock. */
export const nodeClock: Clock = {
  now: () => Math.floor(origin + performance.now()),
  schedule: (delay, callback) => new NodeTimer(delay, callback),
};
