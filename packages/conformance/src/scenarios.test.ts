// Every code of the catalogue: its scenario, played both ways, or "not yet" in plain sight.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it, test } from "node:test";
import { playScenario } from "./runner.ts";
import { actsOf } from "./scenario.ts";
import { entries } from "./scenarios.ts";

const root = new URL("../../../", import.meta.url);
const all = entries();

test("all 77 codes stand in the table", () => {
  assert.equal(all.length, 77);
});

describe("scenarios", () => {
  for (const { code, phrase, file, load } of all) {
    if (file === undefined) it.todo(`${code} ${phrase}: not yet`);
    else
      it(`${code} ${phrase}`, async () => {
        const story = await load();
        assert.ok(story);
        assert.equal(story.code, code, `the number in ${file}`);
        const failures = (await playScenario(story))
          .filter(({ failure }) => failure !== undefined)
          .map(({ part, title, mode, transport, seed, failure }) =>
            [part, title, mode, transport, `seed ${seed}`, failure?.kind, failure?.message].join(" | "),
          );
        assert.deepEqual(failures, []);
      });
  }
});

describe("mutants", () => {
  for (const { code, file, load } of all) {
    if (file === undefined) continue;
    it(`${code}: both have a place in the sources`, async () => {
      const story = await load();
      assert.ok(story);
      for (const { file: source, find, replace, title } of Object.values(story.mutants)) {
        const path = new URL(source, root);
        assert.ok(existsSync(path), source);
        const places = readFileSync(path, "utf8").split(find).length - 1;
        assert.equal(places, 1, `${title}: its text stands ${places} times in ${source}`);
        assert.notEqual(find, replace);
      }
      const played = new Set(actsOf(story).map(({ part }) => part));
      assert.deepEqual([...played], ["producer", "nearMiss", "reaction"]);
    });
  }
});
