// Plays scenarios and says what held.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { TransportName } from "@offhook/sip/transport";
import { CheckFailed } from "./check.ts";
import type { TourLadder } from "./recording.ts";
import { actsOf, type Part, type PlannedAct, type Scenario } from "./scenario.ts";
import { Stage, type StageOptions } from "./stage.ts";

/** How one play went. */
export interface Performance {
  readonly part: Part;
  readonly title: string;
  readonly mode: StageOptions["mode"];
  readonly transport: TransportName;
  readonly seed: number;
  /** Names of the assertions that held. */
  readonly passed: readonly string[];
  readonly failure?: Failure;
  readonly ladder: TourLadder;
  /** Real milliseconds. */
  readonly duration: number;
}

export interface Failure {
  /** Whether a named assertion failed, something was thrown, or it hung. */
  readonly kind: "assertion" | "crash" | "time-out";
  /** The name of the assertion; of others what was thrown. */
  readonly check: string;
  readonly message: string;
}

export interface PlayOptions {
  /** Default both. */
  readonly modes?: readonly StageOptions["mode"][];
  /** Of the virtual network. Default 1, 2. */
  readonly seeds?: readonly number[];
  /** Default all. */
  readonly parts?: readonly Part[];
  /** Default: those of the acts. */
  readonly transports?: readonly TransportName[];
}

/** Real milliseconds between two looks at a play. Looks are counted: while the process stands still nobody hangs. */
const lookInterval = 100;
/** Looks that one play may take: it hangs if it takes more. */
const limit = 100;
/** Looks in a row after which a play that waits for nothing on the stage hangs. */
const idleLimit = 20;

/** Plays a scenario, every act on a stage of its own. */
export async function playScenario(story: Scenario, options: PlayOptions = {}): Promise<Performance[]> {
  const { modes = ["real", "weather"], seeds = [1, 2], parts, transports } = options;
  const performances: Performance[] = [];
  for (const planned of actsOf(story)) {
    if (parts !== undefined && !parts.includes(planned.part)) continue;
    for (const mode of modes) {
      if (mode === "weather" && planned.notInWeather !== undefined) continue;
      for (const transport of planned.transports) {
        if (transports !== undefined && !transports.includes(transport)) continue;
        for (const seed of mode === "weather" ? seeds : [1])
          performances.push(await playAct(story, planned, { mode, transport, seed }));
      }
    }
  }
  return performances;
}

/** Plays one act. Never rejects: what goes wrong stands in `failure`. */
export async function playAct(
  story: Scenario,
  planned: PlannedAct,
  options: Required<StageOptions>,
): Promise<Performance> {
  const { part, title, play } = planned;
  const started = performance.now();
  const name = [`${story.code} ${part === "nearMiss" ? "near miss" : part}`, title]
    .filter(Boolean)
    .join(": ");
  const stage = new Stage({ ...options, seed: weatherOf(`${name} ${options.transport}`, options.seed) });
  const neglected = new Neglected();
  let failure: Failure | undefined;
  try {
    await watched(play(stage), stage);
  } catch (error) {
    failure = failureOf(error);
  }
  try {
    await stage.close();
  } catch (error) {
    failure ??= failureOf(error);
  }
  // A play that has failed looks after none of the promises that it has begun.
  const [reason] = await neglected.end();
  if (reason !== undefined) failure ??= failureOf(reason);
  return {
    ...{ part, title, ...options },
    passed: stage.check.passed,
    ...(failure !== undefined && { failure }),
    ladder: stage.recording.ladder(name),
    duration: performance.now() - started,
  };
}

/** A weather of its own for each play (FNV-1a of its name): with one for all, the same messages would always be lost. */
function weatherOf(name: string, seed: number): number {
  let hash = 0x811c9dc5;
  for (const char of `${name} ${seed}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

/** Promises that were rejected while nobody waited for them: they would end the process. */
class Neglected {
  readonly #reasons = new Map<Promise<unknown>, unknown>();
  readonly #add = (reason: unknown, promise: Promise<unknown>) => void this.#reasons.set(promise, reason);
  readonly #remove = (promise: Promise<unknown>) => void this.#reasons.delete(promise);

  constructor() {
    process.on("unhandledRejection", this.#add).on("rejectionHandled", this.#remove);
  }

  async end(): Promise<unknown[]> {
    await nextTurn();
    process.off("unhandledRejection", this.#add).off("rejectionHandled", this.#remove);
    return [...this.#reasons.values()];
  }
}

class Hung extends Error {}

/** The play, unless it hangs. */
async function watched(playing: Promise<void>, stage: Stage): Promise<void> {
  let looks = 0;
  let idle = 0;
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    // Real time on purpose: it is our own code that is watched.
    timer = setInterval(() => {
      idle = stage.isWaiting ? 0 : idle + 1;
      if (++looks > limit) reject(new Hung("it takes too long"));
      else if (idle > idleLimit)
        reject(new Hung("it waits for something outside of the stage: use stage.value, rejected or until"));
    }, lookInterval);
  });
  try {
    await Promise.race([playing, hung]);
  } finally {
    clearInterval(timer);
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof CheckFailed) return { kind: "assertion", check: error.check, message: error.message };
  const text = error instanceof Error ? error.message : String(error);
  return {
    kind: error instanceof Hung ? "time-out" : "crash",
    check: text,
    message: error instanceof Error ? (error.stack ?? text) : text,
  };
}
