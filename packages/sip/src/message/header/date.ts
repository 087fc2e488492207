// Date: RFC 3261 §20.17, always GMT.
import { ParseError } from "../../errors.ts";
import { decodeText } from "../text.ts";

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const pattern =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

/** Milliseconds since the Unix epoch. */
export function decodeDate(bytes: Uint8Array, start: number, end: number, field: string): number {
  const match = end - start > 64 ? null : pattern.exec(decodeText(bytes, start, end));
  const month = match === null ? -1 : months.indexOf(match[3]!);
  // RFC 4475 §3.1.2.12: another zone than GMT is malformed, for whoever reads this header.
  if (match === null || month < 0) throw new ParseError(field, "not a date in GMT", { offset: start });
  const [, , day, , year, hours, minutes, seconds] = match.map(Number);
  if (day! < 1 || day! > 31 || hours! > 23 || minutes! > 59 || seconds! > 60) {
    throw new ParseError(field, "no such date", { offset: start });
  }
  return Date.UTC(year!, month, day, hours, minutes, seconds);
}

/** The value as it goes on the wire, from milliseconds since the Unix epoch. */
export function printDate(time: number): string {
  const date = new Date(time);
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const day = `${days[date.getUTCDay()]}, ${two(date.getUTCDate())} ${months[date.getUTCMonth()]}`;
  return `${day} ${String(date.getUTCFullYear()).padStart(4, "0")} ${clock} GMT`;
}
