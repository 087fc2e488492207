// MD5, RFC 1321: for digest (RFC 3261 §22.4), whose inputs are so short that a call of the runtime's own function costs
// more than the hash. Not for anything that has to withstand collisions.

/** So many bytes behind what is hashed are written to: the padding, and the length. */
export const MD5_PADDING = 72;

/** 2^32 · |sin i| (§3.4). */
const sines = Int32Array.from(
  { length: 64 },
  (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 0x100000000) | 0,
);
/** The block in hand, as words. */
const x = new Int32Array(16);
const digits = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** Writes the hash of bytes[0, length) to `out` as 32 hex digits. */
export function md5(bytes: Uint8Array, length: number, out: Uint8Array): void {
  // §3.1, §3.2.
  const end = ((length + 8) & ~63) + 64;
  bytes[length] = 0x80;
  for (let i = length + 1; i < end; i++) bytes[i] = 0;
  bytes[end - 8] = length << 3;
  bytes[end - 7] = length >>> 5;
  bytes[end - 6] = length >>> 13;
  bytes[end - 5] = length >>> 21;
  // §3.3.
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  for (let at = 0; at < end; at += 64) {
    for (let i = 0, p = at; i < 16; i++, p += 4) {
      x[i] = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    }
    const a0 = a;
    const b0 = b;
    const c0 = c;
    const d0 = d;
    // §3.4: four rounds of 16 operations, here four at a time.
    for (let i = 0; i < 16; i += 4) {
      a = (b + turn((a + (d ^ (b & (c ^ d))) + x[i]! + sines[i]!) | 0, 7)) | 0;
      d = (a + turn((d + (c ^ (a & (b ^ c))) + x[i + 1]! + sines[i + 1]!) | 0, 12)) | 0;
      c = (d + turn((c + (b ^ (d & (a ^ b))) + x[i + 2]! + sines[i + 2]!) | 0, 17)) | 0;
      b = (c + turn((b + (a ^ (c & (d ^ a))) + x[i + 3]! + sines[i + 3]!) | 0, 22)) | 0;
    }
    for (let i = 16; i < 32; i += 4) {
      a = (b + turn((a + (c ^ (d & (b ^ c))) + x[(5 * i + 1) & 15]! + sines[i]!) | 0, 5)) | 0;
      d = (a + turn((d + (b ^ (c & (a ^ b))) + x[(5 * i + 6) & 15]! + sines[i + 1]!) | 0, 9)) | 0;
      c = (d + turn((c + (a ^ (b & (d ^ a))) + x[(5 * i + 11) & 15]! + sines[i + 2]!) | 0, 14)) | 0;
      b = (c + turn((b + (d ^ (a & (c ^ d))) + x[(5 * i) & 15]! + sines[i + 3]!) | 0, 20)) | 0;
    }
    for (let i = 32; i < 48; i += 4) {
      a = (b + turn((a + (b ^ c ^ d) + x[(3 * i + 5) & 15]! + sines[i]!) | 0, 4)) | 0;
      d = (a + turn((d + (a ^ b ^ c) + x[(3 * i + 8) & 15]! + sines[i + 1]!) | 0, 11)) | 0;
      c = (d + turn((c + (d ^ a ^ b) + x[(3 * i + 11) & 15]! + sines[i + 2]!) | 0, 16)) | 0;
      b = (c + turn((b + (c ^ d ^ a) + x[(3 * i + 14) & 15]! + sines[i + 3]!) | 0, 23)) | 0;
    }
    for (let i = 48; i < 64; i += 4) {
      a = (b + turn((a + (c ^ (b | ~d)) + x[(7 * i) & 15]! + sines[i]!) | 0, 6)) | 0;
      d = (a + turn((d + (b ^ (a | ~c)) + x[(7 * i + 7) & 15]! + sines[i + 1]!) | 0, 10)) | 0;
      c = (d + turn((c + (a ^ (d | ~b)) + x[(7 * i + 14) & 15]! + sines[i + 2]!) | 0, 15)) | 0;
      b = (c + turn((b + (d ^ (c | ~a)) + x[(7 * i + 5) & 15]! + sines[i + 3]!) | 0, 21)) | 0;
    }
    a = (a + a0) | 0;
    b = (b + b0) | 0;
    c = (c + c0) | 0;
    d = (d + d0) | 0;
  }
  // §3.5.
  print(a, out, 0);
  print(b, out, 8);
  print(c, out, 16);
  print(d, out, 24);
}

function turn(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** A word in hex, its lowest byte first. */
function print(word: number, out: Uint8Array, at: number): void {
  for (let i = 0; i < 8; i += 2, word >>>= 8) {
    out[at + i] = digits[(word >>> 4) & 15]!;
    out[at + i + 1] = digits[word & 15]!;
  }
}
