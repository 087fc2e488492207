// The time of a stage. On loopback it stands still until it is moved, and a wait ends once nothing is under way any more;
// on the virtual network waiting moves it.

import { setImmediate as nextTurn } from "node:timers/promises";
import { settle, VirtualClock } from "@offhook/sip/testing";
import type { Traffic } from "./stage-driver.ts";

/** In bad weather a wait takes this long by the stage's clock at most, milliseconds: past two repeated 180s. */
const patience = 150_000;
/** In bad weather what is lost has been sent again by then, milliseconds: three or four times. */
const settleTime = 8_000;

/** Quiet turns of the event loop after which nothing is under way on loopback. */
const quietTurns = 3;
/** Real milliseconds after which what is under way counts as lost with a broken connection. */
const lostAfter = 250;
/** And turns of the event loop: a process that stood still has not looked whether it came. */
const lostAfterTurns = 100;

export class StageTime {
  readonly clock = new VirtualClock();
  readonly #isReal: boolean;
  readonly #traffic: Traffic;
  readonly #start = this.clock.now();
  #waits = 0;

  constructor(isReal: boolean, traffic: Traffic) {
    this.#isReal = isReal;
    this.#traffic = traffic;
  }

  /** Milliseconds since the play began. */
  get elapsed(): number {
    return this.clock.now() - this.#start;
  }

  /** True while somebody waits here. */
  get isWaiting(): boolean {
    return this.#waits > 0;
  }

  /** Lets so many milliseconds pass, and everything happen that is due in them. */
  advance(milliseconds: number): Promise<void> {
    return this.#waiting(async () => {
      if (!this.#isReal) {
        await this.clock.run(milliseconds);
        return;
      }
      const end = this.clock.now() + milliseconds;
      await this.#quiet();
      while (this.clock.next <= end) {
        this.clock.step();
        await this.#quiet();
      }
      // To the very millisecond, with nothing due on the way.
      this.clock.advance(end - this.clock.now());
      await this.#quiet();
    });
  }

  /** Lets what is under way arrive and be acted on. */
  settle(): Promise<void> {
    return this.#isReal ? this.#waiting(() => this.#quiet()) : this.advance(settleTime);
  }

  /** True once `done`; false if it is not, and on loopback nothing is under way, or in bad weather patience is over. */
  until(done: () => boolean): Promise<boolean> {
    return this.#waiting(async () => {
      if (!this.#isReal) return await this.clock.runUntil(done, patience);
      await this.#quiet(done);
      return done();
    });
  }

  async #waiting<T>(work: () => Promise<T>): Promise<T> {
    this.#waits++;
    try {
      return await work();
    } finally {
      this.#waits--;
    }
  }

  /** Until nothing is under way on loopback and no timer is due, or until `done`. */
  async #quiet(done: () => boolean = () => false): Promise<void> {
    let [quiet, events, since, turns] = [0, -1, performance.now(), 0];
    while (quiet < quietTurns) {
      while (this.clock.next <= this.clock.now()) this.clock.step();
      await settle();
      if (done()) return;
      await nextTurn();
      turns++;
      if (this.#traffic.events !== events || this.clock.next <= this.clock.now()) {
        [quiet, events, since, turns] = [0, this.#traffic.events, performance.now(), 0];
      } else if (this.#traffic.isIdle) quiet++;
      else if (turns > lostAfterTurns && performance.now() - since > lostAfter) this.#traffic.forget();
    }
  }
}
