// RFC 3261 §16.3, §16.6 on the wire: how a copy looks, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipRequest } from "../message/index.ts";
import { defaultMaxBreadth } from "./forward.ts";
import { bob, call, find, header, names, request, Testbed, toBob } from "./testbed.test.kit.ts";

// --- A copy (§16.6) -----------------------------------------------------------------------------------------

test("§16.6, the copy: Request-URI, Max-Forwards, Record-Route, Via, Max-Breadth; all else byte for byte", () => {
  const bed = new Testbed({ route: toBob });
  const odd = ["x-odd :   spaced   out ", "Date: yesterday, probably", "Subject: a", "s: b"];
  const text = request("INVITE", { headers: odd, callId: "copy-1" });
  bed.receive("10.0.0.9:5060", text);
  const invite = find(bed.take(), `INVITE ${bob}`);
  const added = new Set([
    invite.text.split("\r\n")[0],
    `Via: ${header(invite, "Via")[0]}`,
    `Record-Route: ${header(invite, "Record-Route")[0]}`,
    "Max-Forwards: 69",
    `Max-Breadth: ${defaultMaxBreadth}`,
  ]);
  assert.match(invite.text, /^INVITE sip:bob@10\.0\.0\.2:5060;ob SIP\/2\.0\r\n/);
  assert.match(
    header(invite, "Via")[0] ?? "",
    /^SIP\/2\.0\/UDP 10\.0\.0\.1:5060;(?:rport;)?branch=z9hG4bK[^.;]+/,
  );
  assert.match(header(invite, "Record-Route")[0] ?? "", /^<sip:10\.0\.0\.1:5060;lr;sig=[0-9a-f]{16}>$/);
  const kept = invite.text.split("\r\n").filter((line) => !added.has(line));
  const original = text
    .split("\r\n")
    .filter((line) => !line.startsWith("INVITE") && line !== "Max-Forwards: 70");
  assert.deepEqual(kept, original);
});

const copies: readonly (readonly [
  title: string,
  method: string,
  headers: string[],
  name: string,
  string[],
])[] = [
  ["step 3, no Max-Forwards: 70", "MESSAGE", [], "Max-Forwards", ["70"]],
  ["step 4, MESSAGE forms no dialog", "MESSAGE", [], "Record-Route", []],
  ["step 4, OPTIONS forms no dialog", "OPTIONS", [], "Record-Route", []],
  ["step 4, SUBSCRIBE forms one", "SUBSCRIBE", [], "Record-Route", ["*"]],
  ["step 4, an unknown method may", "FROBNICATE", [], "Record-Route", ["*"]],
  [
    "step 4, above what is there",
    "INVITE",
    ["Record-Route: <sip:p0;lr>"],
    "Record-Route",
    ["*", "<sip:p0;lr>"],
  ],
  ["RFC 3327, Path only for REGISTER", "INVITE", ["Supported: path"], "Path", []],
];
for (const [title, method, headers, name, expected] of copies) {
  test(`§16.6 ${title}`, () => {
    const bed = new Testbed({ route: toBob });
    const text = request(method, { headers }).replace(/Max-Forwards: 70\r\n/, "");
    bed.receive("10.0.0.9:5060", text);
    const copy = find(bed.take(), method);
    const values = header(copy, name).map((value) => (value.includes("sig=") ? "*" : value));
    assert.deepEqual(values, expected);
  });
}

test("§22.3, credentials for our realm end here, those for others go on", () => {
  const bed = new Testbed({ route: toBob, isOurRealm: (realm) => realm === "example.com" });
  const ours = 'Proxy-Authorization: Digest username="a", realm="example.com", response="0"';
  const theirs = 'Digest username="a", realm="elsewhere.test", response="1"';
  const copyOf = (headers: string[]) => {
    bed.receive("10.0.0.9:5060", request("MESSAGE", { headers, callId: `c${headers.length}` }));
    return header(find(bed.take(), "MESSAGE"), "Proxy-Authorization");
  };
  assert.deepEqual(copyOf([ours]), []);
  assert.deepEqual(copyOf([ours, `Proxy-Authorization: ${theirs}`]), [theirs]);
  assert.deepEqual(copyOf([ours, "Max-Breadth: 90", "Proxy-Authorization: Other x"]), ["Other x"]);
  // As they are checked, so they are told: however the realm is written.
  assert.deepEqual(copyOf([ours.replace('"example.com"', "example.com")]), []);
  assert.deepEqual(copyOf([ours.replace("example", "ex\\ample")]), []);
});

test("§16.6 step 4, recordRoute: false", () => {
  const bed = new Testbed({ route: toBob, recordRoute: false });
  assert.deepEqual(call(bed).recorded, []);
});

test("§16.6 step 2, method and header fields have no place in a Request-URI", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sip:bob@10.0.0.2;method=BYE;x=1?Subject=y" }]),
  });
  assert.match(call(bed).invite.text, /^INVITE sip:bob@10\.0\.0\.2;x=1 SIP/);
});

test("§16.6 step 9, a body without Content-Length on its way to a stream", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sip:bob@10.0.0.2;transport=tcp" }]),
  });
  bed.receive("10.0.0.9:5060", `${request("MESSAGE").replace("Content-Length: 0\r\n", "")}hello`);
  const message = find(bed.take(), "MESSAGE");
  assert.deepEqual(header(message, "Content-Length"), ["5"]);
  assert.ok(message.text.endsWith("\r\n\r\nhello"));
});

// --- Refusals (§16.3) ----------------------------------------------------------------------------------------

const refusals: readonly (readonly [
  title: string,
  Parameters<typeof request>,
  status: number,
  string,
  string,
])[] = [
  ["Max-Forwards 0", ["INVITE", { maxForwards: 0 }], 483, "", ""],
  ["Max-Forwards 0 towards others", ["INVITE", { maxForwards: 0, uri: "sip:x@far.example" }], 483, "", ""],
  ["Max-Forwards 0, OPTIONS", ["OPTIONS", { maxForwards: 0 }], 200, "", ""],
  ["Proxy-Require", ["INVITE", { headers: ["Proxy-Require: foo"] }], 420, "Unsupported", "foo"],
  ["a scheme that nobody knows", ["INVITE", { uri: "nobodyknows:bob" }], 416, "", ""],
];
for (const [title, message, status, name, value] of refusals) {
  test(`§16.3, ${title}: ${status}, and nothing goes on`, () => {
    const bed = new Testbed({ route: toBob });
    bed.receive("10.0.0.9:5060", request(...message));
    const answer = bed.takeOne();
    assert.deepEqual(names([answer]), [`${status} 10.0.0.9:5060`]);
    assert.ok(answer.message.toTag, "§8.2.6.2: made here, so with a To tag");
    if (name !== "") assert.deepEqual(header(answer, name), [value]);
  });
}

test("§16.3, an ACK is never answered, whatever is wrong with it", () => {
  const bed = new Testbed({ route: toBob });
  bed.receive("10.0.0.9:5060", request("ACK", { maxForwards: 0 }));
  bed.receive("10.0.0.9:5060", request("ACK", { uri: "nobodyknows:bob", toTag: "b" }));
  assert.deepEqual(bed.take(), []);
});

test("credentials that take time: goes on, stops, or is cancelled meanwhile", async () => {
  for (const outcome of ["yes", "no", "cancel"] as const) {
    let decide: (verdict: boolean) => void = () => {};
    const bed = new Testbed({
      route: toBob,
      admit: () =>
        new Promise<boolean>((resolve) => {
          decide = resolve;
        }),
    });
    const options = { branch: `z9hG4bKslow-${outcome}`, callId: `slow-${outcome}` };
    bed.receive("10.0.0.9:5060", request("INVITE", options));
    assert.deepEqual(bed.take(), []);
    if (outcome === "cancel") {
      bed.receive("10.0.0.9:5060", request("CANCEL", options));
      assert.deepEqual(names(bed.take()), ["200 10.0.0.9:5060", "487 10.0.0.9:5060"]);
    }
    decide(outcome !== "no");
    await new Promise((resolve) => setImmediate(resolve));
    const expected = outcome === "yes" ? ["100 10.0.0.9:5060", `INVITE ${bob}`] : [];
    assert.deepEqual(names(bed.take()), expected);
  }
});

test("a request for others: the Request-URI is the only target (§16.5), a 3xx goes up even if recursion is on", () => {
  const bed = new Testbed({ recurse: true });
  bed.receive("10.0.0.9:5060", request("INVITE", { uri: "sip:carol@10.0.0.7" }));
  const invite = find(bed.take(), "INVITE 10.0.0.7:5060");
  const sent = bed.respond(invite, 302, { headers: [["Contact", "<sip:carol@10.0.0.8>"]] });
  assert.deepEqual(names(sent), ["ACK 10.0.0.7:5060", "302 10.0.0.9:5060"]);
});

test("a tel URI without Route is for the route program", () => {
  const seen: string[] = [];
  const bed = new Testbed({
    route: (message: SipRequest, context) => {
      seen.push(message.requestUriText);
      context.answer(404);
    },
  });
  bed.receive("10.0.0.9:5060", request("INVITE", { uri: "tel:+886212345678" }));
  assert.deepEqual(seen, ["tel:+886212345678"]);
  assert.deepEqual(names(bed.take()), ["404 10.0.0.9:5060"]);
});
