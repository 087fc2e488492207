// Nothing is tried again for ever: a server that never gives in, and the guard that counts. RFC 3261 §8.1.3.5, §22.1.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SipRequest } from "../message/index.ts";
import { challenge, credentials, exchange, type Reply, text } from "./exchange.test.kit.ts";
import { RetryGuard } from "./retry-guard.ts";

describe("a server that never gives in", () => {
  const rows: [
    number,
    (request: SipRequest, count: number) => Reply,
    Parameters<typeof exchange>[1],
    number,
  ][] = [
    [401, () => ({ code: 401, headers: [challenge("r", "same")] }), { credentials }, 2],
    [
      401,
      (_, count) => ({ code: 401, headers: [challenge("r", `n${count}`, ", stale=true")] }),
      { credentials },
      3,
    ],
    [401, (_, count) => ({ code: 401, headers: [challenge(`realm ${count}`, "n")] }), { credentials }, 6],
    [416, () => ({ code: 416 }), { uri: "tel:+1555" }, 2],
    [
      420,
      (_, count) => ({ code: 420, headers: [["Unsupported", count === 1 ? "a" : "b"]] }),
      { headers: [["Require", "a, b"]] },
      2,
    ],
    [421, () => ({ code: 421, headers: [["Require", "timer"]] }), { uac: { supported: ["timer"] } }, 2],
    [423, (_, count) => ({ code: 423, headers: [["Min-Expires", 100 * count]] }), { method: "REGISTER" }, 2],
    [491, () => ({ code: 491 }), { dialog: "owner" }, 2],
    [302, () => ({ code: 302, headers: [["Contact", "<sip:bob@10.0.0.2>"]] }), {}, 1],
    [302, (_, count) => ({ code: 302, headers: [["Contact", `<sip:bob${count}@10.0.0.2>`]] }), {}, 6],
    [413, () => ({ code: 413, headers: [["Retry-After", 1]] }), {}, 2],
    [413, () => ({ code: 413 }), { method: "OPTIONS", ...text }, 2],
    [415, () => ({ code: 415, headers: [["Accept", "application/sdp"]] }), text, 1],
    [500, () => ({ code: 500, headers: [["Retry-After", 1]] }), {}, 2],
    [503, () => ({ code: 503, headers: [["Retry-After", 1]] }), {}, 2],
    [599, () => ({ code: 599, headers: [["Retry-After", 1]] }), {}, 2],
  ];
  for (const [code, answer, options, count] of rows) {
    it(`${code}: ${count} requests, then the failure`, async () => {
      const result = await exchange(answer, options);
      assert.deepEqual([result.code, result.requests.length], [code, count]);
    });
  }
});

describe("the guard", () => {
  it("lets each code pass once, challenges always, five in all", () => {
    const guard = new RetryGuard();
    assert.deepEqual(
      [415, 415, 401, 407, 401, 420, 421].map((code) => guard.allows(code)),
      [true, false, true, true, true, true, false],
    );
  });
  it("wants Min-SE to rise with every 422", () => {
    const guard = new RetryGuard();
    assert.deepEqual(
      [90, 90, 120, 100].map((seconds) => guard.allows(422, seconds)),
      [true, false, true, false],
    );
  });
});
