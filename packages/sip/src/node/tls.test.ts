import assert from "node:assert/strict";
import { chmodSync, renameSync } from "node:fs";
import { connect as connectTcp, createServer, type Server } from "node:net";
import { afterEach, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { VirtualClock } from "../testing/index.ts";
import type { Flow } from "../transport/index.ts";
import type { CertificatePair, TlsListenOptions, TlsServerOptions } from "./certificate-files.ts";
import { makeCertificate } from "./make-certificate.ts";
import * as kit from "./tls.test.kit.ts";

const { authority, stranger, issue, days } = kit;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function element(options: Parameters<typeof kit.element>[0] = {}): kit.Element {
  const made = kit.element(options);
  cleanups.push(() => made.driver.stop());
  return made;
}

/** An element with a certificate of its own, and one that asks it. */
async function pairOf(server: TlsListenOptions, client: Parameters<typeof kit.element>[0] = {}) {
  const far = element();
  const listener = await far.listen(server);
  const near = element({ tls: { ca: authority.certificate }, ...client });
  await near.driver.listen({ transport: "UDP", address: "127.0.0.1" });
  return { near, far, listener };
}

// --- The server's certificate ------------------------------------------------------------------------------------

const middle = makeCertificate({ names: [], commonName: "Middle", isAuthority: true, issuer: authority });
const staleMiddle = makeCertificate({
  ...{ names: [], commonName: "Old Middle", isAuthority: true, issuer: authority },
  ...{ notBefore: days(-20), notAfter: days(-3) },
});
const below = (issuer: CertificatePair, isSentAlong: boolean): CertificatePair => {
  const { certificate, key } = makeCertificate({ names: ["gw.example"], issuer });
  return { certificate: isSentAlong ? certificate + issuer.certificate : certificate, key };
};

const judgements: [
  title: string,
  server: () => CertificatePair,
  wanted: string | undefined,
  says: RegExp | "ok",
][] = [
  ["RFC 5922 §7.3, the domain's certificate", () => issue("sip:gw.example"), "gw.example", "ok"],
  ["RFC 5922 §7.1, a DNS name", () => issue("gw.example"), "GW.example", "ok"],
  ["an address that the certificate names", () => issue("127.0.0.1"), undefined, "ok"],
  ["a chain with the certificate between sent along", () => below(middle, true), "gw.example", "ok"],
  [
    "RFC 5922 §7.3, another domain",
    () => issue("sip:other.example", "gw.example"),
    "gw.example",
    /certificate is for other\.example, wanted gw\.example/,
  ],
  [
    "RFC 5922 §7.2, a wildcard",
    () => issue("*.example"),
    "gw.example",
    /certificate is for \*\.example, wanted gw\.example .*no wildcards/,
  ],
  [
    "an address that the certificate does not name",
    () => issue("gw.example"),
    undefined,
    /certificate is for gw\.example, wanted 127\.0\.0\.1/,
  ],
  [
    "expired",
    () =>
      makeCertificate({ names: ["gw.example"], issuer: authority, notBefore: days(-9), notAfter: days(-2) }),
    "gw.example",
    new RegExp(`certificate of gw\\.example expired on ${days(-2).toISOString().slice(0, 10)}`),
  ],
  [
    "not valid yet",
    () => makeCertificate({ names: ["gw.example"], issuer: authority, notBefore: days(2) }),
    "gw.example",
    new RegExp(`certificate of gw\\.example is not valid before ${days(2).toISOString().slice(0, 10)}`),
  ],
  [
    "an issuer that has expired",
    () => below(staleMiddle, true),
    "gw.example",
    /certificate of the issuer Old Middle \(for gw\.example\) expired on/,
  ],
  [
    "self-signed",
    () => makeCertificate({ names: ["gw.example"] }),
    "gw.example",
    /certificate of gw\.example is self-signed/,
  ],
  [
    "issued by nobody that we know",
    () => makeCertificate({ names: ["gw.example"], issuer: stranger }),
    "gw.example",
    /certificate of gw\.example has an unknown issuer: Strange Root/,
  ],
  [
    "the certificate between is missing",
    () => below(middle, false),
    "gw.example",
    /certificate of gw\.example has an unknown issuer: Middle is neither trusted \(ca\) nor sent along/,
  ],
  [
    "a root that came along but is not trusted",
    () => below(stranger, true),
    "gw.example",
    /leads to the self-signed root Strange Root/,
  ],
  [
    "a client's certificate only",
    () => makeCertificate({ names: ["gw.example"], issuer: authority, usage: "client" }),
    "gw.example",
    /certificate of gw\.example may not be used for this/,
  ],
];

for (const [title, server, wanted, says] of judgements) {
  test(`server certificate: ${title}`, async () => {
    const { near, far, listener } = await pairOf(server());
    const target = kit.targetOf(listener, wanted);
    if (says === "ok") {
      const flow = await kit.ask(near, target);
      assert.ok("transport" in flow, JSON.stringify(flow));
      return;
    }
    assert.match(await kit.complaint(near, target), says);
    assert.equal(far.arrivals.length, 0);
  });
}

test("server certificate: verify false takes any", async () => {
  const { near, listener } = await pairOf(makeCertificate({ names: ["x.example"] }), {
    tls: { verify: false },
  });
  const flow = await kit.ask(near, kit.targetOf(listener, "gw.example"));
  assert.deepEqual((flow as Flow).peerIdentities, []);
});

test("RFC 5922 §7.1: whom the server is authenticated as can be read from the flow", async () => {
  const { near, listener } = await pairOf(issue("sip:gw.example", "sip:gw.example.net"));
  const flow = await kit.ask(near, kit.targetOf(listener, "gw.example"));
  assert.deepEqual((flow as Flow).peerIdentities, ["gw.example", "gw.example.net"]);
});

test("RFC 5922 §7.8: each name gets its certificate by SNI, any other the one for all others", async () => {
  const { near, listener } = await pairOf({
    ...issue("main.example"),
    certificates: [
      { domain: "a.example", ...issue("a.example") },
      { domain: "B.example", ...issue("sip:b.example") },
    ],
  });
  for (const name of ["main.example", "a.example", "b.example"]) {
    const flow = await kit.ask(near, kit.targetOf(listener, name));
    assert.deepEqual((flow as Flow).peerIdentities, [name]);
  }
  assert.match(
    await kit.complaint(near, kit.targetOf(listener, "c.example")),
    /is for main\.example, wanted c\.ex/,
  );
  // RFC 5923 §8.3: what was checked for one name is not used for another.
  assert.equal(near.stack.connectionCount, 3);
});

// --- Mutual TLS --------------------------------------------------------------------------------------------------

const clients: Record<string, CertificatePair | undefined> = {
  none: undefined,
  good: issue("sip:peer.example"),
  untrusted: makeCertificate({ names: ["sip:peer.example"], issuer: stranger }),
  expired: makeCertificate({
    ...{ names: ["sip:peer.example"], issuer: authority },
    ...{ notBefore: days(-9), notAfter: days(-1) },
  }),
  "a server's": makeCertificate({ names: ["sip:peer.example"], issuer: authority, usage: "server" }),
};

type Policy = NonNullable<TlsServerOptions["clientCertificates"]>;
const mutual: [policy: Policy, client: string, identities: string[] | RegExp][] = [
  ["off", "none", []],
  ["off", "good", []],
  ["optional", "none", []],
  ["optional", "good", ["peer.example"]],
  ["optional", "untrusted", []],
  ["optional", "expired", []],
  ["optional", "a server's", []],
  ["required", "none", /the peer shows no certificate/],
  ["required", "good", ["peer.example"]],
  ["required", "untrusted", /certificate of peer\.example has an unknown issuer: Strange Root/],
  ["required", "expired", /certificate of peer\.example expired on/],
  ["required", "a server's", /certificate of peer\.example may not be used for this/],
];

for (const [policy, client, outcome] of mutual) {
  const shown = outcome instanceof RegExp ? "refused" : outcome.length > 0 ? "authenticated" : "anonymous";
  test(`RFC 5922 §7.4: client certificates ${policy}, ${client}: ${shown}`, async () => {
    const failures: Error[] = [];
    const far = element({ observer: { flowFailed: (_flow, error) => failures.push(error) } });
    const listener = await far.listen({
      ...issue("gw.example"),
      ...{ clientCertificates: policy, ca: authority.certificate },
    });
    const near = element({ tls: { ca: authority.certificate, ...clients[client] } });
    await near.driver.listen({ transport: "UDP", address: "127.0.0.1" });
    const result = await kit.ask(near, kit.targetOf(listener, "gw.example"));
    if (outcome instanceof RegExp) {
      assert.ok("kind" in result);
      assert.ok(await kit.until(() => failures.length > 0));
      assert.match(failures[0]?.message ?? "", outcome);
      assert.equal(far.arrivals.length, 0);
    } else {
      assert.deepEqual(far.arrivals[0]?.peerIdentities, outcome);
    }
  });
}

// --- Connection reuse --------------------------------------------------------------------------------------------

test("RFC 5923 §8: requests go back over the connection that a certified peer has opened", async () => {
  const a = element({ tls: { ca: authority.certificate, ...issue("sip:a.example") } });
  const b = element({ tls: { ca: authority.certificate, ...issue("sip:b.example") } });
  const mutually = { clientCertificates: "required", ca: authority.certificate } as const;
  const atA = await a.listen({ ...issue("sip:a.example"), ...mutually });
  const atB = await b.listen({ ...issue("sip:b.example"), ...mutually });
  const flow = await kit.ask(a, kit.targetOf(atB, "b.example"));
  const back = await kit.ask(b, kit.targetOf(atA, "a.example"));
  assert.equal(back, b.arrivals[0], "another connection");
  assert.equal(a.arrivals[0], flow);
  // Not for a name that the certificate does not have: a new connection, which fails for the same reason.
  assert.match(
    await kit.complaint(b, kit.targetOf(atA, "c.example")),
    /is for a\.example, wanted c\.example/,
  );
});

test("RFC 5923 §8: without a client certificate nothing is reused", async () => {
  const a = element({ tls: { ca: authority.certificate } });
  const b = element({ tls: { ca: authority.certificate } });
  const atA = await a.listen(issue("sip:a.example"));
  const atB = await b.listen(issue("sip:b.example"));
  await kit.ask(a, kit.targetOf(atB, "b.example"));
  const back = await kit.ask(b, kit.targetOf(atA, "a.example"));
  assert.notEqual(back, b.arrivals[0]);
  assert.equal(b.stack.connectionCount, 2);
});

// --- Files -------------------------------------------------------------------------------------------------------

test("certificates swapped under 200 open connections: none dropped, new ones get the new certificate", async () => {
  const files = kit.folder();
  cleanups.push(files.remove);
  const first = issue("old.example");
  const certificate = files.write("cert.pem", first.certificate);
  const key = files.write("key.pem", first.key);
  const { near, far, listener } = await pairOf({ certificate, key });
  const old = await kit.ask(near, kit.targetOf(listener, "old.example"));
  const open = await Promise.all(Array.from({ length: 200 }, () => kit.rawClient(listener)));
  cleanups.push(() => open.forEach((socket) => void socket.destroy()));

  // As certbot and Kubernetes do it: written beside, then renamed.
  const second = issue("new.example");
  renameSync(files.write("key.new", second.key), key);
  renameSync(files.write("cert.new", second.certificate), certificate);
  const shows = async () => {
    const socket = await kit.rawClient(listener);
    const name = socket.getPeerX509Certificate()?.subject;
    socket.destroy();
    return name;
  };
  assert.ok(await kit.until(async () => (await shows()) === "CN=new.example"), "the old one is still shown");
  assert.ok(open.every((socket) => !socket.destroyed && socket.writable));
  assert.equal(await kit.ask(near, kit.targetOf(listener, "old.example")), old, "not the same connection");

  // A broken one is reported and changes nothing.
  files.write("key.pem", first.key);
  assert.ok(await kit.until(() => far.errors.length > 0), "nobody was told");
  assert.match(
    far.errors[0]?.message ?? "",
    /key does not fit the certificate.*the certificates in use stay/,
  );
  assert.equal(await shows(), "CN=new.example");
  assert.match(far.driver.reloadCertificates()[0]?.message ?? "", /key does not fit/);
  files.write("cert.pem", first.certificate);
  assert.deepEqual(far.driver.reloadCertificates(), []);
  assert.equal(await shows(), "CN=old.example");
});

const good = issue("gw.example");
const fileErrors: [
  title: string,
  make: (files: ReturnType<typeof kit.folder>) => TlsServerOptions,
  says: RegExp,
][] = [
  [
    "no such certificate",
    () => ({ ...good, certificate: "/nowhere/cert.pem" }),
    /certificate \/nowhere\/cert\.pem cannot be read: there is no such file/,
  ],
  [
    "no such key",
    () => ({ ...good, key: "/nowhere/key.pem" }),
    /key \/nowhere\/key\.pem cannot be read: there is no/,
  ],
  [
    "no such ca",
    () => ({ ...good, ca: "/nowhere/ca.pem" }),
    /ca \/nowhere\/ca\.pem cannot be read: there is no/,
  ],
  ["a folder", (files) => ({ ...good, key: files.path }), /cannot be read: EISDIR/],
  [
    "a key where the certificate belongs",
    ({ write }) => ({ ...good, certificate: write("c.pem", good.key) }),
    /c\.pem holds no certificate/,
  ],
  [
    "a certificate where the key belongs",
    ({ write }) => ({ ...good, key: write("k.pem", good.certificate) }),
    /k\.pem holds no private key/,
  ],
  [
    "another certificate's key",
    ({ write }) => ({ ...good, key: write("k.pem", issue("x.example").key) }),
    /key does not fit the certificate: .*k\.pem belongs to another one than the certificate \(for gw\.example\)/,
  ],
  [
    "half a certificate",
    () => ({ ...good, certificate: good.certificate.replace(/\n[^-\n]{20}/, "\n") }),
    /certificate that cannot be read/,
  ],
  [
    "half a key",
    () => ({ ...good, key: good.key.replace(/\n[^-\n]{20}/, "\n") }),
    /the key holds a private key that cannot be read/,
  ],
  [
    "a key with passphrase",
    () => ({ ...good, key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END" }),
    /protected by a passphrase/,
  ],
  [
    "one bad certificate of several",
    () => ({
      ...good,
      certificates: [{ domain: "a.example", certificate: "/nowhere/a.pem", key: good.key }],
    }),
    /certificate \/nowhere\/a\.pem/,
  ],
];

for (const [title, make, says] of fileErrors) {
  test(`files: ${title}`, async () => {
    const files = kit.folder();
    cleanups.push(files.remove);
    const options = make(files);
    await assert.rejects(element().listen(options), (error: Error) => {
      assert.match(error.message, says);
      // Never key material, whatever went wrong.
      assert.doesNotMatch(`${error.stack}${(error.cause as Error)?.stack}`, /MIG|-----BEGIN/);
      return true;
    });
  });
}

test("files: one that this user may not read", {
  skip: process.getuid?.() === 0 && "root may read all",
}, async () => {
  const files = kit.folder();
  cleanups.push(files.remove);
  const key = files.write("key.pem", good.key);
  chmodSync(key, 0);
  await assert.rejects(
    element().listen({ ...good, key }),
    /key\.pem cannot be read: this user may not read it/,
  );
});

test("files: what works but should be known is told: an expired certificate, a domain that it is not for", async () => {
  const far = element();
  const old = makeCertificate({ names: ["gw.example"], notBefore: days(-9), notAfter: days(-1) });
  await far.listen({ ...old, certificates: [{ domain: "a.example", ...issue("b.example") }] });
  assert.match(far.errors[0]?.message ?? "", /the certificate expired on/);
  assert.match(far.errors[1]?.message ?? "", /the certificate is for b\.example, not for a\.example/);
});

// --- Handshakes --------------------------------------------------------------------------------------------------

test("RFC 8996: TLS 1.1 is refused, and 1.2 is not", async () => {
  const { listener } = await pairOf(issue("gw.example"));
  const old = { ciphers: "ALL:@SECLEVEL=0", minVersion: "TLSv1", maxVersion: "TLSv1.1" } as const;
  await assert.rejects(kit.rawClient(listener, old), /protocol version/);
  const socket = await kit.rawClient(listener, { maxVersion: "TLSv1.2" });
  assert.equal(socket.getProtocol(), "TLSv1.2");
  socket.destroy();
});

/** Servers that are none for us. */
const strangers: [title: string, make: () => Server, says: RegExp][] = [
  [
    "one that does not speak TLS",
    () =>
      createServer(
        (socket) =>
          void socket
            .on("error", () => {})
            .resume()
            .end("SIP/2.0 400 What\r\n\r\n"),
      ),
    /TLS: the peer does not speak TLS here/,
  ],
  [
    "one that hangs up",
    () => createServer((socket) => void socket.destroy()),
    /TLS: the peer ended the connection during the handshake/,
  ],
  [
    "RFC 8996: one that speaks TLS 1.1 only",
    () =>
      createTlsServer({
        key: good.key,
        cert: good.certificate,
        ciphers: "ALL:@SECLEVEL=0",
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
      }),
    /TLS: the peer takes none of our TLS versions, 1\.2 and 1\.3/,
  ],
];

for (const [title, make, says] of strangers) {
  test(`handshake with ${title}: said in words`, async () => {
    const server = make();
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const near = element();
    await near.driver.listen({ transport: "UDP", address: "127.0.0.1" });
    const { port } = server.address() as { port: number };
    assert.match(await kit.complaint(near, { transport: "TLS", address: "127.0.0.1", port }), says);
  });
}

const visitors: [title: string, says: string, expected: RegExp][] = [
  ["SIP without TLS", "INVITE sip:a SIP/2.0\r\n\r\n", /TLS: the peer does not speak TLS here/],
  ["HTTP", "GET / HTTP/1.1\r\n\r\n", /TLS: the peer speaks plain HTTP or SIP, without TLS/],
];

for (const [title, text, expected] of visitors) {
  test(`handshake from one who speaks ${title}: refused, told, and the next one served`, async () => {
    const failures: Error[] = [];
    const far = element({ observer: { flowFailed: (_flow, error) => failures.push(error) } });
    const listener = await far.listen(issue("gw.example"));
    const socket = connectTcp(listener.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(text);
    assert.ok(await kit.until(() => socket.destroyed && failures.length === 1));
    assert.match(failures[0]?.message ?? "", expected);
    (await kit.rawClient(listener)).destroy();
  });
}

test("half-open handshakes have connectTime to finish", async () => {
  const clock = new VirtualClock();
  const far = element({ clock, limits: { connectTime: 10_000 } });
  const listener = await far.listen(issue("gw.example"));
  const socket = connectTcp(listener.port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  socket.on("error", () => {});
  assert.ok(await kit.until(() => far.stack.connectionCount === 1));
  clock.advance(9_999);
  assert.equal(far.stack.connectionCount, 1);
  clock.advance(1);
  assert.ok(await kit.until(() => far.stack.connectionCount === 0), "still there");
  assert.ok(await kit.until(() => socket.destroyed));
});

test("half-open handshakes count: they make room, and never keep others out", async () => {
  const far = element({ limits: { connectionsPerAddress: 20 } });
  const listener = await far.listen(issue("gw.example"));
  const sockets = Array.from({ length: 60 }, () => connectTcp(listener.port, "127.0.0.1"));
  cleanups.push(() => sockets.forEach((socket) => void socket.destroy()));
  for (const socket of sockets) socket.on("error", () => {});
  assert.ok(await kit.until(() => sockets.filter((socket) => socket.destroyed).length === 40));
  assert.equal(far.stack.connectionCount, 20);
  const late = await kit.rawClient(listener);
  assert.ok(late.writable);
  late.destroy();
});

test("a handshake under way does not keep the driver from stopping", async () => {
  const far = element();
  const listener = await far.listen(issue("gw.example"));
  const socket = connectTcp(listener.port, "127.0.0.1");
  socket.on("error", () => {});
  assert.ok(await kit.until(() => far.stack.connectionCount === 1));
  await far.driver.stop();
  assert.ok(await kit.until(() => socket.destroyed));
});

test("without a certificate nobody gets in, and our own connections work", async () => {
  const { near, listener } = await pairOf(issue("gw.example"));
  const own = await near.listen();
  await assert.rejects(kit.rawClient(own));
  const flow = await kit.ask(near, kit.targetOf(listener, "gw.example"));
  assert.equal((flow as Flow).listener.id, own.id);
});
