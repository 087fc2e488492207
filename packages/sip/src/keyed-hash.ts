// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short strings, cheap enough for every message. It signs
// nonces and the proxy's own Record-Route values, and marks branches for loop detection; nothing that must stay secret
// for years.

/** 128 bits of key as four 32-bit words, low word first. */
export type HashKey = readonly [number, number, number, number];

/** A key out of 16 bytes, least significant byte first. */
export function hashKey(bytes: Uint8Array): HashKey {
  const word = (at: number) =>
    ((bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)) >>>
    0;
  return [word(0), word(4), word(8), word(12)];
}

/** What is hashed; made larger for longer texts. */
let input = new Uint8Array(256);

/** The two words of the last hash, the high one first: a pair of numbers costs an array each time. */
export const hashed: Int32Array = new Int32Array(2);

/**
 * 64 bits as 16 lower-case hex digits. The text counts as its UTF-16 code units, two bytes each, low byte first,
 * so no encoding step is needed. Text of nothing but Latin-1 takes half the time: one byte each, from another initial
 * state (as SipHash tells its variants apart), so that no two texts are the same input.
 */
export function keyedHash(key: HashKey, text: string): string {
  const { length } = text;
  if (2 * length + PADDING > input.length) input = new Uint8Array(4 * length + PADDING);
  let codes = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    input[i] = code;
    codes |= code;
  }
  const isLatin1 = length > 0 && codes <= 0xff;
  for (let i = 0; !isLatin1 && i < length; i++) {
    const code = text.charCodeAt(i);
    input[2 * i] = code;
    input[2 * i + 1] = code >>> 8;
  }
  hashBytes(key, input, isLatin1 ? length : 2 * length, isLatin1);
  return hex(hashed[0]!) + hex(hashed[1]!);
}

/** So many bytes behind what is hashed are written to. */
export const PADDING = 8;

/** Leaves 64 bits in `hashed`: of bytes[0, length), which are one byte for a character or two. */
export function hashBytes(key: HashKey, bytes: Uint8Array, length: number, isLatin1 = true): void {
  const [k0l, k0h, k1l, k1h] = key;
  // The state: four 64-bit words as halves, in locals because this runs for every dialog-forming request.
  let v0h = k0h ^ 0x736f6d65;
  let v0l = k0l ^ 0x70736575;
  let v1h = k1h ^ 0x646f7261;
  let v1l = k1l ^ 0x6e646f6d ^ (isLatin1 ? 0xee : 0);
  let v2h = k0h ^ 0x6c796765;
  let v2l = k0l ^ 0x6e657261;
  let v3h = k1h ^ 0x74656462;
  let v3l = k1l ^ 0x79746573;

  // The last word is filled up with zeros, and the length in its top byte.
  const end = (length & ~7) + 8;
  for (let i = length; i < end - 1; i++) bytes[i] = 0;
  bytes[end - 1] = length;
  // Two rounds for each word, then four with nothing mixed in.
  for (let at = 0; at < end + 16; at += 8) {
    let low = 0;
    let high = 0;
    if (at < end) {
      low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    } else if (at === end) {
      v2l ^= 0xff;
    }
    v3h ^= high;
    v3l ^= low;
    for (let round = 0; round < 2; round++) {
      // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
      let sum = (v0l >>> 0) + (v1l >>> 0);
      let upper = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      let turned = (v1h << 13) | (v1l >>> 19);
      v0h = sum | 0;
      v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0h;
      v1h = turned ^ upper;
      v0l = upper;
      // v2 += v3; v3 <<<= 16; v3 ^= v2
      sum = (v2l >>> 0) + (v3l >>> 0);
      v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      turned = (v3h << 16) | (v3l >>> 16);
      v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
      v3h = turned ^ v2h;
      // v0 += v3; v3 <<<= 21; v3 ^= v0
      sum = (v0l >>> 0) + (v3l >>> 0);
      v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      turned = (v3h << 21) | (v3l >>> 11);
      v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
      v3h = turned ^ v0h;
      // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
      sum = (v2l >>> 0) + (v1l >>> 0);
      upper = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      turned = (v1h << 17) | (v1l >>> 15);
      v2h = sum | 0;
      v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2h;
      v1h = turned ^ upper;
      v2l = upper;
    }
    v0h ^= high;
    v0l ^= low;
  }
  hashed[0] = v0h ^ v1h ^ v2h ^ v3h;
  hashed[1] = v0l ^ v1l ^ v2l ^ v3l;
}

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/** A word of 32 bits in 8 digits. */
export function hex(word: number): string {
  // Number's own toString takes the slow way for any base but ten.
  return (
    hexOfByte[word >>> 24]! +
    hexOfByte[(word >>> 16) & 255]! +
    hexOfByte[(word >>> 8) & 255]! +
    hexOfByte[word & 255]!
  );
}
