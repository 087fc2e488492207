#!/usr/bin/env node
// Compiles native/udp_batch.c with the machine's compiler and Node's headers into build/. `node build.mjs` where the
// package is installed; scripts/setup.mjs does it in a checkout. Plain JavaScript for Node 20.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const source = join(folder, "native", "udp_batch.c");
const built = join(folder, "build", `udp-batch-${process.platform}-${process.arch}.node`);
const stamp = `${built}.stamp`;
const extra = (process.env["CFLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
const flags = ["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-shared", "-fPIC", ...extra];

/** True if the sources as they are were compiled, or were tried in vain. */
export function isBuilt() {
  try {
    return readFileSync(stamp, "utf8") === wantedStamp();
  } catch {
    return false;
  }
}

/**
 * True if all that is needed is there.
 * @param {string[]} headers - more folders that may hold Node's headers
 */
export function canBuild(headers = []) {
  return typeof tools(headers) !== "string";
}

/**
 * Compiles.
 * @param {string[]} headers - more folders that may hold Node's headers
 * @returns {string | undefined} what is missing or went wrong; undefined if all is well
 */
export function build(headers = []) {
  const found = tools(headers);
  if (typeof found === "string") return found;
  const { compiler, include } = found;
  mkdirSync(dirname(built), { recursive: true });
  // Renamed into place: a process that has the old one loaded keeps it.
  const fresh = `${built}.${process.pid}`;
  const run = spawnSync(compiler, [...flags, "-isystem", include, source, "-o", fresh], { encoding: "utf8" });
  if (run.status === 0) renameSync(fresh, built);
  else rmSync(fresh, { force: true });
  writeFileSync(stamp, wantedStamp());
  return run.status === 0 ? undefined : `${compiler} failed: ${run.error?.message ?? run.stderr.trim()}`;
}

/** Compiler and headers, or what is missing. */
function tools(headers) {
  if (process.platform !== "linux") return "it needs Linux";
  const compiler = findCompiler();
  if (compiler === undefined) return "there is no C compiler (cc)";
  const include = [...headers, ...headerFolders()].find((place) => existsSync(join(place, "node_api.h")));
  return include === undefined ? "Node's headers are missing (node_api.h)" : { compiler, include };
}

function wantedStamp() {
  return createHash("sha256").update(readFileSync(source)).update(flags.join(" ")).digest("hex");
}

function findCompiler() {
  const named = process.env["CC"];
  const names = named === undefined || named === "" ? ["cc", "gcc", "clang"] : [named];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return names.find((name) => folders.some((place) => existsSync(join(place, name))));
}

/** Where Node's own installation has them, and Debian's libnode-dev. */
function headerFolders() {
  return [
    join(dirname(process.execPath), "..", "include", "node"),
    "/usr/include/node",
    "/usr/include/nodejs/src",
  ];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const problem = build();
  console.log(problem ?? `built ${built}`);
  if (problem !== undefined) process.exitCode = 1;
}
