// RTP packets and reception statistics.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRtp, printRtp, ReceptionStatistics } from "./index.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

test("§5.1, header fields, read and printed", () => {
  const bytes = hex("80 88 ffff 01020304 deadbeef d5d5");
  const packet = parseRtp(bytes);
  assert.deepEqual(packet, {
    payloadType: 8,
    marker: true,
    sequence: 65535,
    timestamp: 0x01020304,
    ssrc: 0xdeadbeef,
    payload: hex("d5d5"),
  });
  assert.deepEqual(printRtp(packet!), bytes);
});

// section    what                       bytes                                                payload
const shapes = [
  ["§5.1", "two CSRCs", "82 00 0001 00000000 00000001 0000000a 0000000b ff", "ff"],
  ["§5.3.1", "an extension", "90 00 0001 00000000 00000001 bede 0001 00000000 ff", "ff"],
  ["§5.1", "three bytes of padding", "a0 00 0001 00000000 00000001 ff 000003", "ff"],
  ["§5.1", "no payload", "80 00 0001 00000000 00000001", ""],
] as const;

for (const [section, what, bytes, payload] of shapes) {
  test(`${section}, packet with ${what}, payload found`, () => {
    assert.deepEqual(parseRtp(hex(bytes))?.payload, hex(payload));
  });
}

// section         what                       bytes
const others = [
  ["§5.1", "eleven bytes", "80 00 0001 00000000 000000"],
  ["§5.1", "version 1", "40 00 0001 00000000 00000001"],
  ["§5.1", "a STUN request", "0001 0000 2112a442 000000000000000000000000"],
  ["§5.1", "more CSRCs than bytes", "81 00 0001 00000000 00000001"],
  ["§5.3.1", "an extension cut off", "90 00 0001 00000000 00000001 bede 0002 00000000"],
  ["§5.1", "padding longer than the packet", "a0 00 0001 00000000 00000001 ff"],
  ["§5.1", "padding of 0", "a0 00 0001 00000000 00000001 00"],
  ["RFC 5761 §4", "RTCP", "80 c8 0006 00000001 00000000 00000000"],
] as const;

for (const [section, what, bytes] of others) {
  test(`${section}, ${what}, no RTP packet`, () => {
    assert.equal(parseRtp(hex(bytes)), undefined);
  });
}

test("any bytes, never a throw; any packet, parse of print the same", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      parseRtp(bytes);
    }),
  );
  const u32 = fc.nat(2 ** 32 - 1);
  fc.assert(
    fc.property(
      fc.nat(63),
      fc.boolean(),
      fc.nat(65535),
      u32,
      u32,
      fc.uint8Array(),
      (payloadType, ...rest) => {
        const [marker, sequence, timestamp, ssrc, payload] = rest;
        const packet = { payloadType, marker, sequence, timestamp, ssrc, payload };
        assert.deepEqual(parseRtp(printRtp(packet)), packet);
      },
    ),
  );
});

// section  what arrives                       sequence numbers                  received  lost
const orders = [
  ["§A.3", "in order", [7, 8, 9, 10], 4, 0],
  ["§A.3", "two missing", [7, 8, 11], 3, 2],
  ["§A.3", "out of order", [7, 9, 8, 10], 4, 0],
  ["§A.3", "a duplicate", [7, 8, 8, 9], 4, -1],
  ["§A.1", "over the end of 16 bits", [65534, 65535, 0, 1], 4, 0],
  ["§A.1", "loss over the end of 16 bits", [65534, 2], 2, 3],
  ["§A.1", "a stray number is ignored", [7, 30000, 8, 9], 3, 0],
  ["§A.1", "a restart counts anew from its second packet", [7, 8, 30000, 30001, 30002], 2, 0],
] as const;

for (const [section, what, sequences, received, lost] of orders) {
  test(`${section}, ${what}, ${received} received and ${lost} lost`, () => {
    const statistics = new ReceptionStatistics(8000);
    for (const sequence of sequences) statistics.receive(sequence);
    assert.deepEqual([statistics.received, statistics.lost], [received, lost]);
  });
}

test("§A.8, steady arrival, no jitter; alternately 0 and 10 ms late, jitter near 10 ms", () => {
  const steady = new ReceptionStatistics(8000);
  const shaky = new ReceptionStatistics(8000);
  for (let index = 0; index < 200; index += 1) {
    const timestamp = (2 ** 32 - 1600 + index * 160) % 2 ** 32;
    steady.arrive(timestamp, 1000 + index * 20);
    shaky.arrive(timestamp, 1000 + index * 20 + (index % 2) * 10);
  }
  assert.ok(steady.jitter < 0.001);
  assert.ok(Math.abs(shaky.jitter - 10) < 0.1, String(shaky.jitter));
});
