// What counts as killed: a named assertion of the mutant's own part, with every near miss still passing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MutantReport } from "./mutant-main.ts";
import { judge } from "./mutate.ts";

type Row = readonly [part: "producer" | "nearMiss" | "reaction", kind?: "assertion" | "crash" | "time-out"];

const reportOf = (isApplied: boolean, rows: readonly Row[]): MutantReport => ({
  isApplied,
  performances: rows.map(([part, kind]) => ({
    ...{ part, title: "", transport: "UDP" },
    ...(kind !== undefined && { failure: { kind, check: kind, message: "" } }),
  })),
});

const cases: readonly (readonly [string, boolean, readonly Row[], boolean, RegExp])[] = [
  ["a named assertion", true, [["producer", "assertion"], ["nearMiss"]], true, /^assertion$/],
  ["nothing notices", true, [["producer"], ["nearMiss"]], false, /nothing/],
  ["a crash", true, [["producer", "crash"], ["nearMiss"]], false, /only by a crash/],
  ["a hang", true, [["producer", "time-out"], ["nearMiss"]], false, /only by a time-out/],
  [
    "a crash in one play, an assertion in another",
    true,
    [
      ["producer", "crash"],
      ["producer", "assertion"],
    ],
    true,
    /^assertion$/,
  ],
  [
    "the near miss too",
    true,
    [
      ["producer", "assertion"],
      ["nearMiss", "assertion"],
    ],
    false,
    /near miss/,
  ],
  ["only another part", true, [["producer"], ["reaction", "assertion"]], false, /nothing/],
  ["its file is never loaded", false, [["producer", "assertion"], ["nearMiss"]], false, /not loaded/],
];

describe("verdict on a mutant", () => {
  for (const [title, isApplied, rows, isKilled, reason] of cases) {
    it(title, () => {
      const verdict = judge(reportOf(isApplied, rows), "producer");
      assert.equal(verdict.isKilled, isKilled);
      assert.match(verdict.reason, reason);
    });
  }
  it("its process died", () => {
    assert.deepEqual(judge("its process ended with 1", "producer"), {
      isKilled: false,
      reason: "its process ended with 1",
    });
  });
});
