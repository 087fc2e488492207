// Messages made here: requests, responses, ACK, CANCEL, answers to malformed requests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, ParseError } from "../errors.ts";
import {
  answerMalformed,
  draftRequest,
  type HeaderInit,
  makeAck,
  makeCancel,
  makeResponse,
  PrintedHeaders,
  parseMessage,
  parseNameAddr,
  parseUri,
  printUri,
  type SipRequest,
  type SipResponse,
} from "./index.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const core: HeaderInit[] = [
  ["From", { ...parseNameAddr('"Álice" <sip:alice@a.example>'), tag: "1" }],
  ["To", parseUri("sip:bob@b.example;x=y")],
  ["Call-ID", "abc@a.example"],
  ["CSeq", { sequence: 7, method: "INVITE" }],
];

test("§8.1.1, a request, gets Via, Max-Forwards and Content-Length", () => {
  const draft = draftRequest({
    method: "INVITE",
    requestUri: "sip:bob@b.example",
    headers: [
      ...core,
      ["Contact", parseUri("sip:alice@192.0.2.1")],
      ["Supported", ["timer", "100rel"]],
      ["Expires", 30],
    ],
    body: "é",
  });
  assert.equal(
    decode(draft.withVia("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")),
    [
      "INVITE sip:bob@b.example SIP/2.0",
      "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
      "Max-Forwards: 70",
      'From: "Álice" <sip:alice@a.example>;tag=1',
      "To: <sip:bob@b.example;x=y>",
      "Call-ID: abc@a.example",
      "CSeq: 7 INVITE",
      "Contact: <sip:alice@192.0.2.1>",
      "Supported: timer, 100rel",
      "Expires: 30",
      "Content-Length: 2",
      "",
      "é",
    ].join("\r\n"),
  );
  assert.equal(draft.topRoute, undefined);
});

test("§8.1.2, a request with a route set, knows its first Route", () => {
  const routes = (value: HeaderInit[1]) =>
    draftRequest({ method: "BYE", requestUri: "sip:b", headers: [...core, ["route", value]] }).topRoute;
  assert.equal(printUri(routes('"x, y" <sip:p;lr>, <sip:q;lr>')!), "sip:p;lr");
  assert.equal(printUri(routes([parseNameAddr("<sip:p;lr>"), parseNameAddr("<sip:q>")])!), "sip:p;lr");
});

// what is wrong, changed parts of the request
const wrong: [string, Partial<Parameters<typeof draftRequest>[0]>][] = [
  ["a line break in a value", { headers: [...core, ["Subject", "a\r\nRoute: <sip:evil>"]] }],
  ["a bare LF in a value", { headers: [...core, ["Subject", "a\nb"]] }],
  ["a bare CR in a value", { headers: [...core, ["Subject", "a\rb"]] }],
  ["a line break in a name", { headers: [...core, ["A\r\nB", "x"]] }],
  [
    "a line break in a display name's tag",
    { headers: [...core, ["Reply-To", { ...parseNameAddr("<sip:a@b>"), tag: "x\r\nY: z" }]] },
  ],
  ["a space in the method", { method: "IN VITE" }],
  ["a line break in the Request-URI", { requestUri: "sip:a@b\r\nX: y" }],
  ["no URI", { requestUri: "bob" }],
  ["no To", { headers: core.filter(([name]) => name !== "To") }],
  ["a Via of the caller's", { headers: [...core, ["v", "SIP/2.0/UDP h"]] }],
  ["a Content-Length of the caller's", { headers: [...core, ["Content-Length", 5]] }],
];
for (const [what, parts] of wrong) {
  test(`§7.3, ${what}, is refused`, () => {
    assert.throws(
      () => draftRequest({ method: "INVITE", requestUri: "sip:b@c", headers: core, ...parts }),
      ArgumentError,
    );
  });
}

const invite = parseMessage(
  encode(
    [
      "INVITE sip:bob@b.example SIP/2.0",
      "v: SIP/2.0/UDP p;branch=z9hG4bK2 , SIP/2.0/UDP h;branch=z9hG4bK1",
      "Via: SIP/2.0/UDP i",
      "Max-Forwards: 69",
      "Route: <sip:r1;lr>",
      "Route: <sip:r2;lr>",
      "From: <sip:alice@a.example>",
      " ;tag=1",
      "t: Bob <sip:bob@b.example>",
      "Call-ID: abc",
      "CSeq: 0007 INVITE",
      "Timestamp: 5",
      "Authorization: Digest x=y",
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n"),
  ),
) as SipRequest;

test("§8.2.6, a response, repeats Via, From, To, Call-ID, CSeq and gets a tag", () => {
  const response = makeResponse(invite, 486, {
    toTag: "99",
    headers: [["Retry-After", 5]],
    body: "hm",
    contentType: "text/plain",
  });
  assert.equal(
    decode(response.bytes),
    "SIP/2.0 486 Busy Here\r\nv: SIP/2.0/UDP p;branch=z9hG4bK2 , SIP/2.0/UDP h;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP i\r\nFrom: <sip:alice@a.example>\r\n ;tag=1\r\nt: Bob <sip:bob@b.example>;tag=99\r\nCall-ID: abc\r\nCSeq: 0007 INVITE\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhm",
  );
  assert.equal(response.to.tag, "99");
  assert.equal(response.statusCode, 486);
});

// Timestamp of the request, seconds that the 100 is late, Timestamp of the 100
const timestamps: [string, number | undefined, string][] = [
  ["5", undefined, "5"],
  ["54.2", 0.2, "54.2 0.2"],
  ["54", 3.5, "54 3.5"],
  ["54 0.1", 0.2, "54 0.1"],
];
for (const [sent, delay, expected] of timestamps) {
  test(`§8.2.6.1, a 100 ${delay ?? 0} s after Timestamp: ${sent}`, () => {
    const text = decode(invite.bytes).replace("Timestamp: 5\r\n", `Timestamp: ${sent}\r\n`);
    const request = parseMessage(encode(text)) as SipRequest;
    const answer = makeResponse(request, 100, delay === undefined ? {} : { delay });
    assert.equal(answer.headers.raw("Timestamp"), expected);
  });
}

test("§8.2.6.1, a 100, repeats Timestamp", () => {
  assert.match(
    decode(makeResponse(invite, 100).bytes),
    /^SIP\/2\.0 100 Trying\r\n[\s\S]*\r\nTimestamp: 5\r\n/,
  );
  assert.doesNotMatch(decode(makeResponse(invite, 180).bytes), /Timestamp/);
});

test("§8.2.6.2, a tag that the request has, stays", () => {
  const tagged = parseMessage(
    encode(decode(invite.bytes).replace("Bob <sip:bob@b.example>", "Bob <sip:bob@b.example>;tag=old")),
  ) as SipRequest;
  assert.equal(makeResponse(tagged, 200, { toTag: "new" }).to.tag, "old");
});

test("§7.2, responses that could not be read, are refused", () => {
  assert.throws(() => makeResponse(invite, 99), ArgumentError);
  assert.throws(() => makeResponse(invite, 700), ArgumentError);
  assert.throws(() => makeResponse(invite, 200.5), ArgumentError);
  assert.throws(() => makeResponse(invite, 200, { reasonPhrase: "OK\r\nX: y" }), ArgumentError);
  assert.throws(() => makeResponse(invite, 200, { toTag: "a b" }), ArgumentError);
  assert.throws(() => makeResponse(invite, 200, { contentType: "a/b\r\nX: y" }), ArgumentError);
  assert.throws(() => makeResponse(invite, 200, { headers: [["CSeq", "1 INVITE"]] }), ArgumentError);
});

test("§8.2.6, header fields printed once, stand behind the others in each response", () => {
  const printed = new PrintedHeaders([
    ["Allow", "INVITE, ACK"],
    ["Retry-After", 5],
  ]);
  const response = makeResponse(invite, 200, { headers: [["Server", "x"]], printed, body: "hm" });
  assert.deepEqual([...response.headers.entries()].slice(-4), [
    ["Server", "x"],
    ["Allow", "INVITE, ACK"],
    ["Retry-After", "5"],
    ["Content-Length", "2"],
  ]);
  assert.throws(() => new PrintedHeaders([["Server", "x\r\nX: y"]]), ArgumentError);
  assert.throws(() => new PrintedHeaders([["no name", "x"]]), ArgumentError);
  assert.throws(() => new PrintedHeaders([["CSeq", "1 INVITE"]]), ArgumentError);
});

test("§8.2.6, header fields written into a response, stand behind the others and cannot end their line", () => {
  const write = (value: string) =>
    makeResponse(invite, 200, {
      headers: [["Server", "x"]],
      write: (to) => to.text("Subject: ").value(value).text("\r\nX: 1\r\n"),
    });
  assert.deepEqual([...write('"Ü" ' + "\\\0").headers.entries()].slice(-4), [
    ["Server", "x"],
    ["Subject", '"Ü" ' + "\\\0"],
    ["X", "1"],
    ["Content-Length", "0"],
  ]);
  for (const value of ["a\r\nTo: b", "a\nb", "a\0"]) assert.throws(() => write(value), ArgumentError);
  assert.equal(write("after a refusal").headers.raw("Subject"), "after a refusal");
});

test("§17.1.1.3, the ACK of a non-2xx, has the INVITE's top Via, Route and the response's To", () => {
  const response = makeResponse(invite, 486, { toTag: "99" }) as SipResponse;
  assert.equal(
    decode(makeAck(invite, response)),
    "ACK sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bK2\r\nMax-Forwards: 70\r\nRoute: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\nFrom: <sip:alice@a.example>\r\n ;tag=1\r\nTo: Bob <sip:bob@b.example>;tag=99\r\nCall-ID: abc\r\nCSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n",
  );
});

test("§9.1, a CANCEL, has the INVITE's top Via, To, CSeq number and Route", () => {
  assert.equal(
    decode(makeCancel(invite, [["Reason", "SIP;cause=200"]])),
    "CANCEL sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bK2\r\nMax-Forwards: 70\r\nRoute: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\nFrom: <sip:alice@a.example>\r\n ;tag=1\r\nTo: Bob <sip:bob@b.example>\r\nCall-ID: abc\r\nCSeq: 7 CANCEL\r\nReason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n",
  );
});

test("§21.4.1, a malformed request, is answered with what could be read of it", () => {
  const bytes = encode(
    "INVITE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;rport;;x;branch=z9hG4bKq, SIP/2.0/TCP i\r\nv: SIP/2.0/UDP j\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\n\r\n",
  );
  const error = new ParseError("CSeq", "missing");
  const answer = answerMalformed(bytes, error, { address: "192.0.2.9", port: 4000 })!;
  assert.equal(answer.statusCode, 400);
  assert.equal(answer.via.received, "192.0.2.9");
  assert.equal(answer.via.rport, 4000);
  const tag = /To: <sip:b@c>;tag=(s-[0-9a-z]{14})/.exec(decode(answer.bytes))?.[1];
  assert.equal(
    decode(answer.bytes),
    `SIP/2.0 400 Bad Request (CSeq: missing)\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;rport=4000;received=192.0.2.9;branch=z9hG4bKq\r\nVia: SIP/2.0/TCP i\r\nVia: SIP/2.0/UDP j\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=${tag}\r\nCall-ID: x\r\nWarning: 399 offhook "CSeq: missing"\r\nContent-Length: 0\r\n\r\n`,
  );
  assert.deepEqual(answerMalformed(bytes, error, { address: "192.0.2.9", port: 4000 })!.bytes, answer.bytes);
});

test("§8.2.6.2, a request in another version, has its Via repeated as it came", () => {
  const bytes = encode(
    "OPTIONS sip:b@c SIP/7.0\r\nVia: SIP/7.0/UDP c.example;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
  );
  const error = new ParseError("start line", "another version", { status: 505 });
  const lines = decode(answerMalformed(bytes, error)!.bytes).split("\r\n");
  assert.deepEqual(lines.slice(0, 2), [
    "SIP/2.0 505 Version Not Supported",
    "Via: SIP/7.0/UDP c.example;branch=z9hG4bKq",
  ]);
});

// what, bytes
const unanswerable: [string, string][] = [
  ["an ACK", "ACK sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n"],
  ["a response", "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"],
  ["a request without Via", "INVITE sip:b@c SIP/2.0\r\nFrom: <sip:a@b>\r\n\r\n"],
  ["a request with an unreadable Via", "INVITE sip:b@c SIP/2.0\r\nVia: ???\r\n\r\n"],
  ["noise", "\u0000\u0001\u0002"],
  ["nothing", ""],
  ["one word", "INVITE"],
];
for (const [what, text] of unanswerable) {
  test(`§18.3, ${what}, is not answered`, () => {
    assert.equal(answerMalformed(encode(text), new ParseError("message", "x")), undefined);
  });
}
