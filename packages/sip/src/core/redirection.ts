// The target set of a redirected request. RFC 3261 §8.1.3.4, §19.1.5.

import type { RequestPlan } from "../dialog/index.ts";
import { ParseError } from "../errors.ts";
import {
  type Contact,
  equalUri,
  type HeaderInit,
  isSipUri,
  isToken,
  type SipResponse,
  type SipUri,
  type Uri,
} from "../message/index.ts";
import { maxRedirectGenerations, maxRedirectTargets } from "./retry-guard.ts";

interface Candidate {
  readonly uri: Uri;
  readonly generation: number;
}

/** §19.1.5: header fields of a URI that would let a stranger steer the request, or say of its body what is not so. */
const dangerous = new Set([
  ...["from", "to", "call-id", "cseq", "via", "record-route", "route", "contact", "content-length"],
  ...["accept", "accept-encoding", "accept-language", "allow", "organization", "supported", "user-agent"],
  ...["max-forwards", "authorization", "proxy-authorization", "content-type", "body"],
  ...["content-encoding", "content-language", "date", "mime-version", "timestamp"],
]);

/** Contacts of 3xx responses in the order in which they are tried; every URI enters at most once. */
export class Redirection {
  readonly #original: Uri;
  readonly #seen: Uri[];
  readonly #waiting: Candidate[] = [];
  #generation = 0;

  constructor(requestUri: Uri) {
    this.#original = requestUri;
    this.#seen = [requestUri];
  }

  /** True once a 3xx was followed. */
  get isActive(): boolean {
    return this.#generation > 0 || this.#waiting.length > 0;
  }

  /** Adds the Contacts of a 3xx: higher q first, before those that are still waiting. */
  add(response: SipResponse): void {
    const generation = this.#generation + 1;
    if (generation > maxRedirectGenerations) return;
    const fresh: (Candidate & { q: number })[] = [];
    for (const contact of contactsOf(response)) {
      if (!mayRedirect(this.#original, contact.uri)) continue;
      // §8.1.3.4: no URI may be tried twice; this also ends loops.
      if (this.#seen.some((uri) => equalUri(uri, contact.uri)) || this.#seen.length > maxRedirectTargets)
        continue;
      this.#seen.push(contact.uri);
      fresh.push({ uri: contact.uri, generation, q: contact.q ?? 1 });
    }
    fresh.sort((a, b) => b.q - a.q);
    this.#waiting.unshift(...fresh);
  }

  /** The request for the next target; undefined when none is left. */
  next(plan: RequestPlan): RequestPlan | undefined {
    const candidate = this.#waiting.shift();
    if (candidate === undefined || !isSipUri(candidate.uri)) return undefined;
    this.#generation = candidate.generation;
    const params = new Map(candidate.uri.params);
    // §19.1.5: the Request-URI is the Contact without method and headers.
    params.delete("method");
    const requestUri: SipUri = { ...candidate.uri, params, headers: new Map() };
    const added: HeaderInit[] = [];
    for (const [name, value] of candidate.uri.headers) {
      if (mayStand(name, value)) added.push([name, value]);
    }
    const names = new Set(added.map(([name]) => name));
    const headers = plan.headers.filter(([name]) => !names.has(name.toLowerCase()));
    return { ...withoutNextHop(plan, requestUri), requestUri, headers: [...headers, ...added] };
  }
}

/** Escapes hide anything: what could not be a header field is left out, and short names (§7.3.3) of those above too. */
function mayStand(name: string, value: string): boolean {
  return !dangerous.has(name.toLowerCase()) && name.length > 1 && isToken(name) && !/[\r\n\0]/.test(value);
}

/** §8.1.2: where the first request went says nothing of this target; only the transport that it was given stays. */
function withoutNextHop({ nextHop, ...plan }: RequestPlan, target: SipUri): RequestPlan {
  const transport = nextHop !== undefined && isSipUri(nextHop) ? nextHop.params.get("transport") : undefined;
  if (transport === undefined || target.params.has("transport")) return plan;
  return { ...plan, nextHop: { ...target, params: new Map([...target.params, ["transport", transport]]) } };
}

/** The Contacts of a response but "*"; none if they cannot be read. */
export function contactsOf(response: SipResponse): Contact[] {
  try {
    return response.headers.getAll("Contact").filter((contact) => typeof contact !== "string");
  } catch (error) {
    if (error instanceof ParseError) return [];
    throw error;
  }
}

/** True if a URI may be tried instead of another because of a 3xx: sips: never gives way to sip: (RFC 5630 §5.3). */
export function mayRedirect(from: Uri, to: Uri): boolean {
  return isSipUri(to) && (from.scheme !== "sips" || to.scheme === "sips");
}
