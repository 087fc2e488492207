// The catalogue against the registry: the same set, the same phrases.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { catalogue, classOf, factsOf, reasonPhrase } from "./index.ts";

interface Registry {
  responseCodes: { code: number; description: string; reference: string }[];
}

const fixture = new URL("../../../../test/fixtures/iana/response-codes.json", import.meta.url);
const registry: Registry = JSON.parse(readFileSync(fixture, "utf8"));

// RFC 2543 codes that RFC 3261 dropped and the registry does not hold.
const unregistered = [409, 411];

test("§21, the catalogue holds the registered codes and the two of RFC 2543", () => {
  assert.equal(catalogue.length, 77);
  const expected = [...registry.responseCodes.map((row) => row.code), ...unregistered].sort((a, b) => a - b);
  assert.deepEqual(
    catalogue.map((facts) => facts.code),
    expected,
  );
});

for (const row of registry.responseCodes) {
  test(`registry, ${row.code}, phrase is "${row.description}"`, () => {
    assert.equal(reasonPhrase(row.code), row.description.replace(" (Deprecated)", ""));
  });
}

test("§8.1.3.2, unknown codes, phrase and class of x00", () => {
  assert.equal(factsOf(499), undefined);
  assert.equal(reasonPhrase(499), "Bad Request");
  assert.equal(reasonPhrase(185), "Session Progress");
  assert.equal(classOf(699), "global failure");
  assert.throws(() => classOf(700), RangeError);
});
