// Both kinds of UDP socket, for tests that hold for either.

import { loadBatchModule } from "./batched-udp.ts";

const found = await loadBatchModule();
if (typeof found === "string" && process.env["CI"] === "true" && process.platform === "linux")
  throw new Error(found);

/** A name for the test's title, the option for `listen`, and why the test must be skipped, if it must. */
export interface UdpKind {
  readonly name: string;
  readonly batch: boolean;
  readonly skip: string | false;
}

export const udpKinds: readonly UdpKind[] = [
  { name: "node:dgram", batch: false, skip: false },
  { name: "batches", batch: true, skip: typeof found === "string" && found },
];
