// What a server costs the machine: CPU and memory of a process and all that it has started, from /proc.

import { readdirSync, readFileSync } from "node:fs";

/** A process and its descendants. */
function treeOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const fields = /^\d+$/.test(name)
      ? read(`/proc/${name}/stat`)
          ?.replace(/^.*\) /s, "")
          .split(" ")
      : undefined;
    if (fields === undefined) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (const each of found) found.push(...(children.get(each) ?? []));
  return found;
}

/** µs of CPU that all their threads have had. */
export function cpuTime(pid: number): number {
  let nanoseconds = 0;
  for (const each of treeOf(pid)) {
    for (const thread of list(`/proc/${each}/task`)) {
      nanoseconds += Number(read(`/proc/${each}/task/${thread}/schedstat`)?.split(" ")[0] ?? 0);
    }
  }
  return nanoseconds / 1000;
}

/** Bytes of memory, shared pages counted in part (PSS). */
export function memory(pid: number): number {
  let kilobytes = 0;
  for (const each of treeOf(pid)) {
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${each}/smaps_rollup`) ?? "")?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/** Ends them all, this instant. */
export function killTree(pid: number): void {
  for (const each of treeOf(pid)) signalTo(each, "SIGKILL");
}

/** Ends them all and waits until they are gone. */
export async function endTree(pid: number, patience: number = 8000): Promise<void> {
  const pids = treeOf(pid);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (const each of pids) signalTo(each, signal);
    const end = performance.now() + patience;
    while (pids.some(isAlive) && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 50));
    if (!pids.some(isAlive)) return;
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  const state = read(`/proc/${pid}/stat`)?.replace(/^.*\) /s, "")[0];
  return state !== undefined && state !== "Z";
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
