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

  /** 32 bits. */
  of(text: string): number {
    let hash = this.#seed;
    const factor = this.#factor;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), factor);
      hash ^= hash >>> 15;
    }
    return hash;
  }
}

/** Slots at first; doubled whenever half of them are taken. A power of two. */
const fewest = 64;

/** Entries by key. */
export class TextTable<T extends Keyed> {
  /** Each entry stands where its hash says, or in the next free slot after that: no gap between the two. */
  #slots: (T | undefined)[] = new Array(fewest).fill(undefined);
  /** The hashes of the entries, beside them. */
  #hashes = new Int32Array(fewest);
  #size = 0;
  readonly #hash: TextHash;

  constructor(hash: Random | TextHash) {
    this.#hash = hash instanceof TextHash ? hash : new TextHash(hash);
  }

  get size(): number {
    return this.#size;
  }

  /** `hash`: that of the key, if it is known. */
  get(key: string, hash = this.#hash.of(key)): T | undefined {
    return this.#slots[this.#find(key, hash)];
  }

  /** Adds an entry, in the place of one with the same key. */
  add(entry: T): void {
    const hash = this.#hash.of(entry.key);
    const at = this.#find(entry.key, hash);
    if (this.#slots[at] === undefined) this.#size++;
    this.#slots[at] = entry;
    this.#hashes[at] = hash;
    if (this.#size * 2 > this.#slots.length) this.#grow();
  }

  /** Removes the entry with this key; false if there is none. */
  delete(key: string): boolean {
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    let gap = this.#find(key, this.#hash.of(key));
    if (slots[gap] === undefined) return false;
    this.#size--;
    // Whoever stands behind the gap, and could not be found across it, moves into it and leaves another.
    for (let at = (gap + 1) & mask; slots[at] !== undefined; at = (at + 1) & mask) {
      const wanted = hashes[at]! & mask;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = slots[at];
      hashes[gap] = hashes[at]!;
      gap = at;
    }
    slots[gap] = undefined;
    return true;
  }

  /** All entries, in no order. */
  *values(): Generator<T, void, undefined> {
    for (const entry of this.#slots) if (entry !== undefined) yield entry;
  }

  /** The slot with this key, or the free one where it belongs. */
  #find(key: string, hash: number): number {
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    let at = hash & mask;
    for (let entry = slots[at]; entry !== undefined; entry = slots[at]) {
      if (hashes[at] === hash && entry.key === key) return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  #grow(): void {
    const { length } = this.#slots;
    const slots = new Array<T | undefined>(length * 2).fill(undefined);
    const hashes = new Int32Array(length * 2);
    const mask = length * 2 - 1;
    for (let i = 0; i < length; i++) {
      const entry = this.#slots[i];
      if (entry === undefined) continue;
      const hash = this.#hashes[i]!;
      let at = hash & mask;
      while (slots[at] !== undefined) at = (at + 1) & mask;
      slots[at] = entry;
      hashes[at] = hash;
    }
    this.#slots = slots;
    this.#hashes = hashes;
  }
}
