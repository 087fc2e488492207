import assert from "node:assert/strict";
import { test } from "node:test";
import type { ParseError } from "../errors.ts";
import { StreamFraming } from "./framing.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Everything that the framing reported, in order. */
function recorder() {
  const events: string[] = [];
  return {
    events,
    message: (bytes: Uint8Array) => events.push(decoder.decode(bytes)),
    ping: () => events.push("ping"),
    pong: () => events.push("pong"),
    refused: (error: ParseError, head: Uint8Array) => events.push(`${error.status} for ${head.length}`),
    broken: (error: ParseError, head: Uint8Array) => events.push(`${error.status} after ${head.length}`),
  };
}

function push(framing: StreamFraming, text: string, pieces: number, user: ReturnType<typeof recorder>): void {
  const bytes = encoder.encode(text);
  for (let i = 0; i < bytes.length; i += pieces) framing.push(bytes.subarray(i, i + pieces), user);
}

const head = "OPTIONS sip:a SIP/2.0\r\nVia: x\r\n";
const none = `${head}Content-Length: 0\r\n\r\n`;
const five = `${head}l: 5\r\n\r\nhello`;
const folded = `${head}Content-Length :\r\n  5 \r\n\r\nhello`;
const mixed = `${head}cOnTeNt-LeNgTh: 05\r\nX-Content-Length: 9\r\n\r\nhello`;

// title                                         bytes on the wire                       what comes out
const cases: [string, string, string[]][] = [
  ["§18.3, no body, one message", none, [none]],
  ["§18.3, a body, as long as Content-Length says", five, [five]],
  ["§18.3, several messages, each by itself", none + five + none + five, [none, five, none, five]],
  ["§7.3.1, folded Content-Length, read", folded + none, [folded, none]],
  ["§7.3.1, any case of the name, no other name", mixed + none, [mixed, none]],
  ["§7.5, CRLF before a message, ignored", `\r\n${none}\r\n${five}`, [none, five]],
  ["RFC 5626 §4.4.1, double CRLF, ping", "\r\n\r\n", ["ping"]],
  ["RFC 5626 §4.4.1, double CRLF between messages, ping", `${none}\r\n\r\n${five}`, [none, "ping", five]],
  ["RFC 5626 §4.4.1, three pings, three answers", "\r\n".repeat(6), ["ping", "ping", "ping"]],
  ["§18.3, no Content-Length, broken", `${head}\r\n${none}`, [`400 after ${head.length + 2}`]],
  ["§18.3, Content-Length no number, broken", `${head}l: 5a\r\n\r\nhello`, ["400 after 40"]],
  ["RFC 4475 §3.1.2.2 ncl, negative, broken", `${head}l: -999\r\n\r\nhello`, ["400 after 42"]],
  ["§18.3, empty Content-Length, broken", `${head}l: \r\n\r\nhello`, ["400 after 38"]],
  ["RFC 4475 §3.3.9 mcl01, two of them, broken", `${head}l: 5\r\nl: 5\r\n\r\nhello`, ["400 after 45"]],
  ["§21.5.7, longer than the limit, refused at once", `${head}l: 300\r\n\r\n`, ["513 for 41"]],
  [
    "§21.5.7, longer than the limit, its body skipped",
    `${head}l: 300\r\n\r\n${"\r\n\r\n--".repeat(50)}${five}`,
    ["513 for 41", five],
  ],
  ["§21.5.7, longer than anybody waits for, broken", `${head}l: 1048577\r\n\r\n`, ["513 after 45"]],
  ["§18.3, a number beyond all bounds, broken", `${head}l: 99999999999999999999\r\n\r\n`, ["400 after 58"]],
];

for (const pieces of [100_000, 7, 1]) {
  for (const [title, bytes, expected] of cases) {
    test(`framing: ${title} (pieces of ${pieces})`, () => {
      const user = recorder();
      push(new StreamFraming({ messageSize: 256 }), bytes, pieces, user);
      assert.deepEqual(user.events, expected);
    });
  }
}

// title                                    limits             bytes on the wire                       what comes out
const byLimit: [string, { bodySize?: number; rfc2543?: boolean }, string, string[]][] = [
  ["§21.4.11, a body over its limit, skipped", { bodySize: 4 }, five + none, ["413 for 39", none]],
  ["§21.4.11, a body of just that size", { bodySize: 5 }, five, [five]],
  ["§21.4.11 comes before §21.5.7", { bodySize: 4 }, `${head}l: 300\r\n\r\n`, ["413 for 41"]],
  [
    "an ACK is taken, it could not be answered",
    { bodySize: 4 },
    five.replace("OPTIONS", "ACK"),
    [five.replace("OPTIONS", "ACK")],
  ],
  [
    "RFC 2543 §7.4.12, no Content-Length, broken",
    { rfc2543: true },
    `${head}\r\n`,
    [`411 after ${head.length + 2}`],
  ],
];
for (const [title, limits, bytes, expected] of byLimit) {
  test(`framing: ${title}`, () => {
    for (const pieces of [100_000, 7, 1]) {
      const user = recorder();
      const framing = new StreamFraming({ messageSize: 256, ...limits });
      push(framing, bytes, pieces, user);
      assert.deepEqual(user.events, expected);
      assert.equal(framing.isPartial, bytes.includes("300"));
    }
  });
}

test("framing: a head without end, stopped soon after the limit", () => {
  for (const pieces of [1, 50, 1000]) {
    const user = recorder();
    push(new StreamFraming({ messageSize: 256 }), head + "X: y\r\n".repeat(1000), pieces, user);
    assert.equal(user.events.length, 1);
    assert.match(user.events[0] ?? "", /^513 after /);
  }
});

test("framing: cut at every byte, the same messages", () => {
  const whole = five + folded + none;
  const bytes = encoder.encode(whole);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const user = recorder();
    const framing = new StreamFraming({ messageSize: 256 });
    framing.push(bytes.subarray(0, cut), user);
    assert.equal(framing.isPartial, ![0, five.length, (five + folded).length, bytes.length].includes(cut));
    framing.push(bytes.subarray(cut), user);
    assert.deepEqual(user.events, [five, folded, none]);
    assert.equal(framing.isPartial, false);
  }
});

test("framing: RFC 5626 §4.4.1, a single CRLF after our ping, pong", () => {
  const user = recorder();
  const framing = new StreamFraming({ messageSize: 256 });
  framing.expectPong();
  push(framing, "\r\n", 1, user);
  push(framing, `\r\n\r\n${none}`, 1, user);
  assert.deepEqual(user.events, ["pong", "ping", none]);
});

test("framing: stop during a message, the rest of the chunk is ignored", () => {
  const framing = new StreamFraming({ messageSize: 256 });
  const user = recorder();
  const message = user.message;
  user.message = (bytes) => {
    framing.stop();
    return message(bytes);
  };
  push(framing, none + five, 1000, user);
  push(framing, none, 1000, user);
  assert.deepEqual(user.events, [none]);
});

test("framing: bytes one by one cost linear time", () => {
  const body = "x".repeat(400_000);
  const bytes = encoder.encode(`${head}l: ${body.length}\r\n\r\n${body}`);
  const user = recorder();
  const framing = new StreamFraming({ messageSize: 1_000_000 });
  const start = process.cpuUsage();
  for (let i = 0; i < bytes.length; i++) framing.push(bytes.subarray(i, i + 1), user);
  assert.equal(user.events.length, 1);
  // Linear: some 40 ms. Quadratic: 80 gigabytes of copying or scanning. Of this process alone, whatever else runs.
  assert.ok(process.cpuUsage(start).user < 4_000_000);
});
