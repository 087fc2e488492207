// Codes that nobody has registered, and ones that there cannot be. RFC 3261 §7.2, §8.1.3.2.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explain } from "../core/index.ts";
import { Rejected } from "../errors.ts";
import { makeResponse } from "../message/index.ts";
import { meet } from "./scripted-callee.test.kit.ts";
import { sdpOf } from "./testbed.test.kit.ts";

describe("§8.1.3.2: codes that nobody has registered", () => {
  for (const [code, phrase, treatedAs] of [
    [399, "Elsewhere", 300],
    [431, "Odd", 400],
    [499, "", 400],
    [599, "很奇怪", 500],
    [699, "Never", 600],
  ] as const) {
    it(`${code} ${phrase}: as ${treatedAs}, and shown as received`, async () => {
      const { bed, alice, bob } = meet(() => undefined);
      bob.ua.handle = async (incoming) => void incoming.respond(code, { reasonPhrase: phrase });
      const error = await bed.settle(
        alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }).catch((failure: unknown) => failure),
      );
      assert(error instanceof Rejected);
      assert.deepEqual([error.statusCode, error.reasonPhrase], [code, phrase]);
      const { title, meaning } = await explain(error);
      assert.equal(title, `${code} ${phrase}`.trim());
      const known = new Rejected(makeResponse(bed.requests("INVITE")[0]!, treatedAs), { origin: "peer" });
      assert.equal(meaning, (await explain(known)).meaning);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }

  it("185 is treated as 183: an early dialog, early media; 299 as 200", async () => {
    const { bed, alice, bob } = meet(() => undefined);
    bob.ua.onInvite(async (call) => {
      await call.progress({ statusCode: 185, sdp: sdpOf("bob") });
    });
    const shown: string[] = [];
    const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice") });
    call.onProgress(({ statusCode, reasonPhrase }) => shown.push(`${statusCode} ${reasonPhrase}`));
    await bed.clock.run(100);
    assert.equal(call.state, "ringing");
    assert.equal(call.remoteDescription, sdpOf("bob"));
    assert.deepEqual(shown, ["185 Session Progress"]);
    const [early] = bed.responses(185, "INVITE");
    const accepted = makeResponse(bed.requests("INVITE")[0]!, 299, {
      ...{ toTag: early?.to.tag ?? "", reasonPhrase: "Somehow Fine" },
      headers: [["Contact", `<${bob.uri}>`]],
      ...{ body: sdpOf("bob"), contentType: "application/sdp" },
    });
    const at = { address: bob.address, port: 5060 };
    bed.network.sendDatagram(at, { address: alice.address, port: 5060 }, accepted.bytes);
    await bed.settle(call.answered);
    assert.equal(bed.requests("ACK").length, 1);
    await bed.settle(call.hangUp());
    await bed.close();
  });

  // A status line, whether it is taken.
  const lines: [string, boolean][] = [
    ["SIP/2.0 499 Odd", true],
    ["SIP/2.0 499 ", true],
    ["SIP/2.0 099 Low", false],
    ["SIP/2.0 700 High", false],
    ["SIP/2.0 999 Highest", false],
    ["SIP/2.0 48 Short", false],
    ["SIP/2.0 4860 Long", false],
    ["SIP/2.0 4x6 Odd", false],
    ["SIP/2.0 -486 Negative", false],
    ["SIP/2.0  486 Two spaces", false],
  ];
  for (const [line, isTaken] of lines) {
    it(`"${line}" is ${isTaken ? "taken" : "malformed, and dropped"}`, async () => {
      const { bed, alice, bob } = meet(() => undefined);
      bob.ua.handle = async () => {};
      let outcome: unknown;
      void alice.ua.message(bob.uri, "x").catch((error: unknown) => {
        outcome = error;
      });
      await bed.clock.run(100);
      const text = new TextDecoder().decode(
        makeResponse(bed.requests("MESSAGE")[0]!, 486, { toTag: "t" }).bytes,
      );
      bed.network.sendDatagram(
        { address: bob.address, port: 5060 },
        { address: alice.address, port: 5060 },
        new TextEncoder().encode(text.replace(/^.*/, line)),
      );
      await bed.clock.run(100);
      assert.equal(outcome instanceof Rejected, isTaken);
      await bed.clock.run(40_000);
      assert.equal((outcome as Rejected).statusCode, isTaken ? 499 : 408);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }
});
