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

/** The URI of a contact as it was written. The value has been parsed before, so its form is known to be right. */
export function uriTextOf(contact: string): string {
  let position = 0;
  // A display name in quotes may hold a bracket.
  if (contact[0] === '"') {
    position = 1;
    while (position < contact.length && contact[position] !== '"')
      position += contact[position] === "\\" ? 2 : 1;
  }
  const open = contact.indexOf("<", position);
  if (open >= 0) return contact.slice(open + 1, contact.indexOf(">", open));
  // §20: without brackets, parameters belong to the header field.
  const semicolon = contact.indexOf(";");
  return (semicolon < 0 ? contact : contact.slice(0, semicolon)).trim();
}

/** A delta-seconds; undefined if there is none or it is no number, so that the default counts. */
export function readDelta(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 0xffffffff) : undefined;
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
