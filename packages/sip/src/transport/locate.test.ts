import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUri } from "../message/index.ts";
import { locate, targetsFor } from "./locate.ts";

// section, what is in the URI             URI                                        transport address port
const literal: [string, string, string][] = [
  ["§4.1, numeric host, UDP", "sip:a@192.0.2.1", "UDP 192.0.2.1 5060"],
  ["§4.1, numeric host and port, UDP", "sip:a@192.0.2.1:5070", "UDP 192.0.2.1 5070"],
  ["§4.1, transport parameter, that one", "sip:a@192.0.2.1;transport=tcp", "TCP 192.0.2.1 5060"],
  ["§4.1, sips, TLS", "sips:a@192.0.2.1", "TLS 192.0.2.1 5061"],
  ["RFC 5630 §3.1.3, sips over tcp, TLS", "sips:a@192.0.2.1;transport=tcp", "TLS 192.0.2.1 5061"],
  ["RFC 5630 §3.1.1.3, transport=tls, TLS", "sip:a@192.0.2.1;transport=TLS", "TLS 192.0.2.1 5061"],
  ["RFC 7118 §4.2, WebSocket", "sip:a@192.0.2.1;transport=ws", "WS 192.0.2.1 80"],
  ["RFC 7118 §4.2, secure WebSocket", "sips:a@192.0.2.1;transport=ws", "WSS 192.0.2.1 443"],
  ["§4, IPv6", "sip:a@[2001:DB8:0::1]:5070", "UDP 2001:db8::1 5070"],
  ["§4, maddr before the host", "sip:a@example.com;maddr=192.0.2.9", "UDP 192.0.2.9 5060"],
  ["§4, IPv6 in maddr", "sip:a@example.com;maddr=[::1]", "UDP ::1 5060"],
];

for (const [title, uri, expected] of literal) {
  test(`locate: ${title}`, () => {
    const location = locate(parseUri(uri));
    assert.equal(location.kind, "targets");
    if (location.kind !== "targets") return;
    const found = location.targets.map(({ transport, address, port }) => `${transport} ${address} ${port}`);
    assert.deepEqual(found, [expected]);
  });
}

test("locate: RFC 3263 §4, names become a query", () => {
  const location = locate(parseUri("sip:a@Example.com:5070;transport=tcp"));
  assert.equal(location.kind, "query");
  if (location.kind !== "query") return;
  const { uri: _, ...query } = location.query;
  assert.deepEqual(query, { host: "example.com", port: 5070, transport: "TCP", secure: false });
  assert.deepEqual(targetsFor(location.query, ["192.0.2.1", "::1"]), [
    { transport: "TCP", address: "192.0.2.1", port: 5070, hostName: "example.com" },
    { transport: "TCP", address: "::1", port: 5070, hostName: "example.com" },
  ]);
});

for (const uri of ["tel:+1234", "http://example.com", "sip:a@192.0.2.1;transport=sctp"]) {
  test(`locate: ${uri}, no way there`, () => assert.equal(locate(parseUri(uri)).kind, "error"));
}
