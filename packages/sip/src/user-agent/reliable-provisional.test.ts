// Reliable provisional responses and PRACK between two user agents in virtual time. RFC 3262.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CallEndedError, Rejected } from "../errors.ts";
import { makeResponse, parseMessage, type SipRequest } from "../message/index.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import type { CallOptions, UserAgentOptions } from "./user-agent-options.ts";

type Options = Partial<UserAgentOptions>;
const sdp = sdpOf("alice");
const textOf = (message: { body: Uint8Array } | undefined) => new TextDecoder().decode(message?.body);

function pair(
  onInvite: (call: Call) => Promise<void> | void,
  options: { weather?: ConstructorParameters<typeof Testbed>[0]; alice?: Options; bob?: Options } = {},
) {
  const bed = new Testbed(options.weather);
  const alice = bed.agent("alice", options.alice);
  const bob = bed.agent("bob", options.bob);
  const taken: Call[] = [];
  bob.ua.onInvite((call) => {
    taken.push(call);
    return onInvite(call);
  });
  return { bed, alice, bob, taken };
}

async function finish(bed: Testbed, call?: Call): Promise<void> {
  if (call !== undefined) await bed.settle(call.hangUp());
  await bed.close();
  assert.deepEqual(bed.leftovers, []);
  assert.deepEqual(bed.errors, []);
}

/** A request in Alice's early dialog that her user agent would not send. */
function byHand(
  bed: Testbed,
  alice: string,
  bob: string,
  method: string,
  cSeq: number,
  lines: string[],
  body = "",
) {
  const [invite] = bed.requests("INVITE");
  const to = bed.responses(180, "INVITE")[0]?.headers.raw("To");
  const text = [
    `${method} ${bob} SIP/2.0`,
    `Via: SIP/2.0/UDP ${alice}:5060;branch=z9hG4bKhand${method}${cSeq}`,
    "Max-Forwards: 70",
    `From: ${invite?.headers.raw("From")}`,
    `To: ${to}`,
    `Call-ID: ${invite?.callId}`,
    `CSeq: ${cSeq} ${method}`,
    ...lines,
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
  const from = { address: alice, port: 5060 };
  const address = /@([\d.]+)/.exec(bob)?.[1] ?? "";
  bed.network.sendDatagram(from, { address, port: 5060 }, new TextEncoder().encode(text));
}

describe("reliable provisional responses", () => {
  const whoWants: [string, Options, CallOptions, boolean | undefined, "reliable" | "as ever", string?][] = [
    ["§3: neither asks for it", {}, {}, undefined, "as ever"],
    ["§3: the callee wishes it, the caller supports it", {}, {}, true, "reliable"],
    ["§3: the callee wishes it, the caller cannot", {}, { reliableProvisionals: "off" }, true, "as ever"],
    ["§4: the caller requires it", {}, { reliableProvisionals: "required" }, undefined, "reliable", "100rel"],
    [
      "§4: … even where the callee would rather not",
      {},
      { reliableProvisionals: "required" },
      false,
      "reliable",
    ],
  ];
  for (const [title, bobs, options, reliable, outcome] of whoWants) {
    it(`${title}: ${outcome}`, async () => {
      const { bed, alice, bob } = pair(
        async (call) => {
          await call.ring(reliable === undefined ? {} : { reliable });
          await call.answer(sdpOf("bob"));
        },
        { bob: bobs },
      );
      const call = await bed.settle(alice.ua.invite(bob.uri, { sdp, ...options }));
      const [ringing] = bed.responses(180, "INVITE");
      const [prack] = bed.requests("PRACK", "alice");
      if (outcome === "reliable") {
        const rSeq = ringing?.headers.get("RSeq") ?? 0;
        assert(rSeq >= 1 && rSeq < 2 ** 31, `RSeq ${rSeq}`);
        assert.equal(ringing?.headers.raw("Require"), "100rel");
        assert.deepEqual(prack?.headers.get("RAck"), { rSeq, sequence: 1, method: "INVITE" });
        assert.equal(prack?.cSeq.sequence, 2);
        assert.deepEqual(bed.ladder(), [
          ...[
            "alice INVITE",
            "bob 180 INVITE",
            "alice PRACK",
            "bob 200 PRACK",
            "bob 200 INVITE",
            "alice ACK",
          ],
        ]);
      } else {
        assert.deepEqual(
          [ringing?.headers.raw("RSeq"), ringing?.headers.raw("Require"), prack],
          [undefined, undefined, undefined],
        );
      }
      await finish(bed, call);
    });
  }

  it("§8.2.2.3 of RFC 3261: the callee has it off, the caller requires it: 420, and again without", async () => {
    const { bed, alice, bob } = pair(
      async (call) => {
        await call.ring();
        await call.answer(sdpOf("bob"));
      },
      { bob: { reliableProvisionals: "off" } },
    );
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp, reliableProvisionals: "required" }));
    assert.equal(bed.responses(420, "INVITE")[0]?.headers.raw("Unsupported"), "100rel");
    const [, second] = bed.requests("INVITE");
    assert.deepEqual([second?.headers.raw("Require"), second?.cSeq.sequence], [undefined, 2]);
    assert.equal(bed.requests("PRACK").length, 0);
    await finish(bed, call);
  });

  it("§21.4.16 of RFC 3261: the callee requires it, the caller has it off: 421, final", async () => {
    const { bed, alice, bob } = pair((call) => call.answer(sdpOf("bob")), {
      alice: { reliableProvisionals: "off" },
      bob: { reliableProvisionals: "required" },
    });
    await assert.rejects(
      bed.settle(alice.ua.invite(bob.uri, { sdp })),
      (error) => error instanceof Rejected && error.statusCode === 421,
    );
    assert.equal(bed.responses(421, "INVITE")[0]?.headers.raw("Require"), "100rel");
    await finish(bed);
  });

  it("§3: resent at T1, 2·T1, … without the limit of T2; no PRACK within 64·T1: 500", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring({ reliable: true }));
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => bed.requests("INVITE").length === 1);
    await bed.clock.run(1);
    bed.network.disconnect(alice.address);
    assert.deepEqual(await bed.settle(taken[0]!.ended), { by: "local", cause: "no prack" });
    const at = bed.sent
      .filter(({ message }) => message.kind === "response" && message.statusCode === 180)
      .map((sent) => sent.at - 1);
    assert.deepEqual(at, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert(bed.responses(500, "INVITE").length > 0);
    void call.hangUp();
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§3: the second waits for the first, its RSeq is one higher", async () => {
    const { bed, alice, bob, taken } = pair(() => {}, { weather: { latency: 100 } });
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => taken.length === 1);
    const sent = Promise.all([
      taken[0]!.progress({ reliable: true }),
      taken[0]!.ring({ reliable: true }),
      taken[0]!.progress({ reliable: true, statusCode: 182 }),
    ]);
    await bed.clock.run(150);
    assert.equal(bed.responses(180, "INVITE").length, 0);
    await bed.settle(sent);
    const [a = 0, b, c] = [183, 180, 182].map((code) =>
      bed.responses(code, "INVITE")[0]?.headers.get("RSeq"),
    );
    assert.deepEqual([b, c], [a + 1, a + 2]);
    assert.deepEqual(
      bed.requests("PRACK").map((prack) => [prack.cSeq.sequence, prack.headers.get("RAck")?.rSeq]),
      [2, 3, 4].map((sequence, index) => [sequence, a + index]),
    );
    await finish(bed, call);
  });

  it("§4: a copy gets no second PRACK and is not told again", async () => {
    const { bed, alice, bob } = pair((call) => call.ring({ reliable: true }), {
      weather: { duplication: 1 },
    });
    const call = alice.ua.call(bob.uri, { sdp });
    const codes: number[] = [];
    call.onProgress((response) => codes.push(response.statusCode));
    await bed.clock.run(3000);
    assert.deepEqual(codes, [180]);
    assert.equal(new Set(bed.requests("PRACK").map(({ topVia }) => topVia.branch)).size, 1);
    await finish(bed, call);
  });

  it("§4: after a gap nothing is acknowledged until what is missing has come", async () => {
    const { bed, alice, bob } = pair(() => {});
    const call = alice.ua.call(bob.uri, { sdp });
    const told: number[] = [];
    call.onProgress((response) => told.push(response.statusCode));
    await bed.clock.run(10);
    const [invite] = bed.requests("INVITE");
    const send = async (statusCode: number, rSeq: number) => {
      const { bytes } = makeResponse(invite!, statusCode, {
        toTag: "hand",
        headers: [
          ["Require", "100rel"],
          ["RSeq", rSeq],
          ["Contact", `<${bob.uri}>`],
        ],
      });
      bed.network.sendDatagram(
        { address: bob.address, port: 5060 },
        { address: alice.address, port: 5060 },
        bytes,
      );
      await bed.clock.run(10);
    };
    for (const [status, rSeq] of [
      [180, 7],
      [182, 9],
      [183, 8],
      [182, 9],
      [180, 7],
    ] as const) {
      await send(status, rSeq);
    }
    assert.deepEqual(
      told.filter((code) => code !== 100),
      [180, 183, 182],
    );
    const pracks = new Map<string | undefined, SipRequest>();
    for (const prack of bed.requests("PRACK")) pracks.set(prack.topVia.branch, prack);
    assert.deepEqual(
      [...pracks.values()].map((prack) => prack.headers.get("RAck")?.rSeq),
      [7, 8, 9],
    );
    void call.hangUp();
    await bed.close();
  });

  it("§3: a callee that does not wait for PRACKs: so many are open at a time, what is one too many is taken later", async () => {
    const { bed, alice, bob } = pair(() => {});
    const call = alice.ua.call(bob.uri, { sdp });
    const told: number[] = [];
    call.onProgress((response) => told.push(response.headers.get("RSeq") ?? 0));
    await bed.clock.run(10);
    const [invite] = bed.requests("INVITE");
    const from = { address: bob.address, port: 5060 };
    const send = (rSeq: number) =>
      bed.network.sendDatagram(
        from,
        { address: alice.address, port: 5060 },
        makeResponse(invite!, 180, {
          toTag: "hand",
          headers: [
            ["Require", "100rel"],
            ["RSeq", rSeq],
            ["Contact", "<sip:nobody@203.0.113.99>"],
          ],
        }).bytes,
      );
    for (let rSeq = 1; rSeq <= 1000; rSeq++) send(rSeq);
    await bed.clock.run(100);
    assert.deepEqual(told, [0, ...Array.from({ length: 32 }, (_, i) => i + 1)].slice(-told.length));
    assert.equal(told.at(-1), 32);
    assert.deepEqual(
      bed.errors.map((error) => (error as Error).message),
      ["32 PRACKs wait for their responses: no more provisional ones are taken"],
    );
    // The first has failed at 64·T1: there is room for one.
    await bed.clock.run(32_000);
    for (let rSeq = 33; rSeq <= 40; rSeq++) send(rSeq);
    await bed.clock.run(100);
    assert.equal(told.at(-1), 33);
    void call.hangUp();
    await bed.close();
  });

  it("§3: a PRACK for nothing, or twice: 481; without RAck: 400", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring({ reliable: true }));
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(1000);
    const rSeq = bed.responses(180, "INVITE")[0]?.headers.get("RSeq") ?? 0;
    byHand(bed, alice.address, bob.uri, "PRACK", 10, [`RAck: ${rSeq} 1 INVITE`]);
    byHand(bed, alice.address, bob.uri, "PRACK", 11, [`RAck: ${rSeq + 1} 1 INVITE`]);
    byHand(bed, alice.address, bob.uri, "PRACK", 12, []);
    byHand(bed, alice.address, bob.uri, "PRACK", 13, ["RAck: nonsense"]);
    await bed.clock.run(100);
    const final = (sequence: number) =>
      bed.sent
        .map(({ message }) => message)
        .find(
          (message) =>
            message.kind === "response" &&
            message.cSeq.method === "PRACK" &&
            message.cSeq.sequence === sequence,
        );
    assert.deepEqual(
      [10, 11, 12, 13].map((sequence) => {
        const message = final(sequence);
        return message?.kind === "response" ? message.statusCode : undefined;
      }),
      [481, 481, 400, 400],
    );
    assert.equal(taken[0]?.state, "ringing");
    await finish(bed, call);
  });

  it("§3: the 200 waits for the PRACK of a 183 with an answer, and does not repeat it", async () => {
    const { bed, alice, bob, taken } = pair(() => {}, { weather: { latency: 10 } });
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => taken.length === 1);
    bed.network.weather.loss = 1;
    const progress = taken[0]!.progress({ sdp: sdpOf("bob"), reliable: true });
    await bed.clock.run(100);
    const answered = taken[0]!.answer(sdpOf("bob"));
    await bed.clock.run(300);
    assert.equal(bed.responses(200, "INVITE").length, 0);
    bed.network.weather.loss = 0;
    await bed.settle(Promise.all([progress, answered, call.answered]));
    assert.equal(textOf(bed.responses(200, "INVITE")[0]), "");
    assert.deepEqual([call.remoteDescription, taken[0]?.remoteDescription], [sdpOf("bob"), sdp]);
    await finish(bed, call);
  });

  it("§3: without a description in it the 200 need not wait; the late PRACK still gets its 200", async () => {
    const { bed, alice, bob, taken } = pair(() => {}, { weather: { latency: 100 } });
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => taken.length === 1);
    const ringing = taken[0]!.ring({ reliable: true });
    await bed.settle(Promise.all([ringing, taken[0]!.answer(sdpOf("bob")), call.answered]));
    await bed.clock.run(1000);
    assert.deepEqual(bed.ladder().slice(1, 3), ["bob 180 INVITE", "bob 200 INVITE"]);
    assert.equal(bed.responses(200, "PRACK").length, 1);
    await finish(bed, call);
  });

  it("§3: a refusal does not wait, either; the late PRACK gets 200 and the promise says that the call is over", async () => {
    const { bed, alice, bob, taken } = pair(() => {}, { weather: { latency: 100 } });
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => taken.length === 1);
    const ringing = assert.rejects(taken[0]!.ring({ reliable: true }), CallEndedError);
    await taken[0]!.reject(486);
    await bed.settle(ringing);
    await bed.settle(call.ended);
    await bed.clock.run(1000);
    assert.equal(bed.responses(200, "PRACK").length, 1);
    await finish(bed);
  });

  it("§5: no offer in the INVITE: it comes in the 183, the answer in the PRACK", async () => {
    const { bed, alice, bob, taken } = pair(async (call) => {
      await call.progress({ sdp: sdpOf("bob") });
      await call.answer();
    });
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp, offer: false }));
    assert.equal(textOf(bed.responses(183, "INVITE")[0]), sdpOf("bob"));
    assert.equal(textOf(bed.requests("PRACK")[0]), sdp);
    assert.deepEqual([textOf(bed.responses(200, "INVITE")[0]), textOf(bed.requests("ACK")[0])], ["", ""]);
    assert.deepEqual([call.remoteDescription, taken[0]?.remoteDescription], [sdpOf("bob"), sdp]);
    await finish(bed, call);
  });

  it("§5: … and a PRACK without an answer ends the call: 200, then 488", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring({ sdp: sdpOf("bob"), reliable: true }));
    const call = alice.ua.call(bob.uri, { sdp, offer: false });
    await bed.clock.runUntil(() => bed.responses(180, "INVITE").length > 0);
    // Alice's own PRACK gets lost.
    bed.network.weather.loss = 1;
    await bed.clock.run(10);
    bed.network.weather.loss = 0;
    const rSeq = bed.responses(180, "INVITE")[0]?.headers.get("RSeq") ?? 0;
    byHand(bed, alice.address, bob.uri, "PRACK", 10, [`RAck: ${rSeq} 1 INVITE`]);
    assert.equal((await bed.settle(taken[0]!.ended)).cause, "rejected");
    await assert.rejects(
      bed.settle(call.answered),
      (error) => error instanceof Rejected && error.statusCode === 488,
    );
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§3: a phone that rings says so every two and a half minutes", async () => {
    const { bed, alice, bob } = pair((call) => call.ring({ reliable: true }));
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(310_000);
    assert.equal(new Set(bed.responses(180, "INVITE").map(({ headers }) => headers.raw("RSeq"))).size, 3);
    await finish(bed, call);
  });

  it("§9.1 of RFC 3261: given up before the PRACK: CANCEL and 487 as ever", async () => {
    const { bed, alice, bob, taken } = pair((call) => call.ring({ reliable: true }), {
      weather: { latency: 50 },
    });
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.runUntil(() => bed.responses(180, "INVITE").length > 0);
    const end = await bed.settle(call.hangUp());
    assert.equal(end.response?.statusCode, 487);
    assert.equal((await bed.settle(taken[0]!.ended)).cause, "canceled");
    await finish(bed);
  });

  it("a reliable response that is none: a 100, no RSeq, or one that cannot be read", async () => {
    const { bed, alice, bob } = pair(() => {});
    const call = alice.ua.call(bob.uri, { sdp });
    await bed.clock.run(10);
    const [invite] = bed.requests("INVITE");
    for (const [status, rSeq] of [
      [100, "1"],
      [180, undefined],
      [180, "x"],
      [180, "0"],
    ] as const) {
      const { bytes } = makeResponse(invite!, status, {
        toTag: "hand",
        headers: [["Require", "100rel"], ...(rSeq === undefined ? [] : [["RSeq", rSeq] as const])],
      });
      assert(parseMessage(bytes) !== undefined);
      bed.network.sendDatagram(
        { address: bob.address, port: 5060 },
        { address: alice.address, port: 5060 },
        bytes,
      );
    }
    await bed.clock.run(100);
    assert.equal(bed.requests("PRACK").length, 0);
    assert.equal(call.state, "ringing");
    await finish(bed, call);
  });
});
