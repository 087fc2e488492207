// RTP sessions in virtual time: pacing, counting, latching, hold, key presses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, StateError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { type AudioStream, pcma, pcmu, telephoneEvent } from "../sdp/index.ts";
import {
  type DatagramSocket,
  parseRtp,
  printRtp,
  RtpSession,
  type RtpSessionOptions,
  recordingSource,
  toneSource,
} from "./index.ts";

/** A clock that moves only when told, and then fires what is due in order. */
class TestClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  schedule(delay: number, callback: () => void) {
    const timer = { at: this.#now + delay, callback };
    this.#timers.push(timer);
    return { cancel: () => this.#remove(timer) };
  }

  /** @param isLate true: nothing fires on the way, as when the process stands still */
  advance(milliseconds: number, isLate = false): void {
    const end = this.#now + milliseconds;
    if (isLate) this.#now = end;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#remove(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  get pending(): number {
    return this.#timers.length;
  }

  #remove(timer: { at: number; callback: () => void }): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}

interface Sent {
  bytes: Uint8Array;
  to: string;
}

class TestSocket implements DatagramSocket {
  readonly local: { address: string; port: number };
  readonly sent: Sent[] = [];
  onMessage: DatagramSocket["onMessage"];
  isClosed = false;
  peer: TestSocket | undefined;

  constructor(address: string, port = 4000) {
    this.local = { address, port };
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    this.sent.push({ bytes, to: `${address}:${port}` });
    this.peer?.onMessage?.(bytes, this.local.address, this.local.port);
  }

  close(): void {
    this.isClosed = true;
  }
}

const baseStream: AudioStream = {
  index: 0,
  remote: { address: "192.0.2.2", port: 4000 },
  remoteRtcpPort: 4001,
  direction: "sendrecv",
  codec: pcmu,
  receive: [pcmu, pcma, telephoneEvent],
  telephoneEvent: { send: 101, receive: 101 },
  ptime: 20,
  isHeldByPeer: false,
};

/** A session whose random numbers are all ones, to begin at the ends of its counters. */
function make(
  options: Partial<RtpSessionOptions> = {},
  clock = new TestClock(),
  socket = new TestSocket("192.0.2.1"),
) {
  const random = { bytes: (length: number) => new Uint8Array(length).fill(0xff) };
  const session = new RtpSession({ socket, clock, random, ...options });
  return { clock, socket, session };
}

/** Two sessions that hear each other, on one clock. */
function pair(options: Partial<RtpSessionOptions> = {}) {
  const a = make();
  const b = make(options, a.clock, new TestSocket("192.0.2.2"));
  a.socket.peer = b.socket;
  b.socket.peer = a.socket;
  a.session.update(baseStream);
  b.session.update({ ...baseStream, remote: { address: "192.0.2.1", port: 4000 } });
  return { clock: a.clock, a: a.session, b: b.session, aSocket: a.socket };
}

for (const [title, end] of [
  ["closed", (session: RtpSession) => session.close()],
  ["held", (session: RtpSession) => session.update({ ...baseStream, direction: "recvonly" })],
  [
    "held and resumed",
    (session: RtpSession) => {
      session.update({ ...baseStream, direction: "recvonly" });
      session.update(baseStream);
    },
  ],
] as const) {
  test(`${title} from within the end of its source: nothing goes out by the old timer`, () => {
    const { clock, socket, session } = make({ onSourceEnd: () => end(session) });
    session.update(baseStream);
    session.play(recordingSource(new Int16Array(320)));
    // 0 and 20 ms have sound, at 40 ms there is none.
    clock.advance(39);
    assert.equal(socket.sent.length, 2);
    clock.advance(100);
    const isResumed = title === "held and resumed";
    assert.equal(clock.pending, isResumed ? 1 : 0);
    // 40, 60, 80, 100, 120 ms
    assert.equal(socket.sent.length, isResumed ? 7 : 2);
  });
}

function rtp(sequence: number, payload = new Uint8Array(160), ssrc = 1) {
  return printRtp({ payloadType: 0, marker: false, sequence, timestamp: sequence * 160, ssrc, payload });
}

test("RFC 3550 §5.1, one second of sending, 50 packets 20 ms apart over the ends of 16 and 32 bits", () => {
  const { clock, socket, session } = make();
  session.update(baseStream);
  session.play(toneSource());
  clock.advance(999);
  const packets = socket.sent.map(({ bytes }) => parseRtp(bytes)!);
  assert.equal(packets.length, 50);
  assert.deepEqual(
    packets.slice(0, 3).map(({ sequence, timestamp, marker }) => [sequence, timestamp, marker]),
    [
      [65535, 2 ** 32 - 1, true],
      [0, 159, false],
      [1, 319, false],
    ],
  );
  assert.equal(packets[49]?.payload.length, 160);
  assert.deepEqual(session.report().sent, { packets: 50, bytes: 8000 });
  session.close();
  assert.equal(clock.pending, 0);
  assert.ok(socket.isClosed);
});

test("two sessions with a tone, 10 s, all packets counted, no loss or jitter, level of the tone", () => {
  const { clock, a, b } = pair();
  a.play(toneSource({ level: -20 }));
  clock.advance(9_999);
  const { received } = b.report();
  assert.equal(received.packets, 500);
  assert.equal(received.bytes, 80_000);
  assert.equal(received.lost, 0);
  assert.ok(received.jitter < 0.01);
  assert.ok(Math.abs(received.level + 20) < 0.5, String(received.level));
  assert.equal(a.report().received.level, -127);
});

test("PCMA and 30 ms, agreed on, sent so", () => {
  const { clock, socket, session } = make();
  session.update({ ...baseStream, codec: { ...pcma, payloadType: 97 }, ptime: 30 });
  clock.advance(299);
  assert.equal(socket.sent.length, 10);
  const packet = parseRtp(socket.sent[0]!.bytes)!;
  assert.equal(packet.payloadType, 97);
  assert.equal(packet.payload.length, 240);
  assert.equal(packet.payload[0], 0xd5);
});

test("a ptime near 0 from the peer, 10 ms", () => {
  const { clock, socket, session } = make();
  session.update({ ...baseStream, ptime: 0.001 });
  clock.advance(99);
  assert.equal(socket.sent.length, 10);
});

test("a timer 50 ms late, the missed packets follow at once; 10 s late, five of them and the time skipped", () => {
  const { clock, socket, session } = make();
  session.update(baseStream);
  clock.advance(1);
  clock.advance(50, true);
  assert.equal(socket.sent.length, 3);
  clock.advance(10_000, true);
  clock.advance(0);
  const packets = socket.sent.map(({ bytes }) => parseRtp(bytes)!);
  assert.equal(packets.length, 9);
  const [before, after] = [packets[2]!, packets[3]!];
  assert.equal(after.sequence, (before.sequence + 1) & 0xffff);
  assert.equal(after.marker, true);
  // The newest packet is due now: 10 s and a bit after the one before the pause.
  assert.equal((packets[8]!.timestamp - before.timestamp) / 8, 10_000);
});

test("a recording, sent once, then its end is told once and silence follows", () => {
  let ends = 0;
  const { clock, socket, session } = make({
    onSourceEnd: () => {
      ends += 1;
    },
  });
  session.update(baseStream);
  session.play(recordingSource(new Int16Array(200).fill(1000)));
  clock.advance(19);
  assert.equal(ends, 0);
  clock.advance(80);
  assert.equal(ends, 1);
  const bytes = socket.sent.flatMap((sent) => [...parseRtp(sent.bytes)!.payload]);
  assert.equal(bytes.length, 800);
  assert.deepEqual([...new Set(bytes.slice(0, 200))], [0xce]);
  assert.deepEqual([...new Set(bytes.slice(200))], [0xff]);
});

test("§8.4 of RFC 3264, hold and resume, sending stops and goes on with a marker", () => {
  const { clock, socket, session } = make();
  session.update(baseStream);
  clock.advance(99);
  session.update({ ...baseStream, direction: "recvonly" });
  clock.advance(1_000);
  assert.equal(socket.sent.length, 5);
  session.update(baseStream);
  clock.advance(0);
  assert.equal(parseRtp(socket.sent[5]!.bytes)?.marker, true);
  const { remote: _, ...nowhere } = baseStream;
  session.update(nowhere);
  clock.advance(1_000);
  assert.equal(socket.sent.length, 6);
});

test("RFC 4733, keys pressed, each heard once, their packets share one timestamp", () => {
  const digits: string[] = [];
  const { clock, a, b, aSocket } = pair({ onDigit: (digit) => digits.push(digit) });
  clock.advance(50);
  for (const digit of "11#") a.sendDigit(digit);
  clock.advance(1_000);
  assert.deepEqual(digits, ["1", "1", "#"]);
  assert.equal(b.report().received.digits, "11#");
  assert.equal(b.report().received.lost, 0);
  const events = aSocket.sent
    .map(({ bytes }) => parseRtp(bytes)!)
    .filter((packet) => packet.payloadType === 101);
  assert.equal(events.length, 21);
  assert.equal(new Set(events.map((packet) => packet.timestamp)).size, 3);
});

test("sendDigit where the peer has no telephone-event, StateError", () => {
  const { session } = make();
  assert.throws(() => session.sendDigit("1"), StateError);
  const { telephoneEvent: _, ...without } = baseStream;
  session.update(without);
  assert.throws(() => session.sendDigit("1"), StateError);
});

test("RFC 3264 §8.4, on hold, keys are refused, and those that wait are dropped", () => {
  const digits: string[] = [];
  const { clock, a, b } = pair({ onDigit: (digit) => digits.push(digit) });
  clock.advance(50);
  for (const digit of "12") a.sendDigit(digit);
  clock.advance(50);
  a.update({ ...baseStream, direction: "recvonly" });
  assert.throws(() => a.sendDigit("3"), StateError);
  clock.advance(500);
  a.update(baseStream);
  clock.advance(500);
  assert.deepEqual(digits, ["1"]);
  a.sendDigit("4");
  clock.advance(500);
  assert.equal(b.report().received.digits, "14");
});

test("RFC 7362, latching, the first source is kept and answered, others are discarded", () => {
  const { clock, socket, session } = make();
  session.update(baseStream);
  clock.advance(0);
  socket.onMessage?.(rtp(1), "203.0.113.9", 7777);
  socket.onMessage?.(rtp(2), "203.0.113.66", 7777);
  socket.onMessage?.(rtp(2), "203.0.113.9", 7778);
  socket.onMessage?.(rtp(2), "203.0.113.9", 7777);
  clock.advance(20);
  assert.deepEqual(
    socket.sent.map(({ to }) => to),
    ["192.0.2.2:4000", "203.0.113.9:7777"],
  );
  assert.equal(session.report().received.packets, 2);
  assert.equal(session.report().received.discarded, 2);
  session.update({ ...baseStream, direction: "sendrecv" });
  assert.deepEqual(session.report().remote, { address: "203.0.113.9", port: 7777 });
  session.update({ ...baseStream, remote: { address: "192.0.2.3", port: 5000 } });
  assert.deepEqual(session.report().remote, { address: "192.0.2.3", port: 5000 });
});

test("no latching, another address is discarded, another port of the same address is heard", () => {
  const { clock, socket, session } = make({ latching: false });
  session.update(baseStream);
  clock.advance(0);
  socket.onMessage?.(rtp(1), "203.0.113.9", 4000);
  socket.onMessage?.(rtp(1), "192.0.2.2", 9999);
  clock.advance(20);
  assert.equal(session.report().received.packets, 1);
  assert.equal(socket.sent.at(-1)?.to, "192.0.2.2:4000");
});

test("loss, garbage, RTCP and an unknown payload type, counted as what they are", () => {
  const { socket, session } = make();
  session.update(baseStream);
  const receive = (bytes: Uint8Array) => socket.onMessage?.(bytes, "192.0.2.2", 4000);
  receive(rtp(10));
  receive(rtp(14));
  receive(new TextEncoder().encode("OPTIONS sip:x SIP/2.0"));
  receive(Uint8Array.of(0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0));
  receive(
    printRtp({
      payloadType: 18,
      marker: false,
      sequence: 15,
      timestamp: 0,
      ssrc: 1,
      payload: new Uint8Array(20),
    }),
  );
  const { received } = session.report();
  assert.deepEqual([received.packets, received.lost, received.discarded], [2, 3, 3]);
});

test("RFC 3550 §8.2, a new SSRC, counted on without false loss", () => {
  const { socket, session } = make();
  session.update(baseStream);
  const receive = (bytes: Uint8Array) => socket.onMessage?.(bytes, "192.0.2.2", 4000);
  receive(rtp(10));
  receive(rtp(12));
  receive(rtp(40_000, undefined, 2));
  receive(rtp(40_001, undefined, 2));
  const { received } = session.report();
  assert.deepEqual([received.packets, received.lost], [4, 1]);
});

test("RFC 3550 §A.8, every second packet 8 ms late, jitter near 8 ms", () => {
  const { clock, socket, session } = make();
  session.update({ ...baseStream, direction: "recvonly" });
  for (let sequence = 0; sequence < 200; sequence += 1) {
    clock.advance(sequence % 2 === 0 ? 12 : 28);
    socket.onMessage?.(rtp(sequence), "192.0.2.2", 4000);
  }
  const { jitter } = session.report().received;
  assert.ok(Math.abs(jitter - 8) < 0.1, String(jitter));
});

test("a codec that is not G.711, ArgumentError; anything after close, StateError", () => {
  const { session } = make();
  const g729 = { payloadType: 18, name: "G729", clockRate: 8000, channels: 1 };
  assert.throws(() => session.update({ ...baseStream, codec: g729 }), ArgumentError);
  session.close();
  session.close();
  assert.throws(() => session.update(baseStream), StateError);
});
