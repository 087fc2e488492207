// What the application is told of a failure, and the person in words. RFC 3261 §8.1.3, §21.4.25.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explain } from "../core/index.ts";
import { Rejected } from "../errors.ts";
import { challenge, credentials, meet } from "./scripted-callee.test.kit.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

describe("what the application is told", () => {
  it("everything that the response says about it", async () => {
    const { bed, alice, bob } = meet(
      (_, count) =>
        count === 1
          ? [401, challenge]
          : [
              480,
              ["Retry-After", "120 (in a meeting);duration=60"],
              ["Warning", '399 gw "Nobody at home"'],
              ["Reason", 'SIP;cause=480, Q.850;cause=19;text="no answer from the user"'],
            ],
      { credentials },
    );
    await assert.rejects(bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") })), (error: Rejected) => {
      assert.equal(error.message, "480 Temporarily Unavailable");
      const { statusCode, reasonPhrase, origin, retry, retryAfter, retries, q850 } = error;
      assert.deepEqual(
        { statusCode, reasonPhrase, origin, retry, retryAfter, retries, q850 },
        {
          ...{ statusCode: 480, reasonPhrase: "Temporarily Unavailable", origin: "peer", retry: "delayed" },
          ...{ retryAfter: 120, retries: [401], q850: 19 },
        },
      );
      assert.deepEqual(error.warnings, [{ code: 399, agent: "gw", text: "Nobody at home" }]);
      assert.deepEqual(
        error.reasons.map(({ protocol, cause }) => [protocol, cause]),
        [
          ["SIP", 480],
          ["Q.850", 19],
        ],
      );
      return true;
    });
    await bed.close();
  });

  it("what cannot be read of it is left out, and the cause is that of RFC 3398", async () => {
    const { bed, alice, bob } = meet(() => [
      486,
      ["Warning", "nonsense"],
      ["Reason", ";;"],
      ["Retry-After", "soon"],
    ]);
    await assert.rejects(bed.settle(alice.ua.message(bob.uri, "x")), (error: Rejected) => {
      assert.deepEqual([error.warnings, error.reasons, error.retryAfter], [[], [], undefined]);
      assert.equal(error.q850, 17);
      return true;
    });
    await bed.close();
  });

  it("in words, in both languages", async () => {
    const { bed, alice, bob } = meet(() => [488, ["Warning", '305 uas "Incompatible media format"']]);
    const error = await bed.settle(alice.ua.message(bob.uri, "x").catch((failure: unknown) => failure));
    assert(error instanceof Rejected);
    const english = await explain(error);
    assert.deepEqual([english.title, english.name], ["488 Not Acceptable Here", "Not Acceptable Here"]);
    assert.deepEqual(english.said, ["Incompatible media format"]);
    assert(english.meaning.length > 20 && english.checks.length >= 2 && english.causes.length >= 2);
    const chinese = await explain(error, "zh-TW");
    assert.match(chinese.name, /\p{Script=Han}/u);
    assert.match(chinese.meaning, /\p{Script=Han}/u);
    // Made here: it is not the code that explains it.
    const lost = await bed.settle(alice.ua.options("sip:nobody@10.0.0.77").catch((failure) => failure));
    assert.match((await explain(lost as Rejected)).meaning, /Nobody answered/);
    assert.match((await explain(lost as Rejected, "zh-TW")).meaning, /\p{Script=Han}/u);
    await bed.close();
  });
});

describe("§21.4.25: a 487 that nobody here asked for", () => {
  it("is told as a call whose time was over", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice"), headers: [["Expires", 5]] });
    await assert.rejects(bed.settle(call.answered), { statusCode: 487, origin: "peer" });
    const { by, cause } = await call.ended;
    assert.deepEqual([by, cause], ["remote", "expired"]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });
});
