// What route programs may do, and what becomes of their mistakes.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProxyTarget } from "./targets.ts";
import { branchesOf, find, header, names, request, type Sent, Testbed, toAlice } from "./testbed.test.kit.ts";

test("§16.5, a program without targets: 480", () => {
  const bed = new Testbed();
  bed.receive("10.0.0.9:5060", request("INVITE"));
  assert.deepEqual(toAlice(bed.take()), [480]);
});

test("a program that throws: 500, reported", () => {
  const bed = new Testbed({
    route: () => {
      throw new Error("oops");
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  assert.deepEqual(toAlice(bed.take()), [500]);
  assert.equal(bed.errors.length, 1);
});

const unwritable: readonly [title: string, target: ProxyTarget][] = [
  [
    "a Request-URI with a space",
    {
      uri: "sip:bob @10.0.0.2",
      addresses: [{ transport: "UDP", address: "10.0.0.2", port: 5060 }],
    },
  ],
  ["a path with a line break", { uri: "sip:bob@10.0.0.2:5060", path: ["<sip:10.0.0.3;lr>\r\nX: y"] }],
  [
    "a path that holds NUL, by way of a name",
    { uri: "sip:bob@10.0.0.2:5060", path: ['"\0" <sip:edge.example;lr>'] },
  ],
];
for (const [title, target] of unwritable) {
  test(`a target that cannot be written, ${title}, after one that is busy: 486, and nothing waits`, () => {
    const bed = new Testbed({
      route: (_request, context) =>
        void context.addTargets([{ uri: "sip:bob@10.0.0.4:5060" }, target], "in order"),
    });
    bed.receive("10.0.0.9:5060", request("INVITE"));
    assert.deepEqual(toAlice(bed.respond(branchesOf(bed.take())[0] as Sent, 486)), [486]);
  });
}

test("§21.4.1, a program that stumbles over a header field: 400, not our fault, not reported", () => {
  const bed = new Testbed({
    route: (message) => {
      message.headers.getAll("Contact");
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: ["Contact: <"] }));
  assert.deepEqual(toAlice(bed.take()), [400]);
  assert.equal(bed.errors.length, 0);
});

test("a program that rejects while a phone rings: the phone is cancelled, then 500", async () => {
  const bed = new Testbed({
    route: async (_request, context) => {
      context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]);
      await Promise.resolve();
      throw new Error("oops");
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const invite = find(bed.take(), "INVITE");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bed.errors.length, 1);
  assert.deepEqual(toAlice(bed.take()), [500]);
  assert.deepEqual(names(bed.respond(invite, 180)), ["CANCEL 10.0.0.2:5060"]);
  // Too late: alice was told.
  assert.deepEqual(toAlice(bed.respond(invite, 200)), []);
});

test("answers, redirects and provisionals carry one To tag of this server's own", () => {
  const bed = new Testbed({
    route: (_request, context) => {
      context.provisional(181);
      context.provisional(182, { reasonPhrase: "Queued, 2 before you" });
      context.redirect([
        "sip:bob@elsewhere.example",
        { uri: { scheme: "tel", number: "+1", params: new Map() }, params: new Map([["q", "0.1"]]) },
      ]);
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const sent = bed.take();
  assert.deepEqual(toAlice(sent), [181, 182, 302]);
  const tags = new Set(sent.map(({ message }) => message.toTag));
  assert.equal(tags.size, 1);
  assert.deepEqual(header(sent[2] as Sent, "Contact"), ["<sip:bob@elsewhere.example>", "<tel:+1>;q=0.1"]);
});

test("searched(): a program waits for the outcome and forwards elsewhere", async () => {
  const seen: number[] = [];
  const bed = new Testbed({
    route: async (_request, context) => {
      context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]);
      const status = await context.searched();
      seen.push(status);
      if (status === 486) context.addTargets([{ uri: "sip:voicemail@10.0.0.6:5060" }]);
      seen.push(await context.searched());
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const busy = bed.respond(find(bed.take(), "INVITE"), 486);
  // The answer waits for the program.
  assert.deepEqual(toAlice(busy), []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(toAlice(bed.respond(find(bed.take(), "INVITE 10.0.0.6:5060"), 200)), [200]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, [486, 200]);
});

test("a program that answers while a phone rings: cancelled first, the answer follows the 487", () => {
  let decide: () => void = () => {};
  const bed = new Testbed({
    route: (_request, context) => {
      context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]);
      decide = () => assert.equal(context.answer(486), true);
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const invite = find(bed.take(), "INVITE");
  bed.respond(invite, 180);
  decide();
  assert.deepEqual(names(bed.take()), ["CANCEL 10.0.0.2:5060"]);
  assert.deepEqual(toAlice(bed.respond(invite, 487)), [486]);
});

test("a CANCEL while the program looks something up: 487, and later targets are not tried", async () => {
  let found: () => void = () => {};
  const bed = new Testbed({
    route: async (_request, context) => {
      await new Promise<void>((resolve) => {
        found = resolve;
      });
      assert.equal(context.isCanceled, true);
      assert.equal(context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]), 0);
    },
  });
  const options = { branch: "z9hG4bKearly", callId: "early-1" };
  bed.receive("10.0.0.9:5060", request("INVITE", options));
  bed.receive("10.0.0.9:5060", request("CANCEL", options));
  assert.deepEqual(names(bed.take()), ["200 10.0.0.9:5060", "487 10.0.0.9:5060"]);
  found();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(bed.take(), []);
});

test("RFC 4320 §4.2, searched(): nobody answers a MESSAGE in time: nothing may be sent, and the program goes on", async () => {
  const seen: number[] = [];
  let look: () => void = () => {};
  const found = new Promise<void>((resolve) => {
    look = resolve;
  });
  const bed = new Testbed({
    route: async (_request, context) => {
      await found;
      context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]);
      seen.push(await context.searched());
      assert.equal(context.addTargets([{ uri: "sip:bob@10.0.0.3:5060" }]), 0);
      seen.push(await context.searched());
    },
  });
  bed.receive("10.0.0.9:5060", request("MESSAGE"));
  // While it looks bob up, the time of the caller's transaction runs: it ends before that of the branch.
  bed.advance(100);
  look();
  await new Promise((resolve) => setImmediate(resolve));
  bed.advance(40_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(toAlice(bed.take()), []);
  assert.deepEqual(seen, [0, 0]);
  assert.equal(bed.stack.transactionCount, 0);
});

test("a branch that cannot be made, by a mistake of the application: reported, and the search comes to its end", () => {
  let asked = 0;
  const bed = new Testbed({
    route: (_request, context) =>
      void context.addTargets(
        [{ uri: "sip:bob@10.0.0.2:5060" }, { uri: "sip:bob@10.0.0.3:5060" }],
        "in order",
      ),
    isOurRealm: () => {
      if (++asked === 2) throw new Error("oops");
      return false;
    },
  });
  const credentials =
    'Proxy-Authorization: Digest username="a", realm="r", nonce="n", uri="sip:x", response="0"';
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: [credentials] }));
  assert.deepEqual(toAlice(bed.respond(branchesOf(bed.take())[0] as Sent, 486)), [486]);
  assert.equal(bed.errors.length, 1);
});

test("branches that cannot be made: each counts as failed, the first mistake is reported", () => {
  let asked = 0;
  const bed = new Testbed({
    route: (_request, context) =>
      void context.addTargets(
        [2, 3, 4, 5].map((last) => ({ uri: `sip:bob@10.0.0.${last}:5060` })),
        "in order",
      ),
    isOurRealm: () => {
      asked++;
      if (asked === 2 || asked === 3) throw new Error(`oops ${asked}`);
      return false;
    },
  });
  const credentials =
    'Proxy-Authorization: Digest username="a", realm="r", nonce="n", uri="sip:x", response="0"';
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: [credentials] }));
  const last = branchesOf(bed.respond(branchesOf(bed.take())[0] as Sent, 486));
  assert.deepEqual(
    last.map(({ to }) => to),
    ["10.0.0.5:5060"],
  );
  assert.deepEqual(bed.errors.map(String), ["Error: oops 2"]);
  assert.deepEqual(toAlice(bed.respond(last[0] as Sent, 480)), [486]);
});

test("the only branch cannot be made, and the program does not mind: 500, not as if there were no target", () => {
  const bed = new Testbed({
    route: (_request, context) =>
      assert.throws(() => context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]), /oops/),
    isOurRealm: () => {
      throw new Error("oops");
    },
  });
  const credentials =
    'Proxy-Authorization: Digest username="a", realm="r", nonce="n", uri="sip:x", response="0"';
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: [credentials] }));
  assert.deepEqual(toAlice(bed.take()), [500]);
  assert.deepEqual(bed.errors, []);
});

test("an answer that cannot be written, while a branch is under way: 500, reported, and the branch is cancelled", () => {
  const bed = new Testbed({
    route: (_request, context) => {
      context.addTargets([{ uri: "sip:bob@10.0.0.2:5060" }]);
      context.answer(486, { headers: [["Subject", "a\r\nb"]] });
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const sent = bed.take();
  assert.equal(toAlice(sent).at(-1), 500);
  assert.deepEqual(bed.errors.map(String), ["ArgumentError: Subject must not hold a line break or NUL"]);
  const branch = branchesOf(sent)[0] as Sent;
  assert.deepEqual(names(bed.respond(branch, 180)), ["CANCEL 10.0.0.2:5060"]);
  assert.deepEqual(names(bed.respond(branch, 487)), ["ACK 10.0.0.2:5060"]);
});

test("an admission that fails later, for a request along a route of ours: 500, reported", async () => {
  const bed = new Testbed({
    admit: async () => {
      throw new Error("no directory");
    },
  });
  const options = { uri: "sip:carol@10.0.0.3", headers: ["Route: <sip:10.0.0.1;lr>"] };
  bed.receive("10.0.0.9:5060", request("INVITE", options));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(toAlice(bed.take()), [500]);
  assert.equal(bed.errors.length, 1);
});
