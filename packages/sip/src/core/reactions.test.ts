// What the client does on each failure, as a table; the guards against loops. RFC 3261 §8.1.3.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Credentials } from "../auth/index.ts";
import { type HeaderInit, parseUri, type SipRequest, type SipResponse } from "../message/index.ts";
import { nodeHash } from "../node/index.ts";
import { catalogue } from "../responses/index.ts";
import { type IncomingRequest, Stack } from "../stack.ts";
import { Network, SeededRandom, VirtualClock, VirtualDriver } from "../testing/index.ts";
import { effectOf, reactions, reactionTo } from "./reactions.ts";
import { RetryGuard } from "./retry-guard.ts";
import { type ResponseContext, Uac, type UacOptions } from "./uac.ts";

interface Reply {
  readonly code: number;
  readonly headers?: readonly HeaderInit[];
}

/** Sends one request to a server that answers as told, and gives back everything that was sent. */
async function exchange(
  answer: (request: SipRequest, count: number) => Reply,
  options: {
    method?: string;
    uri?: string;
    headers?: readonly HeaderInit[];
    credentials?: Credentials;
    dialog?: "owner" | "other";
    uac?: Partial<UacOptions>;
  } = {},
) {
  const clock = new VirtualClock();
  const network = new Network({ clock, names: { "home.example": ["10.0.0.2"] } });
  const requests: SipRequest[] = [];
  const at: number[] = [];
  for (const address of ["10.0.0.2", "10.0.0.3", "10.0.0.4"]) {
    const driver = new VirtualDriver(network, address);
    const route = (incoming: IncomingRequest) => {
      if (incoming.request.method === "ACK") return;
      requests.push(incoming.request);
      at.push(clock.now());
      const { code, headers = [] } = answer(incoming.request, requests.length);
      incoming.respond(code, { headers });
    };
    const stack = new Stack({
      ...{ sink: driver, clock, random: new SeededRandom(2) },
      roles: { isOurs: () => true, route },
    });
    driver.attach(stack);
    driver.listen({ transport: "UDP" });
  }
  const driver = new VirtualDriver(network, "10.0.0.1");
  const random = new SeededRandom(1);
  const stack = new Stack({ sink: driver, clock, random });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  const uac = new Uac({ stack, clock, random, homeHost: "home.example", ...options.uac });
  const requestUri = parseUri(options.uri ?? "sip:bob@10.0.0.2");
  const plan = uac.plan({
    method: options.method ?? "MESSAGE",
    requestUri,
    from: { uri: parseUri("sip:alice@home.example"), params: new Map() },
    ...(requestUri.scheme.startsWith("sip") ? {} : { nextHop: parseUri("sip:home.example") }),
    headers: options.headers ?? [],
  });
  let outcome: [SipResponse, ResponseContext] | undefined;
  uac.send(
    plan,
    {
      onFinal: (response, context) => {
        outcome = [response, context];
      },
    },
    {
      ...(options.credentials === undefined ? {} : { auth: options.credentials.session() }),
      ...(options.dialog === undefined ? {} : { dialog: options.dialog }),
    },
  );
  assert(await clock.runUntil(() => outcome !== undefined));
  const [response, context] = outcome!;
  return { requests, at, code: response.statusCode, retries: context.retries, context };
}

/** The first answer, then 200. */
const once =
  (code: number, ...headers: HeaderInit[]) =>
  (_: SipRequest, count: number): Reply =>
    count === 1 ? { code, headers } : { code: 200 };

const credentials = new Credentials({
  credentials: [{ user: "alice", password: "secret" }],
  hash: nodeHash,
  random: new SeededRandom(8),
});
const challenge = (realm: string, nonce: string, more = "") =>
  ["WWW-Authenticate", `Digest realm="${realm}", nonce="${nonce}", qop="auth"${more}`] as const;

describe("§8.1.3.5: retries", () => {
  // section, failure, request, what is different the second time
  const rows: [
    string,
    Parameters<typeof once>,
    Parameters<typeof exchange>[1],
    (second: SipRequest) => unknown,
    unknown,
  ][] = [
    [
      "§22.2: 401",
      [401, challenge("r", "n")],
      { credentials },
      (r) => /username="alice", realm="r", nonce="n"/.test(r.headers.raw("Authorization") ?? ""),
      true,
    ],
    [
      "§22.3: 407",
      [407, ["Proxy-Authenticate", 'Digest realm="p", nonce="n"']],
      { credentials },
      (r) => r.headers.has("Proxy-Authorization"),
      true,
    ],
    [
      "§21.4.14: 416 for a tel: URI",
      [416],
      { uri: "tel:+1-555;ext=2" },
      (r) => r.requestUriText,
      "sip:+1-555;ext=2@home.example;user=phone",
    ],
    [
      "§21.4.15: 420",
      [420, ["Unsupported", "fancy"]],
      { headers: [["Require", "fancy, path"]] },
      (r) => r.headers.raw("Require"),
      "path",
    ],
    [
      "§21.4.15: 420, the only one",
      [420, ["Unsupported", "fancy"]],
      { headers: [["Proxy-Require", "fancy"]] },
      (r) => r.headers.has("Proxy-Require"),
      false,
    ],
    [
      "§21.4.16: 421",
      [421, ["Require", "timer"]],
      { headers: [["Supported", "path"]], uac: { supported: ["path", "timer"] } },
      (r) => r.headers.raw("Supported"),
      "path, timer",
    ],
    [
      "§21.4.17: 423",
      [423, ["Min-Expires", "120"]],
      {
        method: "REGISTER",
        headers: [
          ["Expires", 60],
          ["Contact", "<sip:a@10.0.0.1>;expires=60"],
        ],
      },
      (r) => [r.headers.raw("Expires"), r.headers.raw("Contact")],
      ["120", "<sip:a@10.0.0.1>;expires=120"],
    ],
    [
      "§21.4.17: 423 without Min-Expires",
      [423],
      { method: "REGISTER", headers: [["Expires", 60]] },
      (r) => r.headers.raw("Expires"),
      "3600",
    ],
    [
      "§8.1.3.4: 302",
      [302, ["Contact", "<sip:carol@10.0.0.3?Subject=moved&From=evil>"]],
      {},
      (r) => [r.requestUriText, r.headers.raw("Subject"), r.from.uri],
      ["sip:carol@10.0.0.3", "moved", parseUri("sip:alice@home.example")],
    ],
  ];
  for (const [title, failure, options, read, expected] of rows) {
    it(`${title}: again, changed: 200`, async () => {
      const { requests, code } = await exchange(once(...failure), options);
      assert.equal(code, 200);
      assert.equal(requests.length, 2);
      const [first, second] = requests;
      assert(first !== undefined && second !== undefined);
      assert.deepEqual(read(second), expected);
      // A new transaction of the same Call-ID, tags and all; CSeq one higher; no To tag outside dialogs.
      assert.deepEqual(
        [second.callId, second.from.tag, second.to.tag],
        [first.callId, first.from.tag, undefined],
      );
      assert.equal(second.cSeq.sequence, first.cSeq.sequence + 1);
      assert.notEqual(second.topVia.branch, first.topVia.branch);
    });
  }

  // failure, request: what must not be tried again
  const hopeless: [string, Parameters<typeof once>, Parameters<typeof exchange>[1]][] = [
    ["401 without credentials", [401, challenge("r", "n")], {}],
    ["416 for a sips: URI is never sent as sip:", [416], { uri: "sip:bob@10.0.0.2" }],
    ["420 for what was not asked", [420, ["Unsupported", "fancy"]], { headers: [["Require", "path"]] }],
    ["421 for what is not implemented", [421, ["Require", "fancy"]], {}],
    ["491 outside a dialog", [491], {}],
    ["302 to something that is no SIP URI", [302, ["Contact", "<mailto:bob@x>"]], {}],
    ["302 to the address that was asked", [302, ["Contact", "<sip:bob@10.0.0.2>"]], {}],
    [
      "302 with redirects switched off",
      [302, ["Contact", "<sip:bob@10.0.0.3>"]],
      { uac: { followRedirects: false } },
    ],
    ["302 inside a dialog", [302, ["Contact", "<sip:bob@10.0.0.3>"]], { dialog: "owner" }],
    ["404", [404], {}],
    ["an unknown 4xx", [499], {}],
    ["603", [603], {}],
  ];
  for (const [title, failure, options] of hopeless) {
    it(`${title}: not again`, async () => {
      const { requests, code, retries } = await exchange(once(...failure), options);
      assert.deepEqual([code, requests.length, retries], [failure[0], 1, 0]);
    });
  }
});

describe("a server that never gives in", () => {
  const rows: [
    number,
    (request: SipRequest, count: number) => Reply,
    Parameters<typeof exchange>[1],
    number,
  ][] = [
    [401, () => ({ code: 401, headers: [challenge("r", "same")] }), { credentials }, 2],
    [
      401,
      (_, count) => ({ code: 401, headers: [challenge("r", `n${count}`, ", stale=true")] }),
      { credentials },
      3,
    ],
    [401, (_, count) => ({ code: 401, headers: [challenge(`realm ${count}`, "n")] }), { credentials }, 6],
    [416, () => ({ code: 416 }), { uri: "tel:+1555" }, 2],
    [
      420,
      (_, count) => ({ code: 420, headers: [["Unsupported", count === 1 ? "a" : "b"]] }),
      { headers: [["Require", "a, b"]] },
      2,
    ],
    [421, () => ({ code: 421, headers: [["Require", "timer"]] }), { uac: { supported: ["timer"] } }, 2],
    [423, (_, count) => ({ code: 423, headers: [["Min-Expires", 100 * count]] }), { method: "REGISTER" }, 2],
    [491, () => ({ code: 491 }), { dialog: "owner" }, 2],
    [302, () => ({ code: 302, headers: [["Contact", "<sip:bob@10.0.0.2>"]] }), {}, 1],
    [302, (_, count) => ({ code: 302, headers: [["Contact", `<sip:bob${count}@10.0.0.2>`]] }), {}, 6],
    [503, () => ({ code: 503, headers: [["Retry-After", 1]] }), {}, 1],
  ];
  for (const [code, answer, options, count] of rows) {
    it(`${code}: ${count} requests, then the failure`, async () => {
      const result = await exchange(answer, options);
      assert.deepEqual([result.code, result.requests.length], [code, count]);
    });
  }
});

describe("§8.1.3.4: targets of a redirection", () => {
  it("go by q, each once, until one takes it", async () => {
    const contacts = "<sip:low@10.0.0.3>;q=0.2, <sip:high@10.0.0.4>;q=0.9, <sip:none@10.0.0.3>;q=0.5";
    const { requests, code } = await exchange((request, count) => {
      if (count === 1) return { code: 300, headers: [["Contact", contacts]] };
      return { code: request.requestUriText.includes("low") ? 200 : 486 };
    });
    assert.equal(code, 200);
    assert.deepEqual(
      requests.map((request) => request.requestUriText.slice(4, 8)),
      ["bob@", "high", "none", "low@"],
    );
  });

  it("a 6xx ends the search", async () => {
    const contacts = "<sip:a@10.0.0.3>, <sip:b@10.0.0.4>";
    const { requests, code } = await exchange((_, count) =>
      count === 1 ? { code: 302, headers: [["Contact", contacts]] } : { code: 603 },
    );
    assert.deepEqual([code, requests.length], [603, 2]);
  });
});

describe("§14.1: the wait after a 491", () => {
  for (const [dialog, least, most] of [
    ["owner", 2100, 4000],
    ["other", 0, 2000],
  ] as const) {
    it(`of the ${dialog} is ${least} to ${most} ms`, async () => {
      const { at, code } = await exchange(once(491), { dialog });
      const wait = (at[1] ?? 0) - (at[0] ?? 0) - 2;
      assert.equal(code, 200);
      assert(wait >= least && wait <= most && wait % 10 === 0, `${wait}`);
    });
  }
});

describe("§8.1.3.1: nobody answers", () => {
  it("a timeout is a 408 made here", async () => {
    const { code, context } = await exchange(once(200), { uri: "sip:bob@10.0.0.99" });
    assert.deepEqual(
      [code, context.origin, context.sent.requestUriText],
      [408, "timeout", "sip:bob@10.0.0.99"],
    );
  });
  it("no address is a 503 made here", async () => {
    const { code, context } = await exchange(once(200), { uri: "sip:bob@nowhere.example" });
    assert.deepEqual([code, context.origin, context.sent.cSeq.sequence], [503, "transport", 1]);
    assert.match(String(context.error), /nowhere/);
  });
});

describe("the table", () => {
  it("has rows for codes of the catalogue only, and a reaction for every code", () => {
    const codes = new Set<number>(catalogue.map(({ code }) => code));
    for (const code of Object.keys(reactions)) assert(codes.has(Number(code)), code);
    for (const code of codes) if (code >= 300) assert.notEqual(reactionTo(code).kind, undefined);
  });

  it("rows can be replaced", async () => {
    const { requests, code } = await exchange(once(420, ["Unsupported", "fancy"]), {
      headers: [["Require", "fancy"]],
      uac: { reactions: { 420: { kind: "final" } } },
    });
    assert.deepEqual([code, requests.length], [420, 1]);
  });

  it("RFC 5057: what a failure ends in a dialog", () => {
    const rows = [
      [481, "usage"],
      [408, "usage"],
      [404, "dialog"],
      [488, "transaction"],
      [491, "transaction"],
      [599, "transaction"],
    ] as const;
    for (const [code, effect] of rows) assert.equal(effectOf(code), effect, String(code));
  });
});

describe("the guard", () => {
  it("lets each code pass once, challenges always, five in all", () => {
    const guard = new RetryGuard();
    assert.deepEqual(
      [415, 415, 401, 407, 401, 420, 421].map((code) => guard.allows(code)),
      [true, false, true, true, true, true, false],
    );
    assert.equal(guard.count, 5);
  });
  it("wants Min-SE to rise with every 422", () => {
    const guard = new RetryGuard();
    assert.deepEqual(
      [90, 90, 120, 100].map((seconds) => guard.allows(422, seconds)),
      [true, false, true, false],
    );
  });
});
