// What a scenario is: one code's story, in three parts, and the mutants that must break it.

import type { TransportName } from "@offhook/sip/transport";
import type { Stage } from "./stage.ts";

/** One play on a fresh stage. */
export type Play = (stage: Stage) => Promise<void>;

export interface ActOptions {
  /** Default: those of the scenario. */
  readonly transports?: readonly TransportName[];
  /** Why it cannot be played in bad weather. */
  readonly notInWeather?: string;
}

/** A play with restrictions of its own; `act` makes it. */
export interface Act extends ActOptions {
  readonly play: Play;
}

/** A play, or several by their titles: "an INVITE", "in a fork", … */
export type Acts = Play | Act | Readonly<Record<string, Play | Act>>;

export type Part = "producer" | "nearMiss" | "reaction";

/** A change of the product that the scenario must notice by a named assertion. */
export interface Mutant {
  /** What it breaks, in a few words: "anybody is found", "a 401 is final". */
  readonly title: string;
  /** From the root of the checkout, e.g. "packages/sip/src/core/reactions.ts". */
  readonly file: string;
  /** Text that stands exactly once in the file. docs/responses.md names its line. */
  readonly find: string;
  readonly replace: string;
}

export interface Scenario {
  readonly code: number;
  /** Who sends it here: "the proxy", "the called phone", … */
  readonly sender: string;
  /** On which condition, in a few words. */
  readonly condition: string;
  /** What the receiver does, in a few words. */
  readonly reacts: string;
  /** Default UDP and TCP. */
  readonly transports?: readonly TransportName[];
  /** Why it cannot be played in bad weather, if that holds for all of it. */
  readonly notInWeather?: string;
  /** Who sends the code, when, with which headers, and what a proxy between does. */
  readonly producer: Acts;
  /** Almost the same, and no such code. */
  readonly nearMiss: Acts;
  /** What the receiver does then. */
  readonly reaction: Acts;
  /** `producer` must break the acts of that part, `reaction` those of its; near misses pass under both. */
  readonly mutants: { readonly producer: Mutant; readonly reaction: Mutant };
}

/** Tells one code's story. */
export function scenario(story: Scenario): Scenario {
  return story;
}

/** The reaction mutant of a code that has no row in the table of reactions: it is sent again instead of final. */
export function triedAgain(code: number): Mutant {
  return {
    title: `a ${code} is tried again`,
    file: "packages/sip/src/core/reactions.ts",
    find: "return table[statusCode] ?? ",
    replace: `if (statusCode === ${code}) return { kind: "wait, then retry", delay: () => 1 };
  return table[statusCode] ?? `,
  };
}

/** A play with transports or exemptions of its own. */
export function act(options: ActOptions, play: Play): Act {
  return { ...options, play };
}

/** One play to run. */
export interface PlannedAct extends ActOptions {
  readonly part: Part;
  readonly title: string;
  readonly play: Play;
  readonly transports: readonly TransportName[];
}

export const parts: readonly Part[] = ["producer", "nearMiss", "reaction"];

/** The plays of a scenario in their order. */
export function actsOf(story: Scenario): readonly PlannedAct[] {
  const { transports = ["UDP", "TCP"], notInWeather } = story;
  return parts.flatMap((part) => {
    const acts = story[part];
    const named: readonly [string, Play | Act][] =
      typeof acts === "function" || isAct(acts) ? [["", acts]] : Object.entries(acts);
    return named.map(([title, one]): PlannedAct => {
      const own: Act = typeof one === "function" ? { play: one } : one;
      return { part, title, transports, ...(notInWeather !== undefined && { notInWeather }), ...own };
    });
  });
}

function isAct(acts: Exclude<Acts, Play>): acts is Act {
  return typeof (acts as Act).play === "function";
}
