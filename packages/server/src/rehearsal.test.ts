import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { openSockets } from "@offhook/udp-batch";
import { parseConfig } from "./config.ts";
import { rehearse } from "./rehearsal.ts";

/** What the server may be told to do: all of it is rehearsed as it will be done. */
const configurations: readonly [name: string, yaml: string][] = [
  ["nothing", ""],
  ["no passwords", "auth: { enabled: false }\naccounts: any"],
  ["one password for all", "accounts: { any: { password: secret } }"],
  ["SHA-256", "auth: { algorithms: [SHA-256] }"],
  ["no batches", "listeners: [{ transport: udp, port: 5060, batch: off }]"],
  ["no UDP", "listeners: [{ transport: tcp, host: 0.0.0.0, port: 5060 }]"],
  ["a store on disk, used at once", "store: { path: calls.db, durable: true }"],
  ["nobody from outside", "relay: { inbound: deny }"],
  ["in maintenance", "overload: { maintenance: true }"],
  ["a log", "log: { file: offhook.log, level: debug }"],
  ["long registrations only", "registrar: { minExpires: 1800 }"],
  ["short messages only", "limits: { headerCount: 16, messageSize: 1024, uriLength: 64, bodySize: 0 }"],
  ["no SIP URIs", "proxy: { uriSchemes: [tel] }"],
  ["two domains", "domains: [example.com, example.org]\naliases: { sales: [bob, alice] }"],
];

suite("a rehearsal", () => {
  for (const [name, yaml] of configurations)
    test(`plays whole rounds and leaves nothing behind: ${name}`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "offhook-rehearsal-"));
      t.after(() => rmSync(folder, { recursive: true }));
      const before = openSockets();
      const config = parseConfig(yaml, "offhook.yaml");
      assert.equal(await rehearse({ config, folder }, { rounds: 12, limit: 60_000 }), 12);
      assert.equal(openSockets(), before);
      assert.deepEqual(readdirSync(folder), []);
    });

  test("ends by its limit, wherever it is", async () => {
    const config = parseConfig("", "offhook.yaml");
    assert.equal(await rehearse({ config, folder: "." }, { rounds: 1_000_000_000, limit: 0 }), 0);
  });

  test("ends where the server refuses everything", async () => {
    const config = parseConfig(
      "limits: { headerCount: 16, messageSize: 1024, uriLength: 64 }",
      "offhook.yaml",
    );
    const options = { config: { ...config, limits: { ...config.limits, transactions: 0 } }, folder: "." };
    assert.equal(await rehearse(options, { rounds: 30, limit: 60_000 }), 0);
  });
});
