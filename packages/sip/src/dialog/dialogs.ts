// The dialogs of one stack, found by Call-ID and tags. RFC 3261 §12, §12.2.2.

import type { IncomingRequest } from "../stack.ts";
import type { Dialog } from "./dialog.ts";

/** Who answers requests inside a dialog: a call, a bridge, a subscription. */
export interface DialogOwner {
  /**
   * A request inside the dialog, ACK to a 2xx included; CANCEL goes to the transaction's owner instead.
   * The CSeq has not been judged yet (`dialog.accept`).
   */
  onRequest(incoming: IncomingRequest, dialog: Dialog): void;
}

interface Entry {
  readonly dialog: Dialog;
  readonly owner: DialogOwner;
}

/**
 * Table of dialogs. One INVITE that forked has several here, which differ in their remote tag (§12.1.2).
 * Several user agents and bridges on one stack may share a table.
 */
export class Dialogs {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  add(dialog: Dialog, owner: DialogOwner): void {
    this.#entries.set(keyOf(dialog.callId, dialog.localTag, dialog.remoteTag), { dialog, owner });
  }

  /** Forgets a dialog and marks it terminated. */
  remove(dialog: Dialog): void {
    dialog.terminate();
    const key = keyOf(dialog.callId, dialog.localTag, dialog.remoteTag);
    if (this.#entries.get(key)?.dialog === dialog) this.#entries.delete(key);
  }

  /** By the dialog's ID as this side sees it: Call-ID, local tag, remote tag ("" for none). */
  find(callId: string, localTag: string, remoteTag: string): Dialog | undefined {
    return this.#entries.get(keyOf(callId, localTag, remoteTag))?.dialog;
  }

  /** Gives the request to the owner of its dialog; false if no dialog of this table matches (§12.2.2). */
  deliver(incoming: IncomingRequest): boolean {
    const { request } = incoming;
    const { tag } = request.to;
    if (tag === undefined) return false;
    const entry = this.#entries.get(keyOf(request.callId, tag, request.from.tag ?? ""));
    if (entry === undefined) return false;
    entry.owner.onRequest(incoming, entry.dialog);
    return true;
  }
}

/** Call-IDs and tags are compared byte by byte (§8.1.1.4, §19.3) and hold no space. */
function keyOf(callId: string, localTag: string, remoteTag: string): string {
  return `${callId} ${localTag} ${remoteTag}`;
}
