// What the sockets of a driver need from it, and what a listener is asked for. Shared by the files beside this one.

import { networkInterfaces } from "node:os";
import type { Clock } from "../ports.ts";
import type { Flow, Listener, LocalAddress, StackInput, TransportName } from "../transport/index.ts";
import { isIpv6, isWildcard } from "../transport/index.ts";
import type { TlsListenOptions } from "./certificate-files.ts";

/** The driver as its sockets see it. */
export interface SocketHost {
  readonly stack: StackInput;
  readonly clock: Clock;
  /** After each input: the deadline may have moved. */
  afterInput(): void;
  /** Something that no flow can be told, e.g. an error of a listening socket. */
  report(error: Error): void;
}

/** A socket to open. */
export interface ListenOptions {
  transport: TransportName;
  /** An address of this host, or 0.0.0.0 or ::. IPv6 sockets take IPv6 only: listen twice for both. */
  address: string;
  /** Default 0: any free port. */
  port?: number;
  /** What peers are told instead (containers, cloud NAT). */
  advertise?: { host: string; port?: number };
  /** TLS: certificates, for both directions. */
  tls?: TlsListenOptions;
  /** TLS: see `Listener`. Default: whether we have a certificate to show on connections that we open. */
  connectionReuse?: boolean;
  /** UDP: receive and send buffer to ask the system for, in bytes. Default 4 MB. */
  bufferSize?: number;
  /**
   * UDP: whether datagrams are received and sent in batches, by the package `@offhook/udp-batch`. Default: if it is
   * installed and runs here. `true` rejects with the reason if not; `false` is node:dgram in any case.
   */
  batch?: boolean;
  /**
   * UDP in batches: milliseconds that datagrams may wait so that more are read at once, where at least eight are expected
   * in that time. Default 8; 0: none wait.
   */
  gather?: number;
}

/** A connection's socket, kept in its flow's `handle`. */
export interface FlowSocket {
  /** In order; what cannot be sent closes the flow with an error. */
  send(bytes: Uint8Array): void;
  /** Sends what is left, then ends. */
  close(): void;
  /** Ends at once. */
  destroy(): void;
}

/** An open listening socket. */
export interface ListenerSocket {
  readonly listener: Listener;
  /** UDP: what the system granted of the buffers asked for, in bytes. */
  readonly bufferSizes?: { readonly receive: number; readonly send: number };
  /** UDP: by `@offhook/udp-batch`. */
  readonly isBatched?: boolean;
  /** UDP: to `flow.remote`. */
  send?(flow: Flow, bytes: Uint8Array): void;
  /** Stops listening; connections that it accepted go on. Resolves once everything has ended. */
  close(): Promise<void>;
}

/** The listener that a bound socket is, with the host's addresses if it is bound to all of them. */
export function describeListener(
  id: number,
  options: ListenOptions,
  address: string,
  port: number,
): Listener {
  return {
    id,
    transport: options.transport,
    address,
    port,
    ...(options.advertise && { advertise: options.advertise }),
    ...(options.connectionReuse && { connectionReuse: true }),
    ...(isWildcard(address) && { localAddresses: localAddresses(isIpv6(address)) }),
  };
}

function localAddresses(ipv6: boolean): LocalAddress[] {
  const addresses: LocalAddress[] = [];
  for (const entries of Object.values(networkInterfaces())) {
    for (const { address, cidr, family } of entries ?? []) {
      if ((family === "IPv6") !== ipv6) continue;
      addresses.push({ address, prefixLength: Number(cidr?.split("/")[1] ?? (ipv6 ? 64 : 24)) });
    }
  }
  // Link-local addresses last: they mean nothing without their interface.
  return addresses.sort((a, b) => Number(isLinkLocal(a.address)) - Number(isLinkLocal(b.address)));
}

function isLinkLocal(address: string): boolean {
  return address.startsWith("fe80:") || address.startsWith("169.254.");
}

/** A plain view of a Buffer: `slice` of a Buffer shares memory, that of a Uint8Array copies. */
export function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
