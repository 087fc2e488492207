// The sockets of a user agent on Node: what its `transports` option takes.

import type { Runtime, Transport } from "../user-agent/index.ts";
import type { TlsClientOptions, TlsServerOptions } from "./certificate-files.ts";
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

export interface UdpTransportOptions extends TransportOptions {
  /**
   * Whether datagrams are received and sent in batches, by the package `@offhook/udp-batch`. Default: if it is
   * installed and runs here. With `true` opening fails, saying why, if it cannot be; `false` is node:dgram.
   */
  batch?: boolean;
  /**
   * In batches: milliseconds that datagrams may wait so that more are read at once, where at least eight are expected in
   * that time. Default 8; 0: none wait.
   */
  gather?: number;
}

/** SIP over UDP. */
export function udp(options: UdpTransportOptions = {}): Transport {
  return { runtime: nodeRuntime, transport: "UDP", address: "0.0.0.0", ...options };
}

/** SIP over TCP. */
export function tcp(options: TransportOptions = {}): Transport {
  return { runtime: nodeRuntime, transport: "TCP", address: "0.0.0.0", ...options };
}

/** Where and how to speak TLS. Without `certificate` and `key` only connections that we open work. */
export interface TlsTransportOptions extends TransportOptions, Partial<TlsServerOptions>, TlsClientOptions {}

/**
 * SIP over TLS. Certificate and key, each a file or PEM text, are shown to both sides: who connects to us, and
 * servers that ask. Servers are checked against `ca`, else against the public authorities (RFC 5922).
 */
export function tls(options: TlsTransportOptions = {}): Transport {
  const { port, address = "0.0.0.0", advertise, ...own } = options;
  const { certificate, key, ca, verify } = own;
  const client = {
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    ...(verify !== undefined && { verify }),
  };
  return {
    ...{ runtime: nodeRuntime, transport: "TLS", address, tls: { ...own, client } },
    ...(port !== undefined && { port }),
    ...(advertise !== undefined && { advertise }),
  };
}
