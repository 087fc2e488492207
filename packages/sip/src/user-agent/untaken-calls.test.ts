// A call that reaches Bob and that nobody takes: not in time, not with this offer, not now. RFC 3261 §21.4.18, §21.6.4.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Rejected } from "../errors.ts";
import { audioSessions } from "./audio.ts";
import type { Call } from "./call.ts";
import { isup, meet, multipart, parts, sdp, sdpPart } from "./scripted-caller.test.kit.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

describe("calls that nobody takes", () => {
  it("§21.4.18: it rings for as long as it may: 480", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob", { ringTimeout: 20 });
    let taken: Call | undefined;
    bob.ua.onInvite(async (call) => {
      taken = call;
      await call.ring();
    });
    const call = alice.ua.call(bob.uri, { sdp });
    await assert.rejects(bed.settle(call.answered), { statusCode: 480, reasonPhrase: /no answer/ });
    assert.equal((await taken?.ended)?.cause, "expired");
    const [refusal] = bed.sent.filter(
      ({ message }) => message.kind === "response" && message.statusCode === 480,
    );
    assert.equal(refusal?.at, 20_001);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§21.6.4: nothing in the offer that can be taken, and no other phone: 606; else 488", async () => {
    for (const [soleEndpoint, code] of [
      [true, 606],
      [false, 488],
    ] as const) {
      const bed = new Testbed();
      const alice = bed.agent("alice");
      const host = bed.host("bob");
      const local = { address: "10.0.0.9", port: 40_000 };
      const openSocket = () => ({ local, send() {}, onMessage: undefined, close() {} });
      const bob = bed.agent("bob", {
        soleEndpoint,
        media: audioSessions({ clock: bed.clock, random: host.runtime.random, openSocket }),
      });
      bob.ua.onInvite(async (call) => {
        await call.ring();
        await call.answer();
      });
      const offer = sdp.replace("RTP/AVP", "RTP/SAVP");
      await assert.rejects(bed.settle(alice.ua.invite(bob.uri, { sdp: offer })), (error: Rejected) => {
        assert.equal(error.statusCode, code);
        assert.deepEqual(
          error.warnings.map((warning) => [warning.code, warning.text]),
          [[302, "incompatible transport"]],
        );
        assert.match(new TextDecoder().decode(error.response.body), /m=audio 0/);
        // §13.3.1.3: nobody was called to the phone.
        assert.deepEqual(bed.responses(180, "INVITE"), []);
        return true;
      });
      await bed.close();
    }
  });

  it("can be switched off and on", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
    bob.ua.doNotDisturb = true;
    await assert.rejects(bed.settle(alice.ua.invite(bob.uri, { sdp })), { statusCode: 480 });
    bob.ua.doNotDisturb = false;
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp }));
    // §11.2: inside a call OPTIONS is answered with 200 whatever a new call would get.
    bob.ua.doNotDisturb = true;
    assert.equal((await bed.settle(call.request("OPTIONS"))).statusCode, 200);
    await bed.settle(call.hangUp());
    await bed.close();
  });

  it("RFC 5621 §4.2: the offer is found in a multipart body", async () => {
    const { bed, bob, wire, write, final } = await meet("UDP", {});
    let offer: string | undefined;
    bob.ua.onInvite((call) => {
      offer = call.remoteDescription;
      return call.reject(486);
    });
    write({ contentType: multipart, body: parts(isup("optional"), sdpPart) });
    assert.equal((await final()).statusCode, 486);
    assert.equal(offer, sdp);
    await wire.close();
    await bed.close();
  });
});
