// tel: URIs, RFC 3966.
import { ParseError } from "../errors.ts";
import { classes, HEX, PERCENT, SEMICOLON, URI_PARAM } from "./characters.ts";
import { isEscape } from "./grammar.ts";
import { noParams, type Params } from "./params.ts";
import { escapeUri } from "./text.ts";

/** A telephone number. */
export interface TelUri {
  readonly scheme: "tel";
  /** As written, visual separators included: "+1-201-555-0123", "7042". */
  readonly number: string;
  /** Lower-case names; "phone-context" says whose number it is when it does not begin with "+". */
  readonly params: Params;
}

/** Checks what follows "tel:". A local number without phone-context is let through (dialled 911, 112). */
export function checkTelUri(bytes: Uint8Array, start: number, end: number, field: string): void {
  let p = start;
  if (p < end && bytes[p] === 43) p++;
  let digits = 0;
  while (p < end && bytes[p] !== SEMICOLON) {
    const c = bytes[p]!;
    // phonedigit-hex = HEXDIG / "*" / "#" / visual-separator
    if ((classes[c]! & HEX) !== 0 || c === 42 || c === 35) digits++;
    else if (c !== 45 && c !== 46 && c !== 40 && c !== 41) {
      throw new ParseError(field, "a character that no telephone number may hold", { offset: p });
    }
    p++;
  }
  if (digits === 0) throw new ParseError(field, "a telephone number without digits", { offset: start });
  while (p < end) {
    const from = p + 1;
    p = from;
    while (p < end && bytes[p] !== SEMICOLON) {
      const c = bytes[p]!;
      if (c === PERCENT && isEscape(bytes, p, end)) p += 3;
      else if ((classes[c]! & URI_PARAM) !== 0) p++;
      else throw new ParseError(field, "a character that no tel: parameter may hold", { offset: p });
    }
    if (p === from || bytes[from] === 61)
      throw new ParseError(field, "a tel: parameter has no name", { offset: from });
  }
}

/** What follows "tel:", already checked. */
export function parseTelUri(text: string): TelUri {
  const [number = "", ...rest] = text.split(";");
  if (rest.length === 0) return { scheme: "tel", number, params: noParams };
  const params = new Map<string, string>();
  for (const item of rest) {
    const equals = item.indexOf("=");
    const name = (equals < 0 ? item : item.slice(0, equals)).toLowerCase();
    if (!params.has(name)) params.set(name, equals < 0 ? "" : unescapeValue(item.slice(equals + 1)));
  }
  return { scheme: "tel", number, params };
}

function unescapeValue(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The URI as it goes on the wire. */
export function printTelUri(uri: TelUri): string {
  let out = `tel:${uri.number}`;
  for (const [name, value] of uri.params)
    out += value === "" ? `;${name}` : `;${name}=${escapeUri(value, URI_PARAM, "=")}`;
  return out;
}
