// Hashing in browsers. WebCrypto is asynchronous and knows no MD5, which digest needs all the same (RFC 8760 §2): the
// application brings functions, of @noble/hashes for example.

import { ArgumentError } from "../errors.ts";
import type { Hash, HashAlgorithm } from "../ports.ts";

/** Hashes bytes to bytes. */
export type HashFunction = (data: Uint8Array) => Uint8Array;

/** Those that challenges may ask for; what is missing cannot be answered. */
export interface HashFunctions {
  readonly md5?: HashFunction;
  readonly sha256?: HashFunction;
  /** SHA-512/256, a hash of its own (not the first half of SHA-512). */
  readonly sha512_256?: HashFunction;
}

/**
 * The port for hashing out of plain functions:
 *
 *     import { md5 } from "@noble/hashes/legacy.js";
 *     import { sha256 } from "@noble/hashes/sha2.js";
 *     ws({ url, hash: webHash({ md5, sha256 }) });
 */
export function webHash(functions: HashFunctions): Hash {
  const byName: Record<HashAlgorithm, HashFunction | undefined> = {
    MD5: functions.md5,
    "SHA-256": functions.sha256,
    "SHA-512-256": functions.sha512_256,
  };
  const functionOf = (algorithm: HashAlgorithm): HashFunction => {
    const found = byName[algorithm];
    if (found === undefined) throw new ArgumentError(`no function for ${algorithm} was given to webHash`);
    return found;
  };
  return {
    hex: (algorithm, data) =>
      toHex(functionOf(algorithm)(typeof data === "string" ? new TextEncoder().encode(data) : data)),
  };
}

/** For user agents without passwords: says what is missing if one is needed after all. */
export const noHash: Hash = {
  hex: (algorithm) => {
    throw new ArgumentError(`a ${algorithm} challenge came, and ws() was given no hash`);
  },
};

function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
