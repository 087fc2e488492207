// The library does not import the package that makes its UDP sockets faster: here they are held together.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as udpBatch from "@offhook/udp-batch";
import { type BatchModule, loadBatchModule } from "./batched-udp.ts";

test("the package is what the library takes it for, and is found by it", async () => {
  const expected: BatchModule = udpBatch;
  const found = await loadBatchModule();
  if (udpBatch.isAvailable) assert.equal(found, expected);
  else assert.match(String(found), /^@offhook\/udp-batch: /);
});

test("the versions belong together", () => {
  const manifest = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../../${name}/package.json`, import.meta.url), "utf8"));
  const { version } = manifest("udp-batch");
  assert.equal(manifest("sip").peerDependencies["@offhook/udp-batch"], version);
  assert.equal(manifest("sip").peerDependenciesMeta["@offhook/udp-batch"].optional, true);
  assert.equal(manifest("server").dependencies["@offhook/udp-batch"], version);
});
