// A process that does nothing but register, until it is killed. It says on stdout what it has acknowledged and
// when flushes began and were committed; writes to a pipe are synchronous, so what was said was said before the end.
// Arguments: database file, "durable" or "behind".

import { openStore } from "@offhook/server";
import { nodeClock, nodeHash } from "@offhook/sip/node";

const [path = "", mode] = process.argv.slice(2);
const durable = mode === "durable";
const users = 1500;

const say = (line: string) => process.stdout.write(`${line}\n`);
const store = await openStore({
  ...{ path, durable, clock: nodeClock, hash: nodeHash },
  onFlushStarted: ({ sequence }) => say(`started ${sequence}`),
  onFlushCommitted: ({ sequence }) => say(`committed ${sequence}`),
  log: (level, line) => say(`${level} ${line}`),
});

let cSeq = 0;

async function register(): Promise<void> {
  const sequence = ++cSeq;
  const user = sequence % users;
  const result = await store.locations.update(`sip:user${user}@example.com`, {
    ...{ callId: `call-${user}`, cSeq: sequence, path: [], now: nodeClock.now() },
    contacts: [{ uri: `sip:user${user}@192.0.2.1`, expires: 3600, q: 1 }],
  });
  say(`${result.ok ? "acknowledged" : "refused"} ${user} ${sequence}`);
}

// Eight requests every 2 ms: as busy as a server with many phones.
setInterval(() => {
  for (let i = 0; i < 8; i++) void register();
}, 2);
