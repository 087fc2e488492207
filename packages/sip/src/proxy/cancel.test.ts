// RFC 3261 §16.7 step 5, §16.8, §16.10 on the wire: who is cancelled when, by a 6xx, a CANCEL or timer C.

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
  tcp,
  toAlice,
  toBob,
} from "./testbed.test.kit.ts";

test("§16.7 step 5, 6xx: the others are cancelled, lower q never tried, the 6xx goes up last", () => {
  const bed = new Testbed({ route: forkTo(1, 1, 0.5) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [one, two] = branchesOf(bed.take()) as [Sent, Sent];
  bed.respond(two, 180);
  const declined = bed.respond(one, 603);
  assert.deepEqual(names(declined), ["ACK 10.0.0.2:5060", "CANCEL 10.0.0.3:5060"]);
  bed.respond(find(declined, "CANCEL"), 200);
  assert.deepEqual(names(bed.respond(two, 487)), ["ACK 10.0.0.3:5060", "603 10.0.0.9:5060"]);
});

test("§16.7 step 5, 2xx after a 6xx that is still held back: the 2xx wins", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [one, two] = branchesOf(bed.take()) as [Sent, Sent];
  bed.respond(two, 180);
  bed.respond(one, 603);
  assert.deepEqual(toAlice(bed.respond(two, 200)), [200]);
});

test("§16.10, CANCEL: 200 at once, every ringing branch cancelled with its Reason, 487 goes up", () => {
  const bed = new Testbed({ route: forkTo(1, 1, 0.5) });
  const options = { branch: "z9hG4bKcancel", callId: "cancel-1" };
  bed.receive("10.0.0.9:5060", request("INVITE", options));
  const [one, two] = branchesOf(bed.take()) as [Sent, Sent];
  bed.respond(one, 180);
  bed.receive(
    "10.0.0.9:5060",
    request("CANCEL", { ...options, headers: ['Reason: SIP;cause=200;text="x"'] }),
  );
  const canceled = bed.take();
  // The second phone gave no sign of life yet: its CANCEL waits (§9.1).
  assert.deepEqual(names(canceled), ["200 10.0.0.9:5060", "CANCEL 10.0.0.2:5060"]);
  assert.deepEqual(header(find(canceled, "CANCEL"), "Reason"), ['SIP;cause=200;text="x"']);
  assert.deepEqual(names(bed.respond(two, 100)), ["CANCEL 10.0.0.3:5060"]);
  assert.deepEqual(names(bed.respond(one, 487)), ["ACK 10.0.0.2:5060"]);
  // Both have ended; q 0.5 is not tried.
  assert.deepEqual(names(bed.respond(two, 487)), ["ACK 10.0.0.3:5060", "487 10.0.0.9:5060"]);
});

test("§16.10, CANCEL that crosses the 200: the call stands", () => {
  const bed = new Testbed({ route: forkTo(1) });
  const options = { branch: "z9hG4bKrace", callId: "race-1" };
  bed.receive("10.0.0.9:5060", request("INVITE", options));
  const invite = find(bed.take(), "INVITE");
  bed.respond(invite, 180);
  bed.receive("10.0.0.9:5060", request("CANCEL", options));
  bed.take();
  assert.deepEqual(toAlice(bed.respond(invite, 200)), [200]);
});

test("§16.10, CANCEL for a phone that never answers: 487 when the branch has timed out", () => {
  const bed = new Testbed({ route: forkTo(1) });
  const options = { branch: "z9hG4bKdead", callId: "dead-1" };
  bed.receive("10.0.0.9:5060", request("INVITE", options));
  bed.receive("10.0.0.9:5060", request("CANCEL", options));
  bed.take();
  bed.advance(33_000);
  const late = bed.take();
  assert.deepEqual(new Set(toAlice(late)), new Set([487]));
  assert.deepEqual(branchesOf(late, "CANCEL"), []);
});

test("§16.8, timer C: a phone that only rings is cancelled after three minutes, each 1xx starts it again", () => {
  const bed = new Testbed({ route: forkTo(1), timerC: 185 });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const invite = find(bed.take(), "INVITE");
  bed.respond(invite, 180);
  bed.advance(120_000);
  bed.respond(invite, 180);
  bed.advance(184_000);
  assert.deepEqual(names(bed.take()), []);
  // §16.7 step 2: a 100 does not count.
  bed.respond(invite, 100);
  bed.advance(2_000);
  assert.deepEqual(names(bed.take()).slice(0, 1), ["CANCEL 10.0.0.2:5060"]);
  assert.deepEqual(toAlice(bed.respond(invite, 487)), [487]);
});

test("§16.8, timer C, and not even an answer to the CANCEL: 408", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  bed.respond(find(bed.take(), "INVITE"), 100);
  bed.advance(185_000 + 40_000);
  assert.deepEqual([...new Set(toAlice(bed.take()))], [408]);
});

test("§16.6, a head of just the size that is let in: what we add to it leaves CANCEL and ACK possible", () => {
  for (const end of ["486", "CANCEL"]) {
    const bed = new Testbed({ route: toBob });
    const alice = bed.accept(tcp, "10.0.0.9");
    const options = { via: "SIP/2.0/TCP 10.0.0.9:40000", branch: `z9hG4bKbig${end}`, callId: `big-${end}` };
    const headers = Array.from({ length: 8 }, () => `X: ${"y".repeat(7989)}`);
    const bare = request("INVITE", { ...options, headers }).length + "X: \r\n".length;
    headers.push(`X: ${"y".repeat(65_536 - bare)}`);
    bed.receive(alice, request("INVITE", { ...options, headers }));
    const invite = find(bed.take(), "INVITE");
    assert.ok(invite.text.length > 65_536);
    bed.respond(invite, 180);
    if (end === "CANCEL") {
      bed.receive(alice, request("CANCEL", options));
      assert.deepEqual(names(bed.take()), ["200 tcp 10.0.0.9:40000", `CANCEL ${invite.to}`]);
    }
    assert.ok(names(bed.respond(invite, end === "CANCEL" ? 487 : 486)).includes(`ACK ${invite.to}`));
    assert.deepEqual(bed.errors, []);
  }
});
