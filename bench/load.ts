// `npm run bench:load [-- SECTION …] [--rounds N] [--write]`: the running server under the load of bench/load, beside
// Kamailio. Sections: cost, variants, latency, memory; without names all four. And on request, by their own arguments:
//   peak [RATE, 5000] [SECONDS, 60]      one core; nothing lost, p99 of INVITE to 180 at most 20 ms
//   soak [RATE, 3000] [MINUTES, 20]      100 000 bindings, 10 000 calls up; no growth, event loop p99.9 at most 20 ms
// Needs sip-tester, kamailio, python3 (Debian), UDP port 5080 and 5060 to 5090 free, and nothing else running.

import { parseArgs } from "node:util";
import { circumstances, versionOf, writeSection } from "./report.ts";
import { cost } from "./server/cost.ts";
import { latency } from "./server/latency.ts";
import { memoryUse } from "./server/memory.ts";
import { peak } from "./server/peak.ts";
import { soak } from "./server/soak.ts";
import { variants } from "./server/variants.ts";

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, write: { type: "boolean", default: false } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
const sections: Record<string, () => string | Promise<string>> = {
  cost: () => cost(rounds),
  variants: () => variants(rounds),
  latency: () => latency(),
  memory: () => memoryUse(),
};
const [first, ...numbers] = positionals;

if (first === "peak" || first === "soak") {
  const [rate = first === "peak" ? 5000 : 3000, length = first === "peak" ? 60 : 20] = numbers.map(Number);
  const isGood = await (first === "peak" ? peak(rate, length) : soak(rate, length));
  if (!isGood) process.exitCode = 1;
} else {
  const asked = positionals.length > 0 ? positionals : Object.keys(sections);
  const unknown = asked.filter((name) => !(name in sections));
  if (unknown.length > 0 || !(rounds >= 1)) {
    console.error(
      `npm run bench:load -- [${Object.keys(sections).join(" | ")} | peak | soak] …, --rounds N, --write`,
    );
    process.exit(2);
  }
  for (const name of asked) {
    console.log(`${name}:`);
    const table = await sections[name]!();
    console.log(`\n${table}\n`);
    if (values.write) {
      const programs = [versionOf("kamailio", "-v").replace("version: ", ""), versionOf("sipp", "-v").trim()];
      const command = `npm run bench:load -- ${name}${name === "cost" || name === "variants" ? ` --rounds ${rounds}` : ""}`;
      writeSection(`bench:load ${name}`, `\`${command} --write\`. ${circumstances(programs)}.\n\n${table}`);
    }
  }
}
