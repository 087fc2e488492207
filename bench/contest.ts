// One job, several programs that do it: µs of CPU for each, best of several rounds that alternate, and ratios to ours.

/** A program that does the job. */
export interface Contender {
  readonly name: string;
  /** How many times ours it must take at least; absent: it is only shown. */
  readonly mustTake?: number;
  /** Makes ready what the job so often needs; not measured. */
  prepare?(times: number): void;
  /** Does the job so often; returns something that depends on every result and is not 0. */
  run?(times: number): number;
  /** Instead, for a program of its own: the µs of CPU that the job took on average. */
  cost?(times: number): number;
}

export interface ContestOptions {
  readonly title: string;
  /** Ours first. */
  readonly contenders: readonly Contender[];
  readonly rounds?: number;
}

/** µs of CPU that one round of one contender shall take: short, so that some rounds meet a quiet moment of the machine. */
const roundTime = 20_000;
const warmUpRounds = 9;

/**
 * Prints the table; false if a gate is missed. Rounds alternate, so that a noisy moment hits all alike; the best one
 * counts, as noise only adds.
 */
export function contest({ title, contenders, rounds = 40 }: ContestOptions): boolean {
  const best = contenders.map(() => Number.POSITIVE_INFINITY);
  const times = contenders.map(() => 20);
  for (let round = 0; round < warmUpRounds + rounds; round++) {
    contenders.forEach((contender, i) => {
      const cost = costOf(contender, times[i]!);
      times[i] = Math.max(4, Math.round(roundTime / cost));
      if (round >= warmUpRounds) best[i] = Math.min(best[i]!, cost);
    });
  }
  console.log(`${title}, µs of CPU, best of ${rounds}`);
  let isPassed = true;
  contenders.forEach(({ name, mustTake }, i) => {
    const ratio = best[i]! / best[0]!;
    if (mustTake !== undefined && ratio < mustTake) isPassed = false;
    const gate = mustTake === undefined ? "" : ` (gate ${mustTake})`;
    const times = i === 0 ? "" : `  ${ratio.toFixed(1)} times ours${gate}`;
    console.log(`  ${name.padEnd(14)}${best[i]!.toFixed(2).padStart(9)}${times}`);
  });
  return isPassed;
}

function costOf(contender: Contender, times: number): number {
  if (contender.cost !== undefined) return contender.cost(times);
  contender.prepare?.(times);
  const before = process.cpuUsage();
  const sum = contender.run!(times);
  const { user, system } = process.cpuUsage(before);
  if (sum === 0 || Number.isNaN(sum)) throw new Error(`${contender.name} did not do the job`);
  return Math.max(user + system, 1) / times;
}

/** A contender that does the job on the same input each time. */
export function repeated(name: string, once: () => number, mustTake?: number): Contender {
  return {
    name,
    ...(mustTake !== undefined && { mustTake }),
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) sum += once();
      return sum;
    },
  };
}
