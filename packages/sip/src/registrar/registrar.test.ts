// REGISTER from bytes to response: the eight steps of §10.3, Path, SIPS, digest.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Challenger, Credentials, computeHa1 } from "../auth/index.ts";
import { isSipUri, makeResponse, parseMessage, SipRequest, SipResponse } from "../message/index.ts";
import { nodeHash as hash, nodeRandom as random } from "../node/index.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";
import type { Flow } from "../transport/flow.ts";
import { MemoryLocationService } from "./location-service.ts";
import { Registrar, type RegistrarOptions } from "./registrar.ts";

const flow: Flow = {
  ...{ id: "0.0.1.0", transport: "UDP", isReliable: false, state: "open" },
  listener: { id: 1, transport: "UDP", address: "192.0.2.9", port: 5060 },
  remote: { address: "192.0.2.1", port: 5061 },
};
const encoder = new TextEncoder();

function setUp(options: Partial<RegistrarOptions> = {}, limits: { maxBindings?: number } = {}) {
  const clock = {
    time: Date.UTC(2026, 10, 23, 5, 2, 32),
    now: () => clock.time,
    schedule: () => ({ cancel: () => {} }),
  };
  const locations = new MemoryLocationService({ clock, random, ...limits });
  const registrar = new Registrar({
    ...{ locations, clock, isOurDomain: (host: string) => host === "example.com" },
    ...options,
  });
  return { clock, locations, registrar };
}

let sequence = 0;

/** A REGISTER with these lines; CSeq rises by itself. */
function makeRequest(
  lines: readonly string[],
  options: { uri?: string; to?: string; from?: string } = {},
): SipRequest {
  const { uri = "sip:example.com", to = "<sip:alice@example.com>", from = to } = options;
  const hasCSeq = lines.some((line) => line.startsWith("CSeq:"));
  const text = [
    `REGISTER ${uri} SIP/2.0`,
    "Via: SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKx;rport=5061;received=192.0.2.1",
    `From: ${from};tag=f`,
    `To: ${to}`,
    `Call-ID: call-1\r\nMax-Forwards: 70`,
    ...(hasCSeq ? [] : [`CSeq: ${++sequence} REGISTER`]),
    ...lines,
    "Content-Length: 0\r\n\r\n",
  ].join("\r\n");
  const request = parseMessage(encoder.encode(text));
  assert.ok(request instanceof SipRequest);
  return request;
}

/** What the registrar answers, read back from its bytes. */
async function send(registrar: Registrar, request: SipRequest): Promise<SipResponse> {
  const responses: SipResponse[] = [];
  const incoming: IncomingRequest = {
    ...{ request, borrowed: request, flow, transaction: undefined, receivedAt: 0 },
    respond(statusCode: number, options?: RespondOptions) {
      const made = makeResponse(request, statusCode, { toTag: "t", ...options });
      const read = parseMessage(made.bytes);
      assert.ok(read instanceof SipResponse);
      responses.push(read);
      return true;
    },
    withRequest: () => incoming,
  };
  await registrar.handle(incoming);
  assert.equal(responses.length, 1);
  return responses[0]!;
}

const contact = "Contact: <sip:alice@192.0.2.1:5061>";
const bound = (response: SipResponse) => response.headers.rawAll("Contact");

for (const [title, lines, expected] of [
  ["no expiry asked for: the default", [contact], ["<sip:alice@192.0.2.1:5061>;expires=3600"]],
  ["Expires", [contact, "Expires: 120"], ["<sip:alice@192.0.2.1:5061>;expires=120"]],
  [
    "the parameter comes before Expires",
    [`${contact};expires=180`, "Expires: 120"],
    ["<sip:alice@192.0.2.1:5061>;expires=180"],
  ],
  ["more than we grant", [`${contact};expires=999999`], ["<sip:alice@192.0.2.1:5061>;expires=7200"]],
  [
    "§20.10: a malformed parameter counts as 3600",
    [`${contact};expires=soon`, "Expires: 120"],
    ["<sip:alice@192.0.2.1:5061>;expires=3600"],
  ],
  [
    "a number beyond 32 bits is cut to what we grant",
    [`${contact};expires=99999999999`],
    ["<sip:alice@192.0.2.1:5061>;expires=7200"],
  ],
  [
    "of two parameters with one name the first counts, in whatever case",
    ["Contact: <sip:a@h>;EXPIRES=60;expires=90;Q=0.5;q=0.7;X=1;x=2"],
    ["<sip:a@h>;expires=60;q=0.5;x=1"],
  ],
  [
    "§20.10: a parameter without value is malformed",
    [`${contact};expires`],
    ["<sip:alice@192.0.2.1:5061>;expires=3600"],
  ],
  [
    "an Expires that is no number does not count",
    [contact, "Expires: soon"],
    ["<sip:alice@192.0.2.1:5061>;expires=3600"],
  ],
  ["zero for what is not bound", [`${contact};expires=0`], []],
  [
    "several contacts on one line, with q and other parameters",
    [
      'Contact: "A, B" <sip:a@h>;q=0.7;expires=60, sip:b@h;q=0.2, <sip:c@h;transport=tcp>;methods="INVITE,BYE";+sip.instance="<urn:uuid:1>"',
    ],
    [
      "<sip:a@h>;expires=60;q=0.7",
      "<sip:b@h>;expires=3600;q=0.2",
      '<sip:c@h;transport=tcp>;expires=3600;+sip.instance="<urn:uuid:1>";methods="INVITE,BYE"',
    ],
  ],
  [
    "quotes in the values of parameters stay escaped",
    [String.raw`Contact: <sip:a@h>;+sip.instance="<urn:x:a\"b>";+x="q\"y"`],
    [String.raw`<sip:a@h>;expires=3600;+sip.instance="<urn:x:a\"b>";+x="q\"y"`],
  ],
  [
    "RFC 4475 §3.3.12–14: parameters of header and URI, escaped header fields survive",
    [
      "Contact: sip:+19725552222@gw1.example.net;unknownparam",
      "Contact: <sip:a@h;unknownparam>",
      "Contact: <sip:u@h?Route=%3Csip:sip.example.com%3E>",
    ],
    [
      "<sip:+19725552222@gw1.example.net>;expires=3600;unknownparam",
      "<sip:a@h;unknownparam>;expires=3600",
      "<sip:u@h?Route=%3Csip:sip.example.com%3E>;expires=3600",
    ],
  ],
] as const) {
  test(`§10.3 steps 7–8: ${title}`, async () => {
    const { registrar } = setUp();
    const response = await send(registrar, makeRequest(lines));
    assert.equal(response.statusCode, 200);
    assert.deepEqual(bound(response), expected);
    assert.equal(response.headers.raw("Date"), "Mon, 23 Nov 2026 05:02:32 GMT");
  });
}

for (const [title, lines, options, status, reason, header] of [
  ["step 1: a domain that is not ours", [contact], { uri: "sip:other.example" }, 404, /Registrar/, undefined],
  ["step 1: tel is no domain", [contact], { uri: "tel:+15551234" }, 404, /Registrar/, undefined],
  [
    "step 2: extensions that we do not know",
    [contact, "Require: path, foo", "Require: Bar"],
    {},
    420,
    /Extension/,
    "Unsupported: foo, Bar",
  ],
  [
    "step 5: To of another domain",
    [contact],
    { to: "<sip:alice@other.example>" },
    404,
    /Not Found/,
    undefined,
  ],
  [
    "step 5, RFC 4475 §3.3.4 (unksm2): To of another scheme",
    [contact],
    { to: "<isbn:2983792873>", from: "<sip:a@b>" },
    400,
    /To/,
    undefined,
  ],
  ["step 6: * without Expires", ["Contact: *"], {}, 400, /\*/, undefined],
  ["step 6: * with an expiry", ["Contact: *", "Expires: 60"], {}, 400, /\*/, undefined],
  ["step 6: * with another contact", ["Contact: *", contact, "Expires: 0"], {}, 400, /\*/, undefined],
  ["step 7: an expiry below the minimum", [`${contact};expires=59`], {}, 423, /Brief/, "Min-Expires: 60"],
  [
    "step 7: one such contact refuses all",
    [contact, "Contact: <sip:b@h>;expires=1"],
    {},
    423,
    /Brief/,
    "Min-Expires: 60",
  ],
  [
    "RFC 5626 §6: several contacts with reg-id",
    [contact, "Contact: <sip:b@h>;reg-id=1"],
    {},
    400,
    /reg-id/,
    undefined,
  ],
  [
    "RFC 5630 §5.2: a SIPS contact, Request-URI not SIPS",
    ["Contact: <sips:a@h>"],
    {},
    400,
    /SIPS/,
    undefined,
  ],
  [
    "RFC 5630 §5.2: a SIPS contact beside another",
    ["Contact: <sips:a@h>", contact],
    { uri: "sips:example.com" },
    400,
    /SIPS/,
    undefined,
  ],
  [
    "RFC 5630 §5.2: a SIPS contact, Path not SIPS",
    ["Contact: <sips:a@h>", "Path: <sip:p;lr>"],
    { uri: "sips:example.com" },
    400,
    /SIPS/,
    undefined,
  ],
] as const) {
  test(`§10.3 ${title}: ${status}, nothing changed`, async () => {
    const { registrar, locations } = setUp();
    const response = await send(registrar, makeRequest(lines, options));
    assert.equal(response.statusCode, status);
    assert.match(response.reasonPhrase, reason);
    if (header !== undefined) {
      const [name = "", value] = header.split(": ");
      assert.equal(response.headers.raw(name), value);
    }
    assert.equal(locations.bindingCount, 0);
  });
}

test("§10.3 step 7: an hour or more is never too brief, zero neither", async () => {
  const { registrar } = setUp({ minExpires: 7200 });
  for (const [expires, status] of [
    [3599, 423],
    [3600, 200],
    [0, 200],
  ] as const) {
    assert.equal((await send(registrar, makeRequest([`${contact};expires=${expires}`]))).statusCode, status);
  }
});

test("RFC 5630 §5.2: a SIPS contact with everything SIPS; sip and sips name the same user", async () => {
  const { registrar, locations } = setUp();
  const lines = ["Contact: <sips:a@h>", "Path: <sips:p;lr>", "Supported: path"];
  const options = { uri: "sips:example.com", to: "<sips:alice@example.com>" };
  assert.equal((await send(registrar, makeRequest(lines, options))).statusCode, 200);
  assert.equal(locations.lookup("sip:alice@example.com").length, 1);
});

test("§10.3 step 6, §10.2.3: without Contact the bindings are listed; time runs", async () => {
  const { clock, registrar } = setUp();
  await send(registrar, makeRequest([contact]));
  clock.time += 100_500;
  const response = await send(registrar, makeRequest([]));
  assert.deepEqual(bound(response), ["<sip:alice@192.0.2.1:5061>;expires=3500"]);
});

test("the User-Agent is kept with the binding: folded, in UTF-8, or cut where it is too long", async () => {
  const { registrar, locations } = setUp();
  for (const [text, kept] of [
    ["Deskphone 7", "Deskphone 7"],
    ["Telefón\r\n 7", "Telefón 7"],
    ["x".repeat(300), "x".repeat(200)],
  ] as const) {
    await send(registrar, makeRequest([contact, `User-Agent: ${text}`]));
    assert.equal(locations.lookup("sip:alice@example.com")[0]?.userAgent, kept);
  }
});

test("§10.3 step 6: * with Expires 0 removes all", async () => {
  const { registrar, locations } = setUp();
  await send(registrar, makeRequest([contact, "Contact: <sip:b@h>"]));
  const response = await send(registrar, makeRequest(["Contact: *", "Expires: 0"]));
  assert.equal(response.statusCode, 200);
  assert.deepEqual(bound(response), []);
  assert.equal(locations.bindingCount, 0);
});

test("§10.3 step 7: a CSeq that does not rise fails the request with 500", async () => {
  const { registrar, locations } = setUp();
  await send(registrar, makeRequest([contact, "CSeq: 1000000 REGISTER"]));
  const response = await send(registrar, makeRequest([`${contact};expires=0`, "CSeq: 1000000 REGISTER"]));
  assert.equal(response.statusCode, 500);
  assert.equal(locations.bindingCount, 1);
});

test("§10.3 step 5: escapes and parameters of To are gone from the address-of-record", async () => {
  const { registrar, locations } = setUp();
  await send(registrar, makeRequest([contact], { to: "<sip:%61lice@EXAMPLE.com:5060;user=phone>" }));
  assert.equal(locations.lookup("sip:alice@example.com").length, 1);
});

test("more registrations than allowed: 403", async () => {
  const { registrar } = setUp({}, { maxBindings: 1 });
  const response = await send(registrar, makeRequest([contact, "Contact: <sip:b@h>"]));
  assert.equal(response.statusCode, 403);
});

test("more contacts than any device has: 403, without comparing them all", async () => {
  const { registrar } = setUp();
  const many = Array.from({ length: 300 }, (_, i) => `<sip:${i}@h>`).join(",");
  assert.equal((await send(registrar, makeRequest([`Contact: ${many}`]))).statusCode, 403);
});

test("RFC 3327 §5.3: the Path is kept in order and shown in the 200", async () => {
  const { registrar, locations } = setUp();
  const path = ["<sip:p3.example.com;lr>", "<sip:p1.example.com;lr>"];
  const lines = [contact, `Path: ${path[0]},${path[1]}`, "Supported: path", "Require: path"];
  const response = await send(registrar, makeRequest(lines));
  assert.deepEqual(response.headers.rawAll("Path"), path);
  assert.deepEqual(locations.lookup("sip:alice@example.com")[0]?.path, path);
});

for (const [unsupportedPath, supported, status] of [
  ["accept", [], 200],
  ["reject", [], 420],
  ["reject", ["Supported: gruu, PATH"], 200],
  ["reject", ["Require: path"], 200],
] as const) {
  test(`RFC 3327 §5.3: Path, ${supported[0] ?? "unsupported"}, policy ${unsupportedPath}: ${status}`, async () => {
    const { registrar } = setUp({ unsupportedPath });
    const response = await send(registrar, makeRequest([contact, "Path: <sip:p;lr>", ...supported]));
    assert.equal(response.statusCode, status);
    if (status === 420) assert.equal(response.headers.raw("Unsupported"), "path");
  });
}

test("a malformed Contact is a ParseError for the stack to answer", async () => {
  const { registrar } = setUp();
  await assert.rejects(async () => send(registrar, makeRequest(["Contact: <sip:a@h"])), {
    name: "ParseError",
    status: 400,
  });
});

test("§10.3 step 7: a store that fails leaves the answer to the stack (500), and says nothing else", async () => {
  const { registrar } = setUp({
    locations: { update: () => Promise.reject(new Error("disk full")), lookup: () => [] },
  });
  await assert.rejects(async () => send(registrar, makeRequest([contact])), /disk full/);
});

function setUpDigest(options: Partial<RegistrarOptions> = {}) {
  const clock = { now: () => 1_800_000_000_000 };
  const challenger = new Challenger({ clock, hash, random });
  const ha1 = (user: string, realm: string, algorithm: "MD5" | "SHA-256" | "SHA-512-256") =>
    computeHa1(hash, algorithm, { user, realm, password: `secret of ${user}` });
  const authentication = { challenger, ha1, realm: (host: string) => host };
  const made = setUp({ authentication, ...options });
  const credentials = new Credentials({
    ...{ hash, random, credentials: [{ user: "alice", password: "secret of alice" }] },
  });
  return { ...made, attempt: credentials.session().attempt() };
}

test("§10.3 step 3: 401, then in; Require comes first, To after", async () => {
  const { registrar, attempt } = setUpDigest();
  assert.equal((await send(registrar, makeRequest([contact, "Require: foo"]))).statusCode, 420);
  const challenge = await send(registrar, makeRequest([contact], { to: "<sip:alice@other.example>" }));
  assert.equal(challenge.statusCode, 401);
  assert.equal(attempt.challenged(challenge).kind, "retry");
  const answer = () => {
    const [header] = attempt.headers({ method: "REGISTER", uri: "sip:example.com" });
    return `${header?.[0]}: ${header?.[1]}`;
  };
  const accepted = await send(registrar, makeRequest([contact, answer()]));
  assert.equal(accepted.statusCode, 200);
  assert.equal(bound(accepted).length, 1);
});

test("§10.3 step 4: registering for somebody else is 403, unless the policy lets it", async () => {
  for (const [options, status] of [
    [{}, 403],
    [{ authorize: () => Promise.resolve(true) }, 200],
    [
      {
        authorize: (user: string | undefined, to: { user?: string }) => user === "alice" && to.user === "bob",
      },
      200,
    ],
  ] as const) {
    const { registrar, attempt, locations } = setUpDigest(options);
    const third = { to: "<sip:bob@example.com>", from: "<sip:alice@example.com>" };
    attempt.challenged(await send(registrar, makeRequest([contact], third)));
    const [header] = attempt.headers({ method: "REGISTER", uri: "sip:example.com" });
    const response = await send(registrar, makeRequest([contact, `${header?.[0]}: ${header?.[1]}`], third));
    assert.equal(response.statusCode, status);
    assert.equal(locations.bindingCount, status === 200 ? 1 : 0);
  }
});

test("§10.3 step 4: a password for one domain's realm changes nothing in another domain", async () => {
  for (const [to, status] of [
    ["<sip:alice@example.com>", 200],
    ["<sip:alice@example.org>", 403],
  ] as const) {
    const { registrar, attempt, locations } = setUpDigest({
      isOurDomain: (host) => host === "example.com" || host === "example.org",
      authorize: () => true,
    });
    attempt.challenged(await send(registrar, makeRequest([contact], { to })));
    const [header] = attempt.headers({ method: "REGISTER", uri: "sip:example.com" });
    const response = await send(registrar, makeRequest([contact, `${header?.[0]}: ${header?.[1]}`], { to }));
    assert.equal(response.statusCode, status);
    assert.equal(locations.bindingCount, status === 200 ? 1 : 0);
  }
});

test("§10.3 step 5: users that do not exist get 404; aliases lead to their user", async () => {
  const { registrar, locations } = setUp({
    addressOfRecord: (to) => (isSipUri(to) && to.user === "100" ? "sip:alice@example.com" : undefined),
  });
  assert.equal(
    (await send(registrar, makeRequest([contact], { to: "<sip:ghost@example.com>" }))).statusCode,
    404,
  );
  assert.equal(
    (await send(registrar, makeRequest([contact], { to: "<sip:100@example.com>" }))).statusCode,
    200,
  );
  assert.equal(locations.lookup("sip:alice@example.com").length, 1);
});
