// Server and client of digest against each other, and against what they must not accept. RFC 3261 §22, RFC 8760.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type HeaderWriter, makeResponse, parseMessage, SipRequest, SipResponse } from "../message/index.ts";
import { nodeHash as hash, nodeRandom as random } from "../node/index.ts";
import { Challenger, type ChallengerOptions, type Verification } from "./challenger.ts";
import { type AuthAttempt, Credentials, type CredentialsOptions } from "./credentials.ts";
import { computeHa1, type DigestAlgorithm, digestAlgorithms, digestResponse, hashOf } from "./digest.ts";

const realm = "example.com";
const password = "zanzibar";
const encoder = new TextEncoder();

type Headers = readonly (readonly [string, string])[];

function parseRequest(
  headers: Headers,
  options: { uri?: string; method?: string; body?: string } = {},
): SipRequest {
  const { uri = "sip:example.com", method = "REGISTER", body = "" } = options;
  const lines = [
    `${method} ${uri} SIP/2.0`,
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
    "From: <sip:alice@example.com>;tag=a",
    "To: <sip:alice@example.com>",
    `Call-ID: c1\r\nCSeq: 1 ${method}\r\nMax-Forwards: 70`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${body.length}`,
  ];
  const message = parseMessage(encoder.encode(`${lines.join("\r\n")}\r\n\r\n${body}`));
  assert.ok(message instanceof SipRequest);
  return message;
}

function parseResponse(headers: Headers, statusCode = 401): SipResponse {
  const lines = [
    `SIP/2.0 ${statusCode} Unauthorized`,
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
    "From: <sip:alice@example.com>;tag=a",
    "To: <sip:alice@example.com>;tag=b",
    "Call-ID: c1\r\nCSeq: 1 REGISTER",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    "Content-Length: 0",
  ];
  const message = parseMessage(encoder.encode(`${lines.join("\r\n")}\r\n\r\n`));
  assert.ok(message instanceof SipResponse);
  return message;
}

const ha1 = (user: string, ofRealm: string, algorithm: "MD5" | "SHA-256" | "SHA-512-256") =>
  user === "alice" ? computeHa1(hash, algorithm, { user, realm: ofRealm, password }) : undefined;

function setUp(options: Partial<ChallengerOptions> = {}, client: Partial<CredentialsOptions> = {}) {
  const clock = { time: 1_800_000_000_000, now: () => clock.time };
  const challenger = new Challenger({ clock, hash, random, ...options });
  const credentials = new Credentials({
    hash,
    random,
    credentials: [{ user: "alice", password }],
    ...client,
  });
  return { clock, challenger, session: credentials.session() };
}

/** The client's next request on this attempt, judged by the server. */
function verify(
  challenger: Challenger,
  attempt: AuthAttempt,
  options: { uri?: string; body?: string; sentUri?: string } = {},
): Verification {
  const { uri = "sip:example.com", body = "" } = options;
  const headers = attempt.headers({ method: "REGISTER", uri, body: encoder.encode(body) });
  const verification = challenger.verify(
    "user agent",
    parseRequest(headers, { uri: options.sentUri ?? uri, body }),
    realm,
    ha1,
  );
  assert.ok(!(verification instanceof Promise));
  return verification;
}

for (const algorithm of digestAlgorithms) {
  for (const qop of ["auth", "auth-int"] as const) {
    test(`RFC 8760 §2.1: ${algorithm} with qop ${qop} lets the right password in, once per count`, () => {
      const { challenger, session } = setUp({ algorithms: [algorithm], qop: [qop] });
      const attempt = session.attempt();
      assert.equal(verify(challenger, attempt).kind, "challenge");
      assert.deepEqual(attempt.challenged(parseResponse(challenger.challenge("user agent", realm))), {
        kind: "retry",
      });
      const ok = { kind: "ok", user: "alice", algorithm };
      assert.deepEqual(verify(challenger, attempt, { body: "some body" }), ok);
      // §22.3: sent unasked with later requests of the same Call-ID, the count rising.
      attempt.accepted();
      const later = session.attempt();
      const headers = later.headers({ method: "REGISTER", uri: "sip:example.com" });
      assert.match(headers[0]?.[1] ?? "", /nc=00000002/);
      assert.deepEqual(challenger.verify("user agent", parseRequest(headers), realm, ha1), ok);
      assert.deepEqual(challenger.verify("user agent", parseRequest(headers), realm, ha1), {
        ...{ kind: "challenge", stale: true, attempted: "alice" },
      });
    });
  }
}

test("RFC 7616 §3.4.3: auth-int covers the body, auth does not", () => {
  for (const [qop, kind] of [
    ["auth", "ok"],
    ["auth-int", "challenge"],
  ] as const) {
    const { challenger, session } = setUp({ qop: [qop] });
    const attempt = session.attempt();
    attempt.challenged(parseResponse(challenger.challenge("user agent", realm)));
    const headers = attempt.headers({
      method: "REGISTER",
      uri: "sip:example.com",
      body: encoder.encode("a"),
    });
    const verification = challenger.verify("user agent", parseRequest(headers, { body: "b" }), realm, ha1);
    assert.equal((verification as Verification).kind, kind, qop);
  }
});

test("RFC 8760 §2.3: one header per algorithm, in order, each with qop; 407 has a header of its own", () => {
  const { challenger } = setUp({ algorithms: ["SHA-256", "MD5"], qop: ["auth", "auth-int"] });
  const challenges = challenger.challenge("proxy", 'a "b"', { stale: true });
  assert.deepEqual(
    challenges.map(([name, value]) => [name, value.replace(/nonce="[^"]+"/, "nonce")]),
    [
      [
        "Proxy-Authenticate",
        'Digest realm="a \\"b\\"", nonce, stale=true, algorithm=SHA-256, qop="auth,auth-int"',
      ],
      [
        "Proxy-Authenticate",
        'Digest realm="a \\"b\\"", nonce, stale=true, algorithm=MD5, qop="auth,auth-int"',
      ],
    ],
  );
  assert.equal(Challenger.statusCode("proxy"), 407);
  assert.equal(Challenger.statusCode("user agent"), 401);
});

test("§22.3: a proxy looks at Proxy-Authorization only, for its realm only", () => {
  const { challenger, session } = setUp();
  const attempt = session.attempt();
  attempt.challenged(parseResponse(challenger.challenge("proxy", realm), 407));
  attempt.challenged(parseResponse(challenger.challenge("proxy", "other"), 407));
  const headers = attempt.headers({ method: "REGISTER", uri: "sip:example.com" });
  assert.deepEqual(
    headers.map(([name]) => name),
    ["Proxy-Authorization", "Proxy-Authorization"],
  );
  const request = parseRequest(headers);
  assert.equal((challenger.verify("proxy", request, "other", ha1) as Verification).kind, "ok");
  assert.equal((challenger.verify("proxy", request, realm, ha1) as Verification).kind, "ok");
  assert.equal((challenger.verify("user agent", request, realm, ha1) as Verification).kind, "challenge");
});

test("RFC 7616 §3.3: an expired nonce is stale with the right password only; the client does not ask again", () => {
  const { clock, challenger, session } = setUp({ nonceLifetime: 60 });
  const attempt = session.attempt();
  attempt.challenged(parseResponse(challenger.challenge("user agent", realm)));
  clock.time += 61_000;
  assert.deepEqual(verify(challenger, attempt), { kind: "challenge", stale: true, attempted: "alice" });
  const stale = parseResponse(challenger.challenge("user agent", realm, { stale: true }));
  assert.equal(attempt.challenged(stale).kind, "retry");
  assert.equal(verify(challenger, attempt).kind, "ok");

  const wrong = setUp({ nonceLifetime: 60 }, { credentials: [{ user: "alice", password: "wrong" }] });
  const wrongAttempt = wrong.session.attempt();
  wrongAttempt.challenged(parseResponse(wrong.challenger.challenge("user agent", realm)));
  wrong.clock.time += 61_000;
  assert.deepEqual(verify(wrong.challenger, wrongAttempt), {
    ...{ kind: "challenge", stale: false, attempted: "alice" },
  });
});

test("an unknown user and a wrong password get the same answer", () => {
  for (const credential of [
    { user: "alice", password: "wrong" },
    { user: "nobody", password },
  ]) {
    const { challenger, session } = setUp({}, { credentials: [credential] });
    const attempt = session.attempt();
    attempt.challenged(parseResponse(challenger.challenge("user agent", realm)));
    assert.deepEqual(verify(challenger, attempt), {
      ...{ kind: "challenge", stale: false, attempted: credential.user },
    });
  }
});

test("an account lookup may take its time", async () => {
  const { challenger, session } = setUp();
  const attempt = session.attempt();
  attempt.challenged(parseResponse(challenger.challenge("user agent", realm)));
  const request = parseRequest(attempt.headers({ method: "REGISTER", uri: "sip:example.com" }));
  const slow = async (...args: Parameters<typeof ha1>) => ha1(...args);
  assert.equal((await challenger.verify("user agent", request, realm, slow)).kind, "ok");
});

/** Right credentials in every respect but those changed. */
function handMade(
  challenger: Challenger,
  changes: Record<string, string | undefined>,
  options: { qop?: boolean } = {},
): string {
  const nonce = /nonce="([^"]+)"/.exec(challenger.challenge("user agent", realm)[0]?.[1] ?? "")?.[1] ?? "";
  const algorithm = (changes["algorithm"] ?? "MD5") as DigestAlgorithm;
  const uri = changes["uri"] ?? "sip:example.com";
  const known = digestAlgorithms.includes(algorithm) ? algorithm : "MD5";
  const response = digestResponse(hash, {
    ...{ algorithm: known, method: "REGISTER", uri, nonce },
    ha1: ha1("alice", realm, hashOf(known)) ?? "",
    ...(options.qop === false
      ? {}
      : {
          qop: changes["qop"] === "auth-int" ? "auth-int" : "auth",
          nonceCount: changes["nc"] ?? "00000001",
        }),
    cnonce: "c",
  });
  const params: Record<string, string | undefined> = {
    ...{ username: '"alice"', realm: `"${realm}"`, nonce: `"${nonce}"`, response: `"${response}"` },
    ...(options.qop === false ? {} : { qop: "auth", nc: "00000001", cnonce: '"c"' }),
    ...changes,
    uri: "uri" in changes && changes["uri"] === undefined ? undefined : `"${uri}"`,
  };
  const shown = Object.entries(params).filter(([, value]) => value !== undefined);
  return `Digest ${shown.map(([name, value]) => `${name}=${value}`).join(", ")}`;
}

for (const [title, changes, uri, expected] of [
  ["§22.4: as it should be", {}, "sip:example.com", "ok"],
  ["§22.4 item 8, RFC 2069: without qop", "no qop", "sip:example.com", "ok"],
  ["RFC 7616 §3.3: no algorithm means MD5", { algorithm: undefined }, "sip:example.com", "ok"],
  ["RFC 7616 §3.3: algorithm in any case", { algorithm: "MD5" }, "sip:example.com", "ok"],
  ["liberal: nc without leading zeros", { nc: "1" }, "sip:example.com", "ok"],
  ["liberal: qop and algorithm in quotes", { qop: '"auth"', algorithm: "MD5" }, "sip:example.com", "ok"],
  ["a realm written with an escape is the same", { realm: '"ex\\ample.com"' }, "sip:example.com", "ok"],
  ["a user name written with an escape is the same", { username: '"al\\ice"' }, "sip:example.com", "ok"],
  ["a realm that only begins so", { realm: '"example.com.evil"' }, "sip:example.com", "challenge"],
  ["an empty nc", { nc: '""' }, "sip:example.com", "malformed"],
  ["nc of nine digits", { nc: "000000001" }, "sip:example.com", "malformed"],
  [
    "RFC 7616 §3.4: extended user name",
    { username: undefined, "username*": "UTF-8''%61lice" },
    "sip:example.com",
    "ok",
  ],
  ["RFC 7616 §3.4: both kinds of user name", { "username*": "UTF-8''alice" }, "sip:example.com", "malformed"],
  ["an algorithm that was not offered", { algorithm: "SHA-256" }, "sip:example.com", "challenge"],
  ["an algorithm that nobody knows", { algorithm: "SHA-1" }, "sip:example.com", "challenge"],
  ["a qop that was not offered", { qop: "auth-int" }, "sip:example.com", "challenge"],
  ["§22.1: another realm", { realm: '"elsewhere"' }, "sip:example.com", "challenge"],
  ["realms differ by case", { realm: '"Example.com"' }, "sip:example.com", "challenge"],
  ["user names differ by case", { username: '"Alice"' }, "sip:example.com", "challenge"],
  ["an invented nonce", { nonce: '"abc"' }, "sip:example.com", "challenge"],
  ["no user name", { username: undefined }, "sip:example.com", "malformed"],
  ["no nonce", { nonce: undefined }, "sip:example.com", "malformed"],
  ["no response", { response: undefined }, "sip:example.com", "malformed"],
  ["an empty response (RFC 8760 §2.7)", { response: '""' }, "sip:example.com", "challenge"],
  ["no uri", { uri: undefined }, "sip:example.com", "malformed"],
  ["qop without nc", { nc: undefined }, "sip:example.com", "malformed"],
  ["qop without cnonce", { cnonce: undefined }, "sip:example.com", "malformed"],
  ["nc that is no number", { nc: "0000000x" }, "sip:example.com", "malformed"],
  ["RFC 8760 §2.6 item 6: phones leave out the port", {}, "sip:example.com:5060", "ok"],
  ["RFC 8760 §2.6 item 6: or parameters", {}, "sip:example.com;transport=tcp", "ok"],
  ["RFC 8760 §2.6 item 6: or name themselves", { uri: "sip:alice@example.com" }, "sip:example.com", "ok"],
  [
    "RFC 8760 §2.6 item 6: an address that we take requests for",
    { uri: "sip:bob@ours.example" },
    "sip:example.com",
    "ok",
  ],
  [
    "RFC 8760 §2.6 item 6: an address elsewhere",
    { uri: "sip:bob@theirs.example" },
    "sip:example.com",
    "malformed",
  ],
  ["RFC 8760 §2.6 item 6: no address at all", { uri: "/dir/index.html" }, "sip:example.com", "malformed"],
] as const) {
  test(title, () => {
    const { challenger } = setUp({ acceptsUri: (uri) => "host" in uri && uri.host === "ours.example" });
    const text =
      changes === "no qop" ? handMade(challenger, {}, { qop: false }) : handMade(challenger, changes);
    const request = parseRequest([["Authorization", text]], { uri });
    const verification = challenger.verify("user agent", request, realm, ha1) as Verification;
    assert.equal(verification.kind, expected, inspect(verification));
  });
}

test("RFC 7616 §3.4.5: values count as they stand, escapes included; a fold is a space (RFC 3261 §7.3.1)", () => {
  const { challenger } = setUp();
  const nonce = /nonce="([^"]+)"/.exec(challenger.challenge("user agent", realm)[0]![1])![1]!;
  const input = { algorithm: "MD5", method: "REGISTER", uri: "sip:example.com", nonce } as const;
  for (const [cnonce, hashed, nc] of [
    ['a\\"b', 'a\\"b', "00000001"],
    ["c \r\n\t d", "c d", "00000002"],
    ["é", "é", "00000003"],
  ] as const) {
    const response = digestResponse(hash, {
      ...{ ...input, ha1: ha1("alice", realm, "MD5")!, qop: "auth", nonceCount: nc, cnonce: hashed },
    });
    const line = `Digest username="alice", realm="${realm}", nonce="${nonce}", uri="sip:example.com", response="${response.toUpperCase()}", qop=auth, nc=${nc}, cnonce="${cnonce}"`;
    const request = parseRequest([["Authorization", line]]);
    assert.equal((challenger.verify("user agent", request, realm, ha1) as Verification).kind, "ok", cnonce);
  }
});

test("a challenge written into a response is the one in its header fields", () => {
  for (const role of ["user agent", "proxy"] as const) {
    const { challenger } = setUp({ algorithms: ["SHA-256", "MD5"] });
    const options = { stale: true };
    const write = (to: HeaderWriter) => challenger.writeChallenge(to, role, realm, options);
    const response = makeResponse(parseRequest([]), Challenger.statusCode(role), { write });
    const name = role === "proxy" ? "Proxy-Authenticate" : "WWW-Authenticate";
    const anyNonce = (value: string) => value.replace(/nonce="[^"]+"/, "nonce");
    assert.deepEqual(
      response.headers.rawAll(name).map((value) => [name, anyNonce(value)]),
      challenger.challenge(role, realm, options).map(([field, value]) => [field, anyNonce(value)]),
    );
  }
});

for (const [title, line, kind] of [
  ["§22.1: Basic is never accepted", "Basic YWxpY2U6emFuemliYXI=", "challenge"],
  ["RFC 4475 §3.3.7 (regaut01): an unknown scheme", "NoOneKnowsThisScheme opaque-data=here", "challenge"],
  ["credentials that are no list of parameters", 'Digest username="alice" realm', "malformed"],
] as const) {
  test(title, () => {
    const { challenger } = setUp();
    const request = parseRequest([["Authorization", line]]);
    assert.equal((challenger.verify("user agent", request, realm, ha1) as Verification).kind, kind);
  });
}
