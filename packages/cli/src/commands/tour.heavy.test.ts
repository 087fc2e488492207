// `offhook tour` as a process: what it prints, and what it leaves with.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = join(dirname(dirname(fileURLToPath(import.meta.url))), "main.ts");

/** Runs the command; never rejects for its exit code. */
function tour(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--conditions=@offhook/source", main, "tour", ...args],
      { maxBuffer: 1 << 28, env: { ...process.env, NO_COLOR: "1" } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

test("one code: who sends it, the ladder of each play, the assertions by name", async () => {
  const { code, out } = await tour("404");
  assert.equal(code, 0);
  assert.match(out, /^404 Not Found\nsent by the proxy, for a domain that is its own: /);
  assert.match(out, /mallory +server\n/);
  assert.match(out, /404 Not Found \(INVITE\)/);
  assert.match(out, /✔ the proxy answers 404 with a To tag of its own/);
});

test("several: a line each, and those without a scenario in plain sight", async () => {
  const { code, out } = await tour("404", "486", "--real");
  assert.equal(code, 0);
  assert.match(out, /^✔ {2}404 Not Found .*\n✔ {2}486 Busy Here .*\n\n2 of 2 proven, /);
});

test("--json: the recordings", async () => {
  const { code, out } = await tour("404", "--json", "--virtual");
  assert.equal(code, 0);
  const [recording] = JSON.parse(out);
  assert.equal(recording.code, 404);
  const [first] = recording.performances;
  assert.deepEqual(first.ladder.participants, ["mallory", "server"]);
  assert.match(first.ladder.messages[0].text, /^INVITE sip:nobody@home\.example SIP\/2\.0\r\n/);
});

test("--mutate: both mutants are killed by named assertions", async () => {
  const { code, out } = await tour("404", "--mutate");
  assert.equal(code, 0);
  assert.match(out, /✔ killed +404 producer .*\n/);
  assert.match(out, /\n2 of 2 mutants killed, /);
});

test("what is no code is a mistake of the command line", async () => {
  const { code, err } = await tour("299");
  assert.equal(code, 2);
  assert.equal(err, "offhook: 299 is not a SIP response code\n");
});
