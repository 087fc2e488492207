// One copy of a request under way: a client transaction (or several, one address after the other) and its place in the
// response context. RFC 3261 §16.6 steps 10 and 11.

import type { HeaderInit, SipResponse } from "../message/index.ts";
import type { Timer } from "../ports.ts";
import type {
  ClientRequest,
  RequestFailure,
  RequestUser,
  ResponseUser,
} from "../transaction/transaction-user.ts";
import type { ProxyTarget } from "./targets.ts";
import type { TimerCEntry } from "./timer-c.ts";

/** Whose branch it is. */
export interface BranchOwner {
  branchAnswered(branch: Branch, response: SipResponse): void;
  branchFailed(branch: Branch, failure: RequestFailure): void;
  branchTimedOut(branch: Branch): void;
}

export class Branch implements RequestUser, TimerCEntry {
  /** Responses are forwarded during the call; what is stored is copied first. */
  readonly borrowsResponses = true;
  readonly target: ProxyTarget;
  /** Its share of Max-Breadth while it is pending (RFC 5393 §5.3.3). */
  readonly breadth: number;
  /** Undefined until the stack has taken the request. */
  client: ClientRequest | undefined;
  /** No final response yet. */
  isPending = true;
  ringTimer: Timer | undefined;
  timerCDue = 0;
  timerCPrevious: TimerCEntry | undefined = undefined;
  timerCNext: TimerCEntry | undefined = undefined;
  /** Changes when the response context has nothing more to decide. */
  owner: BranchOwner;
  /** Set when that is so after a 2xx. */
  further: ResponseUser | undefined = undefined;

  constructor(owner: BranchOwner, target: ProxyTarget, breadth: number) {
    this.owner = owner;
    this.target = target;
    this.breadth = breadth;
  }

  /** §9.1, §16.10: the stack waits for a provisional response first. */
  cancel(headers?: readonly HeaderInit[]): void {
    const { client } = this;
    if (this.isPending && client !== undefined && client.method === "INVITE" && !client.isCanceled) {
      client.cancel(headers);
    }
  }

  onResponse(response: SipResponse): void {
    this.owner.branchAnswered(this, response);
  }

  onFailure(failure: RequestFailure): void {
    this.owner.branchFailed(this, failure);
  }

  onTimerC(): void {
    this.owner.branchTimedOut(this);
  }
}
