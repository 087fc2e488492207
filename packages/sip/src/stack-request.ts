// One request of a transaction user on its way out: target after target until somebody answers
// (RFC 3263 §4.3), UDP or TCP by size (§18.1.1), CANCEL (§9.1).

import { ParseError, StateError, TransportError } from "./errors.ts";
import type { Uri } from "./message/index.ts";
import {
  type HeaderInit,
  noLimits,
  parseMessage,
  type RequestDraft,
  SipRequest,
  type SipResponse,
} from "./message/index.ts";
import { LateAnswers, sendCancel } from "./stack-late.ts";
import type { TargetMemory } from "./stack-targets.ts";
import { InviteClient } from "./transaction/invite-client.ts";
import { type ClientTransaction, type ClientTransactionUser, ignoring } from "./transaction/machine.ts";
import { Timer, type TimerOwner } from "./transaction/timers.ts";
import type { TransactionLayer } from "./transaction/transaction-layer.ts";
import type {
  ClientRequest,
  RequestFailure,
  RequestOptions,
  RequestUser,
} from "./transaction/transaction-user.ts";
import type { Flow, Listener, Target } from "./transport/index.ts";

/** What a request needs of its stack. */
export interface RequestHost {
  readonly transactions: TransactionLayer;
  readonly memory: TargetMemory;
  readonly udpSizeLimit: number;
  /** How long an INVITE may be without any answer before the next target is tried, ms. */
  readonly failoverTime: number;
  now(): number;
  newBranch(): string;
  flowTo(target: Target, now: number, preferred?: Listener): Flow;
  /** Topmost Via for a request on that flow, up to the branch. */
  viaUpToBranch(flow: Flow): string;
  /** RFC 3263; calls back at once if nothing needs to be asked. */
  locate(uri: Uri, then: (result: readonly Target[] | Error, now: number) => void, now: number): void;
  onError(error: unknown): void;
}

export class OutgoingRequest implements ClientRequest, ClientTransactionUser, TimerOwner {
  readonly method: string;
  state: ClientRequest["state"] = "locating";
  isCanceled = false;
  flow: Flow | undefined = undefined;
  branch: string | undefined = undefined;
  readonly #host: RequestHost;
  readonly #user: RequestUser;
  readonly #branchSuffix: string;
  readonly #listener: Listener | undefined;
  #draft: RequestDraft | undefined;
  #targets: readonly Target[] = [];
  #next = 0;
  /** The target of the present attempt, unless it is a given flow. */
  #target: Target | undefined = undefined;
  #triedAt = 0;
  /** Runs while the present target may be given up for silence, and for a failure that comes too early to tell. */
  #timer: Timer | undefined = undefined;
  /** Where to go by UDP if TCP, taken only for the size, fails (§18.1.1). */
  #smallTarget: Target | undefined = undefined;
  #transaction: ClientTransaction | undefined = undefined;
  #bytes: Uint8Array | undefined = undefined;
  #sent: SipRequest | undefined = undefined;
  #cancelHeaders: readonly HeaderInit[] | undefined = undefined;
  #someTimedOut = false;
  #unavailable: SipResponse | undefined = undefined;
  #failure: RequestFailure | undefined = undefined;
  /** The present attempt has a 101-199: somebody behind the next hop has the request (§16.7 step 2). */
  #isBeyondNextHop = false;
  #isStarting = true;

  constructor(host: RequestHost, draft: RequestDraft, options: RequestOptions) {
    this.#host = host;
    this.#user = options.user;
    this.#branchSuffix = options.branchSuffix === undefined ? "" : `.${options.branchSuffix}`;
    this.#listener = options.listener;
    this.#draft = draft;
    this.method = draft.method;
  }

  get callId(): string | undefined {
    return this.#draft?.callId;
  }

  get sent(): SipRequest | undefined {
    if (this.#sent === undefined && this.#bytes !== undefined) {
      const message = parseMessage(this.#bytes, noLimits);
      if (message instanceof SipRequest) this.#sent = message;
    }
    return this.#sent;
  }

  start(options: RequestOptions, now: number): void {
    const draft = this.#draft!;
    if (options.flow !== undefined) this.#attempt(options.flow, draft, now);
    else if (options.targets !== undefined) this.#located(options.targets, now);
    else {
      // §8.1.2: the topmost Route, if there is one, else the Request-URI.
      const uri = options.uri ?? draft.topRoute ?? draft.requestUri;
      this.#host.locate(uri, (result, then) => this.#located(result, then), now);
      if (this.state === "locating") this.#checkDraft(draft);
    }
    this.#isStarting = false;
  }

  /** What cannot be written is said while the caller listens, not when the addresses are there. */
  #checkDraft(draft: RequestDraft): void {
    try {
      draft.withVia("");
    } catch (error) {
      this.state = "done";
      throw error;
    }
  }

  cancel(headers?: readonly HeaderInit[]): void {
    if (this.method !== "INVITE")
      throw new StateError(`${this.method} cannot be cancelled, only INVITE (RFC 3261 §9.1)`);
    if (this.state === "done" || this.isCanceled) return;
    this.isCanceled = true;
    this.#cancelHeaders = headers;
    if (this.state === "locating") this.#fail({ kind: "canceled" }, this.#host.now());
    // §9.1: not before a provisional response, or the CANCEL might overtake its INVITE.
    else if (this.state === "proceeding") this.#sendCancel(this.#host.now());
  }

  // --- ClientTransactionUser ------------------------------------------------------------------------------

  receiveResponse(response: SipResponse, flow: Flow, now: number): void {
    const status = response.statusCode;
    if (this.state === "calling") {
      this.#stopWaiting();
      if (this.#target !== undefined) this.#host.memory.answered(this.#target);
    }
    if (status < 200) {
      this.state = "proceeding";
      if (status > 100) this.#isBeyondNextHop = true;
      this.#tell(response, flow);
      if (this.isCanceled && this.#cancelHeaders !== sentAlready && this.state === "proceeding")
        this.#sendCancel(now);
      return;
    }
    if (status === 503) {
      this.#noteRest(response, now);
      if (this.#hasNext) {
        this.#unavailable = response.detach();
        this.#tryNext(now);
        return;
      }
    }
    this.state = "done";
    this.#tell(response, flow);
    this.#release();
    this.#letGo();
  }

  timeout(now: number): void {
    const answered = this.#transaction!.statusCode !== 0;
    this.#someTimedOut = true;
    if (!answered) this.#noteFailure(now);
    if (!answered && this.#hasNext) this.#tryNext(now);
    else this.#fail({ kind: "timeout" }, now);
  }

  transportError(error: Error, now: number): void {
    if (this.state === "done") return;
    const small = this.#smallTarget;
    if (small !== undefined && this.state === "calling") {
      // §18.1.1: chosen for the size only, so UDP after all, and at once next time.
      this.#smallTarget = undefined;
      this.#host.memory.refusedTcp(small, now);
      this.#abandon(now);
      this.#target = small;
      this.#attempt(this.#host.flowTo(small, now, this.#listener), this.#draft!, now);
      return;
    }
    this.#noteFailure(now);
    // §8.2.6.1: a 100 comes from the next hop itself, so with the connection all is lost that was known of the request.
    if (this.#hasNext && !this.#isBeyondNextHop) this.#tryNext(now);
    // An answer came, and it was of no use: nothing better will.
    else if (error instanceof ParseError) this.#fail({ kind: "malformed", error }, now);
    // §18.2.2: the answer to an INVITE that was taken may still come by another connection.
    else if (this.method === "INVITE" && this.state === "proceeding") return;
    else this.#fail({ kind: this.#someTimedOut ? "timeout" : "transport", error }, now);
  }

  // --- TimerOwner -----------------------------------------------------------------------------------------

  fire(_timer: Timer, now: number): void {
    if (this.#failure !== undefined) this.#tellFailure();
    else if (this.state === "calling") this.#silence(now);
  }

  /**
   * Sooner than RFC 3263 §4.3, which waits for timer B: nobody is silent for so long who is there, since an INVITE
   * gets its 100 within 200 ms (§17.2.1). Other requests may be answered late, and only a connection that does
   * not open is given up for them.
   */
  #silence(now: number): void {
    const isConnecting = this.flow!.state === "connecting";
    if (isConnecting && this.#smallTarget !== undefined) {
      this.transportError(new TransportError("no connection in time"), now);
    } else if (this.#hasNext && (isConnecting || this.method === "INVITE")) {
      this.#someTimedOut = true;
      this.#noteFailure(now);
      this.#tryNext(now);
    }
  }

  /**
   * Transactions absorb what comes again for half a minute: what they hold on to then must not be the request and all that
   * belongs to it, if that can be.
   */
  #letGo(): void {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    if (!(transaction instanceof InviteClient)) return;
    if (transaction.statusCode >= 300) transaction.user = ignoring;
    else transaction.further = this.#user.further;
  }

  #stopWaiting(): void {
    if (this.#timer?.isRunning === true) this.#host.transactions.stopTimer(this.#timer);
  }

  // --- Late answers ---------------------------------------------------------------------------------------

  /** A target that was given up answers: the search ends, and what is under way is cancelled. */
  lateSuccess(response: SipResponse, flow: Flow, now: number): void {
    if (this.state !== "done") {
      this.state = "done";
      const late = this.#abandon(now);
      if (this.#cancelHeaders !== sentAlready) late?.cancelIfAnswered(now);
      this.#tell(response, flow);
      this.#release();
    } else {
      this.#tell(response, flow);
    }
  }

  // --- Targets --------------------------------------------------------------------------------------------

  #located(result: readonly Target[] | Error, now: number): void {
    if (this.state === "done") return;
    if (result instanceof Error) {
      this.#fail({ kind: "unresolved", error: result }, now);
    } else if (result.length === 0) {
      this.#fail({ kind: "unresolved" }, now);
    } else {
      this.#targets = this.#host.memory.inOrder(result, now);
      this.#tryNext(now);
    }
  }

  /** Another target may be tried: there is one, and the user has not given up. */
  get #hasNext(): boolean {
    return !this.isCanceled && this.#next < this.#targets.length;
  }

  /** RFC 3263 §4.3: a new transaction with a new branch, otherwise the same request. */
  #tryNext(now: number): void {
    // §9.1: with a 100 there may be a CANCEL, and there must be one: who lost only the connection still rings.
    this.#abandon(now)?.cancelIfAnswered(now);
    const target = this.#targets[this.#next++]!;
    this.#target = target;
    this.#triedAt = now;
    this.#host.memory.trying(target, now);
    this.#smallTarget = undefined;
    const draft = this.#draft!;
    const host = this.#host;
    const flow = host.flowTo(target, now, this.#listener);
    if (target.transport !== "UDP") {
      this.#attempt(flow, draft, now);
      return;
    }
    const branch = this.#newBranch();
    const bytes = draft.withVia(host.viaUpToBranch(flow), branch);
    if (bytes.length <= host.udpSizeLimit || host.memory.isWithoutTcp(target, now)) {
      this.#send(flow, branch, bytes, now);
      return;
    }
    // §18.1.1: too long for a datagram that nobody shall fragment; the Via says TCP then.
    this.#smallTarget = target;
    this.#attempt(host.flowTo({ ...target, transport: "TCP" }, now, this.#listener), draft, now);
  }

  #attempt(flow: Flow, draft: RequestDraft, now: number): void {
    const branch = this.#newBranch();
    this.#send(flow, branch, draft.withVia(this.#host.viaUpToBranch(flow), branch), now);
  }

  #newBranch(): string {
    return this.#host.newBranch() + this.#branchSuffix;
  }

  #send(flow: Flow, branch: string, bytes: Uint8Array, now: number): void {
    this.flow = flow;
    this.branch = branch;
    this.state = "calling";
    this.#isBeyondNextHop = false;
    this.#bytes = bytes;
    this.#sent = undefined;
    this.#transaction = this.#host.transactions.addClient(this.method, branch, flow, bytes, this);
    this.#transaction.start(now);
    const { failoverTime, transactions } = this.#host;
    if (failoverTime < Number.POSITIVE_INFINITY && (this.#hasNext || this.#smallTarget !== undefined)) {
      this.#timer ??= new Timer(this);
      transactions.startTimer(this.#timer, failoverTime, now);
    }
  }

  /** Leaves the present transaction to itself; an INVITE without final response is looked after further. */
  #abandon(now: number): LateAnswers | undefined {
    const transaction = this.#transaction;
    this.#stopWaiting();
    if (transaction === undefined) return undefined;
    if (!(transaction instanceof InviteClient) || transaction.statusCode >= 200) {
      transaction.user = ignoring;
      return undefined;
    }
    const late = new LateAnswers(this.#host, this, transaction, this.branch!, this.#target);
    transaction.user = late;
    transaction.givenUp(now);
    return late;
  }

  /** RFC 3263 §4.3: it comes last for a while. With no other to prefer there is nothing to remember. */
  #noteFailure(now: number): void {
    if (this.#target === undefined || this.#targets.length < 2) return;
    this.#host.memory.failed(this.#target, this.#triedAt, now);
  }

  #noteRest(response: SipResponse, now: number): void {
    const target = this.#target;
    if (target === undefined || !response.headers.has("Retry-After")) return;
    // §21.5.4. A number of seconds comes first, whatever follows it; anything else is no request to rest.
    const seconds = Number.parseInt(response.headers.raw("Retry-After") ?? "", 10);
    if (seconds > 0) this.#host.memory.rest(target, seconds, now);
  }

  // --- CANCEL ---------------------------------------------------------------------------------------------

  #sendCancel(now: number): void {
    const invite = this.sent;
    const transaction = this.#transaction;
    if (invite === undefined || !(transaction instanceof InviteClient)) return;
    const headers = this.#cancelHeaders;
    this.#cancelHeaders = sentAlready;
    sendCancel(this.#host, transaction, invite, this.branch!, headers, now);
  }

  // --- To the user ----------------------------------------------------------------------------------------

  #tell(response: SipResponse, flow: Flow): void {
    try {
      this.#user.onResponse(this.#user.borrowsResponses === true ? response : response.detach(), this, flow);
    } catch (error) {
      this.#host.onError(error);
    }
  }

  /** Never from within `Stack.request`, whose caller does not know the request yet. */
  #fail(failure: RequestFailure, now: number): void {
    this.state = "done";
    this.#failure = this.#unavailable === undefined ? failure : { ...failure, response: this.#unavailable };
    this.#abandon(now);
    this.#stopWaiting();
    if (this.#isStarting) this.#host.transactions.startTimer(new Timer(this), 0, now);
    else this.#tellFailure();
  }

  #tellFailure(): void {
    try {
      this.#user.onFailure(this.#failure!, this);
    } catch (error) {
      this.#host.onError(error);
    }
    // Not before: the user may want to see what was sent.
    this.#release();
  }

  #release(): void {
    this.#stopWaiting();
    this.#draft = undefined;
    this.#bytes = undefined;
    this.#targets = [];
    this.#next = 0;
    this.#unavailable = undefined;
  }
}

const sentAlready: readonly HeaderInit[] = [];
