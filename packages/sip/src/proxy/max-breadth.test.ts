// RFC 5393 on the wire: how many branches a request may have, and forks that come back.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  branchesOf,
  find,
  forkTo,
  header,
  names,
  request,
  type Sent,
  Testbed,
  toAlice,
} from "./testbed.test.kit.ts";

test("RFC 5393 §5.3.3, two branches share the breadth; it is added where it was missing", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  assert.deepEqual(
    branchesOf(bed.take()).map((one) => header(one, "Max-Breadth")),
    [["30"], ["30"]],
  );
});

test("RFC 5393 §5.3.3, one target: breadth passes unchanged, too much is cut", () => {
  for (const [received, expected] of [
    ["7", "7"],
    ["60", "60"],
    ["61", "60"],
    ["x", "60"],
    [undefined, "60"],
  ]) {
    const bed = new Testbed({ route: forkTo(1) });
    const headers = received === undefined ? [] : [`Max-Breadth: ${received}`];
    bed.receive("10.0.0.9:5060", request("INVITE", { headers }));
    assert.deepEqual(header(find(bed.take(), "INVITE"), "Max-Breadth"), [expected]);
  }
});

test("RFC 5393 §5.3.3.1, breadth 2 for three targets: the third when one has ended", () => {
  const bed = new Testbed({ route: forkTo(1, 1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: ["Max-Breadth: 2"] }));
  const first = branchesOf(bed.take());
  assert.deepEqual(
    first.map((one) => header(one, "Max-Breadth").join()),
    ["1", "1"],
  );
  const next = branchesOf(bed.respond(first[0] as Sent, 486));
  assert.deepEqual(names(next), ["INVITE 10.0.0.4:5060"]);
  assert.deepEqual(header(next[0] as Sent, "Max-Breadth"), ["1"]);
});

test("RFC 5393 §5.3.3, a proxy that will not search one by one: 440", () => {
  const bed = new Testbed({ route: forkTo(1, 1, 1), onBreadth: "reject" });
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: ["Max-Breadth: 2"] }));
  const sent = bed.take();
  assert.deepEqual(toAlice(sent), [440]);
  assert.deepEqual(branchesOf(sent), []);
});

test("RFC 5393 §4.2, a forked request comes back unchanged: 482; with another Request-URI: forked again", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE", { callId: "loop-1" }));
  const copy = branchesOf(bed.take())[0] as Sent;
  const returning = (uri: string) =>
    copy.text
      .replace(/^INVITE \S+/, `INVITE ${uri}`)
      .replace(/\r\nVia:/, `\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKback${uri.length}\r\nVia:`);
  bed.receive("10.0.0.2:5060", returning("sip:bob@example.com"));
  assert.deepEqual(names(bed.take()), ["482 10.0.0.2:5060"]);
  bed.receive("10.0.0.2:5060", returning("sip:robert@example.com"));
  assert.equal(branchesOf(bed.take()).length, 2);
});
