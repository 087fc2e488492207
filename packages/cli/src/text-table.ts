// Plain tables for the terminal. What peers sent never moves the cursor.

import { stripVTControlCharacters, styleText } from "node:util";
import { padTo, textWidth } from "./text-width.ts";

/** Columns as wide as their widest cell, a dim head; the last column is not padded. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(clean));
  const widths = head.map((name, i) =>
    Math.max(...[name, ...shown.map((row) => row[i] ?? "")].map(textWidth)),
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === cells.length - 1 ? cell : padTo(cell, widths[i] ?? 0))).join("  ");
  return [styleText("dim", line(head)), ...shown.map(line)].join("\n");
}

/** Control characters replaced. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, "?");
}

/** "2026-11-23 14:03:27", local time. */
export function printTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "65 s", "2 h 3 min". */
export function printSpan(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 600) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
