// Answers kept for a while: bounded, and one question at a time for each key however many ask. For DNS.

/** An answer and how long it holds, milliseconds; 0 for those who are waiting only. */
export interface Answer<T> {
  readonly value: T;
  readonly lifetime: number;
}

interface Entry {
  readonly expiresAt: number;
  readonly value: unknown;
  readonly error: unknown;
}

export interface RecordCacheOptions {
  now(): number;
  /** Answers kept at most; the one asked for longest ago leaves first. */
  capacity: number;
  /** How long a failure is kept, milliseconds. */
  failureTime: number;
}

export class RecordCache {
  readonly counts = { hits: 0, misses: 0, shared: 0 };
  readonly #options: RecordCacheOptions;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #open = new Map<string, Promise<unknown>>();

  constructor(options: RecordCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What is known under this key, what somebody is asking already, or what `ask` finds out. */
  async get<T>(key: string, ask: () => Promise<Answer<T>>): Promise<T> {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      if (entry.expiresAt > this.#options.now()) {
        this.#entries.set(key, entry);
        this.counts.hits++;
        if (entry.error !== undefined) throw entry.error;
        return entry.value as T;
      }
    }
    const open = this.#open.get(key);
    if (open !== undefined) {
      this.counts.shared++;
      return (await open) as T;
    }
    this.counts.misses++;
    const asking = this.#ask(key, ask).finally(() => this.#open.delete(key));
    this.#open.set(key, asking);
    return await asking;
  }

  clear(): void {
    this.#entries.clear();
  }

  async #ask<T>(key: string, ask: () => Promise<Answer<T>>): Promise<T> {
    try {
      const { value, lifetime } = await ask();
      this.#keep(key, lifetime, value, undefined);
      return value;
    } catch (error) {
      this.#keep(key, this.#options.failureTime, undefined, error);
      throw error;
    }
  }

  #keep(key: string, lifetime: number, value: unknown, error: unknown): void {
    if (lifetime <= 0) return;
    this.#entries.set(key, { expiresAt: this.#options.now() + lifetime, value, error });
    if (this.#entries.size <= this.#options.capacity) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }
}
