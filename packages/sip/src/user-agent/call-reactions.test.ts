// What user agents do on failures, as calls, requests and registrations see it: the next request on the wire, what
// ends, what the application is told, and that nothing goes on for ever. RFC 3261 §8.1.3, §12.2.1.2, §14.1; RFC 5057.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explain, maxRetries } from "../core/index.ts";
import { Rejected } from "../errors.ts";
import { type HeaderInit, makeResponse, type SipRequest } from "../message/index.ts";
import { catalogue } from "../responses/index.ts";
import type { IncomingRequest } from "../stack.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import type { CallOptions, UserAgentOptions } from "./user-agent-options.ts";

type Answer = readonly [statusCode: number, ...headers: HeaderInit[]];

const credentials = { user: "alice", password: "secret" };
const challenge: HeaderInit = ["WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'];
const proxyChallenge: HeaderInit = ["Proxy-Authenticate", 'Digest realm="p", nonce="n"'];

/** Alice, and Bob who answers requests outside dialogs as told, then as he would by himself. */
function meet(
  answer: (request: SipRequest, count: number) => Answer | undefined,
  options: Partial<UserAgentOptions> = {},
) {
  const bed = new Testbed();
  const alice = bed.agent("alice", { registrar: "sip:10.0.0.2", ...options });
  const bob = bed.agent("bob");
  const { handle } = bob.ua;
  let count = 0;
  bob.ua.handle = async (incoming: IncomingRequest) => {
    if (incoming.request.method === "ACK") return;
    const given = answer(incoming.request, ++count);
    if (given === undefined) await handle.call(bob.ua, incoming);
    else incoming.respond(given[0], { headers: given.slice(1) as HeaderInit[] });
  };
  bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
  bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
  return { bed, alice, bob };
}

const bodyOf = (request: SipRequest | undefined) => new TextDecoder().decode(request?.body);

describe("an INVITE that is refused once, and then taken", () => {
  const here = sdpOf("alice");
  const other = sdpOf("alice", 40_002);
  const shorter = here.replace("a=sendrecv\r\n", "");
  // section, answer, what the caller may do, what the second INVITE has
  const rows: [
    string,
    Answer,
    CallOptions,
    Partial<UserAgentOptions>,
    (r: SipRequest) => unknown,
    unknown,
  ][] = [
    ["§22.2: 401", [401, challenge], {}, { credentials }, (r) => r.headers.has("Authorization"), true],
    [
      "§22.3: 407",
      [407, proxyChallenge],
      {},
      { credentials },
      (r) => r.headers.has("Proxy-Authorization"),
      true,
    ],
    ["§21.4.11: 413", [413], {}, {}, bodyOf, ""],
    ["§21.4.11: 413, a shorter offer", [413], { fallbackOffers: [shorter] }, {}, bodyOf, shorter],
    ["§21.5.7: 513", [513], {}, {}, bodyOf, ""],
    [
      "§21.4.15: 420",
      [420, ["Unsupported", "100rel"]],
      { reliableProvisionals: "required" },
      {},
      (r) => [r.headers.has("Require"), r.headers.raw("Supported")],
      [false, "100rel"],
    ],
    [
      "§21.4.16: 421",
      [421, ["Require", "100rel"]],
      { reliableProvisionals: "off" },
      {},
      (r) => r.headers.raw("Supported"),
      "100rel",
    ],
    ["§21.4.26: 488, another offer", [488], { fallbackOffers: [other] }, {}, bodyOf, other],
    ["§21.6.4: 606, another offer", [606], { fallbackOffers: [other] }, {}, bodyOf, other],
    ["§21.5.1: 500", [500, ["Retry-After", 5]], {}, {}, bodyOf, here],
    ["§21.5.4: 503", [503, ["Retry-After", 5]], {}, {}, bodyOf, here],
  ];
  for (const [title, refusal, options, agent, read, expected] of rows) {
    it(`${title}: the call is answered`, async () => {
      const told: number[] = [];
      const { bed, alice, bob } = meet((_, count) => (count === 1 ? refusal : undefined), {
        ...agent,
        onRetry: ({ response }) => void told.push(response.statusCode),
      });
      const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: here, ...options }));
      const [first, second, ...more] = bed.requests("INVITE");
      assert(first !== undefined && second !== undefined);
      assert.deepEqual(read(second), expected);
      assert.deepEqual(more, []);
      assert.deepEqual([second.callId, second.from.tag], [first.callId, first.from.tag]);
      assert.deepEqual([second.cSeq.sequence, second.to.tag], [first.cSeq.sequence + 1, undefined]);
      assert.deepEqual(told, [refusal[0]]);
      // Offer and answer are where they belong: in INVITE and 200, or in 200 and ACK (§13.2.1).
      const ack = bed.requests("ACK").at(-1);
      assert.equal(ack?.body.length === 0, second.body.length > 0);
      assert(call.remoteDescription?.startsWith("v=0"));
      assert.equal(call.localDescription, bodyOf(second) || bodyOf(ack));
      await bed.settle(call.hold());
      await bed.settle(call.hangUp());
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
      assert.deepEqual(bed.errors, []);
    });
  }

  it("`fallbackOffers` go with an offer of the application's own", () => {
    const { alice, bob } = meet(() => undefined);
    assert.throws(() => alice.ua.call(bob.uri, { fallbackOffers: ["v=0"] }), { code: "SIP_ARGUMENT" });
  });
});

describe("a peer that always says the same", () => {
  const self = (request: SipRequest): HeaderInit => ["Contact", `<${request.requestUriText}>`];
  // code, answer, requests until the failure is final
  const rows: [number, (request: SipRequest, count: number) => Answer, number][] = [
    [302, (request) => [302, self(request)], 1],
    [302, (request, count) => [302, ["Contact", `<${request.requestUriText};x=${count}>`]], 6],
    [305, (request) => [305, self(request)], 2],
    [401, () => [401, challenge], 2],
    [
      401,
      (_, count) => [
        401,
        ["WWW-Authenticate", `Digest realm="r", nonce="n${count}", qop="auth", stale=true`],
      ],
      3,
    ],
    [401, (_, count) => [401, ["WWW-Authenticate", `Digest realm="${count}", nonce="n"`]], maxRetries + 1],
    [407, () => [407, proxyChallenge], 2],
    [413, () => [413], 2],
    [413, () => [413, ["Retry-After", 1]], 2],
    [415, () => [415, ["Accept", "text/plain"]], 2],
    [420, (_, count) => [420, ["Unsupported", count === 1 ? "a" : "b"]], 2],
    [421, () => [421, ["Require", "100rel"]], 2],
    [422, () => [422, ["Min-SE", 100]], 2],
    [422, (_, count) => [422, ["Min-SE", 100 * count]], maxRetries + 1],
    [423, (_, count) => [423, ["Min-Expires", 7200 * count]], 2],
    [488, () => [488], 2],
    [491, () => [491], 1],
    [500, () => [500, ["Retry-After", 1]], 2],
    [503, () => [503, ["Retry-After", 1]], 2],
    [399, (request, count) => [399, ["Contact", `<${request.requestUriText};x=${count}>`]], 6],
    [599, () => [599, ["Retry-After", 1]], 2],
  ];
  const fallback = { body: "x", contentType: "text/plain" };
  for (const [code, answer, expected] of rows) {
    it(`${code}: ${expected} requests of each kind, then it is told`, async () => {
      const { bed, alice, bob } = meet(answer, { credentials });
      const content = { headers: [["Require", "a, b"] as const] };
      const ways: Record<string, () => Promise<unknown>> = {
        INVITE: () =>
          alice.ua.invite(bob.uri, {
            ...{ sdp: sdpOf("alice"), fallbackOffers: ["v=0\r\n"], reliableProvisionals: "off" as const },
            ...content,
          }),
        OPTIONS: () =>
          alice.ua.options(bob.uri, {
            ...content,
            body: "longer",
            contentType: "a/b",
            alternatives: [fallback],
          }),
        MESSAGE: () => alice.ua.message(bob.uri, "longer", { ...content, alternatives: [fallback] }),
        REGISTER: () => alice.ua.register({ ...content, expires: 60 }),
      };
      // What does not apply to a method is final at once.
      const only: Record<number, string[]> = {
        415: ["OPTIONS"],
        421: ["INVITE"],
        422: ["INVITE"],
        488: ["INVITE"],
        423: ["REGISTER"],
      };
      for (const method of only[code] ?? Object.keys(ways)) {
        // §21.4.11: a REGISTER has no body to leave out.
        const isPossible = !(
          code === 413 &&
          method === "REGISTER" &&
          answer({} as SipRequest, 1).length === 1
        );
        const before = bed.requests(method).length;
        let failure: unknown;
        await bed.settle(ways[method]!().catch((error: unknown) => (failure = error)));
        assert(failure instanceof Rejected, `${method}: ${failure}`);
        assert.equal(failure.statusCode, code);
        const requests = bed.requests(method).length - before;
        const wanted = isPossible ? expected : 1;
        // Sent 32 s after the last answer: nothing more.
        await bed.clock.run(60_000);
        assert.equal(bed.requests(method).length - before, requests);
        if (code === 420 || code === 302 || code === 399 || code === 422 || (code === 401 && expected > 3)) {
          assert(requests <= wanted && requests > 0, `${method}: ${requests}`);
        } else assert.equal(requests, wanted, method);
        assert.equal(failure.retries.length, requests - 1);
      }
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }

  it("a registration that keeps trying does so more and more slowly, whatever it is told", async () => {
    for (const [answer, least, most] of [
      [[500, ["Retry-After", 30]], 100, 130],
      [[503], 3, 8],
      [[480], 3, 8],
    ] as const) {
      const { bed, alice } = meet(() => answer as Answer);
      const registration = alice.ua.registration({ keepTrying: true });
      registration.start().catch(() => {});
      await bed.clock.run(3_600_000);
      const count = bed.requests("REGISTER").length;
      assert(count >= least && count <= most, `${answer}: ${count} in an hour`);
      assert.notEqual(registration.state, "failed");
      await bed.close();
    }
  });
});

describe("whoever gives up is left in peace", () => {
  for (const [code, headers] of [
    [413, [["Retry-After", 20]]],
    [500, [["Retry-After", 20]]],
    [503, [["Retry-After", 20]]],
  ] as [number, HeaderInit[]][]) {
    it(`while it waits after a ${code}: no second INVITE`, async () => {
      const { bed, alice, bob } = meet(() => [code, ...headers]);
      const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice") });
      await bed.clock.run(5000);
      assert.equal(call.state, "calling");
      const end = await bed.settle(call.hangUp());
      assert.deepEqual([end.cause, end.response?.statusCode], ["canceled", code]);
      await bed.clock.run(60_000);
      assert.equal(bed.requests("INVITE").length, 1);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }

  it("a message whose signal is aborted while it waits", async () => {
    const { bed, alice, bob } = meet(() => [503, ["Retry-After", 20]]);
    const controller = new AbortController();
    const sent = alice.ua.message(bob.uri, "x", { signal: controller.signal });
    const outcome = assert.rejects(sent, { name: "AbortError" });
    await bed.clock.run(5000);
    controller.abort();
    await bed.settle(outcome);
    await bed.clock.run(60_000);
    assert.equal(bed.requests("MESSAGE").length, 1);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("the application takes a row away, or makes one", async () => {
    const { bed, alice, bob } = meet(() => [503, ["Retry-After", 1]], {
      reactions: { 503: { kind: "final" } },
    });
    await assert.rejects(bed.settle(alice.ua.message(bob.uri, "x")), { statusCode: 503 });
    assert.equal(bed.requests("MESSAGE").length, 1);
    await bed.close();
    const again = meet((_, count) => (count < 3 ? [486] : undefined), {
      reactions: { 486: { kind: "wait, then retry", delay: () => 1000 } },
    });
    // Each code once: the second 486 is final.
    await assert.rejects(again.bed.settle(again.alice.ua.message(again.bob.uri, "x")), { retries: [486] });
    await again.bed.close();
  });

  it("a row of the application's that throws: the failure is final, and the error told", async () => {
    const { bed, alice, bob } = meet(() => [486], {
      reactions: {
        486: {
          kind: "retry with",
          change() {
            throw new TypeError("bug");
          },
        },
      },
    });
    await assert.rejects(bed.settle(alice.ua.message(bob.uri, "x")), { statusCode: 486 });
    assert.deepEqual(bed.errors.map(String), ["TypeError: bug"]);
    await bed.close();
  });
});

describe("RFC 5057 §5.1: a failure inside a call", () => {
  // Each code by method: "" the call goes on, "BYE" it is over.
  const dialog = [404, 410, 416, 482, 483, 484, 485, 502, 604];
  const usage = [408, 480, 481];
  const ends = (code: number, method: string) =>
    dialog.includes(code) || usage.includes(code) || ([405, 501].includes(code) && method === "INVITE");
  const codes = catalogue.map(({ code }) => code).filter((code) => code >= 300);
  for (const method of ["INVITE", "UPDATE", "INFO"]) {
    for (const code of [...codes, 399, 499, 599, 699]) {
      // RFC 4320 §4.2: nobody sends a 408 to another method.
      if (code === 408 && method !== "INVITE") continue;
      const isOver = ends(code, method);
      it(`${code} to ${method}: ${isOver ? "BYE" : "the call goes on"}`, async () => {
        const bed = new Testbed();
        const alice = bed.agent("alice", { update: method === "UPDATE" });
        const bob = bed.agent("bob", { update: method === "UPDATE" });
        bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
        const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
        const { deliver } = bob.ua;
        bob.ua.deliver = (incoming) =>
          incoming.request.method === method ? incoming.respond(code) : deliver.call(bob.ua, incoming);
        const refused = bed.settle<unknown>(
          method === "INVITE"
            ? call.hold()
            : method === "UPDATE"
              ? call.update()
              : call.request("INFO", { body: "x", contentType: "a/b" }),
        );
        await assert.rejects(refused, (error) => error instanceof Rejected && error.statusCode === code);
        // §14.1: the session is as it was.
        assert.deepEqual([call.isOnHold, call.localDescription?.includes("sendrecv")], [false, true]);
        await bed.clock.run(100);
        assert.equal(call.state, isOver ? "ended" : "established");
        assert.equal(bed.requests("BYE").length, isOver ? 1 : 0);
        if (isOver) assert.equal((await call.ended).cause, "no dialog");
        bob.ua.deliver = deliver;
        await bed.close();
        assert.deepEqual(bed.leftovers, []);
      });
    }
  }

  for (const method of ["INVITE", "INFO"]) {
    it(`§12.2.1.2: no answer to ${method} at all: BYE`, async () => {
      const bed = new Testbed();
      const alice = bed.agent("alice", { update: false });
      const bob = bed.agent("bob");
      bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
      const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
      const { deliver } = bob.ua;
      bob.ua.deliver = (incoming) => incoming.request.method === method || deliver.call(bob.ua, incoming);
      const lost = bed.settle<unknown>(method === "INVITE" ? call.hold() : call.request("INFO"));
      // Bob's transactions send a 100; only silence is no answer.
      bed.network.disconnect(bob.address);
      await assert.rejects(lost, { code: "SIP_TIMEOUT", statusCode: 408 });
      bed.network.reconnect(bob.address);
      assert.equal((await bed.settle(call.ended)).cause, "no answer");
      await bed.close();
    });
  }

  it("§14.1: 491 again and again: two tries, then it is told", async () => {
    for (const [method, update] of [
      ["INVITE", false],
      ["UPDATE", true],
    ] as const) {
      const bed = new Testbed();
      const alice = bed.agent("alice", { update });
      const bob = bed.agent("bob", { update });
      bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
      const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
      const before = bed.requests(method).length;
      const { deliver } = bob.ua;
      bob.ua.deliver = (incoming) =>
        incoming.request.method === method ? incoming.respond(491) : deliver.call(bob.ua, incoming);
      await assert.rejects(bed.settle(call.hold()), { statusCode: 491, retries: [] });
      const at = bed.sent
        .filter(({ message }) => message.kind === "request" && message.method === method)
        .slice(before)
        .map((sent) => sent.at);
      assert.equal(at.length, 2);
      const wait = (at[1] ?? 0) - (at[0] ?? 0) - 2;
      assert(wait >= 2100 && wait <= 4000, `${wait}`);
      assert.equal(call.state, "established");
      bob.ua.deliver = deliver;
      await bed.close();
    }
  });
});

describe("what the application is told", () => {
  it("everything that the response says about it", async () => {
    const { bed, alice, bob } = meet(
      (_, count) =>
        count === 1
          ? [401, challenge]
          : [
              480,
              ["Retry-After", "120 (in a meeting);duration=60"],
              ["Warning", '399 gw "Nobody at home"'],
              ["Reason", 'SIP;cause=480, Q.850;cause=19;text="no answer from the user"'],
            ],
      { credentials },
    );
    await assert.rejects(bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") })), (error: Rejected) => {
      assert.equal(error.message, "480 Temporarily Unavailable");
      const { statusCode, reasonPhrase, origin, retry, retryAfter, retries, q850 } = error;
      assert.deepEqual(
        { statusCode, reasonPhrase, origin, retry, retryAfter, retries, q850 },
        {
          ...{ statusCode: 480, reasonPhrase: "Temporarily Unavailable", origin: "peer", retry: "delayed" },
          ...{ retryAfter: 120, retries: [401], q850: 19 },
        },
      );
      assert.deepEqual(error.warnings, [{ code: 399, agent: "gw", text: "Nobody at home" }]);
      assert.deepEqual(
        error.reasons.map(({ protocol, cause }) => [protocol, cause]),
        [
          ["SIP", 480],
          ["Q.850", 19],
        ],
      );
      return true;
    });
    await bed.close();
  });

  it("what cannot be read of it is left out, and the cause is that of RFC 3398", async () => {
    const { bed, alice, bob } = meet(() => [
      486,
      ["Warning", "nonsense"],
      ["Reason", ";;"],
      ["Retry-After", "soon"],
    ]);
    await assert.rejects(bed.settle(alice.ua.message(bob.uri, "x")), (error: Rejected) => {
      assert.deepEqual([error.warnings, error.reasons, error.retryAfter], [[], [], undefined]);
      assert.equal(error.q850, 17);
      return true;
    });
    await bed.close();
  });

  it("in words, in both languages", async () => {
    const { bed, alice, bob } = meet(() => [488, ["Warning", '305 uas "Incompatible media format"']]);
    const error = await bed.settle(alice.ua.message(bob.uri, "x").catch((failure: unknown) => failure));
    assert(error instanceof Rejected);
    const english = await explain(error);
    assert.deepEqual([english.title, english.name], ["488 Not Acceptable Here", "Not Acceptable Here"]);
    assert.deepEqual(english.said, ["Incompatible media format"]);
    assert(english.meaning.length > 20 && english.checks.length >= 2 && english.causes.length >= 2);
    const chinese = await explain(error, "zh-TW");
    assert.match(chinese.name, /\p{Script=Han}/u);
    assert.match(chinese.meaning, /\p{Script=Han}/u);
    // Made here: it is not the code that explains it.
    const lost = await bed.settle(alice.ua.options("sip:nobody@10.0.0.77").catch((failure) => failure));
    assert.match((await explain(lost as Rejected)).meaning, /Nobody answered/);
    assert.match((await explain(lost as Rejected, "zh-TW")).meaning, /\p{Script=Han}/u);
    await bed.close();
  });
});

describe("§21.4.25: a 487 that nobody here asked for", () => {
  it("is told as a call whose time was over", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.ring());
    const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice"), headers: [["Expires", 5]] });
    await assert.rejects(bed.settle(call.answered), { statusCode: 487, origin: "peer" });
    const { by, cause } = await call.ended;
    assert.deepEqual([by, cause], ["remote", "expired"]);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });
});

describe("§8.1.3.2: codes that nobody has registered", () => {
  for (const [code, phrase, treatedAs] of [
    [399, "Elsewhere", 300],
    [431, "Odd", 400],
    [499, "", 400],
    [599, "很奇怪", 500],
    [699, "Never", 600],
  ] as const) {
    it(`${code} ${phrase}: as ${treatedAs}, and shown as received`, async () => {
      const { bed, alice, bob } = meet(() => undefined);
      bob.ua.handle = async (incoming) => void incoming.respond(code, { reasonPhrase: phrase });
      const error = await bed.settle(
        alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }).catch((failure: unknown) => failure),
      );
      assert(error instanceof Rejected);
      assert.deepEqual([error.statusCode, error.reasonPhrase], [code, phrase]);
      const { title, meaning } = await explain(error);
      assert.equal(title, `${code} ${phrase}`.trim());
      const known = new Rejected(makeResponse(bed.requests("INVITE")[0]!, treatedAs), { origin: "peer" });
      assert.equal(meaning, (await explain(known)).meaning);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }

  it("185 is treated as 183: an early dialog, early media; 299 as 200", async () => {
    const { bed, alice, bob } = meet(() => undefined);
    bob.ua.onInvite(async (call) => {
      await call.progress({ statusCode: 185, sdp: sdpOf("bob") });
    });
    const shown: string[] = [];
    const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice") });
    call.onProgress(({ statusCode, reasonPhrase }) => shown.push(`${statusCode} ${reasonPhrase}`));
    await bed.clock.run(100);
    assert.equal(call.state, "ringing");
    assert.equal(call.remoteDescription, sdpOf("bob"));
    assert.deepEqual(shown, ["185 Session Progress"]);
    const [early] = bed.responses(185, "INVITE");
    const accepted = makeResponse(bed.requests("INVITE")[0]!, 299, {
      ...{ toTag: early?.to.tag ?? "", reasonPhrase: "Somehow Fine" },
      headers: [["Contact", `<${bob.uri}>`]],
      ...{ body: sdpOf("bob"), contentType: "application/sdp" },
    });
    const at = { address: bob.address, port: 5060 };
    bed.network.sendDatagram(at, { address: alice.address, port: 5060 }, accepted.bytes);
    await bed.settle(call.answered);
    assert.equal(bed.requests("ACK").length, 1);
    await bed.settle(call.hangUp());
    await bed.close();
  });

  // A status line, whether it is taken.
  const lines: [string, boolean][] = [
    ["SIP/2.0 499 Odd", true],
    ["SIP/2.0 499 ", true],
    ["SIP/2.0 099 Low", false],
    ["SIP/2.0 700 High", false],
    ["SIP/2.0 999 Highest", false],
    ["SIP/2.0 48 Short", false],
    ["SIP/2.0 4860 Long", false],
    ["SIP/2.0 4x6 Odd", false],
    ["SIP/2.0 -486 Negative", false],
    ["SIP/2.0  486 Two spaces", false],
  ];
  for (const [line, isTaken] of lines) {
    it(`"${line}" is ${isTaken ? "taken" : "malformed, and dropped"}`, async () => {
      const { bed, alice, bob } = meet(() => undefined);
      bob.ua.handle = async () => {};
      let outcome: unknown;
      void alice.ua.message(bob.uri, "x").catch((error: unknown) => {
        outcome = error;
      });
      await bed.clock.run(100);
      const text = new TextDecoder().decode(
        makeResponse(bed.requests("MESSAGE")[0]!, 486, { toTag: "t" }).bytes,
      );
      bed.network.sendDatagram(
        { address: bob.address, port: 5060 },
        { address: alice.address, port: 5060 },
        new TextEncoder().encode(text.replace(/^.*/, line)),
      );
      await bed.clock.run(100);
      assert.equal(outcome instanceof Rejected, isTaken);
      await bed.clock.run(40_000);
      assert.equal((outcome as Rejected).statusCode, isTaken ? 499 : 408);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
    });
  }
});
