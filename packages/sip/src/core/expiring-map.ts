// What is remembered for a while and forgotten in the order in which it came.

/** Entries at first; doubled when they are taken. A power of two. */
const FEWEST = 64;

/**
 * A map that forgets from the front. A `Map` alone has that order too, but its first key lies behind all that were
 * deleted before it, up to as many as there are keys: whoever looks for it goes over them each time.
 */
export class ExpiringMap<K, V> {
  readonly #values = new Map<K, V>();
  /** The keys and when they came: two rings that start at #first. */
  #keys: (K | undefined)[] = new Array(FEWEST).fill(undefined);
  #times = new Float64Array(FEWEST);
  #first = 0;

  get size(): number {
    return this.#values.size;
  }

  get(key: K): V | undefined {
    return this.#values.get(key);
  }

  has(key: K): boolean {
    return this.#values.has(key);
  }

  /** Adds an entry for a key that has none. */
  add(key: K, value: V, time: number): void {
    const { size } = this.#values;
    if (size === this.#keys.length) this.#grow();
    const place = (this.#first + size) & (this.#keys.length - 1);
    this.#keys[place] = key;
    this.#times[place] = time;
    this.#values.set(key, value);
  }

  /** Another value for a key that has one; its time and its place stay. */
  replace(key: K, value: V): void {
    this.#values.set(key, value);
  }

  /** The time that the first entry was added with; infinite without entries. */
  get firstTime(): number {
    return this.#values.size === 0 ? Number.POSITIVE_INFINITY : this.#times[this.#first]!;
  }

  /** Forgets the first entry, of which there has to be one. Returns its key. */
  shift(): K {
    const key = this.#keys[this.#first]!;
    this.#keys[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#keys.length - 1);
    this.#values.delete(key);
    return key;
  }

  /** Rings of twice the length, which begin with the first entry. */
  #grow(): void {
    const keys = [...this.#keys.slice(this.#first), ...this.#keys.slice(0, this.#first)];
    const times = new Float64Array(2 * keys.length);
    times.set(this.#times.subarray(this.#first));
    times.set(this.#times.subarray(0, this.#first), keys.length - this.#first);
    this.#times = times;
    this.#keys = keys.concat(new Array(keys.length).fill(undefined));
    this.#first = 0;
  }
}
