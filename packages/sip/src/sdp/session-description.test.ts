// Parsing and printing session descriptions: what is kept, what is refused, and that nothing else happens.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ArgumentError, ParseError } from "../errors.ts";
import {
  attributesOf,
  codecsOf,
  connectionOf,
  directionOf,
  hasRtcpMux,
  type Line,
  type MediaDescription,
  originOf,
  parseSessionDescription,
  printSessionDescription,
  ptimeOf,
  rtcpPortOf,
  type SessionDescription,
  sdpLimits,
} from "./index.ts";

const head = "v=0\r\no=alice 2890844526 7 IN IP4 pc.example.com\r\ns=-\r\n";

const phone = [
  "v=0",
  "o=alice 2890844526 7 IN IP4 192.0.2.1",
  "s=A call",
  "i=with everything",
  "u=http://example.com/",
  "e=alice@example.com",
  "c=IN IP4 192.0.2.1",
  "b=CT:256",
  "t=0 0",
  "r=604800 3600 0 90000",
  "y=a letter of the future",
  "a=recvonly",
  "a=group:BUNDLE 0 1",
  "m=audio 49170 RTP/AVP 0 8 96 101",
  "i=speech",
  "c=IN IP6 2001:db8::1",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:96 L16/16000/2",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-15,66",
  "a=ptime:30",
  "a=rtcp:53020 IN IP4 126.16.64.4",
  "a=rtcp-mux",
  "a=sendonly",
  "m=video 51372/2 RTP/SAVPF 31",
  "c=IN IP4 224.2.1.1/127/3",
  "a=X-unknown: spaces kept ",
  "",
].join("\r\n");

test("§5, every kind of line, printed as it came", () => {
  assert.equal(printSessionDescription(parseSessionDescription(phone)), phone);
});

test("§5, bytes with LF alone and blank lines at the end, read the same", () => {
  const bytes = new TextEncoder().encode(`${phone.replaceAll("\r\n", "\n")}\n\n`);
  assert.deepEqual(parseSessionDescription(bytes), parseSessionDescription(phone));
});

test("§5.2, §5.7, §6, accessors", () => {
  const session = parseSessionDescription(phone);
  const [audio, video] = session.media;
  assert.ok(audio && video);
  assert.deepEqual(originOf(session).sessionVersion, "7");
  assert.equal(connectionOf(session, audio)?.address, "2001:db8::1");
  assert.deepEqual(connectionOf(session, video), {
    networkType: "IN",
    addressType: "IP4",
    address: "224.2.1.1",
    suffix: "/127/3",
  });
  assert.equal(directionOf(session, audio), "sendonly");
  assert.equal(directionOf(session, video), "recvonly");
  assert.equal(ptimeOf(audio), 30);
  assert.equal(rtcpPortOf(audio), 53020);
  assert.equal(hasRtcpMux(audio), true);
  assert.equal(hasRtcpMux(video), false);
  assert.equal(video.portCount, 2);
  assert.deepEqual(attributesOf(video, "X-unknown"), [
    { type: "a", name: "X-unknown", value: " spaces kept " },
  ]);
});

test("RFC 3551 §6, codecs, static ones without rtpmap and unexplained ones left out", () => {
  const audio = parseSessionDescription(phone).media[0] as MediaDescription;
  assert.deepEqual(codecsOf(audio), [
    { payloadType: 0, name: "PCMU", clockRate: 8000, channels: 1 },
    { payloadType: 8, name: "PCMA", clockRate: 8000, channels: 1 },
    { payloadType: 96, name: "L16", clockRate: 16000, channels: 2 },
    { payloadType: 101, name: "telephone-event", clockRate: 8000, channels: 1, fmtp: "0-15,66" },
  ]);
  const odd = parseSessionDescription(
    `${head}m=audio 1 RTP/AVP 97 98 99 0 300\r\na=rtpmap:97 opus\r\na=rtpmap:98 x/0\r\n`,
  ).media[0] as MediaDescription;
  assert.deepEqual(
    codecsOf(odd).map((codec) => codec.name),
    ["PCMU"],
  );
});

// section      what is wrong                       description
const refused = [
  ["§5", "nothing", ""],
  ["§5", "only line ends", "\r\n\r\n"],
  ["§5.1", "no v=", head.slice(5)],
  ["§5.1", "another version", head.replace("v=0", "v=1")],
  ["§5.1", "v= twice", `${head}v=0\r\n`],
  ["§5.2", "no o=", "v=0\r\ns=-\r\n"],
  ["§5.2", "o= twice", `${head}o=- 1 1 IN IP4 a\r\n`],
  ["§5.2", "o= with five fields", "v=0\r\no=- 1 1 IN IP4\r\ns=-\r\n"],
  ["§5.2", "a version that is no number", "v=0\r\no=- 1 x IN IP4 a\r\ns=-\r\n"],
  ["§5.3", "no s=", "v=0\r\no=- 1 1 IN IP4 a\r\n"],
  ["§5.7", "c= with two fields", `${head}c=IN IP4\r\n`],
  ["§5.7", "c= without an address", `${head}c=IN IP4 /127\r\n`],
  ["§5.13", "an attribute without a name", `${head}a=:x\r\n`],
  ["§5.14", "m= without formats", `${head}m=audio 4000 RTP/AVP\r\n`],
  ["§5.14", "m= with port 70000", `${head}m=audio 70000 RTP/AVP 0\r\n`],
  ["§5.14", "m= with a port that is no number", `${head}m=audio x RTP/AVP 0\r\n`],
  ["§9", "a line without =", `${head}hello\r\n`],
  ["§9", "a capital letter", `${head}A=x\r\n`],
  ["§9", "a blank line in the middle", `${head}\r\nt=0 0\r\n`],
  ["§9", "NUL", `${head}i=\0\r\n`],
  ["§9", "CR inside a line", `${head}i=a\rb\r\n`],
  ["limit", "size", `${head}i=${"x".repeat(sdpLimits.size)}\r\n`],
  ["limit", "lines", head + "a=x\r\n".repeat(sdpLimits.lines)],
  ["limit", "media", head + "m=audio 1 RTP/AVP 0\r\n".repeat(sdpLimits.media + 1)],
] as const;

for (const [section, what, text] of refused) {
  test(`${section}, ${what}, ParseError 400 at the body`, () => {
    assert.throws(
      () => parseSessionDescription(text),
      (error) => error instanceof ParseError && error.status === 400 && error.field === "body",
    );
  });
}

// section      what is odd                    description
const odd = [
  ["§5.9", "no t=", head],
  ["§5.3", "an empty s=", head.replace("s=-", "s=")],
  ["§5", "no line end at the end", head.trimEnd()],
  ["§5.7", "a blank after c=", `${head}c=IN IP4 192.0.2.1 \r\n`],
  ["§5.14", "two blanks in m=", `${head}m=audio  4000 RTP/AVP 0\r\n`],
  ["§5", "lines in an unusual order", `${head}a=x\r\nt=0 0\r\nc=IN IP4 192.0.2.1\r\n`],
] as const;

for (const [section, what, text] of odd) {
  test(`${section}, ${what}, let through`, () => {
    const parsed = parseSessionDescription(text);
    assert.deepEqual(parseSessionDescription(printSessionDescription(parsed)), parsed);
  });
}

test("print, a line break in a value, ArgumentError", () => {
  const session = parseSessionDescription(head);
  const lines: Line[] = [...session.lines, { type: "a", name: "x", value: "1\r\nm=audio 1 RTP/AVP 0" }];
  assert.throws(() => printSessionDescription({ ...session, lines }), ArgumentError);
});

// Plain objects, as the parser makes them; fast-check's own have no prototype.
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const token = fc.stringMatching(/^[!#-'*+.0-9A-Za-z-]{1,12}$/);
const text = fc.string({ maxLength: 20 }).map((value) => value.replace(/[\r\n\0]/g, "_"));
const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
const connection = address.map((value) => ({
  networkType: "IN",
  addressType: value.includes(":") ? "IP6" : "IP4",
  address: value,
}));
const freeLine: fc.Arbitrary<Line> = fc.oneof(
  record({ type: fc.constant("a" as const), name: token }),
  record({ type: fc.constant("a" as const), name: token, value: text }),
  record({ type: fc.constant("c" as const), connection }),
  record({ type: fc.constant("text" as const), letter: fc.constantFrom(..."iuepbtrzkyw"), value: text }),
);
const media: fc.Arbitrary<MediaDescription> = record({
  media: token,
  port: fc.nat(65_535),
  protocol: fc.constantFrom("RTP/AVP", "UDP/TLS/RTP/SAVPF", "udp"),
  formats: fc.array(token, { minLength: 1, maxLength: 5 }),
  lines: fc.array(freeLine, { maxLength: 6 }),
});
const number = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const description: fc.Arbitrary<SessionDescription> = record({
  lines: fc
    .tuple(token, number, number, connection, text, fc.array(freeLine, { maxLength: 6 }))
    .map(([username, sessionId, sessionVersion, at, name, rest]): Line[] => [
      { type: "text", letter: "v", value: "0" },
      { type: "o", origin: { username, sessionId, sessionVersion, address: at } },
      { type: "text", letter: "s", value: name },
      ...rest,
    ]),
  media: fc.array(media, { maxLength: 4 }),
});

test("any description, parse of print, the same", () => {
  fc.assert(
    fc.property(description, (session) => {
      assert.deepEqual(parseSessionDescription(printSessionDescription(session)), session);
    }),
  );
});

test("any damage to a description, ParseError or a description that prints and parses to itself", () => {
  const damage = fc.array(fc.tuple(fc.nat(phone.length), fc.nat(4), fc.string({ maxLength: 3 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(damage, (edits) => {
      let broken = phone;
      for (const [at, cut, put] of edits) broken = broken.slice(0, at) + put + broken.slice(at + cut);
      let parsed: SessionDescription;
      try {
        parsed = parseSessionDescription(broken);
      } catch (error) {
        assert.ok(error instanceof ParseError);
        return;
      }
      assert.deepEqual(parseSessionDescription(printSessionDescription(parsed)), parsed);
      for (const stream of parsed.media) {
        codecsOf(stream);
        ptimeOf(stream);
        rtcpPortOf(stream);
        directionOf(parsed, stream);
      }
    }),
  );
});
