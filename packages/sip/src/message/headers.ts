// The header fields of one message: an index into its bytes; values are decoded on first use and kept.
import * as characters from "./characters.ts";
import { elementEnd, skipWhite } from "./grammar.ts";
import { type DigestCredentials, decodeDigestCredentials } from "./header/auth.ts";
import { type ContactAsWritten, decodeContactAsWritten } from "./header/contact.ts";
import { readSeconds } from "./header/number.ts";
import { isBlank } from "./header/token.ts";
import {
  type HeaderName,
  type HeaderParser,
  type HeaderValue,
  headerEntries,
  headerEntry,
  headerIdOf,
} from "./header-table.ts";
import { sharedText } from "./own-text.ts";
import { decodeAscii, decodeText, readFrom } from "./text.ts";

const { COLON, classes, WHITE } = characters;

const contactId = headerIdOf("Contact");
const none: readonly never[] = [];

// The index of a message is one number per header field: where its name starts, times 256, plus its number in the
// table; and one number behind them, of where the last field's line ends. The rest is found from there when it is asked
// for: most fields never are.

/** The entry of the index for a field that starts at `start`. */
export function indexEntry(start: number, id: number): number {
  return start * 256 + id;
}

/** How many fields the index has. */
export function fieldCount(index: readonly number[]): number {
  return index.length - 1;
}

/** The number (in the table) of field `i`. */
export function idOf(index: readonly number[], i: number): number {
  return index[i]! & 255;
}

/** Where field `i` begins with its name. */
export function lineStart(index: readonly number[], i: number): number {
  return index[i]! >>> 8;
}

/** The position behind field `i` and its CR LF. */
export function lineEnd(index: readonly number[], i: number): number {
  return index[i + 1]! >>> 8;
}

/** Where the value of field `i` begins, white space skipped. */
export function valueStart(bytes: Uint8Array, index: readonly number[], i: number): number {
  let p = lineStart(index, i);
  while (bytes[p] !== COLON) p++;
  return skipWhite(bytes, p + 1, lineEnd(index, i));
}

/** Where the value of field `i`, which begins at `start`, ends without white space. */
export function valueEnd(bytes: Uint8Array, index: readonly number[], i: number, start: number): number {
  return trimmedEnd(bytes, start, lineEnd(index, i));
}

/** The first field with that number; -1 if there is none. */
export function firstField(index: readonly number[], id: number): number {
  const count = fieldCount(index);
  for (let i = 0; i < count; i++) if (idOf(index, i) === id) return i;
  return -1;
}

/** True if there is a field with that number behind field `i`. */
export function hasFieldBehind(index: readonly number[], i: number, id: number): boolean {
  const count = fieldCount(index);
  for (let next = i + 1; next < count; next++) if (idOf(index, next) === id) return true;
  return false;
}

/** The header fields of a message, in its order. Names are case-insensitive, compact forms equal the long ones. */
export class SipHeaders {
  #bytes: Uint8Array;
  readonly #index: readonly number[];
  readonly #headEnd: number;
  /** First values and lists by header number (lists at id + table length), filled on first use. */
  #values: Map<number, unknown> | undefined;

  /** For the parser only. */
  constructor(bytes: Uint8Array, index: readonly number[], headEnd: number) {
    this.#bytes = bytes;
    this.#index = index;
    this.#headEnd = headEnd;
  }

  /** The bytes are elsewhere from now on. For the message only. */
  move(bytes: Uint8Array): void {
    this.#bytes = bytes;
  }

  /**
   * The first value of a header field: typed if the name is in the table, else its text. Undefined if the
   * field is absent (or a list without elements). Throws ParseError if the value is malformed.
   */
  get<N extends HeaderName>(name: N): HeaderValue<N> | undefined;
  get(name: string): string | undefined;
  get(name: string): unknown {
    const id = headerIdOf(name);
    if (id === 0) return this.raw(name);
    const known = this.#values?.get(id);
    if (known !== undefined) return known;
    readFrom(this.#bytes, this.#headEnd);
    const { isList, parse, name: field } = headerEntry(id);
    const index = this.#index;
    for (let i = 0; i < fieldCount(index); i++) {
      if (idOf(index, i) !== id) continue;
      const start = valueStart(this.#bytes, index, i);
      let end = valueEnd(this.#bytes, index, i, start);
      if (isList) {
        if (isBlank(this.#bytes, start, end)) continue;
        end = trimmedEnd(this.#bytes, start, elementEnd(this.#bytes, start, end));
      }
      const value = parse(this.#bytes, start, end, field);
      this.#keep(id, value);
      return value;
    }
    return undefined;
  }

  /** All values of a header field over all its lines, in order. Throws ParseError if one is malformed. */
  getAll<N extends HeaderName>(name: N): HeaderValue<N>[];
  getAll(name: string): string[];
  getAll(name: string): unknown[] {
    const id = headerIdOf(name);
    if (id === 0) return this.rawAll(name);
    const key = id + headerEntries.length;
    const known = this.#values?.get(key);
    // A copy, so that nobody changes the message by changing the list.
    if (known !== undefined) return (known as unknown[]).slice();
    readFrom(this.#bytes, this.#headEnd);
    const { isList, parse, name: field } = headerEntry(id);
    const values = this.#allValues(id, isList, parse, field);
    this.#keep(key, values);
    return values.slice();
  }

  /** All Contact values with their URIs as they were written. Throws ParseError if one is malformed. */
  contactsAsWritten(): (ContactAsWritten | "*")[] {
    return this.#allValues(contactId, true, decodeContactAsWritten, "Contact");
  }

  /**
   * The digest credentials of a header field, undefined for those of other schemes. Throws ParseError if one value is
   * malformed.
   */
  digestCredentials(
    name: "Authorization" | "Proxy-Authorization",
  ): readonly (DigestCredentials | undefined)[] {
    const id = headerIdOf(name);
    // A request to be challenged has none: nothing of it need be read for that.
    if (firstField(this.#index, id) < 0) return none;
    return this.#allValues(id, false, decodeDigestCredentials, name);
  }

  /** What `parse` makes of each value of a header field. */
  #allValues<T>(id: number, isList: boolean, parse: HeaderParser<T>, field: string): T[] {
    const index = this.#index;
    const bytes = this.#bytes;
    let values: T[] | undefined;
    for (let i = 0; i < fieldCount(index); i++) {
      if (idOf(index, i) !== id) continue;
      const start = valueStart(bytes, index, i);
      const end = valueEnd(bytes, index, i, start);
      if (!isList) {
        values = append(values, parse(bytes, start, end, field));
        continue;
      }
      if (isBlank(bytes, start, end)) continue;
      for (let p = start; ; ) {
        const stop = elementEnd(bytes, p, end);
        values = append(values, parse(bytes, p, trimmedEnd(bytes, p, stop), field));
        if (stop >= end) break;
        p = skipWhite(bytes, stop + 1, end);
      }
    }
    return values ?? [];
  }

  #keep(key: number, value: unknown): void {
    this.#values ??= new Map();
    this.#values.set(key, value);
  }

  /** As `has`, by the number in the table: for what is asked of every message. */
  hasField(id: number): boolean {
    return firstField(this.#index, id) >= 0;
  }

  /** True if the header field is there, even empty. */
  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** The first field line of that name as text, folds replaced by a space. */
  raw(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.#text(at);
  }

  /** As `raw`, for what many messages have in common: one string for all, which keeps no message alive. */
  shared(name: string): string | undefined {
    const at = this.#find(name, 0);
    if (at < 0) return undefined;
    const start = valueStart(this.#bytes, this.#index, at);
    return sharedText(this.#bytes, start, valueEnd(this.#bytes, this.#index, at, start));
  }

  /** The first field of that name as seconds; undefined if it is absent or no number. */
  seconds(name: string): number | undefined {
    const at = this.#find(name, 0);
    if (at < 0) return undefined;
    const start = valueStart(this.#bytes, this.#index, at);
    return readSeconds(this.#bytes, start, valueEnd(this.#bytes, this.#index, at, start));
  }

  /** All field lines of that name as text. */
  rawAll(name: string): string[] {
    const out: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + 1)) out.push(this.#text(at));
    return out;
  }

  /** All field lines as [name as written, text]. */
  *entries(): Iterable<[string, string]> {
    for (let i = 0; i < this.size; i++) yield [this.#name(i), this.#text(i)];
  }

  /** How many field lines there are. */
  get size(): number {
    return fieldCount(this.#index);
  }

  #find(name: string, from: number): number {
    const id = headerIdOf(name);
    const index = this.#index;
    const lower = id === 0 ? name.toLowerCase() : "";
    for (let i = from; i < fieldCount(index); i++) {
      if (idOf(index, i) === id && (id !== 0 || this.#name(i).toLowerCase() === lower)) return i;
    }
    return -1;
  }

  #name(at: number): string {
    const start = lineStart(this.#index, at);
    let end = start;
    while (this.#bytes[end] !== COLON && (classes[this.#bytes[end]!]! & WHITE) === 0) end++;
    return decodeAscii(this.#bytes, start, end);
  }

  #text(at: number): string {
    readFrom(this.#bytes, this.#headEnd);
    const start = valueStart(this.#bytes, this.#index, at);
    return decodeText(this.#bytes, start, valueEnd(this.#bytes, this.#index, at, start));
  }
}

/** Nearly always there is one value, for which an array made to grow would be far too large. */
function append<T>(values: T[] | undefined, value: T): T[] {
  if (values === undefined) return [value];
  values.push(value);
  return values;
}

/** `end` moved back over white space, not below `start`. */
export function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && (classes[bytes[end - 1]!]! & WHITE) !== 0) end--;
  return end;
}
