import assert from "node:assert/strict";
import { test } from "node:test";
import { methodIdAt, methodNames } from "./method.ts";
import { encodeText } from "./text.ts";

test("every method with a number is found by its letters, and by nothing else", () => {
  for (const [id, name] of methodNames.entries()) {
    const bytes = encodeText(`x${name}x`);
    assert.equal(methodIdAt(bytes, 1, bytes.length - 1), id, name);
    if (id === 0) continue;
    assert.equal(methodIdAt(bytes, 1, bytes.length), 0, "one letter more");
    assert.equal(methodIdAt(bytes, 1, bytes.length - 2), 0, "one letter less");
    const lower = encodeText(name.toLowerCase());
    assert.equal(methodIdAt(lower, 0, lower.length), 0, "methods are case-sensitive");
    assert.equal(methodIdAt(encodeText(`${name[0]}${"x".repeat(name.length - 1)}`), 0, name.length), 0);
  }
});
