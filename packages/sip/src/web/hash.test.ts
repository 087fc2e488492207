import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { nodeHash } from "../node/index.ts";
import type { HashAlgorithm } from "../ports.ts";
import { noHash } from "./hash.ts";
import { webHash } from "./index.ts";

const by = (name: string) => (data: Uint8Array) => new Uint8Array(createHash(name).update(data).digest());
const hash = webHash({ md5: by("md5"), sha256: by("sha256"), sha512_256: by("sha512-256") });

for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"] as const satisfies HashAlgorithm[]) {
  for (const data of ["", "alice:example.com:secret", "Grüße", new Uint8Array([0, 255, 10])]) {
    test(`RFC 8760: ${algorithm} of ${JSON.stringify(data)} as in Node`, () =>
      assert.equal(hash.hex(algorithm, data), nodeHash.hex(algorithm, data)));
  }
}

test("a function that was not given is named", () => {
  assert.throws(() => webHash({}).hex("MD5", ""), /MD5/);
  assert.throws(() => noHash.hex("SHA-256", ""), /SHA-256/);
});
