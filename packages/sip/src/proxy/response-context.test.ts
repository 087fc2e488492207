// RFC 3261 §16.7 to §16.10 on the wire: which responses go back, who is cancelled when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TransportError } from "../errors.ts";
import { makeResponse, SipRequest } from "../message/index.ts";
import type { RouteProgram } from "./route.ts";
import type { ProxyTarget } from "./targets.ts";
import { find, header, names, request, type Sent, Testbed } from "./testbed.test.kit.ts";

/** bob has a device at 10.0.0.2, 10.0.0.3, … with these q values. */
function forkTo(...qs: number[]): RouteProgram {
  return (_request, context) => {
    context.addTargets(qs.map((q, i) => ({ uri: `sip:bob@10.0.0.${i + 2}:5060`, q })));
  };
}

function branchesOf(sent: readonly Sent[], method = "INVITE"): Sent[] {
  return sent.filter((one) => one.message.kind === "request" && one.message.method === method);
}

/** What alice got, without the 100. */
function toAlice(sent: readonly Sent[]): number[] {
  return sent.flatMap(({ to, message }) =>
    to === "10.0.0.9:5060" && message.kind === "response" && message.statusCode > 100
      ? [message.statusCode]
      : [],
  );
}

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

// --- 6xx, CANCEL, timer C -----------------------------------------------------------------------------------

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

// --- Recursion ------------------------------------------------------------------------------------------------

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

// --- RFC 5393 -------------------------------------------------------------------------------------------------

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

test("§16.7 item 3, a response without a Via of the caller is not for the caller: 502", () => {
  const bed = new Testbed({ route: forkTo(1) });
  bed.receive("10.0.0.9:5060", request("INVITE"));
  const copy = branchesOf(bed.take())[0] as Sent;
  const [own] = header(copy, "Via");
  const lines = copy.text.split("\r\n").filter((line) => !/^(INVITE|Via)/.test(line));
  bed.receive("10.0.0.2:5060", ["SIP/2.0 404 Not Found", `Via: ${own}`, ...lines].join("\r\n"));
  assert.deepEqual(toAlice(bed.take()), [502]);
});

// --- Route programs -------------------------------------------------------------------------------------------

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
