// SIPS through the proxy: never to a place without TLS, never from SIPS to SIP. RFC 5630 §5.3, RFC 3261 §16.6, §26.2.2.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flow, Listener } from "../transport/flow.ts";
import type { ProxyTarget } from "./targets.ts";
import { find, header, names, request, Testbed, tcp, udp } from "./testbed.test.kit.ts";

const tls: Listener = { id: 9, transport: "TLS", address: "10.0.0.1", port: 5061 };

/** A proxy with TLS, and where it sends what. */
function bedFor(targets: (bed: Testbed) => readonly ProxyTarget[]): Testbed {
  const bed: Testbed = new Testbed({
    listeners: () => [udp, tcp, tls],
    route: (_request, context) => void context.addTargets(targets(bed)),
  });
  bed.stack.addListener(tls);
  return bed;
}

/** Alice's INVITE over TLS, or UDP for "sip" if told so. */
function invite(bed: Testbed, scheme: "sip" | "sips", by: "TLS" | "UDP" = "TLS"): Flow {
  const flow = by === "TLS" ? bed.accept(tls, "10.0.0.9") : bed.stack.acceptFlow(udp, alice, bed.clock.time);
  const via = `SIP/2.0/${by} 10.0.0.9`;
  bed.receive(flow, request("INVITE", { uri: `${scheme}:bob@example.com`, via }));
  return flow;
}
const alice = { address: "10.0.0.9", port: 5060 };

const rows: [
  title: string,
  scheme: "sip" | "sips",
  targets: (bed: Testbed) => readonly ProxyTarget[],
  sent: string,
  requestUri?: string,
][] = [
  [
    "RFC 5630 §5.3, SIPS to a SIPS contact: over TLS, as SIPS",
    "sips",
    () => [{ uri: "sips:bob@10.0.0.2" }],
    "INVITE tls 10.0.0.2:5061",
    "sips:bob@10.0.0.2",
  ],
  [
    "RFC 5630 §3.1.3, transport=tcp in a SIPS URI: TLS over TCP",
    "sips",
    () => [{ uri: "sips:bob@10.0.0.2:5071;transport=tcp" }],
    "INVITE tls 10.0.0.2:5071",
    "sips:bob@10.0.0.2:5071;transport=tcp",
  ],
  [
    "RFC 5630 §5.3, SIPS to a SIP contact: 480, no last-hop exception",
    "sips",
    () => [{ uri: "sip:bob@10.0.0.2" }],
    "480 tls 10.0.0.9:40000",
  ],
  [
    "RFC 5630 §5.3, SIPS to a SIP contact at the end of a TLS connection: 480",
    "sips",
    (bed) => [{ uri: "sip:bob@10.0.0.2", flow: bed.accept(tls, "10.0.0.2") }],
    "480 tls 10.0.0.9:40000",
  ],
  [
    "RFC 5630 §5.3, SIPS to both kinds: only the SIPS contact is tried",
    "sips",
    () => [{ uri: "sip:bob@10.0.0.2" }, { uri: "sips:bob@10.0.0.3" }],
    "INVITE tls 10.0.0.3:5061",
    "sips:bob@10.0.0.3",
  ],
  [
    "§26.2.2, SIPS to a contact whose known way is TCP: by TLS instead",
    "sips",
    (bed) => [{ uri: "sips:bob@10.0.0.2", flow: bed.accept(tcp, "10.0.0.2") }],
    "INVITE tls 10.0.0.2:5061",
    "sips:bob@10.0.0.2",
  ],
  [
    "§26.2.2, SIPS to a contact with a UDP address: by TLS instead",
    "sips",
    () => [{ uri: "sips:bob@10.0.0.2", addresses: [{ transport: "UDP", address: "10.0.0.2", port: 5060 }] }],
    "INVITE tls 10.0.0.2:5061",
    "sips:bob@10.0.0.2",
  ],
  [
    "RFC 5630 §5.3, SIP to a SIPS contact: its SIP form, over TLS",
    "sip",
    () => [{ uri: "sips:bob@10.0.0.2" }],
    "INVITE tls 10.0.0.2:5061",
    "sip:bob@10.0.0.2",
  ],
  [
    "RFC 5630 §5.3, SIP to a SIPS contact with its TLS connection: over that",
    "sip",
    (bed) => [{ uri: "sips:bob@10.0.0.2", flow: bed.accept(tls, "10.0.0.2", 40_002) }],
    "INVITE tls 10.0.0.2:40002",
    "sip:bob@10.0.0.2",
  ],
  [
    "RFC 5630 §5.3, SIP to a SIPS contact with a TCP connection: not over that",
    "sip",
    (bed) => [{ uri: "sips:bob@10.0.0.2", flow: bed.accept(tcp, "10.0.0.2") }],
    "INVITE tls 10.0.0.2:5061",
    "sip:bob@10.0.0.2",
  ],
];

for (const [title, scheme, targets, expected, requestUri] of rows) {
  test(title, () => {
    const bed = bedFor(targets);
    invite(bed, scheme);
    const sent = bed.take().filter(({ text }) => !text.startsWith("SIP/2.0 100"));
    assert.deepEqual(names(sent), [expected]);
    if (expected.startsWith("480"))
      assert.match(header(sent[0]!, "Warning")[0] ?? "", /^380 .* "SIPS Not Allowed"$/);
    if (requestUri !== undefined) assert.ok(sent[0]?.text.startsWith(`INVITE ${requestUri} SIP/2.0\r\n`));
  });
}

for (const method of ["ACK", "CANCEL"])
  test(`RFC 5630 §5.3, a SIPS ${method} that is forwarded without a transaction: to SIPS contacts only`, () => {
    const bed = bedFor(() => [{ uri: "sip:bob@10.0.0.2" }, { uri: "sips:bob@10.0.0.3" }]);
    const via = "SIP/2.0/TLS 10.0.0.9";
    bed.receive(
      bed.accept(tls, "10.0.0.9"),
      request(method, { uri: "sips:bob@example.com", via, toTag: "b" }),
    );
    assert.deepEqual(names(bed.take()), [`${method} tls 10.0.0.3:5061`]);
  });

test("§16.6 step 4, SIPS: every Record-Route value is SIPS, with the address of TLS", () => {
  const bed = bedFor(() => [{ uri: "sips:bob@10.0.0.2" }]);
  invite(bed, "sips");
  const recorded = header(find(bed.take(), "INVITE"), "Record-Route");
  assert.equal(recorded.length, 1);
  assert.match(recorded[0] ?? "", /^<sips:10\.0\.0\.1:5061;lr;sig=/);
});

test("§16.6 step 4, SIP over TLS: no SIPS in Record-Route", () => {
  const bed = bedFor(() => [{ uri: "sips:bob@10.0.0.2" }]);
  invite(bed, "sip");
  const recorded = header(find(bed.take(), "INVITE"), "Record-Route");
  assert.deepEqual(
    recorded.map((route) => /^<(sips?):10\.0\.0\.1:5061;transport=tls;lr;sig=/.exec(route)?.[1]),
    ["sip"],
  );
});

for (const [from, to] of [
  ["TLS", "UDP"],
  ["UDP", "TLS"],
] as const) {
  test(`RFC 5658 §4, from ${from} to ${to}: two values, each side has its own on its side`, () => {
    const target = to === "TLS" ? "sip:bob@10.0.0.2;transport=tls" : "sip:bob@10.0.0.2";
    const bed = bedFor(() => [{ uri: target }]);
    invite(bed, "sip", from);
    const recorded = header(find(bed.take(), "INVITE"), "Record-Route");
    const shown = { TLS: /^<sip:10\.0\.0\.1:5061;transport=tls;lr;/, UDP: /^<sip:10\.0\.0\.1:5060;lr;/ };
    assert.equal(recorded.length, 2);
    assert.match(recorded[0] ?? "", shown[to]);
    assert.match(recorded[1] ?? "", shown[from]);
  });
}
