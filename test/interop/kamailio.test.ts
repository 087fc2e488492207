// Our user agent as a client of Kamailio: registers with digest and calls through it, with audio both ways.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toneSource } from "@offhook/sip/media";
import { audio, tcp, udp } from "@offhook/sip/node";
import { AudioSession, type Call, UserAgent } from "@offhook/sip/user-agent";
import { Kamailio } from "./peers/kamailio.ts";
import { needs, until } from "./peers/program.ts";
import { Capture } from "./peers/tshark.ts";

const host = "127.0.0.1";

function phone(user: string, kamailio: Kamailio, transport: "udp" | "tcp"): UserAgent {
  const open = transport === "udp" ? udp : tcp;
  return new UserAgent({
    aor: `sip:${user}@${host}`,
    transports: [open({ address: host })],
    registrar: `sip:${host}:${kamailio.port};transport=${transport}`,
    outboundProxy: `sip:${host}:${kamailio.port};transport=${transport}`,
    credentials: { user, password: "kamailio-pw" },
    media: audio({ address: host, source: () => toneSource() }),
  });
}

const received = (call: Call) =>
  call.media instanceof AudioSession ? (call.media.rtp?.report().received.packets ?? 0) : 0;

describe("our user agent through Kamailio", needs("kamailio", "tshark"), () => {
  for (const transport of ["udp", "tcp"] as const) {
    test(`§10, §13 ${transport.toUpperCase()}: register with digest, call, audio both ways, hold, hang up`, async (t) => {
      const kamailio = await Kamailio.start(host, "kamailio-pw");
      t.after(() => kamailio.close());
      const capture = await Capture.start();
      t.after(() => capture.close());
      const [alice, bob] = [phone("alice", kamailio, transport), phone("bob", kamailio, transport)];
      t.after(() => Promise.all([alice.stop(), bob.stop()]));
      await Promise.all([alice.register(), bob.register()]);

      const incoming = new Promise<Call>((resolve) => {
        bob.onInvite(async (call) => {
          await call.ring();
          await call.answer();
          resolve(call);
        });
      });
      const outgoing = await alice.invite(`sip:bob@${host}`);
      const answered = await incoming;
      await until("25 RTP packets at both ends", () => received(outgoing) >= 25 && received(answered) >= 25);

      await outgoing.hold();
      assert.equal(answered.isHeldByPeer, true);
      await outgoing.resume();
      assert.equal(answered.isHeldByPeer, false);

      await answered.hangUp();
      assert.equal((await outgoing.ended).by, "remote");

      // A wrong password is refused, and says so.
      const stranger = new UserAgent({
        aor: `sip:mallory@${host}`,
        transports: [udp({ address: host })],
        registrar: `sip:${host}:${kamailio.port}`,
        credentials: { user: "mallory", password: "wrong" },
      });
      t.after(() => stranger.stop());
      await assert.rejects(stranger.register({ keepTrying: false }), { code: "SIP_REJECTED" });

      await capture.stop();
      const ports = [alice, bob].flatMap((agent) => agent.listeners.map((listener) => listener.port));
      for (const port of ports) {
        const { messages, faults } = await capture.sentFrom(port);
        assert.equal(faults, "");
        if (transport === "udp") assert.ok(messages >= 4, `${messages} messages from ${port}`);
      }
    });
  }
});
