// Targets that do not answer: RFC 3263 §4.3, what is remembered of them, and what still comes from them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipResponse } from "./message/index.ts";
import { Bench, draft, responseText, type Sent, target } from "./stack.test.kit.ts";
import type { RequestFailure, RequestUser } from "./stack.ts";
import { TargetMemory } from "./stack-targets.ts";

class Notes implements RequestUser {
  readonly notes: string[] = [];

  onResponse(response: SipResponse): void {
    this.notes.push(String(response.statusCode));
  }

  onFailure(failure: RequestFailure): void {
    this.notes.push(failure.kind);
  }

  take(): string {
    return this.notes.splice(0).join(" ");
  }
}

const [first, second, third] = [target("192.0.2.9"), target("192.0.2.10"), target("192.0.2.11")];
const three = [first, second, third];

function answer(bench: Bench, sent: Sent, status: number): void {
  bench.receive(responseText(sent, status), sent.flow);
}

/** "INVITE 9" for what went to 192.0.2.9. */
const said = (bench: Bench) =>
  bench.sent
    .splice(0)
    .map(({ name, flow }) => `${name} ${flow.remote.address.split(".")[3]}`)
    .join(", ");

/** Where a new request goes first. */
function goes(bench: Bench, targets = three): string {
  const before = bench.sent.length;
  bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets });
  return bench.sent[before]!.flow.remote.address;
}

test("INVITE, UDP: 3 s without any answer → the next target, and no more resends to the silent one", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  bench.advance(2_999);
  assert.equal(said(bench), "INVITE 9, INVITE 9, INVITE 9");
  bench.advance(1);
  assert.equal(said(bench), "INVITE 10");
  bench.advance(3_000);
  assert.equal(said(bench), "INVITE 10, INVITE 10, INVITE 11");
  bench.advance(31_999);
  assert.ok(!said(bench).includes("INVITE 9"));
  assert.equal(user.take(), "");
  bench.advance(1);
  assert.equal(user.take(), "timeout");
});

test("INVITE: any answer, a 100 too, and the target stays the one", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  answer(bench, bench.sent[0]!, 100);
  bench.take();
  bench.advance(600_000);
  assert.equal(said(bench), "");
  assert.equal(user.take(), "100");
});

test("non-INVITE, UDP: silence means little before timer F", () => {
  const bench = new Bench();
  bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets: three });
  bench.advance(31_999);
  assert.ok(bench.sent.every(({ flow }) => flow.remote.address === "192.0.2.9"));
  bench.advance(1);
  assert.equal(bench.sent.at(-1)!.flow.remote.address, "192.0.2.10");
});

for (const method of ["INVITE", "OPTIONS"]) {
  test(`${method}, TCP: a connection that does not open within 3 s → the next target`, () => {
    const bench = new Bench();
    const targets = [target("192.0.2.9", "TCP"), target("192.0.2.10", "TCP")];
    bench.stack.request(draft(method), { user: new Notes(), targets });
    bench.advance(3_000);
    assert.deepEqual(
      bench.connects.map(({ remote }) => remote.address),
      ["192.0.2.9", "192.0.2.10"],
    );
  });

  test(`${method}, TCP: refused → the next target at once, with a branch of its own`, () => {
    const bench = new Bench();
    const targets = [target("192.0.2.9", "TCP"), target("192.0.2.10")];
    const request = bench.stack.request(draft(method), { user: new Notes(), targets });
    const { branch } = request;
    bench.stack.flowClosed(bench.connects[0]!, new Error("ECONNREFUSED"), bench.now);
    assert.equal(said(bench), `${method} 10`);
    assert.notEqual(request.branch, branch);
    assert.equal(request.branch, request.sent!.topBranch);
  });
}

// --- Connections that break -------------------------------------------------------------------------------

/** A request on an open connection to 192.0.2.9; the next target is 192.0.2.10 by UDP. */
function onConnection(method: string) {
  const bench = new Bench();
  const user = new Notes();
  const targets = [target("192.0.2.9", "TCP"), second];
  const request = bench.stack.request(draft(method), { user, targets });
  const flow = bench.connects[0]!;
  bench.stack.flowOpened(flow, bench.now);
  const [sent] = bench.sent;
  /** A further request would pass it over. */
  const isMarked = () => {
    bench.sent.length = 0;
    bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets });
    return said(bench) === "OPTIONS 10";
  };
  return { bench, user, request, flow, sent: sent!, isMarked };
}

const broken = [
  // section, method, responses before the connection ends, then sent, passed up in all, 192.0.2.9 comes last
  ["RFC 3263 §4.3", "INVITE", [], "INVITE 10", "", true],
  ["§8.2.6.1: a 100 is the next hop's own", "INVITE", [100], "INVITE 10", "100", true],
  ["§8.2.6.1: as often as it likes", "INVITE", [100, 100], "INVITE 10", "100 100", true],
  ["§18.2.2: who rings may answer by another connection", "INVITE", [180], "", "180", false],
  ["§18.2.2", "INVITE", [100, 183], "", "100 183", false],
  ["§18.2.2: a 100 takes nothing back", "INVITE", [180, 100], "", "180 100", false],
  ["RFC 3263 §4.3", "OPTIONS", [100], "OPTIONS 10", "100", true],
  ["§17.1.4: somebody behind the next hop has it", "OPTIONS", [183], "", "183 transport", true],
] as const;

for (const [section, method, responses, sends, told, marked] of broken) {
  for (const how of ["breaks", "is closed"]) {
    const outcome = sends === "" ? "no further target" : "the next target";
    test(`${section}, ${method}, [${responses}], connection ${how} → ${outcome}`, () => {
      const { bench, user, request, flow, sent, isMarked } = onConnection(method);
      const { branch } = request;
      for (const status of responses) answer(bench, sent, status);
      bench.sent.length = 0;
      bench.stack.flowClosed(flow, how === "breaks" ? new Error("ECONNRESET") : undefined, bench.now);
      bench.advance(0);
      assert.equal(said(bench), sends);
      assert.equal(user.take(), told);
      assert.equal(request.branch === branch, sends === "");
      assert.equal(isMarked(), marked);
    });
  }
}

test("§9.1: the INVITE of a connection that broke after its 100 gets a CANCEL by a new one, and is forgotten", () => {
  const { bench, user, flow, sent } = onConnection("INVITE");
  answer(bench, sent, 100);
  bench.sent.length = 0;
  bench.stack.flowClosed(flow, new Error("ECONNRESET"), bench.now);
  const current = bench.sent.at(-1)!;
  bench.stack.flowOpened(bench.connects[1]!, bench.now);
  assert.equal(said(bench), "INVITE 10, CANCEL 9");
  answer(bench, current, 486);
  bench.advance(64_000);
  assert.equal(user.take(), "100 486");
  assert.equal(bench.stack.transactionCount, 0);
});

test("§13.2.2.4: its 2xx by another connection is the call, and the next target's attempt is cancelled", () => {
  const { bench, user, flow, sent } = onConnection("INVITE");
  answer(bench, sent, 100);
  bench.stack.flowClosed(flow, new Error("ECONNRESET"), bench.now);
  answer(bench, bench.sent.at(-1)!, 180);
  bench.sent.length = 0;
  bench.receive(responseText(sent, 200), bench.flow("TCP"));
  assert.equal(said(bench), "CANCEL 10");
  assert.equal(user.take(), "100 180 200");
});

test("after the user's CANCEL a connection that breaks is no reason for the next target", () => {
  const { bench, user, request, flow, sent } = onConnection("INVITE");
  answer(bench, sent, 100);
  request.cancel();
  bench.sent.length = 0;
  bench.stack.flowClosed(flow, new Error("ECONNRESET"), bench.now);
  bench.advance(32_000);
  assert.equal(said(bench), "");
  assert.equal(user.take(), "100 timeout");
});

test("all targets lost after their 100: the last one may still answer by another connection (§18.2.2)", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), {
    user,
    targets: [target("192.0.2.9", "TCP"), target("192.0.2.10", "TCP")],
  });
  for (const hop of ["9", "10"]) {
    const flow = bench.connects.find(({ remote }) => remote.address === `192.0.2.${hop}`)!;
    bench.stack.flowOpened(flow, bench.now);
    answer(bench, bench.sent.at(-1)!, 100);
    if (hop === "9") bench.stack.flowClosed(flow, new Error("ECONNRESET"), bench.now);
    else bench.stack.flowClosed(flow, undefined, bench.now);
  }
  bench.advance(1_000);
  assert.equal(user.take(), "100 100");
  bench.receive(responseText(bench.sent.findLast(({ name }) => name === "INVITE")!, 200), bench.flow("TCP"));
  assert.equal(user.take(), "200");
});

test("UDP after a 100: a datagram that could not be sent says nothing of who has the INVITE", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  const [sent] = bench.sent;
  answer(bench, sent!, 100);
  bench.sent.length = 0;
  bench.stack.sendFailed(sent!.flow, new Error("ECONNREFUSED"), bench.now);
  bench.advance(60_000);
  assert.equal(said(bench), "");
  assert.equal(user.take(), "100");
});

test("failoverTime: Infinity waits as long as RFC 3263 says", () => {
  const bench = new Bench({ failoverTime: Number.POSITIVE_INFINITY });
  bench.stack.request(draft("INVITE"), { user: new Notes(), targets: three });
  bench.advance(31_999);
  assert.ok(!said(bench).includes("INVITE 10"));
  bench.advance(1);
  assert.equal(said(bench), "INVITE 10");
});

test("§18.1.1: TCP taken for the size that does not open: UDP at the same target", () => {
  const bench = new Bench();
  bench.stack.request(draft("INVITE", undefined, "x".repeat(1300)), { user: new Notes(), targets: three });
  bench.advance(3_000);
  assert.equal(said(bench), "INVITE 9");
});

// --- Late answers -----------------------------------------------------------------------------------------

test("§9.1: a silent target that rings after all gets a CANCEL, once; its 487 an ACK", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  const [late] = bench.sent;
  bench.advance(3_000);
  said(bench);
  answer(bench, late!, 100);
  answer(bench, late!, 180);
  assert.equal(said(bench), "CANCEL 9");
  answer(bench, late!, 487);
  assert.equal(said(bench), "ACK 9");
  assert.equal(user.take(), "");
});

test("§13.2.2.4: a silent target that is answered after all is the call; the other attempt is cancelled", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE"), { user, targets: three });
  const [late] = bench.sent;
  bench.advance(3_000);
  const current = bench.sent.at(-1)!;
  answer(bench, current, 180);
  said(bench);
  answer(bench, late!, 200);
  assert.equal(request.state, "done");
  assert.equal(said(bench), "CANCEL 10");
  answer(bench, current, 487);
  assert.equal(said(bench), "ACK 10");
  assert.equal(user.take(), "180 200");
  answer(bench, late!, 200);
  assert.equal(user.take(), "200");
});

test("a late 200 while the next target is silent too: that one is cancelled as soon as it rings", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  const [late] = bench.sent;
  bench.advance(3_000);
  const current = bench.sent.at(-1)!;
  said(bench);
  answer(bench, late!, 200);
  bench.advance(10_000);
  assert.equal(said(bench), "");
  answer(bench, current, 180);
  assert.equal(said(bench), "CANCEL 10");
  assert.equal(user.take(), "200");
});

test("§13.2.2.4: two targets answer: both 2xx come up", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  const [late] = bench.sent;
  bench.advance(3_000);
  answer(bench, bench.sent.at(-1)!, 200);
  answer(bench, late!, 200);
  assert.equal(user.take(), "200 200");
});

test("a late refusal changes nothing", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("INVITE"), { user, targets: three });
  const [late] = bench.sent;
  bench.advance(3_000);
  const current = bench.sent.at(-1)!;
  said(bench);
  answer(bench, late!, 486);
  assert.equal(said(bench), "ACK 9");
  answer(bench, current, 200);
  assert.equal(user.take(), "200");
});

test("after the user's CANCEL silence is no reason for the next target", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE"), { user, targets: three });
  request.cancel();
  bench.advance(32_000);
  assert.ok(bench.sent.every(({ flow }) => flow.remote.address === "192.0.2.9"));
  assert.equal(user.take(), "timeout");
});

// --- What is remembered -----------------------------------------------------------------------------------

test("RFC 3263 §4.3: a target that was silent comes last for 32 s, and one request tries it then", () => {
  const bench = new Bench();
  bench.stack.request(draft("INVITE"), { user: new Notes(), targets: three });
  bench.advance(3_000);
  answer(bench, bench.sent.at(-1)!, 486);
  assert.equal(goes(bench), "192.0.2.10");
  answer(bench, bench.sent.at(-1)!, 200);
  bench.advance(31_999);
  assert.equal(goes(bench), "192.0.2.10");
  answer(bench, bench.sent.at(-1)!, 200);
  bench.advance(1);
  assert.equal(goes(bench), "192.0.2.9");
  assert.equal(goes(bench), "192.0.2.10");
});

test("an answer to the trial, of whatever kind, brings the target back", () => {
  const bench = new Bench();
  bench.stack.request(draft("INVITE"), { user: new Notes(), targets: three });
  bench.advance(3_000);
  answer(bench, bench.sent.at(-1)!, 486);
  bench.advance(32_000);
  assert.equal(goes(bench), "192.0.2.9");
  answer(bench, bench.sent.at(-1)!, 404);
  assert.equal(goes(bench), "192.0.2.9");
});

test("an answer that comes late brings the target back too", () => {
  const bench = new Bench();
  bench.stack.request(draft("INVITE"), { user: new Notes(), targets: three });
  const [late] = bench.sent;
  bench.advance(3_000);
  assert.equal(goes(bench), "192.0.2.10");
  answer(bench, late!, 100);
  assert.equal(goes(bench), "192.0.2.9");
});

test("a transport error counts as silence does", () => {
  const bench = new Bench();
  bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets: three });
  bench.stack.sendFailed(bench.sent[0]!.flow, new Error("no route"), bench.now);
  assert.equal(goes(bench), "192.0.2.10");
});

test("all have failed: they are tried in their order", () => {
  const bench = new Bench();
  bench.stack.request(draft("INVITE"), { user: new Notes(), targets: three });
  bench.advance(40_000);
  assert.equal(goes(bench), "192.0.2.9");
});

test("a single target is not remembered: there is none to prefer", () => {
  const bench = new Bench();
  bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets: [first] });
  bench.advance(32_000);
  assert.equal(goes(bench), "192.0.2.9");
});

// seconds of back-off after so many failures in a row
const backOffs = [32, 64, 128, 256, 512, 600, 600];

test("back-off: doubled with each failure up to 10 min, forgotten after an answer", () => {
  const memory = new TargetMemory();
  let now = 0;
  const isLast = () => memory.inOrder([first, second], now)[0] !== first;
  for (const seconds of backOffs) {
    memory.failed(first, now, now);
    now += seconds * 1000 - 1;
    assert.equal(isLast(), true, `${seconds} s`);
    now += 1;
    assert.equal(isLast(), false, `${seconds} s`);
  }
  memory.answered(first);
  memory.failed(first, now, now);
  now += 32_000;
  assert.equal(isLast(), false);
});

test("back-off: of those who tried at the same time one counts; long ago does not", () => {
  const memory = new TargetMemory();
  const until = (from: number) => {
    let now = from;
    while (memory.inOrder([first, second], now)[0] !== first) now += 1_000;
    return now;
  };
  for (let i = 0; i < 50; i++) memory.failed(first, i, 3_000);
  assert.equal(until(3_000), 35_000);
  memory.failed(first, 700_000, 700_000);
  assert.equal(until(700_000), 732_000);
});

test("what is remembered is bounded", () => {
  const memory = new TargetMemory();
  for (let i = 0; i < 3_000; i++) memory.failed({ ...first, port: i }, 0, 0);
  assert.equal(memory.inOrder([{ ...first, port: 0 }, second], 1)[0]!.port, 0);
  assert.equal(memory.inOrder([{ ...first, port: 2_999 }, second], 1)[0], second);
});

test("RFC 3263 §4.4: what is sent without a transaction asks for a fixed order", () => {
  const bench = new Bench();
  bench.stack.sendStateless(draft("OPTIONS", "sip:bob@example.com"));
  bench.stack.request(draft("OPTIONS", "sip:bob@example.com"), { user: new Notes() });
  assert.deepEqual(
    bench.queries.map(({ isStateless }) => isStateless),
    [true, undefined],
  );
});
