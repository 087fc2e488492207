// All unit tests in one process: Node's runner counts each of them as if its file had been run alone.

import { test } from "node:test";

for (const file of (process.env["OFFHOOK_UNIT_TESTS"] ?? "").split("\n").filter((name) => name !== "")) {
  try {
    await import(new URL(`../${file}`, import.meta.url).href);
  } catch (error) {
    test(`${file} loads`, () => {
      throw error;
    });
  }
}
