// Connections: who is connected to whom, which may be reused, how many there may be, when one has been
// silent, slow or idle for too long. RFC 3261 §18, RFC 5923 for reuse.

import type { Endpoint, Flow, Listener, Target, TransportName } from "./flow.ts";
import { StreamFraming } from "./framing.ts";
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
  /** Where streams need it (§18.3); WebSocket frames messages itself. */
  readonly framing: StreamFraming | undefined;
  state: Flow["state"] = "connecting";
  handle: unknown = undefined;
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
    options: { inbound: boolean; hostName?: string | undefined; messageSize: number },
  ) {
    this.id = id;
    this.transport = transport;
    this.listener = listener;
    this.remote = remote;
    this.inbound = options.inbound;
    this.hostName = options.hostName;
    if (transport === "TCP" || transport === "TLS") this.framing = new StreamFraming(options.messageSize);
  }
}

/** Who is there from one address. */
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

  /** An open or connecting one to this target. TLS: only for the name that was checked, or one they opened. */
  reusable(target: Target): Connection | undefined {
    const found = this.#byRemote.get(remoteKey(target.transport, target));
    if (!found || found.state === "closed") return undefined;
    const mustMatch = target.transport === "TLS" || target.transport === "WSS";
    if (mustMatch && !found.inbound && found.hostName !== target.hostName) return undefined;
    return found;
  }

  /**
   * Which connection must go so that one more from this address fits: undefined if none must,
   * "none" if nobody can be asked to. Silent ones go first, the oldest of them before the others.
   */
  mustLeave(address: string | undefined): Connection | "none" | undefined {
    if (address !== undefined) {
      const guests = this.#guests.get(address);
      if (guests && guests.count >= this.#limits.connectionsPerAddress) return first(guests.silent) ?? "none";
    }
    if (this.#byId.size >= this.#limits.connections) return first(this.#silent) ?? "none";
    return undefined;
  }

  add(connection: Connection): void {
    this.#byId.set(connection.id, connection);
    this.#byRemote.set(remoteKey(connection.transport, connection.remote), connection);
    if (!connection.inbound) return;
    this.#silent.add(connection);
    let guests = this.#guests.get(connection.remote.address);
    if (!guests) {
      guests = { count: 0, silent: new Set() };
      this.#guests.set(connection.remote.address, guests);
    }
    guests.count++;
    guests.silent.add(connection);
  }

  /** It has brought a whole message. */
  spoke(connection: Connection): void {
    connection.hasSpoken = true;
    this.#silent.delete(connection);
    this.#guests.get(connection.remote.address)?.silent.delete(connection);
  }

  remove(connection: Connection): void {
    this.#byId.delete(connection.id);
    const key = remoteKey(connection.transport, connection.remote);
    if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
    this.#silent.delete(connection);
    const guests = connection.inbound ? this.#guests.get(connection.remote.address) : undefined;
    if (!guests) return;
    guests.silent.delete(connection);
    if (--guests.count === 0) this.#guests.delete(connection.remote.address);
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

function remoteKey(transport: TransportName, remote: Endpoint): string {
  return `${transport} ${remote.address} ${remote.port}`;
}

function first<T>(set: Set<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
