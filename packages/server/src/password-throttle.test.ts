// Wrong passwords are counted for the user that they are for, however the header field is written.

import assert from "node:assert/strict";
import { test } from "node:test";
import { computeHa1 } from "@offhook/sip/auth";
import { parseMessage, type SipRequest } from "@offhook/sip/message";
import { nodeHash, nodeRandom } from "@offhook/sip/node";
import { PasswordThrottle, ThrottledChallenger } from "./password-throttle.ts";

const realm = "example.com";
const clock = { now: () => 1_800_000_000_000 };

function register(...credentials: string[]): SipRequest {
  return registerFrom("192.0.2.1", ...credentials);
}

function registerFrom(host: string, ...credentials: string[]): SipRequest {
  const lines = [
    `REGISTER sip:${realm} SIP/2.0`,
    `Via: SIP/2.0/UDP ${host}:5060;branch=z9hG4bK1`,
    `From: <sip:alice@${realm}>;tag=1`,
    `To: <sip:alice@${realm}>`,
    "Call-ID: c",
    "CSeq: 1 REGISTER",
    ...credentials.map((one) => `Authorization: Digest ${one}, nonce="n", uri="sip:${realm}", response="0"`),
    "Content-Length: 0\r\n\r\n",
  ];
  return parseMessage(new TextEncoder().encode(lines.join("\r\n"))) as SipRequest;
}

const plain = `username="alice", realm="${realm}"`;
for (const [title, credentials] of [
  ["as usual", [plain]],
  ["RFC 7616 §3.4, with username*", [`username*=UTF-8''alice, realm="${realm}"`]],
  ["behind those for another realm", ['username="x", realm="elsewhere.test"', plain]],
] as const) {
  test(`guesses at one user's password, ${title}: no longer looked at after the limit`, () => {
    const blocked: string[] = [];
    const looked: string[] = [];
    const challenger = new ThrottledChallenger({
      ...{ clock, hash: nodeHash, random: nodeRandom },
      throttle: new PasswordThrottle(clock, 2),
      onBlocked: (user) => blocked.push(user),
    });
    const kinds = Array.from({ length: 4 }, () => {
      const verification = challenger.verify("user agent", register(...credentials), realm, (user) => {
        looked.push(user);
        return computeHa1(nodeHash, "MD5", { user, realm, password: "secret" });
      });
      assert.ok(!(verification instanceof Promise));
      return verification.kind;
    });
    // RFC 3261 §21.4.4, not §21.4.1: nothing is wrong with how it is written.
    assert.deepEqual(kinds, ["challenge", "challenge", "refused", "refused"]);
    assert.deepEqual(looked, ["alice", "alice"]);
    assert.deepEqual(blocked, ["alice", "alice"]);
  });
}

test("§18.2.1 a source that writes its IPv6 address in another way each time is one source", async () => {
  const challenger = new ThrottledChallenger({
    ...{ clock, hash: nodeHash, random: nodeRandom },
    throttle: new PasswordThrottle(clock, 2),
  });
  const kinds: string[] = [];
  for (const host of ["[2001:db8::1]", "[2001:DB8::1]", "[2001:db8:0::1]", "[2001:db8:0:0::1]"]) {
    kinds.push((await challenger.verify("user agent", registerFrom(host, plain), realm, () => "0")).kind);
  }
  assert.deepEqual(kinds, ["challenge", "challenge", "refused", "refused"]);
});

test("guesses from all over an IPv6 network are those of one source", () => {
  const throttle = new PasswordThrottle(clock, 3);
  for (const address of ["2001:db8::1", "2001:db8::2", "2001:db8::3"]) throttle.failed(address, "alice");
  assert.ok(throttle.isBlocked("2001:db8::4", "alice"));
  assert.ok(!throttle.isBlocked("2001:db8:0:1::4", "alice"));
});

test("counts end after a minute, those of a source and those of its users each for themselves", () => {
  const time = { now: () => time.at, at: 1_800_000_000_000 };
  const throttle = new PasswordThrottle(time, 2);
  const blocked = (user: string) => throttle.isBlocked("192.0.2.1", user);
  throttle.failed("192.0.2.1", "alice");
  time.at += 30_000;
  throttle.failed("192.0.2.1", "alice");
  throttle.failed("192.0.2.1", "bob");
  throttle.failed("192.0.2.1", "bob");
  assert.deepEqual(["alice", "bob", "carol"].map(blocked), [true, true, false]);
  assert.equal(throttle.isBlocked("192.0.2.2", "alice"), false);
  time.at += 30_000;
  assert.deepEqual(["alice", "bob"].map(blocked), [false, true]);
  time.at += 30_000;
  assert.deepEqual(["alice", "bob"].map(blocked), [false, false]);
  assert.ok(throttle.isIdle);
});

test("no more is remembered than 100 000 counts: the oldest is forgotten first", () => {
  const throttle = new PasswordThrottle(clock, 1);
  throttle.failed("192.0.2.1", "alice");
  for (let i = 0; i < 49_999; i++) throttle.failed(`10.1.${i >> 8}.${i & 255}`, "x");
  assert.ok(throttle.isBlocked("192.0.2.1", "alice"));
  throttle.failed("192.0.2.2", "x");
  assert.equal(throttle.isBlocked("192.0.2.1", "alice"), false);
  assert.ok(throttle.isBlocked("10.1.0.0", "x"));
});
