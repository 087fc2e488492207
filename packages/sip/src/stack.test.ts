// Two stacks over a bad network, in virtual time: whatever it loses, delays, reorders and doubles, each request
// is handled once and each sender hears one outcome.

import assert from "node:assert/strict";
import { test } from "node:test";
import { draftRequest, makeResponse } from "./message/index.ts";
import { type ClientRequest, type IncomingRequest, Stack, type StackObserver } from "./stack.ts";
import { Network, VirtualClock, VirtualDriver, type Weather } from "./testing/index.ts";
import type { TransportName } from "./transport/index.ts";

const alice = "10.0.0.1";
const bob = "10.0.0.2";
const carol = "10.0.0.3";

interface Party {
  readonly stack: Stack;
  readonly driver: VirtualDriver;
  readonly errors: unknown[];
}

function party(network: Network, address: string, observer?: StackObserver): Party {
  const driver = new VirtualDriver(network, address);
  const errors: unknown[] = [];
  const stack = new Stack({
    sink: driver,
    clock: network.clock,
    random: network.random,
    onError: (error) => errors.push(error),
    ...(observer && { observer }),
  });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  driver.listen({ transport: "TCP" });
  return { stack, driver, errors };
}

function requestTo(method: string, callId: string, sequence = 1, to = bob, transport: TransportName = "UDP") {
  return draftRequest({
    method,
    requestUri: `sip:bob@${to};transport=${transport.toLowerCase()}`,
    headers: [
      ["From", `<sip:alice@${alice}>;tag=a`],
      ["To", `<sip:bob@${to}>`],
      ["Call-ID", callId],
      ["CSeq", `${sequence} ${method}`],
      ["Contact", `<sip:alice@${alice}>`],
    ],
  });
}

/** What one sender heard: statuses and failures, joined. */
type Outcomes = Map<string, string[]>;

function hear(outcomes: Outcomes, id: string): (what: string) => void {
  const heard: string[] = [];
  outcomes.set(id, heard);
  return (what) => heard.push(what);
}

const weathers: [name: string, transport: TransportName, weather: Partial<Weather>][] = [
  ["calm", "UDP", {}],
  ["lossy", "UDP", { latency: 40, loss: 0.3 }],
  ["doubling", "UDP", { latency: 40, duplication: 0.5, jitter: 30 }],
  ["reordering", "UDP", { latency: 10, jitter: 1500 }],
  ["all at once", "UDP", { latency: 80, loss: 0.25, duplication: 0.25, jitter: 900 }],
  ["streams in pieces", "TCP", { latency: 40, jitter: 40, loss: 0.1, pieces: 60 }],
];

/** Everything is over, and nothing is kept. */
function assertForgotten(...parties: Party[]): void {
  for (const { stack, errors } of parties) {
    assert.deepEqual(errors, []);
    assert.equal(stack.transactionCount, 0);
    assert.equal(stack.unansweredCount, 0);
  }
}

for (const [name, transport, weather] of weathers) {
  for (const seed of [1, 2, 3]) {
    test(`§17.1.2, §17.2.2: 60 OPTIONS, network ${name} (seed ${seed}): each handled once, one outcome each`, () => {
      const clock = new VirtualClock();
      const network = new Network({ clock, seed, ...weather });
      const [client, server] = [party(network, alice), party(network, bob)];
      const handled = new Map<string, number>();
      server.stack.roles = {
        isOurs: () => true,
        route(incoming) {
          const { callId } = incoming.request;
          handled.set(callId, (handled.get(callId) ?? 0) + 1);
          clock.schedule(network.random.next() * 6000, () => incoming.respond(200));
        },
      };
      const outcomes: Outcomes = new Map();
      for (let i = 0; i < 60; i++) {
        const say = hear(outcomes, `o${i}`);
        client.stack.request(requestTo("OPTIONS", `o${i}`, 1, bob, transport), {
          user: {
            onResponse: ({ statusCode }) => statusCode >= 200 && say(String(statusCode)),
            onFailure: ({ kind }) => say(kind),
          },
        });
        clock.advance(20);
      }
      clock.advance(200_000);
      for (const [id, heard] of outcomes) {
        assert.equal(heard.length, 1, `${id}: ${heard}`);
        assert.ok((handled.get(id) ?? 0) <= 1);
        if (heard[0] === "200") assert.equal(handled.get(id), 1);
        if (weather.loss === undefined) assert.equal(heard[0], "200");
      }
      assertForgotten(client, server);
    });

    test(`§17.1.1, §17.2.1: 60 INVITEs refused, network ${name} (seed ${seed}): one outcome, ACK or timer H`, () => {
      const clock = new VirtualClock();
      const network = new Network({ clock, seed, ...weather });
      const [client, server] = [party(network, alice), party(network, bob)];
      const handled = new Map<string, number>();
      const ends = new Map<string, string[]>();
      server.stack.roles = {
        isOurs: () => true,
        route(incoming) {
          const { callId } = incoming.request;
          handled.set(callId, (handled.get(callId) ?? 0) + 1);
          const say = hear(ends, callId);
          incoming.transaction!.user = { onAck: () => say("ACK"), onTimeout: () => say("timeout") };
          clock.schedule(network.random.next() * 800, () => incoming.respond(180));
          clock.schedule(800 + network.random.next() * 3000, () => incoming.respond(486));
        },
      };
      const outcomes: Outcomes = new Map();
      for (let i = 0; i < 60; i++) {
        const say = hear(outcomes, `i${i}`);
        client.stack.request(requestTo("INVITE", `i${i}`, 1, bob, transport), {
          user: {
            onResponse: ({ statusCode }) => statusCode >= 200 && say(String(statusCode)),
            onFailure: ({ kind }) => say(kind),
          },
        });
        clock.advance(20);
      }
      clock.advance(300_000);
      for (const [id, heard] of outcomes) {
        assert.equal(heard.length, 1, `${id}: ${heard}`);
        assert.ok((handled.get(id) ?? 0) <= 1);
        if (handled.get(id) === 1) assert.equal(ends.get(id)?.length, 1);
        if (weather.loss === undefined) assert.deepEqual([heard[0], ends.get(id)?.[0]], ["486", "ACK"]);
      }
      assertForgotten(client, server);
    });

    test(`RFC 6026: 40 INVITEs accepted, network ${name} (seed ${seed}): every 2xx that comes gets an ACK`, () => {
      const clock = new VirtualClock();
      const network = new Network({ clock, seed, ...weather });
      const [client, server] = [party(network, alice), party(network, bob)];
      const handled = new Map<string, number>();
      const acknowledged = new Set<string>();
      const resendUntilAck = (incoming: IncomingRequest, interval: number): void => {
        const { callId } = incoming.request;
        if (acknowledged.has(callId)) return;
        // §13.3.1.4: the user resends its 2xx; the transaction lets it through for 64·T1.
        const sent = incoming.transaction!.respond(makeResponse(incoming.request, 200, { toTag: "b" }));
        if (sent) clock.schedule(interval, () => resendUntilAck(incoming, Math.min(2 * interval, 4000)));
      };
      server.stack.roles = {
        isOurs: () => true,
        route(incoming) {
          const { callId, method } = incoming.request;
          if (method === "ACK") {
            acknowledged.add(callId);
            return;
          }
          handled.set(callId, (handled.get(callId) ?? 0) + 1);
          clock.schedule(network.random.next() * 1500, () => resendUntilAck(incoming, 500));
        },
      };
      const finals = new Map<string, number>();
      const failures: string[] = [];
      for (let i = 0; i < 40; i++) {
        const id = `a${i}`;
        client.stack.request(requestTo("INVITE", id, 1, bob, transport), {
          user: {
            onResponse({ statusCode }) {
              if (statusCode < 200) return;
              finals.set(id, (finals.get(id) ?? 0) + 1);
              client.stack.sendAck(requestTo("ACK", id, 1, bob, transport));
            },
            onFailure: () => failures.push(id),
          },
        });
        clock.advance(20);
      }
      clock.advance(300_000);
      for (let i = 0; i < 40; i++) {
        const id = `a${i}`;
        assert.ok((handled.get(id) ?? 0) <= 1, `${id} handled ${handled.get(id)} times`);
        assert.equal((finals.get(id) ?? 0) > 0, !failures.includes(id));
      }
      if (weather.loss === undefined) {
        assert.equal(failures.length, 0);
        assert.equal(acknowledged.size, 40);
      }
      assertForgotten(client, server);
    });

    test(`§9: 40 INVITEs cancelled at any moment, network ${name} (seed ${seed}): one final each`, () => {
      const clock = new VirtualClock();
      const network = new Network({ clock, seed, ...weather });
      const [client, server] = [party(network, alice), party(network, bob)];
      server.stack.roles = {
        isOurs: () => true,
        route(incoming) {
          if (incoming.request.method !== "INVITE") return;
          // Half of them set an owner, for the other half the stack answers.
          if (network.random.next() < 0.5) {
            incoming.transaction!.user = { onCancel: () => incoming.respond(487) };
          }
          clock.schedule(3000, () => incoming.respond(486));
        },
      };
      const outcomes: Outcomes = new Map();
      const requests: ClientRequest[] = [];
      for (let i = 0; i < 40; i++) {
        const say = hear(outcomes, `c${i}`);
        const request = client.stack.request(requestTo("INVITE", `c${i}`, 1, bob, transport), {
          user: {
            onResponse: ({ statusCode }) => statusCode >= 200 && say(String(statusCode)),
            onFailure: ({ kind }) => say(kind),
          },
        });
        requests.push(request);
        clock.schedule(network.random.next() * 4000, () => request.cancel());
        clock.advance(20);
      }
      clock.advance(300_000);
      for (const [id, heard] of outcomes) {
        assert.equal(heard.length, 1, `${id}: ${heard}`);
        if (weather.loss === undefined) assert.match(heard[0]!, /^48[67]$/);
      }
      assert.ok(requests.every(({ state }) => state === "done"));
      assertForgotten(client, server);
    });
  }
}

const dead: [
  what: string,
  kill: (network: Network, first: Party) => void,
  transport: TransportName,
  within: number,
][] = [
  ["is cut off (UDP)", (network) => network.disconnect(bob), "UDP", 33_000],
  ["refuses connections", (_, first) => first.driver.stop(), "TCP", 1000],
  [
    "answers 503",
    (_, { stack }) => (stack.roles = { isOurs: () => true, route: (incoming) => void incoming.respond(503) }),
    "UDP",
    1000,
  ],
];

for (const [what, kill, transport, within] of dead) {
  test(`RFC 3263 §4.3: the first target ${what} → the second answers`, () => {
    const clock = new VirtualClock();
    const network = new Network({ clock, names: { "example.com": [bob, carol] } });
    const [client, first, second] = [party(network, alice), party(network, bob), party(network, carol)];
    kill(network, first);
    second.stack.roles = { isOurs: () => true, route: (incoming) => void incoming.respond(486) };
    const heard: string[] = [];
    let answeredBy = "";
    client.stack.request(requestTo("INVITE", "failover", 1, "example.com", transport), {
      user: {
        onResponse: ({ statusCode }, _request, flow) => {
          heard.push(String(statusCode));
          answeredBy = flow.remote.address;
        },
        onFailure: ({ kind }) => heard.push(kind),
      },
    });
    clock.advance(within);
    assert.deepEqual([heard, answeredBy], [["486"], carol]);
  });
}

test("trace: the observer sees every message both ways, by reference", () => {
  const clock = new VirtualClock();
  const network = new Network({ clock });
  const seen: string[] = [];
  const observer: StackObserver = {
    received: (message) =>
      seen.push(`in ${message.kind === "request" ? message.method : message.statusCode}`),
    sent: (bytes) => seen.push(`out ${new TextDecoder().decode(bytes).split(" ", 2).join(" ")}`),
    transactionEnded: (kind, method, outcome) => seen.push(`${kind} ${method} ended ${outcome}`),
  };
  const [client, server] = [party(network, alice, observer), party(network, bob)];
  server.stack.roles = { isOurs: () => true, route: (incoming) => void incoming.respond(486) };
  client.stack.request(requestTo("INVITE", "seen"), { user: { onResponse() {}, onFailure() {} } });
  clock.advance(40_000);
  assert.deepEqual(seen, [
    `out INVITE sip:bob@${bob};transport=udp`,
    "in 486",
    `out ACK sip:bob@${bob};transport=udp`,
    "client INVITE ended 486",
  ]);
});

test("trace: an observer that throws is reported, and nothing else comes of it", () => {
  const clock = new VirtualClock();
  const network = new Network({ clock });
  const fails = () => {
    throw new Error("observer");
  };
  const observer: StackObserver = {
    ...{ received: fails, sent: fails, malformed: fails, flowFailed: fails },
    ...{ refused: fails, stray: fails, resent: fails, transactionEnded: fails },
  };
  const [client, server] = [party(network, alice, observer), party(network, bob, observer)];
  server.stack.roles = { isOurs: () => true, route: (incoming) => void incoming.respond(200) };
  const heard: (string | number)[] = [];
  const user = {
    onResponse: ({ statusCode }: { statusCode: number }) => heard.push(statusCode),
    onFailure: ({ kind }: { kind: string }) => heard.push(kind),
  };
  for (const method of ["MESSAGE", "INVITE"]) client.stack.request(requestTo(method, method), { user });
  clock.advance(70_000);
  client.stack.request(requestTo("MESSAGE", "silence", 1, "10.0.0.99"), { user });
  clock.advance(70_000);
  assert.deepEqual(heard, [200, 200, "timeout"]);
  assert.deepEqual([client.stack.transactionCount, server.stack.transactionCount], [0, 0]);
  assert.ok(client.errors.length > 0 && server.errors.length > 0);
});
