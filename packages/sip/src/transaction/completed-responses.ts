// What is left of a non-INVITE server transaction over UDP once it is answered: its final response, which a request that
// comes again gets again until timer J ends (RFC 3261 §17.2.2, state "completed"). There may be a hundred thousand of
// them, all with the same time to live: they are bytes in a queue, where objects would keep the garbage collector busy.

import type { Flow } from "../transport/index.ts";
import type { TextHash } from "./text-table.ts";

/** A response that can be sent again. */
export interface CompletedResponse {
  readonly bytes: Uint8Array;
  /** Where it went. */
  readonly flow: Flow;
  readonly method: string;
  readonly statusCode: number;
}

/** Keys and responses are copied into chunks of this many bytes, which go once the last of their responses has gone. */
const CHUNK = 65_536;
const FIRST_CAPACITY = 256;
const noBytes = new Uint8Array(0);

/** Responses by the key of their transaction, oldest first. */
export class CompletedResponses {
  readonly #hash: TextHash;
  /** Places of a ring; the oldest response is at #first. */
  #capacity = 0;
  #first = 0;
  #count = 0;
  #chunks: Uint8Array[] = [];
  #flows: (Flow | undefined)[] = [];
  #methods: string[] = [];
  #statusCodes = new Uint16Array(0);
  #until = new Float64Array(0);
  #hashes = new Int32Array(0);
  #keyStarts = new Int32Array(0);
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  /** By hash: the place of the newest response with it, plus one; and for each place the next older one. */
  #buckets = new Int32Array(0);
  #older = new Int32Array(0);
  #chunk: Uint8Array = noBytes;
  #used = 0;

  constructor(hash: TextHash) {
    this.#hash = hash;
  }

  get size(): number {
    return this.#count;
  }

  /** When the oldest one goes, Infinity if there is none. */
  get deadline(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#until[this.#first]!;
  }

  /** Keeps a copy of the response until then, no earlier than those before it. False if that cannot be. */
  add(key: string, response: CompletedResponse, until: number): boolean {
    const { bytes } = response;
    const length = key.length + bytes.length;
    if (length > CHUNK) return false;
    for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0xff) return false;
    if (this.#count === this.#capacity) this.#grow();
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Uint8Array(CHUNK);
      this.#used = 0;
    }
    const chunk = this.#chunk;
    const keyStart = this.#used;
    for (let i = 0; i < key.length; i++) chunk[keyStart + i] = key.charCodeAt(i);
    const start = keyStart + key.length;
    chunk.set(bytes, start);
    this.#used = start + bytes.length;
    const place = (this.#first + this.#count++) & (this.#capacity - 1);
    const hash = this.#hash.of(key);
    this.#chunks[place] = chunk;
    this.#flows[place] = response.flow;
    this.#methods[place] = response.method;
    this.#statusCodes[place] = response.statusCode;
    this.#until[place] = until;
    this.#hashes[place] = hash;
    this.#keyStarts[place] = keyStart;
    this.#starts[place] = start;
    this.#ends[place] = this.#used;
    this.#enter(place, hash);
    return true;
  }

  /** The response of the transaction with this key, whose hash is given. */
  get(key: string, hash: number): CompletedResponse | undefined {
    if (this.#count === 0) return undefined;
    let next = this.#buckets[hash & (this.#capacity - 1)]!;
    while (next !== 0) {
      const place = next - 1;
      if (this.#hashes[place] === hash && this.#hasKey(place, key)) return this.#at(place);
      next = this.#older[place]!;
    }
    return undefined;
  }

  /** Removes what is due, and tells of each. */
  expire(now: number, ended: (method: string, statusCode: number) => void): void {
    while (this.#count > 0 && this.#until[this.#first]! <= now) {
      const place = this.#first;
      this.#leave(place);
      this.#chunks[place] = noBytes;
      this.#flows[place] = undefined;
      this.#first = (place + 1) & (this.#capacity - 1);
      this.#count--;
      ended(this.#methods[place]!, this.#statusCodes[place]!);
    }
    if (this.#count > 0) return;
    this.#chunk = noBytes;
    if (this.#capacity > FIRST_CAPACITY) this.#shrink();
  }

  /** Gives back the places of a busy time. */
  #shrink(): void {
    this.#capacity = 0;
    this.#first = 0;
    this.#chunks = [];
    this.#flows = [];
    this.#methods = [];
    this.#grow();
  }

  #at(place: number): CompletedResponse {
    return {
      bytes: this.#chunks[place]!.subarray(this.#starts[place], this.#ends[place]),
      flow: this.#flows[place]!,
      method: this.#methods[place]!,
      statusCode: this.#statusCodes[place]!,
    };
  }

  #hasKey(place: number, key: string): boolean {
    const start = this.#keyStarts[place]!;
    if (this.#starts[place]! - start !== key.length) return false;
    const chunk = this.#chunks[place]!;
    for (let i = 0; i < key.length; i++) if (chunk[start + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  #enter(place: number, hash: number): void {
    const bucket = hash & (this.#capacity - 1);
    this.#older[place] = this.#buckets[bucket]!;
    this.#buckets[bucket] = place + 1;
  }

  /** Takes the oldest response out of its bucket, where it is the last. */
  #leave(place: number): void {
    const bucket = this.#hashes[place]! & (this.#capacity - 1);
    let newer = this.#buckets[bucket]! - 1;
    if (newer === place) {
      this.#buckets[bucket] = 0;
      return;
    }
    while (this.#older[newer] !== place + 1) newer = this.#older[newer]! - 1;
    this.#older[newer] = 0;
  }

  /** Twice as many places, the oldest response at the first. */
  #grow(): void {
    const before = this.#capacity;
    const capacity = Math.max(FIRST_CAPACITY, 2 * before);
    const first = this.#first;
    const rotated = <T>(list: readonly T[]): T[] => [...list.slice(first), ...list.slice(0, first)];
    const longer = <T extends Float64Array | Int32Array | Uint16Array>(list: T, grown: T): T => {
      if (before === 0) return grown;
      grown.set(list.subarray(first));
      grown.set(list.subarray(0, first), before - first);
      return grown;
    };
    this.#chunks = rotated(this.#chunks);
    this.#flows = rotated(this.#flows);
    this.#methods = rotated(this.#methods);
    this.#statusCodes = longer(this.#statusCodes, new Uint16Array(capacity));
    this.#until = longer(this.#until, new Float64Array(capacity));
    this.#hashes = longer(this.#hashes, new Int32Array(capacity));
    this.#keyStarts = longer(this.#keyStarts, new Int32Array(capacity));
    this.#starts = longer(this.#starts, new Int32Array(capacity));
    this.#ends = longer(this.#ends, new Int32Array(capacity));
    this.#buckets = new Int32Array(capacity);
    this.#older = new Int32Array(capacity);
    this.#capacity = capacity;
    this.#first = 0;
    for (let place = 0; place < this.#count; place++) this.#enter(place, this.#hashes[place]!);
  }
}
