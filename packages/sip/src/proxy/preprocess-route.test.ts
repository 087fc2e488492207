// RFC 3261 §16.4: what is taken off, what remains, what counts as recorded by us.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey } from "../keyed-hash.ts";
import {
  noLimits,
  parseMessage,
  parseUri,
  printUri,
  type SipRequest,
  splice,
  type Uri,
} from "../message/index.ts";
import type { Flow, Listener } from "../transport/flow.ts";
import { OwnRoutes } from "./own-route.ts";
import { preprocessRoute, untouched } from "./preprocess-route.ts";
import { pathParams, recordRouteParams } from "./record-route.ts";

const key = hashKey(Uint8Array.from({ length: 16 }, (_, i) => i));
const otherKey = hashKey(new Uint8Array(16));
const encoder = new TextEncoder();
const listener: Listener = { id: 1, transport: "UDP", address: "10.0.0.1", port: 5060 };
const arrival: Flow = {
  id: "f-in",
  transport: "UDP",
  isReliable: false,
  listener,
  remote: { address: "10.0.0.9", port: 5060 },
  state: "open",
};
const far: Flow = { ...arrival, id: "f-far", transport: "TCP", isReliable: true };
const self = {
  key,
  isOurs: (uri: Uri) => "host" in uri && (uri.host === "10.0.0.1" || uri.host === "example.com"),
};

function request(
  requestUri: string,
  routes: readonly string[],
  tags = { from: "alice", to: "bob" },
): SipRequest {
  const lines = [
    `BYE ${requestUri} SIP/2.0`,
    "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1",
    "Max-Forwards: 70",
    ...routes.map((route) => `Route: ${route}`),
    `From: <sip:alice@example.com>;tag=${tags.from}`,
    `To: <sip:bob@example.com>${tags.to === "" ? "" : `;tag=${tags.to}`}`,
    "Call-ID: call-1",
    "CSeq: 2 BYE",
    "Content-Length: 0",
    "",
    "",
  ];
  return parseMessage(encoder.encode(lines.join("\r\n"))) as SipRequest;
}

// Recorded by the INVITE of this dialog, whose From tag was "alice".
const invite = request("sip:bob@example.com", []);
const plain = `<sip:10.0.0.1;lr${recordRouteParams(key, invite, undefined, undefined)}>`;
const withFlows = `<sip:10.0.0.1;lr${recordRouteParams(key, invite, arrival, far)}>`;
const inTcp = `<sip:10.0.0.1;transport=tcp;lr${recordRouteParams(key, invite, undefined, undefined)}>`;
const forged = `<sip:10.0.0.1;lr${recordRouteParams(otherKey, invite, undefined, undefined)}>`;
const swapped = withFlows.replace("down=f-far", "down=f-other");
const path = `<sip:10.0.0.1;lr${pathParams(key, far)}>`;
const next = "<sip:p2.example.net;lr>";
const bob = "sip:bob@192.0.2.7";

interface Expected {
  popped?: number;
  uri?: string;
  left?: number;
  recorded?: boolean;
  flow?: string;
  last?: boolean;
}
const rows: readonly (readonly [title: string, SipRequest, Expected])[] = [
  ["§16.4, no Route: untouched", request(bob, []), {}],
  ["§16.4, foreign Route: stays", request(bob, [next]), { left: 1 }],
  [
    "§16.4, own Route without signature: popped, not recorded",
    request(bob, ["<sip:10.0.0.1;lr>"]),
    { popped: 1 },
  ],
  ["§16.4, own domain as Route: popped", request(bob, ["<sip:example.com;lr>"]), { popped: 1 }],
  ["own signed Route: popped, recorded", request(bob, [plain]), { popped: 1, recorded: true }],
  [
    "own signed Route, then another proxy's: one popped",
    request(bob, [plain, next]),
    { popped: 1, left: 1, recorded: true },
  ],
  [
    "RFC 5658, both halves of a double value: both popped",
    request(bob, [inTcp, plain]),
    { popped: 2, recorded: true },
  ],
  [
    "two own values on one line: both popped",
    request(bob, [`${inTcp}, ${plain}`]),
    { popped: 2, recorded: true },
  ],
  [
    "second own value unsigned: stays",
    request(bob, [plain, "<sip:10.0.0.1;lr>"]),
    { popped: 1, left: 1, recorded: true },
  ],
  ["signature of another key: popped, not recorded", request(bob, [forged]), { popped: 1 }],
  ["signature of another dialog: not recorded", request(bob, [plain], { from: "x", to: "y" }), { popped: 1 }],
  [
    "signature of a dialog, request outside of any: not recorded",
    request(bob, [withFlows], { from: "alice", to: "" }),
    { popped: 1 },
  ],
  [
    "the same from a strict router: not recorded",
    request(withFlows.slice(1, -1), [`<${bob}>`], { from: "alice", to: "" }),
    { uri: bob, last: true },
  ],
  [
    "callee's request: recorded too",
    request(bob, [plain], { from: "bob", to: "alice" }),
    { popped: 1, recorded: true },
  ],
  ["flow towards the callee", request(bob, [withFlows]), { popped: 1, recorded: true, flow: "f-far" }],
  [
    "flow towards the caller",
    request(bob, [withFlows], { from: "bob", to: "alice" }),
    { popped: 1, recorded: true, flow: "f-in" },
  ],
  [
    "flow ignored while a Route remains",
    request(bob, [withFlows, next]),
    { popped: 1, left: 1, recorded: true },
  ],
  ["flow exchanged: not recorded", request(bob, [swapped]), { popped: 1 }],
  [
    "RFC 5626, own Path value: recorded, over its flow",
    request(bob, [path], { from: "z", to: "y" }),
    { popped: 1, recorded: true, flow: "f-far" },
  ],
  [
    "RFC 5626, own Path value outside a dialog: recorded all the same",
    request(bob, [path], { from: "z", to: "" }),
    { popped: 1, recorded: true, flow: "f-far" },
  ],
  [
    "RFC 5626, own Path value, then another Route: leads where the sender wants, so not recorded",
    request(bob, [path, next], { from: "z", to: "y" }),
    { popped: 1, left: 1 },
  ],
  ["RFC 5626, Path value changed: not recorded", request(bob, [path.replace("f-far", "f-x")]), { popped: 1 }],
  [
    "§16.4, strict router upstream: last Route becomes the Request-URI",
    request(plain.slice(1, -1), [`<${bob}>`]),
    { uri: bob, recorded: true, last: true },
  ],
  [
    "§16.4, strict router upstream, more Routes",
    request(plain.slice(1, -1), [next, `<${bob}>`]),
    { uri: bob, left: 1, recorded: true, last: true },
  ],
  [
    "§16.4, strict, double value: second half popped too",
    request(inTcp.slice(1, -1), [plain, `<${bob}>`]),
    { uri: bob, popped: 1, recorded: true, last: true },
  ],
  ["own signed URI as Request-URI without Route: untouched", request(plain.slice(1, -1), []), {}],
  [
    "§16.4, own maddr on this port and transport: stripped",
    request("sip:bob@other.net;maddr=10.0.0.1", []),
    { uri: "sip:bob@other.net" },
  ],
  [
    "§16.4, own maddr with transport: both stripped",
    request("sip:bob@other.net;maddr=10.0.0.1;transport=udp", []),
    { uri: "sip:bob@other.net" },
  ],
  [
    "§16.4, own maddr, other transport: stays",
    request("sip:bob@other.net;maddr=10.0.0.1;transport=tcp", []),
    {},
  ],
  ["§16.4, own maddr, other port: stays", request("sip:bob@other.net:5070;maddr=10.0.0.1", []), {}],
  ["§16.4, foreign maddr: stays", request("sip:bob@other.net;maddr=10.9.9.9", []), {}],
];

const ownRoutes = new OwnRoutes(key);
const own = ownRoutes.of("sip:10.0.0.1;lr", listener, false);
// Also for a proxy that knows its own values by their letters.
const selves = [
  ["", self],
  [", value known", { ...self, ownRoutes }],
] as const;
for (const [title, message, expected] of rows) {
  for (const [manner, who] of selves) {
    test(title + manner, () => {
      const decision = preprocessRoute(message, arrival, who);
      assert.deepEqual(
        {
          popped: decision.popped,
          uri: decision.requestUri === undefined ? undefined : printUri(decision.requestUri),
          left: decision.remaining.length,
          recorded: decision.isRecorded,
          flow: decision.flowId,
          last: decision.tookLast,
        },
        { popped: 0, uri: undefined, left: 0, recorded: false, flow: undefined, last: false, ...expected },
      );
    });
  }
}

test("a value known by its letters, leads to one decision for both directions", () => {
  const who = { ...self, ownRoutes };
  assert.equal(preprocessRoute(request(bob, [plain]), arrival, who), own.decision);
  assert.equal(
    preprocessRoute(request(bob, [plain], { from: "bob", to: "alice" }), arrival, who),
    own.decision,
  );
  assert.notEqual(preprocessRoute(request(bob, [`${plain} `, next]), arrival, who), own.decision);
});

for (const [title, from] of [
  ["as text", "alice"],
  ["as text, of a tag that is too long for it", "a".repeat(5000)],
] as const) {
  test(`the value that is written in bytes, the same ${title}`, () => {
    const message = request(bob, [], { from, to: "" });
    const recorded = splice(message, { recordRoute: own });
    const [value] = (parseMessage(recorded, noLimits) as SipRequest).headers.rawAll("Record-Route");
    assert.equal(value, `<sip:10.0.0.1;lr${recordRouteParams(key, message, undefined, undefined)}>`);
    assert.equal(own.leads(request(bob, [value ?? ""], { from: "bob", to: from })), true);
    assert.equal(own.leads(request(bob, [value ?? ""], { from: "bob", to: `${from}x` })), false);
  });
}

test("nothing to do gives the shared object", () => {
  assert.equal(preprocessRoute(request(bob, []), arrival, self), untouched);
  assert.equal(preprocessRoute(request("sip:bob@192.0.2.7;x=y", []), arrival, self), untouched);
  assert.ok(parseUri(bob));
});
