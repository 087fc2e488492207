// Route programs: what an application says about requests for our domain. RFC 3261 §16.5, §8.3.

import type { NameAddr, SipRequest, Uri } from "../message/index.ts";
import type { MaybePromise } from "../ports.ts";
import type { RespondOptions } from "../transaction/transaction-user.ts";
import type { Flow } from "../transport/flow.ts";
import type { ProxyTarget, TargetOrder } from "./targets.ts";

/**
 * Decides what becomes of a request that nothing else took. It may return at once or wait; while it runs, the
 * caller keeps waiting. When it has returned, the search goes on with the targets that it added; with none, and
 * no answer given, the caller gets 480.
 */
export type RouteProgram = (request: SipRequest, context: RouteContext) => MaybePromise<void>;

/** What a route program can do. For ACK, which gets no response, only `addTargets` has an effect. */
export interface RouteContext {
  readonly request: SipRequest;
  /** Where the request came from. */
  readonly flow: Flow;
  /** Arrival, milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  /** True once a final response was sent or decided on, or the caller gave up: targets are no longer taken. */
  readonly isOver: boolean;
  /** True once the caller's CANCEL came. */
  readonly isCanceled: boolean;

  /**
   * Answers as a user agent server would. While branches ring they are cancelled first, and a 2xx from one of
   * them wins (§16.7 step 5). False if an answer was given before.
   */
  answer(statusCode: number, options?: RespondOptions): boolean;

  /** Tells the caller to try elsewhere (§8.3). Contacts as URIs, or with parameters such as q. */
  redirect(contacts: readonly (string | Uri | NameAddr)[], statusCode?: 300 | 301 | 302 | 305 | 380): boolean;

  /** A 1xx of an INVITE under a To tag of this server's own (§16.7 step 6: as a virtual user agent server). */
  provisional(statusCode: number, options?: RespondOptions): boolean;

  /**
   * Adds to the target set and starts what may start. May be called at any time until the search is over.
   * @param order default "by q"
   * @returns how many of the targets were new to the set
   */
  addTargets(targets: readonly ProxyTarget[], order?: TargetOrder): number;

  /** Cancels every branch that is under way; targets that wait come next. */
  cancelBranches(): void;

  /**
   * Waits until no branch is under way and no target waits.
   * @returns the best final status so far; 0 if there is none. 2xx and cancellation end the search.
   */
  searched(): Promise<number>;
}
