// The account directory, and the default route program over it: which users a name means, and where they can be
// reached. RFC 3261 §16.5, §10.3 step 5, RFC 5630 §5.3.

import type { MaybePromise } from "@offhook/sip";
import {
  aorOf,
  isSipUri,
  isTelUri,
  parseUri,
  type SipRequest,
  type SipUri,
  type Uri,
} from "@offhook/sip/message";
import {
  type ProxyTarget,
  type RouteContext,
  type RouteProgram,
  sipsNotAllowed,
  targetsOf,
} from "@offhook/sip/proxy";
import type { Binding, LocationService } from "@offhook/sip/registrar";
import type { Flow, Listener } from "@offhook/sip/transport";
import type { OurDomains } from "./relay.ts";

/** The port to the accounts (the store's `Accounts`): the user whom a name or stored alias means. */
export interface AccountLookup {
  resolve(name: string, domain: string): { readonly user: string; readonly domain: string } | undefined;
}

export interface DirectoryOptions {
  readonly domains: OurDomains & {
    /** For names without a domain. */
    readonly primary: string;
    /** True for what would come back here. */
    readonly isOurs: (uri: Uri) => boolean;
  };
  /** Undefined: every user of our domains exists. */
  readonly accounts: AccountLookup | undefined;
  /** Further names: name or name@domain → names, name@domain or SIP URIs, all of which ring. */
  readonly aliases?: Readonly<Record<string, string | readonly string[]>>;
  readonly locations: Pick<LocationService, "lookup">;
  readonly flowById: (id: string) => Flow | undefined;
  /** Where there are several: the one that a REGISTER over UDP came by. */
  readonly listenerOf?: (flowId: string) => Listener | undefined;
}

/** Whom a name of several means. */
interface Destinations {
  /** Addresses-of-record of ours. */
  readonly users: Set<string>;
  /** Addresses elsewhere. */
  readonly others: Set<string>;
}

/** Names to users to bindings. */
export class AccountDirectory {
  readonly #options: DirectoryOptions;
  readonly #aliases: ReadonlyMap<string, readonly string[]>;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    const aliases = new Map<string, readonly string[]>();
    for (const [name, value] of Object.entries(options.aliases ?? {})) {
      aliases.set(name, typeof value === "string" ? [value] : value);
    }
    this.#aliases = aliases;
  }

  /** §10.3 step 5: the key of a user's bindings, whatever host of ours the URI names; undefined: no such user. */
  readonly addressOfRecord = (uri: SipUri): string | undefined => {
    const domain = this.#options.domains.canonical(uri.host);
    return uri.user === undefined ? undefined : this.#userOf(uri.user, domain);
  };

  /** Whether a user's password is good for this From: the user's own name, or another name of that user alone. */
  readonly owns = (user: string, from: SipUri): boolean => {
    if (from.user === undefined) return false;
    const domain = this.#options.domains.canonical(from.host);
    const name = nameIn(user, domain);
    // Without another meaning of the name, it is the user's of that name: nearly always, and without a set.
    const isPlain = this.#valuesOf(from.user, domain) === undefined;
    if (isPlain && from.user === name) return this.#exists(name, domain);
    const own = this.#userOf(name, domain);
    if (own === undefined) return false;
    if (isPlain) return this.#userOf(from.user, domain) === own;
    const meant = this.#find(from.user, domain);
    if (meant === undefined || typeof meant === "string") return meant === own;
    return meant.others.size === 0 && meant.users.size === 1 && meant.users.has(own);
  };

  /**
   * The default route program. No such user: 404. A user none of whose devices can be reached: 480. Bindings over
   * connections that have gone are skipped. Answers at once if the store does.
   */
  readonly route: RouteProgram = (request, context): MaybePromise<void> => {
    const uri = request.requestUri;
    const isSecure = uri.scheme === "sips";
    const destination = this.#destinationOf(request, uri);
    if (destination === undefined) return void context.answer(404);
    if (typeof destination === "string") {
      const bindings = this.#options.locations.lookup(destination);
      if (bindings instanceof Promise)
        return bindings.then((found) => this.#ring(context, found, none, isSecure));
      return this.#ring(context, bindings, none, isSecure);
    }
    const { users, others } = destination;
    const lookups = Array.from(users, (aor) => this.#options.locations.lookup(aor));
    if (lookups.some((lookup) => lookup instanceof Promise)) {
      return Promise.all(lookups).then((found) => this.#ring(context, found.flat(), [...others], isSecure));
    }
    const bindings = (lookups as (readonly Binding[])[]).flat();
    return this.#ring(context, bindings, [...others], isSecure);
  };

  #ring(
    context: RouteContext,
    bindings: readonly Binding[],
    others: readonly string[],
    isSecure: boolean,
  ): void {
    const { flowById, listenerOf, domains } = this.#options;
    const targets: ProxyTarget[] = targetsOf(bindings, flowById, domains.isOurs, listenerOf);
    for (const uri of others) targets.push({ uri });
    // RFC 5630 §5.3: a SIPS request goes to SIPS contacts only.
    const usable = isSecure ? targets.filter(({ uri }) => /^sips:/i.test(String(uri))) : targets;
    if (usable.length > 0) {
      context.addTargets(usable);
    } else if (targets.length > 0) {
      context.answer(480, sipsNotAllowed);
    } else {
      context.answer(480, {
        reasonPhrase: bindings.length === 0 ? "User Not Registered" : "User's Connection Is Gone",
      });
    }
  }

  // --- Names -------------------------------------------------------------------------------------------------

  /** The address-of-record of one user of ours, which it nearly always is, or several addresses. */
  #destinationOf(request: SipRequest, uri: Uri): string | Destinations | undefined {
    const { domains } = this.#options;
    // RFC 3966: visual separators are for people.
    if (isTelUri(uri)) return this.#find(uri.number.replace(/[-.()]/g, ""), domains.primary);
    if (!isSipUri(uri) || uri.user === undefined) return undefined;
    const domain = domains.canonical(uri.host);
    return this.#find(uri.user, domain, domain === uri.host ? request.writtenRequestAor : undefined);
  }

  /** True if there is a user of that name or stored alias. */
  #exists(name: string, domain: string): boolean {
    const { accounts } = this.#options;
    return accounts === undefined || accounts.resolve(name, domain) !== undefined;
  }

  /**
   * The one user of that name or stored alias.
   * @param aor - the address-of-record of `name`, if it is at hand
   */
  #userOf(name: string, domain: string, aor?: string): string | undefined {
    const { accounts } = this.#options;
    if (accounts === undefined) return aor ?? aorFor(name, domain);
    const account = accounts.resolve(name, domain);
    if (account === undefined) return undefined;
    const isWritten = aor !== undefined && account.user === name && account.domain === domain;
    return isWritten ? aor : aorFor(account.user, account.domain);
  }

  #find(name: string, domain: string, aor?: string): string | Destinations | undefined {
    const values = this.#valuesOf(name, domain);
    const { accounts } = this.#options;
    // A user of that name comes before an alias, unless every name is a user's.
    if (values === undefined || accounts?.resolve(name, domain) !== undefined)
      return this.#userOf(name, domain, aor);
    const destination: Destinations = { users: new Set(), others: new Set() };
    this.#expand(values, domain, destination, new Set([`${name}@${domain}`]));
    return destination.users.size + destination.others.size === 0 ? undefined : destination;
  }

  #valuesOf(name: string, domain: string): readonly string[] | undefined {
    if (this.#aliases.size === 0) return undefined;
    return this.#aliases.get(`${name}@${domain}`) ?? this.#aliases.get(name);
  }

  /** Aliases may lead to aliases; each name counts once, so a circle ends. */
  #expand(values: readonly string[], domain: string, into: Destinations, seen: Set<string>): void {
    for (const value of values) {
      const next = this.#localName(value, domain);
      if (next === undefined) {
        into.others.add(value.includes(":") ? value : `sip:${value}`);
        continue;
      }
      const key = `${next.name}@${next.domain}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const further = this.#valuesOf(next.name, next.domain);
      const isUser = this.#options.accounts?.resolve(next.name, next.domain) !== undefined;
      if (further !== undefined && !isUser) {
        this.#expand(further, next.domain, into, seen);
      } else {
        const aor = this.#userOf(next.name, next.domain);
        if (aor !== undefined) into.users.add(aor);
      }
    }
  }

  /** "bob", "bob@example.com" or "sip:bob@example.com" as a name of ours; undefined if it is elsewhere. */
  #localName(value: string, domain: string): { name: string; domain: string } | undefined {
    if (!value.includes(":") && !value.includes("@")) return { name: value, domain };
    const uri = parse(value.includes(":") ? value : `sip:${value}`);
    const { domains } = this.#options;
    if (uri === undefined || !isSipUri(uri) || uri.user === undefined || !domains.isOurHost(uri.host)) {
      return undefined;
    }
    return { name: uri.user, domain: domains.canonical(uri.host) };
  }
}

/** The name without "@" and the domain, if that is what it ends in. */
function nameIn(user: string, domain: string): string {
  const at = user.length - domain.length - 1;
  return at >= 0 && user.endsWith(domain) && user[at] === "@" ? user.slice(0, at) : user;
}

function aorFor(user: string, host: string): string {
  return aorOf({ scheme: "sip", user, host, params: noParams, headers: noParams });
}

const none: readonly string[] = [];
const noParams: ReadonlyMap<string, string> = new Map();

function parse(text: string): Uri | undefined {
  try {
    return parseUri(text);
  } catch {
    return undefined;
  }
}
