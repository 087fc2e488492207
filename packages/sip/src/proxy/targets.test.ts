// RFC 3261 §16.5 and §16.6: order, uniqueness; RFC 3327 and 5626: how bindings become targets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isSipUri, type Uri } from "../message/index.ts";
import type { Flow, Listener, TransportName } from "../transport/flow.ts";
import {
  type ProxyTarget,
  type RegisteredContact,
  type TargetOrder,
  TargetSet,
  targetsOf,
} from "./targets.ts";

function waves(set: TargetSet): string[][] {
  const out: string[][] = [];
  for (;;) {
    const wave: string[] = [];
    for (let target = set.take(); target !== undefined; target = set.take()) wave.push(String(target.uri));
    if (wave.length > 0) out.push(wave);
    if (!set.openGroup()) return out;
  }
}

const orders: readonly (readonly [
  title: string,
  order: TargetOrder,
  q: (number | undefined)[],
  string[][],
])[] = [
  ["equal q: one group", "by q", [0.5, 0.5], [["sip:t0@h", "sip:t1@h"]]],
  ["higher q first", "by q", [0.1, 0.9, 0.5], [["sip:t1@h"], ["sip:t2@h"], ["sip:t0@h"]]],
  ["absent q counts as 1", "by q", [0.9, undefined], [["sip:t1@h"], ["sip:t0@h"]]],
  ["groups keep the order within", "by q", [1, 0.5, 1], [["sip:t0@h", "sip:t2@h"], ["sip:t1@h"]]],
  ["in order: one after the other, q ignored", "in order", [0.1, 0.9], [["sip:t0@h"], ["sip:t1@h"]]],
  ["parallel: all at once, q ignored", "parallel", [0.1, 0.9], [["sip:t0@h", "sip:t1@h"]]],
];

for (const [title, order, qs, expected] of orders) {
  test(`§16.6, ${title}`, () => {
    const set = new TargetSet();
    const targets = qs.map(
      (q, i): ProxyTarget => ({ uri: `sip:t${i}@h`, ...(q === undefined ? {} : { q }) }),
    );
    assert.equal(set.add(targets, order), qs.length);
    assert.deepEqual(waves(set), expected);
  });
}

const same: readonly (readonly [string, string, boolean])[] = [
  ["sip:a@h", "sip:a@h", true],
  ["sip:a@H", "sip:a@h", true],
  ["sip:%61@h", "sip:a@h", true],
  ["sip:a@h", "sip:A@h", false],
  ["sip:a@h", "sips:a@h", false],
  ["sip:a@h", "sip:a@h:5060", false],
];
for (const [first, second, isSame] of same) {
  test(`§16.5, ${first} then ${second}: ${isSame ? "enters once" : "two targets"}`, () => {
    const set = new TargetSet();
    set.add([{ uri: first }], "parallel");
    assert.equal(set.add([{ uri: second }], "parallel"), isSame ? 0 : 1);
  });
}

test("§16.5, a target that was tried does not enter again", () => {
  const set = new TargetSet();
  set.add([{ uri: "sip:a@h" }], "parallel");
  set.take();
  assert.equal(set.add([{ uri: "sip:a@h" }, { uri: "sip:b@h" }], "by q"), 1);
});

const listener: Listener = { id: 1, transport: "UDP", address: "10.0.0.1", port: 5060 };
function flow(id: string, transport: TransportName, state: Flow["state"] = "open"): Flow {
  const remote = { address: "203.0.113.9", port: 40000 };
  return { id, transport, isReliable: transport !== "UDP", listener, remote, state };
}
const flows = new Map([
  ["live-tcp", flow("live-tcp", "TCP")],
  ["live-ws", flow("live-ws", "WS")],
  ["closed-tcp", flow("closed-tcp", "TCP", "closed")],
  ["live-udp", flow("live-udp", "UDP")],
]);

function binding(contact: string, more: Partial<RegisteredContact> = {}): RegisteredContact {
  return { contact, q: 1, path: [], updatedAt: 0, ...more };
}
const from = (transport: TransportName, address = "203.0.113.9") => ({ transport, address, port: 40000 });

const ways: readonly (readonly [title: string, RegisteredContact, string])[] = [
  [
    "UDP, contact is the source: to the contact",
    binding("sip:a@203.0.113.9:5060", { flowId: "live-udp", received: from("UDP") }),
    "contact",
  ],
  [
    "UDP, contact on another port of the source: to the contact",
    binding("sip:a@203.0.113.9:5090", { flowId: "live-udp", received: from("UDP") }),
    "contact",
  ],
  [
    "UDP, private contact behind NAT: over the flow",
    binding("sip:a@192.168.1.5:5060", { flowId: "live-udp", received: from("UDP") }),
    "flow live-udp",
  ],
  [
    "UDP, private contact that begins like the source: over the flow",
    binding("sip:a@10.0.0.12:5060", { flowId: "live-udp", received: from("UDP", "10.0.0.1") }),
    "flow live-udp",
  ],
  [
    "UDP, private contact with the source as user: over the flow",
    binding("sip:203.0.113.9@192.168.1.5", { flowId: "live-udp", received: from("UDP") }),
    "flow live-udp",
  ],
  [
    "UDP, IPv6 contact is the source: to the contact",
    binding("sip:a@[fd00::9]:5060", { flowId: "live-udp", received: from("UDP", "fd00::9") }),
    "contact",
  ],
  [
    "UDP, private contact, flow forgotten: to its address",
    binding("sip:a@192.168.1.5:5060", { flowId: "old-udp", received: from("UDP") }),
    "address 203.0.113.9:40000",
  ],
  [
    "UDP, public contact elsewhere: to the contact",
    binding("sip:a@198.51.100.7", { flowId: "live-udp", received: from("UDP") }),
    "contact",
  ],
  [
    "UDP, contact by name: to the contact",
    binding("sip:a@phone.example.com", { flowId: "live-udp", received: from("UDP") }),
    "contact",
  ],
  [
    "UDP, contact under .invalid: over the flow",
    binding("sip:a@x7.invalid", { flowId: "live-udp", received: from("UDP") }),
    "flow live-udp",
  ],
  [
    "RFC 5626, UDP with reg-id: over the flow",
    binding("sip:a@203.0.113.9:5060", {
      flowId: "live-udp",
      received: from("UDP"),
      instanceId: "<i>",
      regId: 1,
    }),
    "flow live-udp",
  ],
  [
    "TCP, live: over the connection",
    binding("sip:a@203.0.113.9:5060;transport=tcp", { flowId: "live-tcp", received: from("TCP") }),
    "flow live-tcp",
  ],
  [
    "WS, live: over the connection",
    binding("sip:a@x.invalid;transport=ws", { flowId: "live-ws", received: from("WS") }),
    "flow live-ws",
  ],
  [
    "TCP, closed: left out",
    binding("sip:a@203.0.113.9;transport=tcp", { flowId: "closed-tcp", received: from("TCP") }),
    "none",
  ],
  [
    "TCP, gone since a restart: left out",
    binding("sip:a@203.0.113.9;transport=tcp", { flowId: "from-before", received: from("TCP") }),
    "none",
  ],
  [
    "RFC 3327, with Path: through the Path",
    binding("sip:a@192.168.1.5", { flowId: "closed-tcp", received: from("TCP"), path: ["<sip:edge;lr>"] }),
    "path <sip:edge;lr>",
  ],
  ["bound without REGISTER: to the contact", binding("sip:gateway@pbx.example.com"), "contact"],
  [
    "RFC 5393 §3, UDP, contact is this server: over the flow",
    binding("sip:a@10.0.0.1;x=1", { flowId: "live-udp", received: from("UDP", "10.0.0.1") }),
    "flow live-udp",
  ],
  [
    "RFC 5393 §3, with Path, contact is this server: left out",
    binding("sip:a@10.0.0.1", { flowId: "live-udp", received: from("UDP"), path: ["<sip:edge;lr>"] }),
    "none",
  ],
  [
    "RFC 5393 §3, bound without REGISTER, contact is this server: left out",
    binding("sip:a@10.0.0.1"),
    "none",
  ],
  [
    "TCP, live, contact is this server: over the connection",
    binding("sip:a@10.0.0.1;transport=tcp", { flowId: "live-tcp", received: from("TCP") }),
    "flow live-tcp",
  ],
];
const isOurs = (uri: Uri) => isSipUri(uri) && uri.host === "10.0.0.1";
test("targetsOf, UDP, contact is the source, several listeners: by the one that the REGISTER came by", () => {
  const bound = binding("sip:a@203.0.113.9:5060", { flowId: "live-udp", received: from("UDP") });
  const listenerOf = (id: string) => flows.get(id)?.listener;
  const [target] = targetsOf([bound], (id) => flows.get(id), isOurs, listenerOf);
  const { uri, q, listener: leaveBy, flow, addresses, path } = target!;
  assert.deepEqual({ uri, q, leaveBy }, { uri: bound.contact, q: 1, leaveBy: listener });
  assert.deepEqual([flow, addresses, path], [undefined, undefined, undefined]);
});
for (const [title, bound, expected] of ways) {
  test(`targetsOf, ${title}`, () => {
    const [target] = targetsOf([bound], (id) => flows.get(id), isOurs);
    const way =
      target === undefined
        ? "none"
        : target.path !== undefined
          ? `path ${target.path}`
          : target.flow !== undefined
            ? `flow ${target.flow.id}`
            : target.addresses !== undefined
              ? `address ${target.addresses[0]?.address}:${target.addresses[0]?.port}`
              : "contact";
    assert.equal(way, expected);
    if (target !== undefined) assert.equal(target.uri, bound.contact);
  });
}

test("RFC 5626 §5.3.1, two flows of an instance: the newer one, the older in reserve", () => {
  const bindings = [
    binding("sip:a@h1", {
      flowId: "live-tcp",
      received: from("TCP"),
      instanceId: "<i>",
      regId: 1,
      updatedAt: 1,
    }),
    binding("sip:a@h2", {
      flowId: "live-ws",
      received: from("WS"),
      instanceId: "<i>",
      regId: 2,
      updatedAt: 2,
    }),
    binding("sip:a@h3", {
      flowId: "closed-tcp",
      received: from("TCP"),
      instanceId: "<i>",
      regId: 3,
      updatedAt: 3,
    }),
    binding("sip:b@h4", { instanceId: "<j>", regId: 1 }),
  ];
  const targets = targetsOf(bindings, (id) => flows.get(id));
  assert.deepEqual(
    targets.map((target) => [target.uri, target.otherwise?.uri]),
    [
      ["sip:a@h2", "sip:a@h1"],
      ["sip:b@h4", undefined],
    ],
  );
});
