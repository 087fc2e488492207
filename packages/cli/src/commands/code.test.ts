// `offhook code` as a user sees it: text, JSON, CSV, and the one line for what does not exist.
import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { CliError } from "../cli-error.ts";
import { codeCommand } from "./code.ts";

async function run(...words: string[]): Promise<string> {
  let out = "";
  const command = codeCommand().configureOutput({
    writeOut: (text) => {
      out += text;
    },
  });
  await command.parseAsync(words, { from: "user" });
  return stripVTControlCharacters(out);
}

test("code 486, a card with phrase, sender, headers and causes", async () => {
  const out = await run("486");
  assert.match(out, /^486 Busy Here {2}request failure\n/);
  assert.match(out, /Defined in +RFC 3261 §21\.4\.24/);
  assert.match(out, /Carries +Retry-After \(may\)/);
  assert.match(out, /To Q\.850 +17\n/);
  assert.match(out, /From Q\.850 +17\n/);
});

// query        first code  how many
const searches = [
  ["busy", 486, 3],
  ["BUSY here", 486, 1],
  ["6xx", 600, 6],
  ["Min-SE", 422, 1],
  ["rfc8224", 428, 4],
  ["obsolete", 409, 2],
  ["request uri long", 414, 1],
] as const;

for (const [query, first, count] of searches) {
  test(`code ${query}, finds ${count}, first ${first}`, async () => {
    const found = JSON.parse(await run(...query.split(" "), "--json"));
    assert.equal(found[0].code, first);
    assert.equal(found.length, count);
  });
}

test("code --json, all 77 with meaning and causes", async () => {
  const found = JSON.parse(await run("--json"));
  assert.equal(found.length, 77);
  assert.equal(found.find((facts: { code: number }) => facts.code === 404).q850.cause, 1);
});

test("code --csv, a header line and 77 rows of 16 fields", async () => {
  const lines = (await run("--csv")).trimEnd().split("\n");
  assert.equal(lines.length, 78);
  for (const line of lines)
    assert.equal(line.match(/("([^"]|"")*"|[^,]*)(,|$)/g)?.filter(Boolean).length, 16);
});

test("code, without arguments, a plain table of 77 lines", async () => {
  const lines = (await run()).trimEnd().split("\n");
  assert.equal(lines.length, 77);
  assert.match(lines[0] ?? "", /^100 {2}Trying +RFC 3261 §21\.1\.1 /);
});

// query                    exit code
const mistakes = [
  ["999", 1],
  ["700", 1],
  ["nonsense", 1],
  ["--json --csv", 2],
] as const;

for (const [query, exitCode] of mistakes) {
  test(`code ${query}, one line and exit code ${exitCode}`, async () => {
    await assert.rejects(run(...query.split(" ")), (error) => {
      assert.ok(error instanceof CliError);
      assert.match(error.message, /^[^\n]+$/);
      return error.exitCode === exitCode;
    });
  });
}
