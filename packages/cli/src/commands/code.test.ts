// `offhook code` as a user sees it: text, JSON, CSV, and the one line for what does not exist.
import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { catalogue } from "@offhook/sip/responses";
import { CliError } from "../cli-error.ts";
import { conditions } from "../code-words/zh-tw.ts";
import { textWidth } from "../text-width.ts";
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

test("code 437, meaning, causes and checks before the facts", async () => {
  const out = await run("437");
  assert.match(out, /\n {2}The certificate [^\n]+\n\n {2}Likely causes\n( {2}- .+\n){4}\n/);
  assert.match(out, /\n {2}What to check\n( {2}- .+\n){3}\n {2}Defined in +RFC 8224/);
});

for (const lang of ["zh-TW", "zh-tw"]) {
  test(`code 437 --lang ${lang}, texts and labels in 繁體中文, the phrase as registered`, async () => {
    const out = await run("437", "--lang", lang);
    assert.match(out, /^437 Unsupported Credential 不支援的憑證 {2}請求失敗\n/);
    assert.match(out, /\n {2}可能原因\n( {2}- .+\n){4}\n {2}檢查事項\n( {2}- .+\n){3}\n/);
    assert.match(out, /\n {2}送出者 +身分驗證端\n/);
    assert.match(out, /\n {2}適用方法 +ACK、CANCEL 以外的任何方法\n/);
  });
}

test("code --lang zh-TW, no English left over among the facts of any card", async () => {
  const registered = catalogue.flatMap(({ headers }) => (headers.mustWhen ?? []).map(({ when }) => when));
  assert.deepEqual(new Set(registered), new Set(Object.keys(conditions)));
  for (const { code } of catalogue) {
    const out = await run(String(code), "--lang", "zh-TW");
    assert.doesNotMatch(out.slice(out.indexOf("定義於")), /[a-z]{2,}[ ,]+[a-z]{2,}/, `${code}`);
  }
});

test("code --lang zh-TW, columns that line up on a terminal", async () => {
  const lines = (await run("--lang", "zh-TW")).trimEnd().split("\n");
  assert.equal(lines.length, 77);
  // The meaning is the last column: whatever stands before it is equally wide in every line.
  const starts = new Set(lines.map((line) => textWidth(line.slice(0, line.lastIndexOf("  ") + 2))));
  assert.equal(starts.size, 1);
});

test("code 486 --json, the texts of the language chosen", async () => {
  const [english] = JSON.parse(await run("486", "--json"));
  const [chinese] = JSON.parse(await run("486", "--json", "--lang", "zh-TW"));
  assert.deepEqual([english.language, english.name], ["en", "Busy Here"]);
  assert.deepEqual([chinese.language, chinese.name, chinese.phrase], ["zh-TW", "忙線中", "Busy Here"]);
  for (const { meaning, causes, checks } of [english, chinese]) {
    assert.ok(meaning.length > 0 && causes.length >= 2 && checks.length >= 2);
  }
  assert.notEqual(english.meaning, chinese.meaning);
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

test("code 忙線 --lang zh-TW, finds the names first, then the meanings", async () => {
  const found = JSON.parse(await run("忙線", "--lang", "zh-TW", "--json"));
  assert.deepEqual(
    found.map(({ code }: { code: number }) => code),
    [486, 600, 182],
  );
});

test("code curl, found among the checks where nothing else has the word", async () => {
  const found = JSON.parse(await run("curl", "--json"));
  assert.deepEqual([found.length, found[0].code], [1, 436]);
});

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
  ["gibberish", 1],
  ["忙線", 1],
  ["--json --csv", 2],
  ["486 --lang fr", 2],
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

test("code 499, not registered: what it is treated as", async () => {
  await assert.rejects(run("499"), {
    message: "499 is not registered; who receives it treats it as 400 Bad Request (RFC 3261 §8.1.3.2)",
  });
  await assert.rejects(run("185"), /treats it as 183 Session Progress/);
  await assert.rejects(run("700"), /700 is not a SIP response code/);
});
