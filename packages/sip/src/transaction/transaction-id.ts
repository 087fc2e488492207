// What tells transactions apart: branches and tags of our making (RFC 3261 §8.1.1.7, §19.3), and the keys
// under which a message finds its transaction (§17.1.3, §17.2.3, with the RFC 2543 fallback).

import type { SipRequest } from "../message/index.ts";
import { base32, base32Pairs as pairs, statelessTagOf } from "../message/short-text.ts";
import type { Random } from "../ports.ts";

/** Every branch of an RFC 3261 element begins so (§8.1.1.7). */
export const magicCookie = "z9hG4bK";

const poolSize = 4096;

/**
 * Makes branches, tags and Call-IDs: worker number, random bits from a pool, and a counter. The counter makes
 * them unique in the process, the worker number among processes, the 40 random bits unpredictable.
 */
export class UniqueIds {
  readonly random: Random;
  readonly #branchStart: string;
  readonly #tagStart: string;
  #pool: Uint8Array = new Uint8Array(0);
  #used = 0;
  #counter = 0;

  constructor(random: Random, workerNumber = 0) {
    this.random = random;
    this.#tagStart = `${workerNumber.toString(36)}-`;
    this.#branchStart = `${magicCookie}${this.#tagStart}`;
  }

  /** A new branch (§8.1.1.7). */
  branch(): string {
    return this.#branchStart + this.#bits40() + this.#count();
  }

  /** A new tag (§19.3 asks for 32 random bits). */
  tag(): string {
    return this.#tagStart + this.#bits40() + this.#count();
  }

  /** A new Call-ID (§8.1.1.4), without a host part. */
  callId(): string {
    return this.#tagStart + this.#bits40() + this.#bits40() + this.#count();
  }

  #count(): string {
    this.#counter = (this.#counter + 1) >>> 0;
    return base32(this.#counter);
  }

  #bits40(): string {
    if (this.#used + 5 > this.#pool.length) {
      this.#pool = this.random.bytes(poolSize);
      this.#used = 0;
    }
    const pool = this.#pool;
    const at = this.#used;
    this.#used = at + 5;
    const high = (pool[at]! << 12) | (pool[at + 1]! << 4) | (pool[at + 2]! >> 4);
    const low = ((pool[at + 2]! & 15) << 16) | (pool[at + 3]! << 8) | pool[at + 4]!;
    return pairs[high >> 10]! + pairs[high & 1023]! + pairs[low >> 10]! + pairs[low & 1023]!;
  }
}

/**
 * §17.1.3: a response belongs to the transaction with its branch and CSeq method. Branches are ours and unique,
 * only a CANCEL shares that of its INVITE.
 */
export function clientKey(branch: string, method: string): string {
  return method === "CANCEL" ? `${branch} CANCEL` : branch;
}

/**
 * §17.2.3: branch, sent-by and method, where an ACK has the method of its INVITE. Without the magic cookie, as
 * RFC 2543 elements sent it: Request-URI, tags, Call-ID, CSeq number and topmost Via.
 *
 * @param method the method of the wanted transaction: INVITE for ACK and CANCEL
 * @param toTag only for RFC 2543: the To tag of the wanted transaction's request
 */
export function serverKey(request: SipRequest, method: string, toTag = request.toTag ?? ""): string {
  const via = request.topVia;
  const branch = via.branch;
  if (branch?.startsWith(magicCookie) === true) {
    return `${branch} ${via.host}:${via.port ?? ""} ${method}`;
  }
  return [
    request.requestUriText,
    toTag,
    request.fromTag ?? "",
    request.callId,
    request.cSeq.sequence,
    `${via.transport} ${via.host}:${via.port ?? ""};${branch ?? ""}`,
    method,
  ].join(" ");
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
