// Memory per registered contact and per call in progress: what is alive in our heap, and what the system sees (PSS).

import { type Contestant, kamailio, ours, pause } from "./contestants.ts";
import { call, request, userNames, withBob, withServer } from "./scenes.ts";
import { kilobytes, markdownTable } from "./table.ts";

interface Taken {
  readonly heap: number;
  readonly pss: number;
}

async function taken(server: Contestant, isOurs: boolean): Promise<Taken> {
  const heap = isOurs ? (await server.ask("memory")).heap : Number.NaN;
  return { heap, pss: server.memory };
}

/** Prints and returns the table. */
export async function memoryUse(bindings: number = 100_000, calls: number = 10_000): Promise<string> {
  const rows: string[][] = [];
  for (const { name, command, isOurs } of [
    { name: "Offhook", command: ours({ isObserved: true }), isOurs: true },
    { name: "Kamailio `tlsf`", command: kamailio({ allocator: "tlsf" }), isOurs: false },
  ]) {
    await withServer(command, async (server) => {
      // Code and pools as they are under load, and nothing of it alive any more: transactions live for 32 s.
      await request(server, "register", { rate: 4000, count: 20_000, users: userNames(1000) });
      await pause(40_000);
      const before = await taken(server, isOurs);
      const { succeeded } = await request(server, "register", {
        ...{ rate: 4000, count: bindings, users: userNames(bindings) },
      });
      await pause(40_000);
      const registered = await taken(server, isOurs);
      const perBinding = difference(registered, before, succeeded - 1000);
      rows.push([`${name}, binding (of ${bindings})`, ...perBinding]);
      console.log(`  ${rows.at(-1)!.join(", ")}`);
      await withBob({}, async () => {
        // All are up while it is looked at, the last one for some seconds.
        const seconds = calls / 1000;
        const hold = (seconds + 15) * 1000;
        const running = call(server, { rate: 1000, seconds, hold });
        await pause((seconds + 8) * 1000);
        const inCall = await taken(server, isOurs);
        const { succeeded } = await running;
        rows.push([`${name}, call in progress (of ${calls})`, ...difference(inCall, registered, succeeded)]);
        console.log(`  ${rows.at(-1)!.join(", ")}`);
      });
    });
  }
  return markdownTable(["", "live heap", "PSS"], rows);
}

function difference(after: Taken, before: Taken, count: number): string[] {
  const each = (a: number, b: number) => (Number.isNaN(a) ? "–" : kilobytes((a - b) / count));
  return [each(after.heap, before.heap), each(after.pss, before.pss)];
}
