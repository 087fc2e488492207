// The packages as they would be published: built, packed, unpacked beside their dependencies, and run without sources.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isAvailable, whyUnavailable } from "@offhook/udp-batch";

const run = promisify(execFile);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), "offhook-packed-"));
const modules = join(folder, "node_modules");
const packages = {
  sip: "@offhook/sip",
  "udp-batch": "@offhook/udp-batch",
  server: "@offhook/server",
  conformance: "@offhook/conformance",
  cli: "offhook",
};

before(async () => {
  await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "packages/cli"], {
    cwd: root,
  });
  mkdirSync(join(modules, "@offhook"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith(".") || name === "@offhook" || name === "offhook") continue;
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  for (const [name, published] of Object.entries(packages)) {
    const own = join(root, "packages", name, "node_modules");
    mkdirSync(join(modules, published), { recursive: true });
    if (existsSync(own)) symlinkSync(own, join(modules, published, "node_modules"));
    const { stdout } = await run("npm", ["pack", "--json", "--dry-run", "--ignore-scripts"], {
      cwd: join(root, "packages", name),
      env: { ...process.env, npm_config_cache: join(folder, "cache") },
    });
    const [packed] = Object.values(JSON.parse(stdout) as Record<string, { files: { path: string }[] }>);
    for (const { path } of packed?.files ?? []) {
      const target = join(modules, published, path);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(root, "packages", name, path), target);
    }
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("packed: no sources, no tests, no build information", () => {
  for (const published of Object.values(packages)) {
    const files = readdirSync(join(modules, published), { recursive: true })
      .map(String)
      .filter((file) => !file.startsWith("node_modules"));
    assert.ok(files.includes("package.json"));
    assert.deepEqual(
      files.filter((file) => /\.test\.|tsbuildinfo|^src/.test(file)),
      [],
    );
  }
});

test("packed: the command runs from dist", async () => {
  const { stdout } = await run(
    process.execPath,
    [join(modules, "offhook/bin/offhook.mjs"), "code", "--json"],
    { cwd: folder },
  );
  assert.equal((JSON.parse(stdout) as unknown[]).length, 77);
});

test("packed: the scenarios run from dist; their mutants need the sources", async () => {
  const tour = (...args: string[]) =>
    run(process.execPath, [join(modules, "offhook/bin/offhook.mjs"), "tour", "404", ...args], {
      cwd: folder,
    });
  assert.match((await tour()).stdout, /^404 Not Found\nsent by /);
  await assert.rejects(tour("--mutate"), { code: 2, stderr: /^offhook: --mutate needs a checkout[^\n]*\n$/ });
});

test("packed: the server runs from dist, its database worker too", async (t) => {
  writeFileSync(
    join(folder, "offhook.yaml"),
    "listeners: [{ transport: udp, port: 0 }]\nhttp: false\nstore: { path: data/offhook.db }\n",
  );
  const child = spawn(process.execPath, [join(modules, "offhook/dist/main.js"), "serve"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [first] = await once(child.stdout, "data", { signal: AbortSignal.timeout(20_000) });
  assert.match(String(first), /^offhook is listening on udp 127\.0\.0\.1:\d+/);
  const { stdout } = await run(
    process.execPath,
    [join(modules, "offhook/bin/offhook.mjs"), "user", "add", "alice", "-p", "x"],
    { cwd: folder },
  );
  assert.equal(stdout, "added alice@localhost\n");
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  assert.ok(existsSync(join(folder, "data/offhook.db")));
});

test("packed: a phone by subpath imports", async () => {
  const file = join(folder, "phone.mjs");
  writeFileSync(
    file,
    `import { udp } from "@offhook/sip/node";
     import { UserAgent } from "@offhook/sip/user-agent";
     const phone = new UserAgent({ aor: "sip:a@127.0.0.1", transports: [udp({ address: "127.0.0.1" })] });
     await phone.ready;
     console.log(phone.listeners.length);
     await phone.stop();`,
  );
  const { stdout } = await run(process.execPath, [file], { cwd: folder });
  assert.equal(stdout, "1\n");
});

test("packed: UDP in batches comes with its source, and as it was compiled", {
  skip: !isAvailable && whyUnavailable,
}, async () => {
  const place = join(modules, "@offhook/udp-batch");
  const open = `import { NodeDriver } from "@offhook/sip/node";
    import { Stack } from "@offhook/sip/stack";
    const driver = new NodeDriver();
    driver.attach(new Stack({ sink: driver, clock: driver.clock, random: { bytes: (n) => new Uint8Array(n) } }));
    await driver.listen({ transport: "UDP", address: "127.0.0.1" });
    console.log(driver.listeners[0].isBatched);
    await driver.stop();`;
  writeFileSync(join(folder, "listen.mjs"), open);
  const isBatched = async () => (await run(process.execPath, ["listen.mjs"], { cwd: folder })).stdout;
  assert.equal(await isBatched(), "true\n");
  rmSync(join(place, "build"), { recursive: true });
  assert.equal(await isBatched(), "false\n");
  await run(process.execPath, [join(place, "build.mjs")], { cwd: folder });
  assert.equal(await isBatched(), "true\n");
});
