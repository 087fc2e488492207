// kill -9 under load: what was acknowledged before the last flush began is there afterwards; with `durable`, all of it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openStore } from "@offhook/server";
import { nodeClock, nodeHash } from "@offhook/sip/node";

const folder = mkdtempSync(join(tmpdir(), "offhook-kill9-"));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const program = fileURLToPath(new URL("./kill9/store-child.ts", import.meta.url));

/** What one child said before it was killed. */
interface Said {
  /** User → CSeq acknowledged last. */
  readonly acknowledged: Map<string, number>;
  /** The same as it was when the last flush began of which the child could report the end. */
  readonly safe: Map<string, number>;
  readonly flushes: number;
}

/** Runs the child until it has acknowledged `count` updates and written some of them, then kills it. */
async function runUntilKilled(path: string, mode: "durable" | "behind", count: number): Promise<Said> {
  const child = spawn(process.execPath, ["--conditions=@offhook/source", program, path, mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  const ended = new Promise((resolve) => child.once("close", resolve));
  const acknowledged = new Map<string, number>();
  const atStart = new Map<string, Map<string, number>>();
  let safe = new Map<string, number>();
  let flushes = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what = "", ...rest] = line.split(" ");
    if (what === "acknowledged") {
      acknowledged.set(rest[0] ?? "", Number(rest[1]));
      // However slow the disk is.
      if (++seen >= count && (mode === "durable" || safe.size > 0)) child.kill("SIGKILL");
    } else if (what === "started") {
      atStart.set(rest[0] ?? "", new Map(acknowledged));
    } else if (what === "committed") {
      flushes++;
      safe = atStart.get(rest[0] ?? "") ?? safe;
      atStart.delete(rest[0] ?? "");
    } else {
      assert.fail(`the child said: ${line}`);
    }
  }
  await ended;
  children.delete(child);
  assert.equal(child.signalCode, "SIGKILL");
  return { acknowledged, safe, flushes };
}

for (const mode of ["behind", "durable"] as const) {
  test(`kill -9 (${mode === "durable" ? "durable" : "write-behind"}): nothing promised is lost`, async (context) => {
    const path = join(folder, `${mode}.db`);
    // Odd numbers, so that the end comes at different points of a flush.
    for (const count of [701, 1403, 2809]) {
      const { acknowledged, safe, flushes } = await runUntilKilled(path, mode, count);
      const promised = mode === "durable" ? acknowledged : safe;
      assert.ok(promised.size > 0 && flushes > 0);
      const store = await openStore({ path, clock: nodeClock, hash: nodeHash });
      const lost: string[] = [];
      for (const [user, cSeq] of promised) {
        const [binding] = store.locations.lookup(`sip:user${user}@example.com`);
        if (binding === undefined || binding.cSeq < cSeq)
          lost.push(`user ${user}: ${binding?.cSeq} < ${cSeq}`);
      }
      // The next child starts its CSeq anew.
      for (const { aor } of [...store.locations.memory.entries()]) store.locations.memory.remove(aor);
      await store.close();
      context.diagnostic(
        `${acknowledged.size} users acknowledged, ${promised.size} promised, ${flushes} flushes, ${lost.length} lost`,
      );
      assert.deepEqual(lost, []);
    }
  });
}
