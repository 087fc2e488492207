// What a browser loads: a phone without the texts on response codes, until somebody asks for a failure in words.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bundles a program, as text by file. */
async function bundle(program: string): Promise<Map<string, string>> {
  const entry = join(root, "packages/sip/bundled.ts");
  const output = (await build({
    ...{ root, configFile: false, logLevel: "error" },
    resolve: { conditions: ["@offhook/source"] },
    plugins: [
      {
        name: "program",
        enforce: "pre",
        resolveId: (id: string) => (id === entry ? id : undefined),
        load: (id: string) => (id === entry ? program : undefined),
      },
    ],
    build: { write: false, lib: { entry, formats: ["es"], fileName: "program" } },
  })) as Rolldown.RolldownOutput[];
  const chunks = output.flatMap((one) => one.output).filter((chunk) => chunk.type === "chunk");
  return new Map(chunks.map(({ fileName, code }) => [fileName, code]));
}

const phone = `import { UserAgent } from "./src/user-agent/index.ts";
export { UserAgent };`;

test("a phone has no text on response codes in it", async () => {
  const files = await bundle(phone);
  assert.equal(files.size, 1);
  for (const code of files.values()) assert.doesNotMatch(code, /speed dials/);
});

test("with explain() each language is a file of its own, loaded when asked for", async () => {
  const files = await bundle(`${phone}\nexport { explain } from "./src/core/index.ts";`);
  const [program, ...texts] = [...files.values()];
  assert.doesNotMatch(program ?? "", /speed dials/);
  assert.equal(texts.filter((code) => /speed dials/.test(code)).length, 1);
  assert.equal(texts.length, 2);
});
