// RFC 3261 §16.6 step 4, RFC 5658, RFC 5626 §5.3 on the wire: by which transport and flow each side is reached.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Listener } from "../transport/flow.ts";
import type { RouteProgram } from "./route.ts";
import {
  call,
  find,
  header,
  inDialog,
  names,
  request,
  routes,
  Testbed,
  toBob,
  ws,
} from "./testbed.test.kit.ts";

test("RFC 5658, UDP in and TCP out: two Record-Route values, each side's own on its side", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sip:bob@10.0.0.2:5060;transport=tcp" }]),
  });
  const { invite, recorded } = call(bed);
  assert.equal(invite.to, "tcp 10.0.0.2:5060");
  assert.equal(recorded.length, 2);
  assert.match(recorded[0] ?? "", /^<sip:10\.0\.0\.1:5060;transport=tcp;lr;sig=/);
  assert.match(recorded[1] ?? "", /^<sip:10\.0\.0\.1:5060;lr;sig=/);
  // Alice's route set is the reverse (§12.1.2); both values are ours and go together.
  bed.receive(
    "10.0.0.9:5060",
    request("BYE", {
      ...inDialog,
      uri: "sip:bob@10.0.0.2:5060;transport=tcp",
      ...routes([...recorded].reverse()),
    }),
  );
  const bye = find(bed.take(), "BYE tcp 10.0.0.2:5060");
  assert.deepEqual(header(bye, "Route"), []);
});

const near: Listener = { id: 7, transport: "UDP", address: "10.0.0.1", port: 5060 };
const far: Listener = { id: 8, transport: "UDP", address: "192.168.7.1", port: 5070 };
const everywhere: Listener = {
  ...{ id: 9, transport: "UDP", address: "0.0.0.0", port: 5060 },
  localAddresses: [
    { address: "10.0.0.1", prefixLength: 24 },
    { address: "192.168.7.1", prefixLength: 24 },
  ],
};
const sidesOfTwo: readonly (readonly [
  title: string,
  Listener[],
  more: { listener?: Listener },
  leaves: Listener,
  record: string,
])[] = [
  ["two UDP sockets: the one in the callee's network", [near, far], {}, far, "192.168.7.1:5070"],
  ["two UDP sockets: the one that the callee registered by", [far, near], { listener: near }, near, ""],
  [
    "one socket on all addresses: the address that the callee sees",
    [everywhere],
    {},
    everywhere,
    "192.168.7.1:5060",
  ],
];
for (const [title, listeners, more, leaves, record] of sidesOfTwo) {
  test(`RFC 5658 §4, ${title}, for requests inside the call too`, () => {
    const contact = "sip:bob@192.168.7.2:5060";
    const route: RouteProgram = (_request, context) => void context.addTargets([{ uri: contact, ...more }]);
    const bed = new Testbed({ route }, listeners);
    const arrival = listeners.includes(near) ? near : everywhere;
    const from = (listener: Listener, address: string) =>
      bed.stack.acceptFlow(listener, { address, port: 5060 }, bed.clock.time);
    bed.receive(from(arrival, "10.0.0.9"), request("INVITE", { callId: "two-sides", fromTag: "a" }));
    const invite = find(bed.take(), "INVITE 192.168.7.2:5060");
    assert.equal(invite.flow.listener, leaves);
    const recorded = header(invite, "Record-Route");
    const shown = recorded.map((value) => /^<sip:([^;]+);lr;/.exec(value)?.[1]);
    assert.deepEqual(shown, record === "" ? ["10.0.0.1:5060"] : [record, "10.0.0.1:5060"]);
    bed.respond(invite, 200, { toTag: "b" });
    bed.take();
    const info = { ...inDialog, callId: "two-sides", uri: contact };
    bed.receive(from(arrival, "10.0.0.9"), request("INFO", { ...info, ...routes([...recorded].reverse()) }));
    assert.equal(find(bed.take(), "INFO 192.168.7.2:5060").flow.listener, leaves);
  });
}

test("§16.6 step 4, a SIPS target: SIPS in Record-Route", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sips:bob@10.0.0.2" }]),
  });
  const { recorded } = call(bed, { uri: "sips:bob@example.com" });
  assert.ok(
    recorded.every((route) => /^<sips:10\.0\.0\.1:5060;lr;sig=/.test(route)),
    recorded.join(),
  );
});

test("RFC 5626 §5.3, a browser calls a browser: each side reached over its own flow, for the whole dialog", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@b.invalid;transport=ws", flow: browserB }]),
  });
  const browserA = bed.accept(ws, "198.51.100.1");
  const browserB = bed.accept(ws, "198.51.100.2");
  const viaA = "SIP/2.0/WS a.invalid";
  bed.receive(browserA, request("INVITE", { callId: "ws-1", via: viaA }));
  const invite = find(bed.take(), "INVITE");
  assert.equal(invite.flow, browserB);
  const recorded = header(invite, "Record-Route");
  assert.match(recorded.join(), /^<sip:10\.0\.0\.1:80;transport=ws;lr;sig=\w+;up=[^;]+;down=[^;]+>$/);
  bed.receive(
    browserA,
    request("ACK", {
      callId: "ws-1",
      toTag: "b",
      via: viaA,
      uri: "sip:bob@b.invalid;transport=ws",
      ...routes(recorded),
    }),
  );
  assert.equal(bed.takeOne().flow, browserB);
  const bye = { callId: "ws-1", fromTag: "b", toTag: "a", via: "SIP/2.0/WS b.invalid", ...routes(recorded) };
  bed.receive(browserB, request("BYE", { ...bye, uri: "sip:alice@a.invalid;transport=ws" }));
  assert.equal(bed.takeOne().flow, browserA);
  // RFC 5626 §5.3.1: the flow is gone, and nothing else leads there.
  bed.stack.flowClosed(browserA, undefined, bed.clock.time);
  bed.receive(browserB, request("BYE", { ...bye, cSeq: 2, uri: "sip:alice@a.invalid;transport=ws" }));
  // The first BYE, which Alice has not answered, has failed with it.
  assert.deepEqual(names(bed.take()), ["430 ws 198.51.100.2:40000", "500 ws 198.51.100.2:40000"]);
  // A TCP phone can be called back at its address.
  bed.receive(browserB, request("BYE", { ...bye, cSeq: 3, uri: "sip:alice@10.0.0.9:5060" }));
  assert.deepEqual(names(bed.take()), ["BYE 10.0.0.9:5060"]);
});

test("a caller behind NAT on UDP is reached over its flow", () => {
  const bed = new Testbed({ route: toBob });
  const text = request("INVITE", { callId: "nat-1", via: "SIP/2.0/UDP 192.168.1.5:5060" }).replace(
    "Contact: <sip:alice@10.0.0.9:5060>",
    "Contact: <sip:alice@192.168.1.5:5060>",
  );
  bed.receive("203.0.113.9:31000", text);
  const invite = find(bed.take(), "INVITE");
  const recorded = header(invite, "Record-Route");
  assert.match(recorded.join(), /;up=/);
  bed.receive(
    "10.0.0.2:5060",
    request("BYE", {
      callId: "nat-1",
      fromTag: "b",
      toTag: "a",
      uri: "sip:alice@192.168.1.5:5060",
      ...routes(recorded),
      via: "SIP/2.0/UDP 10.0.0.2:5060",
    }),
  );
  assert.deepEqual(names(bed.take()), ["BYE 203.0.113.9:31000"]);
});
