// docs/configuration.md is what the schema prints. `OFFHOOK_UPDATE=1 npm test -- packages/server` writes it anew.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { printConfigDocument } from "./config-document.ts";

test("docs/configuration.md is fresh", () => {
  const file = new URL("../../../docs/configuration.md", import.meta.url);
  if (process.env["OFFHOOK_UPDATE"] === "1") writeFileSync(file, printConfigDocument());
  assert.equal(readFileSync(file, "utf8"), printConfigDocument());
});
