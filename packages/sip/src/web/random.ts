// Chance in browsers.

import type { Random } from "../ports.ts";

/** What one call of getRandomValues may fill. */
const longestFill = 65_536;

/** The browser's CSPRNG. */
export const webRandom: Random = {
  bytes(length) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += longestFill) {
      crypto.getRandomValues(bytes.subarray(at, at + longestFill));
    }
    return bytes;
  },
};
