// The users of the load with digest, in our server's database.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ours, workFolder } from "./contestants.ts";
import { userNames } from "./scenes.ts";

let isDone = false;

/** `offhook user import` of u000000 to u009999, Alice and Bob; once in a run. */
export function importUsers(): void {
  if (isDone) return;
  const serve = ours({ digest: true });
  const [node = "", ...words] = serve.slice(0, serve.indexOf("serve"));
  const lines = [...userNames(10_000), "alice", "bob"].map((user) => `${user},secret\n`);
  const file = join(workFolder, "accounts.csv");
  writeFileSync(file, lines.join(""));
  const args = [...words, "user", "import", file, "--config", serve.at(-1)!];
  const { status, stderr } = spawnSync(node, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`users could not be imported: ${stderr}`);
  isDone = true;
}
