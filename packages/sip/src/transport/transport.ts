// The transport layer's three sides as interfaces: the driver below (sink), the driver's calls into the
// stack (input), and the layer above (user). RFC 3261 §18.

import type { ParseError } from "../errors.ts";
import type { BrokenResponse, SipRequest, SipResponse, Uri } from "../message/index.ts";
import type { Endpoint, Flow, Listener, Target, TransportName } from "./flow.ts";

/** A name to look up, RFC 3263 §4; literal addresses never get here (see `locate`). */
export interface ResolveQuery {
  /** Chosen by the asker, unique among its open queries; comes back with the answer. */
  readonly id: number;
  /** The name, in lower case, from the URI's maddr or host. */
  readonly host: string;
  /** If the URI named one: then no SRV look-up (§4.2). */
  readonly port?: number;
  /** If the URI named one: then no NAPTR look-up (§4.1). */
  readonly transport?: TransportName;
  /** True for sips: only TLS and WSS will do. */
  readonly secure: boolean;
  readonly uri: Uri;
  /** True if the asker keeps no state: the order must be the same each time (§4.4). */
  readonly isStateless?: boolean;
}

export type AddressFamily = 4 | 6;

/** What this side has sockets for: a resolver leaves out the rest. */
export interface Reach {
  readonly transports: readonly TransportName[];
  /** In the order of preference, for sources that do not order addresses themselves. */
  readonly families: readonly AddressFamily[];
}

/**
 * What the transport layer asks of the driver. Every call returns at once; outcomes come back later, never
 * during the call, through `StackInput`. Bytes handed over must not change any more.
 */
export interface TransportSink {
  /** UDP: from `flow.listener` to `flow.remote`. Connections: after what was sent before. */
  send(flow: Flow, bytes: Uint8Array): void;
  /** Opens the connection; then `flowOpened`, or `flowClosed` with an error. */
  connect(flow: Flow, target: Target): void;
  /**
   * Ends a connection, after flushing what was sent unless it is still connecting. The layer regards it as
   * closed already; a later `flowClosed` is welcome and does nothing.
   */
  close(flow: Flow): void;
  /** Then `resolved` with the same id. */
  resolve(query: ResolveQuery): void;
  /** Set where there is but one way out: requests go there, whatever a Route or Request-URI says. */
  readonly nextHop?: Target;
  /**
   * `deadline` has moved forward because of a call from above (send, request, respond, …). After an input
   * the driver reads `deadline` itself.
   */
  wake?(deadline: number): void;
}

/** Who answers a driver's queries: addresses only, or the whole of RFC 3263. */
export interface Resolver {
  /** Where to go, best first; rejects if the name does not exist or nobody could be asked. */
  resolve(query: ResolveQuery, reach?: Reach): Promise<readonly Target[]>;
}

/** What a driver calls; `Stack` implements it. `now` is milliseconds since the Unix epoch. */
export interface StackInput {
  addListener(listener: Listener): void;
  removeListener(id: number): void;
  /**
   * The flow of a new inbound connection, in state "connecting" until `flowOpened` (handshakes lie between),
   * or "closed" if a limit refuses it: the driver then drops the socket and calls nothing more.
   * For UDP the flow of this peer, always open.
   */
  acceptFlow(listener: Listener, remote: Endpoint, now: number): Flow;
  /** A datagram, a WebSocket message, or the next piece of a stream. The bytes are only borrowed. */
  receive(bytes: Uint8Array, flow: Flow, now: number): void;
  /** `peerIdentities`: see `Flow`. */
  flowOpened(flow: Flow, now: number, peerIdentities?: readonly string[]): void;
  /** A connection ended, or could not be made; `error` unless it ended in order. */
  flowClosed(flow: Flow, error: Error | undefined, now: number): void;
  /** A datagram could not be sent. (A connection that cannot send is closed with the error.) */
  sendFailed(flow: Flow, error: Error, now: number): void;
  resolved(queryId: number, result: readonly Target[] | Error, now: number): void;
  tick(now: number): void;
  /** When to call `tick`, milliseconds since the Unix epoch; Infinity if nothing waits. */
  readonly deadline: number;
}

/** The layer above, told of what came in. Messages borrow the bytes they came in: `detach` to keep. */
export interface TransportUser {
  /** The top Via carries `received` and `rport` where §18.2.1 and RFC 3581 want them. */
  receiveRequest(request: SipRequest, flow: Flow, now: number): void;
  receiveResponse(response: SipResponse, flow: Flow, now: number): void;
  /** Something came that is not a SIP message, or breaks its rules. Requests were answered if they can be. */
  malformed(error: ParseError, flow: Flow, now: number): void;
  /** A final response that cannot be used, as far as it could be read; `malformed` follows. */
  brokenResponse?(response: BrokenResponse, error: ParseError, now: number): void;
  /**
   * What was sent on this flow may not have arrived: it could not be opened, broke, or refused a datagram.
   * Never called from within a call of the user's own. A connection is closed by then, a UDP flow goes on.
   */
  flowFailed(flow: Flow, error: Error, now: number): void;
  /**
   * A connection has ended, in whatever way. After `flowFailed` if there was an error. May come during
   * `close`, and during `flowTo` for a silent connection that makes room.
   */
  flowClosed?(flow: Flow, now: number): void;
}

/** Bounds on connections, sizes and waiting; times in milliseconds, sizes in bytes. */
export interface TransportLimits {
  /** Connections in all, both directions, half-open ones included. */
  readonly connections: number;
  /** Inbound connections from one address. */
  readonly connectionsPerAddress: number;
  /** What may wait for a connection to open. */
  readonly queuedBytes: number;
  /** From `connect` or accept to open. */
  readonly connectTime: number;
  /** For an inbound connection to bring its first whole message. */
  readonly silentTime: number;
  /** From the first byte of a message to its last. */
  readonly messageTime: number;
  /** Without a message or keep-alive either way. Longer than the longest usual registration. */
  readonly idleTime: number;
  /** From a ping to its pong (RFC 5626 §4.4.1 wants 10 s). */
  readonly pongTime: number;
  /** UDP peers remembered as flow objects. */
  readonly datagramFlows: number;
}

/** The bounds used where nothing else is given. */
export const defaultTransportLimits: TransportLimits = {
  connections: 20_000,
  connectionsPerAddress: 5_000,
  queuedBytes: 262_144,
  connectTime: 10_000,
  silentTime: 30_000,
  messageTime: 32_000,
  idleTime: 7_500_000,
  pongTime: 10_000,
  datagramFlows: 65_536,
};

/** Plain counts of what the layer threw away or refused, since it was made. */
export interface TransportCounts {
  malformedRequests: number;
  malformedResponses: number;
  /** Responses whose top Via is not ours (§18.1.2). */
  foreignResponses: number;
  /** Datagrams that only keep a NAT open: CRLF, NUL, STUN. */
  keepAlives: number;
  refusedConnections: number;
  /** Connections closed because they were silent, slow or idle, or made room for others. */
  expiredConnections: number;
  failedSends: number;
}

/**
 * §18.1.1: a request larger than this and bound for UDP goes by a congestion-controlled transport,
 * the path MTU being unknown.
 */
export const UDP_SIZE_LIMIT = 1300;
