// Prints docs/responses.md from the scenarios and the catalogue. Run it after adding or changing a scenario:
//   node_modules/.bin/node --conditions=@offhook/source scripts/print-responses.ts
// test/responses-document.test.ts fails while the page is stale.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { entries, type Mutant } from "@offhook/conformance";

const root = new URL("../", import.meta.url);

/** The whole page. */
export async function printResponses(): Promise<string> {
  const lines = [
    "# The response codes: who sends them, and what happens then",
    "",
    "<!-- Printed by scripts/print-responses.ts from packages/conformance/scenarios. Do not edit. -->",
    "",
    "For each code: who sends it here and on which condition, the line of the product that does so, what the receiver does, the",
    "line that does that, and the scenario that proves both. Lines are named by their text, so that the page stays true when",
    "others move them. `offhook tour` plays the scenarios, `offhook tour CODE` draws one; `offhook tour --mutate` changes the named",
    "lines one at a time, and every scenario has to notice. What a code means, in words: `offhook code CODE`.",
    "",
    "| code | sent by | when | there | the receiver | there |",
    "|---|---|---|---|---|---|",
  ];
  const missing: string[] = [];
  for (const { code, phrase, file, load } of entries()) {
    const story = await load();
    if (story === undefined || file === undefined) {
      missing.push(`${code} ${phrase}`);
      continue;
    }
    const { sender, condition, reacts, mutants } = story;
    const title = `[${code} ${phrase}](../packages/conformance/scenarios/${file}.ts)`;
    const cells = [title, sender, condition, place(mutants.producer), reacts, place(mutants.reaction)];
    lines.push(`| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
  }
  if (missing.length > 0) lines.push("", "## Not yet", "", ...missing.map((code) => `- ${code}`));
  lines.push("");
  return lines.join("\n");
}

/** The file, and the line of the first difference that the mutant makes. */
function place({ file, find, replace }: Mutant): string {
  const source = readFileSync(new URL(file, root), "utf8");
  let same = 0;
  while (same < find.length && find[same] === replace[same]) same++;
  const isSpace = (text: string | undefined) => text !== undefined && text.trim() === "";
  while (isSpace(find[same])) same++;
  const at = source.indexOf(find) + Math.min(same, find.length - 1);
  const [line = ""] = source.slice(source.lastIndexOf("\n", at) + 1).split("\n");
  const name = file.split("/").pop();
  return `[${name}](../${file}) \`${line.trim()}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("docs/responses.md", root), await printResponses());
}
