// What bench/load has not: calls over TCP, calls with digest, registrations that are written to disk.

import { importUsers } from "./accounts.ts";
import { kamailio, ours } from "./contestants.ts";
import { runLoad } from "./cost.ts";
import { type CallOptions, call, withBob, withServer } from "./scenes.ts";
import { markdownTable, median } from "./table.ts";

const tlsf = { allocator: "tlsf" } as const;

/** Prints and returns the table. */
export async function variants(rounds: number): Promise<string> {
  importUsers();
  const rows: string[][] = [];
  for (const [label, options] of [
    ["call over TCP at 1000/s", { transport: "tcp" }],
    ["call with digest at 1000/s", { digest: true }],
  ] as const) {
    const { transport, digest = false } = options as Partial<CallOptions>;
    const with_ = { digest, tcp: transport === "tcp" };
    const own: number[] = [];
    const other: number[] = [];
    for (let round = 0; round < rounds; round++) {
      own.push(await callCost(ours(with_), options));
      other.push(await callCost(kamailio({ ...tlsf, ...with_ }), options));
      console.log(`  ${label}: ${own.at(-1)!.toFixed(1)}, Kamailio ${other.at(-1)!.toFixed(1)} µs`);
    }
    rows.push([label, ...compared(median(own), median(other))]);
  }
  const behind: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < rounds; round++) {
    behind.push(registrationCost(ours({ writeBehind: true })));
    memory.push(registrationCost(ours()));
    console.log(`  REGISTER: write-behind ${behind.at(-1)}, memory ${memory.at(-1)} µs`);
  }
  rows.push([
    "REGISTER at 4000/s, written behind; beside it in memory",
    ...compared(median(behind), median(memory)),
  ]);
  return markdownTable(["µs of CPU", "Offhook", "beside it: Kamailio `tlsf`", "ratio"], rows);
}

function registrationCost(command: readonly string[]): number {
  const { us, failed } = runLoad(command, "--scen register --rate 4000 --n 16000 --warm 12000");
  if (failed > 0) throw new Error(`${failed} registrations failed: ${command.join(" ")}`);
  return us;
}

async function callCost(command: readonly string[], options: Partial<CallOptions>): Promise<number> {
  return await withServer(command, async (server) =>
    withBob(options, async () => {
      await call(server, { ...options, rate: 1000, seconds: 2 });
      const { cpu, failed } = await call(server, { ...options, rate: 1000, seconds: 4 });
      if (failed > 0) throw new Error(`${failed} calls failed: ${command.join(" ")}`);
      return cpu;
    }),
  );
}

function compared(own: number, other: number): string[] {
  return [own.toFixed(1), other.toFixed(1), (own / other).toFixed(2)];
}
