// Short texts made of numbers: base 32, a hash for identity, and the To tag of an answer that no transaction gives
// (RFC 3261 §8.2.7).

// Tokens compare without regard to case (§7.3.1), so one case only: 32 letters, 5 bits each.
const letters = "0123456789abcdefghjkmnpqrstvwxyz";
/** Their codes. */
export const letterCodes: Uint8Array = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
const pairs: readonly string[] = Array.from({ length: 1024 }, (_, i) => letters[i >> 5]! + letters[i & 31]!);

/** 32 bits as seven letters. Number's own toString takes the slow way for any base but ten. */
function base32(word: number): string {
  return (
    letters[word >>> 30]! + pairs[(word >>> 20) & 1023]! + pairs[(word >>> 10) & 1023]! + pairs[word & 1023]!
  );
}

/** 64 bits that spread well, as text. For identity, not for secrets: two FNV-1a hashes with a final mix. */
export function hashText(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x3c6ef372;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (b >>> 15);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
  b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  return base32(a ^ (b >>> 16)) + base32(b ^ (a >>> 16));
}

/** §8.2.7: the To tag of a stateless answer, the same each time the same request comes, and for its ACK. */
export function statelessTagOf(callId: string, fromTag: string, branch: string): string {
  return `s-${hashText(`${callId} ${fromTag} ${branch}`)}`;
}
