import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../testing/index.ts";
import { bench, request, START } from "./transport.test.kit.ts";

// What arrives is anybody's choice: nothing may throw, nothing may grow without bound.

const random = new SeededRandom(20);
const below = (limit: number) => Math.floor(random.next() * limit);
const good = new TextEncoder().encode(
  request("SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bKa;rport", "Route: <sip:a@b;lr>", "l: 0").replace(
    "Content-Length: 0\r\n",
    "",
  ),
);

/** A good request with a few bytes changed, doubled or left out; or mere noise with line ends in it. */
function garbage(): Uint8Array {
  if (below(4) === 0) {
    const likely = [13, 10, 13, 10, 32, 58, 59, 47, 48];
    return Uint8Array.from({ length: below(400) }, () =>
      below(3) === 0 ? below(256) : (likely[below(9)] ?? 0),
    );
  }
  const bytes = [...good];
  for (let change = below(4); change >= 0; change--) {
    const at = below(bytes.length);
    if (below(3) === 0) bytes.splice(at, 1 + below(20));
    else if (below(2) === 0) bytes.splice(at, 0, ...bytes.slice(at, at + below(30)));
    else bytes[at] = below(256);
  }
  return Uint8Array.from(bytes);
}

test("garbage over UDP: nothing throws, and a good request is still passed up", () => {
  const t = bench();
  const flow = t.layer.acceptFlow(t.udp, { address: "192.0.2.7", port: 5060 }, START);
  for (let i = 0; i < 5000; i++) t.layer.receive(garbage(), flow, START);
  const before = t.requests.length;
  t.layer.receive(good, flow, START);
  assert.equal(t.requests.length, before + 1);
});

test("garbage over streams, in pieces: nothing throws, no connection stays in between", () => {
  const t = bench({ messageTime: 1000, silentTime: 1000, idleTime: 1000 });
  for (let i = 0; i < 600; i++) {
    const flow = t.accept(`192.0.2.7:${1000 + i}`, START + i);
    for (let message = 0; message < 5 && flow.state === "open"; message++) {
      const bytes = garbage();
      for (let from = 0; from < bytes.length; ) {
        const to = from + 1 + below(120);
        t.layer.receive(bytes.subarray(from, to), flow, START + i);
        from = to;
      }
    }
  }
  for (let now = START; now < START + 5000; now += 500) t.layer.tick(now);
  assert.equal(t.layer.connectionCount, 0);
  assert.equal(t.layer.deadline, Number.POSITIVE_INFINITY);
});
