// The transaction layer, RFC 3261 §17: finds the transaction of each message, makes those that are missing,
// keeps their timers, and passes on what belongs to none.

import { type ParseError, TransportError } from "../errors.ts";
import {
  type BrokenResponse,
  CANCEL,
  type HeaderInit,
  methodNames,
  noLimits,
  type OutgoingResponse,
  parseMessage,
  printResponse,
  type SipRequest,
  type SipResponse,
} from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import type { RateVerdict, SourceRates } from "../transport/source-rates.ts";
import { InviteClient } from "./invite-client.ts";
import { InviteServer } from "./invite-server.ts";
import type {
  ClientTransaction,
  ClientTransactionUser,
  Durations,
  MachineSink,
  ServerMachineView,
  Transaction,
} from "./machine.ts";
import { NonInviteClient } from "./non-invite-client.ts";
import { NonInviteServer } from "./non-invite-server.ts";
import { type SettledTransaction, SettledTransactions } from "./settled-transactions.ts";
import { Timer, Timers } from "./timers.ts";
import {
  hasMagicCookie,
  isStatelessTag,
  statelessTag,
  type TransactionKey,
  TransactionKeys,
  type UniqueIds,
} from "./transaction-id.ts";
import { TransactionTable } from "./transaction-table.ts";
import type { ResponseUser, StackObserver } from "./transaction-user.ts";
import { unwatch, watch, watchersOf } from "./watchers.ts";

/** What the layer needs from the one below. */
export interface TransactionTransport {
  send(flow: Flow, bytes: Uint8Array): void;
  /** §18.2.2; returns the flow that took the response. */
  sendResponse(request: SipRequest, arrival: Flow, bytes: Uint8Array, now: number): Flow;
}

/** What the layer tells the one above. */
export interface TransactionLayerUser {
  /** A request for which a transaction was just made. */
  receiveRequest(transaction: ServerMachineView, now: number): void;
  /** An ACK that no transaction absorbed; its bytes may be borrowed. */
  receiveAck(ack: SipRequest, flow: Flow, now: number): void;
  /** A CANCEL without INVITE: true if it was taken (forwarded statelessly), else it is answered with 481. */
  strayCancel(cancel: SipRequest, flow: Flow, now: number): boolean;
  strayResponse(response: SipResponse, flow: Flow, now: number): void;
}

export interface TransactionLayerOptions {
  transport: TransactionTransport;
  user: TransactionLayerUser;
  /** The time of calls from above. */
  now: () => number;
  ids: UniqueIds;
  durations: Durations;
  /** Above this number of transactions new requests are refused; those in dialogs only above a quarter more. */
  maxTransactions: number;
  rates?: SourceRates;
  /** Of requests with a To tag. */
  ratesInDialogs?: SourceRates;
  /** Seconds, for the Retry-After of refusals. */
  retryAfter: number;
  observer?: StackObserver;
  /** Told of what hooks of owners threw. */
  onError?: (error: unknown) => void;
  /** The earliest deadline is now this, earlier than the last one read. */
  wake?: (deadline: number) => void;
}

/** Milliseconds between two looks at which settled transactions have ended. */
const expiryInterval = 50;

export class TransactionLayer implements MachineSink {
  readonly durations: Durations;
  /** True: requests outside dialogs are refused, for good. */
  isDraining = false;
  /** True: they are refused for the time being. */
  isOverloaded = false;
  readonly #options: TransactionLayerOptions;
  readonly #transport: TransactionTransport;
  readonly #user: TransactionLayerUser;
  readonly #observer: StackObserver | undefined;
  readonly #keys: TransactionKeys;
  readonly #clients = new TransactionTable<ClientTransaction>();
  readonly #servers = new TransactionTable<ServerMachineView>();
  /** Timers J and L. */
  readonly #settledServers: SettledTransactions;
  /** Timer M. */
  readonly #acceptedClients: SettledTransactions;
  /** Timer K. */
  readonly #completedClients: SettledTransactions;
  readonly #timers: Timers;
  #announced = Number.POSITIVE_INFINITY;
  #unanswered = 0;
  #idleWaiters: { until: "answered" | "ended"; resolve: () => void }[] = [];

  constructor(options: TransactionLayerOptions) {
    const { durations } = options;
    this.#options = options;
    this.#transport = options.transport;
    this.#user = options.user;
    this.#observer = options.observer;
    this.durations = durations;
    this.#keys = new TransactionKeys(options.ids.random);
    const settled = (kind: Transaction["kind"]) =>
      new SettledTransactions(kind, (which, now) => this.#expire(which, now));
    this.#settledServers = settled("server");
    this.#acceptedClients = settled("client");
    this.#completedClients = settled("client");
    const intervals = [0, 1, 2, 3, 4, 5, 6].map((doublings) => durations.T1 * 2 ** doublings);
    this.#timers = new Timers([...intervals, ...Object.values(durations)]);
  }

  /** Live transactions. */
  get size(): number {
    const settled = this.#settledServers.size + this.#acceptedClients.size + this.#completedClients.size;
    return this.#clients.size + this.#servers.size + settled;
  }

  /** Those of them without a final response. */
  get unanswered(): number {
    return this.#unanswered;
  }

  // --- Inputs ---------------------------------------------------------------------------------------------

  receiveRequest(request: SipRequest, flow: Flow, now: number): void {
    const method = request.method;
    if (method === "ACK") {
      this.#receiveAck(request, flow, now);
      return;
    }
    const key = this.#keys.server(request, method);
    const transaction = this.#servers.get(key);
    const settled = transaction === undefined ? this.#settledServers.get(key) : undefined;
    if (transaction !== undefined) transaction.receiveAgain(now);
    else if (settled !== undefined) {
      // RFC 6026 §7.1: an INVITE that was accepted is absorbed; §17.2.2: other requests get their response again.
      if (settled.response.length === 0) return;
      this.resent(settled.method, settled.statusCode, now);
      this.send(settled.peer as Flow, settled.response, now);
    } else if (method === "CANCEL") this.#receiveCancel(key, request, flow, now);
    else {
      const verdict = request.hasToTag ? this.#verdictInDialog(flow, now) : this.#verdict(flow, now);
      if (verdict === "pass") this.#addServer(key, request, flow, now);
      else this.#refuse(request, verdict, flow, now);
    }
  }

  receiveResponse(response: SipResponse, flow: Flow, now: number): void {
    const key = this.#keys.client(response.topBranch ?? "", response.methodId === CANCEL);
    const transaction = this.#clients.get(key);
    if (transaction === undefined || !answersMethod(response, transaction.method)) {
      if (this.#absorb(response, key, flow, now)) return;
      this.#observer?.stray?.(response, flow, now);
      this.#user.strayResponse(response, flow, now);
      return;
    }
    const before = transaction.statusCode;
    transaction.receiveResponse(response, flow, now);
    const after = transaction.statusCode;
    if (before < 200 && after >= 200) this.#answered();
    // What has its answer no longer minds its flow, nor does an INVITE that rings. A 100 is only the next hop's word
    // (§8.2.6.1) and goes down with its connection; over UDP there is no connection to lose, so nothing can be known.
    const trying = after === 100 && transaction.flow.isReliable;
    if (after >= 200 || (before <= 100 && !trying && transaction.method === "INVITE")) unwatch(transaction);
  }

  /** A final response that cannot be used ends the transaction that it answers: there will be no better one. */
  receiveBroken({ via, method }: BrokenResponse, error: ParseError, now: number): void {
    const transaction =
      via.branch === undefined
        ? undefined
        : this.#clients.get(this.#keys.client(via.branch, method === "CANCEL"));
    if (transaction === undefined || (method !== undefined && method !== transaction.method)) return;
    if (transaction.statusCode < 200) transaction.transportError(error, now);
  }

  /** The flow cannot carry what was given to it, or has ended. */
  flowFailed(flow: Flow, error: Error, now: number): void {
    for (const transaction of watchersOf(flow)) transaction.transportError(error, now);
  }

  /**
   * A connection has ended in order: what waits for an answer on it waits in vain, as if it had broken. Responses
   * may still go by another connection (§18.2.2), so server transactions do not mind. Users hear of it with the
   * next tick: the end may come from within a call of theirs.
   */
  flowClosed(flow: Flow, now: number): void {
    const waiting = watchersOf(flow).filter((transaction) => transaction.kind === "client");
    if (waiting.length === 0) return;
    const error = new TransportError("the connection was closed before an answer came");
    const tell = (when: number) => {
      for (const transaction of waiting) {
        const stillWaits = transaction.watched === flow;
        if (stillWaits) transaction.transportError(error, when);
      }
    };
    this.startTimer(new Timer({ fire: (_timer, when) => tell(when) }), 0, now);
  }

  tick(now: number): void {
    this.#timers.tick(now);
  }

  get deadline(): number {
    this.#announced = this.#timers.deadline;
    return this.#announced;
  }

  // --- From above -----------------------------------------------------------------------------------------

  /** A new client transaction, to be started by the caller; `bytes` carry `branch` in their topmost Via. */
  addClient(
    method: string,
    branch: string,
    flow: Flow,
    bytes: Uint8Array,
    user: ClientTransactionUser,
  ): ClientTransaction {
    const key = this.#keys.client(branch, method === "CANCEL");
    const transaction =
      method === "INVITE"
        ? new InviteClient(key, flow, bytes, user, this)
        : new NonInviteClient(key, method, flow, bytes, user, this);
    this.#clients.add(transaction);
    this.#unanswered++;
    watch(flow, transaction);
    return transaction;
  }

  /** Resolves when nothing waits for a final response, or when no transaction lives. */
  idle(until: "answered" | "ended"): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push({ until, resolve });
      this.#checkIdle();
    });
  }

  // --- MachineSink ----------------------------------------------------------------------------------------

  now(): number {
    return this.#options.now();
  }

  newTag(): string {
    return this.#options.ids.tag();
  }

  send(flow: Flow, bytes: Uint8Array, now: number, callId?: string, methodId?: number): void {
    this.#transport.send(flow, bytes);
    this.#observer?.sent?.(bytes, flow, now, callId, methodId);
  }

  sendResponse(transaction: ServerMachineView, response: OutgoingResponse, now: number): Flow {
    const arrival = transaction.flow;
    const flow = this.#transport.sendResponse(transaction.borrowedRequest!, arrival, response.bytes, now);
    // §18.2.2: the connection that brought the INVITE is gone, another one is being made.
    if (flow !== arrival && flow.isReliable && transaction.isInvite) watch(flow, transaction);
    this.#observer?.sent?.(response.bytes, flow, now, response.callId, response.methodId);
    if (response.statusCode >= 200) this.#answered();
    return flow;
  }

  deliver(transaction: ServerMachineView, now: number): void {
    if (transaction.method !== "CANCEL") this.#user.receiveRequest(transaction, now);
  }

  deliverAck(ack: SipRequest, flow: Flow, now: number): void {
    this.#user.receiveAck(ack, flow, now);
  }

  startTimer(timer: Timer, duration: number, now: number): void {
    this.#timers.start(timer, duration, now);
    if (timer.deadline < this.#announced) {
      this.#announced = timer.deadline;
      this.#options.wake?.(timer.deadline);
    }
  }

  stopTimer(timer: Timer): void {
    this.#timers.stop(timer);
  }

  takeOver(
    transaction: ServerMachineView | ClientTransaction,
    rest: SettledTransaction,
    duration: number,
    now: number,
  ): boolean {
    const { key, kind } = transaction;
    const ofClients = transaction.method === "INVITE" ? this.#acceptedClients : this.#completedClients;
    const settled = kind === "server" ? this.#settledServers : ofClients;
    if (!settled.add(key, rest, now + duration)) return false;
    if (kind === "server") this.#servers.delete(transaction);
    else this.#clients.delete(transaction);
    if (settled.size === 1) this.startTimer(settled.timer, duration, now);
    return true;
  }

  userFailed(error: unknown): void {
    this.#options.onError?.(error);
  }

  resent(method: string, statusCode: number, now: number): void {
    this.#observer?.resent?.(method, statusCode, now);
  }

  ended(transaction: Transaction, now: number): void {
    unwatch(transaction);
    if (transaction.kind === "client") this.#clients.delete(transaction);
    else this.#servers.delete(transaction);
    this.#observer?.transactionEnded?.(transaction.kind, transaction.method, transaction.statusCode, now);
    if (transaction.statusCode < 200) this.#answered();
    else this.#checkIdle();
  }

  // --- Helpers --------------------------------------------------------------------------------------------

  /** The last timer of all that has been taken over: never early, and late by a moment rather than busy all the time. */
  #expire(settled: SettledTransactions, now: number): void {
    const observer = this.#observer;
    const isWatched = observer?.transactionEnded !== undefined;
    const ended = (method: string, statusCode: number) =>
      observer?.transactionEnded?.(settled.kind, method, statusCode, now);
    settled.expire(now, isWatched ? ended : undefined);
    if (settled.size > 0)
      this.startTimer(settled.timer, Math.max(settled.deadline - now, expiryInterval), now);
    this.#checkIdle();
  }

  /** What answers a client transaction that is settled; false if there is none. */
  #absorb(response: SipResponse, key: TransactionKey, flow: Flow, now: number): boolean {
    const settled = this.#acceptedClients.get(key) ?? this.#completedClients.get(key);
    if (settled === undefined || !answersMethod(response, settled.method)) return false;
    // RFC 6026 §7.2: every 2xx of an INVITE is passed up.
    if (response.statusCode >= 200 && response.statusCode < 300) {
      try {
        (settled.peer as ResponseUser | undefined)?.receiveResponse(response, flow, now);
      } catch (error) {
        this.userFailed(error);
      }
    }
    return true;
  }

  /** §21.5.4: whether there is room for a request that would begin something. */
  #verdict(flow: Flow, now: number): RateVerdict {
    const { rates, maxTransactions } = this.#options;
    const verdict = rates?.take(flow.remote.address, now) ?? "pass";
    if (verdict !== "pass") return verdict;
    return this.isDraining || this.isOverloaded || this.size >= maxTransactions ? "refuse" : "pass";
  }

  /**
   * What belongs to a dialog is let in as long as it can be: a BYE frees more than it takes. But whether it does is not
   * known here, and a To tag is easily made up.
   */
  #verdictInDialog(flow: Flow, now: number): RateVerdict {
    const verdict = this.#options.ratesInDialogs?.take(flow.remote.address, now) ?? "pass";
    if (verdict !== "pass") return verdict;
    return this.size >= this.#options.maxTransactions * 1.25 ? "refuse" : "pass";
  }

  #addServer(key: TransactionKey, request: SipRequest, flow: Flow, now: number): ServerMachineView {
    const transaction =
      request.method === "INVITE"
        ? new InviteServer(key, request, flow, this)
        : new NonInviteServer(key, request, flow, this);
    this.#servers.add(transaction);
    this.#unanswered++;
    // A connection that ends takes the caller with it; for UDP there is nothing to notice.
    if (transaction.isInvite && flow.isReliable) watch(flow, transaction);
    transaction.start(now);
    // `receive` only lends the bytes. What was answered at once needs no copy, unless somebody has asked for one.
    transaction.keepRequest();
    return transaction;
  }

  /** §17.2.3: an ACK belongs to the transaction of its INVITE; a 2xx's ACK usually has a branch of its own. */
  #receiveAck(ack: SipRequest, flow: Flow, now: number): void {
    const transaction = hasMagicCookie(ack)
      ? this.#servers.get(this.#keys.server(ack, "INVITE"))
      : this.#findByOldRules(ack);
    if (transaction instanceof InviteServer) transaction.receiveAck(ack, flow, now);
    // §8.2.7: the ACK of a stateless refusal is for nobody.
    else if (!isStatelessTag(ack.toTag) || ack.toTag !== statelessTag(ack))
      this.#user.receiveAck(ack, flow, now);
  }

  /** RFC 2543: the ACK's To tag is that of our response, the INVITE had that of the dialog or none. */
  #findByOldRules(ack: SipRequest): ServerMachineView | undefined {
    const ofFirstInvite = this.#servers.get(this.#keys.server(ack, "INVITE", ""));
    if (ofFirstInvite instanceof InviteServer) {
      const answer = ofFirstInvite.lastResponse;
      if (answer !== undefined && parseMessage(answer, noLimits).toTag === ack.toTag) return ofFirstInvite;
    }
    return this.#servers.get(this.#keys.server(ack, "INVITE"));
  }

  /** §9.2. */
  #receiveCancel(key: TransactionKey, cancel: SipRequest, flow: Flow, now: number): void {
    const canceled = this.#canceledBy(cancel);
    if (canceled === undefined) {
      // Without a transaction, and no more than of other requests: nobody shall flood us with CANCELs of nothing.
      const verdict = this.#options.rates?.take(flow.remote.address, now) ?? "pass";
      if (verdict !== "pass") this.#refuse(cancel, verdict, flow, now);
      else if (!this.#user.strayCancel(cancel, flow, now))
        this.#answerStatelessly(cancel, 481, [], flow, now);
      return;
    }
    const transaction = this.#addServer(key, cancel, flow, now);
    const request = transaction.request!;
    // The same To tag as in the responses to what is cancelled, as far as they are made here.
    transaction.respond(printResponse(request, 200, { toTag: canceled.toTag }));
    // §9.2: no impact on any method but INVITE.
    if (canceled instanceof InviteServer) canceled.cancel(request);
  }

  /** §9.2: whatever its method, anything but ACK and CANCEL. */
  #canceledBy(cancel: SipRequest): Pick<ServerMachineView, "toTag"> | undefined {
    for (const method of methodNames) {
      if (method === "ACK" || method === "CANCEL") continue;
      const key = this.#keys.server(cancel, method);
      const transaction = this.#servers.get(key);
      if (transaction !== undefined) return transaction;
      const settled = this.#settledServers.get(key);
      if (settled === undefined) continue;
      const { toTag, response } = settled;
      const sent = response.length === 0 ? undefined : parseMessage(response, noLimits).toTag;
      return { toTag: toTag || sent || this.newTag() };
    }
    return undefined;
  }

  /** Without a transaction, so that a flood costs no memory. */
  #refuse(request: SipRequest, verdict: RateVerdict, flow: Flow, now: number): void {
    if (verdict === "refuse")
      this.#answerStatelessly(request, 503, [["Retry-After", this.#options.retryAfter]], flow, now);
    this.#observer?.refused?.(request, 503, flow, now);
  }

  /** §8.2.7: the To tag is the same each time. */
  #answerStatelessly(
    request: SipRequest,
    statusCode: number,
    headers: readonly HeaderInit[],
    flow: Flow,
    now: number,
  ): void {
    const response = printResponse(request, statusCode, { toTag: statelessTag(request), headers });
    const by = this.#transport.sendResponse(request, flow, response.bytes, now);
    this.#observer?.sent?.(response.bytes, by, now, response.callId, response.methodId);
  }

  #answered(): void {
    this.#unanswered--;
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#idleWaiters.length === 0) return;
    this.#idleWaiters = this.#idleWaiters.filter(({ until, resolve }) => {
      if (until === "answered" ? this.#unanswered > 0 : this.size > 0) return true;
      resolve();
      return false;
    });
  }
}

/** §17.1.3: the method in a response's CSeq is that of the request. */
function answersMethod(response: SipResponse, method: string): boolean {
  const name = methodNames[response.methodId];
  return (name === "" ? response.cSeq.method : name) === method;
}
