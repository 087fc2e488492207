// TLS at the server: phones on TLS and UDP call each other, carriers are known by their certificates, the demo's
// certificate. RFC 3261 §26, RFC 5658, RFC 5922.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCertificate, type TlsTransportOptions, tls } from "@offhook/sip/node";
import type { StackObserver } from "@offhook/sip/stack";
import { UserAgent, type UserAgentOptions } from "@offhook/sip/user-agent";
import { ensureDemoCertificate } from "./demo.ts";
import { makePhone, type RunningServer, sdp, startServer } from "./server.test.kit.ts";

const authority = makeCertificate({ names: [], commonName: "Test Root", isAuthority: true });
const issue = (...names: string[]) => makeCertificate({ names, issuer: authority });

async function startSecure(t: TestContext, more = ""): Promise<RunningServer & { tlsPort: number }> {
  const folder = mkdtempSync(join(tmpdir(), "offhook-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const own = issue("127.0.0.1");
  const ca = file("ca.pem", authority.certificate);
  const pair = `certificate: ${file("own.pem", own.certificate)}, key: ${file("own.key", own.key)}`;
  const running = await startServer(
    t,
    `store: { kind: memory }\naccounts: any\nauth: { enabled: false }\n${more}`,
    `  - { transport: tls, port: 0, tls: { ${pair}, clientCertificates: optional, ca: [${ca}] } }`,
  );
  const listening = running.server.listening.find((one) => one.startsWith("tls "));
  return { ...running, tlsPort: Number(listening?.split(":").pop()) };
}

function securePhone(
  { tlsPort, phones }: RunningServer & { tlsPort: number },
  aor: string,
  options: TlsTransportOptions = {},
  more: Partial<UserAgentOptions> = {},
): UserAgent {
  const phone = new UserAgent({
    aor,
    transports: [tls({ address: "127.0.0.1", ca: authority.certificate, ...options })],
    outboundProxy: `sip:127.0.0.1:${tlsPort};transport=tls;lr`,
    ...more,
  });
  phones.push(phone);
  return phone;
}

for (const [title, from] of [
  ["TLS calls UDP", "alice"],
  ["UDP calls TLS", "bob"],
] as const) {
  test(`RFC 5658 §4: ${title}; either side hangs up, and requests inside the call find their way`, async (t) => {
    const running = await startSecure(t);
    const alice = securePhone(running, "sip:alice@127.0.0.1");
    const bob = makePhone(running, "bob");
    const [caller, callee] = from === "alice" ? [alice, bob] : [bob, alice];
    const target = from === "alice" ? "sip:bob@127.0.0.1" : "sip:alice@127.0.0.1";
    await Promise.all([alice.register(), bob.register()]);
    for (const hangsUp of ["caller", "callee"] as const) {
      const incoming = Promise.withResolvers<Awaited<ReturnType<UserAgent["invite"]>>>();
      callee.onInvite(async (call) => {
        await call.answer(sdp);
        incoming.resolve(call);
      });
      const outgoing = await caller.invite(target, { sdp });
      const answered = await incoming.promise;
      const [ending, other] = hangsUp === "caller" ? [outgoing, answered] : [answered, outgoing];
      await ending.hangUp();
      await other.ended;
    }
  });
}

test("RFC 5630: SIPS from end to end, SIP to a SIPS phone over its TLS, and never SIPS to a SIP phone", async (t) => {
  const running = await startSecure(t);
  const secure = (user: string, observer: StackObserver = {}) =>
    securePhone(
      running,
      `sips:${user}@127.0.0.1`,
      {},
      {
        outboundProxy: `sips:127.0.0.1:${running.tlsPort};lr`,
        observer,
      },
    );
  const arrived: string[] = [];
  const alice = secure("alice", {
    received: (message, flow) => {
      if (message.kind !== "request" || message.method !== "INVITE") return;
      const route = message.headers.get("Record-Route")?.uri.scheme;
      arrived.push(`${message.requestUri.scheme} ${route} ${flow.transport}`);
    },
  });
  alice.onInvite((call) => call.answer(sdp));
  const carol = secure("carol");
  const bob = makePhone(running, "bob");
  await Promise.all([alice.register(), carol.register(), bob.register()]);
  for (const [caller, target, scheme] of [
    [carol, "sips:alice@127.0.0.1", "sips"],
    [bob, "sip:alice@127.0.0.1", "sip"],
  ] as const) {
    const before = arrived.length;
    const call = await caller.invite(target, { sdp });
    assert.equal(arrived[before], `${scheme} ${scheme} TLS`);
    await call.hangUp();
    await call.ended;
  }
  // §5.3: bob's phone has registered with SIP.
  await assert.rejects(carol.invite("sips:bob@127.0.0.1", { sdp }), { statusCode: 480 });
});

test("RFC 5922 §7.4: a carrier is trusted by its certificate's domain, and nobody else", async (t) => {
  const running = await startSecure(t, "relay: { inbound: peers, peers: [carrier.example] }\n");
  const bob = makePhone(running, "bob");
  bob.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
  await bob.register();
  const carrier = securePhone(running, "sip:+441632960083@carrier.example", issue("sip:carrier.example"));
  assert.equal((await carrier.message("sip:bob@127.0.0.1", "hello")).statusCode, 200);
  const others: TlsTransportOptions[] = [
    {},
    issue("sip:other.example"),
    makeCertificate({ names: ["carrier.example"] }),
  ];
  for (const options of others) {
    const stranger = securePhone(running, "sip:+441632960083@carrier.example", options);
    await assert.rejects(stranger.message("sip:bob@127.0.0.1", "hello"), { statusCode: 403 });
  }
});

test("the demo's certificate: made once, the key for this user alone, names for all that is listened on", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "offhook-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = { certificate: join(folder, "data/demo.pem"), key: join(folder, "data/demo.key") };
  ensureDemoCertificate(files, ["192.0.2.1", "::1"]);
  assert.equal(statSync(files.key).mode & 0o777, 0o600);
  const made = new X509Certificate(readFileSync(files.certificate));
  for (const address of ["192.0.2.1", "127.0.0.1", "::1"]) assert.ok(made.checkIP(address), address);
  assert.ok(made.checkHost("localhost"));
  ensureDemoCertificate(files, ["192.0.2.1", "::1"]);
  const again = new X509Certificate(readFileSync(files.certificate));
  assert.equal(again.fingerprint256, made.fingerprint256);

  // --listen with another address than last time.
  ensureDemoCertificate(files, ["192.0.2.77"]);
  const other = new X509Certificate(readFileSync(files.certificate));
  assert.ok(other.checkIP("192.0.2.77"));

  rmSync(files.key);
  ensureDemoCertificate(files, ["192.0.2.77"]);
  const fresh = new X509Certificate(readFileSync(files.certificate));
  assert.ok(fresh.checkPrivateKey(createPrivateKey(readFileSync(files.key))), "a lost key is made again");
});
