// What a user agent needs to stand on its own: sockets, time, chance, hashing. `node/` and `web/` provide it for
// real, `testing/` virtually.

import type { Clock, Hash, MaybePromise, Random } from "../ports.ts";
import type { Listener, StackInput, TransportName, TransportSink } from "../transport/index.ts";

/** A socket to listen on. What `udp()`, `tcp()`, … return. */
export interface Transport {
  /** Opens it; all transports of one user agent have the same. */
  readonly runtime: Runtime;
  readonly transport: TransportName;
  /** An address of this host, or the wildcard. */
  readonly address: string;
  /** Absent or 0: any free port. */
  readonly port?: number;
  /** What peers are told instead of the bound address. */
  readonly advertise?: { readonly host: string; readonly port?: number };
  /** For the driver alone: certificates and whom to trust. */
  readonly tls?: object;
  /** For the driver alone: how UDP is done. */
  readonly batch?: boolean;
}

/** Runs a stack on sockets. */
export interface StackDriver extends TransportSink {
  /** Once, before `listen`. */
  attach(stack: StackInput): void;
  listen(options: {
    transport: TransportName;
    address: string;
    port?: number;
    advertise?: { host: string; port?: number };
    tls?: object;
    batch?: boolean;
  }): MaybePromise<Listener>;
  /** Has this called each time the network is there again after it was gone, where that can be known. */
  onOnline?(listener: () => void): void;
  /** Closes everything. */
  stop(): MaybePromise<void>;
}

export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
  /** A driver with nothing open yet. */
  createDriver(): StackDriver;
}
