// A network that is slower than the sender: what waits, what is lost, and that the sender recovers.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isAvailable, whyUnavailable } from "./index.ts";

const program = fileURLToPath(new URL("./slow-network.test.kit.ts", import.meta.url));
const setUp = "ip link set lo up && tc qdisc add dev lo root tbf rate 20mbit burst 16kb latency 60s";
const namespace = ["unshare", "--net", "sh", "-c", `${setUp} && exec "$@"`, "sh"];

function lacking(): string | false {
  if (process.env["CI"] === "true") return false;
  if (!isAvailable) return whyUnavailable ?? "not compiled";
  const [command = "", ...args] = namespace;
  const outcome = spawnSync(command, [...args, "true"], { encoding: "utf8" });
  if (outcome.status === 0) return false;
  return `needs unshare and tc, and the right to use them: ${outcome.error?.message ?? outcome.stderr.trim()}`;
}

test("a slow network: datagrams wait in order, a full queue loses the newest, then all is as before", {
  skip: lacking(),
}, async () => {
  const [command = "", ...args] = namespace;
  const { stdout } = await promisify(execFile)(command, [...args, process.execPath, program]);
  const [within, beyond, after] = JSON.parse(stdout) as {
    received: number;
    inOrder: boolean;
    leftAtOnce: number;
    lost: number;
    errors: string[];
    busy: number;
  }[];
  const { busy: _, ...first } = within!;
  assert.deepEqual(first, { received: 800, inOrder: true, leftAtOnce: 0, lost: 0, errors: [] });
  assert.ok(beyond!.lost > 1000 && beyond!.received > 1024, JSON.stringify(beyond));
  assert.equal(beyond!.received + beyond!.lost, 3000);
  assert.equal(beyond!.inOrder, true);
  assert.equal(beyond!.errors.length, 1);
  assert.match(beyond!.errors[0]!, /cannot send: datagrams are lost/);
  // It waits for the system; it does not ask again and again.
  assert.ok(beyond!.busy < 0.7, `${beyond!.busy} of a core`);
  const { received, lost, errors } = after!;
  assert.deepEqual({ received, lost, errors }, { received: 10, lost: 0, errors: [] });
});
