#!/usr/bin/env node
// The `offhook` command. In a checkout: set-up, then the TypeScript sources on the pinned Node. Published: dist.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const setupScript = new URL("../../../scripts/setup.mjs", import.meta.url);
const sources = new URL("../src/main.ts", import.meta.url);

if (existsSync(sources) && existsSync(setupScript)) await runSources();
else await import("../dist/main.js");

async function runSources() {
  const { setup, pinnedNode, compileCache } = await import(setupScript.href);
  try {
    await setup();
  } catch (error) {
    console.error(`offhook: ${error.message}`);
    process.exit(1);
  }
  const args = ["--conditions=@offhook/source", fileURLToPath(sources), ...process.argv.slice(2)];
  const child = spawn(pinnedNode(), args, {
    stdio: "inherit",
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the whole process group: the child has it already.
      if (signal === "SIGINT" && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY))
        return;
      child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`offhook: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
