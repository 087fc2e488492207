// Timer C: an INVITE branch that rings for ever is given up. RFC 3261 §16.6 step 11, §16.7 step 2, §16.8.

import type { Clock, Timer } from "../ports.ts";

/** What can stand in the queue; the links belong to the queue. */
export interface TimerCEntry {
  timerCDue: number;
  timerCPrevious: TimerCEntry | undefined;
  timerCNext: TimerCEntry | undefined;
  /** Called once, when the time is up. */
  onTimerC(): void;
}

/**
 * All entries wait equally long, so the queue is a linked list in the order of their start: setting, resetting and
 * clearing cost a few assignments, and the clock holds one timer for all of them.
 */
export class TimerC {
  readonly #clock: Clock;
  readonly #duration: number;
  #first: TimerCEntry | undefined;
  #last: TimerCEntry | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  /** `duration`: milliseconds, more than 3 minutes by the RFC. */
  constructor(clock: Clock, duration: number) {
    this.#clock = clock;
    this.#duration = duration;
  }

  /** Starts or restarts the time of an entry. */
  set(entry: TimerCEntry): void {
    if (this.#isClosed) return;
    if (entry.timerCDue !== 0) this.#unlink(entry);
    entry.timerCDue = this.#clock.now() + this.#duration;
    entry.timerCPrevious = this.#last;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.timerCNext = entry;
    this.#last = entry;
    this.#timer ??= this.#clock.schedule(this.#duration, this.#expire);
  }

  clear(entry: TimerCEntry): void {
    if (entry.timerCDue === 0) return;
    this.#unlink(entry);
    entry.timerCDue = 0;
  }

  /** Stops the clock's timer; nothing fires any more, whatever is still under way. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#first !== undefined) this.clear(this.#first);
  }

  #unlink(entry: TimerCEntry): void {
    const { timerCPrevious: previous, timerCNext: next } = entry;
    if (previous === undefined) this.#first = next;
    else previous.timerCNext = next;
    if (next === undefined) this.#last = previous;
    else next.timerCPrevious = previous;
    entry.timerCPrevious = undefined;
    entry.timerCNext = undefined;
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let entry = this.#first; entry !== undefined && entry.timerCDue <= now; entry = this.#first) {
      this.clear(entry);
      entry.onTimerC();
    }
    // One timer may run on after its entry was cleared; it then only finds out what to wait for next.
    if (this.#first !== undefined && this.#timer === undefined) {
      this.#timer = this.#clock.schedule(this.#first.timerCDue - now, this.#expire);
    }
  };
}
