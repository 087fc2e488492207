// The transport layer, RFC 3261 §18: messages out of bytes, flows out of addresses, and the way back for
// responses. Values in, effects to a sink: no socket, no clock.

import { ParseError, TransportError } from "../errors.ts";
import type { Limits, SipMessage, SipRequest, Via } from "../message/index.ts";
import {
  answerMalformed,
  defaultLimits,
  parseMessage,
  printHostPort,
  readBrokenResponse,
  splice,
} from "../message/index.ts";
import type { Random } from "../ports.ts";
import { defaultPort } from "./address.ts";
import { Connection, Connections } from "./connections.ts";
import { DatagramFlows } from "./datagram-flows.ts";
import type { Endpoint, Flow, Listener, Target, TransportName } from "./flow.ts";
import type { FramingLimits, FramingUser } from "./framing.ts";
import { CRLF, DOUBLE_CRLF, isDoubleCrlf, isKeepAlive } from "./keep-alive.ts";
import { Listeners } from "./listeners.ts";
import {
  datagramResponseTarget,
  isComplete,
  repliesToSource,
  streamResponseTarget,
  viaAdditions,
} from "./response-routing.ts";
import type { SourceRates } from "./source-rates.ts";
import type {
  StackInput,
  TransportCounts,
  TransportLimits,
  TransportSink,
  TransportUser,
} from "./transport.ts";
import { defaultTransportLimits } from "./transport.ts";

export interface TransportLayerOptions {
  sink: TransportSink;
  user: TransportUser;
  random: Random;
  limits?: Partial<TransportLimits>;
  messageLimits?: Limits;
  /** Requests without the Content-Length that they need get 411, which RFC 3261 has no longer, instead of 400. */
  rfc2543?: boolean;
  /** Malformed requests count as requests of their source. */
  rates?: SourceRates;
  /** Part of every flow id, with `nodeName`: which process of which machine holds the flow. Default 0. */
  workerNumber?: number;
  /** Letters and digits; default "0". */
  nodeName?: string;
}

/** Malformed messages in a row after which a connection is given up: its peer does not speak SIP. */
const MALFORMED_IN_ROW = 16;

const nobody: Listener = { id: -1, transport: "UDP", address: "0.0.0.0", port: 0 };

/** ";received=" with an IPv6 address and ";rport=" with a port, generously. */
const longestAddition = 128;

export class TransportLayer implements Omit<StackInput, "resolved"> {
  readonly limits: TransportLimits;
  readonly counts: TransportCounts = {
    malformedRequests: 0,
    malformedResponses: 0,
    foreignResponses: 0,
    keepAlives: 0,
    refusedConnections: 0,
    expiredConnections: 0,
    failedSends: 0,
  };
  readonly listeners = new Listeners();
  readonly #sink: TransportSink;
  readonly #user: TransportUser;
  readonly #messageLimits: Limits;
  /** The same with room for what we add to the Via: what was short enough as it came stays so. */
  readonly #addedLimits: Limits;
  readonly #framingLimits: FramingLimits;
  readonly #connections: Connections;
  readonly #datagramFlows: DatagramFlows;
  readonly #rates: SourceRates | undefined;
  readonly #prefix: string;
  /** Tells the connections of this run from those of earlier ones. */
  readonly #run: string;
  #generation = 0;
  /** Failures of calls from above, reported with the next tick so that nobody is called re-entrantly. */
  readonly #failures = new Map<Flow, Error>();
  /** What the framing is reading for; see `receive`. */
  #reading: Connection | undefined;
  #now = 0;
  readonly #framingUser: FramingUser;

  constructor(options: TransportLayerOptions) {
    this.limits = { ...defaultTransportLimits, ...options.limits };
    this.#sink = options.sink;
    this.#user = options.user;
    this.#messageLimits = options.messageLimits ?? defaultLimits;
    const { messageSize, headSize = defaultLimits.headSize, lineLength } = this.#messageLimits;
    const added = {
      messageSize: messageSize + longestAddition,
      headSize: headSize + longestAddition,
      lineLength: lineLength + longestAddition,
    };
    this.#addedLimits = { ...this.#messageLimits, ...added };
    this.#framingLimits = { ...this.#messageLimits, rfc2543: options.rfc2543 ?? false };
    this.#rates = options.rates;
    this.#connections = new Connections(this.limits);
    this.#prefix = `${options.nodeName ?? "0"}-${options.workerNumber ?? 0}`;
    this.#datagramFlows = new DatagramFlows(this.#prefix, this.limits.datagramFlows);
    this.#run = Array.from(options.random.bytes(5), (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#framingUser = {
      message: (bytes) => this.#message(bytes, this.#reading as Connection, this.#now),
      ping: () => this.#sink.send(this.#reading as Connection, CRLF),
      pong: () => {
        (this.#reading as Connection).pongBy = Number.POSITIVE_INFINITY;
      },
      refused: (error, head) => this.#malformed(head, error, this.#reading as Connection, this.#now),
      broken: (error, head) => {
        const connection = this.#reading as Connection;
        this.#malformed(head, error, connection, this.#now);
        this.#end(connection, undefined, this.#now);
      },
    };
  }

  // --- Inputs of the driver -------------------------------------------------------------------------------

  addListener(listener: Listener): void {
    this.listeners.add(listener);
  }

  /** Connections that it accepted live on. */
  removeListener(id: number): void {
    this.listeners.remove(id);
    this.#datagramFlows.forget(id);
  }

  acceptFlow(listener: Listener, remote: Endpoint, now: number): Flow {
    if (listener.transport === "UDP") return this.#datagramFlows.flow(listener, remote);
    this.#now = now;
    const endpoint = { address: remote.address, port: remote.port };
    const connection = this.#newConnection(listener.transport, listener, endpoint, { inbound: true });
    if (!this.#makeRoom(endpoint.address, now)) {
      connection.state = "closed";
      this.counts.refusedConnections++;
      return connection;
    }
    this.#connections.add(connection);
    connection.introduceBy = now + this.limits.connectTime;
    this.#setDeadline(connection, now);
    return connection;
  }

  receive(bytes: Uint8Array, flow: Flow, now: number): void {
    this.#now = now;
    if (!(flow instanceof Connection)) {
      if (isKeepAlive(bytes)) this.counts.keepAlives++;
      else this.#message(bytes, flow, now);
      return;
    }
    if (flow.state !== "open") return;
    this.#reading = flow;
    if (flow.framing) {
      try {
        flow.framing.push(bytes, this.#framingUser);
      } catch (error) {
        // A defect above left the stream in the middle of a chunk; it cannot be followed any further.
        this.#end(flow, undefined, now);
        throw error;
      }
      if (!flow.framing.isPartial) flow.messageBy = Number.POSITIVE_INFINITY;
      else if (flow.messageBy === Number.POSITIVE_INFINITY) flow.messageBy = now + this.limits.messageTime;
    } else if (isDoubleCrlf(bytes)) {
      this.#sink.send(flow, CRLF);
    } else if (isKeepAlive(bytes)) {
      flow.pongBy = Number.POSITIVE_INFINITY;
    } else {
      this.#message(bytes, flow, now);
    }
    this.#reading = undefined;
    this.#setDeadline(flow, now);
  }

  flowOpened(flow: Flow, now: number, peerIdentities?: readonly string[]): void {
    if (!(flow instanceof Connection) || flow.state !== "connecting") return;
    this.#now = now;
    flow.state = "open";
    flow.peerIdentities = peerIdentities;
    flow.introduceBy = flow.inbound ? now + this.limits.silentTime : Number.POSITIVE_INFINITY;
    this.#setDeadline(flow, now);
    for (const bytes of flow.queue ?? []) this.#sink.send(flow, bytes);
    flow.queue = undefined;
    flow.queuedBytes = 0;
  }

  flowClosed(flow: Flow, error: Error | undefined, now: number): void {
    if (!(flow instanceof Connection) || flow.state === "closed") return;
    this.#now = now;
    const wasConnecting = flow.state === "connecting";
    flow.state = "closed";
    this.#forget(
      flow,
      wasConnecting ? (error ?? new TransportError("the connection was not made")) : error,
      now,
    );
  }

  sendFailed(flow: Flow, error: Error, now: number): void {
    this.#now = now;
    this.counts.failedSends++;
    if (flow instanceof Connection) this.#end(flow, error, now);
    else this.#user.flowFailed(flow, error, now);
  }

  tick(now: number): void {
    this.#now = now;
    if (this.#failures.size > 0) {
      const failures = [...this.#failures];
      this.#failures.clear();
      for (const [flow, error] of failures) this.#user.flowFailed(flow, error, now);
    }
    for (const connection of this.#connections.expired(now)) {
      if (connection.state === "closed") continue;
      this.counts.expiredConnections++;
      this.#end(connection, expiryError(connection, now), now);
    }
  }

  get deadline(): number {
    return this.#failures.size > 0 ? 0 : this.#connections.nextSweep;
  }

  // --- For the layers above -------------------------------------------------------------------------------

  /** Connections, both directions, open or connecting. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * A flow to this target: an open or connecting one if there is, inbound ones included, else a new one.
   * Where none can be had the flow is "closed", and what is sent on it fails with the next tick.
   * @param preferred - leave by this listener, if the target is of its transport and family
   */
  flowTo(target: Target, now: number, preferred?: Listener): Flow {
    const { transport, address, port } = target;
    const listener = this.listeners.choose(transport, address, preferred);
    if (transport === "UDP") {
      if (!listener) return this.#stillborn(target, `no UDP listener reaches ${address}`);
      return this.#datagramFlows.flow(listener, target);
    }
    const reusable = this.#connections.reusable(target);
    if (reusable) return reusable;
    if (!listener) return this.#stillborn(target, `no listener of the family of ${address}`);
    if (!this.#makeRoom(undefined, now)) {
      this.counts.refusedConnections++;
      return this.#stillborn(target, `more than ${this.limits.connections} connections`);
    }
    const connection = this.#newConnection(
      transport,
      listener,
      { address, port },
      {
        inbound: false,
        hostName: target.hostName,
      },
    );
    this.#connections.add(connection);
    connection.introduceBy = now + this.limits.connectTime;
    this.#setDeadline(connection, now);
    this.#sink.wake?.(this.deadline);
    this.#sink.connect(connection, target);
    return connection;
  }

  /** The live flow with this id; UDP flows live as long as their listener. */
  flowById(id: string): Flow | undefined {
    const connection = this.#connections.get(id);
    if (connection || !id.startsWith(`${this.#prefix}-`)) return connection;
    const [, listenerId, address, port] = /^(\d+)-(.+)_(\d+)$/.exec(id.slice(this.#prefix.length + 1)) ?? [];
    const listener = listenerId === undefined ? undefined : this.listeners.get(Number(listenerId));
    if (listener?.transport !== "UDP" || address === undefined) return undefined;
    return this.#datagramFlows.flow(listener, { address, port: Number(port) });
  }

  /** What requests on this flow say in their Via: host, and port unless an advertised host comes without. */
  sentBy(flow: Flow): string {
    return this.listeners.sentBy(flow.listener, flow.remote);
  }

  /**
   * A whole Via value for requests on this flow (§18.1.1). UDP asks for rport (RFC 3581 §3); TLS offers the
   * connection for requests the other way (RFC 5923 §4).
   */
  via(flow: Flow, branch: string): string {
    const known = flow as { via?: string | undefined };
    if (known.via === undefined) {
      const param = flow.transport === "UDP" ? ";rport" : offersReuse(flow) ? ";alias" : "";
      known.via = `SIP/2.0/${flow.transport} ${this.sentBy(flow)}${param};branch=`;
    }
    return known.via + branch;
  }

  /** True if host and port name a socket of ours, bound or advertised; without port, the transport's default. */
  isLocalAddress(host: string, port: number | undefined, transport?: TransportName): boolean {
    return this.listeners.isLocal(host, port, transport);
  }

  /** Sends on a flow; waits in a bounded queue while it connects. The bytes must not change any more. */
  send(flow: Flow, bytes: Uint8Array): void {
    if (!(flow instanceof Connection)) {
      this.#sink.send(flow, bytes);
      return;
    }
    if (flow.state === "open") {
      this.#sink.send(flow, bytes);
    } else if (flow.state === "closed") {
      this.#fail(flow, flow.error ?? new TransportError("the connection has ended"));
    } else if (flow.queuedBytes + bytes.length > this.limits.queuedBytes) {
      this.#fail(flow, new TransportError("too much waits for the connection to open"));
    } else {
      flow.queue ??= [];
      flow.queue.push(bytes);
      flow.queuedBytes += bytes.length;
    }
  }

  /** §18.2.2: sends a response to where its request came from, and returns the flow that it went by. */
  sendResponse(request: SipRequest, arrival: Flow, bytes: Uint8Array, now: number): Flow {
    const returns = !arrival.isReliable && repliesToSource(request, arrival.remote);
    const flow = returns ? arrival : this.responseFlow(request.topVia, arrival, now);
    this.send(flow, bytes);
    return flow;
  }

  /** The flow by which the responses to a request go. */
  responseFlow(via: Via, arrival: Flow, now: number): Flow {
    if (!arrival.isReliable) {
      const target = datagramResponseTarget(via, arrival.remote);
      const { remote } = arrival;
      if (target.port === remote.port && target.address === remote.address) return arrival;
      return this.#datagramFlows.flow(arrival.listener, target);
    }
    if (arrival.state !== "closed") return arrival;
    const target = streamResponseTarget(via, arrival);
    return target ? this.flowTo({ ...target, transport: arrival.transport }, now) : arrival;
  }

  /** Asks the peer for a sign of life and keeps NATs open (RFC 5626 §4.4.1). Without a pong the flow fails. */
  ping(flow: Flow, now: number): void {
    if (flow instanceof Connection && flow.state === "open") {
      flow.framing?.expectPong();
      flow.pongBy = Math.min(flow.pongBy, now + this.limits.pongTime);
      this.#setDeadline(flow, now);
      this.#sink.wake?.(this.deadline);
    }
    this.send(flow, DOUBLE_CRLF);
  }

  /** Ends a connection after flushing it. Nothing more is reported about it but `flowClosed`. */
  close(flow: Flow, now: number): void {
    if (flow instanceof Connection) this.#end(flow, undefined, now);
  }

  /** Ends all connections. */
  closeAll(now: number): void {
    for (const connection of [...this.#connections.all()]) this.#end(connection, undefined, now);
  }

  // --- Inside ---------------------------------------------------------------------------------------------

  #message(bytes: Uint8Array, flow: Flow, now: number): void {
    let message: SipMessage;
    try {
      message = parseMessage(bytes, this.#messageLimits);
      if (message.kind === "request") {
        const additions = isComplete(message as SipRequest, flow.remote)
          ? undefined
          : viaAdditions(message.topVia, flow.remote);
        // §18.2.1, RFC 3581 §4: what is handed up carries them, so that everybody above sees one message.
        if (additions) message = parseMessage(splice(message, additions), this.#addedLimits);
        if (this.#framingLimits.rfc2543 === true && !flow.isReliable) requireLength(message as SipRequest);
      }
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      this.#malformed(bytes, error, flow, now);
      return;
    }
    if (flow instanceof Connection) {
      if (!flow.hasSpoken) this.#connections.spoke(flow);
      flow.malformedInRow = 0;
      flow.messageBy = Number.POSITIVE_INFINITY;
      if (message.kind === "request") this.#noteAlias(flow, message.topVia);
    }
    if (message.kind === "request") {
      this.#user.receiveRequest(message, flow, now);
      return;
    }
    // §18.1.2: the sent-by of a response's top Via is ours, or the response is not for us.
    const { via } = flow as { via?: string | undefined };
    if ((via !== undefined && message.startsWithVia(via)) || this.#isOurs(message.topSentBy, flow))
      this.#user.receiveResponse(message, flow, now);
    else this.counts.foreignResponses++;
  }

  #isOurs({ host, port }: SipMessage["topSentBy"], flow: Flow): boolean {
    if (this.listeners.isLocal(host, port)) return true;
    // A connection may outlive its listener, and goes on showing its address.
    return flow.isReliable && printHostPort(host, port) === this.sentBy(flow).toLowerCase();
  }

  /** RFC 5923 §8.2: requests for the sender's own address may go over the connection that it opened. */
  #noteAlias(connection: Connection, via: Via): void {
    // Only where a certificate says whose connection it is; the names are compared when it is used.
    if (!connection.inbound || connection.aliasPort !== undefined) return;
    if (connection.peerIdentities === undefined || connection.peerIdentities.length === 0) return;
    if (via.params.has("alias")) this.#connections.alias(connection, via.port ?? defaultPort("TLS"));
  }

  #malformed(bytes: Uint8Array, error: ParseError, flow: Flow, now: number): void {
    if (isResponse(bytes)) {
      this.counts.malformedResponses++;
      const broken = readBrokenResponse(bytes, error);
      if (broken !== undefined && this.#isOurs({ host: broken.via.host, port: broken.via.port }, flow))
        this.#user.brokenResponse?.(broken, error, now);
    } else {
      this.counts.malformedRequests++;
      const isAnswered = this.#rates === undefined || this.#rates.take(flow.remote.address, now) === "pass";
      const answer = isAnswered ? answerMalformed(bytes, error, flow.remote) : undefined;
      if (answer) this.send(this.responseFlow(answer.via, flow, now), answer.bytes);
    }
    this.#user.malformed(error, flow, now);
    if (flow instanceof Connection && ++flow.malformedInRow >= MALFORMED_IN_ROW)
      this.#end(flow, undefined, now);
  }

  #newConnection(
    transport: TransportName,
    listener: Listener,
    remote: Endpoint,
    options: { inbound: boolean; hostName?: string | undefined },
  ): Connection {
    const id = `${this.#prefix}-${listener.id}-${this.#run}${(this.#generation++).toString(36)}`;
    return new Connection(id, transport, listener, remote, { ...options, framing: this.#framingLimits });
  }

  /** A flow that was never alive, for `flowTo` to return. */
  #stillborn(target: Target, reason: string): Flow {
    const remote = { address: target.address, port: target.port };
    const flow = this.#newConnection(target.transport, nobody, remote, { inbound: false });
    flow.state = "closed";
    flow.error = new TransportError(reason);
    return flow;
  }

  /** Closes a connection that says nothing if there are too many; false if none can be closed. */
  #makeRoom(address: string | undefined, now: number): boolean {
    const leaving = this.#connections.mustLeave(address);
    if (leaving === "none") return false;
    if (leaving) {
      this.counts.expiredConnections++;
      this.#end(leaving, undefined, now);
    }
    return true;
  }

  /** Ends a connection from our side. */
  #end(connection: Connection, error: Error | undefined, now: number): void {
    if (connection.state === "closed") return;
    connection.state = "closed";
    this.#sink.close(connection);
    this.#forget(connection, error, now);
  }

  #forget(connection: Connection, error: Error | undefined, now: number): void {
    connection.framing?.stop();
    connection.queue = undefined;
    this.#connections.remove(connection);
    if (error) this.#user.flowFailed(connection, error, now);
    this.#user.flowClosed?.(connection, now);
  }

  #fail(flow: Flow, error: Error): void {
    this.counts.failedSends++;
    if (!this.#failures.has(flow)) this.#failures.set(flow, error);
    this.#sink.wake?.(0);
  }

  #setDeadline(connection: Connection, now: number): void {
    if (connection.state === "closed") return;
    const introduced = connection.state === "open" && (connection.hasSpoken || !connection.inbound);
    const base = introduced ? now + this.limits.idleTime : connection.introduceBy;
    this.#connections.expireAt(connection, Math.min(base, connection.messageBy, connection.pongBy));
  }
}

/** RFC 5923 §8.1: on connections that we opened and showed a certificate on, for a listener that takes requests. */
function offersReuse(flow: Flow): boolean {
  const { listener } = flow;
  return (
    flow instanceof Connection &&
    !flow.inbound &&
    flow.transport === "TLS" &&
    listener.transport === "TLS" &&
    listener.connectionReuse === true
  );
}

/** Idle and silent connections end without a failure; the rest lost something. */
function expiryError(connection: Connection, now: number): Error | undefined {
  if (connection.inbound) return undefined;
  if (connection.introduceBy <= now) return new TransportError("the connection did not open in time");
  if (connection.pongBy <= now) return new TransportError("a keep-alive was not answered");
  return undefined;
}

/** RFC 2543 §7.4.12, where the end of a datagram does not count. */
function requireLength({ headers, method }: SipRequest): void {
  if (method === "ACK" || headers.has("Content-Length") || !headers.has("Content-Type")) return;
  throw new ParseError("Content-Length", "missing with a body", { status: 411 });
}

/** True if it begins as a status line does: not to be answered, whatever follows. */
function isResponse(bytes: Uint8Array): boolean {
  let start = 0;
  while (bytes[start] === 13 || bytes[start] === 10) start++;
  return (
    ((bytes[start] ?? 0) | 0x20) === 0x73 &&
    ((bytes[start + 1] ?? 0) | 0x20) === 0x69 &&
    ((bytes[start + 2] ?? 0) | 0x20) === 0x70 &&
    bytes[start + 3] === 0x2f
  );
}
