// CPU per call and per request beside Kamailio: the load of bench/load, in turn, at equal rates.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { importUsers } from "./accounts.ts";
import { kamailio, ours, workFolder } from "./contestants.ts";
import { markdownTable, median } from "./table.ts";

const loads = [
  { name: "call", label: "call at 1000/s", words: "--scen call --rate 1000 --n 4000 --warm 2000" },
  {
    name: "register",
    label: "REGISTER at 4000/s",
    words: "--scen register --rate 4000 --n 16000 --warm 12000",
  },
  { name: "options", label: "OPTIONS at 4000/s", words: "--scen options --rate 4000 --n 16000 --warm 12000" },
  {
    ...{ name: "digest", label: "REGISTER with digest at 2000/s" },
    words: "--scen register_auth --rate 2000 --n 8000 --warm 10000",
  },
] as const;

const tlsf = { allocator: "tlsf" } as const;

/** Prints and returns the table; rows of loads, columns of servers. */
export function cost(rounds: number): string {
  importUsers();
  const servers = [
    { name: "Kamailio `tlsf`", plain: kamailio(tlsf), digest: [...kamailio(tlsf), "-A", "WITH_AUTH"] },
    { name: "Offhook", plain: ours(), digest: ours({ digest: true }) },
    {
      name: "Offhook, `node:dgram`",
      plain: ours({ batch: "off" }),
      digest: ours({ batch: "off", digest: true }),
    },
    { name: "Kamailio `tlsf`, 1 child", plain: kamailio({ ...tlsf, children: 1 }) },
    { name: "Kamailio as Debian ships it", plain: kamailio(), digest: [...kamailio(), "-A", "WITH_AUTH"] },
  ];
  const costs = new Map<string, number[]>();
  const failures = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      for (const { name, words } of loads) {
        const command = name === "digest" ? server.digest : server.plain;
        if (command === undefined) continue;
        const { us, failed, resent } = runLoad(command, words);
        const bad = failed + resent;
        const key = `${server.name} ${name}`;
        console.log(
          `  ${server.name}, ${name}: ${us.toFixed(1)} µs${bad > 0 ? `, ${bad} failed or resent` : ""}`,
        );
        costs.set(key, [...(costs.get(key) ?? []), us]);
        failures.set(key, (failures.get(key) ?? 0) + bad);
      }
    }
  }
  const rows = loads.map(({ name, label }) => {
    const of = (server: string) => median(costs.get(`${server} ${name}`) ?? []);
    const base = of(servers[0]!.name);
    return [
      label,
      ...servers.map((server, i) => {
        const us = of(server.name);
        if (Number.isNaN(us)) return "–";
        const bad = failures.get(`${server.name} ${name}`) ?? 0;
        return [
          us.toFixed(1),
          ...(i === 0 ? [] : [`(${(us / base).toFixed(2)})`]),
          ...(bad === 0 ? [] : [`– ${bad} failed or resent!`]),
        ].join(" ");
      }),
    ];
  });
  return markdownTable(["µs of CPU (and times the first)", ...servers.map(({ name }) => name)], rows);
}

/** One run of bench/load/load.py. */
export function runLoad(
  command: readonly string[],
  words: string,
): { us: number; failed: number; resent: number } {
  const script = fileURLToPath(new URL("../load/load.py", import.meta.url));
  const args = [script, "--server", command.join(" "), "--label", "x", "--reps", "1", ...words.split(" ")];
  const { stdout, stderr } = spawnSync("python3", args, {
    encoding: "utf8",
    env: { ...process.env, OUT: workFolder },
    timeout: 120_000,
    // It ends its server on this one only.
    killSignal: "SIGINT",
  });
  const line = stdout.split("\n").find((text) => text.includes("SUMMARY"));
  if (line === undefined) throw new Error(`${command.join(" ")} was not measured: ${stdout}${stderr}`);
  const { med_us, fails, retr } = JSON.parse(line) as { med_us: number; fails: number; retr: number };
  return { us: med_us, failed: fails, resent: retr };
}
