// RFC 3261 §16.7 step 4 on the wire: redirections that are followed here, and those that go up.

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

test("§16.7 step 4, 3xx without recursion: goes up as it came", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const sent = bed.respond(find(bed.take(), "INVITE"), 302, { headers: [["Contact", "<sip:x@10.0.0.7>"]] });
  assert.deepEqual(toAlice(sent), [302]);
});

test("§16.7 step 4, recursion: contacts by q, the 302 itself is forgotten", () => {
  const bed = new Testbed({ route: forkTo(1), recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const redirected = bed.respond(find(bed.take(), "INVITE"), 302, {
    headers: [["Contact", "<sip:x@10.0.0.7>;q=0.5, <sip:y@10.0.0.8?Subject=z>;q=0.9"]],
  });
  assert.deepEqual(names(redirected), ["ACK 10.0.0.2:5060", "INVITE 10.0.0.8:5060"]);
  const second = find(redirected, "INVITE");
  // §16.6 step 2: header fields of a Contact have no place in a Request-URI.
  assert.match(second.text, /^INVITE sip:y@10\.0\.0\.8 SIP/);
  const next = bed.respond(second, 486);
  assert.deepEqual(names(next), ["ACK 10.0.0.8:5060", "INVITE 10.0.0.7:5060"]);
  assert.deepEqual(toAlice(bed.respond(find(next, "INVITE"), 404)), [486]);
});

test("§16.7 step 4, recursion: contacts that are not tried here go up", () => {
  const bed = new Testbed({ route: forkTo(1), recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const redirected = bed.respond(find(bed.take(), "INVITE"), 302, {
    headers: [["Contact", "<sip:x@10.0.0.7>, <mailto:bob@example.com>, <sips:x@10.0.0.8>"]],
  });
  const sent = bed.respond(find(redirected, "INVITE"), 486);
  assert.deepEqual(toAlice(sent), [302]);
  const final = sent.find(({ to }) => to === "10.0.0.9:5060") as Sent;
  assert.deepEqual(header(final, "Contact"), ["<mailto:bob@example.com>", "<sips:x@10.0.0.8>"]);
});

test("§16.7 step 4, recursion: a contact in our own domain goes up, the relay rules are for the caller", () => {
  const bed = new Testbed({ route: forkTo(1), recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const headers = [["Contact", "<sip:carol@example.com>"]] as const;
  assert.deepEqual(toAlice(bed.respond(find(bed.take(), "INVITE"), 302, { headers })), [302]);
});

test("§16.5, redirection in a circle: each URI once", () => {
  const bed = new Testbed({ route: forkTo(1), recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  let invite = find(bed.take(), "INVITE");
  const there = bed.respond(invite, 302, { headers: [["Contact", "<sip:x@10.0.0.7>"]] });
  invite = find(there, "INVITE");
  const back = bed.respond(invite, 302, { headers: [["Contact", "<sip:bob@10.0.0.2:5060>"]] });
  assert.deepEqual(branchesOf(back), []);
  assert.deepEqual(toAlice(back), [302]);
});

test("redirections without end: five generations", () => {
  const bed = new Testbed({ route: forkTo(1), recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  let sent = bed.take();
  let hops = 0;
  for (; branchesOf(sent).length > 0 && hops < 50; hops++) {
    const contact = `<sip:x@10.1.0.${hops + 1}>`;
    sent = bed.respond(find(sent, "INVITE"), 302, { headers: [["Contact", contact]] });
  }
  assert.equal(hops, 6);
  assert.deepEqual(toAlice(sent), [302]);
});

test("RFC 3841 §9.1, Request-Disposition: no-recurse", () => {
  const bed = new Testbed({ route: forkTo(1), recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: ["Request-Disposition: fork, no-recurse"] }));
  const sent = bed.respond(find(bed.take(), "INVITE"), 302, { headers: [["Contact", "<sip:x@10.0.0.7>"]] });
  assert.deepEqual(toAlice(sent), [302]);
});

test("§16.7 step 4, 416 to a tel URI of ours: the number as a SIP URI, no 416 goes up", () => {
  const bed = new Testbed({
    route: (_request, context) =>
      void context.addTargets([{ uri: "tel:+886212345678", path: ["<sip:10.0.0.5:5060;lr>"] }]),
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const tel = find(bed.take(), "INVITE");
  assert.match(tel.text, /^INVITE tel:\+886212345678 SIP/);
  const sip = find(bed.respond(tel, 416), "INVITE 10.0.0.5:5060");
  assert.match(sip.text, /^INVITE sip:\+886212345678@10\.0\.0\.5;user=phone SIP/);
  assert.deepEqual(toAlice(bed.respond(sip, 200)), [200]);
});
