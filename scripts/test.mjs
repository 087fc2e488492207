// `npm test [-- PATH … | --flag …]`: one run of Node's test runner, closing with its own summary.
// Unit tests share one process (scripts/unit-tests.mjs); heavy files (test/interop, *.heavy.test.ts) have one each.
// A test that hangs fails by name after four minutes.

import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { compileCache, pinnedNode, setup } from "./setup.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// globSync is not in Node 20: started by hand there, go on with the pinned one.
if (fs.globSync === undefined) {
  await setup();
  await run([fileURLToPath(import.meta.url), ...process.argv.slice(2)], {});
}

const flags = process.argv.slice(2).filter((argument) => argument.startsWith("-"));
const paths = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const files = (
  paths.length > 0 ? paths.flatMap(testsUnder) : ["packages", "test"].flatMap(testsUnder)
).sort();
if (files.length === 0) {
  console.error(`offhook: no test file (*.test.ts) under ${paths.join(", ") || "packages, test"}`);
  process.exit(1);
}
const heavy = files.filter((file) => file.endsWith(".heavy.test.ts") || file.startsWith("test/interop/"));
const unit = files.filter((file) => !heavy.includes(file));

const args = [
  "--conditions=@offhook/source",
  "--import=./scripts/leak-check.mjs",
  "--test",
  "--test-reporter=spec",
  // No test, and no heavy file, takes this long: what hangs shall fail, and say so.
  "--test-timeout=240000",
  // Heavy files mostly wait, for phones and browsers: three at a time, each with ports of its own (test/free-port.ts).
  "--test-concurrency=3",
];
args.push(...flags, ...(unit.length > 0 ? ["scripts/unit-tests.mjs"] : []), ...heavy);
const namespace = heavy.length > 0 ? networkNamespace() : [];
await run(
  args,
  { OFFHOOK_UNIT_TESTS: unit.join("\n"), OFFHOOK_TEST_NETNS: namespace.length > 0 ? "1" : "" },
  namespace,
);

function testsUnder(path) {
  const place = resolve(root, path);
  const isFile = fs.statSync(place, { throwIfNoEntry: false })?.isFile() ?? false;
  const found = isFile
    ? [place]
    : fs.globSync("**/*.test.ts", { cwd: place }).map((name) => join(place, name));
  return found
    .map((file) => relative(root, file).split(sep).join("/"))
    .filter((file) => !file.includes("node_modules/") && !file.includes("/dist/"));
}

/**
 * A command prefix that runs what follows in a network of its own, where real phones find an address that is not
 * 127/8 and nobody else's ports; empty where the system does not allow it (tests that need it are then skipped).
 */
function networkNamespace() {
  if (process.platform !== "linux") return [];
  const prepare =
    'ip link set lo up && ip address add 10.99.0.1/32 dev lo && ip route add default dev lo && exec "$@"';
  for (const rights of [[], ["--user", "--map-root-user"]]) {
    const prefix = ["unshare", ...rights, "--net", "sh", "-c", prepare, "sh"];
    const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
    if (spawnSync(prefix[0], [...prefix.slice(1), "true"], { env, stdio: "ignore" }).status === 0) {
      process.env["PATH"] = env.PATH;
      return prefix;
    }
  }
  return [];
}

async function run(nodeArguments, extra, prefix = []) {
  const [command, ...args] = [...prefix, pinnedNode(), ...nodeArguments];
  const child = spawn(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...extra },
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  const status = await new Promise((done) =>
    child.on("exit", (code, signal) => done(signal === null ? code : 1)),
  );
  process.exit(status);
}
