import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMessage, type SipRequest } from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import { InviteClient } from "./invite-client.ts";
import { type ClientTransactionUser, durationsOf, type ServerMachineView } from "./machine.ts";
import { flow, nameOf, request, response } from "./sink.test.kit.ts";
import { statelessTag, UniqueIds } from "./transaction-id.ts";
import { TransactionLayer } from "./transaction-layer.ts";

/** A layer between two arrays: what it sends, and what it passes up. */
class Bench {
  now = 1_000_000;
  readonly sent: string[] = [];
  readonly up: string[] = [];
  readonly transactions: ServerMachineView[] = [];
  readonly errors: unknown[] = [];
  /** The flow that the transport chooses for responses, if not the arrival's. */
  responseFlow: Flow | undefined;
  onSent: ((bytes: Uint8Array) => void) | undefined;
  readonly layer: TransactionLayer;

  constructor(maxTransactions = 100) {
    this.layer = new TransactionLayer({
      transport: {
        send: (_flow, bytes) => this.sent.push(nameOf(bytes)),
        sendResponse: (_request, arrival, bytes) => {
          this.onSent?.(bytes);
          this.sent.push(nameOf(bytes));
          return this.responseFlow ?? arrival;
        },
      },
      user: {
        receiveRequest: (transaction) => {
          this.up.push(transaction.method);
          this.transactions.push(transaction);
        },
        receiveAck: () => this.up.push("ACK"),
        strayCancel: () => false,
        strayResponse: ({ statusCode }) => this.up.push(`stray ${statusCode}`),
      },
      now: () => this.now,
      ids: new UniqueIds({ bytes: (length) => new Uint8Array(length) }),
      durations: durationsOf(),
      maxTransactions,
      retryAfter: 10,
      onError: (error) => this.errors.push(error),
    });
  }

  receive(message: SipRequest, by: Flow = flow()): ServerMachineView | undefined {
    this.layer.receiveRequest(message, by, this.now);
    return this.transactions.at(-1);
  }

  advance(milliseconds: number): void {
    const end = this.now + milliseconds;
    while (this.layer.deadline <= end) {
      this.now = Math.max(this.now, this.layer.deadline);
      this.layer.tick(this.now);
    }
    this.now = end;
  }

  take(): string {
    return this.sent.splice(0).join(" ");
  }
}

test("§17.2.3: a request makes a transaction once, repeated ones reach it", () => {
  const bench = new Bench();
  const invite = request("INVITE");
  bench.receive(invite)!.respond(response(invite, 180));
  bench.receive(invite);
  assert.deepEqual(bench.up, ["INVITE"]);
  assert.equal(bench.take(), "180 180");
  assert.equal(bench.layer.size, 1);
});

test("§17.1.3: a response reaches the transaction of its branch, after the end it is a stray", () => {
  const bench = new Bench();
  const options = request("OPTIONS");
  const heard: number[] = [];
  const user = {
    receiveResponse: (message: { statusCode: number }) => heard.push(message.statusCode),
    timeout() {},
    transportError() {},
  };
  bench.layer.addClient("OPTIONS", options.topBranch!, flow(), options.bytes, user).start(bench.now);
  bench.layer.receiveResponse(response(options, 200), flow(), bench.now);
  bench.layer.receiveResponse(response(options, 200), flow(), bench.now);
  bench.advance(5000);
  bench.layer.receiveResponse(response(options, 200), flow(), bench.now);
  assert.deepEqual(heard, [200]);
  assert.deepEqual(bench.up, ["stray 200"]);
});

/** A user that keeps the status codes that it hears. */
function listener(): { heard: number[]; user: ClientTransactionUser } {
  const heard: number[] = [];
  const user = {
    receiveResponse: (message: { statusCode: number }) => void heard.push(message.statusCode),
    timeout() {},
    transportError() {},
  };
  return { heard, user };
}

for (const transport of ["UDP", "TCP"] as const) {
  test(`RFC 6026 §7.1, over ${transport}: an accepted INVITE absorbs itself and takes further 2xx until timer L`, () => {
    const bench = new Bench();
    const by = flow(transport);
    const invite = request("INVITE");
    const transaction = bench.receive(invite, by)!;
    const { toTag, further: early } = transaction;
    assert.equal(early.respond(response(invite, 180)), true);
    assert.equal(transaction.respond(response(invite, 200)), true);
    const { further } = transaction;
    assert.equal(bench.take(), "180 200");

    bench.receive(invite, by);
    assert.equal(bench.take(), "");
    assert.equal(transaction.respond(response(invite, 200)), true);
    assert.equal(further.respond(response(invite, 202)), true);
    assert.equal(bench.take(), "200 202");
    for (const status of [180, 486]) {
      assert.equal(transaction.respond(response(invite, status)), false);
      assert.equal(further.respond(response(invite, status)), false);
    }
    bench.receive(request("ACK", { toTag: "b" }), by);
    assert.deepEqual(bench.up, ["INVITE", "ACK"]);
    // §9.2: the same To tag as in what was made here for the INVITE.
    let canceled = "";
    bench.onSent = (bytes) => {
      canceled = parseMessage(bytes).toTag ?? "";
    };
    bench.receive(request("CANCEL"), by);
    assert.equal(bench.take(), "200");
    assert.equal(canceled, toTag);

    bench.advance(31_999);
    assert.equal(bench.layer.size, transport === "UDP" ? 2 : 1);
    assert.equal(further.respond(response(invite, 200)), true);
    bench.advance(1);
    assert.equal(further.respond(response(invite, 200)), false);
    assert.equal(transaction.respond(response(invite, 200)), false);
    assert.equal(bench.take(), "200");
    assert.equal(bench.layer.size, 0);
  });

  test(`RFC 6026 §7.2, over ${transport}: every 2xx goes up until timer M, and nothing else`, () => {
    const bench = new Bench();
    const by = flow(transport);
    const invite = request("INVITE");
    const { heard, user } = listener();
    bench.layer.addClient("INVITE", invite.topBranch!, by, invite.bytes, user).start(bench.now);
    for (const status of [180, 200, 200, 183, 486, 202])
      bench.layer.receiveResponse(response(invite, status), by, bench.now);
    assert.deepEqual(heard, [180, 200, 200, 202]);
    bench.advance(31_999);
    bench.layer.receiveResponse(response(invite, 200), by, bench.now);
    bench.advance(1);
    bench.layer.receiveResponse(response(invite, 200), by, bench.now);
    assert.deepEqual(heard, [180, 200, 200, 202, 200]);
    assert.deepEqual(bench.up, ["stray 200"]);
    assert.equal(bench.layer.size, 0);
  });
}

test("what takes further 2xx may be another than the user, and its bugs are reported", () => {
  const bench = new Bench();
  const invite = request("INVITE");
  const first = listener();
  const client = bench.layer.addClient("INVITE", invite.topBranch!, flow(), invite.bytes, first.user);
  assert.ok(client instanceof InviteClient);
  const further: number[] = [];
  const receiveResponse = ({ statusCode }: { statusCode: number }) => {
    further.push(statusCode);
    throw new Error("bug");
  };
  const onFirst = first.user.receiveResponse;
  first.user.receiveResponse = (message, by, now) => {
    onFirst(message, by, now);
    client.further = { receiveResponse };
  };
  client.start(bench.now);
  for (const status of [200, 201]) bench.layer.receiveResponse(response(invite, status), flow(), bench.now);
  assert.deepEqual([first.heard, further, bench.errors.length], [[200], [201], 1]);
});

test("§17.1.3: the CSeq method of a response must be the request's, known or not", () => {
  const bench = new Bench();
  const heard: number[] = [];
  const user = {
    receiveResponse: (message: { statusCode: number }) => heard.push(message.statusCode),
    timeout() {},
    transportError() {},
  };
  for (const method of ["OPTIONS", "FROBNICATE"]) {
    const sent = request(method);
    bench.layer.addClient(method, sent.topBranch!, flow(), sent.bytes, user).start(bench.now);
    const text = new TextDecoder().decode(response(sent, 200).bytes);
    for (const other of ["BYE", "FROBNICATION"]) {
      const wrong = text.replace(/^(CSeq: \d+) .*\r$/m, `$1 ${other}\r`);
      const message = parseMessage(new TextEncoder().encode(wrong));
      assert.ok(message.kind === "response");
      bench.layer.receiveResponse(message, flow(), bench.now);
    }
    bench.layer.receiveResponse(response(sent, 200), flow(), bench.now);
  }
  assert.deepEqual(heard, [200, 200]);
  assert.deepEqual(bench.up, ["stray 200", "stray 200", "stray 200", "stray 200"]);
});

test("§8.2.7: the ACK of a stateless refusal is for nobody", () => {
  const bench = new Bench(0);
  const invite = request("INVITE");
  bench.receive(invite);
  assert.equal(bench.take(), "503");
  bench.receive(request("ACK", { toTag: statelessTag(invite) }));
  assert.deepEqual(bench.up, []);
  bench.receive(request("ACK", { toTag: "other" }));
  assert.deepEqual(bench.up, ["ACK"]);
});

test("a full layer still takes what belongs to the transactions that it has", () => {
  const bench = new Bench(1);
  const invite = request("INVITE");
  bench.receive(invite);
  bench.receive(request("MESSAGE", { branch: "z9hG4bK2" }));
  bench.receive(request("CANCEL"));
  assert.equal(bench.take(), "503 200 487");
  bench.receive(request("ACK", { toTag: "x" }));
  bench.advance(32_000);
  assert.equal(bench.layer.size, 0);
});

test("§9.2: a CANCEL of nothing gets 481 each time and costs no memory", () => {
  const bench = new Bench();
  bench.receive(request("CANCEL"));
  bench.receive(request("CANCEL"));
  assert.equal(bench.take(), "481 481");
  assert.equal(bench.layer.size, 0);
});

test("§9.2: a CANCEL of another method than INVITE gets 200 and has no effect", () => {
  const bench = new Bench();
  bench.receive(request("MESSAGE"));
  bench.receive(request("CANCEL"));
  assert.equal(bench.take(), "200");
  assert.deepEqual(bench.up, ["MESSAGE"]);
});

type HookRow = [hook: string, provoke: (bench: Bench, transaction: ServerMachineView) => void];
const hooks: HookRow[] = [
  [
    "onAck",
    (bench, transaction) => {
      transaction.respond(response(request("INVITE"), 486));
      bench.receive(request("ACK", { toTag: "b" }));
    },
  ],
  ["onTimeout", (_, transaction) => transaction.respond(response(request("INVITE"), 486))],
  [
    "onCancel",
    (bench, transaction) => {
      bench.receive(request("CANCEL"));
      transaction.respond(response(request("INVITE"), 487));
    },
  ],
  [
    "onTransportError",
    (bench, transaction) => {
      transaction.transportError(new Error("no route"), bench.now);
      transaction.respond(response(request("INVITE"), 486));
    },
  ],
];

for (const [hook, provoke] of hooks) {
  test(`a bug in the owner's ${hook} is reported, and the transaction still ends`, () => {
    const bench = new Bench();
    const transaction = bench.receive(request("INVITE"))!;
    transaction.user = {
      [hook]: () => {
        throw new Error("bug");
      },
    };
    provoke(bench, transaction);
    bench.advance(64_000);
    assert.equal(bench.errors.length, 1);
    assert.equal(bench.layer.size, 0);
  });
}

test("§18.2.2: a response that needed a new connection hears of its failure too", () => {
  const bench = new Bench();
  const arrival = flow("TCP");
  const again = flow("TCP", "192.0.2.99");
  const transaction = bench.receive(request("INVITE"), arrival)!;
  const heard: string[] = [];
  transaction.user = { onTransportError: ({ message }) => heard.push(message) };
  bench.layer.flowFailed(arrival, new Error("first"), bench.now);
  bench.responseFlow = again;
  transaction.respond(response(request("INVITE"), 486));
  bench.layer.flowFailed(again, new Error("second"), bench.now);
  assert.deepEqual(heard, ["first", "second"]);
  bench.advance(32_000);
  bench.layer.flowFailed(again, new Error("third"), bench.now);
  assert.equal(heard.length, 2);
});

test("§18.2.2: a connection that responses took before the last one is of no interest any more", () => {
  const bench = new Bench();
  const transaction = bench.receive(request("INVITE"), flow("TCP"))!;
  const heard: string[] = [];
  transaction.user = { onTransportError: ({ message }) => heard.push(message) };
  const [ringing, final] = [flow("TCP", "192.0.2.98"), flow("TCP", "192.0.2.99")];
  bench.responseFlow = ringing;
  transaction.respond(response(request("INVITE"), 180));
  bench.responseFlow = final;
  transaction.respond(response(request("INVITE"), 486));
  bench.layer.flowFailed(ringing, new Error("first"), bench.now);
  bench.layer.flowFailed(final, new Error("second"), bench.now);
  assert.deepEqual(heard, ["second"]);
});

test("a UDP error ends the clients that wait, and costs nothing for those that do not", () => {
  const bench = new Bench();
  const by = flow();
  const ended: string[] = [];
  for (const method of ["INVITE", "OPTIONS"]) {
    const message = request(method, { branch: `z9hG4bK${method}` });
    const user = {
      receiveResponse() {},
      timeout() {},
      transportError: () => ended.push(method),
    };
    bench.layer.addClient(method, message.topBranch!, by, message.bytes, user).start(bench.now);
    // Figure 5: a ringing INVITE does not mind; Figure 6: any other request does.
    bench.layer.receiveResponse(response(message, 100), by, bench.now);
  }
  bench.layer.flowFailed(by, new Error("port unreachable"), bench.now);
  assert.deepEqual(ended, ["OPTIONS"]);
});

test("40 000 transactions come and go, and nothing stays", () => {
  const bench = new Bench(200_000);
  for (let i = 0; i < 40_000; i++) {
    const message = request("MESSAGE", { branch: `z9hG4bK${i}` });
    bench.receive(message)!.respond(response(message, 200));
    bench.transactions.length = 0;
    bench.sent.length = 0;
    bench.now += 1;
    if (bench.layer.deadline <= bench.now) bench.layer.tick(bench.now);
  }
  assert.ok(bench.layer.size <= 32_000);
  bench.advance(32_000);
  assert.equal(bench.layer.size, 0);
  assert.equal(bench.layer.deadline, Number.POSITIVE_INFINITY);
});
