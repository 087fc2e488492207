// The compiled half of the package: what udp_batch.c exports, and how it is found.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** A socket of the compiled half. */
export interface NativeSocket {
  /** Shared with it for as long as either lives. */
  readonly buffer: ArrayBuffer;
  /** What the system granted, in bytes. */
  readonly receiveBufferSize: number;
  readonly sendBufferSize: number;
}

/** udp_batch.c explains each. */
export interface Native {
  readonly interfaceVersion: number;
  /** Datagrams, and bytes of them, that may wait to be sent. */
  readonly queueLength: number;
  readonly areaSize: number;
  readonly slotSize: number;
  /** Words of the shared memory before the datagrams, and where in them the tables start. */
  readonly words: number;
  readonly received: number;
  readonly queued: number;
  readonly failed: number;
  /** Bytes from the start of the shared memory. */
  readonly slots: number;
  readonly area: number;
  open(
    isIpv6: boolean,
    address: string,
    port: number,
    receiveBufferSize: number,
    sendBufferSize: number,
    callback: () => void,
  ): NativeSocket | number;
  flush(socket: NativeSocket): void;
  close(socket: NativeSocket): void;
  parseAddress(socket: NativeSocket, text: string, port: number): boolean;
  printAddress(socket: NativeSocket, word: number): string;
}

const interfaceVersion = 3;

/** Why there are no batch sockets here; undefined if there are. */
export let unavailable: string | undefined;

function load(): Native | undefined {
  const name = `udp-batch-${process.platform}-${process.arch}.node`;
  const file = fileURLToPath(new URL(`../build/${name}`, import.meta.url));
  if (process.platform !== "linux") unavailable = "batch sockets need Linux";
  else if (!existsSync(file)) unavailable = `not compiled: there is no ${name}`;
  else {
    try {
      const native = createRequire(import.meta.url)(file) as Native;
      if (native.interfaceVersion === interfaceVersion) return native;
      unavailable = `${name} was compiled from other sources`;
    } catch (error) {
      // Another C library, say, or no memory to share.
      unavailable = error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

/** Undefined where it is not compiled, or does not run. */
export const native: Native | undefined = load();
