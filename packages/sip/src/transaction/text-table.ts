// A hash table by text, for keys that are cut out of each message afresh. A Map would intern every one of them: copy
// it to old space and enter it into the table of all strings, which costs more than the look-up.

import type { Random } from "../ports.ts";

/** What can be in the table: it knows its key, which never changes. */
export interface Keyed {
  readonly key: string;
}

/** Hashes that a Map keeps without allocating: small integers everywhere. */
const mask = 0x3fffffff;

/** Hashes of texts that peers choose: they depend on random numbers, so that nobody can choose collisions. */
export class TextHash {
  readonly #seed: number;
  readonly #factor: number;

  constructor(random: Random) {
    const bytes = random.bytes(8);
    const word = (at: number) =>
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    this.#seed = word(0);
    // Odd, and good even where the random numbers are not: tests give zeros.
    this.#factor = (word(4) ^ 0x5bd1e994) | 1;
  }

  /** A small integer, not negative. */
  of(text: string): number {
    let hash = this.#seed;
    const factor = this.#factor;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), factor);
      hash ^= hash >>> 15;
    }
    return hash & mask;
  }
}

/** Entries by key. */
export class TextTable<T extends Keyed> {
  /** By hash, or the next free number after it: collisions are few. */
  readonly #entries = new Map<number, T>();
  readonly #hash: TextHash;

  constructor(hash: Random | TextHash) {
    this.#hash = hash instanceof TextHash ? hash : new TextHash(hash);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `hash`: that of the key, if it is known. */
  get(key: string, hash = this.#hash.of(key)): T | undefined {
    for (let at = hash; ; at = (at + 1) & mask) {
      const entry = this.#entries.get(at);
      if (entry === undefined || entry.key === key) return entry;
    }
  }

  /** Adds an entry, in the place of one with the same key. */
  add(entry: T): void {
    const { key } = entry;
    let at = this.#hash.of(key);
    for (;;) {
      const other = this.#entries.get(at);
      if (other === undefined || other.key === key) break;
      at = (at + 1) & mask;
    }
    this.#entries.set(at, entry);
  }

  /** Removes the entry with this key; false if there is none. */
  delete(key: string): boolean {
    let at = this.#hash.of(key);
    for (;;) {
      const entry = this.#entries.get(at);
      if (entry === undefined) return false;
      if (entry.key === key) break;
      at = (at + 1) & mask;
    }
    this.#entries.delete(at);
    // Those behind it may have been put there because its place was taken.
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const entry = this.#entries.get(next);
      if (entry === undefined) return true;
      this.#entries.delete(next);
      this.add(entry);
    }
  }

  /** All entries, in the order in which they came (nearly: a collision may move one back). */
  values(): MapIterator<T> {
    return this.#entries.values();
  }
}
