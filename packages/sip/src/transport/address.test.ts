import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalHost, isLiteralAddress, localAddressFor, sourceOf } from "./address.ts";

const canonical: [string, string][] = [
  ["Example.COM.", "example.com"],
  ["192.0.2.1", "192.0.2.1"],
  ["::1", "::1"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["::", "::"],
  ["1::", "1::"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
  ["fe80::1%eth0", "fe80::1"],
  [":::1", ":::1"],
  ["1:2:3", "1:2:3"],
];

for (const [text, expected] of canonical) {
  test(`RFC 5952 §4, ${text}, written ${expected}`, () => assert.equal(canonicalHost(text), expected));
}

test("§19.1.1, what is a literal address", () => {
  for (const host of ["1.2.3.4", "::1"]) assert.ok(isLiteralAddress(host));
  for (const host of [
    "localhost",
    "1.2.3.4.example",
    "example.com",
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1..3.4",
    "1.2.3.1234",
  ])
    assert.ok(!isLiteralAddress(host));
});

test("§18.1.1, a wildcard listener shows the address in the peer's network", () => {
  const own = [
    { address: "127.0.0.1", prefixLength: 8 },
    { address: "192.0.2.10", prefixLength: 24 },
    { address: "10.1.0.5", prefixLength: 16 },
  ];
  const cases: [string, string][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["10.1.200.3", "10.1.0.5"],
    ["192.0.2.77", "192.0.2.10"],
    ["198.51.100.1", "192.0.2.10"],
  ];
  for (const [remote, expected] of cases) assert.equal(localAddressFor(remote, own), expected, remote);
  assert.equal(localAddressFor("192.0.2.1", []), undefined);
});

const sources: [title: string, address: string, source: string][] = [
  ["an IPv4 address", "192.0.2.1", "192.0.2.1"],
  ["a network of IPv6", "2001:db8::1:2:3:4", "2001:db8:0:0"],
  ["written in full", "2001:db8:0:0:1:2:3:4", "2001:db8:0:0"],
  ["with zeros behind it", "2001:db8:1:2::1", "2001:db8:1:2"],
  ["with zeros in it and behind it", "2001:0:0:1::1", "2001:0:0:1"],
  ["with zeros in it", "2001::1:2:3:4:5", "2001:0:0:1"],
  ["a neighbour", "fe80::1%eth0", "fe80::1%eth0"],
  ["this machine", "::1", "::1"],
  ["IPv4 in IPv6", "::ffff:192.0.2.1", "::ffff:192.0.2.1"],
];
for (const [title, address, source] of sources) {
  test(`who counts as one source, ${title}: ${address} → ${source}`, () => {
    assert.equal(sourceOf(address), source);
  });
}
