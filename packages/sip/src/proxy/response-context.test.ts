// RFC 3261 §16.7 on the wire: which responses go back, and in which order targets are tried.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TransportError } from "../errors.ts";
import { makeResponse, SipRequest } from "../message/index.ts";
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

// --- The best response -------------------------------------------------------------------------------------

type Outcome = number | "timeout";
const best: readonly (readonly [
  title: string,
  method: string,
  outcomes: Outcome[],
  final: number | undefined,
])[] = [
  ["the RFC's example", "INVITE", [503, 407, 501, 404], 407],
  ["lowest class: an unrecursed 302 before 486", "INVITE", [486, 302], 302],
  ["6xx before everything", "INVITE", [404, 603, 486], 603],
  ["6xx arriving last still wins", "INVITE", [302, 404, 600], 600],
  ["503 alone becomes 500", "INVITE", [503], 500],
  ["503 twice becomes 500", "INVITE", [503, 503], 500],
  ["503 loses to any other 5xx", "INVITE", [503, 504], 504],
  ["504 before 503", "INVITE", [504, 503], 504],
  ["4xx before 5xx", "INVITE", [500, 404], 404],
  ["no answer and 404: 404", "INVITE", ["timeout", 404], 404],
  ["no answer at all: 408", "INVITE", ["timeout"], 408],
  ["no answer and 503: 408", "INVITE", ["timeout", 503], 408],
  ["401 before 486", "INVITE", [486, 401], 401],
  ["415 before 420", "INVITE", [420, 415], 415],
  ["420 before 484", "INVITE", [484, 420], 420],
  ["484 before 486", "INVITE", [486, 484], 484],
  ["486 before 480", "INVITE", [480, 486], 486],
  ["480 before 404", "INVITE", [404, 480], 480],
  ["482 loses to 404", "INVITE", [482, 404], 404],
  ["482 alone goes up", "INVITE", [482], 482],
  ["430 loses to 482", "INVITE", [430, 482], 482],
  ["430 alone goes up as 480", "INVITE", [430], 480],
  ["equal: the first one", "INVITE", [404, 404], 404],
  ["unknown codes count by class", "INVITE", [499, 599], 499],
  ["other methods: best of two", "MESSAGE", [404, 486], 486],
  ["other methods: a received 408 is kept back", "MESSAGE", [408, 404], 404],
  ["other methods: 408 alone, nothing is sent (RFC 4320)", "MESSAGE", [408], undefined],
  ["other methods: no answer, nothing is sent (RFC 4320)", "MESSAGE", ["timeout"], undefined],
];

for (const [title, method, outcomes, final] of best) {
  test(`§16.7 step 6, ${title}: ${outcomes.join(", ")} give ${final ?? "nothing"}`, () => {
    const bed = new Testbed({ route: forkTo(...outcomes.map(() => 1)) });
    bed.receive("10.0.0.9:5060", request(method));
    const all = bed.take();
    const branches = branchesOf(all, method);
    assert.equal(branches.length, outcomes.length);
    outcomes.forEach((outcome, i) => {
      if (outcome !== "timeout") all.push(...bed.respond(branches[i] as Sent, outcome));
    });
    bed.advance(40_000);
    all.push(...bed.take());
    const got = new Set(toAlice(all));
    assert.deepEqual([...got], final === undefined ? [] : [final]);
    assert.deepEqual(bed.errors, []);
  });
}

test("§16.9, an address that refuses: as 503, so 500", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const invite = find(bed.take(), "INVITE");
  bed.stack.sendFailed(invite.flow, new Error("ECONNREFUSED"), bed.clock.time);
  assert.deepEqual(toAlice(bed.take()), [500]);
});

test("RFC 3263, a name without address: 500", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sip:bob@nowhere.test" }]),
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  bed.resolve("nowhere.test", new Error("ENOTFOUND"));
  assert.deepEqual(toAlice(bed.take()), [500]);
});

// --- What goes up at once ------------------------------------------------------------------------------------

for (const method of ["INVITE", "MESSAGE"]) {
  test(`§21.5.5, nobody who could say where the next hop is answers in time, ${method}: 504`, () => {
    const bed = new Testbed({
      route: (_r, context) => void context.addTargets([{ uri: "sip:bob@slow.test" }]),
    });
    bed.receive("10.0.0.9:5060", request(method));
    bed.resolve("slow.test", new TransportError("no answer in time", { isTimeout: true }));
    assert.deepEqual(toAlice(bed.take()), [504]);
  });
}

test("§21.4.9, an INVITE whose Expires runs out meanwhile: 408; once it is sent, Expires is the callee's business", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@slow.test" }, { uri: "sip:bob@10.0.0.2:5060" }]),
  });
  bed.receive("10.0.0.9:5060", request("INVITE", { headers: ["Expires: 5"] }));
  const [invite] = branchesOf(bed.take(), "INVITE");
  bed.respond(invite as Sent, 180);
  bed.advance(5000);
  assert.deepEqual(names(bed.take()), []);
  assert.deepEqual(toAlice(bed.respond(invite as Sent, 486)), [486]);
  const alone = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sip:bob@slow.test" }]),
  });
  alone.receive("10.0.0.9:5060", request("INVITE", { headers: ["Expires: 5"] }));
  alone.advance(4999);
  assert.deepEqual(toAlice(alone.take()), []);
  alone.advance(1);
  assert.deepEqual(toAlice(alone.take()), [408]);
});

// What is broken in a response of the callee, and what the caller gets.
const brokenResponses: readonly (readonly [title: string, RegExp, string, number | undefined])[] = [
  ["To", /^To: .*$/m, "To: <sip:bob", 502],
  ["From", /^From: .*$/m, "From: ???", 502],
  ["no Call-ID", /^Call-ID: .*\r\n/m, "X-Call-ID: x\r\n", 502],
  ["no CSeq", /^CSeq: .*\r\n/m, "", 502],
  ["another method's CSeq", /^CSeq: .*$/m, "CSeq: 1", 502],
  ["cut short (§18.3): dropped", /^Content-Length: 0$/m, "Content-Length: 10", undefined],
];
for (const method of ["INVITE", "MESSAGE"]) {
  for (const [title, find, replace, final] of brokenResponses) {
    test(`§21.5.3, ${method}, a final response that cannot be used, ${title}: ${final ?? "nothing"}`, () => {
      const bed = new Testbed({ route: forkTo(1) });
      bed.receive("10.0.0.9:5060", request(method));
      const [copy] = branchesOf(bed.take(), method);
      assert.ok(copy?.message instanceof SipRequest);
      const text = new TextDecoder().decode(makeResponse(copy.message, 200, { toTag: "b" }).bytes);
      assert.match(text, find);
      bed.receive(copy.flow, text.replace(find, replace));
      assert.deepEqual(toAlice(bed.take()), final === undefined ? [] : [final]);
      assert.deepEqual(bed.errors, []);
    });
  }
}

test("§21.5.3, a response of nobody's, or not the last one, that cannot be used: dropped", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [copy] = branchesOf(bed.take()) as [Sent];
  assert.ok(copy.message instanceof SipRequest);
  const broken = (statusCode: number) =>
    new TextDecoder()
      .decode(makeResponse(copy.message as SipRequest, statusCode, { toTag: "b" }).bytes)
      .replace(/^To: .*$/m, "To: <sip:");
  bed.receive(copy.flow, broken(200).replace(/branch=z9hG4bK[^;\r]*/, "branch=z9hG4bKx"));
  bed.receive(copy.flow, broken(180));
  assert.deepEqual(names(bed.take()), []);
  assert.deepEqual(toAlice(bed.respond(copy, 486)), [486]);
});

test("§16.7 step 6, a branch that answers nonsense does not hide another one's answer", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [first, second] = branchesOf(bed.take(), "INVITE") as [Sent, Sent];
  assert.ok(first.message instanceof SipRequest);
  bed.respond(first, 180);
  const text = new TextDecoder().decode(makeResponse(first.message, 603, { toTag: "b" }).bytes);
  bed.receive(first.flow, text.replace(/^To: .*$/m, "To: <sip:"));
  assert.deepEqual(toAlice(bed.respond(second, 486)), [486]);
});

test("§17.2.1, §16.7 step 5: 100 from here at once, theirs stays, other 1xx pass", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const sent = bed.take();
  assert.deepEqual(names(sent), ["100 10.0.0.9:5060", "INVITE 10.0.0.2:5060"]);
  const invite = find(sent, "INVITE");
  assert.deepEqual(bed.respond(invite, 100), []);
  assert.deepEqual(names(bed.respond(invite, 180)), ["180 10.0.0.9:5060"]);
  assert.deepEqual(names(bed.respond(invite, 183)), ["183 10.0.0.9:5060"]);
  assert.deepEqual(names(bed.respond(invite, 200)), ["200 10.0.0.9:5060"]);
});

test("§16.7 step 5, 2xx of two branches: both go up, the pending third is cancelled", () => {
  const bed = new Testbed({ route: forkTo(1, 1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [one, two, three] = branchesOf(bed.take()) as [Sent, Sent, Sent];
  for (const branch of [one, two, three]) bed.respond(branch, 180);
  const first = bed.respond(one, 200);
  assert.deepEqual(names(first), ["200 10.0.0.9:5060", "CANCEL 10.0.0.3:5060", "CANCEL 10.0.0.4:5060"]);
  assert.match(header(find(first, "CANCEL"), "Reason").join(), /SIP;cause=200/);
  // Bob's second phone was faster than the CANCEL.
  assert.deepEqual(names(bed.respond(two, 200)), ["200 10.0.0.9:5060"]);
  // Retransmitted 2xx pass too: their ACK comes end to end.
  assert.deepEqual(names(bed.respond(two, 200)), ["200 10.0.0.9:5060"]);
  assert.deepEqual(names(bed.respond(three, 487)), ["ACK 10.0.0.4:5060"]);
  // And when nothing is under way any more.
  for (const branch of [one, two]) {
    assert.deepEqual(names(bed.respond(branch, 200)), ["200 10.0.0.9:5060"]);
    assert.deepEqual(names(bed.respond(branch, 183)), []);
  }
});

test("RFC 6026 §8.3: what a branch repeats after the caller's transaction has ended is discarded", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [one, two] = branchesOf(bed.take()) as [Sent, Sent];
  for (const branch of [one, two]) bed.respond(branch, 180);
  bed.respond(one, 200);
  bed.advance(20_000);
  assert.deepEqual(toAlice(bed.respond(two, 200)), [200]);
  bed.advance(11_999);
  assert.deepEqual(toAlice(bed.respond(two, 200)), [200]);
  bed.advance(1);
  assert.deepEqual(toAlice(bed.respond(two, 200)), []);
});

test("§16.7 step 5, other methods: one 2xx only", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("MESSAGE"));
  const [one, two] = branchesOf(bed.take(), "MESSAGE") as [Sent, Sent];
  assert.deepEqual(names(bed.respond(one, 200)), ["200 10.0.0.9:5060"]);
  assert.deepEqual(names(bed.respond(two, 202)), []);
});

test("§16.7 step 3, only the top Via goes, though SIPp folds all into one line", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE", { branch: "z9hG4bKfold" }));
  const invite = find(bed.take(), "INVITE");
  const folded = [
    "SIP/2.0 180 Ringing",
    `Via: ${header(invite, "Via").join(", ")}`,
    ...["From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(invite, name)[0]}`),
    "",
    "",
  ].join("\r\n");
  bed.receive("10.0.0.2:5060", folded);
  const ringing = bed.takeOne();
  assert.equal(header(ringing, "Via").length, 1);
  assert.match(header(ringing, "Via")[0] ?? "", /^SIP\/2\.0\/UDP 10\.0\.0\.9:5060;branch=z9hG4bKfold/);
});

test("§16.7 item 3, a response without a Via of the caller is not for the caller: 502", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const copy = branchesOf(bed.take())[0] as Sent;
  const [own] = header(copy, "Via");
  const lines = copy.text.split("\r\n").filter((line) => !/^(INVITE|Via)/.test(line));
  bed.receive("10.0.0.2:5060", ["SIP/2.0 404 Not Found", `Via: ${own}`, ...lines].join("\r\n"));
  assert.deepEqual(toAlice(bed.take()), [502]);
});

// --- Order of the search ------------------------------------------------------------------------------------

test("§16.6, q: the next group when every branch of this one has failed", () => {
  const bed = new Testbed({ route: forkTo(0.5, 1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const first = branchesOf(bed.take());
  assert.deepEqual(names(first), ["INVITE 10.0.0.3:5060", "INVITE 10.0.0.4:5060"]);
  assert.deepEqual(names(bed.respond(first[0] as Sent, 486)), ["ACK 10.0.0.3:5060"]);
  const next = bed.respond(first[1] as Sent, 480);
  assert.deepEqual(names(next), ["ACK 10.0.0.4:5060", "INVITE 10.0.0.2:5060"]);
  assert.deepEqual(toAlice(bed.respond(find(next, "INVITE"), 404)), [486]);
});

test("ringTime: a target in order gets so long and no longer", () => {
  const bed = new Testbed({
    route: (_request, context) => {
      const ringTime = 20_000;
      context.addTargets(
        [
          { uri: "sip:bob@10.0.0.2:5060", ringTime },
          { uri: "sip:bob@10.0.0.3:5060", ringTime },
        ],
        "in order",
      );
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const first = find(bed.take(), "INVITE");
  bed.respond(first, 180);
  bed.advance(20_000);
  assert.deepEqual(names(bed.take()), ["CANCEL 10.0.0.2:5060"]);
  assert.deepEqual(names(branchesOf(bed.respond(first, 487))), ["INVITE 10.0.0.3:5060"]);
});

test("RFC 5626 §5.3.1, 430 from an edge proxy: the instance's next flow is tried", () => {
  const bed = new Testbed({
    route: (_request, context) =>
      void context.addTargets([
        {
          uri: "sip:bob@10.0.0.2",
          path: ["<sip:10.0.0.7;lr>"],
          otherwise: { uri: "sip:bob@10.0.0.2", path: ["<sip:10.0.0.8;lr>"] },
        },
      ]),
  });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const gone = bed.respond(find(bed.take(), "INVITE 10.0.0.7:5060"), 430);
  assert.deepEqual(names(gone), ["ACK 10.0.0.7:5060", "INVITE 10.0.0.8:5060"]);
  assert.deepEqual(toAlice(bed.respond(find(gone, "INVITE"), 200)), [200]);
});

// --- Challenges ----------------------------------------------------------------------------------------------

test("§16.7 step 7, 401 and 407: one response with every challenge", () => {
  const bed = new Testbed({ route: forkTo(1, 1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [one, two, three] = branchesOf(bed.take()) as [Sent, Sent, Sent];
  bed.respond(one, 401, { headers: [["WWW-Authenticate", 'Digest realm="r1", nonce="1"']] });
  bed.respond(two, 404);
  const sent = bed.respond(three, 407, { headers: [["Proxy-Authenticate", 'Digest realm="r2", nonce="2"']] });
  const final = sent.find(({ to }) => to === "10.0.0.9:5060") as Sent;
  assert.ok(final.message.kind === "response" && final.message.statusCode === 401);
  assert.deepEqual(header(final, "WWW-Authenticate"), ['Digest realm="r1", nonce="1"']);
  assert.deepEqual(header(final, "Proxy-Authenticate"), ['Digest realm="r2", nonce="2"']);
  assert.equal(header(final, "Via").length, 1);
});

test("§16.7 step 7, two challenges for one realm: both stay", () => {
  const bed = new Testbed({ route: forkTo(1, 1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const [one, two] = branchesOf(bed.take()) as [Sent, Sent];
  bed.respond(one, 407, { headers: [["Proxy-Authenticate", 'Digest realm="r", nonce="1"']] });
  const sent = bed.respond(two, 407, { headers: [["Proxy-Authenticate", 'Digest realm="r", nonce="2"']] });
  const final = sent.find(({ to }) => to === "10.0.0.9:5060") as Sent;
  assert.equal(header(final, "Proxy-Authenticate").length, 2);
});

const lastEnds: readonly [title: string, end: (bed: Testbed, last: Sent) => unknown][] = [
  ["with a 487", (bed, last) => [bed.respond(last, 180), bed.respond(last, 487)]],
  [
    "with its connection",
    (bed, { flow }) => [bed.stack.flowClosed(flow, undefined, bed.clock.time), bed.settle()],
  ],
];
for (const [title, end] of lastEnds) {
  test(`§16.7 step 10, a fork is won: what belongs to it goes once the last branch has ended, ${title}, not 32 s later`, async () => {
    let kept: WeakRef<object> | undefined;
    const bed = new Testbed({
      route: (_request, context) => {
        kept = new WeakRef(context);
        context.addTargets([
          { uri: "sip:bob@10.0.0.2:5060" },
          { uri: "sip:bob@10.0.0.3:5060;transport=tcp" },
        ]);
      },
    });
    bed.receive("10.0.0.9:5060", request("INVITE"));
    const [first, last] = branchesOf(bed.take()) as [Sent, Sent];
    bed.respond(first, 200);
    end(bed, last);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let i = 0; i < 5 && kept?.deref() !== undefined; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    assert.equal(kept?.deref(), undefined);
    assert.ok(bed.stack.transactionCount > 0);
  });
}
