// Calls with audio on real loopback sockets: SIP over UDP and TCP, RTP both ways, key presses, hold.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toneSource } from "../media/index.ts";
import { audio, tcp, udp } from "../node/index.ts";
import { AudioSession } from "./audio.ts";
import type { Call } from "./call.ts";
import { UserAgent } from "./user-agent.ts";

function rtpOf(call: Call) {
  assert(call.media instanceof AudioSession && call.media.rtp !== undefined);
  return call.media.rtp;
}

/** Looks again and again, for at most five seconds: sockets have their own time. */
async function eventually(what: () => boolean): Promise<void> {
  for (let left = 500; !what(); left--) {
    assert(left > 0, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("audio", () => {
  for (const [name, transport] of [
    ["UDP", udp],
    ["TCP", tcp],
  ] as const) {
    it(`over ${name}: RTP both ways, key presses, hold by either side`, async () => {
      const parameter = name === "TCP" ? ";transport=tcp" : "";
      const open = (user: string) =>
        new UserAgent({
          aor: `sip:${user}@127.0.0.1`,
          transports: [transport({ address: "127.0.0.1" })],
          media: audio({ source: () => toneSource() }),
        });
      const alice = open("alice");
      const bob = open("bob");
      await Promise.all([alice.ready, bob.ready]);
      const taken: Call[] = [];
      const digits: string[] = [];
      bob.onInvite(async (call) => {
        taken.push(call);
        call.onDtmf((digit) => digits.push(digit));
        await call.ring();
        await call.answer();
      });
      try {
        const call = await alice.invite(`sip:bob@127.0.0.1:${bob.listeners[0]?.port}${parameter}`);
        const there = taken[0];
        assert(there !== undefined);
        await eventually(() => [call, there].every((one) => rtpOf(one).report().received.packets > 3));
        assert(rtpOf(call).report().received.level > -30);
        await call.sendDtmf("7#");
        await eventually(() => digits.join("") === "7#");
        await call.hold();
        assert.deepEqual([call.isOnHold, there.isHeldByPeer], [true, true]);
        assert.equal((there.media as AudioSession).stream?.direction, "recvonly");
        await there.hold();
        assert.equal((call.media as AudioSession).stream?.direction, "inactive");
        await call.resume();
        await there.resume();
        assert.equal((call.media as AudioSession).stream?.direction, "sendrecv");
        const end = await call.hangUp();
        assert.equal(end.cause, "bye");
        await there.ended;
      } finally {
        await Promise.all([alice.stop(), bob.stop()]);
      }
    });
  }

  it("RFC 3264 §6: nothing in common: 488 with a Warning", async () => {
    const alice = new UserAgent({ aor: "sip:alice@127.0.0.1", transports: [udp({ address: "127.0.0.1" })] });
    const bob = new UserAgent({
      aor: "sip:bob@127.0.0.1",
      transports: [udp({ address: "127.0.0.1" })],
      media: audio(),
    });
    bob.onInvite((call) => call.answer());
    await bob.ready;
    const sdp =
      "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n";
    const errors: unknown[] = [];
    process.once("uncaughtException", (error) => errors.push(error));
    try {
      await assert.rejects(alice.invite(`sip:bob@127.0.0.1:${bob.listeners[0]?.port}`, { sdp }), (error) => {
        assert(error instanceof Error && "response" in error);
        assert.match(String(error), /488/);
        return true;
      });
    } finally {
      await Promise.all([alice.stop(), bob.stop()]);
    }
    assert.deepEqual(errors, []);
  });
});
