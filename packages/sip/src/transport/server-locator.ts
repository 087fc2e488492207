// Locating SIP servers by name, RFC 3263 §4: NAPTR, then SRV, then addresses, as far as the URI leaves it open.
// The records come from a port; dual stack by RFC 6157 §5 and RFC 7984.

import { TransportError } from "../errors.ts";
import type { Random } from "../ports.ts";
import { canonicalHost, defaultPort, isIpv6, isLiteralAddress } from "./address.ts";
import type { Target, TransportName } from "./flow.ts";
import { defaultTransport } from "./locate.ts";
import { isSecure, type NaptrRecord, type OfferedService, offeredServices } from "./naptr.ts";
import { inFixedOrder, inRandomOrder, isUnavailable, type SrvRecord, serviceName } from "./srv.ts";
import type { AddressFamily, Reach, ResolveQuery, Resolver } from "./transport.ts";

/**
 * Where records come from. An empty answer means that there are none (or no such name); a rejection that nobody
 * could say. Following CNAMEs is the source's work.
 */
export interface NameRecords {
  naptr(name: string): Promise<readonly NaptrRecord[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** Addresses of these families, best first (RFC 6724). */
  addresses(name: string, families: readonly AddressFamily[]): Promise<readonly string[]>;
}

/** Bounds for one query: names are chosen by strangers, and so are the records behind them. */
export interface LocatorLimits {
  /** Questions to the source of records. */
  readonly lookups: number;
  /** Servers of one SRV answer whose addresses are looked up. */
  readonly servers: number;
  readonly targets: number;
}

export const defaultLocatorLimits: LocatorLimits = { lookups: 32, servers: 8, targets: 16 };

export interface ServerLocatorOptions {
  records: NameRecords;
  random: Random;
  limits?: Partial<LocatorLimits>;
}

const everywhere: Reach = { transports: ["UDP", "TCP"], families: [6, 4] };

/** A `Resolver` that does all of RFC 3263 §4. */
export class ServerLocator implements Resolver {
  readonly #records: NameRecords;
  readonly #random: Random;
  readonly #limits: LocatorLimits;

  constructor(options: ServerLocatorOptions) {
    this.#records = options.records;
    this.#random = options.random;
    this.#limits = { ...defaultLocatorLimits, ...options.limits };
  }

  /**
   * Targets, best first, at least one.
   * @throws {TransportError} naming each record that was asked for in vain
   */
  async resolve(query: ResolveQuery, reach: Reach = everywhere): Promise<readonly Target[]> {
    return new Search(query, reach, this.#records, this.#random, this.#limits).run();
  }
}

/** One query on its way. */
class Search {
  readonly #query: ResolveQuery;
  readonly #reach: Reach;
  readonly #records: NameRecords;
  readonly #random: Random;
  readonly #limits: LocatorLimits;
  /** What was asked in vain: "SRV _sip._udp.example.com: none". */
  readonly #vain: string[] = [];
  #firstError: unknown;
  /** Somebody who was asked may yet have known. */
  #hasTimedOut = false;
  /** Some SRV record has named a server. */
  #hasServers = false;
  #lookups = 0;

  constructor(
    query: ResolveQuery,
    reach: Reach,
    records: NameRecords,
    random: Random,
    limits: LocatorLimits,
  ) {
    this.#query = query;
    this.#reach = reach;
    this.#records = records;
    this.#random = random;
    this.#limits = limits;
  }

  async run(): Promise<readonly Target[]> {
    const { host } = this.#query;
    // RFC 6761 §6.4: names that never exist; Via and Contact of WebSocket clients have them (RFC 7118 §5).
    if (host === "invalid" || host.endsWith(".invalid"))
      throw new TransportError(`${host} is no name of any host (RFC 6761)`);
    const targets = distinct(await this.#targets()).slice(0, this.#limits.targets);
    if (targets.length > 0) return targets;
    throw new TransportError(`no SIP server found for ${host} (${this.#vain.join("; ")})`, {
      cause: this.#firstError,
      isTimeout: this.#hasTimedOut,
    });
  }

  async #targets(): Promise<Target[]> {
    const { host, port, transport, secure } = this.#query;
    const fallback = transport ?? defaultTransport(secure, this.#reach.transports);
    // §4.2: a port leaves nothing to ask but the address.
    if (port !== undefined) return this.#atHost(host, fallback, port);
    // Names of this machine or its local network have no services below them.
    if (isPlainName(host)) return this.#atHost(host, fallback, defaultPort(fallback));
    if (transport !== undefined) {
      // §4.1, §4.2: a transport parameter leaves SRV, and addresses where there is none.
      const found = await this.#service(transport, serviceName(transport, host));
      return found ?? this.#atHost(host, transport, defaultPort(transport));
    }
    for (const group of offeredServices(await this.#naptr(host), secure, this.#reach.transports)) {
      const found = await Promise.all(group.map((service) => this.#offered(service)));
      const targets = found.flat();
      // RFC 3403 §4.1: not beyond the order that has matched.
      if (targets.length > 0) return targets;
    }
    // §4.1: without NAPTR, SRV for each transport that would do. Any of those found may be used: all, in turn.
    const wanted = (secure ? securely : openly).filter((name) => this.#reach.transports.includes(name));
    const found = await Promise.all(wanted.map((name) => this.#service(name, serviceName(name, host))));
    const targets = found.flatMap((part) => part ?? []);
    if (targets.length > 0) return targets;
    // §4.1, §4.2, last cases: no SRV records at all. Not if they say that this very service is not offered.
    if (this.#hasServers || found[wanted.indexOf(fallback)] !== undefined) return [];
    return this.#atHost(host, fallback, defaultPort(fallback));
  }

  async #offered({ transport, name, records }: OfferedService): Promise<Target[]> {
    if (records === "addresses") return this.#atHost(name, transport, defaultPort(transport));
    return (await this.#service(transport, name)) ?? [];
  }

  /** The targets of a service; undefined if it has no SRV records, none if they lead nowhere. */
  async #service(transport: TransportName, name: string): Promise<Target[] | undefined> {
    const records = await this.#ask("SRV", name, () => this.#records.srv(name));
    if (records.length === 0) return undefined;
    if (isUnavailable(records)) {
      this.#note(`SRV ${name}: the service is not offered`);
      return [];
    }
    this.#hasServers = true;
    const ordered = this.#query.isStateless ? inFixedOrder(records) : inRandomOrder(records, this.#random);
    const servers = ordered.slice(0, this.#limits.servers);
    // RFC 7984 §4: the servers' order first, within each that of its addresses.
    const found = await Promise.all(
      servers.map(({ target, port }) => this.#atHost(canonicalHost(target), transport, port)),
    );
    return found.flat();
  }

  async #atHost(name: string, transport: TransportName, port: number): Promise<Target[]> {
    const { families } = this.#reach;
    const addresses = isLiteralAddress(name)
      ? [name]
      : await this.#ask(families.length === 1 && families[0] === 4 ? "A" : "A, AAAA", name, () =>
          this.#records.addresses(name, families),
        );
    // RFC 7984 §3.1: addresses of a family that we do not have are of no use.
    return addresses
      .filter((address) => families.includes(isIpv6(address) ? 6 : 4))
      .map((address) => ({
        transport,
        address: canonicalHost(address),
        port,
        // RFC 5922 §4: a certificate is for the domain of the URI, whatever server DNS has named.
        hostName: this.#query.host,
      }));
  }

  #naptr(name: string): Promise<readonly NaptrRecord[]> {
    return this.#ask("NAPTR", name, () => this.#records.naptr(name));
  }

  /**
   * A look-up that failed counts as one without records: a resolver that knows only addresses must not keep us
   * from the rest. If nothing is found in the end, the error says so.
   */
  async #ask<T>(type: string, name: string, ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
    if (++this.#lookups > this.#limits.lookups) {
      if (this.#lookups === this.#limits.lookups + 1) this.#vain.push("too many look-ups");
      return [];
    }
    try {
      const records = await ask();
      if (records.length === 0) this.#note(`${type} ${name}: none`);
      return records;
    } catch (error) {
      this.#firstError ??= error;
      if (error instanceof TransportError && error.isTimeout) this.#hasTimedOut = true;
      this.#note(`${type} ${name}: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  }

  #note(failure: string): void {
    if (this.#vain.length < longestReport) this.#vain.push(failure);
  }
}

/** Failures that an error tells of. */
const longestReport = 12;

/** Where a sip URI may go without NAPTR, most wanted first; TLS last, as it was not asked for (§4.2). */
const openly: readonly TransportName[] = ["UDP", "TCP", "TLS"];
const securely: readonly TransportName[] = openly.filter(isSecure);

/** A name without dots, or one that means this machine (RFC 6761 §6.3). */
function isPlainName(host: string): boolean {
  return !host.includes(".") || host.endsWith(".localhost");
}

function distinct(targets: readonly Target[]): Target[] {
  const byPlace = new Map<string, Target>();
  for (const target of targets) {
    const place = `${target.transport} ${target.address} ${target.port}`;
    if (!byPlace.has(place)) byPlace.set(place, target);
  }
  return [...byPlace.values()];
}
