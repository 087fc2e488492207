// The packages as npm would publish them, installed in a folder of their own: every subpath loads, the command runs,
// the store finds its worker. Sources and the @offhook/source condition are out of reach there.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { findProgram, Program } from "./interop/peers/program.ts";
import { root } from "./interop/peers/server.ts";

const run = promisify(execFile);
const folders = ["sip", "server", "cli"];

describe(
  "the packed packages",
  findProgram("npm") && findProgram("tar") ? {} : { skip: "needs npm and tar" },
  () => {
    let place: string;
    let modules: string;
    const command = () => join(modules, "offhook/bin/offhook.mjs");

    before(async () => {
      place = mkdtempSync(join(tmpdir(), "offhook-packed-"));
      modules = join(place, "node_modules");
      await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "packages/cli"], {
        cwd: root,
      });
      mkdirSync(join(modules, "@offhook"), { recursive: true });
      for (const name of readdirSync(join(root, "node_modules"))) {
        if (!name.startsWith(".") && name !== "@offhook" && name !== "offhook")
          symlinkSync(join(root, "node_modules", name), join(modules, name));
      }
      for (const folder of folders) {
        const source = join(root, "packages", folder);
        const { stdout } = await run(
          "npm",
          ["pack", "--json", "--ignore-scripts", "--pack-destination", place],
          { cwd: source },
        );
        const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
        const { name } = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as { name: string };
        mkdirSync(join(modules, name), { recursive: true });
        await run("tar", ["-xzf", join(place, filename), "-C", join(modules, name), "--strip-components=1"]);
      }
    });

    after(() => rmSync(place, { recursive: true, force: true }));

    test("no sources, tests or build records are in them", () => {
      for (const name of ["@offhook/sip", "@offhook/server", "offhook"]) {
        const files = readdirSync(join(modules, name), { recursive: true }).map(String);
        const wrong = files.filter((file) => /(^|\/)src\/|\.test\.|\.tsbuildinfo$|(?<!\.d)\.ts$/.test(file));
        assert.deepEqual(wrong, [], name);
      }
    });

    test("@offhook/sip: the front door and every folder load, on this Node and on npm's", async () => {
      const subpaths = readdirSync(join(root, "packages/sip/src"), { withFileTypes: true })
        .filter(
          (entry) =>
            entry.isDirectory() && existsSync(join(root, "packages/sip/src", entry.name, "index.ts")),
        )
        .map((entry) => `@offhook/sip/${entry.name}`);
      const program = join(place, "load.mjs");
      const names = ["@offhook/sip", "@offhook/sip/stack", ...subpaths].filter(
        (name) => name !== "@offhook/sip/web",
      );
      writeFileSync(
        program,
        `${names.map((name, i) => `import * as m${i} from ${JSON.stringify(name)};`).join("\n")}
const { parseMessage } = m0;
const text = "OPTIONS sip:a@b SIP/2.0\\r\\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\\r\\nMax-Forwards: 70\\r\\nFrom: <sip:x@y>;tag=1\\r\\nTo: <sip:a@b>\\r\\nCall-ID: c\\r\\nCSeq: 1 OPTIONS\\r\\nContent-Length: 0\\r\\n\\r\\n";
console.log(parseMessage(new TextEncoder().encode(text)).method, ${names.length});
`,
      );
      const others = process.env["npm_node_execpath"];
      for (const node of new Set([process.execPath, ...(others ? [others] : [])])) {
        const { stdout } = await run(node, [program]);
        assert.equal(stdout.trim(), `OPTIONS ${names.length}`, node);
      }
    });

    test("offhook code --json lists 77 codes", async () => {
      const { stdout } = await run(process.execPath, [command(), "code", "--json"]);
      assert.equal(JSON.parse(stdout).length, 77);
    });

    test("offhook serve starts with a database and ends in order", async () => {
      const config = join(place, "offhook.yaml");
      writeFileSync(config, "listeners: [{ transport: udp, host: 127.0.0.1, port: 0 }]\nhttp: { port: 0 }\n");
      const server = new Program(process.execPath, [command(), "serve", "--config", config], { cwd: place });
      await server.says(/listening/i, 20_000);
      assert.equal(await server.stop(), 0, server.output);
      assert.ok(existsSync(join(place, "offhook-data/offhook.db")));
    });
  },
);
