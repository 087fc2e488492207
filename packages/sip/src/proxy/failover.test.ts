// RFC 3263 §4.3 at a proxy: within one branch the next target, unseen by the caller.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Target } from "../transport/flow.ts";
import { find, names, request, Testbed } from "./testbed.test.kit.ts";

const gateways: Target[] = ["10.0.0.2", "10.0.0.3"].map((address) => ({
  transport: "UDP",
  address,
  port: 5060,
}));

function toGateway() {
  return new Testbed({ route: (_r, context) => void context.addTargets([{ uri: "sip:bob@gw.test" }]) });
}

const ALICE = "10.0.0.9:5060";

test("INVITE: a gateway that is silent for 3 s; the next one gets the call and the one after at once", () => {
  const bed = toGateway();
  bed.receive(ALICE, request("INVITE"));
  bed.resolve("gw.test", gateways);
  const first = find(bed.take(), "INVITE 10.0.0.2:5060");
  bed.advance(3_000);
  const sent = bed.take();
  const second = find(sent, "INVITE 10.0.0.3:5060");
  assert.notEqual(first.message.topBranch, second.message.topBranch);
  assert.deepEqual(names(bed.respond(second, 486)), ["ACK 10.0.0.3:5060", `486 ${ALICE}`]);
  bed.receive(ALICE, request("INVITE"));
  bed.resolve("gw.test", gateways);
  find(bed.take(), "INVITE 10.0.0.3:5060");
});

test("INVITE: the silent gateway rings after all: CANCEL for it, nothing for the caller", () => {
  const bed = toGateway();
  bed.receive(ALICE, request("INVITE"));
  bed.resolve("gw.test", gateways);
  const first = find(bed.take(), "INVITE 10.0.0.2:5060");
  bed.advance(3_000);
  bed.take();
  assert.deepEqual(names(bed.respond(first, 180)), ["CANCEL 10.0.0.2:5060"]);
});

test("INVITE: both gateways answer: the late 200 goes up too (§16.7 step 5)", () => {
  const bed = toGateway();
  bed.receive(ALICE, request("INVITE"));
  bed.resolve("gw.test", gateways);
  const first = find(bed.take(), "INVITE 10.0.0.2:5060");
  bed.advance(3_000);
  const second = find(bed.take(), "INVITE 10.0.0.3:5060");
  assert.deepEqual(names(bed.respond(second, 200)), [`200 ${ALICE}`]);
  assert.deepEqual(names(bed.respond(first, 200)), [`200 ${ALICE}`]);
});

for (const method of ["INVITE", "MESSAGE"]) {
  test(`${method}: 503 with Retry-After from the first gateway: the next, and only that until the time is over`, () => {
    const bed = toGateway();
    const go = () => {
      bed.receive(ALICE, request(method));
      bed.resolve("gw.test", gateways);
      return find(bed.take(), method);
    };
    const first = go();
    assert.equal(first.to, "10.0.0.2:5060");
    const second = find(
      bed.respond(first, 503, { headers: [["Retry-After", "60"]] }),
      `${method} 10.0.0.3:5060`,
    );
    assert.equal(names(bed.respond(second, 404)).at(-1), `404 ${ALICE}`);
    const again = go();
    assert.equal(again.to, "10.0.0.3:5060");
    bed.respond(again, 404);
    bed.advance(60_000);
    bed.take();
    assert.equal(go().to, "10.0.0.2:5060");
  });

  test(`${method}: a 503 from every gateway: 500 for the caller (§16.7 step 6)`, () => {
    const bed = toGateway();
    bed.receive(ALICE, request(method));
    bed.resolve("gw.test", gateways);
    const first = find(bed.take(), method);
    const second = find(bed.respond(first, 503), method);
    assert.equal(names(bed.respond(second, 503)).at(-1), `500 ${ALICE}`);
  });
}
