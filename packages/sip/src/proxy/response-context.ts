// The response context: one request, its branches, and when their responses go back. RFC 3261 §16.7 to §16.10,
// RFC 5393 §5.3.3 (breadth), RFC 5626 §5.3.1 (another flow).

import { ParseError, TransportError } from "../errors.ts";
import {
  type HeaderInit,
  type NameAddr,
  printResponse,
  type SipRequest,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import type {
  IncomingRequest,
  RequestFailure,
  RespondOptions,
  ServerTransaction,
  ServerUser,
} from "../transaction/transaction-user.ts";
import type { Flow } from "../transport/flow.ts";
import { BestResponse, passUpstream } from "./best-response.ts";
import type { Branch, BranchOwner } from "./branch.ts";
import { Branches, type BranchSettings } from "./branches.ts";
import { breadthOf } from "./forward.ts";
import type { RouteDecision } from "./preprocess-route.ts";
import { type Recursion, recursionLimits, recursionOf, sipFormOf } from "./recurse.ts";
import type { RouteContext } from "./route.ts";
import { type ProxyTarget, type TargetOrder, TargetSet } from "./targets.ts";
import { hasLooped, loopMark } from "./validate.ts";

/** What all contexts of a proxy share. */
export interface ContextSettings extends BranchSettings {
  /** Follow the contacts of 3xx for our own users (§16.7 step 4). */
  readonly recurse: boolean;
  /** Addresses that no copy is sent to: they would come back here. */
  isOurs(uri: Uri): boolean;
  /** What to do when Max-Breadth does not allow all parallel branches: one after the other, or 440. */
  readonly onBreadth: "serial" | "reject";
  /** Branches of one request, in all. */
  readonly maxBranches: number;
}

const completedElsewhere: readonly HeaderInit[] = [
  ["Reason", 'SIP;cause=200;text="Call completed elsewhere"'],
];

const nobody: ServerUser = {};

/** What is neither the next hop's silence nor its absence. */
function failureOf({ kind, error }: RequestFailure): number | undefined {
  // §21.5.3: it answered, but nothing that could be sent on.
  if (kind === "malformed") return 502;
  // §21.5.5: whoever knows where it is (DNS) did not say so in time.
  return kind === "unresolved" && error instanceof TransportError && error.isTimeout ? 504 : undefined;
}

export class ResponseContext implements RouteContext, ServerUser, BranchOwner {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly receivedAt: number;
  isCanceled = false;

  readonly #settings: ContextSettings;
  readonly #incoming: IncomingRequest;
  readonly #transaction: ServerTransaction;
  /** We are responsible for the Request-URI: targets may be added (§16.5), 3xx may be followed. */
  readonly #isResponsible: boolean;
  readonly #isInvite: boolean;

  readonly #branches: Branches;
  #targets: TargetSet | undefined;
  /** Undefined: there is none yet. */
  #best: BestResponse | undefined;
  /** The route program's own final response, while branches are being cancelled for it. */
  #decided: { statusCode: number; options: RespondOptions | undefined } | undefined;
  /** No new branches: a 6xx, a CANCEL, a final response. */
  #isClosed = false;
  #isFinal = false;
  #isProgramRunning = false;
  #isStarting = false;
  #redirected = 0;
  #loopMark: string | undefined;
  #waiters: ((statusCode: number) => void)[] | undefined;

  constructor(
    settings: ContextSettings,
    incoming: IncomingRequest,
    transaction: ServerTransaction,
    decision: RouteDecision,
    isResponsible: boolean,
  ) {
    this.#settings = settings;
    this.#incoming = incoming;
    this.#transaction = transaction;
    this.#isResponsible = isResponsible;
    this.#isInvite = transaction.isInvite;
    this.request = incoming.request;
    this.flow = incoming.flow;
    this.receivedAt = incoming.receivedAt;
    this.#branches = new Branches(settings, incoming, transaction, decision, this);
    transaction.user = this;
  }

  // --- The search ------------------------------------------------------------------------------------------

  /** Sends to one target and nowhere else: the request's own destination (§16.5), or a dialog's next hop. */
  forwardTo(target: ProxyTarget): void {
    this.#startOnly(target, undefined);
  }

  /** While a route program runs, an exhausted search does not end. */
  programStarts(): void {
    this.#isProgramRunning = true;
  }

  programEnds(): void {
    this.#isProgramRunning = false;
    this.#goOn();
  }

  /** The program threw: the caller is told once nothing rings any more, of its own fault if it was that. */
  programFails(error: unknown): void {
    this.#isProgramRunning = false;
    const statusCode = error instanceof ParseError ? error.status : 500;
    if (!this.#isFinal && !this.answer(statusCode)) this.#goOn();
  }

  get isOver(): boolean {
    return this.#isClosed || this.#decided !== undefined;
  }

  addTargets(targets: readonly ProxyTarget[], order: TargetOrder = "by q"): number {
    if (this.isOver) return 0;
    const first = targets[0];
    if (
      targets.length === 1 &&
      first !== undefined &&
      this.#targets === undefined &&
      this.#branches.count === 0
    ) {
      // The common case, one target for a request that has none yet, needs no set and cannot fork.
      this.#startOnly(first, breadthOf(this.request));
      return 1;
    }
    const added = this.#targetSet().add(targets, order);
    if (added > 0 && !this.#mayFork()) return 0;
    this.#goOn();
    return added;
  }

  #startOnly(target: ProxyTarget, share: number | undefined): void {
    this.#isStarting = true;
    try {
      this.#start(target, share);
    } finally {
      this.#isStarting = false;
      this.#goOn();
    }
  }

  #targetSet(): TargetSet {
    if (this.#targets === undefined) {
      this.#targets = new TargetSet();
      for (const { uri } of this.#branches.targets) this.#targets.note(uri);
    }
    return this.#targets;
  }

  /** Starts what may start; ends the search if nothing is left to wait for. */
  #goOn(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    const mistake = this.#startReady();
    this.#isStarting = false;
    if (this.#branches.pendingCount === 0) {
      if (!this.#isFinal) this.#exhausted();
      if (this.#isFinal) {
        this.#transaction.user = nobody;
        this.#branches.letGo();
      }
    }
    if (mistake !== undefined) throw mistake.error;
  }

  /** A target that a mistake of the application throws for counts as failed (§16.6): returns the first of these. */
  #startReady(): { readonly error: unknown } | undefined {
    const targets = this.#targets;
    let mistake: { error: unknown } | undefined;
    while (targets !== undefined && !this.#isClosed && this.#decided === undefined) {
      if (targets.readyCount === 0) {
        // §16.6: lower q, and the next in order, only when all before have failed.
        if (this.#branches.pendingCount > 0 || !targets.openGroup()) break;
        continue;
      }
      const share = this.#nextShare(targets.readyCount);
      if (share === 0) break;
      const target = targets.take();
      if (target === undefined) continue;
      try {
        this.#start(target, share);
      } catch (error) {
        mistake ??= { error };
      }
    }
    return mistake;
  }

  #exhausted(): void {
    this.#wake(this.#bestStatus);
    if (!this.#isProgramRunning || this.isOver) this.#forwardBest();
  }

  searched(): Promise<number> {
    const isBusy = this.#branches.pendingCount > 0 || (this.#targets?.waitingCount ?? 0) > 0;
    if (!isBusy || this.#isFinal) return Promise.resolve(this.#outcome);
    return new Promise((resolve) => {
      this.#waiters ??= [];
      this.#waiters.push(resolve);
    });
  }

  /**
   * RFC 5393 §5.3.3: all pending branches together never have more than the request brought. The breadth that
   * is free is shared among the targets that could start now; 0 means wait for a branch to end.
   */
  #nextShare(ready: number): number {
    if (this.#branches.count >= this.#settings.maxBranches) {
      this.#targets?.clear();
      return 0;
    }
    const free = this.#branches.freeBreadth;
    if (free < ready && this.#settings.onBreadth === "reject") {
      this.#targets?.clear();
      this.answer(440);
      return 0;
    }
    return free <= 0 ? 0 : Math.ceil(free / ready);
  }

  /** RFC 5393 §4.1: before a request forks, make sure that it has not been here before. */
  #mayFork(): boolean {
    if (this.#loopMark !== undefined) return true;
    const mark = loopMark(this.#settings.key, this.request);
    if (!hasLooped(this.request, mark)) {
      this.#loopMark = mark;
      return true;
    }
    this.#targets?.clear();
    this.answer(482);
    return false;
  }

  #start(target: ProxyTarget, share: number | undefined): void {
    let status = 500;
    try {
      status = this.#branches.start(target, share, this.#loopMark);
    } finally {
      if (status !== 0) this.#anyBest().addStatus(status);
    }
  }

  // --- What branches bring ---------------------------------------------------------------------------------

  branchAnswered(branch: Branch, response: SipResponse): void {
    const { statusCode } = response;
    if (statusCode < 200) {
      // §16.7 step 2: anything but 100 restarts timer C; step 5: 100 stays here.
      if (statusCode === 100) return;
      this.#branches.restartTimerC(branch);
      if (!this.#isFinal && this.#isInvite) passUpstream(this.#transaction, response);
      return;
    }
    const isFirst = this.#branches.end(branch);
    if (statusCode < 300) {
      // Exactly one non-2xx, or 2xx only (step 5): this one crossed a failure that went up.
      if (this.#isFinal && this.#transaction.statusCode >= 300) return;
      // Step 5: every 2xx of an INVITE goes up at once; of other methods, the first one.
      if (passUpstream(this.#transaction, response)) this.#won();
      else if (isFirst) this.#anyBest().addStatus(502);
      if (isFirst) this.#goOn();
      return;
    }
    if (!isFirst) return;
    if (this.#isFinal) {
      this.#goOn();
      return;
    }
    if (statusCode >= 600) {
      // Step 5: a 6xx speaks for the callee: no new branches, and the others are told to stop.
      this.#close();
      this.#branches.cancel([["Reason", `SIP;cause=${statusCode}`]]);
    } else if (this.#tryOtherFlow(branch, statusCode)) {
      return;
    } else if (this.#recurse(branch, response)) {
      this.#goOn();
      return;
    }
    this.#collect(response);
    this.#goOn();
  }

  branchFailed(branch: Branch, failure: RequestFailure): void {
    if (!this.#branches.end(branch)) return;
    if (this.#isFinal) {
      this.#goOn();
      return;
    }
    // §16.6 step 7: no answer counts as 408; §16.9: an address that cannot be reached, as 503.
    const statusCode = failure.kind === "timeout" || failure.kind === "canceled" ? 408 : 503;
    if (this.#tryOtherFlow(branch, statusCode === 503 ? 430 : 408)) return;
    this.#anyBest().addStatus(failureOf(failure) ?? statusCode);
    this.#goOn();
  }

  /** §16.8: a branch that has rung too long is cancelled; one without any sign of life counts as 408. */
  branchTimedOut(branch: Branch): void {
    const isProceeding = branch.client?.state === "proceeding";
    branch.cancel();
    if (isProceeding || !this.#branches.end(branch)) return;
    this.#anyBest().addStatus(408);
    this.#goOn();
  }

  /** RFC 5626 §5.3.1: 408 and 430 say that the flow is gone, not the instance; take its next flow. */
  #tryOtherFlow(branch: Branch, statusCode: number): boolean {
    const { otherwise } = branch.target;
    if (otherwise === undefined || (statusCode !== 408 && statusCode !== 430)) return false;
    if (this.isOver || branch.client?.isCanceled === true) return false;
    this.#startOnly(otherwise, branch.breadth === 0 ? undefined : branch.breadth);
    return true;
  }

  /** §16.7 step 4: true if new targets took the place of the response. */
  #recurse(branch: Branch, response: SipResponse): boolean {
    if (!this.#isResponsible || this.isOver) return false;
    if (response.statusCode === 416) {
      const target = sipFormOf(this.request, branch.target);
      return target !== undefined && this.#addMore([target]) > 0;
    }
    if (!this.#settings.recurse || response.statusCode > 399 || response.statusCode === 380) return false;
    const room = recursionLimits.targets - this.#redirected;
    const recursion: Recursion | undefined = recursionOf(
      this.request,
      response,
      branch.target,
      room,
      this.#settings.isOurs,
    );
    if (recursion === undefined) return false;
    const added = this.#addMore(recursion.targets);
    this.#redirected += added;
    // What was tried before is no place for the caller to try either: it goes with the contacts used.
    if (recursion.leftover.length > 0) this.#anyBest().add(response.detach(), recursion.leftover);
    return added > 0 || recursion.leftover.length > 0;
  }

  #addMore(targets: readonly ProxyTarget[]): number {
    const set = this.#targetSet();
    set.note(this.request.requestUri);
    const added = set.add(targets, "by q");
    return added > 0 && !this.#mayFork() ? 0 : added;
  }

  // --- The end (§16.7 steps 6 and 10) ----------------------------------------------------------------------

  /** Takes a final response of 300 and above into the running. */
  #collect(response: SipResponse): void {
    const isLast =
      this.#branches.pendingCount === 0 &&
      this.#bestStatus === 0 &&
      this.#decided === undefined &&
      !this.#isProgramRunning &&
      (this.#targets === undefined || this.#isClosed || this.#targets.waitingCount === 0);
    // The only answer there will be need not be copied: it is forwarded before this call returns.
    this.#anyBest().add(isLast ? response : response.detach());
  }

  #anyBest(): BestResponse {
    this.#best ??= new BestResponse(this.#transaction);
    return this.#best;
  }

  get #bestStatus(): number {
    return this.#best?.statusCode ?? 0;
  }

  /** What went back, if anything did; else the best so far. */
  get #outcome(): number {
    return this.#transaction.finalSent ? this.#transaction.statusCode : this.#bestStatus;
  }

  #forwardBest(): void {
    this.#close();
    this.#isFinal = true;
    const decided = this.#decided;
    if (decided !== undefined) this.#incoming.respond(decided.statusCode, decided.options);
    else if (this.#bestStatus !== 0) this.#anyBest().forward(this.#incoming);
    else if (this.isCanceled) this.#incoming.respond(487);
    // §16.5: an empty target set. (Without a best after branches, nobody may be told: RFC 4320.)
    else if (this.#branches.count === 0) this.#incoming.respond(480);
  }

  /** A 2xx went up. */
  #won(): void {
    if (this.#isFinal) return;
    this.#isFinal = true;
    this.#close();
    // Step 10: the others need not ring any longer.
    this.#branches.cancel(completedElsewhere);
    this.#wake(this.#transaction.statusCode);
  }

  #wake(statusCode: number): void {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    for (const waiter of waiters) waiter(statusCode);
  }

  #close(): void {
    this.#isClosed = true;
    this.#targets?.clear();
  }

  // --- The server transaction's side -----------------------------------------------------------------------

  /** §16.10: every pending branch is cancelled, with the caller's reason (RFC 3326 §2); the 487 comes from them. */
  onCancel(cancel: SipRequest): void {
    this.isCanceled = true;
    this.#close();
    const reasons = cancel.headers.rawAll("Reason");
    this.#branches.cancel(reasons.map((reason) => ["Reason", reason] as const));
    this.#goOn();
  }

  /** Nobody answered a request other than INVITE in time; nothing may be sent any more (RFC 4320 §4.2). */
  onTimeout(): void {
    this.#isFinal = true;
    this.#close();
    this.#wake(this.#outcome);
  }

  // --- The route program's side ----------------------------------------------------------------------------

  answer(statusCode: number, options?: RespondOptions): boolean {
    if (this.#isFinal || this.#decided !== undefined || statusCode < 200) return false;
    this.#targets?.clear();
    if (this.#branches.pendingCount > 0 && this.#isInvite && statusCode >= 300) {
      // What cannot be written is thrown at whoever gives it: once the branches have ended nobody would answer.
      printResponse(this.request, statusCode, options);
      // As with a 6xx: a 2xx that is already on its way must not follow a failure.
      this.#decided = { statusCode, options };
      this.#branches.cancel();
      return true;
    }
    this.#isFinal = true;
    this.#close();
    const sent = this.#incoming.respond(statusCode, options);
    this.#branches.cancel();
    this.#wake(statusCode);
    this.#goOn();
    return sent;
  }

  redirect(
    contacts: readonly (string | Uri | NameAddr)[],
    statusCode: 300 | 301 | 302 | 305 | 380 = 302,
  ): boolean {
    const headers = contacts.map((contact): HeaderInit => {
      if (typeof contact === "string") return ["Contact", contact.includes("<") ? contact : `<${contact}>`];
      return ["Contact", "scheme" in contact ? { uri: contact, params: new Map<string, string>() } : contact];
    });
    return this.answer(statusCode, { headers });
  }

  provisional(statusCode: number, options?: RespondOptions): boolean {
    if (this.#isFinal || statusCode <= 100 || statusCode > 199) return false;
    return this.#incoming.respond(statusCode, options);
  }

  cancelBranches(): void {
    this.#branches.cancel();
  }
}
