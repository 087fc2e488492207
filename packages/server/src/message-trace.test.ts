// Messages go in and come out as they were, wherever they fall in the blocks, which serve one trace after another.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flow } from "@offhook/sip/transport";
import { MessageTrace, TraceMemory } from "./message-trace.ts";

const listener = { id: 1, transport: "UDP", address: "127.0.0.1", port: 5060 } as const;
const flows: Flow[] = [5070, 5080, 5090].map((port) => ({
  ...{ id: String(port), transport: "UDP", isReliable: false, listener, state: "open" },
  remote: { address: "192.0.2.1", port },
}));

// Around and above the size of a block, and small ones that end anywhere in it.
const lengths = [
  0, 1, 9, 10, 11, 537, 1990, 2023, 2024, 2025, 2035, 2036, 2037, 2038, 2048, 4086, 4096, 5000,
];

test("message trace: what went in comes out, in traces one after the other", () => {
  const memory = new TraceMemory();
  const start = 1_700_000_000_000;
  for (const first of lengths) {
    for (const second of lengths) {
      const trace = new MessageTrace(memory);
      const expected = [first, second, 700, first, second, 3].map((length, number) => {
        const flow = flows[(first + number) % flows.length]!;
        const isSent = number % 2 === 1;
        const at = start + number * 0x3000_0000;
        const bytes = Uint8Array.from({ length }, (_, i) => number + i + first);
        trace.add(isSent, flow, bytes, at);
        return { at, isSent, transport: flow.transport, remote: flow.remote, bytes };
      });
      assert.deepEqual(trace.messages(start), expected);
      assert.equal(trace.count, expected.length);
      assert.equal(trace.byteCount, 2 * (first + second) + 703);
      trace.release();
    }
  }
});
