// docs/responses.md is printed from the scenarios; this fails while it differs from what would be printed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// By URL, as scripts/ is no project of its own.
const script: { printResponses(): Promise<string> } = await import(
  new URL("../scripts/print-responses.ts", import.meta.url).href
);

test("docs/responses.md is what scripts/print-responses.ts prints", async () => {
  const page = readFileSync(new URL("../docs/responses.md", import.meta.url), "utf8");
  assert.equal(page, await script.printResponses());
});
