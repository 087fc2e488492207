// What the library needs from the world, as interfaces: time, chance, hashing.
// `node/` and `web/` provide the real ones, `testing/` the virtual ones; nothing else touches them.

/** A timer that was set and can be cancelled; cancelling one that has fired does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time. One scale serves timers and stored expiries, so a virtual clock moves everything at once. */
export interface Clock {
  /** Milliseconds since the Unix epoch; never steps back while the process lives. */
  now(): number;
  /** Calls back once, `delay` milliseconds from now. */
  schedule(delay: number, callback: () => void): Timer;
}

/** Unpredictable bytes (RFC 3261 §19.3 wants 32 random bits in a tag, §8.1.1.7 unique branches). */
export interface Random {
  /** Fills and returns a new array of `length` unpredictable bytes. */
  bytes(length: number): Uint8Array;
}

/** The digest algorithms of RFC 8760 by their registered names. */
export type HashAlgorithm = "MD5" | "SHA-256" | "SHA-512-256";

/** Hashing, synchronous: digest runs once per challenged request. */
export interface Hash {
  /** Lower-case hex of the hash; a string is hashed as UTF-8. */
  hex(algorithm: HashAlgorithm, data: string | Uint8Array): string;
}

/** What a store may be: in memory (a value at once) or behind a connection (a promise). */
export type MaybePromise<T> = T | Promise<T>;
