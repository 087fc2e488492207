// The copies of one request that are under way: how each one is sent, what stops it, its share of the breadth.
// RFC 3261 §16.6 steps 10 and 11, §16.7 step 5, §16.10; RFC 5393 §5.3.3.

import { secondsOf } from "../core/index.ts";
import { ArgumentError, ParseError } from "../errors.ts";
import { draftForward, type HeaderInit, type SipResponse } from "../message/index.ts";
import type { Clock } from "../ports.ts";
import type { Stack } from "../stack.ts";
import type {
  IncomingRequest,
  Responder,
  ResponseUser,
  ServerTransaction,
} from "../transaction/transaction-user.ts";
import { passUpstream } from "./best-response.ts";
import { Branch, type BranchOwner } from "./branch.ts";
import { breadthOf, type Forwarding, type ForwardSettings, planForward, wouldDowngrade } from "./forward.ts";
import type { RouteDecision } from "./preprocess-route.ts";
import type { ProxyTarget } from "./targets.ts";
import type { TimerC } from "./timer-c.ts";

/** What sending copies needs of the proxy. */
export interface BranchSettings extends ForwardSettings {
  readonly stack: Pick<Stack, "request" | "flowById">;
  readonly clock: Clock;
  readonly timerC: TimerC;
}

/** The owner of branches whose request has had its failure. */
const deaf: BranchOwner = { branchAnswered() {}, branchFailed() {}, branchTimedOut() {} };

/** Takes what branches bring after the request was answered by 2xx: §16.7 step 5, further ones are forwarded at once. */
class FurtherAnswers implements BranchOwner, ResponseUser {
  readonly #upstream: Responder;

  constructor(upstream: Responder) {
    this.#upstream = upstream;
  }

  receiveResponse(response: SipResponse): void {
    const { statusCode } = response;
    if (statusCode >= 200 && statusCode < 300) passUpstream(this.#upstream, response);
  }

  /** Where other branches were still under way when the 2xx came. */
  branchAnswered(_branch: Branch, response: SipResponse): void {
    this.receiveResponse(response);
  }

  branchFailed(): void {}
  branchTimedOut(): void {}
}

export class Branches {
  readonly #settings: BranchSettings;
  readonly #incoming: IncomingRequest;
  readonly #transaction: ServerTransaction;
  readonly #decision: RouteDecision;
  readonly #owner: BranchOwner;
  readonly #isInvite: boolean;

  readonly #all: Branch[] = [];
  #pendingCount = 0;
  /** Sum of the shares of pending branches. */
  #breadthUsed = 0;

  /** `owner`: hears what the branches bring, and says when one has ended. */
  constructor(
    settings: BranchSettings,
    incoming: IncomingRequest,
    transaction: ServerTransaction,
    decision: RouteDecision,
    owner: BranchOwner,
  ) {
    this.#settings = settings;
    this.#incoming = incoming;
    this.#transaction = transaction;
    this.#decision = decision;
    this.#owner = owner;
    this.#isInvite = transaction.isInvite;
  }

  /** All that were started. */
  get count(): number {
    return this.#all.length;
  }

  /** Those without a final response. */
  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** RFC 5393 §5.3.3: what is left of the breadth that the request brought. */
  get freeBreadth(): number {
    return breadthOf(this.#incoming.request) - this.#breadthUsed;
  }

  /** Where the branches went. */
  get targets(): ProxyTarget[] {
    return this.#all.map(({ target }) => target);
  }

  /**
   * §16.6 for one target.
   * @param share its part of the breadth; undefined: all of it
   * @param loopMark what tells a copy of this request that comes back, if one was needed
   * @returns 0, or the status that the target counts as because it cannot be tried
   */
  start(target: ProxyTarget, share: number | undefined, loopMark: string | undefined): number {
    const { request, flow } = this.#incoming;
    const { stack, timerC, clock } = this.#settings;
    if (wouldDowngrade(request, target)) return 480;
    let plan: Forwarding;
    let branch: Branch;
    try {
      plan = planForward(this.#settings, request, flow, this.#decision, target, share);
      branch = new Branch(this.#owner, target, share ?? 0);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      // A target that is no URI can come from a route program only.
      return 500;
    }
    // §17.2.1: whether the callee rings within 200 ms is not ours to know.
    if (this.#isInvite && this.#all.length === 0 && this.#transaction.statusCode === 0) {
      this.#incoming.respond(100);
    }
    this.#all.push(branch);
    this.#pendingCount++;
    this.#breadthUsed += branch.breadth;
    if (this.#isInvite) {
      timerC.set(branch);
      if (target.ringTime !== undefined) {
        branch.ringTimer = clock.schedule(target.ringTime, () => branch.cancel());
      }
    }
    try {
      branch.client = stack.request(draftForward(request, plan.edits, plan.requestUri), {
        user: branch,
        flow: plan.flow,
        targets: plan.addresses,
        uri: plan.nextHop,
        listener: plan.listener,
        branchSuffix: loopMark,
      });
    } catch (error) {
      this.end(branch);
      if (!(error instanceof ArgumentError)) throw error;
      // A route program gave what cannot be written, such as a line break in a header field.
      return 500;
    }
    if (this.#isInvite && branch.client.state === "locating") this.#expireWhileLocating(branch);
    return 0;
  }

  /** §21.5.5, §21.4.9: nobody has the INVITE yet who could mind its Expires, so we do. */
  #expireWhileLocating(branch: Branch): void {
    const seconds = secondsOf(this.#incoming.request.headers.raw("Expires"));
    if (seconds === undefined || branch.ringTimer !== undefined) return;
    branch.ringTimer = this.#settings.clock.schedule(seconds * 1000, () => {
      if (branch.client?.state === "locating") branch.cancel();
    });
  }

  /** §16.7 step 2: a provisional response came. */
  restartTimerC(branch: Branch): void {
    if (this.#isInvite && branch.isPending) this.#settings.timerC.set(branch);
  }

  /** A branch has its final response: its timers stop, its breadth is free. False if that was so before. */
  end(branch: Branch): boolean {
    if (!branch.isPending) return false;
    branch.isPending = false;
    this.#settings.timerC.clear(branch);
    branch.ringTimer?.cancel();
    this.#pendingCount--;
    this.#breadthUsed -= branch.breadth;
    return true;
  }

  /** Cancels all that are pending; each still ends with a final response of its own. */
  cancel(headers?: readonly HeaderInit[]): void {
    if (this.#pendingCount === 0) return;
    for (const branch of this.#all) branch.cancel(headers);
  }

  /**
   * All is said, except that more 2xx of an INVITE may come. Transactions live on for half a minute to absorb
   * retransmissions: what they hold on to then must not be the request and all that belongs to it.
   */
  letGo(): void {
    if (this.#all.length === 0) return;
    const isAccepted = this.#isInvite && this.#transaction.statusCode < 300;
    const further = isAccepted ? new FurtherAnswers(this.#transaction.further) : undefined;
    for (const branch of this.#all) {
      branch.owner = further ?? deaf;
      branch.further = further;
    }
  }
}
