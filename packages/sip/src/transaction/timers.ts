// Timers of transactions. The few fixed durations of RFC 3261 §17 have a queue each (start and stop O(1),
// because whoever starts later ends later); any other duration goes into one heap.

/** Whoever started a timer. */
export interface TimerOwner {
  fire(timer: Timer, now: number): void;
}

/** A timer that may be started again and again; no allocation while it runs. */
export class Timer {
  readonly owner: TimerOwner;
  /** When it fires, ms since the epoch; meaningful while it runs. */
  deadline = 0;
  /** Which timer of its owner this is at the moment: an event of the owner's table. */
  event: string;
  /** @internal */ queue: Queue | undefined = undefined;
  /** @internal */ previous: Timer | undefined = undefined;
  /** @internal */ next: Timer | undefined = undefined;
  /** @internal Place in the heap, -1 if not there. */ index = -1;

  constructor(owner: TimerOwner, event = "") {
    this.owner = owner;
    this.event = event;
  }

  get isRunning(): boolean {
    return this.queue !== undefined || this.index >= 0;
  }
}

class Queue {
  head: Timer | undefined;
  tail: Timer | undefined;
}

/** All timers of one stack behind one number, the next deadline. */
export class Timers {
  readonly #durations: number[] = [];
  /** One for each of the durations. */
  readonly #queues: Queue[] = [];
  readonly #heap: Timer[] = [];
  /** Of the first timer, unless it was stopped meanwhile. */
  #deadline = Number.POSITIVE_INFINITY;
  #isDeadlineKnown = true;

  /** @param durations the fixed durations, ms; others are possible but cost O(log n) */
  constructor(durations: Iterable<number>) {
    for (const duration of durations) {
      if (this.#durations.includes(duration)) continue;
      this.#durations.push(duration);
      this.#queues.push(new Queue());
    }
  }

  /** Starts or restarts a timer. */
  start(timer: Timer, duration: number, now: number): void {
    this.stop(timer);
    timer.deadline = now + duration;
    const durations = this.#durations;
    let which = 0;
    while (which < durations.length && durations[which] !== duration) which++;
    if (which < durations.length) {
      append(timer, this.#queues[which]!);
    } else {
      timer.index = this.#heap.length;
      this.#heap.push(timer);
      this.#up(timer.index);
    }
    if (timer.deadline < this.#deadline) this.#deadline = timer.deadline;
  }

  /** Stops a timer; nothing happens if it does not run. */
  stop(timer: Timer): void {
    const queue = timer.queue;
    if (timer.deadline === this.#deadline) this.#isDeadlineKnown = false;
    if (queue !== undefined) {
      if (timer.previous === undefined) queue.head = timer.next;
      else timer.previous.next = timer.next;
      if (timer.next === undefined) queue.tail = timer.previous;
      else timer.next.previous = timer.previous;
      timer.queue = timer.previous = timer.next = undefined;
    } else if (timer.index >= 0) {
      this.#removeFromHeap(timer);
    }
  }

  /** The earliest deadline, Infinity if no timer runs. */
  get deadline(): number {
    if (!this.#isDeadlineKnown) {
      this.#deadline = this.#first()?.deadline ?? Number.POSITIVE_INFINITY;
      this.#isDeadlineKnown = true;
    }
    return this.#deadline;
  }

  /** Fires every timer that is due, earliest first; those started meanwhile too, if they are due. */
  tick(now: number): void {
    for (;;) {
      const timer = this.#first();
      if (timer === undefined || timer.deadline > now) return;
      this.stop(timer);
      timer.owner.fire(timer, now);
    }
  }

  #first(): Timer | undefined {
    let first: Timer | undefined = this.#heap[0];
    for (let i = 0; i < this.#queues.length; i++) {
      const head = this.#queues[i]!.head;
      if (head !== undefined && (first === undefined || head.deadline < first.deadline)) first = head;
    }
    return first;
  }

  #removeFromHeap(timer: Timer): void {
    const heap = this.#heap;
    const index = timer.index;
    const last = heap.pop()!;
    timer.index = -1;
    if (last === timer) return;
    heap[index] = last;
    last.index = index;
    this.#up(index);
    this.#down(last.index);
  }

  #up(start: number): void {
    const heap = this.#heap;
    const timer = heap[start]!;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex]!;
      if (parent.deadline <= timer.deadline) break;
      heap[index] = parent;
      parent.index = index;
      index = parentIndex;
    }
    heap[index] = timer;
    timer.index = index;
  }

  #down(start: number): void {
    const heap = this.#heap;
    const timer = heap[start]!;
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      if (childIndex + 1 < heap.length && heap[childIndex + 1]!.deadline < heap[childIndex]!.deadline)
        childIndex++;
      const child = heap[childIndex]!;
      if (child.deadline >= timer.deadline) break;
      heap[index] = child;
      child.index = index;
      index = childIndex;
    }
    heap[index] = timer;
    timer.index = index;
  }
}

function append(timer: Timer, queue: Queue): void {
  const last = queue.tail;
  if (last === undefined) {
    queue.head = timer;
  } else {
    // A clock that steps back must not break the queue's order.
    if (timer.deadline < last.deadline) timer.deadline = last.deadline;
    last.next = timer;
    timer.previous = last;
  }
  queue.tail = timer;
  timer.queue = queue;
}
