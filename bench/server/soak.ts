// A long run at a steady load: 100 000 bindings and 10 000 calls in progress; nothing may grow.

import { ours, pause } from "./contestants.ts";
import { call, request, userNames, withBob, withServer } from "./scenes.ts";
import { quantile } from "./sipp.ts";

/** Growth of the live heap that is allowed, and ms that the event loop may be late in 99.9 % of its turns. */
const gates = { growth: 0.05, delay: 20 };
const bindings = 100_000;
const callsUp = 10_000;

/**
 * Prints a line per sample; false if the live heap grew by more than 5 % from the first sample to the last, the event
 * loop was late, or calls failed.
 */
export async function soak(rate: number, minutes: number, sampleSeconds: number = 60): Promise<boolean> {
  return await withServer(ours({ isObserved: true }), async (server) => {
    await request(server, "register", { rate: 4000, count: bindings, users: userNames(bindings) });
    return await withBob({}, async () => {
      const hold = Math.round((callsUp / rate) * 1000);
      const settling = 45;
      const seconds = settling + minutes * 60;
      const calls = call(server, { rate, seconds, hold, isTimed: true });
      // Until transactions end as fast as they begin (64·T1), and calls too.
      await pause((settling + hold / 1000) * 1000);
      await server.ask();
      const samples: { heap: number; delay: number }[] = [];
      // Until the last call begins: afterwards there are fewer.
      const end = performance.now() + minutes * 60_000 - hold;
      do {
        await pause(sampleSeconds * 1000);
        const sample = { ...(await server.ask()), pss: server.memory };
        samples.push(sample);
        const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
        console.log(
          `  live heap ${megabytes(sample.heap)} MB, PSS ${megabytes(sample.pss)} MB, event loop p99.9 ${sample.delay.toFixed(1)} ms`,
        );
      } while (performance.now() + sampleSeconds * 1000 < end);
      const { succeeded, failed, retransmitted, times, cpu } = await calls;
      const growth = samples.at(-1)!.heap / samples[0]!.heap - 1;
      const late = Math.max(...samples.map(({ delay }) => delay));
      console.log(
        [
          `${rate} calls/s for ${minutes} min, ${callsUp} up, ${bindings} bindings: ${succeeded} succeeded, ${failed} failed,`,
          `${retransmitted} retransmissions; INVITE to 180 p99 ${quantile(times, 0.99)} ms; live heap grew by`,
          `${(growth * 100).toFixed(1)} % (gate ${gates.growth * 100}); event loop p99.9 at worst ${late.toFixed(1)} ms`,
          `(gate ${gates.delay}); ${cpu.toFixed(0)} µs of CPU per call`,
        ].join(" "),
      );
      return failed === 0 && growth <= gates.growth && late <= gates.delay;
    });
  });
}
