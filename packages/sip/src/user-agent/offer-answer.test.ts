// Which message may carry an offer, and which the answer, in good and bad weather: the patterns of RFC 6337 §2.2.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NegotiationError, Rejected } from "../errors.ts";
import { makeResponse } from "../message/index.ts";
import type { Call } from "./call.ts";
import type { SdpSource } from "./media-session.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import type { CallOptions } from "./user-agent-options.ts";

interface Flow {
  readonly title: string;
  readonly call?: CallOptions;
  /** Without UPDATE on either side. */
  readonly noUpdate?: boolean;
  /** What Bob does with the call. */
  bob(call: Call): Promise<void>;
  /** What both do once Bob is through with that. */
  after?(alice: Call, bob: Call): Promise<void>;
  /** Messages with a session description, in the order in which they were first sent. */
  readonly carried: readonly string[];
}

const sdp = sdpOf("bob");

const flows: readonly Flow[] = [
  {
    title: "1: INVITE, 2xx",
    bob: (call) => call.answer(sdp),
    carried: ["alice INVITE", "bob 200 INVITE"],
  },
  {
    title: "1: INVITE, 2xx, with a preview in an unreliable 183 (§3.1.1)",
    bob: async (call) => {
      await call.progress({ sdp });
      await call.answer();
    },
    carried: ["alice INVITE", "bob 183 INVITE", "bob 200 INVITE"],
  },
  {
    title: "1: INVITE, 2xx, though a reliable 180 came without an answer",
    bob: async (call) => {
      await call.ring({ reliable: true });
      await call.answer(sdp);
    },
    carried: ["alice INVITE", "bob 200 INVITE"],
  },
  {
    title: "2: 2xx, ACK",
    call: { offer: false },
    bob: (call) => call.answer(sdp),
    carried: ["bob 200 INVITE", "alice ACK"],
  },
  {
    title: "3: INVITE, reliable 183; nothing more in the 180 and the 2xx",
    bob: async (call) => {
      await call.progress({ sdp, reliable: true });
      await call.ring({ reliable: true });
      await call.answer();
    },
    carried: ["alice INVITE", "bob 183 INVITE"],
  },
  {
    title: "3: INVITE, reliable 183, the first reliable one being without",
    bob: async (call) => {
      await call.ring({ reliable: true });
      await call.progress({ sdp, reliable: true });
      await call.answer();
    },
    carried: ["alice INVITE", "bob 183 INVITE"],
  },
  {
    title: "3: INVITE, reliable 183, after a preview in an unreliable one",
    bob: async (call) => {
      await call.progress({ sdp });
      await call.progress({ sdp, reliable: true, statusCode: 180 });
      await call.answer();
    },
    carried: ["alice INVITE", "bob 183 INVITE", "bob 180 INVITE"],
  },
  {
    title: "4: reliable 183, PRACK",
    call: { offer: false },
    bob: async (call) => {
      await call.progress({ sdp });
      await call.answer();
    },
    carried: ["bob 183 INVITE", "alice PRACK"],
  },
  {
    title: "4: reliable 183, PRACK; the 180 before it is not reliable, there is nothing to offer in it",
    call: { offer: false },
    bob: async (call) => {
      await call.ring({ reliable: true });
      await call.progress({ sdp });
      await call.answer();
    },
    carried: ["bob 183 INVITE", "alice PRACK"],
  },
  {
    title: "4: reliable 180, PRACK, since the caller insists",
    call: { offer: false, reliableProvisionals: "required" },
    bob: async (call) => {
      await call.ring({ sdp });
      await call.answer();
    },
    carried: ["bob 180 INVITE", "alice PRACK"],
  },
  {
    title: "6: UPDATE, 2xx, by the caller in the early dialog",
    bob: (call) => call.progress({ sdp, reliable: true }),
    after: async (alice, bob) => {
      await alice.hold();
      await bob.answer();
    },
    carried: ["alice INVITE", "bob 183 INVITE", "alice UPDATE", "bob 200 UPDATE"],
  },
  {
    title: "6: UPDATE, 2xx, by the callee in the early dialog, after its own offer",
    call: { offer: false },
    bob: (call) => call.progress({ sdp, reliable: true }),
    after: async (_alice, bob) => {
      await bob.hold();
      await bob.answer();
    },
    carried: ["bob 183 INVITE", "alice PRACK", "bob UPDATE", "alice 200 UPDATE"],
  },
  {
    title: "6: UPDATE, 2xx, in the confirmed dialog",
    bob: (call) => call.answer(sdp),
    after: (_alice, bob) => bob.hold(),
    carried: ["alice INVITE", "bob 200 INVITE", "bob UPDATE", "alice 200 UPDATE"],
  },
  {
    title: "1: re-INVITE, 2xx, in the confirmed dialog",
    noUpdate: true,
    bob: (call) => call.answer(sdp),
    after: (_alice, bob) => bob.hold(),
    carried: ["alice INVITE", "bob 200 INVITE", "bob INVITE", "alice 200 INVITE"],
  },
];

const climates = {
  "good weather": {},
  "20 % loss": { loss: 0.2, latency: 50 },
  "everything twice": { duplication: 1, latency: 20, jitter: 30 },
  "out of order": { latency: 10, jitter: 400 },
};

async function play(flow: Flow, bed: Testbed): Promise<void> {
  const options = flow.noUpdate === true ? { update: false } : {};
  const alice = bed.agent("alice", options);
  const bob = bed.agent("bob", options);
  let there: Call | undefined;
  let served: Promise<void> | undefined;
  bob.ua.onInvite((call) => {
    there = call;
    served = flow.bob(call);
    return served;
  });
  const here = alice.ua.call(bob.uri, { sdp: sdpOf("alice"), ...flow.call });
  await bed.clock.runUntil(() => served !== undefined);
  assert(there !== undefined);
  await bed.settle(served ?? Promise.resolve());
  if (flow.after !== undefined) await bed.settle(flow.after(here, there));
  await bed.settle(here.answered);
  await bed.settle(there.answered);
  assert.deepEqual(carried(bed), flow.carried);
  assert.deepEqual(
    [here.remoteDescription, there.remoteDescription],
    [there.localDescription, here.localDescription],
  );
  await bed.settle(here.hangUp());
  await bed.close();
  assert.deepEqual(bed.leftovers, []);
  assert.deepEqual(bed.errors, []);
}

/** Copies left out. */
function carried(bed: Testbed): string[] {
  const names = bed.sent
    .filter(({ message }) => message.body.length > 0)
    .map(({ from, message }) => {
      const { method, sequence } = message.cSeq;
      const name = message.kind === "request" ? message.method : `${message.statusCode} ${method}`;
      return `${sequence} ${from} ${name}`;
    });
  return [...new Set(names)].map((name) => name.replace(/^\d+ /, ""));
}

describe("patterns of offer and answer", () => {
  for (const flow of flows) {
    it(`§2.2 pattern ${flow.title}`, async () => {
      for (const [climate, weather] of Object.entries(climates)) {
        for (let seed = 1; seed <= 5; seed++) {
          try {
            await play(flow, new Testbed({ ...weather, seed }));
          } catch (error) {
            throw new Error(`${climate}, seed ${seed}`, { cause: error });
          }
        }
      }
    });
  }

  /** Bob has answered in a reliable 183; Alice's PRACK is written by hand and brings another offer. */
  async function prackWithOffer(offer: string, source: SdpSource = sdp) {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    let there: Call | undefined;
    bob.ua.onInvite(async (call) => {
      there = call;
      await call.progress({ sdp: source, reliable: true });
    });
    const here = alice.ua.call(bob.uri, { sdp: sdpOf("alice") });
    await bed.clock.runUntil(() => bed.responses(183, "INVITE").length > 0);
    bed.network.weather.loss = 1;
    await bed.clock.runUntil(() => bed.requests("PRACK").length > 0);
    bed.network.weather.loss = 0;
    const text = new TextDecoder()
      .decode(bed.requests("PRACK")[0]?.bytes)
      .replace("z9hG4bK", "z9hG4bKhand")
      .replace(/^CSeq: \d+/m, "CSeq: 20")
      .replace(
        /Content-Length: 0\r\n\r\n/,
        `Content-Type: application/sdp\r\nContent-Length: ${offer.length}\r\n\r\n${offer}`,
      );
    const from = { address: alice.address, port: 5060 };
    bed.network.sendDatagram(from, { address: bob.address, port: 5060 }, new TextEncoder().encode(text));
    await bed.clock.run(20);
    assert(there !== undefined);
    return { bed, here, there };
  }

  it("§2.2 pattern 5: PRACK, its 2xx", async () => {
    const { bed, here, there } = await prackWithOffer(sdpOf("alice", 50_000));
    const answer = new TextDecoder().decode(bed.responses(200, "PRACK")[0]?.body);
    assert.match(answer, /m=audio 40000/);
    assert.match(there.remoteDescription ?? "", /m=audio 50000/);
    assert.equal(there.localDescription, answer);
    void here.hangUp();
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§2.3 pattern 5 refused: 200 without streams, 488 for the INVITE", async () => {
    let isFirst = true;
    const { bed, here, there } = await prackWithOffer(sdpOf("alice", 50_000), () => {
      if (!isFirst) throw new NegotiationError("not again", { warning: 399 });
      isFirst = false;
      return sdp;
    });
    assert.match(new TextDecoder().decode(bed.responses(200, "PRACK")[0]?.body), /m=audio 0 /);
    assert.match(bed.responses(488, "INVITE")[0]?.headers.raw("Warning") ?? "", /not again/);
    assert.equal(there.state, "ended");
    await assert.rejects(bed.settle(here.answered), Rejected);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§3.1.1: after the answer in a reliable 183, a description in the 200 is ignored", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.host("bob");
    const call = alice.ua.call(`sip:bob@${bob.address}`, { sdp: sdpOf("alice") });
    await bed.clock.run(10);
    const [invite] = bed.requests("INVITE");
    const send = async (status: number, port: number, headers: [string, string][]) => {
      const contact: [string, string] = ["Contact", `<sip:bob@${bob.address}>`];
      const { bytes } = makeResponse(invite!, status, {
        toTag: "hand",
        headers: [...headers, contact],
        body: sdpOf("bob", port),
        contentType: "application/sdp",
      });
      const from = { address: bob.address, port: 5060 };
      bed.network.sendDatagram(from, { address: alice.address, port: 5060 }, bytes);
      await bed.clock.run(10);
    };
    const reliable: [string, string][] = [["Require", "100rel"]];
    await send(183, 1000, [...reliable, ["RSeq", "1"]]);
    await send(183, 2000, [...reliable, ["RSeq", "2"]]);
    await send(180, 3000, []);
    await send(200, 4000, []);
    await bed.settle(call.answered);
    assert.equal(call.remoteDescription, sdpOf("bob", 1000));
    assert.equal(bed.requests("ACK")[0]?.body.length, 0);
    call.abandon();
    await bed.close();
  });

  it("§2.3 pattern 4: an early offer that cannot be used is answered without streams, the call given up", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite(async (call) => {
      await call.progress({ sdp });
      await call.answer();
    });
    const call = alice.ua.call(bob.uri, { offer: false });
    await assert.rejects(bed.settle(call.answered), { code: "SIP_NEGOTIATION" });
    assert.match(new TextDecoder().decode(bed.requests("PRACK")[0]?.body), /m=audio 0 /);
    assert.equal((await bed.settle(call.ended)).cause, "bad answer");
    assert.equal(bed.requests("BYE", "alice").length, 1);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§2.3 pattern 3: an offer that cannot be used: 488 before anything else", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => {
      const refuse = () => {
        throw new NegotiationError("no such codec", { warning: 305 });
      };
      return call.progress({ sdp: refuse, reliable: true });
    });
    await assert.rejects(
      bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") })),
      (error) => error instanceof Rejected && error.statusCode === 488,
    );
    assert.deepEqual(bed.ladder(), ["alice INVITE", "bob 488 INVITE", "alice ACK"]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });
});
