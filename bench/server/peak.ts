// Many calls on one core: the server on the first, SIPp on the second.

import { ours } from "./contestants.ts";
import { call, withBob, withServer } from "./scenes.ts";
import { quantile } from "./sipp.ts";

/** ms; of 5000 calls a second. */
const gate = 20;

/** Prints what became of the calls; false if any was lost or the 99th percentile is above its gate. */
export async function peak(rate: number, seconds: number): Promise<boolean> {
  const cores = { server: 0, load: 1 };
  return await withServer(
    ours({ isObserved: true }),
    async (server) =>
      await withBob({ cores }, async () => {
        await call(server, { rate: 1000, seconds: 5, cores });
        await server.ask("delay");
        const { succeeded, failed, retransmitted, times, cpu } = await call(server, {
          ...{ rate, seconds, cores, isTimed: true },
        });
        const { delay } = await server.ask("delay");
        const p99 = quantile(times, 0.99);
        console.log(
          [
            `${rate} calls/s for ${seconds} s on one core: ${succeeded} succeeded, ${failed} failed,`,
            `${retransmitted} retransmissions; INVITE to 180 p50 ${quantile(times, 0.5)} ms, p99 ${p99} ms,`,
            `p99.9 ${quantile(times, 0.999)} ms; ${cpu.toFixed(0)} µs of CPU per call; event loop p99.9 ${delay.toFixed(1)} ms`,
          ].join(" "),
        );
        return failed === 0 && retransmitted === 0 && p99 <= gate;
      }),
    cores.server,
  );
}
