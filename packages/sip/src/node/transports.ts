// The sockets of a user agent on Node: what its `transports` option takes.

import type { Runtime, Transport } from "../user-agent/index.ts";
import { nodeClock } from "./clock.ts";
import { NodeDriver } from "./driver.ts";
import { nodeHash } from "./hash.ts";
import { nodeRandom } from "./random.ts";

/** Where to listen. */
export interface TransportOptions {
  /** Default: any free port. */
  port?: number;
  /** An address of this host. Default 0.0.0.0, all of IPv4. */
  address?: string;
  /** What peers are told instead (containers, cloud NAT). */
  advertise?: { host: string; port?: number };
}

/** This process's sockets, time, chance and hashing. */
export const nodeRuntime: Runtime = {
  clock: nodeClock,
  random: nodeRandom,
  hash: nodeHash,
  createDriver: () => new NodeDriver(),
};

/** SIP over UDP. */
export function udp(options: TransportOptions = {}): Transport {
  return { runtime: nodeRuntime, transport: "UDP", address: "0.0.0.0", ...options };
}

/** SIP over TCP. */
export function tcp(options: TransportOptions = {}): Transport {
  return { runtime: nodeRuntime, transport: "TCP", address: "0.0.0.0", ...options };
}
