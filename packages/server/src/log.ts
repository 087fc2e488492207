// The log: JSON lines by pino, to standard error or a file. Nothing secret is ever handed to it.

import { resolve } from "node:path";
import type { Clock, Timer } from "@offhook/sip";
import { destination, type Logger, pino } from "pino";
import type { Config } from "./config.ts";

/** Bytes kept for a place that takes none at the moment. */
const maxWaiting = 1 << 20;

export function makeLog({ log }: Config, folder: string): Logger {
  const place = log.file === undefined ? 2 : resolve(folder, log.file);
  const out = destination({ dest: place, sync: true, mkdir: true, maxLength: maxWaiting });
  // A full disk or a closed pipe loses lines, not calls.
  out.on("error", () => {});
  return pino({ level: log.level, base: null }, out);
}

/** Sources that have lines of their own in one second; UDP lets anybody make up more. */
const maxSources = 20;
const second = 1000;

interface Unsaid {
  readonly source: string | undefined;
  readonly message: string;
  count: number;
}

/**
 * Lines about what anybody may send, at level info: in each second the first of its kind from a source, and at its end
 * how many more there were. Who sends faster than a disk writes does not fill it.
 */
export class FloodLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #unsaid = new Map<string, Unsaid>();
  #timer: Timer | undefined;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  info(source: string, details: object, message: string): void {
    if (!this.#log.isLevelEnabled("info")) return;
    this.#timer ??= this.#clock.schedule(second, () => this.close());
    const known =
      this.#unsaid.get(`${message} ${source}`) ??
      // All others of the same kind together.
      (this.#unsaid.size < maxSources ? undefined : this.#unsaidOf(undefined, message));
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.#unsaidOf(source, message);
    this.#log.info({ source, ...details }, message);
  }

  /** Says what has not been said. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { source, message, count } of this.#unsaid.values()) {
      if (count > 0)
        this.#log.info({ source: source ?? "others", count }, `${message}: more within a second`);
    }
    this.#unsaid.clear();
  }

  #unsaidOf(source: string | undefined, message: string): Unsaid {
    const key = `${message} ${source ?? ""}`;
    const unsaid = this.#unsaid.get(key) ?? { source, message, count: 0 };
    this.#unsaid.set(key, unsaid);
    return unsaid;
  }
}
