// Text in a terminal's columns: Chinese, Japanese and Korean characters take two. Padding, cutting and wrapping by them.
import { stripVTControlCharacters } from "node:util";

// East Asian Width W and F (Unicode Annex 11), and the pictures that terminals draw as wide.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const invisible = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u;

/** Columns that the text takes; colours take none. */
export function textWidth(text: string): number {
  let columns = 0;
  for (const character of stripVTControlCharacters(text)) columns += widthOf(character);
  return columns;
}

function widthOf(character: string): 0 | 1 | 2 {
  if (invisible.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

/** Spaces added up to that many columns. */
export function padTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - textWidth(text)));
}

/** Cut to that many columns with an ellipsis, or nothing at all where only a stump would remain. */
export function shorten(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  if (columns < 20) return "";
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += widthOf(character);
    if (used > columns - 1) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

// What must not begin a line stays with the character before it, what must not end one with the next.
const closing = /^[，。、；：？！）」』〉》]/u;
const opening = /[（「『〈《]$/u;

/** Lines of at most that many columns, broken at spaces and between wide characters; a longer word stays whole. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of pieces(text)) {
    if (line !== "" && textWidth(line) + textWidth(piece.trimEnd()) > columns) {
      lines.push(line.trimEnd());
      line = piece.trimStart();
    } else {
      line += piece;
    }
  }
  return [...lines, line.trimEnd()];
}

/** The text between its break points: words with the space after them, wide characters one by one. */
function pieces(text: string): string[] {
  const found: string[] = [];
  for (const character of text) {
    const before = found.at(-1);
    const isBreak =
      before !== undefined &&
      !opening.test(before) &&
      !closing.test(character) &&
      character !== " " &&
      (before.endsWith(" ") || wide.test(character) || wide.test(before.at(-1) ?? ""));
    if (before === undefined || isBreak) found.push(character);
    else found[found.length - 1] = before + character;
  }
  return found;
}
