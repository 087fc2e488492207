// The transactions that live, by their keys.

import type { Transaction } from "./machine.ts";
import { isSameKey, type TransactionKey } from "./transaction-id.ts";

/** Chains at first; doubled whenever there are half as many transactions. A power of two. */
const fewest = 64;

/** A hash table whose chains go through the transactions themselves, so that there is nothing to make for one. */
export class TransactionTable<T extends Transaction> {
  /** The first of each chain; the rest hang on it by `nextInChain`. */
  #chains: (T | undefined)[] = new Array(fewest).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: TransactionKey): T | undefined {
    let transaction: Transaction | undefined = this.#chains[key.hash & (this.#chains.length - 1)];
    while (transaction !== undefined && !isSameKey(transaction.key, key))
      transaction = transaction.nextInChain;
    return transaction as T | undefined;
  }

  /** Adds a transaction; of two with the same key the one that came last is found. */
  add(transaction: T): void {
    if (++this.#size * 2 > this.#chains.length) this.#grow();
    this.#enter(transaction);
  }

  /** Removes it; false if it is not there. */
  delete(transaction: Transaction): boolean {
    const chains = this.#chains;
    const at = transaction.key.hash & (chains.length - 1);
    let before: Transaction | undefined;
    for (let one: Transaction | undefined = chains[at]; one !== transaction; one = one.nextInChain) {
      if (one === undefined) return false;
      before = one;
    }
    if (before === undefined) chains[at] = transaction.nextInChain as T | undefined;
    else before.nextInChain = transaction.nextInChain;
    transaction.nextInChain = undefined;
    this.#size--;
    return true;
  }

  #enter(transaction: T): void {
    const at = transaction.key.hash & (this.#chains.length - 1);
    transaction.nextInChain = this.#chains[at];
    this.#chains[at] = transaction;
  }

  #grow(): void {
    const before = this.#chains;
    this.#chains = new Array(before.length * 2).fill(undefined);
    for (const first of before) {
      for (let one: T | undefined = first; one !== undefined; ) {
        const next = one.nextInChain as T | undefined;
        this.#enter(one);
        one = next;
      }
    }
  }
}
