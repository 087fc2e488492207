// G.711, 16-bit linear samples ↔ 8-bit µ-law and A-law, by tables. ITU-T G.711; RFC 3551 §4.5.14.

/** A way to carry 16-bit samples as bytes, one for one. */
export interface SampleCodec {
  encode(samples: Int16Array): Uint8Array;
  decode(bytes: Uint8Array): Int16Array;
}

/** µ-law, the codec of PCMU. */
export const mulaw: SampleCodec = tableCodec(encodeMulaw, decodeMulaw);

/** A-law, the codec of PCMA. */
export const alaw: SampleCodec = tableCodec(encodeAlaw, decodeAlaw);

/** The codec by its encoding name in SDP, in any case; undefined for what is not G.711. */
export function sampleCodecOf(name: string): SampleCodec | undefined {
  switch (name.toUpperCase()) {
    case "PCMU":
      return mulaw;
    case "PCMA":
      return alaw;
    default:
      return undefined;
  }
}

function tableCodec(encodeOne: (sample: number) => number, decodeOne: (byte: number) => number): SampleCodec {
  // Made on first use: 64 kB and 512 bytes.
  let encoded: Uint8Array | undefined;
  let decoded: Int16Array | undefined;
  return {
    encode(samples) {
      encoded ??= Uint8Array.from({ length: 65_536 }, (_, index) => encodeOne(index - 32_768));
      const bytes = new Uint8Array(samples.length);
      for (let at = 0; at < samples.length; at += 1) bytes[at] = encoded[samples[at]! + 32_768]!;
      return bytes;
    },
    decode(bytes) {
      decoded ??= Int16Array.from({ length: 256 }, (_, byte) => decodeOne(byte));
      const samples = new Int16Array(bytes.length);
      for (let at = 0; at < bytes.length; at += 1) samples[at] = decoded[bytes[at]!]!;
      return samples;
    },
  };
}

// A byte is a sign, 3 bits of segment and 4 bits within it. The µ-law curve is shifted by 132, so that every
// segment begins at a power of two; all bits go inverted onto the wire.
const mulawShift = 132;
const mulawClip = 32_635;

function encodeMulaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), mulawClip) + mulawShift;
  const segment = 24 - Math.clz32(magnitude);
  const step = (magnitude >> (segment + 3)) & 0x0f;
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff;
}

function decodeMulaw(byte: number): number {
  const bits = ~byte & 0xff;
  const segment = (bits >> 4) & 0x07;
  const magnitude = (((bits & 0x0f) * 8 + mulawShift) << segment) - mulawShift;
  return (bits & 0x80) !== 0 ? -magnitude : magnitude;
}

// A-law: the two lowest segments are equally steep; a set sign bit means positive; even bits go inverted (0x55).
function encodeAlaw(sample: number): number {
  const magnitude = sample < 0 ? -sample - 1 : sample;
  const segment = magnitude < 256 ? 0 : 24 - Math.clz32(magnitude);
  const step = (magnitude >> Math.max(4, segment + 3)) & 0x0f;
  return ((sample < 0 ? 0 : 0x80) | (segment << 4) | step) ^ 0x55;
}

function decodeAlaw(byte: number): number {
  const bits = byte ^ 0x55;
  const segment = (bits >> 4) & 0x07;
  const step = (bits & 0x0f) << 4;
  const magnitude = segment === 0 ? step + 8 : (step + 0x108) << (segment - 1);
  return (bits & 0x80) !== 0 ? magnitude : -magnitude;
}
