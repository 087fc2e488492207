// Assertions with names: what a scenario proves, and what a mutant has to break.

import { inspect, isDeepStrictEqual } from "node:util";

/** A named assertion does not hold. Everything else that a scenario throws is a fault of the scenario or a crash. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";
  /** The name of the assertion: what ought to be so. */
  readonly check: string;

  constructor(check: string, details: string) {
    super(`${check}\n${details}`);
    this.check = check;
  }
}

/** The assertions on values; those on messages are the stage's and the peers'. The name always comes first. */
export class Checks {
  readonly #passed: string[] = [];

  /** Names of the assertions that held, in their order. */
  get passed(): readonly string[] {
    return this.#passed;
  }

  ok(name: string, value: unknown): void {
    if (!value) this.fail(name, `it is ${show(value)}`);
    this.pass(name);
  }

  /** Deeply and strictly. */
  equal(name: string, actual: unknown, expected: unknown): void {
    if (!isDeepStrictEqual(actual, expected))
      this.fail(name, `it is ${show(actual)}, expected ${show(expected)}`);
    this.pass(name);
  }

  match(name: string, actual: string | undefined, pattern: RegExp): void {
    if (actual === undefined || !pattern.test(actual))
      this.fail(name, `${show(actual)} does not match ${pattern}`);
    this.pass(name);
  }

  /** For assertions that none of the others can make. */
  fail(name: string, details: string): never {
    throw new CheckFailed(name, details);
  }

  pass(name: string): void {
    this.#passed.push(name);
  }
}

function show(value: unknown): string {
  return inspect(value, { depth: 4, breakLength: 100 });
}
