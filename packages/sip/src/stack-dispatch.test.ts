import assert from "node:assert/strict";
import { test } from "node:test";
import { ParseError } from "./errors.ts";
import type { SipUri, Uri } from "./message/index.ts";
import { Bench, type RequestText, requestText } from "./stack.test.kit.ts";
import type { IncomingRequest, RequestHandler, Roles } from "./stack.ts";

/** Roles of a server for example.com and its address, each saying who it is. */
function serverRoles(taken: string[], overrides: Partial<Roles> = {}): Roles {
  const take =
    (who: string): ((incoming: IncomingRequest) => void) =>
    ({ request }) => {
      taken.push(`${who} ${request.method}`);
    };
  return {
    isOurs: (uri: Uri) => ["example.com", "192.0.2.1"].includes((uri as SipUri).host),
    proxy: take("proxy"),
    dialog: (incoming) => {
      if (incoming.request.toTag !== "ours") return false;
      take("dialog")(incoming);
      return true;
    },
    methods: new Map<string, RequestHandler>([
      ["REGISTER", take("registrar")],
      ["SUBSCRIBE", () => false],
      ["PUBLISH", async () => false],
    ]),
    route: take("route"),
    ...overrides,
  };
}

type Row = [why: string, method: string, request: RequestText, taken: string, answered: string];

const rows: Row[] = [
  ["step 3: not our host", "INVITE", { uri: "sip:bob@example.org" }, "proxy INVITE", ""],
  ["step 3: a Route remains", "INVITE", { headers: ["Route: <sip:192.0.2.77;lr>"] }, "proxy INVITE", ""],
  ["step 3 comes before 4", "BYE", { toTag: "ours", uri: "sip:bob@example.org" }, "proxy BYE", ""],
  ["step 3: tel: is for the proxy", "INVITE", { uri: "tel:+886212345678" }, "proxy INVITE", ""],
  ["step 4: a dialog of ours", "BYE", { toTag: "ours" }, "dialog BYE", ""],
  ["step 4: ACK in a dialog of ours", "ACK", { toTag: "ours" }, "dialog ACK", ""],
  [
    "step 4, §12.2.2: unknown tag, to the server itself",
    "BYE",
    { toTag: "lost", uri: "sip:example.com" },
    "",
    "481",
  ],
  ["step 4: the same as ACK is dropped", "ACK", { toTag: "lost", uri: "sip:example.com" }, "", ""],
  ["step 4, §16: unknown tag, to a user of ours", "BYE", { toTag: "theirs" }, "route BYE", ""],
  ["step 4, §16: ACK to a user of ours", "ACK", { toTag: "theirs" }, "route ACK", ""],
  ["step 5: by method", "REGISTER", { uri: "sip:example.com" }, "registrar REGISTER", ""],
  ["step 5: a handler declines", "SUBSCRIBE", {}, "route SUBSCRIBE", ""],
  ["step 6: everything else", "INVITE", {}, "route INVITE", ""],
  ["step 6: unknown methods too", "FOO", {}, "route FOO", ""],
];

for (const [why, method, request, expected, answered] of rows) {
  test(`who gets a request, ${why}: ${method} → ${expected || answered || "nobody"}`, () => {
    const taken: string[] = [];
    const bench = new Bench({ roles: serverRoles(taken) });
    bench.receive(requestText(method, request));
    assert.equal(taken.join(", "), expected);
    assert.equal(bench.take(), answered);
    assert.deepEqual(bench.errors, []);
  });
}

test("step 5: a handler may decline later", async () => {
  const taken: string[] = [];
  const bench = new Bench({ roles: serverRoles(taken) });
  bench.receive(requestText("PUBLISH"));
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(taken, ["route PUBLISH"]);
});

test("step 3: what preprocessing returns goes on, undefined means answered", () => {
  const taken: string[] = [];
  const roles = serverRoles(taken, {
    preprocess(incoming) {
      if (!incoming.request.hasRoute) return incoming;
      incoming.respond(403);
      return undefined;
    },
  });
  const bench = new Bench({ roles });
  bench.receive(requestText("INVITE", { headers: ["Route: <sip:192.0.2.1;lr>"] }));
  assert.equal(bench.take(), "403");
  bench.receive(requestText("INVITE"));
  assert.deepEqual(taken, ["route INVITE"]);
});

type EndPointRow = [section: string, method: string, request: RequestText, answered: string, headers: RegExp];
const endPointRows: EndPointRow[] = [
  ["§8.2.1", "OPTIONS", {}, "405", /\r\nAllow: MESSAGE, ACK, CANCEL\r\n/],
  ["§21.5.2", "FOO", {}, "501", /\r\nAllow: /],
  ["§12.2.2", "BYE", { toTag: "lost" }, "481", /;tag=lost\r\n/],
  ["§8.2.2.1", "INVITE", { uri: "nobodyKnowsThisScheme:totallyopaquecontent" }, "416", /;tag=/],
  ["§9.2", "CANCEL", {}, "481", /;tag=/],
];

for (const [section, method, request, answered, headers] of endPointRows) {
  test(`${section}: ${method} that nobody takes at an end point → ${answered}`, () => {
    const roles: Roles = {
      isOurs: (uri) => uri.scheme === "sip",
      methods: new Map([["MESSAGE", () => undefined]]),
    };
    const bench = new Bench({ roles });
    bench.receive(requestText(method, request));
    assert.match(bench.sent[0]?.text ?? "", headers);
    assert.equal(bench.take(), answered);
  });
}

type Thrower = [what: string, handler: RequestHandler, answered: string, reported: number];
const bad = new ParseError("Expires", "not a number");
const throwers: Thrower[] = [
  [
    "a ParseError at once",
    () => {
      throw bad;
    },
    "400",
    0,
  ],
  [
    "a ParseError later",
    async () => {
      throw bad;
    },
    "400",
    0,
  ],
  [
    "a ParseError with a status of its own",
    () => {
      throw new ParseError("Request-URI", "odd", { status: 416 });
    },
    "416",
    0,
  ],
  [
    "any other error at once",
    () => {
      throw new Error("bug");
    },
    "500",
    1,
  ],
  [
    "any other error later",
    async () => {
      throw new Error("bug");
    },
    "500",
    1,
  ],
  [
    "a header that does not parse",
    ({ request }) => {
      request.headers.get("Expires");
    },
    "400",
    0,
  ],
];

for (const [what, handler, answered, reported] of throwers) {
  test(`a role throws ${what} → ${answered}`, async () => {
    const roles: Roles = { isOurs: () => true, methods: new Map([["MESSAGE", handler]]) };
    const bench = new Bench({ roles });
    bench.receive(requestText("MESSAGE", { headers: ["Expires: soon"] }));
    await Promise.resolve();
    await Promise.resolve();
    if (answered === "400") assert.match(bench.sent[0]!.text, /\r\nWarning: 399 offhook "Expires: /);
    assert.equal(bench.take(), answered);
    assert.equal(bench.errors.length, reported);
  });
}

test("§9.2: CANCEL gets 200 and its INVITE the owner's answer, both with the same To tag", () => {
  const bench = new Bench();
  let held: IncomingRequest | undefined;
  const seen: string[] = [];
  bench.stack.roles = {
    isOurs: () => true,
    route(incoming) {
      held = incoming;
      incoming.transaction!.user = {
        onCancel: (cancel) => {
          seen.push(cancel.method);
          incoming.respond(487);
        },
      };
      incoming.respond(180);
    },
  };
  const branch = "z9hG4bKcancelled";
  bench.receive(requestText("INVITE", { branch }));
  bench.receive(requestText("CANCEL", { branch }));
  const tags = bench.sent.map(({ message }) => message.toTag);
  assert.equal(bench.take(), "180 200 487");
  assert.equal(new Set(tags).size, 1);
  assert.deepEqual(seen, ["CANCEL"]);
  assert.equal(held!.respond(200), false);
  bench.receive(requestText("CANCEL", { branch }));
  assert.equal(bench.take(), "200", "a CANCEL that comes again gets its 200 again");
});

test("design: a CANCEL during an await ends in 487 although nobody owns the INVITE yet", async () => {
  const bench = new Bench();
  let release = (): void => {};
  let late: boolean | undefined;
  bench.stack.roles = {
    isOurs: () => true,
    async route(incoming) {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      late = incoming.respond(200);
    },
  };
  const branch = "z9hG4bKawait";
  bench.receive(requestText("INVITE", { branch }));
  bench.receive(requestText("CANCEL", { branch }));
  assert.equal(bench.take(), "200 487");
  release();
  await Promise.resolve();
  assert.equal(late, false);
});

test("§9.2: a CANCEL after the final response gets 200 and changes nothing", () => {
  const bench = new Bench();
  bench.stack.roles = { isOurs: () => true, route: (incoming) => void incoming.respond(486) };
  const branch = "z9hG4bKtoolate";
  bench.receive(requestText("INVITE", { branch }));
  bench.receive(requestText("CANCEL", { branch }));
  assert.equal(bench.take(), "486 200");
});

test("§16.10: a CANCEL without INVITE is offered for stateless forwarding before it gets 481", () => {
  const bench = new Bench();
  const seen: string[] = [];
  bench.stack.roles = {
    isOurs: () => true,
    strayCancel: ({ request, transaction }) => {
      assert.equal(transaction, undefined);
      seen.push(request.method);
      return true;
    },
  };
  bench.receive(requestText("CANCEL"));
  assert.equal(bench.take(), "");
  assert.deepEqual(seen, ["CANCEL"]);
  assert.equal(bench.stack.transactionCount, 0);
});

test("§17.2.3: the ACK of a non-2xx is absorbed, that of a 2xx is a request of its own", () => {
  const taken: string[] = [];
  const bench = new Bench({
    roles: serverRoles(taken, {
      route: (incoming) => {
        if (incoming.request.method === "INVITE")
          incoming.respond(incoming.request.callId === "yes" ? 200 : 486);
        else taken.push(`${incoming.request.method} ${incoming.request.callId}`);
      },
    }),
  });
  bench.receive(requestText("INVITE", { branch: "z9hG4bKno", callId: "no" }));
  bench.receive(requestText("ACK", { branch: "z9hG4bKno", callId: "no", toTag: "x" }));
  bench.receive(requestText("INVITE", { branch: "z9hG4bKyes", callId: "yes" }));
  bench.receive(requestText("ACK", { branch: "z9hG4bKother", callId: "yes", toTag: "x" }));
  // RFC 6026 §7.1: even with the branch of its INVITE, as some old elements send it.
  bench.receive(requestText("ACK", { branch: "z9hG4bKyes", callId: "yes", toTag: "x" }));
  assert.deepEqual(taken, ["ACK yes", "ACK yes"]);
  assert.equal(bench.take(), "486 200");
});

test("§17.2.3: branch alone does not match, sent-by and method count", () => {
  const taken: string[] = [];
  const bench = new Bench({ roles: serverRoles(taken) });
  const branch = "z9hG4bKsame";
  bench.receive(requestText("MESSAGE", { branch }));
  bench.receive(requestText("MESSAGE", { branch }));
  bench.receive(requestText("OPTIONS", { branch }));
  bench.receive(requestText("MESSAGE", { via: `SIP/2.0/UDP 192.0.2.9:5062;branch=${branch}` }));
  assert.deepEqual(taken, ["route MESSAGE", "route OPTIONS", "route MESSAGE"]);
});

test("§17.2.3: RFC 2543 peers without the magic cookie are matched by what they have", () => {
  const taken: string[] = [];
  const bench = new Bench({
    roles: serverRoles(taken, {
      route: (incoming) => {
        taken.push(incoming.request.method);
        incoming.respond(486, { toTag: "answer" });
      },
    }),
  });
  const via = "SIP/2.0/UDP 192.0.2.9:5060";
  bench.receive(requestText("INVITE", { via }));
  bench.receive(requestText("INVITE", { via }));
  assert.equal(bench.take(), "486 486");
  bench.receive(requestText("ACK", { via, toTag: "someone-else" }));
  bench.receive(requestText("ACK", { via, toTag: "answer" }));
  bench.advance(20_000);
  assert.equal(bench.take(), "", "the ACK has ended the resends");
  assert.deepEqual(taken, ["INVITE", "ACK"], "the stranger's ACK only");
  bench.receive(requestText("INVITE", { via, sequence: 2 }));
  assert.deepEqual(taken, ["INVITE", "ACK", "INVITE"]);
});

test("§17.2.1: 100 after 200 ms while a role thinks", () => {
  const bench = new Bench({ roles: { isOurs: () => true, route: () => {} } });
  bench.receive(requestText("INVITE"));
  bench.advance(199);
  assert.equal(bench.take(), "");
  bench.advance(1);
  assert.equal(bench.take(), "100");
});

test("above maxTransactions: 503 with Retry-After, without state, the same each time (§8.2.7)", () => {
  const refused: number[] = [];
  const bench = new Bench({
    roles: { isOurs: () => true, route: () => {} },
    maxTransactions: 2,
    observer: { refused: (_request, status) => refused.push(status) },
  });
  bench.receive(requestText("MESSAGE"));
  bench.receive(requestText("MESSAGE"));
  const third = requestText("MESSAGE");
  bench.receive(third);
  bench.receive(third);
  assert.match(bench.sent[0]!.text, /\r\nRetry-After: 10\r\n/);
  assert.equal(bench.sent[0]!.text, bench.sent[1]!.text);
  assert.equal(bench.take(), "503 503");
  assert.equal(bench.stack.transactionCount, 2);
  assert.deepEqual(refused, [503, 503]);
});

test("full: what belongs to a dialog is let in, up to a quarter more", () => {
  const bench = new Bench({ roles: { isOurs: () => true, route: () => {} }, maxTransactions: 4 });
  for (let i = 0; i < 5; i++) bench.receive(requestText("MESSAGE"));
  bench.receive(requestText("BYE", { toTag: "x" }));
  bench.receive(requestText("BYE", { toTag: "x" }));
  assert.equal(bench.take(), "503 503");
  assert.equal(bench.stack.transactionCount, 5);
});

test("§21.5.4 overload: 503 with Retry-After for INVITE and others until it is over, in a dialog never", () => {
  const bench = new Bench({ roles: { isOurs: () => true, route: (incoming) => void incoming.respond(404) } });
  bench.stack.isOverloaded = true;
  for (const method of ["INVITE", "MESSAGE", "OPTIONS", "REGISTER"]) {
    bench.receive(requestText(method));
    assert.match(bench.sent[0]!.text, /\r\nRetry-After: 10\r\n/);
    assert.equal(bench.take(), "503");
  }
  bench.receive(requestText("BYE", { toTag: "x" }));
  bench.stack.isOverloaded = false;
  bench.receive(requestText("MESSAGE"));
  assert.equal(bench.take(), "404 404");
});

test("§21.5.4 rates: more requests of one source than allowed get 503, many more none; malformed ones count too", () => {
  const refused: number[] = [];
  const bench = new Bench({
    roles: { isOurs: () => true, route: (incoming) => void incoming.respond(404) },
    requestsPerSource: 2,
    observer: { refused: (_request, status) => refused.push(status) },
  });
  const malformed = requestText("MESSAGE").replace("CSeq: 1 MESSAGE", "CSeq: 1 BYE");
  for (const text of [malformed, ...Array.from({ length: 5 }, () => requestText("MESSAGE")), malformed]) {
    bench.receive(text);
  }
  assert.equal(bench.take(), "400 404 503 503");
  assert.equal(refused.length, 4);
  bench.receive(requestText("BYE", { toTag: "x" }));
  assert.equal(bench.take(), "404", "what belongs to a dialog does not count");
  bench.receive(requestText("MESSAGE"), bench.flow("UDP", "192.0.2.99"));
  assert.equal(bench.take(), "404", "another source does not mind");
  bench.advance(1000);
  bench.receive(requestText("MESSAGE"));
  assert.equal(bench.take(), "404");
});

test("§21.5.4 rates: a To tag is easily made up, so requests with one have a limit of their own", () => {
  const bench = new Bench({
    roles: { isOurs: () => true, route: (incoming) => void incoming.respond(404) },
    requestsPerSource: 2,
  });
  for (let i = 0; i < 6; i++) bench.receive(requestText("INVITE", { toTag: `made-up${i}` }));
  assert.equal(bench.take(), "404 404 503 503");
  assert.equal(bench.stack.transactionCount, 2);
  bench.receive(requestText("BYE", { toTag: "x" }), bench.flow("UDP", "192.0.2.99"));
  assert.equal(bench.take(), "404", "another source does not mind");
});

test("§21.5.4 rates: a CANCEL of nothing is a request like any other; one that ends an INVITE always passes", () => {
  const refused: number[] = [];
  const bench = new Bench({
    roles: { isOurs: () => true, route: () => {} },
    requestsPerSource: 2,
    observer: { refused: (_request, status) => refused.push(status) },
  });
  const [first, second] = [requestText("INVITE"), requestText("INVITE")];
  bench.receive(first);
  bench.receive(second);
  bench.take();
  for (let i = 0; i < 6; i++) bench.receive(requestText("CANCEL"));
  assert.equal(bench.take(), "503 503", "what is left of four that are worth an answer");
  assert.equal(refused.length, 6);
  for (const invite of [first, second]) bench.receive(invite.replaceAll("INVITE", "CANCEL"));
  assert.match(bench.take(), /^200 487 200 487$/);
});

test("drain: new requests get 503, those in dialogs pass, and it resolves when all is over", async () => {
  const bench = new Bench({ roles: { isOurs: () => true, route: () => {} } });
  let held: IncomingRequest | undefined;
  bench.stack.roles = {
    isOurs: () => true,
    route: (incoming) => {
      held = incoming;
    },
  };
  const order: string[] = [];
  bench.receive(requestText("MESSAGE"));
  const answered = bench.stack.drain("answered").then(() => order.push("answered"));
  const ended = bench.stack.drain().then(() => order.push("ended"));
  bench.receive(requestText("MESSAGE"));
  assert.equal(bench.take(), "503");
  const first = held!;
  bench.receive(requestText("BYE", { toTag: "x" }));
  held!.respond(200);
  first.respond(200);
  assert.equal(bench.take(), "200 200");
  await answered;
  assert.deepEqual(order, ["answered"]);
  bench.advance(32_000);
  await ended;
  assert.equal(bench.stack.transactionCount, 0);
  assert.equal(bench.stack.deadline, Number.POSITIVE_INFINITY);
});

test("the bytes of a request are its own: the driver may reuse its buffer at once", () => {
  const bench = new Bench();
  let held: IncomingRequest | undefined;
  bench.stack.roles = {
    isOurs: () => true,
    route: (incoming) => {
      held = incoming;
    },
  };
  const buffer = new TextEncoder().encode(requestText("INVITE", { callId: "kept" }));
  bench.stack.receive(buffer, bench.flow(), bench.now);
  buffer.fill(0);
  assert.equal(held!.request.callId, "kept");
  held!.respond(486);
  assert.match(bench.sent[0]!.text, /\r\nCall-ID: kept\r\n/);
});

for (const [who, borrowRequests, take] of [
  ["whoever answers at once and looks later", false, (_incoming: IncomingRequest) => {}],
  ["roles that borrow: who asks for it", true, (incoming: IncomingRequest) => void incoming.request],
] as const) {
  test(`an answered request is its own for ${who}`, () => {
    const bench = new Bench();
    let held: IncomingRequest | undefined;
    bench.stack.roles = {
      ...{ isOurs: () => true, borrowRequests },
      route: (incoming) => {
        incoming.respond(200);
        take(incoming);
        held = incoming;
      },
    };
    const buffer = new TextEncoder().encode(requestText("MESSAGE", { callId: "kept" }));
    bench.stack.receive(buffer, bench.flow(), bench.now);
    buffer.fill(0);
    assert.equal(held!.request.headers.get("Call-ID"), "kept");
  });
}

test("roles that borrow: a request that is not answered at once is its own whoever has it", async () => {
  const bench = new Bench();
  bench.stack.roles = {
    ...{ isOurs: () => true, borrowRequests: true },
    route: async (incoming) => {
      const { headers } = incoming.borrowed;
      await Promise.resolve();
      assert.equal(headers.get("Call-ID"), "kept");
      incoming.respond(200);
    },
  };
  const buffer = new TextEncoder().encode(requestText("MESSAGE", { callId: "kept" }));
  bench.stack.receive(buffer, bench.flow(), bench.now);
  buffer.fill(0);
  await new Promise(setImmediate);
  assert.match(bench.sent[0]!.text, /^SIP\/2.0 200 OK\r\n[\s\S]*Call-ID: kept\r\n/);
  assert.deepEqual(bench.errors, []);
});

test("the driver is woken for calls from above, not for what an input starts", () => {
  const bench = new Bench();
  let held: IncomingRequest | undefined;
  bench.stack.roles = {
    isOurs: () => true,
    route: (incoming) => {
      held = incoming;
    },
  };
  bench.receive(requestText("INVITE"));
  assert.deepEqual(bench.wakes, []);
  assert.equal(bench.stack.deadline, bench.now + 200);
  held!.respond(180);
  bench.advance(1000);
  assert.equal(bench.stack.deadline, Number.POSITIVE_INFINITY);
  held!.respond(486);
  assert.deepEqual(bench.wakes.slice(0, 1), [bench.now + 500]);
});
