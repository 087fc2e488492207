// RFC 3261 §16.11 on the wire: what is forwarded without a transaction.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bob, call, header, names, request, type Sent, Testbed, toBob } from "./testbed.test.kit.ts";

test("an ACK for a user of ours without Route goes to every device: only one knows the dialog", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@10.0.0.2" }, { uri: "sip:bob@10.0.0.3", q: 0.1 }]),
  });
  bed.receive("10.0.0.9:5060", request("ACK", { toTag: "b" }));
  assert.deepEqual(names(bed.take()), ["ACK 10.0.0.2:5060", "ACK 10.0.0.3:5060"]);
});

test("§16.11, an ACK that is sent again is the same further on, another is not", () => {
  const bed = new Testbed({ route: toBob });
  const forwarded = (branch: string) => {
    bed.receive("10.0.0.9:5060", request("ACK", { branch, callId: "acked", toTag: "b" }));
    const { text } = bed.takeOne();
    return text;
  };
  const first = forwarded("z9hG4bKone");
  assert.equal(forwarded("z9hG4bKone"), first);
  assert.notEqual(forwarded("z9hG4bKtwo"), first);
  // Nor is it the same if it comes through here once more.
  const [own, below] = [...first.matchAll(/;branch=([^;\r]+)/g)].map(([, branch]) => branch);
  assert.deepEqual([below, own === below], ["z9hG4bKone", false]);
  // RFC 2543: what tells one from the other is not in the branch.
  assert.notEqual(forwarded("1"), forwarded("1"));
});

test("a BYE for a user of ours without Route is forked, and the device that knows it answers", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@10.0.0.2" }, { uri: "sip:bob@10.0.0.3" }]),
  });
  bed.receive("10.0.0.9:5060", request("BYE", { toTag: "b" }));
  const [one, two] = bed.take() as [Sent, Sent];
  assert.deepEqual(bed.respond(one, 481), []);
  assert.deepEqual(names(bed.respond(two, 200)), ["200 10.0.0.9:5060"]);
});

test("§16.10, a CANCEL without INVITE: forwarded statelessly, the same way each time, and its 200 comes back", () => {
  const bed = new Testbed({ route: toBob });
  const text = request("CANCEL", { branch: "z9hG4bKstray", callId: "stray-1" });
  bed.receive("10.0.0.9:5060", text);
  const first = bed.takeOne();
  bed.receive("10.0.0.9:5060", text);
  const second = bed.takeOne();
  assert.deepEqual(names([first]), [`CANCEL ${bob}`]);
  assert.equal(first.text, second.text);
  const back = bed.respond(first, 200);
  assert.deepEqual(names(back), ["200 10.0.0.9:5060"]);
  assert.equal(header(back[0] as Sent, "Via").length, 1);
});

test("§16.10, a CANCEL without INVITE that may not pass, or has nowhere to go: 481", () => {
  for (const options of [
    { admit: () => false, route: toBob },
    { admit: () => Promise.resolve(true), route: toBob },
    {},
  ]) {
    const bed = new Testbed(options);
    bed.receive("10.0.0.9:5060", request("CANCEL"));
    assert.deepEqual(names(bed.take()), ["481 10.0.0.9:5060"]);
  }
});

test("RFC 6026 §7.3, a response that answers nothing of ours is dropped", () => {
  const bed = new Testbed({ route: toBob });
  const { invite } = call(bed);
  const stray = (via: string) =>
    ["SIP/2.0 200 OK", `Via: ${via}`, `Via: ${header(invite, "Via")[1]}`]
      .concat(
        ["From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(invite, name)[0]}`),
        "",
        "",
      )
      .join("\r\n");
  bed.receive("10.0.0.2:5060", stray("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnever"));
  bed.receive("10.0.0.2:5060", stray("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKs.0123456789abcdef"));
  assert.deepEqual(bed.take(), []);
});
