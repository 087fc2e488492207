// Two real phones, baresip and linphone, registered with passwords, call each other through our server: RFC 3261 §24, RFC 3665 §3.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../free-port.ts";
import { Baresip } from "./peers/baresip.ts";
import { Linphone } from "./peers/linphone.ts";
import { hostAddress as host, needs } from "./peers/program.ts";
import { configuration, OffhookServer } from "./peers/server.ts";
import { Capture } from "./peers/tshark.ts";

for (const transport of ["udp", "tcp"] as const) {
  describe(
    `baresip and linphone over ${transport.toUpperCase()}`,
    needs("namespace", "baresip", "linphone-daemon", "tshark"),
    () => {
      let port: number;
      let server: OffhookServer;
      let capture: Capture;
      let alice: Baresip;
      let bob: Linphone;
      let uri: (user: string) => string;

      before(async () => {
        port = await freePort(host);
        uri = (user) => `sip:${user}@${host}:${port}`;
        capture = await Capture.start();
        capture.ports.push(port);
        server = await OffhookServer.start(configuration(host, port), [
          { name: "alice", password: "wonderland-7" },
          { name: "bob", password: "builder-8" },
        ]);
        const shared = { host, server: `${host}:${port}`, transport };
        [alice, bob] = await Promise.all([
          Baresip.start({ ...shared, aor: uri("alice"), password: "wonderland-7" }),
          Linphone.start({ ...shared, aor: uri("bob"), password: "builder-8" }),
        ]);
        await Promise.all([alice.registered(), bob.registered()]);
      });

      after(async () => {
        await alice?.close();
        await bob?.close();
        const code = await server?.close();
        await capture?.close();
        assert.equal(
          code ?? 0,
          0,
          `the server's exit code; it said:\n${server?.program.output.slice(-2000)}`,
        );
      });

      /** baresip dials, linphone answers, both are talking. */
      async function aliceCallsBob(): Promise<number> {
        const since = alice.events.length;
        await alice.command("dial", uri("bob"));
        await bob.callIs("LinphoneCallIncomingReceived");
        await bob.command("answer");
        await alice.event("CALL_ESTABLISHED", since);
        await bob.callIs("LinphoneCallStreamsRunning");
        return since;
      }

      /** linphone dials, baresip answers, both are talking; linphone's call id. */
      async function bobCallsAlice(): Promise<{ since: number; id: string }> {
        const since = alice.events.length;
        const id = await bob.call(uri("alice"));
        await alice.event("CALL_INCOMING", since);
        await alice.command("accept");
        await alice.event("CALL_ESTABLISHED", since);
        await bob.callIs("LinphoneCallStreamsRunning", id);
        return { since, id };
      }

      test("§13 baresip calls linphone, RTP flows both ways, baresip hangs up", async () => {
        const since = await aliceCallsBob();
        await bob.play((await bob.currentCall()).id);
        await capture.rtpBothWays(30);
        await alice.command("hangup");
        await alice.event("CALL_CLOSED", since);
        await bob.idle();
      });

      test("§13 linphone calls baresip, linphone hangs up", async () => {
        const { since, id } = await bobCallsAlice();
        await bob.command(`terminate ${id}`);
        await alice.event("CALL_CLOSED", since);
      });

      test("§15 the callee hangs up: baresip after linphone called", async () => {
        const { since } = await bobCallsAlice();
        await alice.command("hangup");
        await alice.event("CALL_CLOSED", since);
        await bob.idle();
      });

      test("§15 the callee hangs up: linphone after baresip called", async () => {
        const since = await aliceCallsBob();
        await bob.command("terminate");
        await alice.event("CALL_CLOSED", since);
      });

      test("§21 baresip rejects linphone's call", async () => {
        const since = alice.events.length;
        await bob.call(uri("alice"));
        await alice.event("CALL_INCOMING", since);
        await alice.command("hangup");
        await bob.idle();
        await alice.event("CALL_CLOSED", since);
      });

      test("§21.6.2 linphone declines baresip's call: the 603 arrives as it was sent", async () => {
        const since = alice.events.length;
        await alice.command("dial", uri("bob"));
        await bob.callIs("LinphoneCallIncomingReceived");
        await bob.command("terminate");
        const closed = await alice.event("CALL_CLOSED", since);
        assert.match(String(closed.param), /^603 /);
      });

      test("§9 linphone cancels while baresip rings", async () => {
        const since = alice.events.length;
        const id = await bob.call(uri("alice"));
        await alice.event("CALL_INCOMING", since);
        await bob.callIs("LinphoneCallOutgoingRinging", id);
        await bob.command(`terminate ${id}`);
        await alice.event("CALL_CLOSED", since);
        await bob.idle();
      });

      test("§9 baresip cancels while linphone rings", async () => {
        const since = alice.events.length;
        await alice.command("dial", uri("bob"));
        await bob.callIs("LinphoneCallIncomingReceived");
        await alice.event("CALL_RINGING", since);
        await alice.command("hangup");
        await bob.idle();
        await alice.event("CALL_CLOSED", since);
      });

      test("§14 hold and resume by linphone", async () => {
        const { since, id } = await bobCallsAlice();
        await bob.command(`call-pause ${id}`);
        await bob.callIs("LinphoneCallPaused", id);
        await bob.command(`call-resume ${id}`);
        await bob.callIs("LinphoneCallStreamsRunning", id);
        await bob.command(`terminate ${id}`);
        await alice.event("CALL_CLOSED", since);
      });

      test("§14 hold and resume by baresip", async () => {
        const since = await aliceCallsBob();
        await alice.command("hold");
        await bob.callIs("LinphoneCallPausedByRemote");
        await alice.command("resume");
        await bob.callIs("LinphoneCallStreamsRunning");
        await alice.command("hangup");
        await alice.event("CALL_CLOSED", since);
        await bob.idle();
      });

      test("§16.5 a call to nobody ends in 404", async () => {
        const since = alice.events.length;
        await alice.command("dial", uri("nobody"));
        const closed = await alice.event("CALL_CLOSED", since);
        assert.match(String(closed.param), /^404 /);
      });

      test("tshark finds no fault with any message that the server sent", async () => {
        await capture.stop();
        const { messages, faults } = await capture.sentFrom(port);
        assert.equal(faults, "");
        assert.ok(messages >= 60, `${messages} SIP messages of ours were seen`);
      });
    },
  );
}
