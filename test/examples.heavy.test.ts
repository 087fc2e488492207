// The programs in examples/ as a reader would run them.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function start(
  example: string,
  ...args: string[]
): { child: ChildProcess; ended: Promise<unknown>; output(): string; until(text: RegExp): Promise<void> } {
  const child = spawn(process.execPath, ["--conditions=@offhook/source", `examples/${example}`, ...args], {
    cwd: root,
  });
  let output = "";
  const waiters: (() => void)[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
      for (const waiter of waiters) waiter();
    });
  }
  return {
    child,
    ended: once(child, "close"),
    output: () => output,
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = () => text.test(output) && resolve();
        waiters.push(look);
        child.once("exit", () =>
          text.test(output) ? resolve() : reject(new Error(`${example} said: ${output}`)),
        );
        look();
      }),
  };
}

describe("examples", () => {
  it("phone.ts calls answer.ts and hangs up; register.ts tells why it was refused", {
    timeout: 60_000,
  }, async () => {
    const answer = start("answer.ts", "0");
    try {
      await answer.until(/waiting on port \d+/);
      const port = /port (\d+)/.exec(answer.output())?.[1];
      const phone = start("phone.ts", `sip:somebody@127.0.0.1:${port}`);
      const register = start("register.ts", `sip:alice@127.0.0.1:${port}`, "secret");
      await register.ended;
      assert.match(register.output(), /405 Method Not Allowed/);
      await phone.ended;
      assert.match(phone.output(), /talking to sip:somebody@127.0.0.1:\d+\s+over: bye/);
      await answer.until(/ended: bye remote/);
      assert.match(answer.output(), /call from phone/);
    } finally {
      answer.child.kill("SIGTERM");
      await answer.ended;
    }
  });
});
