import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "./errors.ts";
import { defaultLimits, draftRequest, SipRequest, type SipResponse } from "./message/index.ts";
import { Bench, draft, responseText, type Sent, target } from "./stack.test.kit.ts";
import type { ClientRequest, RequestFailure, RequestUser } from "./stack.ts";
import type { Flow } from "./transport/index.ts";

/** A user that takes notes: "180", "200", "timeout" … */
class Notes implements RequestUser {
  readonly notes: string[] = [];
  readonly responses: SipResponse[] = [];
  failure: RequestFailure | undefined;
  atResponse: ((response: SipResponse, request: ClientRequest) => void) | undefined;

  onResponse(response: SipResponse, request: ClientRequest): void {
    this.notes.push(String(response.statusCode));
    this.responses.push(response);
    this.atResponse?.(response, request);
  }

  onFailure(failure: RequestFailure): void {
    this.failure = failure;
    this.notes.push(failure.kind);
  }

  take(): string {
    return this.notes.splice(0).join(" ");
  }
}

function answer(bench: Bench, sent: Sent, status: number, headers?: readonly string[]): void {
  bench.receive(responseText(sent, status, headers), sent.flow);
}

const three = [target("192.0.2.9"), target("192.0.2.10"), target("192.0.2.11")];

type Row = [
  section: string,
  what: string,
  act: (bench: Bench, sent: Sent) => void,
  tried: number,
  told: string,
];

const rows: Row[] = [
  ["RFC 3263 §4.3", "timeouts without any response", (bench) => bench.advance(32_000), 3, "timeout"],
  ["RFC 3263 §4.3", "503 from all", (bench, sent) => answer(bench, sent, 503), 3, "503"],
  [
    "§8.1.3.1",
    "transport errors",
    (bench, sent) => bench.stack.sendFailed(sent.flow, new Error("no route"), bench.now),
    3,
    "transport",
  ],
  ["RFC 3263 §4.3", "a final response", (bench, sent) => answer(bench, sent, 486), 1, "486"],
  ["RFC 3263 §4.3", "500 is an answer too", (bench, sent) => answer(bench, sent, 500), 1, "500"],
  ["RFC 3263 §4.3", "480 is an answer too", (bench, sent) => answer(bench, sent, 480), 1, "480"],
];

for (const [section, what, act, tried, told] of rows) {
  test(`${section}: INVITE, three targets, ${what} → ${tried} tried, user told ${told}`, () => {
    const bench = new Bench({ failoverTime: Number.POSITIVE_INFINITY });
    const user = new Notes();
    bench.stack.request(draft("INVITE"), { user, targets: three });
    const branches = new Set<string>();
    const addresses: string[] = [];
    for (;;) {
      const sent = bench.sent.filter(({ name }) => name === "INVITE").at(-1)!;
      const branch = sent.message.topBranch!;
      if (branches.has(branch)) break;
      branches.add(branch);
      addresses.push(sent.flow.remote.address);
      act(bench, sent);
    }
    assert.equal(branches.size, tried);
    assert.deepEqual(
      addresses,
      three.slice(0, tried).map(({ address }) => address),
    );
    assert.equal(user.take(), told);
  });
}

test("the same request goes to the next target: only its top Via differs", () => {
  const bench = new Bench();
  bench.stack.request(draft("INVITE"), { user: new Notes(), targets: three });
  answer(bench, bench.sent[0]!, 503);
  const [first, , second] = bench.sent;
  const withoutVia = (sent: Sent): string => sent.text.replace(/Via: .*\r\n/, "");
  assert.notEqual(first!.message.topBranch, second!.message.topBranch);
  assert.equal(withoutVia(first!), withoutVia(second!));
});

test("a timeout among the failures makes the outcome a timeout (as 408), and the 503 is kept", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("OPTIONS"), { user, targets: three });
  answer(bench, bench.sent.at(-1)!, 503);
  bench.advance(32_000);
  bench.stack.sendFailed(bench.sent.at(-1)!.flow, new Error("no route"), bench.now);
  assert.equal(user.take(), "timeout");
  assert.equal(user.failure?.response?.statusCode, 503);
});

test("§21.5.4: a target whose 503 has Retry-After comes last for that long", () => {
  const bench = new Bench();
  const first = (): string => {
    const before = bench.sent.length;
    bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets: three });
    return bench.sent[before]!.flow.remote.address;
  };
  assert.equal(first(), "192.0.2.9");
  answer(bench, bench.sent[0]!, 503, ["Retry-After: 30 (maintenance)"]);
  assert.equal(first(), "192.0.2.10");
  bench.advance(29_999);
  assert.equal(first(), "192.0.2.10");
  bench.advance(1);
  assert.equal(first(), "192.0.2.9");
});

test("§21.5.4: without Retry-After the target is tried first again", () => {
  const bench = new Bench();
  bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets: three });
  answer(bench, bench.sent[0]!, 503);
  bench.stack.request(draft("OPTIONS"), { user: new Notes(), targets: three });
  assert.equal(bench.sent.at(-1)!.flow.remote.address, "192.0.2.9");
});

test("non-INVITE: after a 100 a timeout is the end, not a reason for the next target", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("OPTIONS"), { user, targets: three });
  answer(bench, bench.sent[0]!, 100);
  bench.advance(32_000);
  assert.equal(user.take(), "100 timeout");
  assert.ok(bench.sent.every(({ flow }) => flow.remote.address === "192.0.2.9"));
});

test("INVITE: several 2xx all come up, retransmitted ones too (RFC 6026 §7.2)", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE"), { user });
  const sent = bench.sent[0]!;
  answer(bench, sent, 180);
  assert.equal(request.state, "proceeding");
  answer(bench, sent, 200);
  answer(bench, sent, 200);
  bench.receive(responseText(sent, 200).replace("tag=peer", "tag=other"), sent.flow);
  assert.equal(user.take(), "180 200 200 200");
  assert.equal(request.state, "done");
});

test("§9.1: CANCEL waits for the first provisional response and has the branch of its INVITE", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE"), { user, targets: three });
  request.cancel([["Reason", 'SIP;cause=200;text="Call completed elsewhere"']]);
  request.cancel();
  assert.equal(bench.take(), "INVITE");
  assert.equal(request.isCanceled, true);
  const invite = request.sent!;
  const sent: Sent = { flow: request.flow!, text: "", at: 0, message: invite, name: "INVITE" };
  answer(bench, sent, 100);
  answer(bench, sent, 180);
  const [cancel] = bench.sent;
  assert.ok(cancel!.message instanceof SipRequest);
  assert.equal(cancel!.message.topBranch, invite.topBranch);
  assert.equal(cancel!.message.requestUriText, invite.requestUriText);
  assert.match(cancel!.text, /\r\nReason: SIP;cause=200/);
  assert.equal(bench.take(), "CANCEL");
  answer(bench, cancel!, 200);
  answer(bench, sent, 487);
  assert.equal(bench.take(), "ACK");
  assert.equal(user.take(), "100 180 487");
});

test("§9.1, §17.1.1.3: an INVITE above the limits for what comes in has its CANCEL and its ACK", () => {
  const bench = new Bench();
  const user = new Notes();
  const { headerCount } = defaultLimits;
  const large = draftRequest({
    method: "INVITE",
    requestUri: "sip:bob@192.0.2.9",
    headers: [
      ["From", "<sip:alice@192.0.2.1>;tag=a"],
      ["To", "<sip:bob@192.0.2.9>"],
      ["Call-ID", "mine@192.0.2.1"],
      ["CSeq", "1 INVITE"],
      ...Array.from({ length: headerCount }, (_, i) => [`X-${i}`, "x"] as const),
    ],
  });
  const request = bench.stack.request(large, { user, targets: three, listener: bench.tcp });
  bench.stack.flowOpened(bench.connects[0]!, bench.now);
  const invite = bench.sent[0]!;
  answer(bench, invite, 180);
  request.cancel();
  answer(bench, invite, 487);
  assert.equal(bench.take(), "INVITE CANCEL ACK");
  assert.deepEqual(bench.errors, []);
});

test("§9.1: 64·T1 after the CANCEL an INVITE without final response is over", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE"), { user, targets: three });
  answer(bench, bench.sent[0]!, 180);
  request.cancel();
  bench.advance(32_000);
  assert.equal(user.take(), "180 timeout");
  assert.ok(
    bench.sent.every(({ flow }) => flow.remote.address === "192.0.2.9"),
    "no next target after a CANCEL",
  );
});

test("cancel: nothing was sent yet → nothing is sent, and the user hears so", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE", "sip:bob@example.com"), { user });
  request.cancel();
  assert.equal(user.take(), "canceled");
  bench.stack.resolved(bench.queries[0]!.id, [target("192.0.2.9")], bench.now);
  assert.equal(bench.take(), "");
});

test("cancel: only INVITE (§9.1), and harmless after the end", () => {
  const bench = new Bench();
  const options = bench.stack.request(draft("OPTIONS"), { user: new Notes() });
  assert.throws(() => options.cancel(), StateError);
  const invite = bench.stack.request(draft("INVITE"), { user: new Notes() });
  answer(bench, bench.sent.at(-1)!, 486);
  bench.take();
  invite.cancel();
  assert.equal(bench.take(), "");
});

test("cancel: a 503 that crosses it is the answer", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("INVITE"), { user, targets: three });
  request.cancel();
  answer(bench, bench.sent[0]!, 503);
  assert.equal(user.take(), "503");
});

test("RFC 3263: a name goes to the driver, its targets are tried in order", () => {
  const bench = new Bench();
  const user = new Notes();
  const request = bench.stack.request(draft("OPTIONS", "sip:bob@example.com"), { user });
  assert.equal(request.state, "locating");
  assert.equal(bench.queries[0]!.host, "example.com");
  bench.stack.resolved(bench.queries[0]!.id, [target("192.0.2.20")], bench.now);
  assert.equal(bench.sent[0]!.flow.remote.address, "192.0.2.20");
  assert.equal(request.state, "calling");
});

const unresolved: [what: string, act: (bench: Bench) => void, uri: string][] = [
  [
    "an error",
    (bench) => bench.stack.resolved(bench.queries[0]!.id, new Error("NXDOMAIN"), bench.now),
    "sip:example.com",
  ],
  ["no address", (bench) => bench.stack.resolved(bench.queries[0]!.id, [], bench.now), "sip:example.com"],
  ["a URI without host", (bench) => bench.advance(0), "tel:+886212345678"],
];

for (const [what, act, uri] of unresolved) {
  test(`RFC 3263: ${what} → unresolved, told after request() has returned`, () => {
    const bench = new Bench();
    const user = new Notes();
    bench.stack.request(draft("OPTIONS", uri), { user });
    assert.equal(user.take(), "");
    act(bench);
    assert.equal(user.take(), "unresolved");
  });
}

test("§8.1.2: the topmost Route is the next hop", () => {
  const bench = new Bench();
  const routed = { ...draft("OPTIONS") };
  const topRoute = draft("OPTIONS", "sip:192.0.2.50:5070;lr").requestUri;
  bench.stack.request({ ...routed, topRoute }, { user: new Notes() });
  assert.deepEqual(bench.sent[0]!.flow.remote, { address: "192.0.2.50", port: 5070 });
});

const long = "x".repeat(1300);

test("§18.1.1: a request over 1300 bytes goes by TCP, and its Via says so", () => {
  const bench = new Bench();
  bench.stack.request(draft("MESSAGE", undefined, long), {
    user: new Notes(),
    targets: [target("192.0.2.9")],
  });
  assert.equal(bench.sent.length, 0);
  bench.stack.flowOpened(bench.connects[0]!, bench.now);
  assert.match(bench.sent[0]!.text, /\r\nVia: SIP\/2\.0\/TCP 192\.0\.2\.1:5060;branch=/);
});

test("§18.1.1: if TCP fails, UDP after all; next time at once", () => {
  const bench = new Bench();
  const user = new Notes();
  const send = (): void => {
    bench.stack.request(draft("MESSAGE", undefined, long), { user, targets: [target("192.0.2.9")] });
  };
  send();
  bench.stack.flowClosed(bench.connects[0]!, new Error("ECONNREFUSED"), bench.now);
  assert.match(bench.sent[0]!.text, /\r\nVia: SIP\/2\.0\/UDP /);
  assert.equal(user.take(), "");
  send();
  assert.equal(bench.connects.length, 1);
  assert.equal(bench.sent.length, 2);
  answer(bench, bench.sent[0]!, 200);
  assert.equal(user.take(), "200");
});

test("§18.1.1: a request of at most 1300 bytes, and any on a given flow, stays with UDP", () => {
  const bench = new Bench();
  bench.stack.request(draft("MESSAGE"), { user: new Notes(), targets: [target("192.0.2.9")] });
  bench.stack.request(draft("MESSAGE", undefined, long), { user: new Notes(), flow: bench.flow() });
  assert.equal(bench.connects.length, 0);
  assert.equal(bench.take(), "MESSAGE MESSAGE");
});

test("RFC 5626 §5.3: a given flow that is gone is a transport failure, nothing else is tried", () => {
  const bench = new Bench();
  const user = new Notes();
  const flow: Flow = bench.flow("TCP");
  bench.stack.flowClosed(flow, undefined, bench.now);
  bench.stack.request(draft("OPTIONS"), { user, flow });
  assert.equal(user.take(), "");
  bench.advance(0);
  assert.equal(user.take(), "transport");
});

test("a connection that breaks fails what waits on it, and only that", () => {
  const bench = new Bench();
  const waiting = new Notes();
  const ringing = new Notes();
  const answered = new Notes();
  const flow = bench.flow("TCP");
  bench.stack.request(draft("OPTIONS"), { user: waiting, flow });
  bench.stack.request(draft("INVITE"), { user: ringing, flow });
  bench.stack.request(draft("OPTIONS"), { user: answered, flow });
  answer(bench, bench.sent[1]!, 180);
  answer(bench, bench.sent[2]!, 200);
  bench.stack.flowClosed(flow, new Error("ECONNRESET"), bench.now);
  assert.deepEqual([waiting.take(), ringing.take(), answered.take()], ["transport", "180", "200"]);
});

test("§17.1.4: a connection that the peer closes in order fails what waits on it, with the next tick", () => {
  const bench = new Bench();
  const waiting = new Notes();
  const calling = new Notes();
  const ringing = new Notes();
  const answered = new Notes();
  const flow = bench.flow("TCP");
  bench.stack.request(draft("OPTIONS"), { user: waiting, flow });
  bench.stack.request(draft("INVITE"), { user: calling, flow });
  bench.stack.request(draft("INVITE"), { user: ringing, flow });
  bench.stack.request(draft("OPTIONS"), { user: answered, flow });
  answer(bench, bench.sent[2]!, 180);
  answer(bench, bench.sent[3]!, 200);
  bench.stack.flowClosed(flow, undefined, bench.now);
  assert.equal(waiting.take(), "");
  bench.advance(0);
  assert.deepEqual(
    [waiting.take(), calling.take(), ringing.take(), answered.take()],
    ["transport", "transport", "180", "200"],
  );
});

test("RFC 3263 §4.3: a connection closed in order before any answer: the next target", () => {
  const bench = new Bench();
  const user = new Notes();
  bench.stack.request(draft("REGISTER"), {
    user,
    targets: [target("192.0.2.9", "TCP"), target("192.0.2.10", "TCP")],
  });
  const [first] = bench.connects;
  bench.stack.flowOpened(first!, bench.now);
  bench.stack.flowClosed(first!, undefined, bench.now);
  bench.advance(0);
  assert.deepEqual(
    bench.connects.map(({ remote }) => remote.address),
    ["192.0.2.9", "192.0.2.10"],
  );
  assert.equal(user.take(), "");
});

test("closing a connection from within a call: its requests hear of it later", () => {
  const bench = new Bench();
  const user = new Notes();
  const flow = bench.flow("TCP");
  bench.stack.request(draft("OPTIONS"), { user, flow });
  bench.stack.closeFlow(flow);
  assert.equal(user.take(), "");
  assert(bench.wakes.some((deadline) => deadline <= bench.now));
  bench.advance(0);
  assert.equal(user.take(), "transport");
});

test("§17.1.3: a response with another branch or method is nobody's", () => {
  const bench = new Bench();
  const user = new Notes();
  const strays: number[] = [];
  bench.stack.roles = { isOurs: () => true, strayResponse: ({ statusCode }) => strays.push(statusCode) };
  bench.stack.request(draft("OPTIONS"), { user });
  const sent = bench.sent[0]!;
  bench.receive(responseText(sent, 200).replace("branch=", "branch=z9hG4bKno"), sent.flow);
  bench.receive(responseText(sent, 200).replace("CSeq: 1 OPTIONS", "CSeq: 1 CANCEL"), sent.flow);
  assert.deepEqual([user.take(), strays], ["", [200, 200]]);
});

test("the user may keep responses, unless it said that it does not", () => {
  for (const borrowsResponses of [false, true]) {
    const bench = new Bench();
    const user = Object.assign(new Notes(), { borrowsResponses });
    bench.stack.request(draft("OPTIONS"), { user });
    const bytes = new TextEncoder().encode(responseText(bench.sent[0]!, 200));
    bench.stack.receive(bytes, bench.sent[0]!.flow, bench.now);
    assert.equal(user.responses[0]!.bytes.buffer === bytes.buffer, borrowsResponses);
  }
});

test("what a user throws is reported and harms nobody", () => {
  const bench = new Bench();
  const user = new Notes();
  user.atResponse = () => {
    throw new Error("bug");
  };
  bench.stack.request(draft("INVITE"), { user });
  const sent = bench.sent[0]!;
  answer(bench, sent, 486);
  assert.equal(bench.errors.length, 1);
  answer(bench, sent, 486);
  assert.equal(bench.take(), "INVITE ACK ACK");
});

test("branchSuffix: a proxy's loop detection value ends the branch (§16.6 step 8)", () => {
  const bench = new Bench();
  const request = bench.stack.request(draft("OPTIONS"), { user: new Notes(), branchSuffix: "abc" });
  assert.match(request.branch!, /^z9hG4bK0-.*\.abc$/);
  assert.equal(request.sent!.topBranch, request.branch);
});

test("§13.2.2.4: sendAck makes no transaction, with a new branch each time", () => {
  const bench = new Bench();
  bench.stack.sendAck(draft("ACK"));
  bench.stack.sendAck(draft("ACK"));
  assert.notEqual(bench.sent[0]!.message.topBranch, bench.sent[1]!.message.topBranch);
  assert.equal(bench.take(), "ACK ACK");
  assert.equal(bench.stack.transactionCount, 0);
});

test("§16.11: stateless forwarding takes the given branch, and its responses go by the next Via", () => {
  const bench = new Bench();
  bench.stack.sendStateless(draft("OPTIONS"), { branch: "z9hG4bKs-1", targets: [target("192.0.2.30")] });
  assert.equal(bench.sent[0]!.message.topBranch, "z9hG4bKs-1");
  const bytes = new TextEncoder().encode(
    responseText(bench.sent[0]!, 200).replace(
      /Via: .*\r\n/,
      "Via: SIP/2.0/UDP pc.example.com;branch=z9hG4bK2;received=192.0.2.40;rport=5099\r\n",
    ),
  );
  bench.take();
  bench.stack.sendStatelessResponse({ statusCode: 200, bytes });
  assert.deepEqual(bench.sent[0]!.flow.remote, { address: "192.0.2.40", port: 5099 });
});

test("T1, T2 and T4 are options", () => {
  const bench = new Bench({ timers: { T1: 100, T2: 400, T4: 500 } });
  const user = new Notes();
  bench.stack.request(draft("OPTIONS"), { user });
  const begin = bench.now;
  bench.advance(6400);
  assert.deepEqual(
    bench.sent.slice(0, 5).map(({ at }) => at - begin),
    [0, 100, 300, 700, 1100],
  );
  assert.equal(user.take(), "timeout");
});
