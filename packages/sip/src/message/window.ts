// The message that is being parsed, copied to where the parser looks at it: V8 builds the place of an array that is a
// constant into its code, and takes four bytes out of it at once, where bytes of any other array are looked up anew
// after each call. A copy of a kilobyte costs 15 ns and saves ten times as much.
import * as characters from "./characters.ts";

const { SPACE, TAB } = characters;

/** How much of a message is copied: all of it, or more of its head than is let in, with room for what is added here. */
export const windowSize = 131_072;
/** How far behind the message one may look. */
const margin = 32;

/**
 * The bytes of the message at their positions, and a tab behind them: as it belongs to nothing but white space, it ends
 * all loops, and no line ends before it. NUL ends even white space: behind it stands what an earlier message left.
 */
export const window: Uint8Array = new Uint8Array(windowSize + margin);
/** The same: of several bytes in a row it makes one look. */
const view = new DataView(window.buffer);

/** Copies a message; returns how much of it stands in the window. */
export function fillWindow(bytes: Uint8Array): number {
  const isShort = bytes.length <= windowSize;
  window.set(isShort ? bytes : bytes.subarray(0, windowSize));
  const filled = isShort ? bytes.length : windowSize;
  window[filled] = TAB;
  window[filled + 1] = 0;
  return filled;
}

/** From `at` on, the first byte below 14, which may be a CR, an LF or a tab, and is the tab behind the message at last. */
export function findControl(at: number): number {
  let p = at | 0;
  while (true) {
    const four = view.getInt32(p, true);
    // The quick look finds bytes above 127, too.
    const found = (four - 0x0e0e0e0e) & 0x80808080;
    if (found !== 0) {
      // The lowest mark stands at the first such byte.
      const marks = found & ~four;
      if (marks !== 0) return p + firstMark(marks);
    }
    p += 4;
  }
}

/** From `at` on, the first byte that is not visible ASCII. */
export function findInvisible(at: number): number {
  let p = at | 0;
  while (true) {
    const four = view.getInt32(p, true);
    const marks = ((four - 0x21212121) | (four + 0x01010101) | four) & 0x80808080;
    if (marks !== 0) return p + firstMark(marks);
    p += 4;
  }
}

/** Which byte of a word has the lowest of the marks, which are highest bits. */
function firstMark(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3;
}

/** The four bytes at `at` as one number, so that words are compared without a loop. */
export function fourAt(at: number): number {
  return view.getInt32(at, true);
}

/** As `fourAt`, of a text. */
export function fourOf(text: string): number {
  let four = 0;
  for (let i = 0; i < 4; i++) four |= text.charCodeAt(i) << (i * 8);
  return four;
}

/** CR LF as it stands in a word. */
const CR_LF = 0x0a0d;

/** True if at `at`, unless that is negative, stands the CR LF that no white space follows. */
export function endsLine(at: number): boolean {
  if (at < 0) return false;
  const four = view.getInt32(at, true);
  const next = (four >> 16) & 0xff;
  return (four & 0xffff) === CR_LF && next !== SPACE && next !== TAB;
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
  const { masks, words, lengths } = spellings;
  const i = number << 2;
  if (((view.getInt32(at, true) ^ words[i]!) & masks[i]!) !== 0) return 0;
  const length = lengths[number]!;
  if (length <= 4) return length;
  if (((view.getInt32(at + 4, true) ^ words[i + 1]!) & masks[i + 1]!) !== 0) return 0;
  if (length <= 8) return length;
  const differences =
    ((view.getInt32(at + 8, true) ^ words[i + 2]!) & masks[i + 2]!) |
    ((view.getInt32(at + 12, true) ^ words[i + 3]!) & masks[i + 3]!);
  return differences === 0 ? length : 0;
}
