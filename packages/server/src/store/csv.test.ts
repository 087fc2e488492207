// Comma-separated values: RFC 4180, and what people's files look like.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readCsv } from "./csv.ts";

for (const [title, text, expected] of [
  [
    "plain lines",
    "a,b\nc,d",
    [
      [1, "a", "b"],
      [2, "c", "d"],
    ],
  ],
  [
    "CRLF, CR, and an end without line break",
    "a,b\r\nc,d\re,f",
    [
      [1, "a", "b"],
      [2, "c", "d"],
      [3, "e", "f"],
    ],
  ],
  [
    "byte order mark, empty lines, comments",
    "\uFEFFa,b\n\n# c,d\n\r\ne,f\n",
    [
      [1, "a", "b"],
      [5, "e", "f"],
    ],
  ],
  [
    "quoted comma, quote and line break",
    'a,"b,""c""\nd"\ne,f',
    [
      [1, "a", 'b,"c"\nd'],
      [3, "e", "f"],
    ],
  ],
  [
    "empty fields",
    "a,,\n,",
    [
      [1, "a", "", ""],
      [2, "", ""],
    ],
  ],
  ["quoted empty field", 'a,""', [[1, "a", ""]]],
  ["spaces stay", " a , b", [[1, " a ", " b"]]],
  ["nothing", "", []],
] as const) {
  test(`RFC 4180: ${title}`, () => {
    const records = [...readCsv(text)].map(({ line, fields, problem }) => {
      assert.equal(problem, undefined);
      return [line, ...fields];
    });
    assert.deepEqual(records, expected);
  });
}

for (const [title, text, line, problem] of [
  ["a quote inside", 'a,b\nc,d"e', 2, /quote inside/],
  ["text after a closing quote", 'a,"b"c\nd,e', 1, /after a closing quote/],
  ["a quote that is not closed", 'a,b\nc,"d\n\n', 2, /not closed/],
] as const) {
  test(`RFC 4180: ${title} is named with its line`, () => {
    const bad = [...readCsv(text)].filter((record) => record.problem !== undefined);
    assert.equal(bad.length, 1);
    assert.equal(bad[0]?.line, line);
    assert.match(bad[0]?.problem ?? "", problem);
  });
}
