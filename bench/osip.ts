// osip2, a SIP parser in C (Debian: libosip2-dev), at the same jobs in a process of its own.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Contender } from "./contest.ts";
import { invite } from "./invite.ts";

const source = fileURLToPath(new URL("./osip/osip.c", import.meta.url));
const folder = fileURLToPath(new URL("../node_modules/.cache/offhook-bench/", import.meta.url));
const program = `${folder}osip`;

/** One contender; none, and a line that says so, where osip2 or a compiler is missing. */
export function osip(job: "parse" | "forward", mustTake?: number): Contender[] {
  mkdirSync(folder, { recursive: true });
  const compiled = spawnSync("cc", ["-O2", source, "-losipparser2", "-o", program], { encoding: "utf8" });
  if (compiled.status !== 0) {
    console.log("osip2 is left out: it needs cc and libosip2-dev");
    return [];
  }
  return [
    { name: "osip2", ...(mustTake !== undefined && { mustTake }), cost: (times) => costOf(job, times) },
  ];
}

function costOf(job: string, times: number): number {
  const { status, stdout, stderr } = spawnSync(program, [job, `${times}`], {
    input: invite,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}
