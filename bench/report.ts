// Puts what was measured into docs/performance.md, between the marks of its section, with machine, date and versions.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

const page = new URL("../docs/performance.md", import.meta.url);

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
export function writeSection(name: string, text: string): void {
  const before = readFileSync(page, "utf8");
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = before.indexOf(start);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no section ${name}`);
  writeFileSync(page, `${before.slice(0, from + start.length)}\n\n${text.trim()}\n\n${before.slice(to)}`);
}

/** Where and when this was measured, in one line. */
export function circumstances(programs: readonly string[] = []): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  const machine = `${cpus()[0]?.model.trim() ?? "CPU unknown"}, ${availableParallelism()} cores, ${memory}`;
  const date = new Date().toISOString().slice(0, 10);
  return [machine, `Linux ${release()}`, `Node ${process.versions.node}`, ...programs, date].join("; ");
}

/** The first line of a program's own words about its version. */
export function versionOf(command: string, ...args: string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  const words = `${stdout}${stderr}`.split("\n").map((line) => line.trim());
  return words.find((line) => line !== "") ?? `${command}, version unknown`;
}
