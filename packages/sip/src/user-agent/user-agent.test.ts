// Requests outside calls, and what a user agent refuses: RFC 3261 §8.2, §11; RFC 3428.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Challenger } from "../auth/index.ts";
import { ArgumentError, Rejected } from "../errors.ts";
import { type HeaderInit, makeResponse, parseMessage, type SipResponse } from "../message/index.ts";
import { nodeHash } from "../node/index.ts";
import { Stack } from "../stack.ts";
import { SeededRandom, VirtualDriver } from "../testing/index.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import { UserAgent } from "./user-agent.ts";

/** Sends a request as it is written, and gives back the final response. */
async function ask(
  bed: Testbed,
  to: string,
  init: { method?: string; uri?: string; headers?: readonly HeaderInit[]; body?: string; toTag?: string },
): Promise<SipResponse> {
  const { method = "INVITE", uri = to, headers = [], body = "", toTag } = init;
  const host = bed.host("peer");
  const replies: SipResponse[] = [];
  bed.network.occupy(
    "UDP",
    { address: host.address, port: 5060 },
    {
      datagram: (bytes) => {
        const message = parseMessage(bytes);
        if (message.kind === "response" && message.statusCode >= 200) replies.push(message);
      },
    },
  );
  const lines = [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${host.address}:5060;branch=z9hG4bK${host.address}`,
    "Max-Forwards: 70",
    `From: <sip:peer@${host.address}>;tag=f${host.address}`,
    `To: <${to}>${toTag === undefined ? "" : `;tag=${toTag}`}`,
    `Call-ID: ${host.address}`,
    `CSeq: 1 ${method}`,
    `Contact: <sip:peer@${host.address}>`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${body.length}`,
    "",
    body,
  ];
  const target = { address: to.replace(/.*@/, ""), port: 5060 };
  bed.network.sendDatagram(
    { address: host.address, port: 5060 },
    target,
    new TextEncoder().encode(lines.join("\r\n")),
  );
  await bed.clock.runUntil(() => replies.length > 0, 10_000);
  const [reply] = replies;
  assert(reply !== undefined, "no final response came");
  return reply;
}

describe("requests that are refused", () => {
  // section, what is odd, the request, status, header that must be there
  const rows: [string, string, Parameters<typeof ask>[2], number, [string, RegExp]?][] = [
    [
      "§8.2.1",
      "a method that is not allowed here",
      { method: "PUBLISH" },
      405,
      ["Allow", /INVITE, ACK, CANCEL, BYE/],
    ],
    ["§21.5.2", "a method that nobody knows", { method: "DANCE" }, 501],
    ["§8.2.2.1", "an unknown user", { uri: "sip:carol@10.0.0.1" }, 404],
    ["§8.2.2.1", "an unknown scheme", { uri: "mailto:bob@10.0.0.1" }, 416],
    [
      "§8.2.2.3",
      "an extension that is not supported",
      { headers: [["Require", "100rel, fancy"]] },
      420,
      ["Unsupported", /^fancy$/],
    ],
    [
      "§8.2.3",
      "a type of body that is not understood",
      { headers: [["Content-Type", "text/html"]], body: "<p>" },
      415,
      ["Accept", /application\/sdp/],
    ],
    [
      "§8.2.3",
      "an encoding that is not understood",
      {
        headers: [
          ["Content-Type", "application/sdp"],
          ["Content-Encoding", "gzip"],
        ],
        body: "x",
      },
      415,
      ["Accept-Encoding", /identity/],
    ],
    [
      "§20.11",
      "the same, but optional: passes",
      {
        headers: [
          ["Content-Type", "text/html"],
          ["Content-Disposition", "render;handling=optional"],
        ],
        body: "<p>",
      },
      486,
    ],
    ["§12.2.2", "a To tag that belongs to nothing", { toTag: "gone" }, 481],
    ["§13.3.1", "nothing odd at all", {}, 486],
  ];
  for (const [section, what, request, statusCode, header] of rows) {
    it(`${section}: ${what}: ${statusCode}`, async () => {
      const bed = new Testbed();
      const bob = bed.agent("bob");
      bob.ua.onInvite((call) => call.reject(486));
      await bob.ua.ready;
      const response = await ask(bed, bob.uri, request);
      assert.equal(response.statusCode, statusCode);
      if (header !== undefined) assert.match(response.headers.raw(header[0]) ?? "", header[1]);
      assert.notEqual(response.to.tag, undefined);
      await bed.close();
      assert.deepEqual(bed.leftovers, []);
      assert.deepEqual(bed.errors, []);
    });
  }

  it("§8.2.2.2: the same INVITE by two ways: the second gets 482", async () => {
    const bed = new Testbed();
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.ring());
    await bob.ua.ready;
    const host = bed.host("peer");
    const codes: number[] = [];
    bed.network.occupy(
      "UDP",
      { address: host.address, port: 5060 },
      { datagram: (bytes) => codes.push((parseMessage(bytes) as SipResponse).statusCode) },
    );
    for (const branch of ["one", "two"]) {
      const text = [
        `INVITE ${bob.uri} SIP/2.0`,
        `Via: SIP/2.0/UDP ${host.address}:5060;branch=z9hG4bK${branch}`,
        "Max-Forwards: 70",
        `From: <sip:peer@${host.address}>;tag=f`,
        `To: <${bob.uri}>`,
        "Call-ID: merged",
        "CSeq: 1 INVITE",
        `Contact: <sip:peer@${host.address}>`,
        "",
        "",
      ].join("\r\n");
      bed.network.sendDatagram(
        { address: host.address, port: 5060 },
        { address: bob.address, port: 5060 },
        new TextEncoder().encode(text),
      );
      await bed.clock.run(50);
    }
    assert.deepEqual(codes, [180, 482]);
    await bed.close();
  });

  it("no handler for calls: 480; a call too many: 486; a handler that throws: 500", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob", { maxCalls: 1 });
    const outcome = () =>
      bed.settle(
        alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }).catch((error: Rejected) => error.statusCode),
      );
    assert.equal(await outcome(), 480);
    bob.ua.onInvite(() => {
      throw new Error("application bug");
    });
    assert.equal(await outcome(), 500);
    assert.deepEqual(bed.errors.map(String), ["Error: application bug"]);
    bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
    const call = await outcome();
    assert.equal(typeof call, "object");
    assert.equal(await outcome(), 486);
    await assert.rejects(
      bed.settle(alice.ua.options(bob.uri)),
      (error) => error instanceof Rejected && error.statusCode === 486,
    );
    await bed.settle((call as Call).hangUp());
    await bed.close();
  });
});

describe("peers that write nonsense", () => {
  const nonsense: HeaderInit = ["Contact", "<<sip:"];

  it("in the Contact of a 180 and a 200: the call fails, the process goes on", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    // Bob keeps silent, his responses are written by hand.
    bob.ua.onInvite(() => {});
    const call = alice.ua.call(bob.uri, { sdp: sdpOf("alice") });
    await bed.clock.runUntil(() => bed.requests("INVITE").length > 0);
    await bed.clock.run(10);
    const [invite] = bed.requests("INVITE");
    assert(invite !== undefined);
    for (const code of [180, 200]) {
      const { bytes } = makeResponse(invite, code, { toTag: "t", headers: [nonsense] });
      const bobAt = { address: bob.address, port: 5060 };
      bed.network.sendDatagram(bobAt, { address: alice.address, port: 5060 }, bytes);
      await bed.clock.run(10);
    }
    await assert.rejects(bed.settle(call.answered), { code: "SIP_PARSE" });
    assert.equal((await call.ended).cause, "bad answer");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("in the Contact of a re-INVITE: 400; in that of its 200: nothing changes", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob", { update: false });
    bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
    await bed.clock.run(100);
    const dialog = call.dialog;
    assert(dialog !== undefined);
    const plan = dialog.plan;
    dialog.plan = (method, content) => {
      const made = plan.call(dialog, method, content);
      return method !== "INVITE"
        ? made
        : { ...made, headers: made.headers.map((field) => (field[0] === "Contact" ? nonsense : field)) };
    };
    const hold = bed.settle(call.hold());
    await assert.rejects(hold, (error) => error instanceof Rejected && error.statusCode === 400);
    const target = dialog.remoteTarget;
    dialog.refreshTarget(makeResponse(bed.requests("INVITE")[0]!, 200, { headers: [nonsense] }));
    assert.equal(dialog.remoteTarget, target);
    assert.equal(call.state, "established");
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("in the Contact of an INVITE: 400; of a 302: the 302 is final", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.reject(302, { headers: [nonsense] }));
    await bob.ua.ready;
    const refused = await ask(bed, bob.uri, { headers: [["Record-Route", "<<"]] });
    assert.equal(refused.statusCode, 400);
    const redirected = alice.ua.invite(bob.uri, { sdp: sdpOf("alice") });
    await assert.rejects(
      bed.settle(redirected),
      (error) => error instanceof Rejected && error.statusCode === 302,
    );
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });
});

describe("requests outside calls", () => {
  it("§11: OPTIONS tells what the user agent can", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob", { product: "Offhook test", supported: ["timer"] });
    bob.ua.onInvite(() => {});
    const response = await bed.settle(alice.ua.options(bob.uri));
    assert.equal(response.headers.raw("Accept"), "application/sdp, multipart/mixed, multipart/alternative");
    assert.match(
      response.headers.raw("Allow") ?? "",
      /^INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS, INFO$/,
    );
    assert.equal(response.headers.raw("Server"), "Offhook test");
    assert.equal(response.headers.raw("Supported"), "timer, 100rel");
    await bed.close();
  });

  it("RFC 3428: MESSAGE to a handler", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    const texts: string[] = [];
    bob.ua.onRequest("MESSAGE", (incoming) => {
      texts.push(new TextDecoder().decode(incoming.request.body));
      incoming.respond(200);
    });
    await bed.settle(alice.ua.message(bob.uri, "你好"));
    assert.deepEqual(texts, ["你好"]);
    const refused = bob.ua.message(alice.uri, "hello");
    await assert.rejects(
      bed.settle(refused),
      (error) => error instanceof Rejected && error.statusCode === 405,
    );
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("INFO with a key press, inside a call", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    const digits: string[] = [];
    bob.ua.onInvite((call) => {
      call.onDtmf((digit) => digits.push(digit));
      return call.answer(sdpOf("bob"));
    });
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
    const body = "Signal=5\r\nDuration=160\r\n";
    await bed.settle(call.request("INFO", { body, contentType: "application/dtmf-relay" }));
    await bed.settle(call.request("INFO", { body: "11", contentType: "application/dtmf" }));
    await assert.rejects(
      bed.settle(call.request("INFO", { body: "?", contentType: "text/plain" })),
      (error) => error instanceof Rejected && error.statusCode === 415,
    );
    assert.deepEqual(digits, ["5", "#"]);
    assert.equal(call.state, "established");
    await bed.close();
  });

  it("INFO with a body of empty lines: costs time in proportion to its length", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
    // Twelve times the length: quadratic work would take 144 times as long.
    const time = async (size: number) => {
      const before = process.cpuUsage();
      const blank = "\n".repeat(size);
      await bed.settle(call.request("INFO", { body: blank, contentType: "application/dtmf-relay" }));
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    await time(1000);
    const ratio = (await time(60_000)) / Math.max(2000, await time(5000));
    assert.ok(ratio < 60, `a long empty INFO took ${ratio.toFixed(0)} times as long`);
    await bed.close();
  });

  it("stop: what is out is rejected, inside calls and outside; what is not out yet is not sent", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const bob = bed.agent("bob");
    bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
    const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
    bed.network.disconnect(bob.address);
    const outcomes = [
      alice.ua.message(bob.uri, "x"),
      call.request("INFO"),
      call.hold(),
      call.update({ offer: false }),
    ].map((request) => assert.rejects(request, /Service Unavailable|has ended/));
    await bed.clock.run(10);
    await bed.settle(alice.ua.stop());
    await Promise.all(outcomes);
    const early = bed.agent("carol");
    const late = assert.rejects(early.ua.message(bob.uri, "x"), { code: "SIP_STATE" });
    const stopped = early.ua.stop();
    await late;
    await bed.settle(stopped);
    assert.deepEqual(bed.errors, []);
  });

  it("the signal ends the waiting, before the transports are open too", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const controller = new AbortController();
    const request = alice.ua.options("sip:nobody@10.0.0.77", { signal: controller.signal });
    controller.abort();
    await assert.rejects(bed.settle(request), { name: "AbortError" });
    assert.deepEqual(bed.sent, []);
    await bed.close();
  });

  it("the signal ends the waiting", async () => {
    const bed = new Testbed();
    const alice = bed.agent("alice");
    const controller = new AbortController();
    const request = alice.ua.options("sip:nobody@10.0.0.77", { signal: controller.signal });
    const outcome = assert.rejects(request, { name: "AbortError" });
    await bed.clock.run(1000);
    controller.abort();
    await bed.settle(outcome);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });
});

describe("where requests go", () => {
  it("§8.1.2: an outbound proxy comes first, as a Route", async () => {
    const bed = new Testbed();
    const proxy = bed.agent("proxy", { accepts: true });
    const alice = bed.agent("alice", { outboundProxy: proxy.uri });
    proxy.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(202));
    const response = await bed.settle(alice.ua.message("sip:bob@elsewhere.invalid", "x"));
    assert.equal(response.statusCode, 202);
    const [request] = bed.requests("MESSAGE");
    assert.equal(request?.requestUriText, "sip:bob@elsewhere.invalid");
    assert.equal(request?.headers.raw("Route"), `<${proxy.uri};lr>`);
    await bed.close();
  });

  it("names, numbers and addresses", async () => {
    const bed = new Testbed();
    const server = bed.agent("server", { accepts: true });
    const alice = bed.agent("alice", { aor: `sip:alice@${server.address}` });
    server.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
    for (const target of [
      "bob",
      "+88622345",
      `bob@${server.address}`,
      `"Bob" <sip:bob@${server.address}>`,
      "tel:+1-555",
    ]) {
      await bed.settle(alice.ua.message(target, "x"));
    }
    assert.deepEqual(
      bed.requests("MESSAGE").map((request) => [request.requestUriText, request.headers.raw("To")]),
      [
        [`sip:bob@${server.address}`, `<sip:bob@${server.address}>`],
        [`sip:+88622345@${server.address}`, `<sip:+88622345@${server.address}>`],
        [`sip:bob@${server.address}`, `<sip:bob@${server.address}>`],
        [`sip:bob@${server.address}`, `Bob <sip:bob@${server.address}>`],
        ["tel:+1-555", "<tel:+1-555>"],
      ],
    );
    await bed.close();
  });

  it("§22: INVITE through a proxy that challenges: ACK and BYE carry credentials too", async () => {
    const bed = new Testbed();
    const random = new SeededRandom(4);
    const challenger = new Challenger({ clock: bed.clock, hash: nodeHash, random });
    const alice = bed.agent("alice", { credentials: [{ user: "alice", password: "secret", realm: "here" }] });
    const host = bed.host("bob");
    const bob = await challengingCallee(bed, host, challenger);
    const call = await bed.settle(alice.ua.invite(`sip:bob@${host.address}`, { sdp: sdpOf("alice") }));
    await bed.settle(call.hangUp());
    const invites = bed.requests("INVITE");
    assert.deepEqual(
      invites.map((request) => [request.cSeq.sequence, request.headers.has("Proxy-Authorization")]),
      [
        [1, false],
        [2, true],
      ],
    );
    // The ACK to the 407 is the transaction's; the one to the 200 carries what the INVITE carried.
    const ack = bed.requests("ACK").find((request) => request.cSeq.sequence === 2);
    assert.equal(ack?.headers.raw("Proxy-Authorization"), invites[1]?.headers.raw("Proxy-Authorization"));
    const [bye] = bed.requests("BYE");
    assert.match(bye?.headers.raw("Proxy-Authorization") ?? "", /nc=00000002/);
    await bed.close();
    await bed.settle(bob.stop());
    await bed.clock.run(200_000);
    assert.deepEqual(bed.leftovers, []);
  });
});

/** A user agent on a stack that others use too, behind a challenge. */
async function challengingCallee(
  bed: Testbed,
  host: ReturnType<Testbed["host"]>,
  challenger: Challenger,
): Promise<UserAgent> {
  const driver = new VirtualDriver(bed.network, host.address);
  const { clock } = bed;
  const { random, hash } = host.runtime;
  const stack = new Stack({ sink: driver, clock, random });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  const bob = new UserAgent({ aor: `sip:bob@${host.address}`, stack: { stack, clock, random, hash } });
  bob.onInvite((call) => call.answer(sdpOf("bob")));
  const lookup = (user: string, realm: string) => nodeHash.hex("MD5", `${user}:${realm}:secret`);
  stack.roles = {
    isOurs: () => true,
    dialog: (incoming) => bob.deliver(incoming),
    route: async (incoming) => {
      if (incoming.request.method !== "ACK") {
        const verdict = await challenger.verify("proxy", incoming.request, "here", lookup);
        if (verdict.kind !== "ok") {
          incoming.respond(407, { headers: challenger.challenge("proxy", "here") });
          return;
        }
      }
      await bob.handle(incoming);
    },
  };
  return bob;
}

describe("options that make no user agent", () => {
  it("are refused at once", () => {
    const bed = new Testbed();
    const transports = [bed.host("alice").transport()];
    assert.throws(() => new UserAgent({ aor: "sip:alice@example.com" }), ArgumentError);
    assert.throws(() => new UserAgent({ aor: "tel:+1555", transports }), ArgumentError);
    assert.throws(
      () => new UserAgent({ aor: "sip:a@b.c", transports: [...transports, bed.host("x").transport()] }),
      ArgumentError,
    );
  });
});
