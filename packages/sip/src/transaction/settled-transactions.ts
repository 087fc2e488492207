// What is left of transactions that only absorb what comes again, until their last timer ends: completed non-INVITE server
// transactions over UDP with the response that they send again (RFC 3261 §17.2.2, timer J), accepted INVITEs of both
// sides (RFC 6026 §7, timers L and M), completed non-INVITE clients (§17.1.2.2, timer K). There may be hundreds of
// thousands of them: they are bytes in a queue, where objects would keep the garbage collector busy.

import type { Flow } from "../transport/index.ts";
import type { TextHash } from "./text-table.ts";
import { Timer } from "./timers.ts";
import type { ResponseUser } from "./transaction-user.ts";

/** One of them. What it has to do with something that comes again depends on which of these it has. */
export interface SettledTransaction {
  readonly method: string;
  readonly statusCode: number;
  /** A server's response that is sent again; empty if nothing is. */
  readonly response: Uint8Array;
  /** Where a server's responses go. */
  readonly flow: Flow | undefined;
  /** The To tag of responses that a server made itself, "" if it made none. */
  readonly toTag: string;
  /** Takes further 2xx of an INVITE that a client sent. */
  readonly user: ResponseUser | undefined;
}

/** Keys and responses are copied into chunks of this many bytes, which go once the last of their responses has gone. */
const CHUNK = 65_536;
const FIRST_CAPACITY = 256;
export const noBytes = new Uint8Array(0);

/** Transactions that are settled for the same time each, by their keys, oldest first. */
export class SettledTransactions {
  readonly kind: "client" | "server";
  /** For whoever runs it: when the oldest one goes. */
  readonly timer: Timer;
  readonly #hash: TextHash;
  /** Places of a ring; the oldest transaction is at #first. */
  #capacity = 0;
  #first = 0;
  #count = 0;
  #chunks: Uint8Array[] = [];
  #flows: (Flow | undefined)[] = [];
  #methods: string[] = [];
  #toTags: string[] = [];
  #users: (ResponseUser | undefined)[] = [];
  #statusCodes = new Uint16Array(0);
  #until = new Float64Array(0);
  #hashes = new Int32Array(0);
  #keyStarts = new Int32Array(0);
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  /** By hash: the place of the newest transaction with it, plus one; and for each place the next older one. */
  #buckets = new Int32Array(0);
  #older = new Int32Array(0);
  #chunk: Uint8Array = noBytes;
  #used = 0;

  constructor(
    kind: "client" | "server",
    hash: TextHash,
    onDue: (settled: SettledTransactions, now: number) => void,
  ) {
    this.kind = kind;
    this.#hash = hash;
    this.timer = new Timer({ fire: (_timer, now) => onDue(this, now) });
  }

  get size(): number {
    return this.#count;
  }

  /** When the oldest one goes, Infinity if there is none. */
  get deadline(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#until[this.#first]!;
  }

  /** Keeps it, with a copy of its response, until then, no earlier than those before it. False if that cannot be. */
  add(key: string, transaction: SettledTransaction, until: number): boolean {
    const bytes = transaction.response;
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
    if (bytes.length > 0) chunk.set(bytes, start);
    this.#used = start + bytes.length;
    const place = (this.#first + this.#count++) & (this.#capacity - 1);
    const hash = this.#hash.of(key);
    this.#chunks[place] = chunk;
    this.#flows[place] = transaction.flow;
    this.#methods[place] = transaction.method;
    this.#toTags[place] = transaction.toTag;
    this.#users[place] = transaction.user;
    this.#statusCodes[place] = transaction.statusCode;
    this.#until[place] = until;
    this.#hashes[place] = hash;
    this.#keyStarts[place] = keyStart;
    this.#starts[place] = start;
    this.#ends[place] = this.#used;
    this.#enter(place, hash);
    return true;
  }

  /** The transaction with this key, whose hash is given. */
  get(key: string, hash: number): SettledTransaction | undefined {
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
      this.#users[place] = undefined;
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
    this.#toTags = [];
    this.#users = [];
    this.#grow();
  }

  #at(place: number): SettledTransaction {
    const start = this.#starts[place]!;
    const end = this.#ends[place]!;
    return {
      method: this.#methods[place]!,
      statusCode: this.#statusCodes[place]!,
      response: start === end ? noBytes : this.#chunks[place]!.subarray(start, end),
      flow: this.#flows[place],
      toTag: this.#toTags[place]!,
      user: this.#users[place],
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

  /** Takes the oldest transaction out of its bucket, where it is the last. */
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

  /** Twice as many places, the oldest transaction at the first. */
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
    this.#toTags = rotated(this.#toTags);
    this.#users = rotated(this.#users);
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
