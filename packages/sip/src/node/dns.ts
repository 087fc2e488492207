// DNS for RFC 3263 on Node: NAPTR and SRV by node:dns, addresses by the system (hosts file, then DNS) or by
// configured servers; with a bounded cache.

import { lookup, Resolver as NameServers } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { ArgumentError, TransportError } from "../errors.ts";
import type { Clock, Random } from "../ports.ts";
import {
  type AddressFamily,
  canonicalHost,
  isLiteralAddress,
  type LocatorLimits,
  type NameRecords,
  type NaptrRecord,
  type Resolver,
  ServerLocator,
  type SrvRecord,
} from "../transport/index.ts";
import { nodeClock } from "./clock.ts";
import { nodeRandom } from "./random.ts";
import { type Answer, RecordCache } from "./record-cache.ts";

export interface DnsOptions {
  /** Name servers, "192.0.2.1", "192.0.2.1:5353" or "[2001:db8::1]:53". Default: the system's. */
  servers?: readonly string[];
  /** First wait for an answer, milliseconds; the next try waits twice as long. Default 1500. */
  timeout?: number;
  /** How often each server is asked. Default 2. */
  tries?: number;
  cache?: Partial<DnsCacheOptions>;
  /** Names that need no DNS. Default: the system's file; false: none. */
  hostsFile?: string | false;
  limits?: Partial<LocatorLimits>;
  clock?: Pick<Clock, "now">;
  random?: Random;
}

/** Times in milliseconds. */
export interface DnsCacheOptions {
  /** Answers kept. Default 2048. */
  capacity: number;
  /** For records whose time to live node:dns does not tell: NAPTR, SRV, the system's addresses. Default 60 000. */
  unknownTime: number;
  /** No record is kept for longer. Default 3 600 000. */
  longestTime: number;
  /** For "there are none". Default 10 000. */
  negativeTime: number;
  /** For failures to ask. Default 5 000. */
  failureTime: number;
}

/** A resolver of the whole of RFC 3263 with a cache of its own. */
export interface DnsResolver extends Resolver {
  /** Answers from the cache; questions asked; those that joined a question under way. */
  readonly counts: { readonly hits: number; readonly misses: number; readonly shared: number };
  /** Forgets what was looked up. */
  clear(): void;
  /** Gives up questions under way, which then fail. */
  close(): void;
}

const defaultCache: DnsCacheOptions = {
  capacity: 2048,
  unknownTime: 60_000,
  longestTime: 3_600_000,
  negativeTime: 10_000,
  failureTime: 5_000,
};

/**
 * NAPTR, SRV, A and AAAA as RFC 3263 §4 wants them, remembered for as long as they hold.
 * @throws {ArgumentError} if one of `servers` is no address
 */
export function dnsResolver(options: DnsOptions = {}): DnsResolver {
  checkServers(options.servers);
  const clock = options.clock ?? nodeClock;
  const times = { ...defaultCache, ...options.cache };
  const records = new DnsRecords(options, times, clock);
  const { random = nodeRandom, limits = {} } = options;
  const locator = new ServerLocator({ records, random, limits });
  return {
    resolve: (query, reach) => locator.resolve(query, reach),
    counts: records.counts,
    clear: () => records.clear(),
    close: () => records.close(),
  };
}

function checkServers(servers: readonly string[] | undefined): void {
  if (servers === undefined) return;
  try {
    new NameServers().setServers(servers);
  } catch (error) {
    throw new ArgumentError(`name servers: ${(error as Error).message}`);
  }
}

class DnsRecords implements NameRecords {
  readonly #options: DnsOptions;
  readonly #times: DnsCacheOptions;
  readonly #cache: RecordCache;
  readonly #hostsCache: RecordCache;
  #nameServers: NameServers | undefined;

  constructor(options: DnsOptions, times: DnsCacheOptions, clock: Pick<Clock, "now">) {
    const now = () => clock.now();
    this.#options = options;
    this.#times = times;
    this.#cache = new RecordCache({ now, ...times });
    this.#hostsCache = new RecordCache({ now, capacity: 1, failureTime: 0 });
  }

  async naptr(name: string): Promise<readonly NaptrRecord[]> {
    if ((await this.#hosts()).has(name)) return [];
    return this.#cache.get(`NAPTR ${name}`, () =>
      this.#ask(async () => this.#lasting(await this.#servers().resolveNaptr(name))),
    );
  }

  async srv(name: string): Promise<readonly SrvRecord[]> {
    // "_sip._udp." belongs to the name behind it.
    if ((await this.#hosts()).has(name.replace(/^_[^.]+\._[^.]+\./, ""))) return [];
    return this.#cache.get(`SRV ${name}`, () =>
      this.#ask(async () => {
        const found = await this.#servers().resolveSrv(name);
        return this.#lasting(
          found.map(({ name: target, priority, weight, port }) => ({ target, priority, weight, port })),
        );
      }),
    );
  }

  async addresses(name: string, families: readonly AddressFamily[]): Promise<readonly string[]> {
    const hosts = (await this.#hosts()).get(name) ?? loopback(name);
    if (hosts !== undefined) return hosts;
    if (this.#options.servers === undefined) return this.#systemAddresses(name);
    const found = await Promise.allSettled(families.map((family) => this.#familyAddresses(name, family)));
    const addresses = found.flatMap((part) => (part.status === "fulfilled" ? part.value : []));
    const failed = found.find((part) => part.status === "rejected");
    if (addresses.length === 0 && failed !== undefined) throw failed.reason;
    return addresses;
  }

  get counts(): DnsResolver["counts"] {
    return this.#cache.counts;
  }

  clear(): void {
    this.#cache.clear();
    this.#hostsCache.clear();
  }

  close(): void {
    this.#nameServers?.cancel();
    this.#nameServers = undefined;
  }

  #familyAddresses(name: string, family: AddressFamily): Promise<readonly string[]> {
    return this.#cache.get(`${family === 4 ? "A" : "AAAA"} ${name}`, () =>
      this.#ask(async () => {
        const servers = this.#servers();
        const found = await (family === 4
          ? servers.resolve4(name, { ttl: true })
          : servers.resolve6(name, { ttl: true }));
        const lifetime = Math.min(...found.map(({ ttl }) => ttl * 1000), this.#times.longestTime);
        return { value: found.map(({ address }) => address), lifetime };
      }),
    );
  }

  /** By getaddrinfo, which puts them into the order of RFC 6724 (RFC 6157 §5). */
  #systemAddresses(name: string): Promise<readonly string[]> {
    return this.#cache.get(`host ${name}`, () =>
      this.#ask(async () => {
        const found = await lookup(name, { all: true, order: "verbatim" });
        return this.#lasting(found.map(({ address }) => address));
      }),
    );
  }

  /** No such name and no such record are answers; everything else is a failure to get one. */
  async #ask<T>(ask: () => Promise<Answer<readonly T[]>>): Promise<Answer<readonly T[]>> {
    try {
      return await ask();
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === "ENOTFOUND" || code === "ENODATA")
        return { value: [], lifetime: this.#times.negativeTime };
      const isTimeout = code === "ETIMEOUT" || code === "EAI_AGAIN";
      throw new TransportError(reasons.get(code) ?? String(code ?? error), { cause: error, isTimeout });
    }
  }

  #lasting<T>(value: readonly T[]): Answer<readonly T[]> {
    return { value, lifetime: value.length > 0 ? this.#times.unknownTime : this.#times.negativeTime };
  }

  #servers(): NameServers {
    if (this.#nameServers === undefined) {
      const { timeout = 1500, tries = 2, servers } = this.#options;
      this.#nameServers = new NameServers({ timeout, tries });
      if (servers !== undefined) this.#nameServers.setServers(servers);
    }
    return this.#nameServers;
  }

  #hosts(): Promise<Hosts> {
    const { hostsFile = systemHostsFile() } = this.#options;
    if (hostsFile === false) return noHosts;
    return this.#hostsCache.get("hosts", async () => {
      const text = await readFile(hostsFile, "utf8").catch(() => "");
      return { value: hostsOf(text), lifetime: hostsTime };
    });
  }
}

/** Names and their addresses, in the order of the file. */
type Hosts = ReadonlyMap<string, readonly string[]>;

const noHosts: Promise<Hosts> = Promise.resolve(new Map());
const hostsTime = 5_000;

function hostsOf(text: string): Hosts {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (!isLiteralAddress(address)) continue;
    for (const name of names) {
      const key = canonicalHost(name);
      const known = hosts.get(key);
      if (known === undefined) hosts.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return hosts;
}

/** RFC 6761 §6.3: localhost and what is below it never goes to DNS. */
function loopback(name: string): readonly string[] | undefined {
  return name === "localhost" || name.endsWith(".localhost") ? ["127.0.0.1", "::1"] : undefined;
}

function systemHostsFile(): string {
  if (process.platform !== "win32") return "/etc/hosts";
  return `${process.env["SystemRoot"] ?? "C:\\Windows"}\\System32\\drivers\\etc\\hosts`;
}

const reasons: ReadonlyMap<unknown, string> = new Map([
  ["ESERVFAIL", "the name server failed (SERVFAIL)"],
  ["EREFUSED", "the name server refuses to answer (REFUSED)"],
  ["ETIMEOUT", "no answer in time"],
  ["ECONNREFUSED", "no name server is reachable"],
  ["EBADRESP", "the answer is malformed"],
  ["EFORMERR", "the name server did not understand"],
  ["ECANCELLED", "given up"],
  ["EAI_AGAIN", "no name server has answered"],
]);
