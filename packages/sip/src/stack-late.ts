// What comes from a target that was given up for the next one: RFC 3263 §4.3 leaves its INVITE out there.
// A provisional response is answered by CANCEL (§9.1), a 2xx is a call that must be taken (§13.2.2.4).

import {
  type HeaderInit,
  makeCancel,
  noLimits,
  parseMessage,
  SipRequest,
  type SipResponse,
} from "./message/index.ts";
import type { TargetMemory } from "./stack-targets.ts";
import type { InviteClient } from "./transaction/invite-client.ts";
import { type ClientTransactionUser, ignoring } from "./transaction/machine.ts";
import type { TransactionLayer } from "./transaction/transaction-layer.ts";
import type { Flow, Target } from "./transport/index.ts";

interface LateHost {
  readonly transactions: TransactionLayer;
  readonly memory: TargetMemory;
  flowTo(target: Target, now: number): Flow;
}

/** The user of an INVITE transaction that was given up without a final response. */
export class LateAnswers implements ClientTransactionUser {
  readonly #host: LateHost;
  readonly #owner: { lateSuccess(response: SipResponse, flow: Flow, now: number): void };
  readonly #transaction: InviteClient;
  readonly #branch: string;
  readonly #target: Target | undefined;
  #isCanceled = false;

  constructor(
    host: LateHost,
    owner: { lateSuccess(response: SipResponse, flow: Flow, now: number): void },
    transaction: InviteClient,
    branch: string,
    target: Target | undefined,
  ) {
    this.#host = host;
    this.#owner = owner;
    this.#transaction = transaction;
    this.#branch = branch;
    this.#target = target;
  }

  /** For a transaction that had a provisional response already when it was given up. */
  cancelIfAnswered(now: number): void {
    const status = this.#transaction.statusCode;
    if (status >= 100 && status < 200) this.#cancel(now);
  }

  receiveResponse(response: SipResponse, flow: Flow, now: number): void {
    if (this.#target !== undefined) this.#host.memory.answered(this.#target);
    if (response.statusCode < 200) this.#cancel(now);
    else if (response.statusCode < 300) this.#owner.lateSuccess(response, flow, now);
  }

  timeout(): void {}

  transportError(): void {}

  #cancel(now: number): void {
    if (this.#isCanceled || this.#transaction.bytes === undefined) return;
    this.#isCanceled = true;
    const invite = parseMessage(this.#transaction.bytes, noLimits);
    if (invite instanceof SipRequest)
      sendCancel(this.#host, this.#transaction, invite, this.#branch, undefined, now);
  }
}

/** §9.1: to where the INVITE went, with its branch; a lost connection is opened anew. */
export function sendCancel(
  host: Pick<LateHost, "transactions" | "flowTo">,
  transaction: InviteClient,
  invite: SipRequest,
  branch: string,
  headers: readonly HeaderInit[] | undefined,
  now: number,
): void {
  const bytes = makeCancel(invite, headers === undefined ? undefined : [...headers]);
  let { flow } = transaction;
  if (flow.state === "closed") flow = host.flowTo({ ...flow.remote, transport: flow.transport }, now);
  host.transactions.addClient("CANCEL", branch, flow, bytes, ignoring).start(now);
  transaction.canceled(now);
}
