// When two URIs are the same: RFC 3261 §19.1.4 with RFC 5954 §4.2, and RFC 3966 §4 for tel:.
import { equalHosts } from "./host.ts";
import type { Params } from "./params.ts";
import type { TelUri } from "./tel-uri.ts";
import { isSipUri, isTelUri, type SipUri, type Uri } from "./uri.ts";

/** True if the URIs are equivalent. Not transitive, as §19.1.4 notes. URIs of other schemes are compared as text. */
export function equalUri(a: Uri, b: Uri): boolean {
  if (a === b) return true;
  if (isSipUri(a)) return isSipUri(b) && equalSipUri(a, b);
  if (isTelUri(a)) return isTelUri(b) && equalTelUri(a, b);
  return !isSipUri(b) && !isTelUri(b) && a.scheme === b.scheme && afterScheme(a.text) === afterScheme(b.text);
}

function afterScheme(text: string): string {
  return text.slice(text.indexOf(":"));
}

function equalSipUri(a: SipUri, b: SipUri): boolean {
  // A SIP and a SIPS URI are never equal; userinfo is case-sensitive; a port that is left out matches none.
  if (a.scheme !== b.scheme || a.user !== b.user || a.password !== b.password) return false;
  if (a.port !== b.port || !equalHosts(a.host, b.host)) return false;
  return equalParams(a.params, b.params) && equalHeaders(a.headers, b.headers);
}

/** Parameters that must not be in one URI only, whatever their value (§19.1.4; transport for the defaults rule). */
const decisive = ["user", "ttl", "method", "maddr", "transport"];

function equalParams(a: Params, b: Params): boolean {
  if (a.size === 0 && b.size === 0) return true;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other !== undefined && other !== value && other.toLowerCase() !== value.toLowerCase()) return false;
  }
  for (const name of decisive) {
    if (a.has(name) !== b.has(name)) return false;
  }
  return true;
}

function equalHeaders(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    // Laxer than "the rules of each header": equal but for case.
    if (b.get(name)?.toLowerCase() !== value.toLowerCase()) return false;
  }
  return true;
}

function digitsOf(number: string): string {
  return number.replace(/[-.()]/g, "").toLowerCase();
}

function equalTelUri(a: TelUri, b: TelUri): boolean {
  // RFC 3966 §4: visual separators do not count; all parameters must be in both.
  if (digitsOf(a.number) !== digitsOf(b.number) || a.params.size !== b.params.size) return false;
  for (const [name, value] of a.params) {
    const other = b.params.get(name);
    if (other === undefined) return false;
    const isNumber = name === "ext" || (name === "phone-context" && value.startsWith("+"));
    if (isNumber ? digitsOf(other) !== digitsOf(value) : other.toLowerCase() !== value.toLowerCase())
      return false;
  }
  return true;
}
