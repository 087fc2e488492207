// Our own sockets: which one a request leaves by, what Via says about it, which hosts are ours.
// RFC 3261 §18.1.1 (sent-by), §18.1.2 (is a response ours).

import {
  canonicalHost,
  commonBits,
  defaultPort,
  isIpv6,
  isLoopback,
  isWildcard,
  localAddressFor,
} from "./address.ts";
import type { Endpoint, Listener, TransportName } from "./flow.ts";

/** What was asked, and the answer. */
interface Choice {
  readonly transport: TransportName;
  readonly address: string;
  readonly preferred: Listener | undefined;
  readonly listener: Listener | undefined;
}

/** The sockets that wait for peers, by id. */
export class Listeners {
  readonly #byId = new Map<number, Listener>();
  /** Every host and port that Via of ours can say, and every address that a URI can name us by. */
  readonly #own = new Map<string, { port: number; transport: TransportName; listener: Listener }[]>();

  /** Most requests in a row go to the same few addresses. Those in dialogs prefer a listener, others do not. */
  #lastChoice: Choice | undefined;
  #lastPreferred: Choice | undefined;

  add(listener: Listener): void {
    this.#byId.set(listener.id, listener);
    this.#index();
  }

  remove(id: number): Listener | undefined {
    const listener = this.#byId.get(id);
    this.#byId.delete(id);
    this.#index();
    return listener;
  }

  get(id: number): Listener | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Listener> {
    return this.#byId.values();
  }

  /**
   * The listener that a flow to this address shows to its peer: same transport and family, and reachable
   * from there; of several the preferred one, else the one whose address has most in common with the peer's.
   * For connections one of another transport will do, its address is all that is used of it.
   */
  choose(transport: TransportName, address: string, preferred?: Listener): Listener | undefined {
    const last = preferred === undefined ? this.#lastChoice : this.#lastPreferred;
    if (last?.address !== address || last.transport !== transport || last.preferred !== preferred) {
      const listener = this.#best(transport, address, preferred);
      const choice = { transport, address, preferred, listener };
      if (preferred === undefined) this.#lastChoice = choice;
      else this.#lastPreferred = choice;
      return listener;
    }
    return last.listener;
  }

  #best(transport: TransportName, address: string, preferred: Listener | undefined): Listener | undefined {
    let best: Listener | undefined;
    let bestScore = 0;
    for (const listener of this.#byId.values()) {
      if (isIpv6(listener.address) !== isIpv6(address)) continue;
      let score = 1;
      if (listener.transport === transport) score += 4;
      else if (transport === "UDP") continue;
      // A socket on a loopback address reaches nobody outside, and outside ones should not show inside.
      if (isLoopback(listener.address) === isLoopback(address)) score += 2;
      else if (isWildcard(listener.address)) score += 1;
      else if (isLoopback(listener.address)) continue;
      if (preferred !== undefined) {
        if (listener === preferred) score += 3;
        else if (listener.address === preferred.address) score += 2;
      }
      if (score > bestScore || (score === bestScore && isNearer(listener, best as Listener, address))) {
        best = listener;
        bestScore = score;
      }
    }
    return best;
  }

  /** The listener that is bound there or advertised so; a missing port is the transport's default. */
  named(host: string, port: number | undefined, transport: TransportName): Listener | undefined {
    const own = this.#own.get(host) ?? this.#own.get(canonicalHost(host));
    const wanted = port ?? defaultPort(transport);
    return own?.find((socket) => socket.transport === transport && socket.port === wanted)?.listener;
  }

  /** The sent-by of requests from this listener to that peer; IPv6 in brackets, the default port left out never. */
  sentBy(listener: Listener, remote: Endpoint): string {
    const { advertise } = listener;
    if (advertise) {
      const host = bracketed(advertise.host);
      const port = advertise.port ?? listener.port;
      // A name without port may have SRV records for its default port.
      return advertise.port === undefined && port === defaultPort(listener.transport)
        ? host
        : `${host}:${port}`;
    }
    return `${bracketed(this.addressFor(listener, remote))}:${listener.port}`;
  }

  /** The address of ours that this peer sees, whatever is advertised. */
  addressFor(listener: Listener, remote: Endpoint): string {
    const { address, localAddresses } = listener;
    if (!isWildcard(address) || !localAddresses) return address;
    return localAddressFor(remote.address, localAddresses) ?? address;
  }

  /** True if host and port name one of our sockets; a missing port is the transport's default. */
  isLocal(host: string, port: number | undefined, transport?: TransportName): boolean {
    const own = this.#own.get(host) ?? this.#own.get(canonicalHost(host));
    if (!own) return false;
    for (const socket of own) {
      if (transport !== undefined && socket.transport !== transport) continue;
      if (socket.port === (port ?? defaultPort(transport ?? socket.transport))) return true;
    }
    return false;
  }

  #index(): void {
    this.#lastChoice = undefined;
    this.#lastPreferred = undefined;
    this.#own.clear();
    for (const listener of this.#byId.values()) {
      const { address, port, advertise, localAddresses } = listener;
      this.#enter(address, port, listener);
      for (const local of localAddresses ?? []) this.#enter(local.address, port, listener);
      if (advertise) this.#enter(advertise.host, advertise.port ?? port, listener);
    }
  }

  #enter(host: string, port: number, listener: Listener): void {
    const key = canonicalHost(host);
    const entry = { port, transport: listener.transport, listener };
    const list = this.#own.get(key);
    if (list) list.push(entry);
    else this.#own.set(key, [entry]);
  }
}

/** Of two that would do: most likely the one in the peer's own network. */
function isNearer(one: Listener, other: Listener, address: string): boolean {
  if (one.address === other.address) return false;
  return commonBits(one.address, address) > commonBits(other.address, address);
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
