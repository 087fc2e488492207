// Loaded before our server by --import: on each message from the process that measures it collects garbage and answers
// { heap, delay }: bytes alive, buffers included, and how late the event loop was in 99.9 % of its turns since the last time, in ms.

import { monitorEventLoopDelay } from "node:perf_hooks";

const delay = monitorEventLoopDelay({ resolution: 2 });
delay.enable();

process.on("message", () => {
  const late = delay.percentile(99.9) / 1e6;
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ heap: heapUsed + external, delay: late });
  // The collection itself held the loop up.
  setTimeout(() => delay.reset(), 100).unref();
});
process.channel?.unref();
