// The spine: joins transport, transactions and dispatch, and owns next-target failover (RFC 3263 §4.3).
// Beside it: stack-dispatch.ts (requests that come in), stack-request.ts (those that go out), stack-targets.ts,
// stack-observer.ts.

import type {
  Limits,
  OutgoingResponse,
  RequestDraft,
  SipRequest,
  SipResponse,
  Uri,
} from "./message/index.ts";
import { noLimits, parseMessage } from "./message/index.ts";
import type { Clock, Random } from "./ports.ts";
import { dispatch, Incoming } from "./stack-dispatch.ts";
import { guarded } from "./stack-observer.ts";
import { OutgoingRequest, type RequestHost } from "./stack-request.ts";
import { TargetMemory } from "./stack-targets.ts";
import { durationsOf, type ServerMachineView, type TimerOptions } from "./transaction/machine.ts";
import { UniqueIds } from "./transaction/transaction-id.ts";
import { TransactionLayer } from "./transaction/transaction-layer.ts";
import type {
  ClientRequest,
  IncomingRequest,
  RequestFailure,
  RequestOptions,
  Roles,
  StackObserver,
  StatelessOptions,
} from "./transaction/transaction-user.ts";
import {
  defaultPort,
  type Endpoint,
  type Flow,
  isLiteralAddress,
  type Listener,
  literalTarget,
  locate,
  SourceRates,
  type StackInput,
  type Target,
  type TransportCounts,
  TransportLayer,
  type TransportLimits,
  type TransportName,
  type TransportSink,
  UDP_SIZE_LIMIT,
} from "./transport/index.ts";

export type { TimerOptions } from "./transaction/machine.ts";
export { magicCookie, statelessTag } from "./transaction/transaction-id.ts";
export type * from "./transaction/transaction-user.ts";

export interface StackOptions {
  sink: TransportSink;
  clock: Pick<Clock, "now">;
  random: Random;
  roles?: Roles;
  timers?: Partial<TimerOptions>;
  /** First part of branches and tags, so that several processes can share an address. Default 0. */
  workerNumber?: number;
  limits?: Partial<TransportLimits>;
  messageLimits?: Limits;
  /** Requests without the Content-Length that they need get 411, which RFC 3261 has no longer, instead of 400. */
  rfc2543?: boolean;
  /** Letters and digits; first part of flow ids, so that several machines can share a store. Default "0". */
  nodeName?: string;
  /**
   * Above this number of transactions, new requests get 503 with Retry-After, those in dialogs only above a quarter
   * more. Default 1 000 000.
   */
  maxTransactions?: number;
  /**
   * New requests outside dialogs that one address may send in a second, and as many again with a To tag: more get 503,
   * more than twice as many nothing. Default: no limit.
   */
  requestsPerSource?: number;
  /** Addresses for which that does not count. */
  isTrustedSource?(address: string): boolean;
  /** Seconds in the Retry-After of all those 503, and of the ones while draining. Default 10. */
  retryAfter?: number;
  /** Requests longer than this many bytes go by TCP instead of UDP (§18.1.1). Default 1300; Infinity: never. */
  udpSizeLimit?: number;
  /**
   * Milliseconds after which a target that has not answered an INVITE at all, or a connection that has not opened,
   * is given up if there is another target. Default 6·T1, 3000; Infinity: 64·T1, as RFC 3263 §4.3 has it.
   */
  failoverTime?: number;
  observer?: StackObserver;
  /** Told of what a role or a user threw. A request in hand was answered with 500. Default: nobody is told. */
  onError?(error: unknown, incoming: IncomingRequest | undefined): void;
}

/** Without roles: no request finds anybody. */
const noRoles: Roles = { isOurs: () => true };

/**
 * One SIP element. A driver feeds it (`StackInput`), roles take its requests, and `request` sends.
 * Nothing in it waits or sleeps: time comes in with every call.
 */
export class Stack implements StackInput {
  /** Settable at any time; the next request goes by the new ones. */
  roles: Roles;
  readonly #sink: TransportSink;
  readonly #clock: Pick<Clock, "now">;
  readonly #ids: UniqueIds;
  readonly #observer: StackObserver | undefined;
  readonly #reportError: StackOptions["onError"];
  readonly #transport: TransportLayer;
  readonly #transactions: TransactionLayer;
  readonly #host: RequestHost;
  readonly #queries = new Map<number, (result: readonly Target[] | Error, now: number) => void>();
  #queryId = 0;
  #isInInput = false;
  /** The time that came with the present input: during it the clock need not be asked. */
  #inputTime = 0;

  constructor(options: StackOptions) {
    const { sink } = options;
    const onError = (error: unknown) => this.#reportError?.(error, undefined);
    const observer = options.observer && guarded(options.observer, onError);
    this.#sink = sink;
    this.#clock = options.clock;
    this.#observer = observer;
    this.#reportError = options.onError;
    this.roles = options.roles ?? noRoles;
    this.#ids = new UniqueIds(options.random, options.workerNumber);
    const { requestsPerSource } = options;
    const makeRates = () =>
      requestsPerSource === undefined
        ? undefined
        : new SourceRates(requestsPerSource, options.isTrustedSource?.bind(options));
    const rates = makeRates();
    const ratesInDialogs = makeRates();
    this.#transport = new TransportLayer({
      sink,
      user: {
        receiveRequest: (request, flow, now) => this.#receiveRequest(request, flow, now),
        receiveResponse: (response, flow, now) => this.#receiveResponse(response, flow, now),
        brokenResponse: (response, error, now) => this.#transactions.receiveBroken(response, error, now),
        malformed: (error, flow, now) => observer?.malformed?.(error, flow, now),
        flowFailed: (flow, error, now) => {
          observer?.flowFailed?.(flow, error, now);
          this.#transactions.flowFailed(flow, error, now);
        },
        flowClosed: (flow, now) => {
          this.#transactions.flowClosed(flow, now);
          this.roles.flowClosed?.(flow, now);
        },
      },
      random: options.random,
      ...(options.limits && { limits: options.limits }),
      ...(options.messageLimits && { messageLimits: options.messageLimits }),
      ...(rates && { rates }),
      ...(options.rfc2543 !== undefined && { rfc2543: options.rfc2543 }),
      ...(options.nodeName !== undefined && { nodeName: options.nodeName }),
      ...(options.workerNumber !== undefined && { workerNumber: options.workerNumber }),
    });
    const durations = durationsOf(options.timers);
    this.#transactions = new TransactionLayer({
      transport: this.#transport,
      user: {
        receiveRequest: (transaction, now) => this.#newRequest(transaction, now),
        receiveAck: (ack, flow, now) => this.#dispatch(new Incoming(ack.own(), flow, undefined, now)),
        strayCancel: (cancel, flow, now) => this.#strayCancel(cancel, flow, now),
        strayResponse: (response, flow) => this.roles.strayResponse?.(response, flow),
      },
      now: () => this.#now(),
      ids: this.#ids,
      durations,
      maxTransactions: options.maxTransactions ?? 1_000_000,
      retryAfter: options.retryAfter ?? 10,
      ...(rates && { rates }),
      ...(ratesInDialogs && { ratesInDialogs }),
      ...(observer && { observer }),
      onError,
      wake: (deadline) => {
        if (!this.#isInInput) sink.wake?.(deadline);
      },
    });
    const transport = this.#transport;
    this.#host = {
      transactions: this.#transactions,
      memory: new TargetMemory(),
      udpSizeLimit: options.udpSizeLimit ?? UDP_SIZE_LIMIT,
      failoverTime: options.failoverTime ?? 6 * durations.T1,
      now: () => this.#now(),
      newBranch: () => this.#ids.branch(),
      flowTo: (target, now, listener) => transport.flowTo(target, now, listener),
      viaUpToBranch: (flow) => transport.via(flow, ""),
      locate: (uri, then, now) => this.#locate(uri, then, now),
      onError,
    };
  }

  // --- Inputs of the driver -------------------------------------------------------------------------------

  addListener(listener: Listener): void {
    this.#transport.addListener(listener);
  }

  removeListener(id: number): void {
    this.#transport.removeListener(id);
  }

  acceptFlow(listener: Listener, remote: Endpoint, now: number): Flow {
    return this.#transport.acceptFlow(listener, remote, now);
  }

  receive(bytes: Uint8Array, flow: Flow, now: number): void {
    this.#isInInput = true;
    this.#inputTime = now;
    try {
      this.#transport.receive(bytes, flow, now);
    } catch (error) {
      this.#reportError?.(error, undefined);
    }
    this.#isInInput = false;
  }

  flowOpened(flow: Flow, now: number, peerIdentities?: readonly string[]): void {
    this.#input(now, () => this.#transport.flowOpened(flow, now, peerIdentities));
  }

  flowClosed(flow: Flow, error: Error | undefined, now: number): void {
    this.#input(now, () => this.#transport.flowClosed(flow, error, now));
  }

  sendFailed(flow: Flow, error: Error, now: number): void {
    this.#input(now, () => this.#transport.sendFailed(flow, error, now));
  }

  resolved(queryId: number, result: readonly Target[] | Error, now: number): void {
    const then = this.#queries.get(queryId);
    this.#queries.delete(queryId);
    if (then !== undefined) this.#input(now, () => then(result, now));
  }

  tick(now: number): void {
    this.#input(now, () => {
      this.#transport.tick(now);
      this.#transactions.tick(now);
    });
  }

  get deadline(): number {
    return Math.min(this.#transport.deadline, this.#transactions.deadline);
  }

  // --- For transaction users ------------------------------------------------------------------------------

  /**
   * Sends a request and looks after it until a final response: locates the next hop, resends, and goes on to
   * the next target after silence (`failoverTime`, 64·T1), a transport error or a 503.
   * The user hears nothing before this returns.
   */
  request(draft: RequestDraft, options: RequestOptions): ClientRequest {
    const request = new OutgoingRequest(this.#host, draft, options);
    request.start(options, this.#now());
    return request;
  }

  /** The ACK of a 2xx (§13.2.2.4): outside any transaction, passed again for each 2xx that comes. */
  sendAck(draft: RequestDraft, options: StatelessOptions = {}): void {
    this.sendStateless(draft, options);
  }

  /** A request without transaction: ACK of a 2xx, or what a proxy forwards statelessly (§16.11). */
  sendStateless(draft: RequestDraft, options: StatelessOptions = {}): void {
    const now = this.#now();
    if (options.flow !== undefined) {
      this.#sendOnce(draft, options, options.flow, now);
      return;
    }
    if (options.targets !== undefined) this.#sendToFirst(draft, options, options.targets, now);
    else {
      const then = (result: readonly Target[] | Error, when: number) =>
        this.#sendToFirst(draft, options, result, when);
      // RFC 3263 §4.4: what comes again must go the same way.
      this.#locate(options.uri ?? draft.topRoute ?? draft.requestUri, then, now, true);
    }
  }

  /** A response that no transaction sends, to where its topmost Via says (§16.11, §18.2.2). */
  sendStatelessResponse(response: OutgoingResponse): void {
    const now = this.#now();
    const { transport, received, host, rport, port } = parseMessage(response.bytes, noLimits).topVia;
    const address = received ?? host;
    if (!isTransportName(transport) || !isLiteralAddress(address)) return;
    const target = {
      transport,
      address,
      port: typeof rport === "number" ? rport : (port ?? defaultPort(transport)),
    };
    this.#transactions.send(this.#transport.flowTo(target, now), response.bytes, now);
  }

  newTag(): string {
    return this.#ids.tag();
  }

  newBranch(): string {
    return this.#ids.branch();
  }

  newCallId(): string {
    return this.#ids.callId();
  }

  /** A live flow by its id, as kept in a binding or token. */
  flowById(id: string): Flow | undefined {
    return this.#transport.flowById(id);
  }

  /** The flow that requests to this target would take: an open connection if there is one, else a new one. */
  flowTo(target: Target): Flow {
    return this.#transport.flowTo(target, this.#now());
  }

  /** Keep-alive (RFC 5626 §4.4.1): a connection that does not answer in time fails. */
  ping(flow: Flow): void {
    this.#transport.ping(flow, this.#now());
  }

  /** Ends a connection, after what was sent on it. */
  closeFlow(flow: Flow): void {
    this.#transport.close(flow, this.#now());
  }

  /** Ends all connections. */
  closeAllFlows(): void {
    this.#transport.closeAll(this.#now());
  }

  /** What the transport layer threw away or refused, since the start. */
  get transportCounts(): Readonly<TransportCounts> {
    return this.#transport.counts;
  }

  /** Connections, both directions, open or connecting. */
  get connectionCount(): number {
    return this.#transport.connectionCount;
  }

  /** host[:port] of our side as Via shows it on this flow: for Contact and Record-Route. */
  sentBy(flow: Flow): string {
    return this.#transport.sentBy(flow);
  }

  /** The listener that is reached there, as bound or advertised. Without port: the transport's default. */
  listenerNamed(host: string, port: number | undefined, transport: TransportName): Listener | undefined {
    return this.#transport.listeners.named(host, port, transport);
  }

  /** The listener that requests to this address leave by, of that transport; `preferred` if it can. */
  listenerFor(transport: TransportName, address: string, preferred?: Listener): Listener | undefined {
    const listener = this.#transport.listeners.choose(transport, address, preferred);
    return listener?.transport === transport ? listener : undefined;
  }

  /** Where requests to this URI go, if nobody has to be asked for it (RFC 3263 §4). */
  located(uri: Uri): readonly Target[] | undefined {
    const target = this.#sink.nextHop ?? literalTarget(uri);
    return target === undefined ? undefined : [target];
  }

  /** True if this is where one of our listeners is reached, its `advertise` address included. */
  isLocalAddress(host: string, port?: number, transport?: TransportName): boolean {
    return this.#transport.isLocalAddress(host, port, transport);
  }

  /** Live transactions, those that only absorb retransmissions included. */
  get transactionCount(): number {
    return this.#transactions.size;
  }

  /** Transactions that wait for a final response. */
  get unansweredCount(): number {
    return this.#transactions.unanswered;
  }

  /** While true, new requests get 503 with Retry-After; those in dialogs, ACK and CANCEL go on. */
  get isOverloaded(): boolean {
    return this.#transactions.isOverloaded;
  }

  set isOverloaded(value: boolean) {
    this.#transactions.isOverloaded = value;
  }

  /**
   * From now on new requests get 503 with Retry-After; those in dialogs, ACK and CANCEL go on.
   * Resolves when nothing waits for a final response any more ("answered"), or when no transaction lives
   * ("ended": up to 64·T1 later over UDP, when the last resend has been absorbed).
   */
  drain(until: "answered" | "ended" = "ended"): Promise<void> {
    this.#transactions.isDraining = true;
    return this.#transactions.idle(until);
  }

  // --- Helpers --------------------------------------------------------------------------------------------

  #now(): number {
    return this.#isInInput ? this.#inputTime : this.#clock.now();
  }

  #input(now: number, work: () => void): void {
    this.#isInInput = true;
    this.#inputTime = now;
    try {
      work();
    } catch (error) {
      this.#reportError?.(error, undefined);
    }
    this.#isInInput = false;
  }

  #receiveRequest(request: SipRequest, flow: Flow, now: number): void {
    this.#observer?.received?.(request, flow, now);
    this.#transactions.receiveRequest(request, flow, now);
  }

  #receiveResponse(response: SipResponse, flow: Flow, now: number): void {
    this.#observer?.received?.(response, flow, now);
    this.#transactions.receiveResponse(response, flow, now);
  }

  #newRequest(transaction: ServerMachineView, now: number): void {
    this.#dispatch(new Incoming(transaction.borrowedRequest!, transaction.flow, transaction, now));
  }

  #dispatch(incoming: Incoming): void {
    if (this.roles.borrowRequests !== true) incoming.borrowed.own();
    dispatch(this.roles, incoming, (error, which) => this.#reportError?.(error, which));
  }

  #strayCancel(cancel: SipRequest, flow: Flow, now: number): boolean {
    const strayCancel = this.roles.strayCancel;
    if (strayCancel === undefined) return false;
    return strayCancel.call(this.roles, new Incoming(cancel.own(), flow, undefined, now));
  }

  #sendToFirst(
    draft: RequestDraft,
    options: StatelessOptions,
    result: readonly Target[] | Error,
    now: number,
  ): void {
    const target = result instanceof Error ? undefined : this.#host.memory.inOrder(result, now)[0];
    if (target !== undefined) {
      const flow = this.#transport.flowTo(target, now, options.listener);
      this.#sendOnce(draft, options, flow, now, target);
    } else {
      const failure: RequestFailure =
        result instanceof Error ? { kind: "unresolved", error: result } : { kind: "unresolved" };
      options.onFailure?.(failure);
    }
  }

  /** §18.1.1 for a single message: by size UDP or TCP, without a second try. */
  #sendOnce(draft: RequestDraft, options: StatelessOptions, flow: Flow, now: number, target?: Target): void {
    const branch = options.branch ?? this.#ids.branch();
    const suffix = options.branchSuffix === undefined ? "" : `.${options.branchSuffix}`;
    const bytes = draft.withVia(this.#transport.via(flow, ""), branch + suffix);
    const { memory, udpSizeLimit } = this.#host;
    if (target?.transport === "UDP" && bytes.length > udpSizeLimit && !memory.isWithoutTcp(target, now)) {
      const stream = this.#transport.flowTo({ ...target, transport: "TCP" }, now, options.listener);
      this.#transactions.send(
        stream,
        draft.withVia(this.#transport.via(stream, ""), branch + suffix),
        now,
        draft.callId,
      );
    } else {
      this.#transactions.send(flow, bytes, now, draft.callId);
    }
  }

  /** RFC 3263: at once for literal addresses, names go to the driver. */
  #locate(
    uri: Uri,
    then: (result: readonly Target[] | Error, now: number) => void,
    now: number,
    isStateless = false,
  ): void {
    const targets = this.located(uri);
    if (targets !== undefined) {
      then(targets, now);
      return;
    }
    const location = locate(uri);
    if (location.kind === "targets") then(location.targets, now);
    else if (location.kind === "error") then(location.error, now);
    else {
      const id = ++this.#queryId;
      this.#queries.set(id, then);
      this.#sink.resolve({ id, ...location.query, ...(isStateless && { isStateless }) });
    }
  }
}

function isTransportName(text: string): text is TransportName {
  return text === "UDP" || text === "TCP" || text === "TLS" || text === "WS" || text === "WSS";
}
