// The table of reactions: a row for each code, what a failure ends in a dialog, the wait after a 491. RFC 3261 §8.1.3,
// §14.1; RFC 5057.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { catalogue } from "../responses/index.ts";
import { exchange, once } from "./exchange.test.kit.ts";
import { effectOf, reactions, reactionTo } from "./reactions.ts";

describe("the table", () => {
  it("has rows for codes of the catalogue only, and a reaction for every code", () => {
    const codes = new Set<number>(catalogue.map(({ code }) => code));
    for (const code of Object.keys(reactions)) assert(codes.has(Number(code)), code);
    for (const code of codes) if (code >= 300) assert.notEqual(reactionTo(code).kind, undefined);
  });

  it("rows can be replaced", async () => {
    const { requests, code } = await exchange(once(420, ["Unsupported", "fancy"]), {
      headers: [["Require", "fancy"]],
      uac: { reactions: { 420: { kind: "final" } } },
    });
    assert.deepEqual([code, requests.length], [420, 1]);
  });

  it("has a kind for each code from 300, and no other", () => {
    const kinds = {
      "next target": [300, 301, 302],
      "answer challenge": [401, 407],
      "retry with": [305, 406, 415, 416, 420, 421, 422, 423, 488, 513, 606],
      "wait, then retry": [413, 491, 500, 503],
    };
    for (const { code } of catalogue) {
      if (code < 300) continue;
      const [kind = "final"] = Object.entries(kinds).find(([, codes]) => codes.includes(code)) ?? [];
      assert.equal(reactionTo(code).kind, kind, String(code));
    }
  });

  it("RFC 5057 §5.1: what a failure ends in a dialog", () => {
    // Table 1: all others end the transaction. The notes make exceptions by method.
    const dialog = [404, 410, 416, 482, 483, 484, 485, 502, 604];
    const usage = [405, 408, 480, 481, 501];
    for (const { code } of catalogue) {
      if (code < 300) continue;
      const effect = dialog.includes(code) ? "dialog" : usage.includes(code) ? "usage" : "transaction";
      assert.equal(effectOf(code), effect, String(code));
    }
    for (const [code, method, effect] of [
      [405, "INFO", "transaction"],
      [501, "UPDATE", "transaction"],
      [405, "NOTIFY", "usage"],
      [489, "NOTIFY", "usage"],
      [481, "PRACK", "transaction"],
      [481, "INFO", "usage"],
      [480, "INFO", "usage"],
      [499, "INVITE", "transaction"],
      [599, "INVITE", "transaction"],
      [699, "INVITE", "transaction"],
    ] as const)
      assert.equal(effectOf(code, method), effect, `${code} ${method}`);
  });
});

describe("§14.1: the wait after a 491", () => {
  for (const [dialog, least, most] of [
    ["owner", 2100, 4000],
    ["other", 0, 2000],
  ] as const) {
    it(`of the ${dialog} is ${least} to ${most} ms`, async () => {
      const { at, code } = await exchange(once(491), { dialog });
      const wait = (at[1] ?? 0) - (at[0] ?? 0) - 2;
      assert.equal(code, 200);
      assert(wait >= least && wait <= most && wait % 10 === 0, `${wait}`);
    });
  }
});
