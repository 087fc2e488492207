import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

// In a process of its own: whatever else these tests have made would have to be collected too.
test("a server that was stopped is let go, with all that it kept", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "offhook-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const index = new URL("./index.ts", import.meta.url).href;
  const program = `
    const { OffhookServer, parseConfig } = await import(${JSON.stringify(index)});
    const { setImmediate } = await import("node:timers/promises");
    const yaml = \`
      store: { kind: memory }
      listeners: [{ transport: udp, host: 127.0.0.1, port: 0 }, { transport: ws, host: 127.0.0.1, port: 0 }]
      http: { host: 127.0.0.1, port: 0 }\`;
    async function run() {
      const server = await OffhookServer.start({ config: parseConfig(yaml, "offhook.yaml"), folder: ${JSON.stringify(folder)} });
      await server.metrics.print();
      await server.stop(0);
      return new WeakRef(server);
    }
    const servers = [await run(), await run(), await run()];
    const held = () => servers.filter((server) => server.deref() !== undefined).length;
    // What is being closed takes some turns of the event loop, more of them on a busy machine.
    for (let i = 0; i < 500 && held() > 0; i++) { await setImmediate(); gc(); }
    console.log(held(), "held");`;
  const flags = process.execArgv.filter((flag) => !flag.startsWith("--test") && !flag.startsWith("--import"));
  const args = [...flags, "--expose-gc", "--input-type=module", "-e", program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.equal(stdout, "0 held\n");
});
