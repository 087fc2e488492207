// What tells transactions apart: branches and tags of our making (RFC 3261 §8.1.1.7, §19.3), and the keys
// under which a message finds its transaction (§17.1.3, §17.2.3, with the RFC 2543 fallback).

import { decodeAscii, encodeText, type SipRequest } from "../message/index.ts";
import { letterCodes, statelessTagOf } from "../message/short-text.ts";
import type { Random } from "../ports.ts";
import { TextHash } from "./text-table.ts";

/** Every branch of an RFC 3261 element begins so (§8.1.1.7). */
export const magicCookie = "z9hG4bK";

const poolSize = 4096;

/** Letters of 40 random bits, and of a counter of 32. */
const RANDOM = 8;
const COUNTER = 7;

/**
 * Makes branches, tags and Call-IDs: worker number, random bits from a pool, and a counter. The counter makes
 * them unique in the process, the worker number among processes, the 40 random bits unpredictable.
 */
export class UniqueIds {
  readonly random: Random;
  /** A branch, which is a tag behind the magic cookie; written over for each. A text put together would be flattened later. */
  readonly #text: Uint8Array;
  /** Behind the worker number. */
  readonly #start: number;
  #pool: Uint8Array = new Uint8Array(0);
  #used = 0;
  #counter = 0;

  constructor(random: Random, workerNumber = 0) {
    this.random = random;
    const start = encodeText(`${magicCookie}${workerNumber.toString(36)}-`);
    this.#start = start.length;
    this.#text = new Uint8Array(start.length + 2 * RANDOM + COUNTER);
    this.#text.set(start);
  }

  /** A new branch (§8.1.1.7). */
  branch(): string {
    return this.#make(0, 1);
  }

  /** A new tag (§19.3 asks for 32 random bits). */
  tag(): string {
    return this.#make(magicCookie.length, 1);
  }

  /** A new Call-ID (§8.1.1.4), without a host part. */
  callId(): string {
    return this.#make(magicCookie.length, 2);
  }

  /** The text from `from` on, so many times 40 bits in it. */
  #make(from: number, times: number): string {
    const text = this.#text;
    let at = this.#start;
    for (let i = 0; i < times; i++, at += RANDOM) this.#putRandom(text, at);
    this.#counter = (this.#counter + 1) >>> 0;
    const end = at + COUNTER;
    for (let i = end - 1, left = this.#counter; i >= at; i--, left >>>= 5) text[i] = letterCodes[left & 31]!;
    return decodeAscii(text, from, end);
  }

  #putRandom(text: Uint8Array, start: number): void {
    if (this.#used + 5 > this.#pool.length) {
      this.#pool = this.random.bytes(poolSize);
      this.#used = 0;
    }
    const pool = this.#pool;
    const at = this.#used;
    this.#used = at + 5;
    let low = (pool[at + 1]! << 24) | (pool[at + 2]! << 16) | (pool[at + 3]! << 8) | pool[at + 4]!;
    let high = pool[at]!;
    for (let i = start + RANDOM - 1; i >= start; i--) {
      text[i] = letterCodes[low & 31]!;
      low = (low >>> 5) | (high << 27);
      high >>>= 5;
    }
  }
}

/** Under which a transaction is found. Several parts, as one text would have to be put together for each message. */
export interface TransactionKey {
  readonly branch: string;
  /** sent-by, "" and -1 for client transactions. */
  readonly host: string;
  /** -1: none. */
  readonly port: number;
  readonly method: string;
  /** Of all of it. */
  readonly hash: number;
}

/** Makes keys; they are the same only if the same object has made them. */
export class TransactionKeys {
  readonly #hash: TextHash;

  constructor(random: Random) {
    this.#hash = new TextHash(random);
  }

  /**
   * §17.1.3: a response belongs to the transaction with its branch and CSeq method. Branches are ours and unique,
   * only a CANCEL shares that of its INVITE.
   */
  client(branch: string, isCancel: boolean): TransactionKey {
    return this.#key(branch, "", -1, isCancel ? "CANCEL" : "");
  }

  /**
   * §17.2.3: branch, sent-by and method, where an ACK has the method of its INVITE. Without the magic cookie, as
   * RFC 2543 elements sent it: Request-URI, tags, Call-ID, CSeq number and topmost Via.
   *
   * @param method the method of the wanted transaction: INVITE for ACK and CANCEL
   * @param toTag only for RFC 2543: the To tag of the wanted transaction's request
   */
  server(request: SipRequest, method: string, toTag?: string): TransactionKey {
    const { topBranch: branch, topHost: host, topPort: port } = request;
    if (branch?.startsWith(magicCookie) === true) return this.#key(branch, host, port, method);
    const { transport } = request.topVia;
    const rest = [
      request.requestUriText,
      toTag ?? request.toTag ?? "",
      request.fromTag ?? "",
      request.callId,
      request.cSeq.sequence,
      transport,
      branch ?? "",
    ].join(" ");
    return this.#key(rest, host, port, method);
  }

  #key(branch: string, host: string, port: number, method: string): TransactionKey {
    // Each text is of its own length: what moves from one to the next is another key, and must be another hash.
    const ofBranch = this.#hash.of(branch) ^ (branch.length << 16) ^ port;
    const hash = this.#hash.of(method, this.#hash.of(host, ofBranch) ^ host.length);
    return { branch, host, port, method, hash };
  }
}

export function isSameKey(one: TransactionKey, other: TransactionKey): boolean {
  return (
    one.hash === other.hash &&
    one.branch === other.branch &&
    one.port === other.port &&
    one.host === other.host &&
    one.method === other.method
  );
}

/** True if the request's topmost branch identifies its transaction by itself (RFC 3261 elements). */
export function hasMagicCookie(request: SipRequest): boolean {
  return request.topBranch?.startsWith(magicCookie) === true;
}

/** §8.2.7: the To tag of a stateless answer, the same each time the same request comes. */
export function statelessTag(request: SipRequest): string {
  return statelessTagOf(request.callId, request.fromTag ?? "", request.topBranch ?? "");
}

/** True if the tag may be one of `statelessTag`: most are not, and need no hash to say so. */
export function isStatelessTag(tag: string | undefined): boolean {
  return tag?.startsWith("s-") === true;
}
