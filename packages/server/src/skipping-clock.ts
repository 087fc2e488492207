// A clock that can be put forward.

import type { Clock, Timer } from "@offhook/sip";

interface Waiting {
  readonly due: number;
  readonly fire: () => void;
}

/** Another clock's time, and what was skipped of it. */
export class SkippingClock implements Clock {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  #skipped = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.#skipped;
  }

  schedule(delay: number, callback: () => void): Timer {
    const cancel = () => {
      timer.cancel();
      this.#waiting.delete(waiting);
    };
    const fire = () => {
      cancel();
      callback();
    };
    const waiting: Waiting = { due: this.now() + delay, fire };
    const timer = this.#clock.schedule(delay, fire);
    this.#waiting.add(waiting);
    return { cancel };
  }

  /** Lets so many milliseconds pass: what waits and becomes due by that happens before this returns, in its order. */
  skip(milliseconds: number): void {
    this.#skipped += milliseconds;
    const due = [...this.#waiting].filter((waiting) => waiting.due <= this.now());
    for (const waiting of due.sort((a, b) => a.due - b.due)) if (this.#waiting.has(waiting)) waiting.fire();
  }
}
