// `npm run bench [name …]`: runs the comparisons of this folder and fails if one misses its gate.
const suites: Record<string, () => Promise<{ run(): boolean | Promise<boolean> }>> = {
  parse: () => import("./parse.ts"),
  proxy: () => import("./proxy.ts"),
  registrar: () => import("./registrar.ts"),
  transaction: () => import("./transaction.ts"),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(`no such comparison: ${unknown.join(", ")} (there is ${Object.keys(suites).join(", ")})`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : Object.keys(suites)) {
  const suite = await suites[name]!();
  if (!(await suite.run())) {
    console.error(`${name}: a gate is missed`);
    process.exitCode = 1;
  }
}
