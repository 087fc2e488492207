// docs/rfc-support.md: what it points to exists, and what the sources speak of stands in it.
import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const library = join(root, "packages/sip/src");
const page = readFileSync(join(root, "docs/rfc-support.md"), "utf8");

/** Rows of the tables without their heads and rules, as cells: section, what, file, test. */
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (RFC|section)\b/.test(line))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** Paths are under packages/sip/src unless they begin at the root. */
const placeOf = (path: string) => join(/^(packages|test)\//.test(path) ? root : library, path);
const pathsIn = (text: string) => [...text.matchAll(/`([^`\s]+\.ts)`/g)].map(([, path]) => path!);

test("docs/rfc-support.md: every file and test that it names exists", () => {
  const paths = pathsIn(page);
  assert.ok(paths.length > 100, `${paths.length} paths found`);
  assert.deepEqual(
    paths.filter((path) => !existsSync(placeOf(path))),
    [],
  );
});

test("docs/rfc-support.md: a row has a file and a test, or says what is not there yet", () => {
  assert.deepEqual(
    rows.filter((cells) => cells.length !== 4).map((cells) => cells.join(" | ")),
    [],
  );
  for (const [section, what = "", file = "", tested = ""] of rows) {
    const isComplete = pathsIn(file).length > 0 && pathsIn(tested).length > 0;
    assert.ok(isComplete || what.includes("not yet"), `${section}: no file or no test, and no "not yet"`);
    for (const path of pathsIn(tested))
      assert.match(path, /\.test\.ts$|^testing\//, `${section}: ${path} is no test`);
  }
});

test("docs/rfc-support.md: every folder of the library stands there", () => {
  const folders = readdirSync(library, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "testing")
    .map(({ name }) => name);
  assert.deepEqual(
    folders.filter((folder) => !page.includes(`\`${folder}/`)),
    [],
  );
});

test("docs/rfc-support.md: every RFC that the sources cite three times or more stands there", () => {
  const counts = new Map<string, number>();
  for (const path of globSync("packages/*/src/**/*.ts", { cwd: root })) {
    if (/\.test(\.kit)?\.ts$/.test(path)) continue;
    for (const [, number] of readFileSync(join(root, path), "utf8").matchAll(/\bRFC (\d{4})\b/g))
      counts.set(number!, (counts.get(number!) ?? 0) + 1);
  }
  const missing = [...counts].filter(
    ([number, count]) => count >= 3 && !new RegExp(`\\b${number}\\b`).test(page),
  );
  assert.deepEqual(missing, []);
});
