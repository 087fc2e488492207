// Headers that are text for people or opaque to us: Subject, Organization, Server, User-Agent, User-to-User, …
// RFC 3261 §20.25, §20.35, §20.36, §20.41.
import { decodeText } from "../text.ts";

export function decodeTextValue(bytes: Uint8Array, start: number, end: number): string {
  return decodeText(bytes, start, end);
}
