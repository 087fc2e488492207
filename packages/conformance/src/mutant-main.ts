// The process of one mutant (mutate.ts starts it): plays the acts in question and prints how they went as JSON.

import type { Performance } from "./runner.ts";
import { playScenario } from "./runner.ts";
import type { Part } from "./scenario.ts";
import { entries } from "./scenarios.ts";

/** What it prints, on one line. */
export interface MutantReport {
  /** Whether the changed file was loaded at all. */
  readonly isApplied: boolean;
  readonly performances: readonly Pick<Performance, "part" | "title" | "transport" | "failure">[];
}

const [code, part] = [Number(process.argv[2]), process.argv[3] as Part];
const story = await entries()
  .find((entry) => entry.code === code)
  ?.load();
const performances =
  story === undefined ? [] : await playScenario(story, { modes: ["real"], parts: [part, "nearMiss"] });
const report: MutantReport = {
  isApplied: (globalThis as { offhookMutant?: boolean }).offhookMutant === true,
  performances: performances.map(({ part, title, transport, failure }) => ({
    ...{ part, title, transport },
    ...(failure !== undefined && { failure }),
  })),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
