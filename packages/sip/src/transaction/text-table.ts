// A hash table by text, for keys that are cut out of each message afresh. A Map would intern every one of them: copy
// it to old space and enter it into the table of all strings, which costs more than the look-up.

import type { Random } from "../ports.ts";

/** What can be in the table: it knows its key, which never changes. */
export interface Keyed {
  readonly key: string;
}

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

  /** 32 bits; of several texts, if it goes on from the hash of those before. */
  of(text: string, before = this.#seed): number {
    let hash = before;
    const factor = this.#factor;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), factor);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  /** The same of a text whose characters, each below 256, are these bytes. */
  ofBytes(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed;
    const factor = this.#factor;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ bytes[i]!, factor);
      hash ^= hash >>> 15;
    }
    return hash;
  }
}

/** Slots at first; doubled whenever half of them are taken. A power of two. */
const fewest = 64;

/** Entries by key. */
export class TextTable<T extends Keyed> {
  /**
   * The hash of the entry in each slot, 0 where there is none. An entry stands where its hash says, or in the next free
   * slot after that: no gap between the two. Apart from the entries, so that a look-up goes through little memory.
   */
  #hashes = new Int32Array(fewest);
  #entries: (T | undefined)[] = new Array(fewest).fill(undefined);
  #size = 0;
  readonly #hash: TextHash;

  /** All methods take the hash of the key, if it is known. */
  constructor(hash: Random | TextHash) {
    this.#hash = hash instanceof TextHash ? hash : new TextHash(hash);
  }

  get size(): number {
    return this.#size;
  }

  get(key: string, hash = this.#hash.of(key)): T | undefined {
    const at = this.#find(key, hash || 1);
    return this.#hashes[at] === 0 ? undefined : this.#entries[at];
  }

  /** What `get` finds under the text whose characters are these bytes. */
  getWritten(bytes: Uint8Array, start: number, end: number): T | undefined {
    const hash = this.#hash.ofBytes(bytes, start, end) || 1;
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    let at = hash & mask;
    for (let other = hashes[at]; other !== 0; other = hashes[at]) {
      const entry = this.#entries[at]!;
      if (other === hash && isWritten(entry.key, bytes, start, end)) return entry;
      at = (at + 1) & mask;
    }
    return undefined;
  }

  /** Adds an entry, in the place of one with the same key. */
  add(entry: T, hash = this.#hash.of(entry.key)): void {
    const at = this.#find(entry.key, hash || 1);
    if (this.#hashes[at] === 0) this.#size++;
    this.#hashes[at] = hash || 1;
    this.#entries[at] = entry;
    if (this.#size * 2 > this.#hashes.length) this.#grow();
  }

  /** Removes the entry with this key; false if there is none. */
  delete(key: string, hash = this.#hash.of(key)): boolean {
    const hashes = this.#hashes;
    const entries = this.#entries;
    const mask = hashes.length - 1;
    let gap = this.#find(key, hash || 1);
    if (hashes[gap] === 0) return false;
    this.#size--;
    // Whoever stands behind the gap, and could not be found across it, moves into it and leaves another.
    for (let at = (gap + 1) & mask; hashes[at] !== 0; at = (at + 1) & mask) {
      const wanted = hashes[at]! & mask;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      hashes[gap] = hashes[at]!;
      entries[gap] = entries[at];
      gap = at;
    }
    hashes[gap] = 0;
    entries[gap] = undefined;
    return true;
  }

  /** All entries, in no order. */
  *values(): Generator<T, void, undefined> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry;
  }

  /** The slot with this key, or the free one where it belongs. */
  #find(key: string, hash: number): number {
    const hashes = this.#hashes;
    const mask = hashes.length - 1;
    let at = hash & mask;
    for (let other = hashes[at]; other !== 0; other = hashes[at]) {
      if (other === hash && this.#entries[at]!.key === key) return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  #grow(): void {
    const before = this.#hashes;
    const length = before.length * 2;
    const hashes = new Int32Array(length);
    const entries = new Array<T | undefined>(length).fill(undefined);
    const mask = length - 1;
    for (let i = 0; i < before.length; i++) {
      const hash = before[i]!;
      if (hash === 0) continue;
      let at = hash & mask;
      while (hashes[at] !== 0) at = (at + 1) & mask;
      hashes[at] = hash;
      entries[at] = this.#entries[i];
    }
    this.#hashes = hashes;
    this.#entries = entries;
  }
}

function isWritten(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
