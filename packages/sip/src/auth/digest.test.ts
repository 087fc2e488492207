// Digest computation against the examples of RFC 2617 §3.5, RFC 7616 §3.9 and RFC 8760 §2.6.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeHash as hash } from "../node/index.ts";
import {
  computeHa1,
  type DigestAlgorithm,
  digestResponse,
  equalInConstantTime,
  hashOf,
  parseAlgorithm,
} from "./digest.ts";

const mufasa = {
  ...{ method: "GET", uri: "/dir/index.html", qop: "auth" as const, nonceCount: "00000001" },
  nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
  cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
} as const;
const lion = { user: "Mufasa", realm: "http-auth@example.org", password: "Circle of Life" };

for (const [title, algorithm, credential, input, response] of [
  [
    "RFC 2617 §3.5: the example of HTTP",
    "MD5",
    { user: "Mufasa", realm: "testrealm@host.com", password: "Circle Of Life" },
    { ...mufasa, nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", cnonce: "0a4f113b" },
    "6629fae49393a05397450978507c4ef1",
  ],
  ["RFC 7616 §3.9.1: MD5", "MD5", lion, mufasa, "8ca523f5e9506fed4657c9700eebdbec"],
  [
    "RFC 7616 §3.9.1: SHA-256",
    "SHA-256",
    lion,
    mufasa,
    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
  ],
  [
    // The RFC prints the value of SHA-512 cut to 256 bits; erratum 4897 has that of SHA-512/256.
    "RFC 7616 §3.9.2, erratum 4897: SHA-512-256, UTF-8 user name",
    "SHA-512-256",
    { user: "J\u00e4s\u00f8n Doe", realm: "api@example.org", password: "Secret, or not?" },
    {
      ...{ method: "GET", uri: "/doe.json", qop: "auth" as const, nonceCount: "00000001" },
      nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
      cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    },
    "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
  ],
] as const) {
  test(title, () => {
    const ha1 = computeHa1(hash, algorithm, credential);
    assert.equal(digestResponse(hash, { ...input, algorithm, ha1 }), response);
  });
}

test("RFC 7616 §3.4.2: a session algorithm hashes HA1 with nonce and cnonce first", () => {
  for (const name of ["MD5", "SHA-256", "SHA-512-256"] as const) {
    const ha1 = computeHa1(hash, name, lion);
    const session = hash.hex(name, `${ha1}:${mufasa.nonce}:${mufasa.cnonce}`);
    assert.equal(
      digestResponse(hash, { ...mufasa, algorithm: `${name}-sess`, ha1 }),
      digestResponse(hash, { ...mufasa, algorithm: name, ha1: session }),
    );
  }
});

test("RFC 8760 §2.6 item 7: auth-int of an empty body is that of the hash of nothing", () => {
  const ha1 = computeHa1(hash, "SHA-256", lion);
  const input = { ...mufasa, algorithm: "SHA-256", ha1, qop: "auth-int" } as const;
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const ha2 = hash.hex("SHA-256", `GET:/dir/index.html:${empty}`);
  const expected = hash.hex("SHA-256", `${ha1}:${mufasa.nonce}:00000001:${mufasa.cnonce}:auth-int:${ha2}`);
  assert.equal(digestResponse(hash, input), expected);
  assert.equal(digestResponse(hash, { ...input, body: new Uint8Array(0) }), expected);
  assert.notEqual(digestResponse(hash, { ...input, body: new Uint8Array([1]) }), expected);
});

test("RFC 3261 §22.4, RFC 2069: without qop neither nc nor cnonce counts", () => {
  const ha1 = computeHa1(hash, "MD5", lion);
  const input = { algorithm: "MD5", ha1, method: "REGISTER", uri: "sip:a", nonce: "n" } as const;
  assert.equal(digestResponse(hash, input), hash.hex("MD5", `${ha1}:n:${hash.hex("MD5", "REGISTER:sip:a")}`));
});

for (const [text, algorithm] of [
  [undefined, "MD5"],
  ["md5", "MD5"],
  ["MD5-Sess", "MD5-sess"],
  ["sha-256", "SHA-256"],
  ["SHA-512-256-sess", "SHA-512-256-sess"],
  ["SHA-512", undefined],
  ["", undefined],
] as const) {
  test(`RFC 8760 §2.7: algorithm ${text ?? "absent"} is ${algorithm ?? "unknown"}`, () => {
    assert.equal(parseAlgorithm(text), algorithm);
  });
}

test("the hash behind an algorithm", () => {
  const rows: [DigestAlgorithm, string][] = [
    ["MD5", "MD5"],
    ["SHA-512-256-sess", "SHA-512-256"],
  ];
  for (const [algorithm, name] of rows) assert.equal(hashOf(algorithm), name);
});

test("constant-time comparison", () => {
  assert.ok(equalInConstantTime("abc", "abc"));
  assert.ok(!equalInConstantTime("abc", "abd"));
  assert.ok(!equalInConstantTime("abc", "ab"));
});

test("RFC 7616 §3.4.3: another method, uri or algorithm has another HA2, whatever was hashed before", () => {
  const ha1 = computeHa1(hash, "MD5", lion);
  const plain = (algorithm: "MD5" | "SHA-256", method: string, uri: string) =>
    hash.hex(algorithm, `${ha1}:n:${hash.hex(algorithm, `${method}:${uri}`)}`);
  for (const [algorithm, method, uri] of [
    ["MD5", "REGISTER", "sip:a"],
    ["MD5", "REGISTER", "sip:a"],
    ["SHA-256", "REGISTER", "sip:a"],
    ["MD5", "INVITE", "sip:a"],
    ["MD5", "INVITE", "sip:b"],
    ["MD5", "INVITE", `sip:${"b".repeat(400)}`],
    ["MD5", "INVITE", `sip:${"b".repeat(401)}`],
  ] as const) {
    const response = digestResponse(hash, { algorithm, ha1, method, uri, nonce: "n" });
    assert.equal(response, plain(algorithm, method, uri));
  }
});
