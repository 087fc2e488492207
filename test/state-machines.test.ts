// docs/state-machines.md is printed from the tables; this fails while it differs from what would be printed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// By URL, as scripts/ is no project of its own.
const script: { printStateMachines(): string } = await import(
  new URL("../scripts/print-state-machines.ts", import.meta.url).href
);

test("docs/state-machines.md is what scripts/print-state-machines.ts prints", () => {
  const page = readFileSync(new URL("../docs/state-machines.md", import.meta.url), "utf8");
  assert.equal(page, script.printStateMachines());
});
