// Offers and answers of two phones: agreement, refusal, hold and resume.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AudioStream,
  applyAnswer,
  codecsOf,
  createAnswer,
  createCapabilities,
  createOffer,
  type Direction,
  directionOf,
  isSending,
  type LocalSession,
  onHold,
  originOf,
  parseSessionDescription,
  pcma,
  pcmu,
  printSessionDescription,
  type SessionDescription,
  telephoneEvent,
} from "./index.ts";

const alice: LocalSession = { sessionId: "1001", address: "192.0.2.1", port: 4000 };
const bob: LocalSession = { sessionId: "2002", address: "192.0.2.2", port: 5000 };

/** An offer as text: session lines of a peer at 192.0.2.9, then what the case is about. */
function offerOf(lines: string, connection = "IN IP4 192.0.2.9"): SessionDescription {
  const text = `v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=${connection}\nt=0 0\n${lines.replaceAll(" | ", "\n")}\n`;
  return parseSessionDescription(text);
}

function accept(local: LocalSession, offer: SessionDescription, previous?: SessionDescription) {
  const result = createAnswer(local, offer, previous);
  assert.ok(result.ok);
  return result;
}

function mLines(description: SessionDescription): string[] {
  return printSessionDescription(description)
    .split("\r\n")
    .filter((line) => line.startsWith("m="));
}

test("RFC 8866 §5.14, 20 000 formats that say the same, the answer has it once", () => {
  const offer = offerOf(`m=audio 4000 RTP/AVP${" 0".repeat(20_000)}`);
  const { answer, audio } = accept(bob, offer);
  assert.deepEqual(mLines(answer), ["m=audio 5000 RTP/AVP 0"]);
  assert.deepEqual(audio?.receive, [pcmu]);
});

test("§5, first offer, audio with three formats at the o= version 1", () => {
  assert.equal(
    printSessionDescription(createOffer(alice)),
    [
      "v=0",
      "o=- 1001 1 IN IP4 192.0.2.1",
      "s=-",
      "c=IN IP4 192.0.2.1",
      "t=0 0",
      "m=audio 4000 RTP/AVP 0 8 101",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:8 PCMA/8000",
      "a=rtpmap:101 telephone-event/8000",
      "a=fmtp:101 0-15",
      "a=ptime:20",
      "a=sendrecv",
      "",
    ].join("\r\n"),
  );
});

test("§5–§7, two of us, both agree on the same stream", () => {
  const offer = createOffer(alice);
  const { answer, audio } = accept(bob, offer);
  const applied = applyAnswer(offer, answer);
  assert.ok(applied.ok);
  const common = { index: 0, direction: "sendrecv", codec: pcmu, ptime: 20, isHeldByPeer: false } as const;
  const receive = [pcmu, pcma, telephoneEvent];
  const events = { telephoneEvent: { send: 101, receive: 101 }, receive };
  assert.deepEqual(audio, {
    ...common,
    ...events,
    remote: { address: "192.0.2.1", port: 4000 },
    remoteRtcpPort: 4001,
  });
  assert.deepEqual(applied.audio, {
    ...common,
    ...events,
    remote: { address: "192.0.2.2", port: 5000 },
    remoteRtcpPort: 5001,
  });
});

// section  what is offered                                      m= lines of the answer
const answers = [
  ["§6.1", "the offerer's order", "m=audio 4000 RTP/AVP 8 0 18", ["m=audio 5000 RTP/AVP 8 0"]],
  [
    "§6.1",
    "the offerer's payload types",
    "m=audio 4000 RTP/AVP 96 8 | a=rtpmap:96 telephone-event/8000",
    ["m=audio 5000 RTP/AVP 96 8"],
  ],
  [
    "§6.1",
    "a codec under a dynamic number",
    "m=audio 4000 RTP/AVP 97 | a=rtpmap:97 pcma/8000",
    ["m=audio 5000 RTP/AVP 97"],
  ],
  [
    "§6",
    "video first",
    "m=video 4002 RTP/AVP 31 | m=audio 4000 RTP/AVP 0",
    ["m=video 0 RTP/AVP 31", "m=audio 5000 RTP/AVP 0"],
  ],
  [
    "§6",
    "two audio streams",
    "m=audio 4000 RTP/AVP 0 | m=audio 4004 RTP/AVP 0",
    ["m=audio 5000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"],
  ],
  [
    "§6",
    "SRTP first, RTP second",
    "m=audio 4000 RTP/SAVP 0 | m=audio 4004 RTP/AVP 0",
    ["m=audio 0 RTP/SAVP 0", "m=audio 5000 RTP/AVP 0"],
  ],
  ["§8.2", "a stream switched off", "m=audio 0 RTP/AVP 0", ["m=audio 0 RTP/AVP 0"]],
  ["§5", "no stream at all", "", []],
] as const;

for (const [section, what, lines, expected] of answers) {
  test(`${section}, offer with ${what}, answered`, () => {
    assert.deepEqual(mLines(accept(bob, offerOf(lines)).answer), expected);
  });
}

// what is offered               lines                              reason                     Warning
const refusals = [
  ["G.729 only", "m=audio 4000 RTP/AVP 18", "no common codec", 305],
  [
    "key presses only",
    "m=audio 4000 RTP/AVP 101 | a=rtpmap:101 telephone-event/8000",
    "no common codec",
    305,
  ],
  ["PCMU at 16 kHz", "m=audio 4000 RTP/AVP 97 | a=rtpmap:97 PCMU/16000", "no common codec", 305],
  ["stereo PCMU", "m=audio 4000 RTP/AVP 97 | a=rtpmap:97 PCMU/8000/2", "no common codec", 305],
  ["SRTP only", "m=audio 4000 RTP/SAVP 0", "incompatible transport", 302],
  ["video only", "m=video 4000 RTP/AVP 31", "no audio stream", 304],
  ["IPv6 only", "m=audio 4000 RTP/AVP 0 | c=IN IP6 2001:db8::9", "incompatible address", 301],
  ["SRTP, and G.729", "m=audio 1 RTP/SAVP 0 | m=audio 2 RTP/AVP 18", "no common codec", 305],
] as const;

for (const [what, lines, reason, warning] of refusals) {
  test(`§6 and RFC 3261 §20.43, offer with ${what}, refused with Warning ${warning}`, () => {
    assert.deepEqual(createAnswer(bob, offerOf(lines)), { ok: false, reason, warning });
  });
}

// section   offered              we want              answered
const directions = [
  ["§6.1", "sendrecv", "sendrecv", "sendrecv"],
  ["§6.1", "sendonly", "sendrecv", "recvonly"],
  ["§6.1", "recvonly", "sendrecv", "sendonly"],
  ["§6.1", "inactive", "sendrecv", "inactive"],
  ["§6.1", "sendrecv", "sendonly", "sendonly"],
  ["§6.1", "sendonly", "sendonly", "inactive"],
  ["§6.1", "recvonly", "sendonly", "sendonly"],
  ["§6.1", "sendrecv", "recvonly", "recvonly"],
] as const satisfies [string, Direction, Direction, Direction][];

for (const [section, offered, wanted, answered] of directions) {
  test(`${section}, offered ${offered}, we want ${wanted}, answer ${answered}`, () => {
    const offer = offerOf(`m=audio 4000 RTP/AVP 0 | a=${offered}`);
    const { answer, audio } = accept({ ...bob, direction: wanted }, offer);
    assert.equal(directionOf(answer, answer.media[0]!), answered);
    assert.equal(audio?.direction, answered);
  });
}

test("§8.4, offer with 0.0.0.0, the hold of RFC 2543, answer recvonly and nowhere to send", () => {
  const { answer, audio } = accept(bob, offerOf("m=audio 4000 RTP/AVP 0", "IN IP4 0.0.0.0"));
  assert.equal(directionOf(answer, answer.media[0]!), "recvonly");
  assert.equal(audio?.remote, undefined);
  assert.equal(audio?.isHeldByPeer, true);
});

test("§8.4, hold and resume, versions rise and both sides follow", () => {
  const first = createOffer(alice);
  const answered = accept(bob, first);

  const hold = createOffer({ ...alice, direction: onHold("sendrecv") }, first);
  assert.equal(originOf(hold).sessionVersion, "2");
  assert.equal(directionOf(hold, hold.media[0]!), "sendonly");
  const held = accept(bob, hold, answered.answer);
  assert.equal(originOf(held.answer).sessionVersion, "2");
  assert.equal(held.audio?.direction, "recvonly");
  assert.equal(held.audio?.isHeldByPeer, true);
  assert.equal(isSending(held.audio as AudioStream), false);
  const holding = applyAnswer(hold, held.answer);
  assert.ok(holding.ok);
  assert.equal(holding.audio?.direction, "sendonly");
  assert.equal(holding.audio?.isHeldByPeer, false);

  const resume = createOffer(alice, hold);
  assert.equal(originOf(resume).sessionVersion, "3");
  const resumed = accept(bob, resume, held.answer);
  assert.equal(resumed.audio?.direction, "sendrecv");
  assert.equal(originOf(resumed.answer).sessionVersion, "3");
});

test("§8, offer again without a change, same version; a new port, next version and the old o= address", () => {
  const first = createOffer(alice);
  assert.deepEqual(createOffer(alice, first), first);
  const moved = createOffer({ ...alice, address: "192.0.2.77", port: 4444 }, first);
  assert.deepEqual(originOf(moved), { ...originOf(first), sessionVersion: "2" });
  assert.deepEqual(mLines(moved), ["m=audio 4444 RTP/AVP 0 8 101"]);
});

test("§8, re-answer without a change, same version", () => {
  const offer = createOffer(alice);
  const { answer } = accept(bob, offer);
  assert.deepEqual(accept(bob, offer, answer).answer, answer);
});

test("§8, §8.3.2, our offer after a peer's with video first, same places and payload types", () => {
  const offer = offerOf(
    "m=video 4002 RTP/AVP 31 | m=audio 4000 RTP/AVP 8 99 | a=rtpmap:99 telephone-event/8000",
  );
  const { answer } = accept(bob, offer);
  const again = createOffer(bob, answer);
  assert.deepEqual(mLines(again), ["m=video 0 RTP/AVP 31", "m=audio 5000 RTP/AVP 0 8 99"]);
});

test("§8.3.2, a payload type that means something else already, another number", () => {
  const offer = offerOf("m=audio 4000 RTP/AVP 101 | a=rtpmap:101 PCMU/8000");
  const again = createOffer(bob, accept(bob, offer).answer);
  assert.deepEqual(
    codecsOf(again.media[0]!).map((codec) => `${codec.payloadType} ${codec.name}`),
    ["101 PCMU", "8 PCMA", "96 telephone-event"],
  );
});

test("§8.1, the active stream stays where it is when an earlier place opens up", () => {
  const first = accept(bob, offerOf("m=audio 1 RTP/SAVP 0 | m=audio 2 RTP/AVP 0")).answer;
  const second = accept(bob, offerOf("m=audio 1 RTP/AVP 0 | m=audio 2 RTP/AVP 0"), first).answer;
  assert.deepEqual(mLines(second), ["m=audio 0 RTP/AVP 0", "m=audio 5000 RTP/AVP 0"]);
});

test("§7, answer with other payload types, sent by the peer's number, received by ours", () => {
  const answer = offerOf(
    "m=audio 5000 RTP/AVP 8 96 | a=rtpmap:96 telephone-event/8000 | a=ptime:40 | a=rtcp:6001",
  );
  const applied = applyAnswer(createOffer(alice), answer);
  assert.ok(applied.ok);
  assert.equal(applied.audio?.codec.name, "PCMA");
  assert.deepEqual(applied.audio?.telephoneEvent, { send: 96, receive: 101 });
  assert.equal(applied.audio?.ptime, 40);
  assert.equal(applied.audio?.remoteRtcpPort, 6001);
});

test("§6, answer refuses the stream, no audio", () => {
  assert.deepEqual(applyAnswer(createOffer(alice), offerOf("m=audio 0 RTP/AVP 0")), { ok: true });
});

// section  what the answer does            lines                                          fault
const faults = [
  ["§6", "has no streams", "", "wrong number of streams"],
  ["§6", "has one more", "m=audio 1 RTP/AVP 0 | m=audio 2 RTP/AVP 0", "wrong number of streams"],
  ["§6", "is video", "m=video 1 RTP/AVP 0", "stream of another kind"],
  ["§6", "is SRTP", "m=audio 1 RTP/SAVP 0", "stream of another kind"],
  ["§6.1", "has only G.729", "m=audio 1 RTP/AVP 18", "no common codec"],
] as const;

for (const [section, what, lines, reason] of faults) {
  test(`${section}, answer ${what}, ${reason}`, () => {
    assert.deepEqual(applyAnswer(createOffer(alice), offerOf(lines)), { ok: false, reason });
  });
}

test("§6, answer to a stream that we switched off, a fault", () => {
  const offer = accept(bob, offerOf("m=video 1 RTP/AVP 31 | m=audio 2 RTP/AVP 0")).answer;
  const answer = offerOf("m=video 1 RTP/AVP 31 | m=audio 2 RTP/AVP 0");
  assert.deepEqual(applyAnswer(offer, answer), { ok: false, reason: "stream that was not offered" });
});

test("§9, capabilities, all formats at port 0", () => {
  assert.deepEqual(mLines(createCapabilities(bob)), ["m=audio 0 RTP/AVP 0 8 101"]);
});

test("IPv6 on both sides, agreed", () => {
  const offer = createOffer({ ...alice, address: "2001:db8::1" });
  const { audio } = accept({ ...bob, address: "2001:db8::2" }, offer);
  assert.deepEqual(audio?.remote, { address: "2001:db8::1", port: 4000 });
});
