// Edits of received messages: each changes what it names and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, ParseError } from "../errors.ts";
import {
  draftForward,
  type Edits,
  forwardResponse,
  PrintedHeaders,
  parseMessage,
  printUri,
  type SipRequest,
  type SipResponse,
  splice,
} from "./index.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const start = "INVITE sip:bob@example.com SIP/2.0\r\n";
const rest =
  "f: <sip:a@b>;tag=1\r\nTo : <sip:b@c>\r\ni:x\r\nCSEQ: 1\r\n INVITE\r\nX-Odd:  ;;,, \r\nl: 3\r\n\r\nabc";

/** The message with these header lines on top, and what comes of it; both without the parts that are always the same. */
function edited(lines: string, edits: Edits): string {
  const message = parseMessage(encode(start + lines + rest));
  const out = decode(splice(message, edits));
  assert.ok(out.endsWith(rest), "the rest has changed");
  return out.slice(0, -rest.length).replace(start, "");
}

const via = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n";

// section, header lines, edits, header lines afterwards
const rows: [string, string, Edits, string][] = [
  [
    "§16.6 item 8, a Via, goes on top",
    `Subject: x\r\n${via}`,
    { pushVia: "SIP/2.0/TCP p;branch=z9hG4bK2" },
    `Via: SIP/2.0/TCP p;branch=z9hG4bK2\r\nSubject: x\r\n${via}`,
  ],
  [
    "§16.7 item 3, the only Via of its line, goes with the line",
    `${via}v: SIP/2.0/UDP i\r\n`,
    { popVia: true },
    "v: SIP/2.0/UDP i\r\n",
  ],
  [
    "§16.7 item 3, the first of several Vias on a line, goes alone",
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1 ,  SIP/2.0/UDP i,SIP/2.0/UDP j\r\n",
    { popVia: true },
    "Via: SIP/2.0/UDP i,SIP/2.0/UDP j\r\n",
  ],
  [
    "§7.3.1, a folded and compact Via, goes alone",
    "v : SIP/2.0/UDP h;\r\n branch=z9hG4bK1\r\n ,\r\n SIP/2.0/UDP i\r\n",
    { popVia: true },
    "v : SIP/2.0/UDP i\r\n",
  ],
  [
    "§25.1, a comma in quotes, does not end a Via",
    'Via: SIP/2.0/UDP h;x="a,b";branch=z9hG4bK1, SIP/2.0/UDP i\r\n',
    { popVia: true },
    "Via: SIP/2.0/UDP i\r\n",
  ],
  [
    "§18.2.1, received, is appended to the top Via",
    via,
    { received: "192.0.2.1" },
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.1\r\n",
  ],
  [
    "§18.2.1, received, is put into the first of several values",
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1 , SIP/2.0/UDP i\r\n",
    { received: "::1" },
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=::1 , SIP/2.0/UDP i\r\n",
  ],
  [
    "RFC 3581 §4, rport, is filled in where it was asked for",
    "Via: SIP/2.0/UDP h ;rport ;branch=z9hG4bK1\r\n",
    { received: "192.0.2.1", rport: 5061 },
    "Via: SIP/2.0/UDP h ;rport=5061 ;branch=z9hG4bK1;received=192.0.2.1\r\n",
  ],
  [
    "§18.2.1, a received of the sender's, is replaced",
    "Via: SIP/2.0/UDP h;received=[::2];branch=z9hG4bK1;rport=1\r\n",
    { received: "192.0.2.1", rport: 2 },
    "Via: SIP/2.0/UDP h;received=192.0.2.1;branch=z9hG4bK1;rport=2\r\n",
  ],
  [
    "§16.6 item 3, Max-Forwards, is replaced",
    `${via}mAX-fORWARDS :  0070 \r\n`,
    { maxForwards: 69 },
    `${via}mAX-fORWARDS :  69 \r\n`,
  ],
  [
    "§16.6 item 3, Max-Forwards, is replaced between other edits",
    `${via}Subject: x\r\nMax-Forwards: 70\r\nRoute: <sip:a;lr>\r\nExpires: 1\r\n`,
    { maxForwards: 69, removeRoutes: 1, remove: ["Subject"], pushVia: "SIP/2.0/UDP p" },
    `Via: SIP/2.0/UDP p\r\n${via}Max-Forwards: 69\r\nExpires: 1\r\n`,
  ],
  [
    "§16.6 item 3, Max-Forwards, gets shorter",
    `${via}Max-Forwards: 10\r\n`,
    { maxForwards: 9 },
    `${via}Max-Forwards: 9\r\n`,
  ],
  [
    "§16.6 item 5, a field printed before, stands below our Via",
    via,
    { printed: new PrintedHeaders([["Max-Breadth", 60]]), pushVia: "SIP/2.0/UDP p" },
    `Via: SIP/2.0/UDP p\r\nMax-Breadth: 60\r\n${via}`,
  ],
  [
    "§16.6 item 4, Record-Route, stands above those that are there",
    `${via}Subject: x\r\nRecord-Route: <sip:a;lr>\r\n`,
    { recordRoutes: ["<sip:p;lr>", "<sip:q;lr>"] },
    `${via}Subject: x\r\nRecord-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\nRecord-Route: <sip:a;lr>\r\n`,
  ],
  [
    "§16.6 items 4 and 8, Record-Route without one before, stands below our Via",
    via,
    { recordRoutes: ["<sip:p;lr>"], pushVia: "SIP/2.0/UDP p" },
    `Via: SIP/2.0/UDP p\r\nRecord-Route: <sip:p;lr>\r\n${via}`,
  ],
  [
    "RFC 3327 §5.2, Path, stands above those that are there",
    `${via}Path: <sip:a;lr>\r\n`,
    { path: ["<sip:p;lr>"] },
    `${via}Path: <sip:p;lr>\r\nPath: <sip:a;lr>\r\n`,
  ],
  [
    "§16.4, the first Route of a line, goes alone",
    `${via}Route: <sip:a;lr>, <sip:b;lr>\r\n`,
    { removeRoutes: 1 },
    `${via}Route: <sip:b;lr>\r\n`,
  ],
  [
    "§16.4, two Routes over two lines, go",
    `${via}Route: <sip:a;lr>\r\nSubject: x\r\nRoute: "x, y" <sip:b;lr>, <sip:c>\r\n`,
    { removeRoutes: 2 },
    `${via}Subject: x\r\nRoute: <sip:c>\r\n`,
  ],
  [
    "§16.4, more Routes than there are, go",
    `${via}Route: <sip:a;lr>\r\nRoute: <sip:b;lr>\r\n`,
    { removeRoutes: 9 },
    via,
  ],
  [
    "§16.6 item 6, a Route, is pushed",
    `${via}Route: <sip:a;lr>\r\n`,
    { pushRoutes: ["<sip:p;lr>"] },
    `${via}Route: <sip:p;lr>\r\nRoute: <sip:a;lr>\r\n`,
  ],
  [
    "§16.6 item 6, a Route that is pushed while one goes",
    `${via}Route: <sip:a;lr>\r\n`,
    { pushRoutes: ["<sip:p;lr>"], removeRoutes: 1 },
    `${via}Route: <sip:p;lr>\r\n`,
  ],
  [
    "§16.12, all Routes, are replaced",
    `Route: <sip:a;lr>\r\n${via}Route: <sip:b>\r\n`,
    { routes: ["<sip:p;lr>", "<sip:q>"] },
    `Route: <sip:p;lr>\r\nRoute: <sip:q>\r\n${via}`,
  ],
  ["§16.12, all Routes, are removed", `Route: <sip:a;lr>\r\n${via}Route: <sip:b>\r\n`, { routes: [] }, via],
  [
    "headers by name, are removed",
    `x-A: 1\r\n${via}X-AB: 2\r\nX-a : 3\r\n 4\r\nS: 5\r\n`,
    { remove: ["X-A", "Subject"] },
    `${via}X-AB: 2\r\n`,
  ],
];
for (const [title, before, edits, after] of rows) {
  test(title, () => {
    assert.equal(edited(before, edits), after);
  });
}

test("§16.6 items 1 and 2, the Request-URI, is replaced and the rest copied", () => {
  const message = parseMessage(encode(start + via + rest));
  assert.equal(
    decode(splice(message, { requestUri: "sip:carol@[::1]" })),
    `INVITE sip:carol@[::1] SIP/2.0\r\n${via}${rest}`,
  );
});

test("§16.6, headers to add and a Max-Forwards that was missing, stand at the end", () => {
  const message = parseMessage(encode(start + via + rest));
  const out = decode(
    splice(message, {
      maxForwards: 70,
      add: [
        ["Reason", "SIP;cause=200"],
        ["Expires", 5],
      ],
    }),
  );
  assert.equal(
    out,
    `${start}${via}${rest.slice(0, -5)}Max-Forwards: 70\r\nReason: SIP;cause=200\r\nExpires: 5\r\n\r\nabc`,
  );
});

test("§18.3, octets behind the body and empty lines before the message, are not forwarded", () => {
  const message = parseMessage(encode(`\r\n\r\n${start}${via}${rest}INVITE sip:more`));
  assert.equal(decode(splice(message, {})), start + via + rest);
});

test("edits with line breaks, are refused", () => {
  const message = parseMessage(encode(start + via + rest));
  for (const edits of [
    { pushVia: "SIP/2.0/UDP h\r\nX: y" },
    { requestUri: "sip:a@b\r\nX: y" },
    { requestUri: "sip:a@b x" },
    { received: "1\n" },
    { routes: ["<sip:a>\r\n"] },
    { recordRoutes: ["<sip:a>\n"] },
    { add: [["X", "a\r\nb"] as const] },
    { add: [["X: y\r\nZ", "a"] as const] },
    { maxForwards: 256 },
    { maxForwards: 10.5 },
  ]) {
    assert.throws(() => splice(message, edits), ArgumentError, JSON.stringify(edits));
  }
});

test("§16.6, a forwarded request, knows its next hop", () => {
  const request = parseMessage(
    encode(`${start}${via}Route: <sip:a;lr>, <sip:b;lr>\r\n${rest}`),
  ) as SipRequest;
  const uri = (edits: Edits) => {
    const draft = draftForward(request, edits);
    return draft.topRoute === undefined ? undefined : printUri(draft.topRoute);
  };
  assert.equal(uri({}), "sip:a;lr");
  assert.equal(uri({ removeRoutes: 1 }), "sip:b;lr");
  assert.equal(uri({ removeRoutes: 2 }), undefined);
  assert.equal(uri({ routes: [] }), undefined);
  assert.equal(uri({ pushRoutes: ["<sip:p>"], removeRoutes: 2 }), "sip:p");
  assert.equal(uri({ routes: ["<sip:q>", "<sip:r>"] }), "sip:q");
  const draft = draftForward(request, {
    requestUri: "sip:x@y",
    maxForwards: 5,
    recordRoutes: ["<sip:p;lr>"],
  });
  assert.equal(printUri(draft.requestUri), "sip:x@y");
  const first = decode(draft.withVia("SIP/2.0/UDP p;branch=z9hG4bKa"));
  assert.ok(
    first.startsWith(
      "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bKa\r\nRecord-Route: <sip:p;lr>\r\nVia: ",
    ),
  );
  assert.equal(decode(draft.withVia("SIP/2.0/UDP p;branch=z9hG4bKb")), first.replace("bKa", "bKb"));
  assert.throws(() => draft.withVia("x\r\n"), ArgumentError);
});

test("§16.7, a forwarded response, has lost one Via", () => {
  const response = parseMessage(
    encode(`SIP/2.0 180 \r\nVia: SIP/2.0/UDP p;branch=z9hG4bK1, SIP/2.0/UDP h\r\n${rest}`),
  ) as SipResponse;
  const out = forwardResponse(response);
  assert.equal(out.statusCode, 180);
  assert.equal(decode(out.bytes), `SIP/2.0 180 \r\nVia: SIP/2.0/UDP h\r\n${rest}`);
});

test("§16.7 item 3, a response with one Via only goes no further", () => {
  for (const [vias, goesOn] of [
    ["Via: SIP/2.0/UDP p;branch=z9hG4bK1 \r\n", false],
    ["Via: SIP/2.0/UDP p;branch=z9hG4bK1\r\n \r\n", false],
    ["Via: SIP/2.0/UDP p;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP h\r\n", true],
    ["Via: SIP/2.0/UDP p;branch=z9hG4bK1\r\nX: y\r\nv: SIP/2.0/UDP h\r\n", true],
  ] as const) {
    const response = parseMessage(encode(`SIP/2.0 200 OK\r\n${vias}${rest}`)) as SipResponse;
    if (goesOn) forwardResponse(response);
    else assert.throws(() => forwardResponse(response), ParseError);
  }
});
