// docs/errors.md names every error class with its code, and no other.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("docs/errors.md: every error class and code of library and server stands there, and no other", () => {
  const sources = ["packages/sip/src/errors.ts", ...globSync("packages/server/src/**/*.ts", { cwd: root })]
    .filter((path) => !path.endsWith(".test.ts"))
    .map(read)
    .join("\n");
  const classes = [...sources.matchAll(/^export class (\w+) extends (?:Sip)?Error\b/gm)].map(
    ([, name]) => name,
  );
  const codes = [...sources.matchAll(/"((?:SIP|OFFHOOK)_[A-Z_]+)"/g)].map(([, code]) => code);
  const rows = [...read("docs/errors.md").matchAll(/^\| `(\w+)` \| (?:`(\w+)`)? ?\|/gm)];
  const unique = (names: (string | undefined)[]) => [...new Set(names.filter(Boolean))].sort();
  assert.deepEqual(unique(rows.map(([, name]) => name)), unique(classes));
  assert.deepEqual(
    unique(rows.map(([, , code]) => code)),
    unique(codes.filter((code) => !["OFFHOOK_PASSWORD", "OFFHOOK_DEBUG"].includes(code ?? ""))),
  );
});
