// Messages go in and come out as they were, wherever they fall in the blocks, which serve one trace after another.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flow } from "@offhook/sip/transport";
import fc from "fast-check";
import { MessageTrace, TraceBlocks } from "./message-trace.ts";

const listener = { id: 1, transport: "UDP", address: "127.0.0.1", port: 5060 } as const;
const flows: Flow[] = [5070, 5080, 5090].map((port) => ({
  ...{ id: String(port), transport: "UDP", isReliable: false, listener, state: "open" },
  remote: { address: "192.0.2.1", port },
}));

test("message trace: what went in comes out, in traces one after the other", () => {
  const message = fc.record({
    // Around and above the size of a block, and small ones to end anywhere in it.
    length: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1990, max: 5000 })),
    flow: fc.constantFrom(...flows),
    isSent: fc.boolean(),
    delay: fc.integer({ min: 0, max: 0xffff_ffff }),
  });
  fc.assert(
    fc.property(fc.array(fc.array(message, { maxLength: 30 }), { maxLength: 4 }), (traces) => {
      const blocks = new TraceBlocks();
      const start = 1_700_000_000_000;
      for (const messages of traces) {
        const trace = new MessageTrace(blocks, start);
        const expected = messages.map(({ length, flow, isSent, delay }, number) => {
          const bytes = Uint8Array.from({ length }, (_, i) => number + i);
          trace.add(isSent, flow, bytes, start + delay);
          return { at: start + delay, isSent, transport: flow.transport, remote: flow.remote, bytes };
        });
        assert.deepEqual(trace.messages(), expected);
        assert.equal(trace.count, expected.length);
        assert.equal(
          trace.byteCount,
          expected.reduce((sum, { bytes }) => sum + bytes.length, 0),
        );
        trace.release();
      }
    }),
    { numRuns: 200 },
  );
});
