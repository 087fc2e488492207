// Sockets for the tests of this package, closed after each.

import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { setImmediate } from "node:timers/promises";
import { BatchSocket, type BatchSocketOptions, isAvailable, type Peer, whyUnavailable } from "./index.ts";

if (process.env["CI"] === "true" && process.platform === "linux") assert.equal(whyUnavailable, undefined);
export const skip = !isAvailable && whyUnavailable;

/** Done after each test, the last first. */
export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A socket that notes what happens to it. */
export class Noting {
  readonly batches: string[][] = [];
  readonly from: Peer[] = [];
  readonly failures: [address: string, port: number, code: string][] = [];
  readonly errors: Error[] = [];
  readonly socket: BatchSocket;
  /** What else happens with a batch. */
  react: (texts: string[], socket: BatchSocket) => void = () => {};

  constructor(options: Partial<BatchSocketOptions> = {}) {
    this.socket = new BatchSocket({
      address: "127.0.0.1",
      port: 0,
      receiveBufferSize: 1 << 20,
      onBatch: (count, socket) => {
        const texts: string[] = [];
        for (let i = 0; i < count; i++) {
          texts.push(text(socket.bytes(i)));
          this.from.push(socket.peer(i));
        }
        this.batches.push(texts);
        this.react(texts, socket);
      },
      onSendFailed: ({ address, port }, error) => this.failures.push([address, port, error.code]),
      onError: (error) => this.errors.push(error),
      ...options,
    });
    cleanups.push(() => this.socket.close());
  }

  get received(): string[] {
    return this.batches.flat();
  }

  send(content: string | Uint8Array, to: { address: string; port: number }): void {
    const peer = this.socket.peerAt(to.address, to.port);
    assert.ok(peer);
    this.socket.send(typeof content === "string" ? Buffer.from(content) : content, peer);
  }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
export const numbered = (count: number, name = "") => Array.from({ length: count }, (_, i) => `${name}${i}`);

export async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!done()) {
    assert.ok(performance.now() < end, "waited in vain");
    await setImmediate();
  }
}
