// Virtual time: hours of timers in a millisecond, and the same order of events every time.

import type { Clock, Timer } from "../ports.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/** 2026-01-01T00:00:00Z: far from zero, so that whoever confuses times with durations notices. */
const START = 1_767_225_600_000;

/** Promises that a test may be waiting for resolve within this many turns of the microtask queue. */
const TURNS = 32;

/** A clock that stands still until told otherwise. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  /** A binary heap, earliest first; events of the same time in the order they were made. */
  readonly #heap: Event[] = [];

  constructor(start: number = START) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  schedule(delay: number, callback: () => void): Timer {
    const event: Event = { at: this.#now + Math.max(0, delay), order: this.#order++, callback };
    this.#push(event);
    return {
      cancel: () => {
        event.callback = undefined;
      },
    };
  }

  /** When the next timer is due; Infinity if there is none. */
  get next(): number {
    this.#dropCanceled();
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Moves to the next timer and calls it. False if there is none. */
  step(): boolean {
    this.#dropCanceled();
    const event = this.#pop();
    if (!event) return false;
    this.#now = Math.max(this.#now, event.at);
    event.callback?.();
    return true;
  }

  /** Moves by this many milliseconds and calls what is due on the way. For code that waits for no promise. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    while (this.next <= end) this.step();
    this.#now = end;
  }

  /** Like `advance`, and lets promises resolve after each timer. */
  async run(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    while (this.next <= end) {
      this.step();
      await settle();
    }
    this.#now = end;
  }

  /** Runs from timer to timer until `done`; false if it was not within the time, the clock then stands there. */
  async runUntil(done: () => boolean, milliseconds: number = 3_600_000): Promise<boolean> {
    const end = this.#now + milliseconds;
    await settle();
    while (!done()) {
      if (this.next > end) {
        this.#now = Math.max(this.#now, end);
        return false;
      }
      this.step();
      await settle();
    }
    return true;
  }

  #dropCanceled(): void {
    while (this.#heap[0] && this.#heap[0].callback === undefined) this.#pop();
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as Event;
      if (!isBefore(event, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let place = 0;
    while (true) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[place] = heap[child] as Event;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

/** Lets promises that can resolve do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await undefined;
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
