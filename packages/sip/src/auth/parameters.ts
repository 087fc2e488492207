// Challenges and credentials as text: scheme and parameters, RFC 3261 §25 (challenge, credentials), RFC 7616 §3.3–3.4.

/** `Digest realm="…", nonce="…"` taken apart. Names in lower case, values without their quotation marks. */
export interface AuthValue {
  /** In lower case: "digest". */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

// auth-param = token EQUAL ( token / quoted-string ), with LWS around EQUAL; username* of RFC 7616 fits token too.
const parameter =
  /[ \t\r\n]*([!%'*+.\w`~-]+)[ \t\r\n]*=[ \t\r\n]*(?:"((?:[^"\\]|\\[^])*)"|([^\s",]+))[ \t\r\n]*(?:,|$)/y;

/**
 * Takes one header field value apart. A comma too many is let through; undefined if there is no scheme, a
 * parameter is not of the form name=value, or one comes twice (RFC 7616 §3.4: improper).
 */
export function parseAuthValue(text: string): AuthValue | undefined {
  const start = /^[ \t\r\n]*([!%'*+.\w`~-]+)(?:[ \t\r\n]+|$)/.exec(text);
  if (start === null) return undefined;
  const parameters = new Map<string, string>();
  const end = text.trimEnd().length;
  let position = start[0].length;
  while (position < end) {
    if (text[position] === "," || text[position] === " ") {
      position++;
      continue;
    }
    parameter.lastIndex = position;
    const match = parameter.exec(text);
    if (match === null) return undefined;
    const name = match[1]!.toLowerCase();
    if (parameters.has(name)) return undefined;
    parameters.set(name, match[2] ?? match[3] ?? "");
    position = parameter.lastIndex;
  }
  return { scheme: start[1]!.toLowerCase(), parameters };
}

/**
 * The value of a quoted-string parameter with its escapes undone. Digests are computed over the text with
 * its escapes (RFC 7616 §3.4.5, "unq"), so this is only for looking names up.
 */
export function unescapeQuoted(text: string): string {
  return text.includes("\\") ? text.replace(/\\([^])/g, "$1") : text;
}

/** The inverse of `unescapeQuoted`. */
export function escapeQuoted(text: string): string {
  return /["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text;
}
