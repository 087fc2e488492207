// The location store: what a changed binding costs in memory, and with write-behind to SQLite in a worker thread.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@offhook/server";
import { nodeClock, nodeHash } from "@offhook/sip/node";

const users = 10_000;
/** Changes between two turns of the event loop, and milliseconds from one to the next: 4000 changes a second. */
const perTurn = 20;
const turnTime = 5;
const turns = 600;

interface Cost {
  /** µs of CPU per change: of the thread that serves SIP, and of all threads. */
  readonly main: number;
  readonly all: number;
}

/** Refreshes bindings at a steady rate, as phones do. */
async function refresh(store: Store): Promise<Cost> {
  let sequence = 0;
  const change = (): void => {
    const user = sequence % users;
    const contacts = [{ uri: `sip:u${user}@192.0.2.1:5061;ob`, expires: 3600, q: 1 }];
    const callId = `${user}-3848276298220188511@192.0.2.1`;
    const cSeq = 1 + Math.floor(sequence++ / users);
    const result = store.locations.update(`sip:u${user}@example.com`, {
      ...{ callId, cSeq, contacts, path: [] },
      now: nodeClock.now(),
    });
    if (result instanceof Promise) throw new Error("answered only later");
  };
  // Once around: all are there, and the code is warm.
  for (let i = 0; i < users; i++) change();
  await store.locations.flushed();
  const before = { main: process.threadCpuUsage(), all: process.cpuUsage() };
  const start = performance.now();
  for (let turn = 0; turn < turns; turn++) {
    for (let i = 0; i < perTurn; i++) change();
    const wait = start + (turn + 1) * turnTime - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  await store.locations.flushed();
  const main = process.threadCpuUsage(before.main);
  const all = process.cpuUsage(before.all);
  const changes = turns * perTurn;
  return { main: (main.user + main.system) / changes, all: (all.user + all.system) / changes };
}

/** Prints the table; false if changes did not reach the file. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "offhook-bench-"));
  const path = join(folder, "offhook.db");
  const options = { clock: nodeClock, hash: nodeHash };
  try {
    const memory = await openStore({ ...options, path: "memory" });
    const inMemory = await refresh(memory);
    await memory.close();
    const file = await openStore({ ...options, path });
    const behind = await refresh(file);
    await file.close();
    console.log(`store: a binding refreshed, ${(1000 / turnTime) * perTurn} a second, µs of CPU`);
    console.log("                          SIP's thread   all threads");
    for (const [name, { main, all }] of [
      ["in memory", inMemory],
      ["with write-behind", behind],
    ] as const) {
      console.log(`  ${name.padEnd(22)}${main.toFixed(2).padStart(14)}${all.toFixed(2).padStart(14)}`);
    }
    const again = await openStore({ ...options, path });
    const { bindingCount } = again.locations.memory;
    await again.close();
    return bindingCount === users;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
