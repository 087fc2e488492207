// The rules of the house, held by reading it: import direction, runtime split, lockfile, links in the documents.

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const library = join(root, "packages/sip/src");

/** A folder (or file) of the library imports only from those before it; `node` and `web` stand side by side. */
const order = [
  ...[
    "ports.ts",
    "errors.ts",
    "keyed-hash.ts",
    "md5.ts",
    "responses",
    "message",
    "sdp",
    "media",
    "transport",
    "transaction",
    "stack.ts",
  ],
  ...[
    "dialog",
    "auth",
    "core",
    "events",
    "user-agent",
    "registrar",
    "proxy",
    "node",
    "web",
    "testing",
    "index.ts",
  ],
];

/** The entry of `order` that a file belongs to; stack.ts has parts beside it. */
const placeOf = (path: string) =>
  order.indexOf(path.split("/")[0]!.replace(/^stack-[a-z]+\.ts$/, "stack.ts"));

interface Import {
  readonly file: string;
  readonly line: number;
  readonly from: string;
}

const slashed = (path: string) => path.split(sep).join("/");

function importsIn(folder: string, pattern: string): Import[] {
  return globSync(pattern, { cwd: folder })
    .map(slashed)
    .filter((file) => !file.includes("node_modules/") && !file.includes("dist/"))
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      const statements = text.matchAll(
        /^(?:import|export)\b(?:[^;=()]*?\bfrom)?\s*["']([^"']+)["']|\bimport\(["']([^"']+)["']\)/gm,
      );
      return [...statements].map((found) => ({
        file,
        line: text.slice(0, found.index).split("\n").length,
        from: found[1] ?? found[2]!,
      }));
    });
}

const isTest = (file: string) => /\.test(\.kit)?\.ts$|^testing\/|\/fixtures\//.test(file);
const inLibrary = importsIn(library, "**/*.ts");

test("library: a folder imports only from folders before it", () => {
  const wrong: string[] = [];
  for (const { file, line, from } of inLibrary) {
    // An error that carries a response says so in its type; nothing of message/ runs in errors.ts.
    if (isTest(file) || !from.startsWith(".") || file === "errors.ts") continue;
    const [self, other] = [
      placeOf(file),
      placeOf(slashed(relative(library, resolve(library, dirname(file), from)))),
    ];
    if (self === -1) wrong.push(`${file}: its folder is not in the list of this test`);
    else if (other === -1 || other > self) wrong.push(`${file}:${line} imports ${from}`);
  }
  assert.deepEqual(wrong, []);
  assert.doesNotMatch(readFileSync(join(library, "errors.ts"), "utf8"), /^import (?!type\b)/m);
});

test("library: no dependency at run time, and node:* only in node/", () => {
  const manifest = JSON.parse(readFileSync(join(root, "packages/sip/package.json"), "utf8"));
  assert.equal(manifest.dependencies, undefined);
  const wrong = inLibrary.filter(
    ({ file, from }) =>
      !from.startsWith(".") && !(from.startsWith("node:") && (isTest(file) || file.startsWith("node/"))),
  );
  assert.deepEqual(
    wrong.filter(({ file }) => !/\.test(\.kit)?\.ts$/.test(file)),
    [],
  );
});

test("library: outside node/ and web/ nothing touches time, chance or the process but by its ports", () => {
  const globals =
    /\b(Buffer\.|process\.|setTimeout\(|setInterval\(|setImmediate\(|Date\.now\(|Math\.random\(|performance\.)/;
  const wrong: string[] = [];
  for (const file of globSync("**/*.ts", { cwd: library }).map(slashed)) {
    if (isTest(file) || /^(node|web)\//.test(file)) continue;
    readFileSync(join(library, file), "utf8")
      .split("\n")
      .forEach((text, index) => {
        if (globals.test(text.replace(/\/\/.*$|^\s*\/?\*.*$/, "")))
          wrong.push(`${file}:${index + 1} ${text.trim()}`);
      });
  }
  assert.deepEqual(wrong, []);
});

test("server, conformance and cli import only packages that they name", () => {
  const wrong: string[] = [];
  for (const name of ["server", "conformance", "cli"]) {
    const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    for (const { file, line, from } of importsIn(join(root, "packages", name), "{src,scenarios}/**/*.ts")) {
      if (from.startsWith(".") || from.startsWith("node:")) continue;
      const dependency = from.split("/", from.startsWith("@") ? 2 : 1).join("/");
      if (manifest.dependencies[dependency] === undefined)
        wrong.push(`${name}/${file}:${line} imports ${from}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("lockfile: every platform package is in it, none runs a script, none names a host", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<
      string,
      { optionalDependencies?: object; hasInstallScript?: boolean; resolved?: string }
    >;
  };
  const names = Object.keys(packages);
  const missing = Object.entries(packages).flatMap(([name, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter((optional) => !names.some((other) => other.endsWith(`node_modules/${optional}`)))
      .map((optional) => `${name}: ${optional}`),
  );
  assert.deepEqual(missing, []);
  assert.deepEqual(
    names.filter((name) => packages[name]?.hasInstallScript),
    [],
  );
  assert.deepEqual(
    names.filter((name) => /^https?:/.test(packages[name]?.resolved ?? "")),
    [],
  );
});

test("set-up: the platform packages in package.json are those that scripts/setup.mjs looks for", async () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const script = readFileSync(join(root, "scripts/setup.mjs"), "utf8");
  for (const name of Object.keys(manifest.optionalDependencies))
    assert.ok(script.includes(`"${name}"`), name);
});

test("documents: every link to a file leads somewhere", () => {
  const wrong: string[] = [];
  for (const file of ["*.md", "docs/**/*.md", "packages/*/*.md", "bench/**/*.md", "examples/**/*.md"].flatMap(
    (pattern) => globSync(pattern, { cwd: root }),
  )) {
    if (file.includes("node_modules")) continue;
    const text = readFileSync(join(root, file), "utf8").replace(/^```.*?^```/gms, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|mailto:|#)/.test(target!)) continue;
      const path = join(root, dirname(file), target!.replace(/#.*$/, ""));
      if (!existsSync(path)) wrong.push(`${slashed(file)}: ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});
