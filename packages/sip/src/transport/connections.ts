// Connections: who is connected to whom, which may be reused, how many there may be, when one has been
// silent, slow or idle for too long. RFC 3261 §18, RFC 5923 for reuse.

import { sourceOf } from "./address.ts";
import type { Endpoint, Flow, Listener, Target, TransportName } from "./flow.ts";
import { type FramingLimits, StreamFraming } from "./framing.ts";
import type { TransportLimits } from "./transport.ts";

/** A connection as a flow. Only the transport layer changes it. */
export class Connection implements Flow {
  readonly id: string;
  readonly transport: TransportName;
  readonly isReliable = true;
  readonly listener: Listener;
  readonly remote: Endpoint;
  readonly inbound: boolean;
  /** For outbound TLS: the name that its certificate was checked against. */
  readonly hostName: string | undefined;
  peerIdentities: readonly string[] | undefined = undefined;
  /** The port of the peer's own listener, if this connection may stand for it (RFC 5923). */
  aliasPort: number | undefined = undefined;
  /** Where streams need it (§18.3); WebSocket frames messages itself. */
  readonly framing: StreamFraming | undefined;
  state: Flow["state"] = "connecting";
  handle: unknown = undefined;
  watchers: unknown = undefined;
  /** Via up to the branch, made on first use. */
  via: string | undefined = undefined;
  /** What was sent before it opened. */
  queue: Uint8Array[] | undefined = undefined;
  queuedBytes = 0;
  /** True once it has brought a whole message: such a one does not have to make room. */
  hasSpoken = false;
  /** Until then it must be open; after that, if inbound, have spoken. */
  introduceBy = Number.POSITIVE_INFINITY;
  /** Until then the message that has begun must be whole. */
  messageBy = Number.POSITIVE_INFINITY;
  /** Until then our ping must be answered. */
  pongBy = Number.POSITIVE_INFINITY;
  /** Why `send` fails, if it was never opened. */
  error: Error | undefined = undefined;
  /** Malformed messages since the last good one. */
  malformedInRow = 0;
  /** When to give it up, unless something happens before. */
  deadline = Number.POSITIVE_INFINITY;

  constructor(
    id: string,
    transport: TransportName,
    listener: Listener,
    remote: Endpoint,
    options: { inbound: boolean; hostName?: string | undefined; framing: FramingLimits },
  ) {
    this.id = id;
    this.transport = transport;
    this.listener = listener;
    this.remote = remote;
    this.inbound = options.inbound;
    this.hostName = options.hostName;
    if (transport === "TCP" || transport === "TLS") this.framing = new StreamFraming(options.framing);
  }
}

/** Who is there from one source. */
interface Guests {
  count: number;
  readonly silent: Set<Connection>;
}

/** All connections, found by id and by remote endpoint. */
export class Connections {
  readonly #limits: TransportLimits;
  readonly #byId = new Map<string, Connection>();
  readonly #byRemote = new Map<string, Connection>();
  /** Inbound ones that have not said anything yet, oldest first. */
  readonly #silent = new Set<Connection>();
  readonly #guests = new Map<string, Guests>();
  #nextSweep = Number.POSITIVE_INFINITY;

  constructor(limits: TransportLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Connection | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Connection> {
    return this.#byId.values();
  }

  /**
   * An open or connecting one to this target. TLS: one that we opened for this name, or one that they opened, from
   * the target's port or as its alias, and whose certificate speaks for the name (RFC 5923 §8.3). A target without
   * a name is an address, most likely from a Contact: the connection that comes from there is the only way back.
   */
  reusable(target: Target): Connection | undefined {
    const { transport, hostName } = target;
    const found = this.#byRemote.get(remoteKey(transport, target, hostName));
    if (found && found.state !== "closed") return found;
    if (!isSecure(transport)) return undefined;
    const theirs = this.#byRemote.get(inboundKey(transport, target));
    if (!theirs || theirs.state === "closed") return undefined;
    if (hostName === undefined && theirs.aliasPort !== target.port) return theirs;
    return theirs.peerIdentities?.includes(hostName ?? target.address) ? theirs : undefined;
  }

  /** RFC 5923: this connection, which they opened, stands for their listener on this port too. */
  alias(connection: Connection, port: number): void {
    connection.aliasPort = port;
    const { transport, remote } = connection;
    this.#byRemote.set(inboundKey(transport, { address: remote.address, port }), connection);
  }

  /**
   * Which connection must go so that one more from this address fits: undefined if none must,
   * "none" if nobody can be asked to. Silent ones go first, the oldest of them before the others.
   */
  mustLeave(address: string | undefined): Connection | "none" | undefined {
    if (address !== undefined) {
      const guests = this.#guests.get(sourceOf(address));
      if (guests && guests.count >= this.#limits.connectionsPerAddress) return first(guests.silent) ?? "none";
    }
    if (this.#byId.size >= this.#limits.connections) return first(this.#silent) ?? "none";
    return undefined;
  }

  add(connection: Connection): void {
    this.#byId.set(connection.id, connection);
    this.#byRemote.set(keyOf(connection), connection);
    if (!connection.inbound) return;
    this.#silent.add(connection);
    const source = sourceOf(connection.remote.address);
    let guests = this.#guests.get(source);
    if (!guests) {
      guests = { count: 0, silent: new Set() };
      this.#guests.set(source, guests);
    }
    guests.count++;
    guests.silent.add(connection);
  }

  /** It has brought a whole message. */
  spoke(connection: Connection): void {
    connection.hasSpoken = true;
    this.#silent.delete(connection);
    this.#guests.get(sourceOf(connection.remote.address))?.silent.delete(connection);
  }

  remove(connection: Connection): void {
    this.#byId.delete(connection.id);
    this.#forgetKey(keyOf(connection), connection);
    if (connection.aliasPort !== undefined) {
      const { transport, remote, aliasPort } = connection;
      this.#forgetKey(inboundKey(transport, { address: remote.address, port: aliasPort }), connection);
    }
    this.#silent.delete(connection);
    if (!connection.inbound) return;
    const source = sourceOf(connection.remote.address);
    const guests = this.#guests.get(source);
    if (!guests) return;
    guests.silent.delete(connection);
    if (--guests.count === 0) this.#guests.delete(source);
  }

  #forgetKey(key: string, connection: Connection): void {
    if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
  }

  /** Sets when to give the connection up. */
  expireAt(connection: Connection, deadline: number): void {
    connection.deadline = deadline;
    if (deadline < this.#nextSweep) this.#nextSweep = deadline;
  }

  /** When to look for expired ones: never later than the first of them, perhaps earlier. */
  get nextSweep(): number {
    return this.#nextSweep;
  }

  /** Those whose time is up. Not more than four times a second, so that many cost little. */
  expired(now: number): Connection[] {
    const expired: Connection[] = [];
    if (now < this.#nextSweep) return expired;
    let next = Number.POSITIVE_INFINITY;
    for (const connection of this.#byId.values()) {
      if (connection.deadline <= now) expired.push(connection);
      else if (connection.deadline < next) next = connection.deadline;
    }
    this.#nextSweep = Math.max(next, now + 250);
    return expired;
  }
}

function keyOf(connection: Connection): string {
  const { transport, remote, hostName, inbound } = connection;
  return inbound ? inboundKey(transport, remote) : remoteKey(transport, remote, hostName);
}

/** TLS: one connection for each name, since the certificate was checked against that name alone. */
function remoteKey(transport: TransportName, remote: Endpoint, hostName: string | undefined): string {
  return isSecure(transport)
    ? `${transport} ${remote.address} ${remote.port} ${hostName ?? ""}`
    : `${transport} ${remote.address} ${remote.port}`;
}

function inboundKey(transport: TransportName, remote: Endpoint): string {
  return isSecure(transport)
    ? `from ${transport} ${remote.address} ${remote.port}`
    : `${transport} ${remote.address} ${remote.port}`;
}

function isSecure(transport: TransportName): boolean {
  return transport === "TLS" || transport === "WSS";
}

function first<T>(set: Set<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
