// Calls in the order in which they came into a list. Linked through the calls themselves: whoever moves a call from one list
// to another, as each call does, need not look it up.

import type { Call } from "./call.ts";

/** A call is in one list at most. */
export class CallList {
  size = 0;
  /** The one that came first. */
  first: Call | undefined = undefined;
  #last: Call | undefined = undefined;

  /** Puts a call at the end, out of the list that it was in. */
  add(call: Call): void {
    call.list?.remove(call);
    const last = this.#last;
    call.list = this;
    call.before = last;
    if (last === undefined) this.first = call;
    else last.after = call;
    this.#last = call;
    this.size++;
  }

  /** Takes out a call that is in this list. */
  remove(call: Call): void {
    const { before, after } = call;
    if (before === undefined) this.first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    call.list = undefined;
    call.before = undefined;
    call.after = undefined;
    this.size--;
  }
}
