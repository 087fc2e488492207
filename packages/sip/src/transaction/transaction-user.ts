// The transaction user's side of the line, RFC 3261 §17: what a user agent, proxy or registrar sees of
// transactions. Interfaces only; transaction-layer.ts and stack.ts implement them.

import type {
  HeaderInit,
  HeaderWriter,
  OutgoingResponse,
  PrintedHeaders,
  SipMessage,
  SipRequest,
  SipResponse,
  Uri,
} from "../message/index.ts";
import type { MaybePromise } from "../ports.ts";
import type { Flow, Listener, Target } from "../transport/flow.ts";

// --- Requests that came in --------------------------------------------------------------------------------

/** What the owner of a server transaction wants to hear of. Every hook is optional and called once or never. */
export interface ServerUser {
  /**
   * A CANCEL for this INVITE arrived before a final response (§9.2). The stack has answered the CANCEL with
   * 200; the owner now answers the INVITE, usually with 487. While no owner has set this hook, the stack
   * sends that 487 itself.
   */
  onCancel?(cancel: SipRequest): void;
  /** The ACK of a 300–699 arrived (§17.2.1). The ACK of a 2xx is a request of its own, see `Roles`. */
  onAck?(): void;
  /**
   * Timer H: no ACK came for a 300–699 (§17.2.1). For other methods: nobody answered within 64·T1,
   * and nothing may be sent any more (RFC 4320 §4.2).
   */
  onTimeout?(): void;
  /** A response could not be sent. The transaction stays as it is (RFC 6026 §7.1). */
  onTransportError?(error: Error): void;
}

/** Where responses to one request are sent. */
export interface Responder {
  /** False, and nothing is sent, where the state of the transaction forbids. */
  respond(response: OutgoingResponse): boolean;
}

/** One request and what was answered to it, RFC 3261 §17.2. Made by the stack, never for ACK. */
export interface ServerTransaction extends Responder {
  /**
   * The request as it arrived, with its own copy of the bytes; undefined once a final response was sent
   * (a completed transaction keeps only that). `IncomingRequest.request` stays.
   */
  readonly request: SipRequest | undefined;
  /** Where it came from. */
  readonly flow: Flow;
  readonly isInvite: boolean;
  /** True once a final response was sent; `respond` then takes only more 2xx of an INVITE. */
  readonly finalSent: boolean;
  /** Last status sent, 0 before the first. */
  readonly statusCode: number;
  /** True once a CANCEL arrived in time. */
  readonly isCanceled: boolean;
  /** A To tag for responses made here; the same for the whole transaction, made on first use (§8.2.6.2). */
  readonly toTag: string;
  /**
   * Sends a provisional or final response; a 2xx of an INVITE may be passed again for its retransmissions
   * (RFC 6026 §7.1). Returns false, and sends nothing, where the state or RFC 4320 forbids: after a final
   * response, for 1xx to a method other than INVITE (the transaction sends the 100 itself when it is due),
   * for 408 to a method other than INVITE.
   */
  respond(response: OutgoingResponse): boolean;
  /**
   * Takes what `respond` takes once a 2xx of an INVITE was sent. Whoever may have more of them to pass on for half a minute
   * keeps this rather than the transaction, which is larger.
   */
  readonly further: Responder;
  /** The owner; set it at once if you will wait before answering. */
  user: ServerUser;
}

/** Options of a response made from a request; `message/makeResponse` explains them. */
export interface RespondOptions {
  reasonPhrase?: string;
  /** Default: `transaction.toTag`, unless the request has a To tag already. */
  toTag?: string;
  headers?: readonly HeaderInit[];
  printed?: PrintedHeaders;
  write?: (to: HeaderWriter) => void;
  body?: Uint8Array | string;
  contentType?: string;
}

/** A request on its way through the roles: the message as preprocessed so far, and how to answer it. */
export interface IncomingRequest {
  /** As preprocessed (§16.4). It may be kept. */
  readonly request: SipRequest;
  /** The same, for who does not keep it after a final response: see `Roles.borrowRequests`. */
  readonly borrowed: SipRequest;
  readonly flow: Flow;
  /** Absent for ACK, and for a CANCEL that matches nothing. */
  readonly transaction: ServerTransaction | undefined;
  /** Arrival, milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  /** Makes and sends a response (§8.2.6). False where `ServerTransaction.respond` says so, and for ACK. */
  respond(statusCode: number, options?: RespondOptions): boolean;
  /** The same arrival with another message, after Route preprocessing. */
  withRequest(request: SipRequest): IncomingRequest;
}

/** A handler may be synchronous or return a promise; `false` means "not mine, go on". */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing has taken the request
export type Handled = boolean | void;
export type RequestHandler = (incoming: IncomingRequest) => MaybePromise<Handled>;

/**
 * Who gets a request that no transaction took, asked from top to bottom. All but `isOurs` are optional.
 * What a handler throws, at once or by rejecting, is answered by the stack: a ParseError with its status,
 * anything else with 500 and a call of `onError`.
 */
export interface Roles {
  /**
   * True: whoever keeps an `IncomingRequest` that it has answered at once asks for its `request` before it returns; for
   * all others the bytes of the request are not copied. Default false: those of every request are.
   */
  readonly borrowRequests?: boolean;
  /** True if the URI's host is a domain of ours or a listener's address (any user part). */
  isOurs(uri: Uri): boolean;
  /**
   * Route preprocessing (§16.4): returns what to go on with, possibly the same object;
   * undefined if it has answered, or will, a promise if it may still fail. Called for ACK too, and before anything else.
   */
  preprocess?(incoming: IncomingRequest): IncomingRequest | MaybePromise<undefined>;
  /** A Route remains or the Request-URI is not ours. Without this role such requests go on below. */
  proxy?(incoming: IncomingRequest): MaybePromise<void>;
  /** The request has a To tag: true if a dialog of ours owns it and has taken it. */
  dialog?(incoming: IncomingRequest): boolean;
  /** By method, in upper case as on the wire: registrar, events, … A handler that returns false declines. */
  readonly methods?: ReadonlyMap<string, RequestHandler>;
  /** Everything else: the route program. */
  route?(incoming: IncomingRequest): MaybePromise<void>;
  /**
   * A CANCEL that matches no transaction: true if it was forwarded statelessly (§16.10).
   * Otherwise the stack answers 481 (§9.2).
   */
  strayCancel?(incoming: IncomingRequest): boolean;
  /** A response that matches no transaction. Only what a stateless hop forwarded may go on (RFC 6026 §7.3). */
  strayResponse?(response: SipResponse, flow: Flow): void;
  /** A connection has ended: registrations that came by it cannot be reached by it any more (RFC 5626). */
  flowClosed?(flow: Flow, now: number): void;
  /** Methods for Allow in the stack's 405; default: those in `methods`, with ACK and CANCEL. */
  readonly allow?: readonly string[];
}

// --- Requests that go out ---------------------------------------------------------------------------------

/** Why a request got no final response from anybody, after the last target was tried. */
export interface RequestFailure {
  /**
   * "timeout": at least one target did not answer (§8.1.3.1: as a 408). "transport": every target failed
   * (as a 503). "unresolved": the next hop's name has no address, or nobody who could say so answered in time (its
   * error is a TransportError with `isTimeout`). "malformed": the final response could not be used. "canceled":
   * given up before anything was sent.
   */
  readonly kind: "timeout" | "transport" | "unresolved" | "malformed" | "canceled";
  readonly error?: Error;
  /** The 503 of a target tried earlier, if there was one. */
  readonly response?: SipResponse;
}

/** Takes responses. */
export interface ResponseUser {
  receiveResponse(response: SipResponse, flow: Flow, now: number): void;
}

/** Who sent a request through `Stack.request`. */
export interface RequestUser {
  /**
   * True if responses are used only during `onResponse` (a proxy that forwards at once): they then may
   * lie in a buffer that is about to be reused. Default: every response handed over may be kept.
   */
  readonly borrowsResponses?: boolean;
  /** Every 1xx (100 too) and the final response; for INVITE every 2xx, retransmitted ones included. */
  onResponse(response: SipResponse, request: ClientRequest, flow: Flow): void;
  /**
   * Takes the 2xx of an INVITE that come after the first, in place of `onResponse`, if it is there when that has returned.
   * They may come for half a minute, in which neither this user nor the request is kept then. Their bytes are borrowed.
   */
  readonly further?: ResponseUser | undefined;
  /** Once, instead of a final response. */
  onFailure(failure: RequestFailure, request: ClientRequest): void;
}

/** How to send a request; `uri`, `targets` and `flow` exclude one another. */
export interface SendOptions {
  /** The next hop; default: topmost Route, else the Request-URI (§8.1.2). */
  uri?: Uri | undefined;
  /** Where to go, in this order, instead of locating `uri` (RFC 3263). */
  targets?: readonly Target[] | undefined;
  /** This flow only (RFC 5626 §5.3, responses to NAT-ed registrations): no failover, no change of transport. */
  flow?: Flow | undefined;
  /** Leave by this listener, if the target is of its transport and family. Default: whichever fits best. */
  listener?: Listener | undefined;
  /** Appended to the branch, after a dot; a proxy's loop detection value (§16.6 step 8). */
  branchSuffix?: string | undefined;
}

export interface RequestOptions extends SendOptions {
  user: RequestUser;
}

/** How to send something without a transaction. */
export interface StatelessOptions extends SendOptions {
  /** The whole branch (stateless proxies); default: a new one. */
  branch?: string | undefined;
  /** Told if it could not be sent at all. */
  onFailure?(failure: RequestFailure): void;
}

/** A request under way: one client transaction after another until some target answers. */
export interface ClientRequest {
  readonly method: string;
  /**
   * The request as on the wire at the last attempt; undefined before the first. Once a final response was
   * handled, kept only if it had been read before.
   */
  readonly sent: SipRequest | undefined;
  /** The flow of the last attempt. */
  readonly flow: Flow | undefined;
  /** The branch of the last attempt. */
  readonly branch: string | undefined;
  /**
   * "locating": waiting for addresses; "calling": no response yet; "proceeding": a 1xx came;
   * "done": final response or failure handed over.
   */
  readonly state: "locating" | "calling" | "proceeding" | "done";
  readonly isCanceled: boolean;
  /**
   * INVITE only, once (§9.1): sends CANCEL now, or as soon as a 1xx comes; ends the search for further
   * targets. The outcome comes as ever: usually a 487, or a 2xx that crossed it, or after 64·T1 a timeout.
   * @throws {StateError} for another method
   */
  cancel(headers?: readonly HeaderInit[]): void;
}

// --- Looking on -------------------------------------------------------------------------------------------

/** Trace and metrics. References only: copy (`detach`) what outlives the call, format later. */
export interface StackObserver {
  /** A well-formed message came in, before anybody handles it. */
  received?(message: SipMessage, flow: Flow, now: number): void;
  /**
   * Bytes were handed to the transport. `callId` and `methodId` (of the CSeq, numbered as in method.ts) are theirs, where
   * they were at hand; else they have to be read out of them. The Call-ID may be a piece of a message's text.
   */
  sent?(bytes: Uint8Array, flow: Flow, now: number, callId?: string, methodId?: number): void;
  malformed?(error: Error, flow: Flow, now: number): void;
  /** A connection broke or could not be made, a TLS handshake failed, a datagram could not be sent. */
  flowFailed?(flow: Flow, error: Error, now: number): void;
  /** A request refused because too many transactions live, or because the stack drains. */
  refused?(request: SipRequest, statusCode: number, flow: Flow, now: number): void;
  /** A response that matched no transaction. */
  stray?(response: SipResponse, flow: Flow, now: number): void;
  /** A resend by timer A, E or G. */
  resent?(method: string, statusCode: number, now: number): void;
  /** `outcome`: the last status sent or received, 0 if none. */
  transactionEnded?(kind: "client" | "server", method: string, outcome: number, now: number): void;
}
