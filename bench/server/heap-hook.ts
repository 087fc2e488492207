// Loaded before our server by --import: on each message from the process that measures it answers { heap, delay }: bytes in the
// heap, buffers included, and how late the event loop was in 99.9 % of its turns since the last time, in ms. Asked for the
// "heap" it collects garbage before. Where no call is up, V8 throws away with it what it has compiled for calls. Asked for the
// "memory" it gives back to the system what is not in use, compiled code too.

import { monitorEventLoopDelay } from "node:perf_hooks";

const delay = monitorEventLoopDelay({ resolution: 2 });
delay.enable();

process.on("message", (what: "heap" | "delay" | "memory") => {
  const late = delay.percentile(99.9) / 1e6;
  if (what === "heap") for (let i = 0; i < 3; i++) globalThis.gc?.();
  if (what === "memory") globalThis.gc?.({ type: "major", flavor: "last-resort" });
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ heap: heapUsed + external, delay: late });
  // The collection itself held the loop up.
  setTimeout(() => delay.reset(), 100).unref();
});
process.channel?.unref();
