// A whole server, to be killed. Argument: configuration file. It tells its parent how far its clock is ahead of the one
// that all processes of this machine share.

import { hrtime } from "node:process";
import { loadConfig, OffhookServer } from "@offhook/server";

const shared = () => Number(hrtime.bigint()) / 1e6;
// The closest of several looks: between two of them this process may have stood still.
let [ahead, closest] = [0, Number.POSITIVE_INFINITY];
for (let looks = 0; looks < 100; looks++) {
  const before = shared();
  const own = performance.timeOrigin + performance.now();
  const took = shared() - before;
  if (took < closest) [ahead, closest] = [own - before, took];
}
process.send?.(ahead);

await OffhookServer.start(loadConfig(process.argv[2] ?? ""));
