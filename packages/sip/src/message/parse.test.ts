// The parser: what every element relies on, limits, smuggling, ownership of the bytes; framing and multipart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, ParseError } from "../errors.ts";
import {
  bodyParts,
  contentLengthOf,
  defaultLimits,
  findHeadEnd,
  INVITE,
  type Limits,
  parseMediaType,
  parseMessage,
  parseMultipart,
  printMultipart,
  type SipRequest,
  type SipResponse,
} from "./index.ts";
import { portableDecodeAscii, setDecodeAscii } from "./text.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const lines = {
  start: "INVITE sip:b@c SIP/2.0",
  via: "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
  from: "From: <sip:a@b>;tag=1",
  to: "To: <sip:b@c>",
  callId: "Call-ID: x",
  cSeq: "CSeq: 1 INVITE",
};
type Lines = Partial<Record<keyof typeof lines | "more" | "body", string>>;

function bytesOf(changed: Lines = {}): Uint8Array {
  const { body = "", ...head } = { ...lines, ...changed };
  return encode(
    `${Object.values(head)
      .filter((line) => line !== "")
      .join("\r\n")}\r\n\r\n${body}`,
  );
}

// section and what, changed lines, status, field
const refused: [string, Lines, number, string][] = [
  ["§8.1.1, no Via", { via: "" }, 400, "Via"],
  ["§8.1.1, no From", { from: "" }, 400, "From"],
  ["§8.1.1, no To", { to: "" }, 400, "To"],
  ["§8.1.1, no Call-ID", { callId: "" }, 400, "Call-ID"],
  ["§8.1.1, no CSeq", { cSeq: "" }, 400, "CSeq"],
  ["§8.1.1.5, CSeq of another method", { cSeq: "CSeq: 1 BYE" }, 400, "CSeq"],
  ["§8.1.1.5, CSeq of 2**32", { cSeq: "CSeq: 4294967296 INVITE" }, 400, "CSeq"],
  ["§7.1, methods are case-sensitive", { cSeq: "CSeq: 1 invite" }, 400, "CSeq"],
  ["§20.22, Max-Forwards above 255", { more: "Max-Forwards: 256" }, 400, "Max-Forwards"],
  ["§20.22, Max-Forwards of letters", { more: "Max-Forwards: many" }, 400, "Max-Forwards"],
  ["§20.22, Max-Forwards with a letter", { more: "Max-Forwards: 7a" }, 400, "Max-Forwards"],
  ["§20.22, Max-Forwards of two numbers", { more: "Max-Forwards: 7 0" }, 400, "Max-Forwards"],
  ["§20.14, Content-Length with a letter", { more: "Content-Length: 0x" }, 400, "Content-Length"],
  ["§20.14, Content-Length of two numbers", { more: "Content-Length: 0 0" }, 400, "Content-Length"],
  ["§20.14, Content-Length without a number", { more: "Content-Length: " }, 400, "Content-Length"],
  ["§20.34, Route without brackets", { more: "Route: sip:a;lr" }, 400, "Route"],
  ["§20.34, an empty Route", { more: "Route:" }, 400, "Route"],
  ["§20.34, a second Route that is malformed", { more: "Route: <sip:a;lr>, <sip:>" }, 400, "Route"],
  ["§20.42, a comma after the only Via", { via: "Via: SIP/2.0/UDP h," }, 400, "Via"],
  ["RFC 4475 §3.3.8, two Call-IDs", { more: "i: y" }, 400, "Call-ID"],
  [
    "RFC 4475 §3.3.9, two equal Content-Lengths",
    { more: "l: 0\r\nContent-Length: 0" },
    400,
    "Content-Length",
  ],
  ["§20.8, an empty Call-ID", { callId: "Call-ID:" }, 400, "Call-ID"],
  ["§20.8, a Call-ID of two words", { callId: "Call-ID: a b" }, 400, "Call-ID"],
  ["§7.1, SIP/3.0", { start: "INVITE sip:b@c SIP/3.0" }, 505, "start line"],
  ["§7.1, SIP/2.00", { start: "INVITE sip:b@c SIP/2.00" }, 505, "start line"],
  ["§7.1, no version", { start: "INVITE sip:b@c" }, 400, "start line"],
  ["§7.1, HTTP", { start: "GET / HTTP/1.1" }, 400, "start line"],
  ["§7.1, tab instead of space", { start: "INVITE\tsip:b@c SIP/2.0" }, 400, "start line"],
  ["§7.3, a line without colon", { more: "nonsense" }, 400, "message"],
  ["§7.3, a name with a space", { more: "X Y: z" }, 400, "message"],
  ["§7.3, no name", { more: ": z" }, 400, "message"],
  ["§7.3.1, a fold before any header", { start: "INVITE sip:b@c SIP/2.0\r\n X: y" }, 400, "message"],
  ["§25.1, a bare LF in a value", { more: "X: a\nVia: SIP/2.0/UDP evil" }, 400, "message"],
  ["§25.1, a bare CR in a value", { more: "X: a\rVia: SIP/2.0/UDP evil" }, 400, "message"],
  ["§19.1.1, headers in the Request-URI", { start: "INVITE sip:b@c?x=y SIP/2.0" }, 400, "Request-URI"],
  [
    "§21.4.12, a Request-URI above the limit",
    { start: `INVITE sip:${"b".repeat(4096)}@c SIP/2.0` },
    414,
    "Request-URI",
  ],
  ["limits, a header field above the limit", { more: `X: ${"y".repeat(8200)}` }, 513, "message"],
  ["limits, folds count as one field", { more: `X: ${"y\r\n ".repeat(3000)}z` }, 513, "message"],
  ["limits, more header fields than allowed", { more: "X: y\r\n".repeat(252).slice(0, -2) }, 513, "message"],
];
for (const [title, changed, status, field] of refused) {
  test(`${title}, is refused with ${status}`, () => {
    assert.throws(
      () => parseMessage(bytesOf(changed)),
      (error) => error instanceof ParseError && error.status === status && error.field === field,
    );
  });
}

test("limits, one less of each, is let through", () => {
  parseMessage(bytesOf({ more: "X: y\r\n".repeat(251).slice(0, -2) }));
  parseMessage(bytesOf({ more: `X: ${"y".repeat(8188)}` }));
  const small: Limits = { ...defaultLimits, messageSize: 10 };
  assert.throws(
    () => parseMessage(bytesOf(), small),
    (error) => error instanceof ParseError && error.status === 513,
  );
  parseMessage(bytesOf({ more: "X: y\r\n".repeat(2000).slice(0, -2) }), {
    ...defaultLimits,
    headerCount: 3000,
  });
});

// §21.4.11: title, limit, changes, status (0: taken)
const bodies: [string, number, Parameters<typeof bytesOf>[0], number][] = [
  ["a body above its limit", 2, { more: "Content-Length: 3", body: "abc" }, 413],
  ["no more counts than Content-Length says", 2, { more: "Content-Length: 2", body: "abc" }, 0],
  ["without Content-Length all of the datagram counts", 2, { body: "abc" }, 413],
  ["an ACK could not be answered", 2, { start: "ACK sip:b@c SIP/2.0", cSeq: "CSeq: 1 ACK", body: "abc" }, 0],
];
for (const [title, bodySize, changed, status] of bodies) {
  test(`§21.4.11, ${title}: ${status || "taken"}`, () => {
    const parse = () => parseMessage(bytesOf(changed), { ...defaultLimits, bodySize });
    if (status === 0) parse();
    else assert.throws(parse, (error) => error instanceof ParseError && error.status === status);
  });
}

test("limits, the URI comes before the body, the body before the whole", () => {
  const limits = { ...defaultLimits, messageSize: 100, uriLength: 50, bodySize: 50 };
  const statusOf = (changed: Parameters<typeof bytesOf>[0]) => {
    try {
      parseMessage(bytesOf(changed), limits);
    } catch (error) {
      return (error as ParseError).status;
    }
    return 0;
  };
  const start = `INVITE sip:${"b".repeat(60)}@c SIP/2.0`;
  const body = "x".repeat(60);
  assert.deepEqual([statusOf({ start, body }), statusOf({ body }), statusOf({})], [414, 413, 513]);
});

for (const length of [0, 1, 10, 22, 24, 60, 100]) {
  test(`§18.3, the first ${length} bytes of a message, are refused`, () => {
    assert.throws(() => parseMessage(bytesOf().subarray(0, length)), ParseError);
  });
}

test("§18.3, half a body, is refused, more than it, ignored", () => {
  assert.throws(() => parseMessage(bytesOf({ more: "Content-Length: 4", body: "abc" })), ParseError);
  const message = parseMessage(bytesOf({ more: "Content-Length: 2", body: "abc" }));
  assert.equal(message.bodyText, "ab");
  assert.equal(message.bytes.length, bytesOf({ more: "Content-Length: 2", body: "ab" }).length);
  assert.equal(parseMessage(bytesOf({ body: "abc" })).bodyText, "abc");
});

test("the quick accessors, say the same as the typed values", () => {
  const request = parseMessage(
    bytesOf({ to: "To: <sip:b@c>;tag=2", more: "Max-Forwards: 7\r\nRoute: <sip:r;lr>" }),
  ) as SipRequest;
  assert.equal(request.topBranch, request.topVia.branch);
  assert.equal(request.methodId, INVITE);
  assert.equal(request.cSeqNumber, request.cSeq.sequence);
  assert.equal(request.toTag, request.to.tag);
  assert.equal(request.fromTag, request.from.tag);
  assert.ok(request.hasToTag && request.hasFromTag && request.hasRoute);
  assert.equal(request.maxForwards, request.headers.get("Max-Forwards"));
  assert.equal(request.callId, request.headers.get("Call-ID"));
  assert.equal(request.requestUriText, "sip:b@c");
  assert.deepEqual(request.topVia, request.headers.get("Via"));
  const bare = parseMessage(bytesOf({ from: "From: <sip:a@b>", via: "Via: SIP/2.0/UDP h" })) as SipRequest;
  assert.ok(!bare.hasToTag && !bare.hasFromTag && !bare.hasRoute);
  assert.equal(bare.topBranch, undefined);
  assert.equal(bare.toTag, undefined);
  assert.equal(bare.maxForwards, undefined);
});

test("§7.2, a response, has status, phrase and the method of its CSeq", () => {
  const response = parseMessage(
    bytesOf({ start: "sip/2.0 486 Schon wieder besetzt – leider" }),
  ) as SipResponse;
  assert.equal(response.kind, "response");
  assert.equal(response.statusCode, 486);
  assert.equal(response.reasonPhrase, "Schon wieder besetzt – leider");
  assert.equal(response.methodId, INVITE);
  for (const start of [
    "SIP/2.0 99 x",
    "SIP/2.0 700 x",
    "SIP/2.0 2000 x",
    "SIP/2.0 0 x",
    "SIP/2.0  200 OK",
    "SIP/2.0 2xx OK",
    "SIP/2.0",
    "SIP/2.1 200 OK",
  ]) {
    assert.throws(() => parseMessage(bytesOf({ start })), ParseError, start);
  }
});

test("ownership, a detached message, keeps its values when the buffer is used again", () => {
  const buffer = bytesOf();
  const borrowed = parseMessage(buffer) as SipRequest;
  const kept = borrowed.detach();
  const second = bytesOf({ from: "From: <sip:z@b>;tag=9", callId: "Call-ID: y" });
  assert.equal(second.length, buffer.length);
  assert.equal(borrowed.from.tag, "1");
  buffer.set(second);
  const reused = parseMessage(buffer);
  assert.equal(reused.from.tag, "9");
  assert.equal(reused.callId, "y");
  assert.equal(kept.from.tag, "1");
  assert.equal(kept.callId, "x");
  assert.equal(borrowed.from.params.get("tag"), "1");
});

test("ownership, a message that owns its bytes, goes on as if they had always been its own", () => {
  const buffer = bytesOf({ more: "Subject: kept\r\nContent-Length: 4", body: "body" });
  const message = parseMessage(buffer) as SipRequest;
  const { headers } = message;
  assert.equal(message.own(), message);
  const { bytes } = message;
  buffer.fill(0);
  assert.equal(message.own().bytes, bytes);
  assert.equal(headers.get("Subject"), "kept");
  assert.equal(message.from.tag, "1");
  assert.equal(message.bodyText, "body");
  assert.equal(new TextDecoder().decode(message.body), "body");
});

test("ownership, a body that was asked for, is no view of the receiver's buffer", () => {
  const buffer = bytesOf({ more: "Content-Length: 4", body: "body" });
  const { body } = parseMessage(buffer);
  buffer.fill(0);
  assert.equal(new TextDecoder().decode(body), "body");
});

test("runtimes without a fast decoder, read the same", () => {
  const bytes = bytesOf({ from: 'From: "Zoë ☎" <sip:a@b>;tag=1', more: `Subject: ${"é".repeat(4000)}` });
  const fast = parseMessage(bytes);
  const expected = [fast.from.displayName, fast.headers.get("Subject"), fast.topVia.host];
  setDecodeAscii(portableDecodeAscii);
  try {
    const slow = parseMessage(bytes.slice());
    assert.deepEqual([slow.from.displayName, slow.headers.get("Subject"), slow.topVia.host], expected);
  } finally {
    setDecodeAscii(undefined);
  }
});

test("§18.3, the end of a head, is found wherever the stream was cut", () => {
  const bytes = encode("A\r\n\r\nB\r\r\n\n\r\n\r\n\r\nC");
  for (let limit = 0; limit <= bytes.length; limit++) {
    assert.equal(findHeadEnd(bytes, 0, limit), limit >= 5 ? 5 : -1);
    assert.equal(findHeadEnd(bytes, 5, limit), limit >= 14 ? 14 : -1);
  }
  assert.equal(findHeadEnd(encode("\r\n\r\n"), 0), 4);
  assert.equal(findHeadEnd(encode("\n\r\n\r\n\r\n"), 0), 5);
});

test("§20.14, Content-Length, is found without parsing the rest", () => {
  const read = (head: string) => {
    const bytes = encode(`X sip:a SIP/2.0\r\n${head}\r\n\r\n`);
    return contentLengthOf(bytes, 0, bytes.length);
  };
  assert.equal(read("Content-Length: 12"), 12);
  assert.equal(read("X: y\r\nL :\r\n 0012  \r\nZ: 1"), 12);
  assert.equal(read("X: y\r\n l: 5"), undefined);
  for (const head of ["l: -1", "l: x", "l:", "l: 1\r\nl: 1", "l: 99999999999"]) {
    assert.throws(() => read(head), ParseError, head);
  }
});

test("RFC 2046 §5.1, multipart bodies, are split and joined", () => {
  const body = printMultipart(
    [
      { type: "application/sdp", body: "v=0\r\n" },
      {
        type: "application/octet-stream",
        headers: [["Content-ID", "<1@x>"]],
        body: new Uint8Array([0, 13, 10, 255]),
      },
    ],
    "b1",
  );
  const parts = parseMultipart(body, parseMediaType('multipart/mixed;boundary="b1"'));
  assert.deepEqual(
    parts.map((part) => [part.type.type, part.headers.get("Content-ID"), [...part.body]]),
    [
      ["application/sdp", undefined, [...encode("v=0\r\n")]],
      ["application/octet-stream", "<1@x>", [0, 13, 10, 255]],
    ],
  );
  const loose = encode(
    "preamble\r\n--b\r\n\r\nplain\r\n--b  \r\nContent-Type: text/html\r\n\r\n\r\n--bx\r\n--b--\r\nepilogue",
  );
  assert.deepEqual(
    parseMultipart(loose, parseMediaType("multipart/mixed;boundary=b")).map((part) => [
      part.type.type,
      new TextDecoder().decode(part.body),
    ]),
    [
      ["text/plain", "plain"],
      ["text/html", "\r\n--bx"],
    ],
  );
  assert.throws(
    () => parseMultipart(encode("--b\r\n\r\nx"), parseMediaType("multipart/mixed;boundary=b")),
    ParseError,
  );
  assert.throws(() => parseMultipart(loose, parseMediaType("multipart/mixed")), ParseError);
  assert.throws(() => printMultipart([{ type: "a/b", body: "x--b1" }], "b1"), ArgumentError);
  assert.throws(() => printMultipart([], "b 1\r\n"), ArgumentError);
  assert.equal(bodyParts(parseMessage(bytesOf())).length, 0);
  assert.equal(bodyParts(parseMessage(bytesOf({ body: "x" })))[0]!.type.type, "text/plain");
});
