// What the four transaction machines share: tables of transitions and one way to step through them,
// durations, and the sink that actions write to. RFC 3261 §17.

import type { OutgoingResponse, SipRequest, SipResponse } from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import { noBytes, type SettledTransaction } from "./settled-transactions.ts";
import { Timer, type TimerOwner } from "./timers.ts";
import type { TransactionKey } from "./transaction-id.ts";
import type { Responder, ResponseUser, ServerTransaction, ServerUser } from "./transaction-user.ts";

/** The next state, then what to do, in this order. */
export type Row<State, Action> = readonly [next: State, ...actions: Action[]];

/** state → event → row. An event without a row is ignored in that state; "terminated" has no rows. */
export type Table<State extends string, Event extends string, Action extends string> = {
  readonly [S in State]: { readonly [E in Event]?: Row<State, Action> };
};

/** Base values of RFC 3261 §17.1.1.1, milliseconds. */
export interface TimerOptions {
  /** Estimate of the round trip, default 500. */
  T1: number;
  /** Longest interval between resends of anything but INVITE, default 4000. */
  T2: number;
  /** Longest life of a message in the network, default 5000. */
  T4: number;
}

/** Durations of one stack, milliseconds, worked out once (RFC 3261 table 4). */
export interface Durations extends TimerOptions {
  /** 64·T1: timers B, F, H, J, L, M, and the wait for the end of a cancelled INVITE (§9.1). */
  readonly T1x64: number;
  /** Timer D: at least 32 s, whatever T1 is (§17.1.1.2). */
  readonly D: number;
  /** §17.2.1: an INVITE that its user has not answered by then gets a 100. */
  readonly trying: number;
  /** RFC 4320 §4.1: when a client's timer E first reaches T2, any other request gets its 100. */
  readonly tryingNonInvite: number;
  /** From then on until 64·T1 after the request: too late for any answer (RFC 4320 §4.2). */
  readonly tooLate: number;
}

export function durationsOf(base: Partial<TimerOptions> = {}): Durations {
  const T1 = base.T1 ?? 500;
  const T2 = base.T2 ?? 4000;
  let interval = T1;
  let tryingNonInvite = T1;
  while (interval * 2 < T2) {
    interval *= 2;
    tryingNonInvite += interval;
  }
  return {
    T1,
    T2,
    T4: base.T4 ?? 5000,
    T1x64: 64 * T1,
    D: Math.max(32_000, 64 * T1),
    trying: 200,
    tryingNonInvite,
    tooLate: Math.max(T1, 64 * T1 - tryingNonInvite),
  };
}

/** Where the machines' actions go; the transaction layer implements it, a test passes one that takes notes. */
export interface MachineSink {
  readonly durations: Durations;
  /** The time of calls from above. */
  now(): number;
  /** A fresh local tag. */
  newTag(): string;
  /** Bytes to the flow of the transaction: requests, ACKs, and a server's resends. The rest as in `StackObserver.sent`. */
  send(flow: Flow, bytes: Uint8Array, now: number, callId?: string, methodId?: number): void;
  /** A response by the Via of the transaction's request (§18.2.2); returns the flow that took it. */
  sendResponse(transaction: ServerMachineView, response: OutgoingResponse, now: number): Flow;
  /** (Re)starts a timer; its owner's `fire` is called when it ends. */
  startTimer(timer: Timer, duration: number, now: number): void;
  stopTimer(timer: Timer): void;
  /** A new request goes to the transaction user. */
  deliver(transaction: ServerMachineView, now: number): void;
  /** An ACK that reached an accepted INVITE transaction goes to the transaction user too (RFC 6026 §7.1). */
  deliverAck(ack: SipRequest, flow: Flow, now: number): void;
  /** A hook of the transaction's owner threw; the machine goes on. */
  userFailed(error: unknown): void;
  /**
   * Takes over a transaction that has nothing left to do but to absorb what comes again: its last timer does not run
   * here. False if it has to go on itself. Default: no.
   */
  takeOver?(
    transaction: ServerMachineView | ClientTransaction,
    rest: SettledTransaction,
    duration: number,
    now: number,
  ): boolean;
  /** Something was sent again, by a timer or because the peer repeated itself. */
  resent(method: string, statusCode: number, now: number): void;
  /** The machine has reached "terminated": forget it. Once. */
  ended(transaction: Transaction, now: number): void;
}

/** What the layer's maps hold. */
export interface Transaction {
  readonly kind: "client" | "server";
  /** By which the layer finds it. */
  readonly key: TransactionKey;
  /** For the table that it is in. */
  nextInChain: Transaction | undefined;
  /** The flow whose failure it is told of. */
  watched: Flow | undefined;
  /** For the list of those who are told of the same flow. */
  previousWatcher: Transaction | undefined;
  nextWatcher: Transaction | undefined;
  readonly method: string;
  readonly flow: Flow;
  readonly state: string;
  /** Last status code sent (server) or received (client), 0 if none. */
  readonly statusCode: number;
  /** The transport could not send on the flow that this transaction uses. */
  transportError(error: Error, now: number): void;
}

/**
 * A state with its rows as a machine goes through them: an event is searched among the few of its state, since a look-up
 * by name, in as many objects as all tables have states, is no quick one.
 */
export interface StateRows<State extends string, Event extends string, Action extends string> {
  readonly name: State;
  readonly events: Event[];
  readonly steps: { readonly next: StateRows<State, Event, Action>; readonly actions: Action[] }[];
}

/** The first state of a table. */
export function initialOf<State extends string, Event extends string, Action extends string>(
  table: Table<State | "initial", Event, Action>,
): StateRows<State | "initial", Event, Action> {
  type Name = State | "initial";
  const states = new Map<Name, StateRows<Name, Event, Action>>();
  for (const name of Object.keys(table) as Name[]) states.set(name, { name, events: [], steps: [] });
  for (const [name, { events, steps }] of states) {
    for (const [event, row] of Object.entries(table[name]) as [Event, Row<Name, Action>][]) {
      const [next, ...actions] = row;
      events.push(event);
      steps.push({ next: states.get(next)!, actions });
    }
  }
  return states.get("initial")!;
}

/** A table at work: state, two timers, and `step`. */
export abstract class Machine<State extends string, Event extends string, Action extends string, Input>
  implements Transaction, TimerOwner
{
  abstract readonly kind: "client" | "server";
  abstract readonly flow: Flow;
  readonly key: TransactionKey;
  nextInChain: Transaction | undefined = undefined;
  watched: Flow | undefined = undefined;
  previousWatcher: Transaction | undefined = undefined;
  nextWatcher: Transaction | undefined = undefined;
  readonly method: string;
  statusCode = 0;
  protected readonly sink: MachineSink;
  #state: StateRows<State, Event, Action>;
  /** A, E, G or the wait for a 100: what makes the machine send. */
  #sendTimer: Timer | undefined = undefined;
  /** B, D, F, H …: what moves the machine on. */
  #stateTimer: Timer | undefined = undefined;

  constructor(
    state: StateRows<State, Event, Action>,
    key: TransactionKey,
    method: string,
    sink: MachineSink,
  ) {
    this.#state = state;
    this.key = key;
    this.method = method;
    this.sink = sink;
  }

  get state(): State {
    return this.#state.name;
  }

  protected abstract perform(action: Action, now: number, input: Input | undefined): void;
  abstract transportError(error: Error, now: number): void;

  /** Looks the event up and does what its row says; false if the state ignores it. */
  protected step(event: Event, now: number, input?: Input): boolean {
    const { events, steps } = this.#state;
    let at = 0;
    while (at < events.length && events[at] !== event) at++;
    if (at === events.length) return false;
    const { next, actions } = steps[at]!;
    if (next !== this.#state) this.#enter(next);
    for (let i = 0; i < actions.length; i++) {
      this.perform(actions[i]!, now, input);
      // An action may lead to another event (a zero timer, an answer given at once): that one had the last word.
      if (this.#state !== next) return true;
    }
    if (next.name === "terminated") this.#end(now);
    return true;
  }

  fire(timer: Timer, now: number): void {
    this.step(timer.event as Event, now);
  }

  protected startSendTimer(event: Event, duration: number, now: number): void {
    this.#sendTimer ??= new Timer(this);
    this.#sendTimer.event = event;
    this.sink.startTimer(this.#sendTimer, duration, now);
  }

  protected stopSendTimer(): void {
    if (this.#sendTimer !== undefined) this.sink.stopTimer(this.#sendTimer);
  }

  /** A duration of zero is an event at once: timers D, I, J and K over reliable transports. */
  protected startStateTimer(event: Event, duration: number, now: number): void {
    if (duration === 0) {
      this.step(event, now);
      return;
    }
    this.#stateTimer ??= new Timer(this);
    this.#stateTimer.event = event;
    this.sink.startTimer(this.#stateTimer, duration, now);
  }

  #enter(next: StateRows<State, Event, Action>): void {
    this.#state = next;
    // A timer that the new state has no row for has nothing left to do.
    if (this.#sendTimer !== undefined && !next.events.includes(this.#sendTimer.event as Event)) {
      this.sink.stopTimer(this.#sendTimer);
      this.#sendTimer = undefined;
    }
    if (this.#stateTimer !== undefined && !next.events.includes(this.#stateTimer.event as Event)) {
      this.sink.stopTimer(this.#stateTimer);
    }
  }

  #end(now: number): void {
    this.#stateTimer = undefined;
    this.sink.ended(this, now);
  }
}

/** The outside of both server machines. */
export interface ServerMachineView extends Transaction, ServerTransaction {
  readonly kind: "server";
  /** Where responses go: by default where the request came from. */
  readonly responseFlow: Flow;
  readonly method: string;
  readonly statusCode: number;
  /** The request, whose bytes may be the receiver's. */
  readonly borrowedRequest: SipRequest | undefined;
  start(now: number): void;
  /** Makes the bytes of the request its own, if it is still needed. */
  keepRequest(): void;
  /** The request came again. */
  receiveAgain(now: number): void;
  /** The transport could not send a response. */
  transportError(error: Error, now: number): void;
}

/** What a client transaction tells its user. */
export interface ClientTransactionUser extends ResponseUser {
  /** The Call-ID of its request, if it knows it. */
  readonly callId?: string | undefined;
  /** No (final) response within 64·T1: timer B, timer F, or an INVITE that its CANCEL did not end (§9.1). */
  timeout(now: number): void;
  transportError(error: Error, now: number): void;
}

/** Listens to a transaction that nobody cares for any more: a CANCEL's, one without an open INVITE. */
export const ignoring: ClientTransactionUser = Object.freeze({
  receiveResponse() {},
  timeout() {},
  transportError() {},
});

/** The outside of both client machines. */
export interface ClientTransaction extends Transaction {
  readonly kind: "client";
  readonly flow: Flow;
  /** The request as on the wire; undefined once it is no longer needed. */
  readonly bytes: Uint8Array | undefined;
  user: ClientTransactionUser;
  start(now: number): void;
  receiveResponse(response: SipResponse, flow: Flow, now: number): void;
}

/** The owner of a transaction that nobody has claimed, or that needs none any more. */
export const nobody: ServerUser = Object.freeze({});

/** What both server machines keep: the request until the final response, then only that response. */
export abstract class ServerMachine<State extends string, Event extends string, Action extends string>
  extends Machine<State, Event, Action, OutgoingResponse | SipRequest | Error>
  implements ServerMachineView
{
  readonly flow: Flow;
  user: ServerUser = nobody;
  isCanceled = false;
  #request: SipRequest | undefined;
  #toTag = "";
  #lastResponse: Uint8Array | undefined = undefined;
  #responseFlow: Flow;

  constructor(
    state: StateRows<State, Event, Action>,
    key: TransactionKey,
    request: SipRequest,
    flow: Flow,
    sink: MachineSink,
  ) {
    super(state, key, request.method, sink);
    this.flow = flow;
    this.#request = request;
    this.#responseFlow = flow;
  }

  get kind(): "server" {
    return "server";
  }

  get request(): SipRequest | undefined {
    return this.#request?.own();
  }

  get borrowedRequest(): SipRequest | undefined {
    return this.#request;
  }

  keepRequest(): void {
    this.#request?.own();
  }

  get finalSent(): boolean {
    return this.statusCode >= 200;
  }

  get responseFlow(): Flow {
    return this.#responseFlow;
  }

  get toTag(): string {
    if (this.#toTag === "") this.#toTag = this.sink.newTag();
    return this.#toTag;
  }

  /** What is left of it to be kept elsewhere. */
  protected get rest(): SettledTransaction {
    return {
      method: this.method,
      statusCode: this.statusCode,
      response: this.#lastResponse ?? noBytes,
      toTag: this.#toTag,
      peer: this.#responseFlow,
    };
  }

  /** The last response as sent; the To tag of an RFC 2543 ACK is compared with its own (§17.2.3). */
  get lastResponse(): Uint8Array | undefined {
    return this.#lastResponse;
  }

  abstract get isInvite(): boolean;
  abstract start(now: number): void;
  abstract receiveAgain(now: number): void;
  abstract respond(response: OutgoingResponse): boolean;

  get further(): Responder {
    return this;
  }

  protected sendResponse(response: OutgoingResponse, now: number): void {
    const request = this.#request;
    this.statusCode = response.statusCode;
    this.#lastResponse = response.bytes;
    // A 2xx passed again after the request was let go takes the way of the first.
    if (request === undefined) this.sink.send(this.#responseFlow, response.bytes, now);
    else this.#responseFlow = this.sink.sendResponse(this, response, now);
    if (response.statusCode >= 200) this.#request = undefined;
  }

  protected resendResponse(now: number): void {
    if (this.#lastResponse === undefined) return;
    this.sink.resent(this.method, this.statusCode, now);
    this.sink.send(this.#responseFlow, this.#lastResponse, now);
  }

  /** Calls a hook of the owner, whose mistakes must not stop the machine. */
  protected tell(hook: (user: ServerUser) => void): void {
    try {
      hook(this.user);
    } catch (error) {
      this.sink.userFailed(error);
    }
  }

  protected forgetResponse(): void {
    this.#lastResponse = undefined;
  }
}
