// Which hosts are ours: the configured domains, and every name and address that this server is reached by.

import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { isSipUri, type Uri } from "@offhook/sip/message";
import { canonicalHost, isWildcard, type Listener } from "@offhook/sip/transport";

/** Milliseconds after which the machine's addresses are asked for again: a laptop changes them. */
const refreshAfter = 10_000;

/** RFC 3261 §10.3 step 1, §16.5: for which hosts this server is responsible. */
export class Domains {
  /** The domain of users whose address names only this machine, and the realm of their passwords. */
  readonly primary: string;
  readonly #named: ReadonlySet<string>;
  /** Those and all others. */
  readonly #names: Set<string>;
  readonly #ports = new Set<number>();
  readonly #ownAddresses: () => readonly string[];
  #isWildcard = false;
  #machine: ReadonlySet<string> = new Set();
  #asked = Number.NEGATIVE_INFINITY;

  /** `ownAddresses`: the machine's, asked for when a listener takes all of them. */
  constructor(domains: readonly string[], ownAddresses: () => readonly string[] = machineAddresses) {
    this.#named = new Set(domains.map(canonicalHost));
    this.#names = new Set([...this.#named, "localhost"]);
    this.primary = domains[0] === undefined ? "localhost" : canonicalHost(domains[0]);
    this.#ownAddresses = ownAddresses;
  }

  /** Makes a listener's address, and the name it is known by outside, ours. */
  addListener({ address, port, advertise }: Pick<Listener, "address" | "port" | "advertise">): void {
    this.#ports.add(port);
    if (isWildcard(address)) this.#isWildcard = true;
    else this.#names.add(canonicalHost(address));
    if (advertise === undefined) return;
    this.#names.add(canonicalHost(advertise.host));
    this.#ports.add(advertise.port ?? port);
  }

  /** True for a host of ours, whatever the port. */
  isOurHost(host: string): boolean {
    if (this.#isKnown(host)) return true;
    // Another spelling, of an IPv6 address or with the root's dot, must not turn our users into strangers.
    const spelled = canonicalHost(host);
    return spelled !== host && this.#isKnown(spelled);
  }

  /** True if a request for this URI is for us: another port of our host belongs to somebody else. */
  readonly isOurs = (uri: Uri): boolean =>
    isSipUri(uri) && (uri.port === undefined || this.#ports.has(uri.port)) && this.isOurHost(uri.host);

  /** The domain that a host of ours stands for: itself if configured, else the primary one. */
  canonical(host: string): string {
    if (this.#named.has(host)) return host;
    const spelled = canonicalHost(host);
    return this.#named.has(spelled) ? spelled : this.primary;
  }

  #isKnown(host: string): boolean {
    return this.#names.has(host) || (this.#isWildcard && this.#isMachine(host));
  }

  #isMachine(host: string): boolean {
    if (isIP(host) === 0) return false;
    if (this.#machine.has(host)) return true;
    const now = performance.now();
    if (now - this.#asked < refreshAfter) return false;
    this.#asked = now;
    this.#machine = new Set(this.#ownAddresses().map(canonicalHost));
    return this.#machine.has(host);
  }
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
