// Contacts of REGISTER as text: taken apart without losing how they were written, and listed in the 200. RFC 3261 §10.3, §20.10.

import { type HeaderWriter, quote } from "../message/index.ts";
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

/** A binding as a Contact of the 200, with the seconds that are left of it (§10.3 step 8). */
export function writeBinding(to: HeaderWriter, binding: Binding, now: number): void {
  const { contact, expiresAt, q, instanceId, params } = binding;
  to.text("Contact: <")
    .value(contact)
    .text(">;expires=")
    .text(`${Math.ceil((expiresAt - now) / 1000)}`);
  if (q !== 1) to.text(";q=").text(`${q}`);
  if (instanceId !== undefined) to.text(";+sip.instance=").value(quote(instanceId));
  if (params !== undefined) to.value(params);
  to.text("\r\n");
}
