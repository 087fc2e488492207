// The message that is being parsed, copied to where the parser looks at it: V8 builds the place of an array that is a
// constant into its code, and takes words of four bytes out of it, where bytes of any other array are looked up anew
// after each call. A copy of a kilobyte costs 15 ns and saves ten times as much.
import * as characters from "./characters.ts";

const { CR, LF, SPACE, TAB } = characters;

/** How much of a message is copied: the parser goes the rest of the way by the bytes themselves. */
const windowSize = 8192;
/** How far behind the message one may look. */
const margin = 32;

/**
 * The bytes of the message at their positions, and a tab behind them: as it belongs to nothing but white space, it ends
 * all loops, and no line ends before it. Behind that stands what an earlier message left.
 */
export const window: Uint8Array = new Uint8Array(windowSize + margin);
const words = new Int32Array(window.buffer);

// A word's lowest byte must be its first: elsewhere nothing is ever copied, and nothing found.
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Copies a message; returns how much of it stands in the window. */
export function fillWindow(bytes: Uint8Array): number {
  if (!isLittleEndian) return 0;
  const isShort = bytes.length <= windowSize;
  window.set(isShort ? bytes : bytes.subarray(0, windowSize));
  const filled = isShort ? bytes.length : windowSize;
  window[filled] = TAB;
  return filled;
}

/** From `at` on, the first byte below 14, which may be a CR, an LF or a tab, and is the tab behind the message at last. */
export function findControl(at: number): number {
  let word = at >> 2;
  // What stands before `at` in the first word is made to be above.
  let four = words[word]! | ((1 << ((at & 3) << 3)) - 1);
  while (true) {
    // The lowest mark stands at the first such byte.
    const marks = (four - 0x0e0e0e0e) & ~four & 0x80808080;
    if (marks !== 0) return (word << 2) + firstMark(marks);
    // The quick look finds bytes above 127, too.
    do {
      word++;
      four = words[word]!;
    } while (((four - 0x0e0e0e0e) & 0x80808080) === 0);
  }
}

/** From `at` on, the first byte that is not visible ASCII. */
export function findInvisible(at: number): number {
  let word = at >> 2;
  const before = (1 << ((at & 3) << 3)) - 1;
  let four = (words[word]! & ~before) | (0x40404040 & before);
  while (true) {
    const marks = ((four - 0x21212121) | (four + 0x01010101) | four) & 0x80808080;
    if (marks !== 0) return (word << 2) + firstMark(marks);
    word++;
    four = words[word]!;
  }
}

/** Which byte of a word has the lowest of the marks, which are highest bits. */
function firstMark(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3;
}

/** The four bytes at `at` as one number, so that words are compared without a loop. */
export function fourAt(at: number): number {
  return window[at]! | (window[at + 1]! << 8) | (window[at + 2]! << 16) | (window[at + 3]! << 24);
}

/** As `fourAt`, of a text. */
export function fourOf(text: string): number {
  let four = 0;
  for (let i = 0; i < 4; i++) four |= text.charCodeAt(i) << (i * 8);
  return four;
}

/** True if at `at`, unless that is negative, stands the CR LF that no white space follows. */
export function endsLine(at: number): boolean {
  if (at < 0 || window[at] !== CR || window[at + 1] !== LF) return false;
  const next = window[at + 2];
  return next !== SPACE && next !== TAB;
}

/** Texts to be compared with what stands in the window: four words for each, masks of the bytes in them, their lengths. */
export interface Spellings {
  readonly words: Int32Array;
  readonly masks: Int32Array;
  readonly lengths: Uint8Array;
}

/** Spellings for `spanAt`. One that is longer than 16 letters will not be found. */
export function spellingsOf(texts: readonly string[]): Spellings {
  const spellings = {
    words: new Int32Array(texts.length * 4),
    masks: new Int32Array(texts.length * 4),
    lengths: new Uint8Array(texts.length),
  };
  texts.forEach((text, number) => {
    if (text.length > 16) return;
    spellings.lengths[number] = text.length;
    for (let i = 0; i < text.length; i++) {
      const word = number * 4 + (i >> 2);
      const shift = (i & 3) << 3;
      spellings.words[word] = spellings.words[word]! | (text.charCodeAt(i) << shift);
      spellings.masks[word] = spellings.masks[word]! | (0xff << shift);
    }
  });
  return spellings;
}

/** The length of the text with that number if it stands at `at`, letter by letter; else 0. */
export function spanAt(at: number, spellings: Spellings, number: number): number {
  const word = at >> 2;
  const a = words[word]!;
  const b = words[word + 1]!;
  const c = words[word + 2]!;
  const d = words[word + 3]!;
  const e = words[word + 4]!;
  // The four words that begin at `at`. To the left in two steps: a shift by 32 would be one by 0.
  const right = (at & 3) << 3;
  const left = 31 - right;
  const { masks, words: spelt } = spellings;
  const i = number << 2;
  const differences =
    ((((a >>> right) | ((b << 1) << left)) ^ spelt[i]!) & masks[i]!) |
    ((((b >>> right) | ((c << 1) << left)) ^ spelt[i + 1]!) & masks[i + 1]!) |
    ((((c >>> right) | ((d << 1) << left)) ^ spelt[i + 2]!) & masks[i + 2]!) |
    ((((d >>> right) | ((e << 1) << left)) ^ spelt[i + 3]!) & masks[i + 3]!);
  return differences === 0 ? spellings.lengths[number]! : 0;
}
