// Time in browsers: monotonic, on the scale of the Unix epoch.

import type { Clock } from "../ports.ts";

/** `setTimeout` takes 31 bits of milliseconds. */
const longestDelay = 0x7fffffff;

/** The page's clock. A system clock that is set anew does not move it. */
export const webClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  schedule(delay, callback) {
    let remaining = Math.max(0, delay);
    let handle: ReturnType<typeof setTimeout>;
    const start = () => {
      const step = Math.min(remaining, longestDelay);
      remaining -= step;
      handle = setTimeout(() => (remaining > 0 ? start() : callback()), step);
    };
    start();
    return { cancel: () => clearTimeout(handle) };
  },
};
