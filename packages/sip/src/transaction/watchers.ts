// Who is to hear of a flow's failure: clients that wait, servers that answer over a connection. The list of a flow goes
// through the transactions themselves: nearly every request enters and leaves one.

import type { Flow } from "../transport/index.ts";
import type { Transaction } from "./machine.ts";

/** From now on the transaction is told of this flow, and of no other. */
export function watch(flow: Flow, transaction: Transaction): void {
  unwatch(transaction);
  const first = flow.watchers as Transaction | undefined;
  if (first !== undefined) first.previousWatcher = transaction;
  transaction.nextWatcher = first;
  transaction.watched = flow;
  flow.watchers = transaction;
}

export function unwatch(transaction: Transaction): void {
  const { watched, previousWatcher: previous, nextWatcher: next } = transaction;
  if (watched === undefined) return;
  if (next !== undefined) next.previousWatcher = previous;
  if (previous !== undefined) previous.nextWatcher = next;
  else watched.watchers = next;
  transaction.watched = transaction.previousWatcher = transaction.nextWatcher = undefined;
}

/** In the order in which they began to watch. */
export function watchersOf(flow: Flow): Transaction[] {
  const watchers: Transaction[] = [];
  let transaction = flow.watchers as Transaction | undefined;
  for (; transaction !== undefined; transaction = transaction.nextWatcher) watchers.push(transaction);
  return watchers.reverse();
}
