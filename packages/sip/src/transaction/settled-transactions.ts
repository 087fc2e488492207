// What is left of transactions that only absorb what comes again, until their last timer ends: completed non-INVITE server
// transactions over UDP with the response that they send again (RFC 3261 §17.2.2, timer J), accepted INVITEs of both
// sides (RFC 6026 §7, timers L and M), completed non-INVITE clients (§17.1.2.2, timer K). There may be hundreds of
// thousands of them: they are bytes in a queue, where objects would keep the garbage collector busy.

import type { Flow } from "../transport/index.ts";
import { Timer } from "./timers.ts";
import type { TransactionKey } from "./transaction-id.ts";
import type { ResponseUser } from "./transaction-user.ts";

/** One of them. What it has to do with something that comes again depends on which of these it has. */
export interface SettledTransaction {
  readonly method: string;
  readonly statusCode: number;
  /** A server's response that is sent again; empty if nothing is. */
  readonly response: Uint8Array;
  /** The To tag of responses that a server made itself, "" if it made none. */
  readonly toTag: string;
  /** Where a server's responses go, or who takes further 2xx of an INVITE that a client sent. */
  readonly peer: Flow | ResponseUser | undefined;
}

/** Texts and responses are copied into chunks of this many bytes. */
const CHUNK = 65_536;
/** Chunks that are kept for the next ones. */
const MOST_SPARE = 16;
const FIRST_CAPACITY = 256;
export const noBytes = new Uint8Array(0);

/**
 * Whatever is read or written together lies together, since at a few hundred calls a second it has left the caches each
 * time. A record, in 32-bit words: its hash; the next older place in its bucket, plus one; which chunk, and where its text
 * starts there: branch and host of the key, To tag, response; the four lengths; the port of the key; its status code; until
 * when, as one of 64 bits.
 */
const WORDS = 12;
const HASH = 0;
const OLDER = 1;
const CHUNK_INDEX = 2;
const START = 3;
const BRANCH_LENGTH = 4;
const HOST_LENGTH = 5;
const TAG_LENGTH = 6;
const RESPONSE_LENGTH = 7;
const PORT = 8;
const STATUS_CODE = 9;
/** In words of 64 bits. */
const DOUBLES = WORDS / 2;
const UNTIL = 5;

/** Transactions that are settled for the same time each, by their keys, oldest first. */
export class SettledTransactions {
  readonly kind: "client" | "server";
  /** For whoever runs it: when the oldest one goes. */
  readonly timer: Timer;
  /** Places of a ring, each with a record; the oldest transaction is at #first. */
  #capacity = 0;
  #first = 0;
  #count = 0;
  #words = new Int32Array(0);
  /** The same memory. */
  #doubles = new Float64Array(0);
  /** Of each place its peer and its method, beside each other. */
  #kept: (SettledTransaction["peer"] | string)[] = [];
  /**
   * By hash: the place of the newest transaction with it, plus one. So many that most are empty: nearly everybody who asks is
   * new, and a bucket that is not empty costs a look at a record far away.
   */
  #buckets = new Int32Array(1);
  readonly #chunks: Uint8Array[] = [];
  /** Those of the chunks that nothing is in. */
  readonly #spare: number[] = [];
  /** The chunk that is being filled. */
  #chunkIndex = -1;
  #used = CHUNK;

  constructor(kind: "client" | "server", onDue: (settled: SettledTransactions, now: number) => void) {
    this.kind = kind;
    this.timer = new Timer({ fire: (_timer, now) => onDue(this, now) });
  }

  get size(): number {
    return this.#count;
  }

  /** Bytes that it has for texts and responses. */
  get memory(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** When the oldest one goes, Infinity if there is none. */
  get deadline(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#doubles[this.#first * DOUBLES + UNTIL]!;
  }

  /** Keeps it, with a copy of its response, until then, no earlier than those before it. False if that cannot be. */
  add(key: TransactionKey, transaction: SettledTransaction, until: number): boolean {
    const { branch, host } = key;
    const { toTag, response } = transaction;
    const length = branch.length + host.length + toTag.length + response.length;
    if (length > CHUNK) return false;
    if (this.#count === this.#capacity) this.#grow();
    if (this.#used + length > CHUNK) this.#takeChunk();
    const chunk = this.#chunks[this.#chunkIndex]!;
    const start = this.#used;
    let at = putText(chunk, start, branch);
    if (at >= 0 && host !== "") at = putText(chunk, at, host);
    if (at >= 0 && toTag !== "") at = putText(chunk, at, toTag);
    if (at < 0) return false;
    if (response.length > 0) chunk.set(response, at);
    this.#used = start + length;
    const place = (this.#first + this.#count++) & (this.#capacity - 1);
    const words = this.#words;
    const record = place * WORDS;
    words[record + HASH] = key.hash;
    words[record + CHUNK_INDEX] = this.#chunkIndex;
    words[record + START] = start;
    words[record + BRANCH_LENGTH] = branch.length;
    words[record + HOST_LENGTH] = host.length;
    words[record + TAG_LENGTH] = toTag.length;
    words[record + RESPONSE_LENGTH] = response.length;
    words[record + PORT] = key.port;
    words[record + STATUS_CODE] = transaction.statusCode;
    this.#doubles[place * DOUBLES + UNTIL] = until;
    this.#kept[2 * place] = transaction.peer;
    this.#kept[2 * place + 1] = transaction.method;
    this.#enter(place);
    return true;
  }

  /** The transaction with this key. */
  get(key: TransactionKey): SettledTransaction | undefined {
    if (this.#count === 0) return undefined;
    const words = this.#words;
    let next = this.#buckets[key.hash & (this.#buckets.length - 1)]!;
    while (next !== 0) {
      const place = next - 1;
      if (words[place * WORDS + HASH] === key.hash && this.#hasKey(place, key)) return this.#at(place);
      next = words[place * WORDS + OLDER]!;
    }
    return undefined;
  }

  /** Removes what is due, and tells of each. */
  expire(now: number, ended?: (method: string, statusCode: number) => void): void {
    while (this.#count > 0 && this.deadline <= now) {
      const place = this.#first;
      const chunkIndex = this.#words[place * WORDS + CHUNK_INDEX]!;
      this.#leave(place);
      this.#first = (place + 1) & (this.#capacity - 1);
      this.#count--;
      if (ended !== undefined) {
        ended(this.#methodAt(place), this.#words[place * WORDS + STATUS_CODE]!);
      }
      this.#kept[2 * place] = this.#kept[2 * place + 1] = undefined;
      const isLast = this.#count === 0 || this.#words[this.#first * WORDS + CHUNK_INDEX] !== chunkIndex;
      if (isLast && chunkIndex !== this.#chunkIndex) this.#giveBack(chunkIndex);
    }
    if (this.#count > 0) return;
    if (this.#capacity > FIRST_CAPACITY) this.#shrink();
    // Nothing is in the chunk in hand: if it were left for the next one, nobody would give it back.
    else if (this.#chunkIndex >= 0) this.#used = 0;
  }

  #takeChunk(): void {
    const index = this.#spare.pop() ?? this.#chunks.length;
    this.#chunks[index] ??= noBytes;
    if (this.#chunks[index].length === 0) this.#chunks[index] = new Uint8Array(CHUNK);
    this.#chunkIndex = index;
    this.#used = 0;
  }

  #giveBack(index: number): void {
    if (this.#spare.push(index) > MOST_SPARE) {
      this.#chunks[index] = noBytes;
      // Behind those that have memory.
      this.#spare.unshift(this.#spare.pop()!);
    }
  }

  /** Gives back the places and chunks of a busy time. */
  #shrink(): void {
    this.#capacity = 0;
    this.#first = 0;
    this.#words = new Int32Array(0);
    this.#kept = [];
    this.#chunks.length = 0;
    this.#spare.length = 0;
    this.#chunkIndex = -1;
    this.#used = CHUNK;
    this.#grow();
  }

  #at(place: number): SettledTransaction {
    const words = this.#words;
    const record = place * WORDS;
    const chunk = this.#chunks[words[record + CHUNK_INDEX]!]!;
    const host = words[record + START]! + words[record + BRANCH_LENGTH]!;
    const tag = host + words[record + HOST_LENGTH]!;
    const response = tag + words[record + TAG_LENGTH]!;
    const end = response + words[record + RESPONSE_LENGTH]!;
    return {
      method: this.#methodAt(place),
      statusCode: words[record + STATUS_CODE]!,
      // A copy: it may be on its way when the chunk is used again.
      response: response === end ? noBytes : chunk.slice(response, end),
      toTag: textOf(chunk, tag, response),
      peer: this.#kept[2 * place] as SettledTransaction["peer"],
    };
  }

  #methodAt(place: number): string {
    return this.#kept[2 * place + 1] as string;
  }

  #hasKey(place: number, key: TransactionKey): boolean {
    const { branch, host } = key;
    const words = this.#words;
    const record = place * WORDS;
    if (words[record + BRANCH_LENGTH] !== branch.length || words[record + HOST_LENGTH] !== host.length)
      return false;
    // A client's key names no other method than CANCEL.
    const method = this.#methodAt(place);
    if (words[record + PORT] !== key.port || (key.method || (method === "CANCEL" ? "" : method)) !== method)
      return false;
    const start = words[record + START]!;
    const chunk = this.#chunks[words[record + CHUNK_INDEX]!]!;
    return hasText(chunk, start, branch) && hasText(chunk, start + branch.length, host);
  }

  #enter(place: number): void {
    const record = place * WORDS;
    const bucket = this.#words[record + HASH]! & (this.#buckets.length - 1);
    this.#words[record + OLDER] = this.#buckets[bucket]!;
    this.#buckets[bucket] = place + 1;
  }

  /** Takes the oldest transaction out of its bucket, where it is the last. */
  #leave(place: number): void {
    const words = this.#words;
    const bucket = words[place * WORDS + HASH]! & (this.#buckets.length - 1);
    let newer = this.#buckets[bucket]! - 1;
    if (newer === place) {
      this.#buckets[bucket] = 0;
      return;
    }
    while (words[newer * WORDS + OLDER] !== place + 1) newer = words[newer * WORDS + OLDER]! - 1;
    words[newer * WORDS + OLDER] = 0;
  }

  /** Twice as many places, the oldest transaction at the first. */
  #grow(): void {
    const before = this.#words;
    const first = this.#first;
    this.#capacity = Math.max(FIRST_CAPACITY, 2 * this.#capacity);
    this.#doubles = new Float64Array(this.#capacity * DOUBLES);
    this.#words = new Int32Array(this.#doubles.buffer);
    this.#words.set(before.subarray(first * WORDS));
    this.#words.set(before.subarray(0, first * WORDS), before.length - first * WORDS);
    this.#kept = [...this.#kept.slice(2 * first), ...this.#kept.slice(0, 2 * first)];
    this.#buckets = new Int32Array(4 * this.#capacity);
    this.#first = 0;
    for (let place = 0; place < this.#count; place++) this.#enter(place);
  }
}

/** Writes text of one byte for each character; the position behind it, -1 if it has others. */
function putText(chunk: Uint8Array, start: number, text: string): number {
  let all = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    chunk[start + i] = code;
    all |= code;
  }
  return all > 0xff ? -1 : start + text.length;
}

function hasText(chunk: Uint8Array, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (chunk[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

function textOf(chunk: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(chunk[i]!);
  return text;
}
