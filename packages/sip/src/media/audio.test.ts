// G.711, levels, tones, WAV files, telephone-events: the parts without time or sockets.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ArgumentError } from "../errors.ts";
import {
  alaw,
  eventPackets,
  LevelMeter,
  mulaw,
  parseTelephoneEvent,
  parseWav,
  printTelephoneEvent,
  printWav,
  recordingSource,
  type SampleCodec,
  TelephoneEventReceiver,
  toneSource,
} from "./index.ts";

const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);

// law      sample  byte
const points = [
  ["µ-law", mulaw, 0, 0xff],
  ["µ-law", mulaw, -1, 0x7f],
  ["µ-law", mulaw, 32767, 0x80],
  ["µ-law", mulaw, -32768, 0x00],
  ["µ-law", mulaw, 1000, 0xce],
  ["A-law", alaw, 0, 0xd5],
  ["A-law", alaw, -1, 0x55],
  ["A-law", alaw, 32767, 0xaa],
  ["A-law", alaw, -32768, 0x2a],
  ["A-law", alaw, 1000, 0xfa],
] as const satisfies [string, SampleCodec, number, number][];

for (const [law, codec, sample, byte] of points) {
  test(`G.711 ${law}, sample ${sample}, 0x${byte.toString(16)}`, () => {
    assert.deepEqual(codec.encode(Int16Array.of(sample)), Uint8Array.of(byte));
  });
}

test("G.711, every byte decoded and encoded, itself (µ-law −0 becomes +0)", () => {
  assert.deepEqual(alaw.encode(alaw.decode(allBytes)), allBytes);
  const expected = allBytes.slice();
  expected[0x7f] = 0xff;
  assert.deepEqual(mulaw.encode(mulaw.decode(allBytes)), expected);
});

test("G.711, every sample encoded and decoded, within half a step of its segment", () => {
  const samples = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);
  for (const codec of [mulaw, alaw]) {
    const back = codec.decode(codec.encode(samples));
    for (const [index, sample] of samples.entries()) {
      const tolerance = (Math.abs(sample) + 132) / 32 + 4;
      const clipped = Math.max(-32_124, Math.min(32_124, sample));
      const nearest = codec === mulaw ? clipped : sample;
      assert.ok(Math.abs(back[index]! - nearest) <= tolerance, `${sample} → ${back[index]}`);
    }
  }
});

test("level, silence −127, full-scale square 0, tone at its level within 0.1 dB", () => {
  const silence = new LevelMeter();
  silence.add(new Int16Array(800));
  assert.equal(silence.level, -127);
  const square = new LevelMeter();
  square.add(Int16Array.from({ length: 800 }, (_, index) => (index % 2 === 0 ? -32768 : 32767)));
  assert.ok(Math.abs(square.level) < 0.01);
  assert.equal(square.peak, 32768);
  for (const level of [-3.1, -18, -40]) {
    const meter = new LevelMeter();
    const source = toneSource({ frequency: 1000, level });
    for (let packet = 0; packet < 50; packet += 1) meter.add(source.read(160)!);
    assert.ok(Math.abs(meter.level - level) < 0.1, `${level}: ${meter.level}`);
  }
});

test("recording, read to its end, a short last part and then nothing; looped, without end", () => {
  const samples = Int16Array.of(1, 2, 3);
  const once = recordingSource(samples);
  assert.deepEqual(once.read(2), Int16Array.of(1, 2));
  assert.deepEqual(once.read(2), Int16Array.of(3));
  assert.equal(once.read(2), undefined);
  assert.deepEqual(recordingSource(samples, { loop: true }).read(5), Int16Array.of(1, 2, 3, 1, 2));
  assert.equal(recordingSource(new Int16Array(0), { loop: true }).read(5), undefined);
});

test("WAV, printed and parsed, the same", () => {
  const recording = { sampleRate: 8000, samples: Int16Array.of(0, 1, -1, 32767, -32768) };
  const bytes = printWav(recording);
  assert.equal(bytes.length, 54);
  assert.deepEqual(parseWav(bytes, { sampleRate: 8000 }), recording);
});

/** A small valid file with some of its bytes replaced. */
function wavWith(edits: Record<number, number[]>): Uint8Array {
  const bytes = printWav({ sampleRate: 8000, samples: Int16Array.of(1, 2) });
  for (const [at, values] of Object.entries(edits)) bytes.set(values, Number(at));
  return bytes;
}

test("WAV, other chunks before data, odd ones padded, stepped over", () => {
  const plain = wavWith({});
  const list = [...Buffer.from("LIST"), 3, 0, 0, 0, 9, 9, 9, 0];
  const bytes = Uint8Array.from([...plain.slice(0, 36), ...list, ...plain.slice(36)]);
  assert.deepEqual(parseWav(bytes).samples, Int16Array.of(1, 2));
});

test("WAV, data size never filled in or too large, what is there", () => {
  for (const size of [
    [0, 0, 0, 0],
    [255, 255, 255, 255],
  ]) {
    assert.deepEqual(parseWav(wavWith({ 40: size })).samples, Int16Array.of(1, 2));
  }
});

// what is wrong         file                              message
const badWavs = [
  ["text", new TextEncoder().encode("hello, world, this is text"), /not a WAV file/],
  ["nothing", new Uint8Array(0), /not a WAV file/],
  ["µ-law inside", wavWith({ 20: [7, 0] }), /format 7/],
  ["stereo", wavWith({ 22: [2, 0] }), /2 channels/],
  ["8 bits", wavWith({ 34: [8, 0] }), /8 bits/],
  ["44100 Hz", wavWith({ 24: [0x44, 0xac, 0, 0] }), /44100 Hz where 8000 Hz/],
  ["0 Hz", wavWith({ 24: [0, 0, 0, 0] }), /rate of 0/],
  ["cut off in the format", wavWith({}).slice(0, 30), /cut off/],
  ["cut off before data", wavWith({}).slice(0, 36), /no data/],
  ["header only", wavWith({}).slice(0, 12), /no format/],
] as const;

for (const [what, bytes, message] of badWavs) {
  test(`WAV, ${what}, ArgumentError`, () => {
    assert.throws(
      () => parseWav(bytes, { sampleRate: 8000 }),
      (error) => error instanceof ArgumentError && message.test(error.message),
    );
  });
}

test("WAV, any bytes, ArgumentError or a recording", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.nat(47).map(String), fc.array(fc.nat(255), { minLength: 1, maxLength: 1 })),
      (edits) => {
        try {
          parseWav(wavWith(edits));
        } catch (error) {
          assert.ok(error instanceof ArgumentError);
        }
      },
    ),
  );
});

test("RFC 4733 §2.3, payload, read and printed", () => {
  const event = { event: 11, isEnd: true, volume: 10, duration: 800 };
  assert.deepEqual(printTelephoneEvent(event), Uint8Array.of(11, 0x8a, 3, 0x20));
  assert.deepEqual(parseTelephoneEvent(Uint8Array.of(11, 0x8a, 3, 0x20)), event);
  assert.equal(parseTelephoneEvent(Uint8Array.of(1, 2, 3)), undefined);
});

test("RFC 4733 §2.5.1.2, §2.5.1.4, a press of 100 ms, M first, E three times, duration rising", () => {
  const packets = eventPackets("5", 800, 160).map(({ marker, payload }) => {
    const { isEnd, duration } = parseTelephoneEvent(payload)!;
    return [marker, isEnd, duration];
  });
  assert.deepEqual(packets, [
    [true, false, 160],
    [false, false, 320],
    [false, false, 480],
    [false, false, 640],
    [false, true, 800],
    [false, true, 800],
    [false, true, 800],
  ]);
});

test("RFC 4733, a press of one packet, M and E together", () => {
  const packets = eventPackets("#", 10, 160);
  assert.deepEqual(
    packets.map((packet) => packet.marker),
    [true, false, false],
  );
});

test("RFC 4733, no such key or 9 s, ArgumentError", () => {
  for (const digit of ["", "x", "12"]) assert.throws(() => eventPackets(digit, 800, 160), ArgumentError);
  assert.throws(() => eventPackets("1", 72_000, 160), ArgumentError);
});

// what is lost            packets that come as [timestamp, event, duration, M]               keys
const receptions = [
  [
    "nothing",
    [
      [0, 5, 160, 1],
      [0, 5, 320, 0],
      [0, 5, 320, 0],
    ],
    "5",
  ],
  [
    "the first",
    [
      [0, 5, 320, 0],
      [0, 5, 480, 0],
    ],
    "5",
  ],
  ["all but one", [[0, 5, 800, 0]], "5"],
  [
    "order",
    [
      [0, 5, 160, 1],
      [1600, 6, 160, 1],
      [0, 5, 320, 0],
    ],
    "56",
  ],
  [
    "nothing, same key twice",
    [
      [0, 5, 160, 1],
      [1600, 5, 160, 1],
    ],
    "55",
  ],
  [
    "nothing, a press in two segments",
    [
      [0, 5, 65535, 1],
      [65535, 5, 160, 0],
    ],
    "5",
  ],
  [
    "nothing, over the end of 32 bits",
    [
      [2 ** 32 - 100, 1, 160, 1],
      [900, 2, 160, 1],
    ],
    "12",
  ],
  ["nothing, a flash, which is no key", [[0, 16, 160, 1]], ""],
] as const;

for (const [lost, packets, keys] of receptions) {
  test(`RFC 4733 §2.5.2, lost: ${lost}, keys "${keys}"`, () => {
    const receiver = new TelephoneEventReceiver();
    const found = packets.map(([timestamp, event, duration, marker]) =>
      receiver.receive({
        payloadType: 101,
        marker: marker === 1,
        sequence: 0,
        timestamp,
        ssrc: 1,
        payload: printTelephoneEvent({ event, isEnd: false, volume: 0, duration }),
      }),
    );
    assert.equal(found.join(""), keys);
  });
}
