// New targets out of responses: the contacts of a 3xx, the SIP form of a tel URI after a 416. RFC 3261 §16.7 step 4,
// RFC 5630 §5.3, RFC 3841 §9.1.

import {
  type Contact,
  isSipUri,
  isTelUri,
  parseNameAddr,
  parseUri,
  printNameAddr,
  printUri,
  type SipRequest,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import { asRequestUri } from "./forward.ts";
import type { ProxyTarget } from "./targets.ts";

/** Redirections in a row, and targets won from redirections in all: no redirect server keeps us busy for ever. */
export const recursionLimits = { generations: 5, targets: 10 } as const;

/** What a redirection gives. */
export interface Recursion {
  readonly targets: ProxyTarget[];
  /** Contacts that stay in the response, as header values. */
  readonly leftover: string[];
}

/** Which contacts of a 3xx this proxy tries itself; undefined if it leaves the response as it is. */
export function recursionOf(
  request: SipRequest,
  response: SipResponse,
  tried: ProxyTarget,
  room: number,
  isOurs: (uri: Uri) => boolean,
): Recursion | undefined {
  const generation = (tried.generation ?? 0) + 1;
  if (generation > recursionLimits.generations || forbidsRecursion(request)) return undefined;
  let contacts: (Contact | "*")[];
  try {
    contacts = response.headers.getAll("Contact");
  } catch {
    return undefined;
  }
  const targets: ProxyTarget[] = [];
  const leftover: string[] = [];
  for (const contact of contacts) {
    if (contact === "*") return undefined;
    // RFC 5630 §5.3: neither from SIPS to SIP nor the other way; other schemes are the caller's business. So are
    // users of ours: whether the caller may call them, and where they are, is asked when it does.
    const { uri } = contact;
    if (isSipUri(uri) && uri.scheme === request.requestUri.scheme && !isOurs(uri) && targets.length < room) {
      targets.push({ uri: asRequestUri(uri), q: contact.q ?? 1, generation });
    } else {
      leftover.push(printNameAddr(contact));
    }
  }
  return targets.length === 0 ? undefined : { targets, leftover };
}

/**
 * After a 416 to a tel URI that this proxy had put in place of a SIP URI: the same number as a SIP URI in the
 * domain that was asked.
 */
export function sipFormOf(request: SipRequest, tried: ProxyTarget): ProxyTarget | undefined {
  const received = request.requestUri;
  // RFC 5630 §5.3: never for SIPS.
  if (!isSipUri(received) || received.scheme === "sips") return undefined;
  const uri = typeof tried.uri === "string" ? safeParse(tried.uri) : tried.uri;
  if (uri === undefined || !isTelUri(uri)) return undefined;
  const route = tried.path?.[0] === undefined ? undefined : parseNameAddr(tried.path[0]).uri;
  const host = route !== undefined && isSipUri(route) ? route.host : received.host;
  const user = printUri(uri).slice("tel:".length);
  return {
    ...tried,
    uri: { scheme: "sip", user, host, params: new Map([["user", "phone"]]), headers: new Map() },
  };
}

/** RFC 3841 §9.1: the caller's wish, and "redirect" means that it wants to see the 3xx itself. */
function forbidsRecursion(request: SipRequest): boolean {
  if (!request.headers.has("Request-Disposition")) return false;
  return request.headers
    .rawAll("Request-Disposition")
    .some((line) => line.split(",").some((item) => /^\s*(?:no-recurse|redirect)\s*$/i.test(item)));
}

function safeParse(text: string): Uri | undefined {
  try {
    return parseUri(text);
  } catch {
    return undefined;
  }
}
