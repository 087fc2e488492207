// The client's answers to challenges: which, how often, and when it gives up. RFC 3261 §22.2–22.3, RFC 8760 §2.4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { parseMessage, SipResponse } from "../message/index.ts";
import { nodeHash as hash } from "../node/index.ts";
import { Credentials, type CredentialsOptions } from "./credentials.ts";
import { computeHa1 } from "./digest.ts";

const random = { bytes: (length: number) => new Uint8Array(length).fill(0xab) };
const request = { method: "INVITE", uri: "sip:bob@example.com" };
const alice = { user: "alice", password: "zanzibar" };

function makeSession(options: Partial<CredentialsOptions> = {}) {
  return new Credentials({ hash, random, credentials: [alice], ...options }).session();
}

function challenge(...lines: string[]): SipResponse {
  const text = [
    "SIP/2.0 401 Unauthorized",
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
    "From: <sip:alice@example.com>;tag=a",
    "To: <sip:bob@example.com>;tag=b",
    "Call-ID: c1\r\nCSeq: 1 INVITE",
    ...lines.map((line) => (line.includes("Authenticate:") ? line : `WWW-Authenticate: ${line}`)),
    "Content-Length: 0\r\n\r\n",
  ].join("\r\n");
  const message = parseMessage(new TextEncoder().encode(text));
  assert.ok(message instanceof SipResponse);
  return message;
}

const md5 = 'Digest realm="r", nonce="m", qop="auth", algorithm=MD5';
const sha = 'Digest realm="r", nonce="s", qop="auth", algorithm=SHA-256';
const strong = 'Digest realm="r", nonce="x", qop="auth", algorithm=SHA-512-256';
const unknown = 'Digest realm="r", nonce="u", qop="auth", algorithm=SHA3-512';

for (const [title, options, lines, used] of [
  ["RFC 8760 §2.4: the topmost that we support", {}, [unknown, sha, md5, strong], /algorithm=SHA-256, .*/],
  [
    "RFC 8760 §2.4: local policy may want the strongest",
    { choose: "strongest" },
    [md5, sha],
    /algorithm=SHA-256,/,
  ],
  ["algorithms that are not wanted are passed over", { algorithms: ["MD5"] }, [sha, md5], /algorithm=MD5,/],
  [
    "RFC 7616 §3.3: without algorithm, MD5, and none is named",
    {},
    ['Digest realm="r", nonce="n", qop="auth"'],
    /^(?!.*algorithm)/,
  ],
  [
    "RFC 3261 §22.4 item 8: without qop, none is sent",
    {},
    ['Digest realm="r", nonce="n"'],
    /^(?!.*(qop|nc=|cnonce))/,
  ],
  ["auth before auth-int", {}, ['Digest realm="r", nonce="n", qop="auth-int,auth"'], /qop=auth,/],
  ["auth-int if only that", {}, ['Digest realm="r", nonce="n", qop="auth-int"'], /qop=auth-int,/],
  [
    "RFC 7616 §3.3: opaque goes back",
    {},
    ['Digest realm="r", nonce="n", opaque="o/\\"="'],
    /opaque="o\/\\"="/,
  ],
  ["§22.1: Basic is ignored", {}, ['Basic realm="r"', md5], /nonce="m"/],
  ["what cannot be read is ignored", {}, ['Digest realm="r" nonce="n"', md5], /nonce="m"/],
] as const) {
  test(title, () => {
    const attempt = makeSession(options as Partial<CredentialsOptions>).attempt();
    assert.deepEqual(attempt.challenged(challenge(...lines)), { kind: "retry" });
    const [header, ...more] = attempt.headers(request);
    assert.equal(more.length, 0);
    assert.equal(header?.[0], "Authorization");
    assert.match(header?.[1] ?? "", used);
  });
}

test("RFC 7616 §3.4: what is quoted and what is not", () => {
  const attempt = makeSession().attempt();
  attempt.challenged(challenge(md5));
  assert.match(
    attempt.headers(request)[0]?.[1] ?? "",
    /^Digest username="alice", realm="r", nonce="m", uri="sip:bob@example.com", response="[0-9a-f]{32}", algorithm=MD5, cnonce="(ab){12}", qop=auth, nc=00000001$/,
  );
});

for (const [title, lines, reason, realm] of [
  [
    "nothing that we understand",
    [unknown, 'Basic realm="r"', 'Digest realm="r", nonce="n", qop="new"'],
    "nothing understood",
    undefined,
  ],
  ["no challenge at all", [], "nothing understood", undefined],
  [
    "-sess without qop (RFC 3261 §22.4 item 8)",
    ['Digest realm="r", nonce="n", algorithm=MD5-sess'],
    "nothing understood",
    undefined,
  ],
  ["a realm that we have nothing for", ['Digest realm="q", nonce="n"'], "no credentials", "q"],
] as const) {
  test(`§22.1 gives up: ${title}`, () => {
    const attempt = makeSession({ credentials: [{ ...alice, realm: "r" }] }).attempt();
    assert.deepEqual(attempt.challenged(challenge(...lines)), { kind: "give up", reason, realm });
  });
}

test("§22.1: the same credentials are not sent to a realm twice", () => {
  const attempt = makeSession().attempt();
  assert.equal(attempt.challenged(challenge(md5)).kind, "retry");
  attempt.headers(request);
  assert.deepEqual(attempt.challenged(challenge(md5.replace('"m"', '"m2"'))), {
    ...{ kind: "give up", reason: "rejected", realm: "r" },
  });
});

test("§22.1: stale allows one more try, with a new nonce, and no third", () => {
  const attempt = makeSession().attempt();
  attempt.challenged(challenge(md5));
  assert.equal(attempt.challenged(challenge(`${md5.replace('"m"', '"m2"')}, stale=TRUE`)).kind, "retry");
  assert.match(attempt.headers(request)[0]?.[1] ?? "", /nonce="m2".*nc=00000001/);
  assert.equal(attempt.challenged(challenge(`${md5.replace('"m"', '"m3"')}, stale=true`)).kind, "give up");
});

test("stale with the same nonce is no invitation", () => {
  const attempt = makeSession().attempt();
  attempt.challenged(challenge(md5));
  assert.equal(attempt.challenged(challenge(`${md5}, stale=true`)).kind, "give up");
});

test("a nonce that has served before and is replaced without stale counts as worn out, once", () => {
  const session = makeSession();
  const first = session.attempt();
  first.challenged(challenge(md5));
  first.accepted();
  const second = session.attempt();
  assert.match(second.headers(request)[0]?.[1] ?? "", /nc=00000001/);
  assert.equal(second.challenged(challenge(md5.replace('"m"', '"m2"'))).kind, "retry");
  assert.match(second.headers(request)[0]?.[1] ?? "", /nonce="m2"/);
  assert.equal(second.challenged(challenge(md5.replace('"m"', '"m3"'))).kind, "give up");
});

test("§22.3: several realms and both kinds of header, each answered by itself", () => {
  const bob = { user: "bob", password: "x", realm: "q" };
  const attempt = makeSession({ credentials: [bob, { ...alice, realm: "r" }] }).attempt();
  const proxy = 'Proxy-Authenticate: Digest realm="q", nonce="p", qop="auth"';
  assert.equal(attempt.challenged(challenge(md5, proxy, 'Digest realm="no", nonce="z"')).kind, "retry");
  assert.deepEqual(
    attempt
      .headers(request)
      .map(([name, value]) => [name, /username="(\w+)", realm="(\w+)"/.exec(value)?.slice(1)]),
    [
      ["Authorization", ["alice", "r"]],
      ["Proxy-Authorization", ["bob", "q"]],
    ],
  );
  // A second proxy further on may ask too; the first realm's credentials go on being sent.
  const further = 'Proxy-Authenticate: Digest realm="r", nonce="f", qop="auth"';
  assert.equal(attempt.challenged(challenge(further)).kind, "retry");
  assert.equal(attempt.headers(request).length, 3);
});

test("sessions share no nonces (§22.3: never across dialogs)", () => {
  const credentials = new Credentials({ hash, random, credentials: [alice] });
  const attempt = credentials.session().attempt();
  attempt.challenged(challenge(md5));
  assert.deepEqual(credentials.session().attempt().headers(request), []);
});

test("an HA1 serves instead of the password, for its algorithm only", () => {
  const ha1 = computeHa1(hash, "MD5", { ...alice, realm: "r" });
  const make = (credential: CredentialsOptions["credentials"]) => {
    const attempt = makeSession({ credentials: credential }).attempt();
    assert.equal(attempt.challenged(challenge(sha, md5)).kind, "retry");
    return attempt.headers(request)[0]?.[1] ?? "";
  };
  assert.match(make([{ user: "alice", ha1: { MD5: ha1 }, realm: "r" }]), /algorithm=MD5/);
  assert.match(
    make((realm) => (realm === "r" ? alice : undefined)),
    /algorithm=SHA-256/,
  );
});

test("secrets do not show in what is logged", () => {
  const credentials = new Credentials({ hash, random, credentials: [alice] });
  const session = credentials.session();
  const attempt = session.attempt();
  attempt.challenged(challenge(md5));
  for (const object of [credentials, session, attempt]) {
    assert.doesNotMatch(inspect(object, { depth: 9, showHidden: true }), /zanzibar/);
    assert.doesNotMatch(JSON.stringify(object), /zanzibar/);
  }
});
