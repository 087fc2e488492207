// RFC 3261 §16.3 to §16.6, §16.11 on the wire: which copy goes where, how it looks, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipRequest } from "../message/index.ts";
import type { Listener } from "../transport/flow.ts";
import { defaultMaxBreadth } from "./forward.ts";
import type { RouteProgram } from "./route.ts";
import { find, header, names, request, type Sent, Testbed, tcp, ws } from "./testbed.test.kit.ts";

const bob = "10.0.0.2:5060";
const toBob: RouteProgram = (_request, context) =>
  void context.addTargets([{ uri: "sip:bob@10.0.0.2:5060;ob" }]);

/** Alice calls bob; returns the INVITE as bob got it and the Record-Route set. */
function call(bed: Testbed, options: Parameters<typeof request>[1] = {}) {
  bed.receive("10.0.0.9:5060", request("INVITE", { callId: "dialog-1", fromTag: "a", ...options }));
  const invite = find(bed.take(), "INVITE");
  return { invite, recorded: header(invite, "Record-Route") };
}
const inDialog = { callId: "dialog-1", fromTag: "a", toTag: "b", uri: "sip:bob@10.0.0.2:5060;ob" };
const routes = (recorded: readonly string[]) => ({ headers: recorded.map((route) => `Route: ${route}`) });

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

// --- Route (§16.4, §16.6 step 6) --------------------------------------------------------------------------

test("§16.12.1.1, in a dialog: own Route goes, ACK and BYE reach bob, in both directions", () => {
  const bed = new Testbed({ route: toBob, admit: () => true });
  const { recorded } = call(bed);
  bed.receive("10.0.0.9:5060", request("ACK", { ...inDialog, ...routes(recorded) }));
  const ack = bed.takeOne();
  assert.deepEqual(names([ack]), [`ACK ${bob}`]);
  assert.deepEqual(header(ack, "Route"), []);
  assert.match(ack.text, /^ACK sip:bob@10\.0\.0\.2:5060;ob SIP/);
  bed.receive(
    "10.0.0.2:5060",
    request("BYE", {
      ...routes(recorded),
      callId: "dialog-1",
      fromTag: "b",
      toTag: "a",
      uri: "sip:alice@10.0.0.9:5060",
      via: "SIP/2.0/UDP 10.0.0.2:5060",
    }),
  );
  const bye = bed.takeOne();
  assert.deepEqual(names([bye]), ["BYE 10.0.0.9:5060"]);
  assert.deepEqual(names(bed.respond(bye, 200)), ["200 10.0.0.2:5060"]);
});

test("what follows a signed route is not asked for credentials; what has lost it is", () => {
  const asked: string[] = [];
  const bed = new Testbed({
    route: toBob,
    admit: (incoming, destination) => {
      asked.push(`${incoming.request.method} ${destination}`);
      if (incoming.request.hasToTag) incoming.respond(403);
      return !incoming.request.hasToTag;
    },
  });
  const { recorded } = call(bed);
  assert.deepEqual(asked, ["INVITE ours"]);
  bed.receive("10.0.0.9:5060", request("BYE", { ...inDialog, ...routes(recorded) }));
  assert.deepEqual(names(bed.take()), [`BYE ${bob}`]);
  const cases: readonly (readonly [string, Parameters<typeof request>[1]])[] = [
    ["another dialog", { ...routes(recorded), callId: "other" }],
    ["no signature", { headers: ["Route: <sip:10.0.0.1:5060;lr>"] }],
    ["signature changed", { headers: recorded.map((route) => `Route: ${route.replace(/sig=./, "sig=z")}`) }],
    ["no Route", {}],
  ];
  for (const [title, options] of cases) {
    bed.receive("10.0.0.9:5060", request("BYE", { ...inDialog, ...options }));
    assert.deepEqual(names(bed.take()), ["403 10.0.0.9:5060"], title);
  }
  assert.equal(asked.length, 1 + cases.length);
  // An ACK that may not pass is dropped: it cannot be answered.
  bed.receive("10.0.0.9:5060", request("ACK", inDialog));
  assert.deepEqual(bed.take(), []);
});

test("what follows a signed route to a user part of ours is not asked for credentials either", () => {
  const bed = new Testbed({ route: toBob, admit: (incoming) => !incoming.request.hasToTag });
  const { recorded } = call(bed);
  const gruu = { ...inDialog, uri: "sip:bob@example.com;gr=1", ...routes(recorded) };
  bed.receive("10.0.0.9:5060", request("BYE", gruu));
  assert.deepEqual(names(bed.take()), [`BYE ${bob}`]);
});

test("§16.4, a pre-loaded Route to us is popped and the request handled as ours", () => {
  const bed = new Testbed({ route: toBob });
  const { invite } = call(bed, { headers: ["Route: <sip:10.0.0.1;lr>"] });
  assert.equal(invite.to, bob);
  assert.deepEqual(header(invite, "Route"), []);
});

test("§16.6 step 6, a loose router next: Request-URI stays, Route decides", () => {
  const bed = new Testbed();
  bed.receive(
    "10.0.0.9:5060",
    request("INVITE", {
      uri: "sip:carol@far.example",
      headers: ["Route: <sip:10.0.0.1;lr>, <sip:10.0.0.7;lr>", "Route: <sip:p3.example>"],
    }),
  );
  const invite = find(bed.take(), "INVITE 10.0.0.7:5060");
  assert.match(invite.text, /^INVITE sip:carol@far\.example SIP/);
  assert.deepEqual(header(invite, "Route"), ["<sip:10.0.0.7;lr>", "<sip:p3.example>"]);
});

test("§16.12.1.3, a strict router downstream: it gets itself as Request-URI, the target last in Route", () => {
  const bed = new Testbed();
  bed.receive(
    "10.0.0.9:5060",
    request("INVITE", {
      uri: "sip:carol@far.example",
      headers: ["Route: <sip:10.0.0.1;lr>, <sip:10.0.0.7>, <sip:10.0.0.8;lr>"],
    }),
  );
  const invite = find(bed.take(), "INVITE 10.0.0.7:5060");
  assert.match(invite.text, /^INVITE sip:10\.0\.0\.7 SIP/);
  assert.deepEqual(header(invite, "Route"), ["<sip:10.0.0.8;lr>", "<sip:carol@far.example>"]);
});

test("§16.12.1.3, a strict router upstream: our own value in the Request-URI is undone", () => {
  const bed = new Testbed({ route: toBob, admit: (incoming) => !incoming.request.hasToTag });
  const { recorded } = call(bed);
  bed.receive(
    "10.0.0.9:5060",
    request("BYE", {
      ...inDialog,
      uri: (recorded[0] ?? "").slice(1, -1),
      headers: [`Route: <${inDialog.uri}>`],
    }),
  );
  const bye = find(bed.take(), `BYE ${bob}`);
  assert.match(bye.text, /^BYE sip:bob@10\.0\.0\.2:5060;ob SIP/);
  assert.deepEqual(header(bye, "Route"), []);
});

test("RFC 3327 §5.4, a Path becomes the Route set", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([
        { uri: "sip:bob@192.168.1.5", path: ["<sip:10.0.0.7;lr>", "<sip:10.0.0.8;lr;ob>"] },
      ]),
  });
  const { invite } = call(bed);
  assert.equal(invite.to, "10.0.0.7:5060");
  assert.deepEqual(header(invite, "Route"), ["<sip:10.0.0.7;lr>", "<sip:10.0.0.8;lr;ob>"]);
  assert.match(invite.text, /^INVITE sip:bob@192\.168\.1\.5 SIP/);
});

test("RFC 3327 §5.2, a REGISTER for another registrar gets our Path, and calls come back over its flow", () => {
  const bed = new Testbed();
  const phone = bed.accept(tcp, "10.0.0.9");
  bed.receive(
    phone,
    request("REGISTER", {
      uri: "sip:10.0.0.7",
      via: "SIP/2.0/TCP 10.0.0.9:40000",
      headers: ["Supported: gruu, path"],
    }),
  );
  const register = find(bed.take(), "REGISTER 10.0.0.7:5060");
  const [path = ""] = header(register, "Path");
  assert.match(path, /^<sip:10\.0\.0\.1:5060;transport=tcp;lr;ob;sig=/);
  assert.deepEqual(header(register, "Record-Route"), []);
  bed.receive(
    "10.0.0.7:5060",
    request("INVITE", {
      uri: "sip:alice@192.168.1.5;transport=tcp",
      via: "SIP/2.0/UDP 10.0.0.7:5060",
      headers: [`Route: ${path}`],
    }),
  );
  assert.equal(find(bed.take(), "INVITE").flow, phone);
  // RFC 5626 §5.3.1: once the flow is gone, the Path leads nowhere, however reachable the URI looks.
  bed.stack.flowClosed(phone, undefined, bed.clock.time);
  bed.receive(
    "10.0.0.7:5060",
    request("MESSAGE", {
      uri: "sip:anybody@10.0.0.3",
      via: "SIP/2.0/UDP 10.0.0.7:5060",
      headers: [`Route: ${path}`],
    }),
  );
  // The INVITE under way has failed with the flow.
  assert.deepEqual(names(bed.take()), ["430 10.0.0.7:5060", "500 10.0.0.7:5060"]);
  // And one that was tampered with leads nobody anywhere.
  for (const method of ["INVITE", "MESSAGE", "ACK"]) {
    bed.receive(
      "10.0.0.7:5060",
      request(method, {
        uri: "sip:anybody@10.0.0.3",
        via: "SIP/2.0/UDP 10.0.0.7:5060",
        headers: [`Route: ${path.replace(/down=[^;>]*/, "down=0-0-1-10.0.0.3_5060")}`],
      }),
    );
    assert.deepEqual(names(bed.take()), method === "ACK" ? [] : ["403 10.0.0.7:5060"]);
  }
  bed.receive("10.0.0.9:5060", request("REGISTER", { uri: "sip:10.0.0.7" }));
  assert.deepEqual(header(find(bed.take(), "REGISTER"), "Path"), []);
});

// headers of the REGISTER, what goes out
const pathRequired: readonly (readonly [title: string, headers: string[], sent: string])[] = [
  ["without Path: 421", ["Supported: gruu"], "421 10.0.0.9:5060"],
  ["with Path: goes on", ["Supported: gruu, Path"], "REGISTER 10.0.0.7:5060"],
];
for (const [title, headers, sent] of pathRequired) {
  test(`RFC 3327 §5.2, the other registrar must support Path; a REGISTER ${title}`, () => {
    const bed = new Testbed({ requirePath: true });
    bed.receive("10.0.0.9:5060", request("REGISTER", { uri: "sip:10.0.0.7", headers }));
    const out = bed.takeOne();
    assert.deepEqual(names([out]), [sent]);
    assert.deepEqual(header(out, "Require"), ["path"]);
  });
}

// --- Transports and flows -----------------------------------------------------------------------------------

test("RFC 5658, UDP in and TCP out: two Record-Route values, each side's own on its side", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sip:bob@10.0.0.2:5060;transport=tcp" }]),
  });
  const { invite, recorded } = call(bed);
  assert.equal(invite.to, "tcp 10.0.0.2:5060");
  assert.equal(recorded.length, 2);
  assert.match(recorded[0] ?? "", /^<sip:10\.0\.0\.1:5060;transport=tcp;lr;sig=/);
  assert.match(recorded[1] ?? "", /^<sip:10\.0\.0\.1:5060;lr;sig=/);
  // Alice's route set is the reverse (§12.1.2); both values are ours and go together.
  bed.receive(
    "10.0.0.9:5060",
    request("BYE", {
      ...inDialog,
      uri: "sip:bob@10.0.0.2:5060;transport=tcp",
      ...routes([...recorded].reverse()),
    }),
  );
  const bye = find(bed.take(), "BYE tcp 10.0.0.2:5060");
  assert.deepEqual(header(bye, "Route"), []);
});

const near: Listener = { id: 7, transport: "UDP", address: "10.0.0.1", port: 5060 };
const far: Listener = { id: 8, transport: "UDP", address: "192.168.7.1", port: 5070 };
const everywhere: Listener = {
  ...{ id: 9, transport: "UDP", address: "0.0.0.0", port: 5060 },
  localAddresses: [
    { address: "10.0.0.1", prefixLength: 24 },
    { address: "192.168.7.1", prefixLength: 24 },
  ],
};
const sidesOfTwo: readonly (readonly [
  title: string,
  Listener[],
  more: { listener?: Listener },
  leaves: Listener,
  record: string,
])[] = [
  ["two UDP sockets: the one in the callee's network", [near, far], {}, far, "192.168.7.1:5070"],
  ["two UDP sockets: the one that the callee registered by", [far, near], { listener: near }, near, ""],
  [
    "one socket on all addresses: the address that the callee sees",
    [everywhere],
    {},
    everywhere,
    "192.168.7.1:5060",
  ],
];
for (const [title, listeners, more, leaves, record] of sidesOfTwo) {
  test(`RFC 5658 §4, ${title}, for requests inside the call too`, () => {
    const contact = "sip:bob@192.168.7.2:5060";
    const route: RouteProgram = (_request, context) => void context.addTargets([{ uri: contact, ...more }]);
    const bed = new Testbed({ route }, listeners);
    const arrival = listeners.includes(near) ? near : everywhere;
    const from = (listener: Listener, address: string) =>
      bed.stack.acceptFlow(listener, { address, port: 5060 }, bed.clock.time);
    bed.receive(from(arrival, "10.0.0.9"), request("INVITE", { callId: "two-sides", fromTag: "a" }));
    const invite = find(bed.take(), "INVITE 192.168.7.2:5060");
    assert.equal(invite.flow.listener, leaves);
    const recorded = header(invite, "Record-Route");
    const shown = recorded.map((value) => /^<sip:([^;]+);lr;/.exec(value)?.[1]);
    assert.deepEqual(shown, record === "" ? ["10.0.0.1:5060"] : [record, "10.0.0.1:5060"]);
    bed.respond(invite, 200, { toTag: "b" });
    bed.take();
    const info = { ...inDialog, callId: "two-sides", uri: contact };
    bed.receive(from(arrival, "10.0.0.9"), request("INFO", { ...info, ...routes([...recorded].reverse()) }));
    assert.equal(find(bed.take(), "INFO 192.168.7.2:5060").flow.listener, leaves);
  });
}

test("§16.6 step 4, a SIPS target: SIPS in Record-Route", () => {
  const bed = new Testbed({
    route: (_r, context) => void context.addTargets([{ uri: "sips:bob@10.0.0.2" }]),
  });
  const { recorded } = call(bed, { uri: "sips:bob@example.com" });
  assert.ok(
    recorded.every((route) => /^<sips:10\.0\.0\.1:5060;lr;sig=/.test(route)),
    recorded.join(),
  );
});

test("RFC 5626 §5.3, a browser calls a browser: each side reached over its own flow, for the whole dialog", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@b.invalid;transport=ws", flow: browserB }]),
  });
  const browserA = bed.accept(ws, "198.51.100.1");
  const browserB = bed.accept(ws, "198.51.100.2");
  const viaA = "SIP/2.0/WS a.invalid";
  bed.receive(browserA, request("INVITE", { callId: "ws-1", via: viaA }));
  const invite = find(bed.take(), "INVITE");
  assert.equal(invite.flow, browserB);
  const recorded = header(invite, "Record-Route");
  assert.match(recorded.join(), /^<sip:10\.0\.0\.1:80;transport=ws;lr;sig=\w+;up=[^;]+;down=[^;]+>$/);
  bed.receive(
    browserA,
    request("ACK", {
      callId: "ws-1",
      toTag: "b",
      via: viaA,
      uri: "sip:bob@b.invalid;transport=ws",
      ...routes(recorded),
    }),
  );
  assert.equal(bed.takeOne().flow, browserB);
  const bye = { callId: "ws-1", fromTag: "b", toTag: "a", via: "SIP/2.0/WS b.invalid", ...routes(recorded) };
  bed.receive(browserB, request("BYE", { ...bye, uri: "sip:alice@a.invalid;transport=ws" }));
  assert.equal(bed.takeOne().flow, browserA);
  // RFC 5626 §5.3.1: the flow is gone, and nothing else leads there.
  bed.stack.flowClosed(browserA, undefined, bed.clock.time);
  bed.receive(browserB, request("BYE", { ...bye, cSeq: 2, uri: "sip:alice@a.invalid;transport=ws" }));
  // The first BYE, which Alice has not answered, has failed with it.
  assert.deepEqual(names(bed.take()), ["430 ws 198.51.100.2:40000", "500 ws 198.51.100.2:40000"]);
  // A TCP phone can be called back at its address.
  bed.receive(browserB, request("BYE", { ...bye, cSeq: 3, uri: "sip:alice@10.0.0.9:5060" }));
  assert.deepEqual(names(bed.take()), ["BYE 10.0.0.9:5060"]);
});

test("a caller behind NAT on UDP is reached over its flow", () => {
  const bed = new Testbed({ route: toBob });
  const text = request("INVITE", { callId: "nat-1", via: "SIP/2.0/UDP 192.168.1.5:5060" }).replace(
    "Contact: <sip:alice@10.0.0.9:5060>",
    "Contact: <sip:alice@192.168.1.5:5060>",
  );
  bed.receive("203.0.113.9:31000", text);
  const invite = find(bed.take(), "INVITE");
  const recorded = header(invite, "Record-Route");
  assert.match(recorded.join(), /;up=/);
  bed.receive(
    "10.0.0.2:5060",
    request("BYE", {
      callId: "nat-1",
      fromTag: "b",
      toTag: "a",
      uri: "sip:alice@192.168.1.5:5060",
      ...routes(recorded),
      via: "SIP/2.0/UDP 10.0.0.2:5060",
    }),
  );
  assert.deepEqual(names(bed.take()), ["BYE 203.0.113.9:31000"]);
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

// --- Without a transaction (§16.11) ------------------------------------------------------------------------

test("an ACK for a user of ours without Route goes to every device: only one knows the dialog", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@10.0.0.2" }, { uri: "sip:bob@10.0.0.3", q: 0.1 }]),
  });
  bed.receive("10.0.0.9:5060", request("ACK", { toTag: "b" }));
  assert.deepEqual(names(bed.take()), ["ACK 10.0.0.2:5060", "ACK 10.0.0.3:5060"]);
});

test("a BYE for a user of ours without Route is forked, and the device that knows it answers", () => {
  const bed = new Testbed({
    route: (_r, context) =>
      void context.addTargets([{ uri: "sip:bob@10.0.0.2" }, { uri: "sip:bob@10.0.0.3" }]),
  });
  bed.receive("10.0.0.9:5060", request("BYE", { toTag: "b" }));
  const [one, two] = bed.take() as [Sent, Sent];
  assert.deepEqual(bed.respond(one, 481), []);
  assert.deepEqual(names(bed.respond(two, 200)), ["200 10.0.0.9:5060"]);
});

test("§16.10, a CANCEL without INVITE: forwarded statelessly, the same way each time, and its 200 comes back", () => {
  const bed = new Testbed({ route: toBob });
  const text = request("CANCEL", { branch: "z9hG4bKstray", callId: "stray-1" });
  bed.receive("10.0.0.9:5060", text);
  const first = bed.takeOne();
  bed.receive("10.0.0.9:5060", text);
  const second = bed.takeOne();
  assert.deepEqual(names([first]), [`CANCEL ${bob}`]);
  assert.equal(first.text, second.text);
  const back = bed.respond(first, 200);
  assert.deepEqual(names(back), ["200 10.0.0.9:5060"]);
  assert.equal(header(back[0] as Sent, "Via").length, 1);
});

test("§16.10, a CANCEL without INVITE that may not pass, or has nowhere to go: 481", () => {
  for (const options of [
    { admit: () => false, route: toBob },
    { admit: () => Promise.resolve(true), route: toBob },
    {},
  ]) {
    const bed = new Testbed(options);
    bed.receive("10.0.0.9:5060", request("CANCEL"));
    assert.deepEqual(names(bed.take()), ["481 10.0.0.9:5060"]);
  }
});

test("RFC 6026 §7.3, a response that answers nothing of ours is dropped", () => {
  const bed = new Testbed({ route: toBob });
  const { invite } = call(bed);
  const stray = (via: string) =>
    ["SIP/2.0 200 OK", `Via: ${via}`, `Via: ${header(invite, "Via")[1]}`]
      .concat(
        ["From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(invite, name)[0]}`),
        "",
        "",
      )
      .join("\r\n");
  bed.receive("10.0.0.2:5060", stray("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnever"));
  bed.receive("10.0.0.2:5060", stray("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKs.0123456789abcdef"));
  assert.deepEqual(bed.take(), []);
});
