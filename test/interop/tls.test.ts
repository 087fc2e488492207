// TLS with real programs: baresip and linphone register and call each other through our server, which they check the
// certificate of; Kamailio is a peer over mutual TLS, calls in both directions. RFC 3261 §26, RFC 5922, RFC 5658.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeCertificate, udp } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";
import { freePort } from "../free-port.ts";
import { Baresip } from "./peers/baresip.ts";
import { Kamailio } from "./peers/kamailio.ts";
import { Linphone } from "./peers/linphone.ts";
import { hostAddress as host, needs, until } from "./peers/program.ts";
import { OffhookServer } from "./peers/server.ts";

/** An authority and what it issues, as files that go with the test. */
class Certificates {
  readonly folder = mkdtempSync(join(tmpdir(), "offhook-tls-"));
  readonly #authority = makeCertificate({ names: [], commonName: "Test Root", isAuthority: true });
  readonly ca = this.#write("ca.pem", this.#authority.certificate);

  issue(name: string, names: string[]): { certificate: string; key: string } {
    const made = makeCertificate({ names, issuer: this.#authority });
    return {
      certificate: this.#write(`${name}.pem`, made.certificate),
      key: this.#write(`${name}.key`, made.key),
    };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }
}

const sdp = [
  ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 9 RTP/AVP 0", ""],
].join("\r\n");

describe("baresip and linphone over TLS", needs("namespace", "baresip", "linphone-daemon"), () => {
  const certificates = new Certificates();
  let server: OffhookServer;
  let alice: Baresip;
  let bob: Linphone;
  let uri: (user: string) => string;

  before(async () => {
    const port = await freePort(host);
    uri = (user) => `sip:${user}@${host}:${port}`;
    const { certificate, key } = certificates.issue("server", [host]);
    server = await OffhookServer.start(
      `domains: ["${host}"]
listeners:
  - { transport: tls, host: "${host}", port: ${port}, tls: { certificate: ${certificate}, key: ${key} } }
http: { port: 0 }
registrar: { minExpires: 10 }
log: { level: info }
`,
      [
        { name: "alice", password: "wonderland-7" },
        { name: "bob", password: "builder-8" },
      ],
    );
    const shared = {
      host,
      server: `${host}:${port}`,
      transport: "tls",
      ca: certificates.ca,
      expires: 10,
    } as const;
    [alice, bob] = await Promise.all([
      Baresip.start({ ...shared, aor: uri("alice"), password: "wonderland-7" }),
      Linphone.start({ ...shared, aor: uri("bob"), password: "builder-8" }),
    ]);
    await Promise.all([alice.registered(), bob.registered()]).catch((error: Error) => {
      throw new Error(`${error.message}\n${server.program.output}`);
    });
  });

  after(async () => {
    await alice?.close();
    await bob?.close();
    const code = await server?.close();
    certificates.remove();
    assert.equal(code ?? 0, 0, `the server's exit code; it said:\n${server?.program.output.slice(-2000)}`);
  });

  for (const hangsUp of ["baresip", "linphone"] as const) {
    test(`§13 baresip calls linphone, ${hangsUp} hangs up`, async () => {
      const since = alice.events.length;
      await alice.command("dial", uri("bob"));
      await bob.callIs("LinphoneCallIncomingReceived");
      await bob.command("answer");
      await alice.event("CALL_ESTABLISHED", since);
      await bob.callIs("LinphoneCallStreamsRunning");
      if (hangsUp === "baresip") await alice.command("hangup");
      else await bob.command("terminate");
      await alice.event("CALL_CLOSED", since);
      await bob.idle();
    });

    test(`§13 linphone calls baresip, ${hangsUp} hangs up`, async () => {
      const since = alice.events.length;
      const id = await bob.call(uri("alice"));
      await alice.event("CALL_INCOMING", since);
      await alice.command("accept");
      await alice.event("CALL_ESTABLISHED", since);
      await bob.callIs("LinphoneCallStreamsRunning", id);
      if (hangsUp === "baresip") await alice.command("hangup");
      else await bob.command(`terminate ${id}`);
      await alice.event("CALL_CLOSED", since);
      await bob.idle();
    });
  }

  // baresip registers every 10 s. linphone-daemon has no setting for that, and tries again only after a minute.
  test("the server is killed and started again: baresip is back within 15 s, and can be called", async () => {
    await server.restart("SIGKILL");
    const end = Date.now() + 15_000;
    const since = alice.events.length;
    const rings = () => alice.events.slice(since).some(({ type }) => type === "CALL_INCOMING");
    await until(
      "a call from linphone to ring at baresip",
      async () => {
        const id = await bob.call(uri("alice")).catch(() => undefined);
        const isOver = async () => rings() || id === undefined || !(await bob.hasCall(id));
        await until("the call's fate", isOver);
        return rings();
      },
      end - Date.now(),
    );
    await alice.command("hangup");
    await bob.idle();
  });

  test("§26.3 linphone takes no server whose issuer it does not know (baresip 1.0 checks nothing)", async () => {
    const strangers = new Certificates();
    const phone = await Linphone.start({
      ...{ host, aor: uri("alice"), password: "wonderland-7", transport: "tls", ca: strangers.ca },
      server: uri("").slice("sip:@".length),
    });
    try {
      await until("the registration to fail", async () =>
        (await phone.command("register-status ALL")).includes("State: LinphoneRegistrationFailed"),
      );
    } finally {
      await phone.close();
      strangers.remove();
    }
  });
});

describe("Kamailio as a peer over mutual TLS", needs("kamailio"), () => {
  const ours = "127.0.0.1";
  const theirs = "127.0.0.2";

  test("RFC 5922 §7.4 calls in both directions, either side hangs up; a stranger is refused", async (t) => {
    const certificates = new Certificates();
    t.after(() => certificates.remove());
    const [port, tlsPort] = [await freePort(ours), await freePort(ours)];
    const own = certificates.issue("own", [ours]);
    const ca = `ca: [${certificates.ca}]`;
    const pair = `certificate: ${own.certificate}, key: ${own.key}`;
    const server = await OffhookServer.start(
      `domains: ["${ours}"]
listeners:
  - { transport: udp, port: ${port} }
  - { transport: tls, port: ${tlsPort}, tls: { ${pair}, clientCertificates: optional, ${ca} } }
tls: { ${pair}, ${ca} }
relay: { inbound: peers, peers: [carrier.example] }
http: { port: 0 }
log: { level: info }
`,
      [{ name: "bob", password: "builder-8" }],
    );
    t.after(() => server.close());
    const kamailio = await Kamailio.start(theirs, "kamailio-pw", {
      ...certificates.issue("kamailio", ["sip:carrier.example", theirs]),
      ca: certificates.ca,
    });
    t.after(() => kamailio.close());
    const phone = (user: string, address: string, password: string, proxy: number) =>
      new UserAgent({
        aor: `sip:${user}@${address}`,
        transports: [udp({ address })],
        registrar: `sip:${address}:${proxy}`,
        outboundProxy: `sip:${address}:${proxy};lr`,
        credentials: { user, password },
      });
    const bob = phone("bob", ours, "builder-8", port);
    t.after(() => bob.stop());
    const carol = phone("carol", theirs, "kamailio-pw", kamailio.port);
    t.after(() => carol.stop());
    await Promise.all([bob.register(), carol.register()]);

    const directions = [
      ["ours to Kamailio", bob, carol, `sip:carol@${theirs}:${kamailio.tlsPort};transport=tls`],
      ["Kamailio to ours", carol, bob, `sip:bob@${ours}:${tlsPort};transport=tls`],
    ] as const;
    for (const [direction, caller, callee, target] of directions) {
      for (const hangsUp of ["caller", "callee"] as const) {
        const incoming = Promise.withResolvers<Awaited<ReturnType<UserAgent["invite"]>>>();
        callee.onInvite(async (call) => {
          await call.answer(sdp);
          incoming.resolve(call);
        });
        const outgoing = await caller.invite(target, { sdp, timeout: 10 }).catch((error: Error) => {
          throw new Error(`${direction}: ${error.message}\n${server.program.output}`);
        });
        const answered = await incoming.promise;
        const [ending, other] = hangsUp === "caller" ? [outgoing, answered] : [answered, outgoing];
        await ending.hangUp();
        await other.ended;
      }
    }

    // In the carrier's name, but by UDP and without its certificate.
    const stranger = new UserAgent({
      aor: `sip:carol@${theirs}`,
      transports: [udp({ address: theirs })],
      outboundProxy: `sip:${ours}:${port};lr`,
    });
    t.after(() => stranger.stop());
    await assert.rejects(stranger.invite(`sip:bob@${ours}`, { sdp }), { statusCode: 403 });
  });
});
