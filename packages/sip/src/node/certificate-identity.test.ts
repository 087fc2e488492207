import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { sipIdentities, speaksFor } from "./certificate-identity.ts";
import { makeCertificate } from "./make-certificate.ts";

function certificate(names: readonly string[], commonName = "cn.example"): X509Certificate {
  return new X509Certificate(makeCertificate({ names, commonName }).certificate);
}

const identities: [section: string, names: string[], commonName: string, expected: string[]][] = [
  ["§7.1: a sip: URI is an identity", ["sip:example.com"], "x", ["example.com"]],
  ["§7.1: the scheme in any case", ["SIP:Example.COM"], "x", ["example.com"]],
  ["§7.1: several", ["sip:example.com", "sip:example.net"], "x", ["example.com", "example.net"]],
  ["§7.1: a DNS name is one", ["example.com"], "x", ["example.com"]],
  ["§7.1: with a sip: URI, DNS names are none", ["sip:example.com", "other.example"], "x", ["example.com"]],
  ["§7.1: beside a URI of a user, DNS names are", ["sip:alice@example.com", "a.example"], "x", ["a.example"]],
  ["§7.1: a URI with a user names no domain", ["sip:alice@example.com"], "cn.example", []],
  ["§7.1: sips: is not sip:", ["sips:example.com"], "cn.example", []],
  ["§7.1: neither is https:", ["https://example.com"], "cn.example", []],
  ["§7.1: the host of the URI only", ["sip:example.com;transport=tls"], "x", ["example.com"]],
  ["§7.1 step 2: no subjectAltName, so the common name", [], "CN.Example", ["cn.example"]],
  ["§7.1 step 2: a common name that is no DNS name", [], "Alice Example", []],
  ["§7.1 step 2: addresses are a subjectAltName", ["192.0.2.1"], "cn.example", []],
];

for (const [title, names, commonName, expected] of identities) {
  test(`RFC 5922 ${title}`, () => {
    assert.deepEqual(sipIdentities(certificate(names, commonName)), expected);
  });
}

test("a value that pretends to be two: the comma stays inside", () => {
  assert.deepEqual(sipIdentities(certificate(["evil.example, URI:sip:bank.example"])), [
    "evil.example, uri:sip:bank.example",
  ]);
  assert.equal(speaksFor(certificate(["evil.example, DNS:bank.example"]), "bank.example"), false);
});

const comparisons: [section: string, names: string[], wanted: string, expected: boolean][] = [
  ["§7.2: the same name", ["example.com"], "example.com", true],
  ["§7.2: in any case, with or without final dot", ["Example.COM"], "eXample.com.", true],
  ["§7.2: no suffixes", ["example.com"], "foo.example.com", false],
  ["§7.2: no wildcards", ["*.example.com"], "foo.example.com", false],
  ["§7.2: a wildcard is only itself", ["*.example.com"], "*.example.com", true],
  ["§7.2: no leading dot", [".example.com"], "foo.example.com", false],
  ["§7.2: the DNS name that a sip: URI overrules", ["sip:a.example", "b.example"], "b.example", false],
  ["§7.2: internationalized, by its ASCII form", ["xn--bcher-kva.example"], "bücher.example", true],
  ["an IPv4 address among the iPAddress values", ["192.0.2.1"], "192.0.2.1", true],
  ["another IPv4 address", ["192.0.2.1"], "192.0.2.2", false],
  ["an IPv6 address in another spelling", ["2001:db8::1"], "2001:DB8:0::1", true],
  ["an address is no DNS name", ["example.com"], "192.0.2.1", false],
];

for (const [title, names, wanted, expected] of comparisons) {
  test(`RFC 5922 ${title}: ${wanted}`, () => {
    assert.equal(speaksFor(certificate(names), wanted), expected);
  });
}
