// Which URIs are ours.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUri } from "@offhook/sip/message";
import { Domains } from "./domains.ts";

const domains = new Domains(["Example.com", "example.org"], () => ["198.51.100.7", "2001:db8::7"]);
domains.addListener({ address: "192.0.2.1", port: 5060 });
domains.addListener({ address: "0.0.0.0", port: 5070, advertise: { host: "sip.example.net", port: 15070 } });

const rows: [uri: string, isOurs: boolean, why: string][] = [
  ["sip:alice@example.com", true, "a configured domain"],
  ["sips:alice@EXAMPLE.org", true, "whatever the case"],
  ["sip:alice@example.com:5060", true, "with a port of ours"],
  ["sip:alice@example.com:5099", false, "with a port of somebody else"],
  ["sip:alice@192.0.2.1", true, "a listener's address"],
  ["sip:alice@192.0.2.1:40000", false, "a phone on the same host"],
  ["sip:sip.example.net:15070", true, "the advertised name and port"],
  ["sip:alice@localhost", true, "localhost"],
  ["sip:alice@198.51.100.7:5070", true, "an address of the machine, for a wildcard listener"],
  ["sip:alice@[2001:db8::7]", true, "IPv6 likewise"],
  ["sip:alice@example.com.", true, "with the dot of the root"],
  ["sip:alice@[2001:0db8:0::7]", true, "another spelling of an address"],
  ["sip:alice@[::ffff:192.0.2.1]", true, "IPv4 as IPv6"],
  ["sip:alice@203.0.113.9", false, "another address"],
  ["sip:alice@example.edu", false, "another domain"],
  ["tel:+15551234", false, "no host at all"],
];

for (const [uri, isOurs, why] of rows) {
  test(`§16.5 ${uri}: ${isOurs ? "ours" : "not ours"} (${why})`, () =>
    assert.equal(domains.isOurs(parseUri(uri)), isOurs));
}

test("§10.3 step 5: configured domains keep users apart, addresses stand for the first one", () => {
  assert.equal(domains.canonical("example.org"), "example.org");
  assert.equal(domains.canonical("example.org."), "example.org");
  assert.equal(domains.canonical("192.0.2.1"), "example.com");
  assert.equal(new Domains([]).canonical("192.0.2.1"), "localhost");
});
