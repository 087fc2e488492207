// The compiled half, compiled otherwise: the tests of the sockets once more under AddressSanitizer and UBSan, and under
// valgrind; and a runtime that will not share memory.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { isAvailable, whyUnavailable } from "./index.ts";

const run = promisify(execFile);
const own = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "offhook-udp-batch-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Why a tool that is needed is missing; with CI=true the test runs all the same, and fails. */
function lacking(command: string, ...args: string[]): string | false {
  if (!isAvailable) return whyUnavailable ?? "not compiled";
  if (process.env["CI"] === "true") return false;
  return spawnSync(command, args, { stdio: "ignore" }).status === 0 ? false : `${command} is not installed`;
}

/** The package in a place of its own, compiled with these flags. */
async function compile(name: string, flags: string): Promise<string> {
  const place = join(folder, name);
  for (const part of ["src", "native", "build.mjs", "package.json"]) {
    cpSync(join(own, part), join(place, part), { recursive: true });
  }
  await run(process.execPath, [join(place, "build.mjs")], { env: { ...process.env, CFLAGS: flags } });
  return place;
}

/** What a runtime does that allows no external ArrayBuffers: Electron with its memory cage. */
const caged = `#include <node_api.h>
napi_status __wrap_napi_create_external_arraybuffer(napi_env env, void* data, size_t length, napi_finalize finalize,
                                                    void* hint, napi_value* result) {
  (void)env, (void)data, (void)length, (void)finalize, (void)hint, (void)result;
  return napi_no_external_buffers_allowed;
}
`;

test("where external ArrayBuffers are not allowed it says so when it is loaded", {
  skip: lacking("cc", "--version"),
}, async () => {
  const file = join(folder, "caged.c");
  writeFileSync(file, caged);
  const place = await compile("caged", `${file} -Wl,--wrap=napi_create_external_arraybuffer`);
  const { isAvailable, whyUnavailable } = await import(pathToFileURL(join(place, "src/index.ts")).href);
  assert.equal(isAvailable, false);
  assert.equal(whyUnavailable, "this runtime allows no external ArrayBuffers");
});

const testFlags = ["--test", "--test-isolation=none", "--test-reporter=spec"];
const testsOf = (place: string) =>
  ["socket", "gathering", "lifetime", "native"].map((name) => join(place, `src/${name}.test.ts`));

test("AddressSanitizer, LeakSanitizer and UBSan have nothing to say", {
  skip: lacking("cc", "--version"),
}, async () => {
  const place = await compile("asan", "-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined");
  const library = (name: string) =>
    spawnSync("cc", [`-print-file-name=${name}`], { encoding: "utf8" }).stdout.trim();
  const env = {
    ...process.env,
    NODE_TEST_CONTEXT: "",
    LD_PRELOAD: `${library("libasan.so")} ${library("libubsan.so")}`,
    // Node itself leaves memory behind at its end: not an error of ours, so the exit code must not say so.
    ASAN_OPTIONS: `detect_leaks=1:exitcode=0:log_path=${join(folder, "report")}`,
    UBSAN_OPTIONS: `halt_on_error=1:print_stacktrace=1:log_path=${join(folder, "report")}`,
  };
  const { stdout } = await run(process.execPath, [...testFlags, ...testsOf(place)], { env });
  assert.match(stdout, /fail 0\n/);
  const reports = readdirSync(folder).filter((name) => name.startsWith("report"));
  // A leak's record ends with an empty line.
  const records = reports.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n\n"));
  const ours = records.filter((record) => /udp_batch|ERROR: AddressSanitizer|runtime error/.test(record));
  assert.deepEqual(ours, []);
});

/**
 * V8's collector looks for pointers in the whole stack, words included that nobody has written yet; that it was a call of
 * ours which had it collect makes them no error of ours. Inner frames come first.
 */
const isStackScan = (error: string) => /^(?:(?!udp[-_]batch).)*::IteratePointersInStack\(/s.test(error);

// Minutes, so not each time.
if (process.env["OFFHOOK_VALGRIND"] === "1") {
  test("valgrind finds no error and no leak of ours", {
    skip: lacking("valgrind", "--version"),
  }, async () => {
    const place = await compile("valgrind", "-g -O1 -fno-omit-frame-pointer");
    const xml = join(folder, "valgrind.xml");
    const args = ["--tool=memcheck", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--xml=yes"];
    args.push(`--xml-file=${xml}`, "--num-callers=30", process.execPath, ...testFlags);
    const env = { ...process.env, NODE_TEST_CONTEXT: "" };
    const { stdout } = await run("valgrind", [...args, ...testsOf(place)], { env });
    assert.match(stdout, /fail 0\n/);
    const errors = readFileSync(xml, "utf8").split("<error>").slice(1);
    assert.deepEqual(
      errors.filter((error) => /udp[-_]batch/.test(error) && !isStackScan(error)),
      [],
    );
  });
}
