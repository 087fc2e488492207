// RFC 3261 §16.4, §16.6 step 6, §16.12 and RFC 3327 on the wire: Route and Path.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bob,
  call,
  find,
  header,
  inDialog,
  names,
  request,
  routes,
  Testbed,
  tcp,
  toBob,
} from "./testbed.test.kit.ts";

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
