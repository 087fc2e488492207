// Columns of a terminal: what Chinese text takes, where it is cut and where a line may break.
import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { printTable } from "./text-table.ts";
import { padTo, shorten, textWidth, wrap } from "./text-width.ts";

// text                          columns
const widths = [
  ["", 0],
  ["Busy Here", 9],
  ["忙線中", 6],
  ["來電（fork）", 12],
  ["\u001b[1m忙線\u001b[22m", 4],
  ["e\u0301", 1],
  ["한글", 4],
  ["📞", 2],
] as const;

for (const [text, columns] of widths) {
  test(`${JSON.stringify(text)}, ${columns} columns`, () => {
    assert.equal(textWidth(text), columns);
    assert.equal(textWidth(padTo(text, 20)), 20);
  });
}

test("padding, never cuts", () => assert.equal(padTo("忙線中", 3), "忙線中"));

test("a table, columns that line up whatever is in them", () => {
  const lines = stripVTControlCharacters(
    printTable(
      ["user", "state"],
      [
        ["王小明", "talks"],
        ["bob", "rings"],
      ],
    ),
  ).split("\n");
  assert.deepEqual(lines, ["user    state", "王小明  talks", "bob     rings"]);
});

// text                                     columns  shown
const cuts = [
  ["short enough", 12, "short enough"],
  ["this one is a little too long", 24, "this one is a little to…"],
  ["受話方目前忙線，來電已排入佇列等候", 20, "受話方目前忙線，來…"],
  ["only a stump would remain", 19, ""],
] as const;

for (const [text, columns, shown] of cuts) {
  test(`${text}, cut to ${columns} columns`, () => assert.equal(shorten(text, columns), shown));
}

// text, columns, lines
const wrapped: [string, number, string[]][] = [
  ["one two three", 7, ["one two", "three"]],
  ["one two three", Number.POSITIVE_INFINITY, ["one two three"]],
  ["unbreakable word", 5, ["unbreakable", "word"]],
  ["請求已到下一站", 8, ["請求已到", "下一站"]],
  // No line begins with a comma or ends with an opening bracket.
  ["請求已到，下一站", 8, ["請求已", "到，下一", "站"]],
  ["請求已（下一站）", 8, ["請求已", "（下一", "站）"]],
  ["回應的 Retry-After 標頭", 12, ["回應的", "Retry-After", "標頭"]],
  ["", 8, [""]],
];

for (const [text, columns, lines] of wrapped) {
  test(`${JSON.stringify(text)}, wrapped at ${columns} columns`, () => {
    assert.deepEqual(wrap(text, columns), lines);
  });
}
