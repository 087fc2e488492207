// Contacts of REGISTER as text: taken apart without losing how they were written, and listed in the 200. RFC 3261 §10.3, §20.10.

import { printParams, quote } from "../message/index.ts";
import type { Binding } from "./binding.ts";

/** The values of a comma-separated field line, white space cut off; commas in quotes or brackets do not part. */
export function splitList(line: string): string[] {
  const values: string[] = [];
  let start = 0;
  let inQuotes = false;
  let inBrackets = false;
  for (let i = 0; i <= line.length; i++) {
    const c = line[i];
    if (c === "\\" && inQuotes) i++;
    else if (c === '"' && !inBrackets) inQuotes = !inQuotes;
    else if (c === "<" && !inQuotes) inBrackets = true;
    else if (c === ">" && !inQuotes) inBrackets = false;
    else if (c === undefined || (c === "," && !inQuotes && !inBrackets)) {
      const value = line.slice(start, i).trim();
      if (value !== "") values.push(value);
      start = i + 1;
    }
  }
  return values;
}

/** A delta-seconds; undefined if there is none or it is no number, so that the default counts. */
export function readDelta(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return Math.min(value, 0xffffffff);
}

/** §20.10: a malformed expires parameter counts as 3600. */
export function readContactExpires(text: string | undefined): number | undefined {
  return text === undefined ? undefined : (readDelta(text) ?? 3600);
}

const ownParams: ReadonlySet<string> = new Set(["expires", "q", "+sip.instance"]);

/** The parameters that a binding has no field for, as text; undefined if there are none. */
export function printOtherParams(params: ReadonlyMap<string, string>): string | undefined {
  const others = new Map<string, string>();
  for (const [name, value] of params) if (!ownParams.has(name)) others.set(name, value);
  return others.size === 0 ? undefined : printParams(others);
}

/** A binding as a Contact of the 200, with the seconds that are left of it (§10.3 step 8). */
export function printBinding(binding: Binding, now: number): string {
  let text = `<${binding.contact}>;expires=${Math.ceil((binding.expiresAt - now) / 1000)}`;
  if (binding.q !== 1) text += `;q=${binding.q}`;
  if (binding.instanceId !== undefined) text += `;+sip.instance=${quote(binding.instanceId)}`;
  if (binding.params !== undefined) text += binding.params;
  return text;
}
