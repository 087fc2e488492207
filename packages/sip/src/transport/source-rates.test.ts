import assert from "node:assert/strict";
import { test } from "node:test";
import { SourceRates } from "./source-rates.ts";

// Requests of one source within one second, limit 3: what becomes of them.
const verdicts = ["pass", "pass", "pass", "refuse", "refuse", "refuse", "drop", "drop"];

test("rates, above the limit refused, above twice that dropped, and anew with the next second", () => {
  const rates = new SourceRates(3);
  for (const start of [5000, 6000, 9500]) {
    assert.deepEqual(
      verdicts.map((_, i) => rates.take("192.0.2.1", start + i * 100)),
      verdicts,
    );
  }
});

test("rates, another source does not mind", () => {
  const rates = new SourceRates(3);
  for (let i = 0; i < 100; i++) rates.take("192.0.2.1", 5000);
  assert.equal(rates.take("192.0.2.2", 5000), "pass");
});

test("rates, addresses of one IPv6 network are one source", () => {
  const rates = new SourceRates(1);
  assert.deepEqual(
    ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8:0:1::1"].map((address) =>
      rates.take(address, 0),
    ),
    ["pass", "refuse", "drop", "pass"],
  );
});

test("rates, who is exempt is asked only above the limit", () => {
  const asked: string[] = [];
  const rates = new SourceRates(1, (address) => asked.push(address) > 0);
  assert.deepEqual([rates.take("192.0.2.1", 0), asked], ["pass", []]);
  assert.deepEqual([rates.take("192.0.2.1", 0), asked], ["pass", ["192.0.2.1"]]);
});
