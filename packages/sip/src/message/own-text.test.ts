// Strings that many messages have in common: one for all, whatever was cut from where.
import assert from "node:assert/strict";
import { test } from "node:test";
import { detachText, sharedText, shareText } from "./own-text.ts";

const bytes = (text: string) => new TextEncoder().encode(`x${text}x`);
const read = (text: string) => {
  const source = bytes(text);
  return sharedText(source, 1, source.length - 1);
};

for (const [title, text, expected] of [
  ["plain text", "Deskphone 7/2.3.1", "Deskphone 7/2.3.1"],
  ["nothing", "", ""],
  ["UTF-8", "Telefón 7", "Telefón 7"],
  ["§7.3.1: a fold is a space", "Deskphone\r\n 7", "Deskphone 7"],
  ["more than is kept", "x".repeat(300), "x".repeat(300)],
] as const) {
  test(`text shared by messages: ${title}`, () => {
    assert.equal(read(text), expected);
    assert.equal(read(text), expected);
    assert.equal(shareText(expected), expected);
    assert.equal(detachText(expected), expected);
  });
}

test("text shared by messages: those in one place do not stand for each other", () => {
  // The same length, middle and last letter.
  for (const text of ["ab-c1", "zz-c1", "ab-c1", "zz-c1"]) {
    assert.equal(read(text), text);
    assert.equal(shareText(text), text);
  }
});

test("text shared by messages: a byte that is no UTF-8 is not the letter with its number", () => {
  assert.equal(shareText("\u00e9"), "\u00e9");
  assert.equal(sharedText(Uint8Array.of(0xe9), 0, 1), "\ufffd");
});
