// From an INVITE to its 180 through the server, while it is under the load of bench/load.

import { kamailio, ours } from "./contestants.ts";
import { Probe } from "./probe.ts";
import { call, withBob, withServer } from "./scenes.ts";
import { markdownTable } from "./table.ts";

const servers = [
  { name: "Offhook", command: () => ours() },
  { name: "Offhook, `node:dgram`", command: () => ours({ batch: "off" }) },
  { name: "Kamailio `tlsf`", command: () => kamailio({ allocator: "tlsf" }) },
];
/** Calls of the probe per second. */
const probeRate = 200;

/** Prints and returns the table. */
export async function latency(
  rates: readonly number[] = [0, 1000, 3000],
  seconds: number = 10,
): Promise<string> {
  const rows: string[][] = [];
  for (const { name, command } of servers) {
    await withServer(command(), async (server) => {
      const probe = await Probe.start();
      await withBob({}, async () => {
        // Code and caches warm, as in a server that has run for a while.
        await call(server, { rate: 1000, seconds: 5 });
        for (const rate of rates) {
          const load = rate === 0 ? undefined : call(server, { rate, seconds: seconds + 1 });
          const times = await probe.measure(probeRate, seconds);
          const result = await load;
          const bad = result === undefined ? 0 : result.failed + result.retransmitted;
          const at = (share: number) => times[Math.ceil(share * times.length) - 1]!.toFixed(2);
          rows.push([name, `${rate}/s`, at(0.5), at(0.99), at(0.999), `${bad}`]);
          console.log(`  ${rows.at(-1)!.join(", ")}`);
        }
      });
      probe.stop();
    });
  }
  return markdownTable(["INVITE to 180, ms", "load", "p50", "p99", "p99.9", "failed or resent"], rows);
}
