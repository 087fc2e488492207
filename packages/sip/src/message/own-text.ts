// Strings that hold nothing else. A substring keeps the text that it was cut from in memory: with a message's, all of it.
import { decodeAscii, decodeText, encodeText } from "./text.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const scratch = new Uint8Array(256);

/** A copy of a string that keeps no message alive. */
export function detachText(text: string): string {
  const { length } = text;
  if (length > scratch.length) return decoder.decode(encodeText(text));
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return decoder.decode(encodeText(text));
    scratch[i] = code;
  }
  return decodeAscii(scratch, 0, length);
}

/** Longer ones are not kept. */
const LONGEST_KEPT = 256;
/** Texts read before, by their length and two of their letters. */
const kept: string[] = new Array<string>(256).fill("");

/** As `detachText`, for texts that many messages have in common: one string for all of them. */
export function shareText(text: string): string {
  const { length } = text;
  if (length === 0) return "";
  const place = placeOf(length, text.charCodeAt(length >> 1), text.charCodeAt(length - 1));
  if (kept[place] === text) return kept[place];
  const own = detachText(text);
  if (length <= LONGEST_KEPT) kept[place] = own;
  return own;
}

/** As `decodeText` and `shareText`: the string is found by its bytes, so that as a rule none is made. */
export function sharedText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length <= 0) return "";
  const known = kept[placeOf(length, bytes[start + (length >> 1)]!, bytes[end - 1]!)]!;
  return known.length === length && stands(known, bytes, start)
    ? known
    : shareText(decodeText(bytes, start, end));
}

function placeOf(length: number, middle: number, last: number): number {
  return (7 * length + 11 * middle + 13 * last) & 255;
}

/** True if the text is ASCII and stands there: other text has several bytes for a character. */
function stands(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== bytes[start + i] || code > 0x7f) return false;
  }
  return true;
}
