// `npm run bench [-- name …]`: runs the comparisons of this folder and fails if one misses its gate. With `--write` all
// of them, and docs/performance.md says what they printed.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { circumstances, writeSection } from "./report.ts";

const suites: Record<string, () => Promise<{ run(): boolean | Promise<boolean> }>> = {
  parse: () => import("./parse.ts"),
  splice: () => import("./splice.ts"),
  headers: () => import("./headers.ts"),
  transaction: () => import("./transaction.ts"),
  registrar: () => import("./registrar.ts"),
  proxy: () => import("./proxy.ts"),
  digest: () => import("./digest.ts"),
  store: () => import("./store.ts"),
};

const asked = process.argv.slice(2).filter((argument) => argument !== "--write");
const isWriting = process.argv.includes("--write");
if (asked.some((name) => !(name in suites)) || (isWriting && asked.length > 0)) {
  console.error(`npm run bench -- [${Object.keys(suites).join(" | ")}] …, or --write for all`);
  process.exit(2);
}
if (asked.length === 1) {
  const suite = await suites[asked[0]!]!();
  if (!(await suite.run())) {
    console.log(`${asked[0]}: a gate is missed`);
    process.exitCode = 1;
  }
} else {
  const said: string[] = [];
  for (const name of asked.length > 0 ? asked : Object.keys(suites)) {
    // Each in a process of its own: what one does to the compiler and the heap is none of the next one's business.
    const { status, stdout } = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), name],
      { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
    );
    process.stdout.write(stdout);
    said.push(stdout);
    if (status !== 0) process.exitCode = 1;
  }
  const text = `\`npm run bench -- --write\`. ${circumstances()}.\n\n\`\`\`\n${said.join("")}\`\`\``;
  if (isWriting) writeSection("bench", text);
}
