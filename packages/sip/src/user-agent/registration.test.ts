// Registrations in virtual time: refresh, 423, challenges, back-off, removal. RFC 3261 §10.2, RFC 5626 §4.5.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Challenger } from "../auth/index.ts";
import { Rejected } from "../errors.ts";
import { nodeHash } from "../node/index.ts";
import { type IncomingRequest, Stack } from "../stack.ts";
import { SeededRandom, VirtualDriver } from "../testing/index.ts";
import type { Flow } from "../transport/index.ts";
import { refreshDelay } from "./registration.ts";
import { Testbed } from "./testbed.test.kit.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

/** A registrar that answers as it is told. */
function setUp(
  answer: (incoming: IncomingRequest, count: number) => void | Promise<void>,
  options: Partial<UserAgentOptions> = {},
) {
  const bed = new Testbed();
  const host = bed.host("registrar");
  const driver = new VirtualDriver(bed.network, host.address);
  let count = 0;
  const stack = new Stack({
    ...{ sink: driver, clock: bed.clock, random: new SeededRandom(5) },
    roles: { isOurs: () => true, route: (incoming) => answer(incoming, ++count) },
  });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  const alice = bed.agent("alice", { aor: `Alice <sip:alice@${host.address}>`, ...options });
  return { bed, alice, registrar: host.address };
}

/** A registrar over TCP that can go away and come back. */
function overTcp(options: Partial<UserAgentOptions> = {}) {
  const bed = new Testbed();
  const host = bed.host("registrar");
  let stack: Stack;
  let driver: VirtualDriver;
  const flows: Flow[] = [];
  const up = () => {
    driver = new VirtualDriver(bed.network, host.address);
    stack = new Stack({
      ...{ sink: driver, clock: bed.clock, random: new SeededRandom(5) },
      roles: {
        isOurs: () => true,
        route: (incoming) => {
          flows.push(incoming.flow);
          accept(incoming);
        },
      },
    });
    driver.attach(stack);
    driver.listen({ transport: "TCP" });
  };
  up();
  const alice = bed.agent("alice", { aor: `sip:alice@${host.address}`, transport: "TCP", ...options });
  return {
    ...{ bed, alice, host, flows, up },
    down: () => driver.stop(),
    /** Ends the connection that brought the last REGISTER, in order. */
    hangUp: () => stack.closeFlow(flows.at(-1) as Flow),
    async finish() {
      await bed.settle(alice.ua.stop());
      // Its timer may be set for a connection that is no more.
      driver.stop();
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    },
  };
}

/** 200 with the contact that was asked for. */
function accept(incoming: IncomingRequest, expires?: number): void {
  const contact = incoming.request.headers.raw("Contact") ?? "";
  incoming.respond(200, {
    headers: [
      ["Contact", expires === undefined ? contact : contact.replace(/expires=\d+/, `expires=${expires}`)],
    ],
  });
}

function tooBrief(incoming: IncomingRequest): void {
  incoming.respond(423, { headers: [["Min-Expires", 7200]] });
}

describe("registration", () => {
  it("§10.2: registers, refreshes before the end, with one Call-ID and rising CSeq", async () => {
    const { bed, alice, registrar } = setUp((incoming) => accept(incoming, 600));
    const registration = await bed.settle(alice.ua.register());
    assert.equal(registration.state, "registered");
    assert.equal(registration.expiresAt, bed.clock.now() + 600_000);
    await bed.clock.run(1_200_000);
    const requests = bed.requests("REGISTER");
    assert.deepEqual(
      requests.map((request) => request.cSeq.sequence),
      [1, 2, 3],
    );
    assert.equal(new Set(requests.map((request) => request.callId)).size, 1);
    const [first] = requests;
    assert.equal(first?.requestUriText, `sip:${registrar}`);
    assert.equal(first?.headers.raw("To"), `Alice <sip:alice@${registrar}>`);
    assert.equal(first?.headers.raw("Contact"), `<sip:alice@${alice.address}:5060>;expires=3600`);
    assert.equal(first?.from.tag !== undefined && first.to.tag === undefined, true);
    await bed.settle(registration.unregister());
    assert.equal(registration.state, "unregistered");
    assert.match(bed.requests("REGISTER").at(-1)?.headers.raw("Contact") ?? "", /expires=0/);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§10.2.8: 423: again with Min-Expires, and longer from then on", async () => {
    const { bed, alice } = setUp((incoming) => {
      const expires = Number(incoming.request.headers.raw("Expires"));
      if (expires < 600) incoming.respond(423, { headers: [["Min-Expires", 600]] });
      else accept(incoming);
    });
    await bed.settle(alice.ua.register({ expires: 60 }));
    await bed.clock.run(570_000);
    assert.deepEqual(
      bed
        .requests("REGISTER")
        .map(({ headers }) => [
          headers.raw("Expires"),
          /expires=\d+/.exec(headers.raw("Contact") ?? "")?.[0],
        ]),
      [
        ["60", "expires=60"],
        ["600", "expires=600"],
        ["600", "expires=600"],
      ],
    );
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§22.2: a challenge is answered, and the refresh reuses the nonce", async () => {
    const bedOf: { challenger?: Challenger } = {};
    const { bed, alice, registrar } = setUp(
      async (incoming) => {
        bedOf.challenger ??= new Challenger({
          clock: bed.clock,
          hash: nodeHash,
          random: new SeededRandom(3),
          nonceLifetime: 10_000,
        });
        const lookup = (user: string, realm: string) => nodeHash.hex("MD5", `${user}:${realm}:secret`);
        const verdict = await bedOf.challenger.verify("user agent", incoming.request, "here", lookup);
        if (verdict.kind === "ok") accept(incoming, 600);
        else incoming.respond(401, { headers: bedOf.challenger.challenge("user agent", "here") });
      },
      { credentials: { user: "alice", password: "secret" } },
    );
    assert.notEqual(registrar, undefined);
    await bed.settle(alice.ua.register());
    await bed.clock.run(600_000);
    assert.equal(bed.responses(401, "REGISTER").length, 1);
    assert.equal(bed.requests("REGISTER").length, 3);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§22.2: the wrong password ends in the 401, after one try", async () => {
    const { bed, alice } = setUp(
      (incoming) => {
        incoming.respond(401, { headers: [["WWW-Authenticate", 'Digest realm="here", nonce="n1"']] });
      },
      { credentials: { user: "alice", password: "wrong" } },
    );
    const registration = alice.ua.registration();
    const states: string[] = [];
    registration.onState((state) => states.push(state));
    await assert.rejects(
      bed.settle(registration.start()),
      (error) => error instanceof Rejected && error.statusCode === 401 && error.retries.join() === "401",
    );
    assert.equal(bed.requests("REGISTER").length, 2);
    assert.deepEqual(states, ["registering", "failed"]);
    assert.deepEqual([registration.failure?.statusCode, registration.failure?.retries], [401, [401]]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("RFC 5626 §4.5: failures are tried again after 15–30 s, doubling; Retry-After counts instead", async () => {
    const { bed, alice } = setUp((incoming, count) => {
      if (count === 1 || count >= 6) accept(incoming, 100);
      else if (count === 4) incoming.respond(503, { headers: [["Retry-After", 7]] });
      else incoming.respond(500);
    });
    const registration = await bed.settle(alice.ua.register());
    const states: string[] = [];
    registration.onState((state) => states.push(state));
    await bed.clock.runUntil(() => registration.state === "waiting");
    await bed.clock.runUntil(() => registration.state === "registered");
    const at = bed.sent
      .filter(({ message }) => message.kind === "request" && message.method === "REGISTER")
      .map((sent) => sent.at);
    const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    assert.equal(gaps.length, 5);
    const [refresh = 0, first = 0, second = 0, asked = 0, fourth = 0] = gaps;
    assert.equal(refresh, refreshDelay(100) + 2);
    assert(first >= 15_000 && first <= 30_010, `${first}`);
    assert(second >= 30_000 && second <= 60_010, `${second}`);
    assert.equal(asked, 7_002);
    assert(fourth >= 120_000 && fourth <= 240_010, `${fourth}`);
    assert.deepEqual(states.slice(-3), ["waiting", "registering", "registered"]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  for (const [refused, ends] of [
    [400, "registered"],
    [499, "registered"],
    [403, "failed"],
    [404, "failed"],
  ] as const) {
    it(`§21.4.1, §8.1.3.2: a refresh gets ${refused} once: ${ends} a minute later`, async () => {
      const { bed, alice } = setUp((incoming, count) => {
        if (count === 2) incoming.respond(refused);
        else accept(incoming, 100);
      });
      const registration = await bed.settle(alice.ua.register());
      await bed.clock.runUntil(() => registration.state !== "registered");
      await bed.clock.run(60_000);
      assert.equal(registration.state, ends);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }

  it("the first REGISTER without an answer: 408, or going on with keepTrying", async () => {
    const { bed, alice } = setUp(() => {});
    bed.network.disconnect(alice.address);
    await assert.rejects(bed.settle(alice.ua.register()), { code: "SIP_TIMEOUT" });
    const registration = alice.ua.registration({ keepTrying: true });
    const started = registration.start();
    started.catch(() => {});
    await bed.clock.run(40_000);
    assert.equal(registration.state, "waiting");
    await bed.settle(registration.unregister());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§10.2: refresh() while a REGISTER is out sends no other", async () => {
    const { bed, alice } = setUp((incoming) => accept(incoming));
    const registration = await bed.settle(alice.ua.register());
    registration.refresh();
    registration.refresh();
    await bed.clock.run(100);
    assert.equal(bed.requests("REGISTER").length, 2);
    registration.refresh();
    await bed.clock.run(100);
    assert.equal(bed.requests("REGISTER").length, 3);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§10.2: unregister() while a REGISTER is out sends its own after the final response", async () => {
    const held: IncomingRequest[] = [];
    const { bed, alice } = setUp((incoming, count) => {
      if (count === 2) held.push(incoming);
      else accept(incoming);
    });
    const registration = await bed.settle(alice.ua.register());
    registration.refresh();
    await bed.clock.run(100);
    const removed = registration.unregister();
    await bed.clock.run(200);
    assert.equal(registration.state, "unregistering");
    assert.equal(bed.requests("REGISTER").length, 2);
    accept(held[0] as IncomingRequest);
    await bed.settle(removed);
    const [, second, third] = bed.requests("REGISTER");
    assert.deepEqual([second?.cSeq.sequence, third?.cSeq.sequence], [2, 3]);
    assert.match(third?.headers.raw("Contact") ?? "", /expires=0/);
    assert.equal(registration.state, "unregistered");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  for (const [what, outcome, sent] of [
    ["200: it is taken away", (incoming: IncomingRequest) => accept(incoming), 2],
    ["403: nothing is there to take away", (incoming: IncomingRequest) => incoming.respond(403), 1],
    ["423: nothing is there, and nothing is tried again", tooBrief, 1],
    ["nothing: who does not answer is not asked twice", () => {}, 1],
  ] as const) {
    it(`§10.2: unregister() while the first REGISTER is out, which gets ${what}`, async () => {
      const { bed, alice } = setUp((incoming, count) => {
        if (count > 1) accept(incoming);
        else bed.clock.schedule(300, () => outcome(incoming));
      });
      const registration = alice.ua.registration();
      registration.start().catch(() => {});
      await bed.clock.run(100);
      await bed.settle(registration.unregister());
      const ids = new Set(bed.requests("REGISTER").map(({ cSeq }) => cSeq.sequence));
      assert.equal(ids.size, sent);
      assert.equal(registration.state, "unregistered");
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }

  it("RFC 5626 §4.5: the registrar closes the connection: registered by a new one within 1 s", async () => {
    const { bed, alice, flows, hangUp, finish } = overTcp();
    const registration = await bed.settle(alice.ua.register());
    const states: string[] = [];
    registration.onState((state) => states.push(state));
    hangUp();
    await bed.clock.run(1_010);
    assert.deepEqual(states, ["waiting", "registering", "registered"]);
    assert.equal(new Set(flows.map(({ id }) => id)).size, 2);
    const [first, second] = bed.requests("REGISTER");
    assert.equal(second?.callId, first?.callId);
    assert.equal(second?.cSeq.sequence, 2);
    await finish();
  });

  for (const seconds of [1, 5, 20, 120]) {
    it(`RFC 5626 §4.5: the registrar is gone for ${seconds} s: registered within 11 s once it is back`, async () => {
      const { bed, alice, up, down, finish } = overTcp();
      const registration = await bed.settle(alice.ua.register());
      down();
      await bed.clock.run(seconds * 1000);
      assert.equal(registration.state, "waiting");
      up();
      await bed.clock.run(11_000);
      assert.equal(registration.state, "registered");
      // Not in a hurry all the same.
      assert(bed.sent.length < 8 + seconds / 2, `${bed.sent.length} messages`);
      await finish();
    });
  }

  it("the network is back: what waits is tried at once", async () => {
    const { bed, alice, up, down, finish } = overTcp();
    const registration = await bed.settle(alice.ua.register());
    down();
    await bed.clock.run(60_000);
    up();
    registration.reconnect();
    await bed.clock.run(10);
    assert.equal(registration.state, "registered");
    registration.reconnect();
    await bed.clock.run(10);
    assert.equal(bed.requests("REGISTER").length, 2);
    await finish();
  });

  it("RFC 5626 §4.4.1: signs of life at 80–100 % of keepAlive; without an answer a new connection", async () => {
    const { bed, alice, flows, host, finish } = overTcp();
    const pings: number[] = [];
    const record = bed.network.onSend;
    bed.network.onSend = (sighting) => {
      if (sighting.bytes.length > 4) record?.(sighting);
      else if (sighting.bytes.length === 4) pings.push(sighting.at - bed.start);
    };
    const registration = await bed.settle(alice.ua.register({ keepAlive: 20 }));
    await bed.clock.run(101_000);
    assert(pings.length >= 5 && pings.length <= 6, `${pings}`);
    assert.equal(registration.state, "registered");
    bed.network.disconnect(host.address);
    await bed.clock.runUntil(() => registration.state === "waiting", 31_000);
    assert.equal(registration.state, "waiting");
    bed.network.reconnect(host.address);
    await bed.clock.run(12_000);
    assert.equal(registration.state, "registered");
    assert.equal(new Set(flows.map(({ id }) => id)).size, 2);
    await finish();
  });

  it("a connection that ends after unregister() brings nothing back", async () => {
    const { bed, alice, hangUp, finish } = overTcp();
    const registration = await bed.settle(alice.ua.register());
    await bed.settle(registration.unregister());
    hangUp();
    await bed.clock.run(60_000);
    assert.equal(bed.requests("REGISTER").length, 2);
    assert.equal(registration.state, "unregistered");
    await finish();
  });

  it("stop() takes the registration away", async () => {
    const { bed, alice } = setUp((incoming) => accept(incoming));
    const registration = await bed.settle(alice.ua.register());
    await bed.settle(alice.ua.stop());
    assert.equal(registration.state, "unregistered");
    assert.equal(bed.requests("REGISTER").length, 2);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  for (const [expires, delay] of [
    [3600, 3_560_000],
    [600, 560_000],
    [121, 81_000],
    [120, 80_040],
    [60, 40_020],
    [1, 667],
    [0, 30_000],
  ] as const) {
    it(`refresh of a binding of ${expires} s after ${delay} ms`, () =>
      assert.equal(refreshDelay(expires), delay));
  }
});
