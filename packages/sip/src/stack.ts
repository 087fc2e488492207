// The spine: joins transport, transactions and dispatch; owns next-target failover (RFC 3263 §4.3).
// (Type skeleton; bodies follow.)

import type { Limits, OutgoingResponse, RequestDraft, SipRequest } from "./message/index.ts";
import type { Clock, Random } from "./ports.ts";
import type {
  ClientRequest,
  IncomingRequest,
  RequestOptions,
  Roles,
  StackObserver,
  StatelessOptions,
} from "./transaction/transaction-user.ts";
import type { Flow, Listener, Target, TransportSink } from "./transport/index.ts";

export type * from "./transaction/transaction-user.ts";

/** The driver's side: what the transport layer asks for, and when to call `tick`. */
export interface StackSink extends TransportSink {
  /**
   * The earliest deadline has moved forward because of a call from above (request, respond, …).
   * After an input (`receive`, `flowOpened`, `tick`, …) the driver reads `deadline` itself.
   */
  wake?(deadline: number): void;
}

/** Base values of RFC 3261 §17.1.1.1, milliseconds. */
export interface TimerOptions {
  T1: number;
  T2: number;
  T4: number;
}

export interface StackOptions {
  sink: StackSink;
  clock: Pick<Clock, "now">;
  random: Random;
  roles?: Roles;
  timers?: Partial<TimerOptions>;
  /** First part of branches and tags, so that several processes can share an address. Default 0. */
  workerNumber?: number;
  limits?: Partial<Limits>;
  /** Above this number of transactions, new requests get 503 with Retry-After. Default 1 000 000. */
  maxTransactions?: number;
  /** Requests longer than this go by TCP instead of UDP if they can (§18.1.1). Default 1300. */
  udpSizeLimit?: number;
  observer?: StackObserver;
  /** Told of what a role threw (answered with 500). */
  onError?(error: unknown, incoming: IncomingRequest | undefined): void;
}

export declare class Stack {
  constructor(options: StackOptions);
  /** Settable at any time. */
  roles: Roles;
  // Inputs of the driver
  addListener(listener: Listener): void;
  removeListener(id: number): void;
  acceptFlow(listener: Listener, remote: { address: string; port: number }): Flow;
  receive(bytes: Uint8Array, flow: Flow, now: number): void;
  flowOpened(flow: Flow, now: number): void;
  flowClosed(flow: Flow, error: Error | undefined, now: number): void;
  sendFailed(flow: Flow, error: Error, now: number): void;
  resolved(queryId: number, result: readonly Target[] | Error, now: number): void;
  tick(now: number): void;
  /** When to call `tick`, ms since the epoch; Infinity if nothing waits. */
  get deadline(): number;
  // For transaction users
  request(draft: RequestDraft, options: RequestOptions): ClientRequest;
  /** ACK to a 2xx (§13.2.2.4), or any request forwarded statelessly (§16.11). */
  sendAck(draft: RequestDraft, options?: StatelessOptions): void;
  sendStateless(draft: RequestDraft, options?: StatelessOptions): void;
  /** A response without transaction, by its topmost Via (§16.11); `flow` is where the request came from, if known. */
  sendStatelessResponse(request: SipRequest, flow: Flow, response: OutgoingResponse): void;
  newTag(): string;
  newBranch(): string;
  newCallId(): string;
  flowById(id: string): Flow | undefined;
  /** The sent-by of requests on this flow: for Contact, Record-Route. */
  sentBy(flow: Flow): string;
  /** Live transactions, and how many of them still wait for a final response. */
  readonly transactionCount: number;
  readonly unansweredCount: number;
  /** New requests outside dialogs get 503; resolves when nothing waits for an answer, or when no transaction lives. */
  drain(until?: "answered" | "ended"): Promise<void>;
}
