// What user agents do on failures, as calls, requests and registrations see it: the next request on the wire, and that
// nothing goes on for ever. RFC 3261 §8.1.3.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxRetries } from "../core/index.ts";
import { Rejected } from "../errors.ts";
import type { HeaderInit, SipRequest } from "../message/index.ts";
import { type Answer, challenge, credentials, meet } from "./scripted-callee.test.kit.ts";
import { sdpOf } from "./testbed.test.kit.ts";
import type { CallOptions, UserAgentOptions } from "./user-agent-options.ts";

const proxyChallenge: HeaderInit = ["Proxy-Authenticate", 'Digest realm="p", nonce="n"'];

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
