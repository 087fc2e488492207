// The runner tells a named assertion from a crash and from a hang, and the stage fails by name instead of waiting.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sdpOf } from "./openings.ts";
import { type Failure, playAct } from "./runner.ts";
import { type Play, type Scenario, scenario, triedAgain } from "./scenario.ts";

const story: Scenario = scenario({
  code: 486,
  ...{ sender: "", condition: "", reacts: "" },
  producer: async () => {},
  nearMiss: async () => {},
  reaction: async () => {},
  mutants: { producer: triedAgain(486), reaction: triedAgain(486) },
});

const play = (one: Play, mode: "real" | "weather" = "real", seed = 1) =>
  playAct(
    story,
    { part: "producer", title: "", play: one, transports: ["UDP"] },
    { mode, transport: "UDP", seed },
  );

const failing: readonly (readonly [string, Failure["kind"], RegExp, Play])[] = [
  [
    "what a peer never gets",
    "assertion",
    /^the answer$/,
    async (stage) => {
      const bob = await stage.peer("bob");
      await bob.expect("the answer", "SIP/2.0 200 OK");
    },
  ],
  [
    "what nobody sends",
    "assertion",
    /^the call$/,
    async (stage) => {
      await stage.phone("bob");
      await stage.sees("the call", { from: "bob" }, "INVITE {*}");
    },
  ],
  [
    "what was sent too often",
    "assertion",
    /^one INVITE$/,
    async (stage) => {
      const bob = await stage.phone("bob");
      const alice = await stage.peer("alice", { to: bob });
      alice.request(`INVITE ${bob.aor}`);
      alice.request(`INVITE ${bob.aor}`);
      await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
    },
  ],
  [
    "what should not be sent and is",
    "assertion",
    /^nothing$/,
    async (stage) => {
      const bob = await stage.phone("bob");
      const alice = await stage.peer("alice", { to: bob });
      alice.request(`OPTIONS ${bob.aor}`);
      await alice.expectNone("nothing");
    },
  ],
  [
    "a promise that stays open",
    "assertion",
    /^the answer$/,
    async (stage) => {
      const alice = await stage.phone("alice");
      await stage.peer("bob");
      const call = alice.ua.call("sip:bob@bob.example", { sdp: sdpOf("alice") });
      await stage.value("the answer", call.answered);
    },
  ],
  [
    "a failure with another code",
    "assertion",
    /^busy$/,
    async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.peer("bob");
      const call = alice.ua.call("sip:bob@bob.example", { sdp: sdpOf("alice") });
      call.answered.catch(() => {});
      await bob.expect("the INVITE", "INVITE {*}");
      bob.reply("480 Temporarily Unavailable");
      await stage.rejected("busy", call.answered, 486);
    },
  ],
  [
    "a value",
    "assertion",
    /^two$/,
    async (stage) => {
      stage.check.equal("one", 1, 1);
      stage.check.equal("two", 1, 2);
    },
  ],
  [
    "an exception",
    "crash",
    /^nobody is home$/,
    async () => {
      throw new Error("nobody is home");
    },
  ],
  [
    "a wait beside the stage",
    "time-out",
    /outside of the stage/,
    async () => {
      await new Promise(() => {});
    },
  ],
];

describe("a play that fails", () => {
  for (const [title, kind, check, one] of failing) {
    it(`${title}: ${kind}`, async () => {
      const { failure } = await play(one);
      assert.equal(failure?.kind, kind, failure?.message ?? "it holds");
      assert.match(failure?.check ?? "", check);
    });
    if (kind !== "time-out") {
      it(`${title}, in bad weather`, async () => {
        const { failure } = await play(one, "weather");
        assert.equal(failure?.kind, kind, failure?.message ?? "it holds");
        assert.match(failure?.check ?? "", check);
      });
    }
  }
});

describe("a play that holds", () => {
  it("names what held, and is recorded", async () => {
    const { failure, passed, ladder } = await play(async (stage) => {
      const bob = await stage.phone("bob");
      const alice = await stage.peer("alice", { to: bob });
      alice.request(`OPTIONS ${bob.aor}`);
      await alice.expect("an answer", "SIP/2.0 200 OK");
    });
    assert.equal(failure, undefined);
    assert.deepEqual(passed, ["an answer"]);
    assert.deepEqual(ladder.participants, ["alice", "bob"]);
    assert.deepEqual(
      ladder.messages.map(({ from, to, summary, cSeq }) => [from, to, summary, cSeq]),
      [
        ["alice", "bob", "OPTIONS sip:bob@bob.example", "1 OPTIONS"],
        ["bob", "alice", "200 OK", "1 OPTIONS"],
      ],
    );
  });

  it("is the same again with the same seed", async () => {
    const one: Play = async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob");
      const [call] = await stage.talk(alice, bob);
      await stage.value("hung up", call.hangUp());
    };
    const [first, second] = [await play(one, "weather", 3), await play(one, "weather", 3)];
    assert.equal(first.failure, undefined);
    assert.deepEqual(first.ladder, second.ladder);
    assert.ok(first.ladder.messages.some(({ isLost }) => isLost === true));
  });
});

describe("time on loopback", () => {
  it("stands still until it is moved, and stops at every timer on the way", async () => {
    const { failure } = await play(async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.peer("bob", { manners: false });
      const call = alice.ua.call("sip:bob@bob.example", { sdp: sdpOf("alice") });
      call.answered.catch(() => {});
      await bob.expect("the INVITE", "INVITE {*}");
      stage.check.equal("no time has passed", stage.time, 0);
      await bob.expectNone("no copy of it");
      await stage.advance(32_000);
      await stage.rejected("timer B", call.answered, 408);
      stage.check.equal("32 s", stage.time, 32);
      stage.check.equal(
        "resent at",
        stage.recording.messages.map(({ at }) => at),
        [0, 500, 1500, 3500, 7500, 15_500, 31_500],
      );
    });
    assert.equal(failure?.message, undefined);
  });
});

describe("the manners of a peer", () => {
  const calls: Play = async (stage) => {
    const alice = await stage.peer("alice");
    const bob = await stage.peer("bob");
    alice.remote = bob;
    alice.request("INVITE sip:bob@bob.example");
    await bob.expect("the INVITE", "INVITE {*}");
    bob.reply("180 Ringing");
    await alice.expect("ringing", "SIP/2.0 180 Ringing");
    bob.reply("200 OK");
    await alice.expect("answered", "SIP/2.0 200 OK");
    alice.ack();
    await bob.expect("acknowledged", "ACK {*}");
    alice.request("MESSAGE sip:bob@bob.example");
    await bob.expect("a MESSAGE", "MESSAGE {*}");
    bob.reply("202 Accepted");
    await alice.expect("taken", "SIP/2.0 202 Accepted");
    alice.request("INVITE sip:bob@bob.example");
    await bob.expect("another INVITE", "INVITE {*}");
    bob.reply("486 Busy Here");
    await alice.expect("refused", "SIP/2.0 486 Busy Here");
    await bob.expect("acknowledged by itself", "ACK {*}");
    await stage.settle();
    stage.check.equal("no copy has reached either", [alice.waiting.length, bob.waiting.length], [0, 0]);
  };

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`bring every message through bad weather once, seed ${seed}`, async () => {
      const { failure } = await play(calls, "weather", seed);
      assert.equal(failure?.message, undefined);
    });
  }
});
