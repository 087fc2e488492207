// What the client does on each failure, as a table; the guards against loops. RFC 3261 §8.1.3.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Credentials } from "../auth/index.ts";
import type { RequestContent } from "../dialog/index.ts";
import {
  type HeaderInit,
  parseUri,
  printMultipart,
  type SipRequest,
  type SipResponse,
} from "../message/index.ts";
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
    body?: RequestContent["body"];
    contentType?: string;
    alternatives?: RequestContent["alternatives"];
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
    ...(options.body === undefined ? {} : { body: options.body }),
    ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
    ...(options.alternatives === undefined ? {} : { alternatives: options.alternatives }),
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

const short = { body: "short", contentType: "text/plain" } as const;
const text = { body: "a long text", contentType: "text/plain" } as const;
const sdp = { body: "v=0 long", contentType: "application/sdp" } as const;
const content = (r: SipRequest) => [r.headers.raw("Content-Type"), new TextDecoder().decode(r.body)];

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
      "§21.3.4: 305",
      [305, ["Contact", "<sip:10.0.0.3>"]],
      {},
      (r) => [r.requestUriText, r.headers.raw("Route")],
      ["sip:bob@10.0.0.2", "<sip:10.0.0.3;lr>"],
    ],
    [
      "§21.4.7: 406",
      [406],
      { headers: [["Accept", "text/plain"]] },
      (r) => r.headers.raw("Accept"),
      "text/plain, application/sdp",
    ],
    [
      "§21.4.11: 413, a shorter alternative",
      [413],
      { ...text, alternatives: [{ body: "longer than the first", contentType: "a/b" }, short] },
      content,
      ["text/plain", "short"],
    ],
    ["§21.4.11: 413, no body", [413], { method: "OPTIONS", ...text }, content, [undefined, ""]],
    ["§21.4.11: 413, an INVITE without offer", [413], { method: "INVITE", ...sdp }, content, [undefined, ""]],
    [
      "§21.4.11: 413 for now: the same",
      [413, ["Retry-After", 5]],
      text,
      content,
      ["text/plain", "a long text"],
    ],
    [
      "§21.4.13: 415, an alternative of that type",
      [415, ["Accept", "text/*;q=0.5, image/png;q=0"]],
      { ...sdp, alternatives: [{ body: "i", contentType: "image/png" }, short] },
      content,
      ["text/plain", "short"],
    ],
    [
      "§21.4.13: 415, an alternative that is not encoded",
      [415, ["Accept-Encoding", "identity"]],
      { ...text, headers: [["Content-Encoding", "gzip"]], alternatives: [short] },
      (r) => [...content(r), r.headers.has("Content-Encoding")],
      ["text/plain", "short", false],
    ],
    [
      "§21.4.13: 415, an alternative in that language",
      [415, ["Accept-Language", "zh-tw"]],
      {
        ...text,
        headers: [["Content-Language", "en"]],
        alternatives: [{ ...short, headers: [["Content-Language", "zh-TW"]] }],
      },
      (r) => r.headers.raw("Content-Language"),
      "zh-TW",
    ],
    [
      "RFC 5621 §4.2: 415 for a multipart body, the part that is taken",
      [415, ["Accept", "application/sdp"]],
      {
        contentType: "multipart/mixed;boundary=b",
        body: printMultipart(
          [
            { type: "application/isup", body: "isup" },
            { type: "application/sdp", body: "v=0" },
          ],
          "b",
        ),
      },
      content,
      ["application/sdp", "v=0"],
    ],
    [
      "RFC 4028 §7.3: 422",
      [422, ["Min-SE", 120]],
      { method: "INVITE", headers: [["Session-Expires", "90;refresher=uac"]] },
      (r) => [r.headers.raw("Session-Expires"), r.headers.raw("Min-SE")],
      ["120;refresher=uac", "120"],
    ],
    [
      "§21.4.26: 488, another offer",
      [488],
      { method: "INVITE", ...sdp, alternatives: [short, { body: "v=1", contentType: "application/sdp" }] },
      content,
      ["application/sdp", "v=1"],
    ],
    [
      "§21.6.4: 606, another offer",
      [606],
      { method: "INVITE", ...sdp, alternatives: [{ body: "v=1", contentType: "application/sdp" }] },
      content,
      ["application/sdp", "v=1"],
    ],
    ["§21.5.1: 500", [500, ["Retry-After", 0]], text, content, ["text/plain", "a long text"]],
    ["§21.5.1: 500 without Retry-After", [500], { method: "OPTIONS" }, (r) => r.method, "OPTIONS"],
    ["§21.5.4: 503", [503, ["Retry-After", 3]], text, content, ["text/plain", "a long text"]],
    ["§21.5.7: 513", [513], { ...text, alternatives: [short] }, content, ["text/plain", "short"]],
    [
      "§8.1.3.2: 399, an unknown 3xx, as 300",
      [399, ["Contact", "<sip:carol@10.0.0.3>"]],
      {},
      (r) => r.requestUriText,
      "sip:carol@10.0.0.3",
    ],
    ["§8.1.3.2: 599, an unknown 5xx, as 500", [599, ["Retry-After", 2]], {}, (r) => r.method, "MESSAGE"],
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
    ["305 to two proxies", [305, ["Contact", "<sip:10.0.0.3>, <sip:10.0.0.4>"]], {}],
    [
      "305 with redirects switched off",
      [305, ["Contact", "<sip:10.0.0.3>"]],
      { uac: { followRedirects: false } },
    ],
    ["406 for what can be read", [406], { headers: [["Accept", "application/sdp"]] }],
    ["413 for what means nothing without a body", [413], text],
    ["413 for a re-INVITE", [413], { method: "INVITE", ...sdp, dialog: "owner" }],
    ["413 for longer than anybody waits", [413, ["Retry-After", 33]], text],
    [
      "415 that names what was sent (disposition)",
      [415, ["Accept", "text/plain"]],
      { ...text, alternatives: [short] },
    ],
    ["415 that names nothing", [415], { ...text, alternatives: [short] }],
    ["415 with nothing of that type", [415, ["Accept", "image/png"]], { ...text, alternatives: [short] }],
    ["422 without Min-SE", [422], { method: "INVITE" }],
    ["488 without another offer", [488], { method: "INVITE", ...sdp, alternatives: [short] }],
    ["500 without Retry-After", [500], {}],
    ["500 to a BYE", [500, ["Retry-After", 1]], { method: "BYE", dialog: "owner" }],
    ["503 without Retry-After", [503], {}],
    ["503 for longer than anybody waits", [503, ["Retry-After", 3600]], {}],
    ["503 in a dialog for longer than its 10 s", [503, ["Retry-After", 11]], { dialog: "other" }],
    ["513 with nothing shorter", [513], text],
    ["an unknown 4xx", [499], {}],
    ["603", [603], {}],
  ];
  for (const [title, failure, options] of hopeless) {
    it(`${title}: not again`, async () => {
      const { requests, code, retries } = await exchange(once(...failure), options);
      assert.deepEqual([code, requests.length, retries], [failure[0], 1, []]);
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
    [413, () => ({ code: 413, headers: [["Retry-After", 1]] }), {}, 2],
    [413, () => ({ code: 413 }), { method: "OPTIONS", ...text }, 2],
    [415, () => ({ code: 415, headers: [["Accept", "application/sdp"]] }), text, 1],
    [500, () => ({ code: 500, headers: [["Retry-After", 1]] }), {}, 2],
    [503, () => ({ code: 503, headers: [["Retry-After", 1]] }), {}, 2],
    [599, () => ({ code: 599, headers: [["Retry-After", 1]] }), {}, 2],
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

  // escapes hide line ends; compact names are the ones that §19.1.5 names; these could not even be printed
  for (const field of ["Subject=a%0d%0aX-Evil:%20b", "a%20b=c", "l=3", "v=SIP/2.0", "f=%3Csip:evil%40x%3E"]) {
    it(`§19.1.5: ?${field} is left out, what stands beside it not`, async () => {
      const contact = `<sip:carol@10.0.0.3?${field}&Priority=urgent>`;
      const { requests, code } = await exchange(once(302, ["Contact", contact]));
      assert.equal(code, 200);
      assert.equal(requests[1]?.headers.raw("Priority"), "urgent");
      const names = (request: SipRequest | undefined) =>
        Array.from(request?.headers.entries() ?? [], ([name]) => name.toLowerCase()).sort();
      assert.deepEqual(names(requests[1]), [...names(requests[0]), "priority"].sort());
    });
  }

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

  it("has a kind for each code from 300, and no other", () => {
    const kinds = {
      "next target": [300, 301, 302],
      "answer challenge": [401, 407],
      "retry with": [305, 406, 415, 416, 420, 421, 422, 423, 488, 513, 606],
      "wait, then retry": [413, 491, 500, 503],
    };
    for (const { code } of catalogue) {
      if (code < 300) continue;
      const [kind = "final"] = Object.entries(kinds).find(([, codes]) => codes.includes(code)) ?? [];
      assert.equal(reactionTo(code).kind, kind, String(code));
    }
  });

  it("RFC 5057 §5.1: what a failure ends in a dialog", () => {
    // Table 1: all others end the transaction. The notes make exceptions by method.
    const dialog = [404, 410, 416, 482, 483, 484, 485, 502, 604];
    const usage = [405, 408, 480, 481, 501];
    for (const { code } of catalogue) {
      if (code < 300) continue;
      const effect = dialog.includes(code) ? "dialog" : usage.includes(code) ? "usage" : "transaction";
      assert.equal(effectOf(code), effect, String(code));
    }
    for (const [code, method, effect] of [
      [405, "INFO", "transaction"],
      [501, "UPDATE", "transaction"],
      [405, "NOTIFY", "usage"],
      [489, "NOTIFY", "usage"],
      [481, "PRACK", "transaction"],
      [481, "INFO", "usage"],
      [480, "INFO", "usage"],
      [499, "INVITE", "transaction"],
      [599, "INVITE", "transaction"],
      [699, "INVITE", "transaction"],
    ] as const)
      assert.equal(effectOf(code, method), effect, `${code} ${method}`);
  });
});

describe("the guard", () => {
  it("lets each code pass once, challenges always, five in all", () => {
    const guard = new RetryGuard();
    assert.deepEqual(
      [415, 415, 401, 407, 401, 420, 421].map((code) => guard.allows(code)),
      [true, false, true, true, true, true, false],
    );
  });
  it("wants Min-SE to rise with every 422", () => {
    const guard = new RetryGuard();
    assert.deepEqual(
      [90, 90, 120, 100].map((seconds) => guard.allows(422, seconds)),
      [true, false, true, false],
    );
  });
});
