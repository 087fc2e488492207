// Route preprocessing: what a request's Request-URI and Route say about us, taken off. RFC 3261 §16.4, RFC 5658 §6.

import type { HashKey } from "../keyed-hash.ts";
import { isSipUri, type NameAddr, type SipRequest, type SipUri, type Uri } from "../message/index.ts";
import type { Flow, Listener } from "../transport/flow.ts";
import type { OwnRoutes } from "./own-route.ts";
import { isPathValue, isSigned, type RecordedRoute, verifyRoute } from "./record-route.ts";

/** What preprocessing found. The message itself is not touched: forwarding applies this as edits. */
export interface RouteDecision {
  /** How many Route values to remove from the top, because they named us. */
  readonly popped: number;
  /** A strict router upstream: the last Route value became the Request-URI and goes too. */
  readonly tookLast: boolean;
  /** The Request-URI to go on with, if it is not the received one. */
  readonly requestUri: Uri | undefined;
  /** The Route values that remain. */
  readonly remaining: readonly NameAddr[];
  /**
   * True if a value that we recorded and signed led here: for this dialog, of which the request claims to be a part by
   * its To tag, or as a Path whose flow it takes.
   */
  readonly isRecorded: boolean;
  /** The last of the values taken off that we recorded: it names the listener to leave by (RFC 5658 §4). */
  readonly leaveBy: SipUri | undefined;
  /** That listener, if it is known. */
  readonly listener: Listener | undefined;
  /** The flow to go on over, named by a signed value; only where no Route remains. */
  readonly flowId: string | undefined;
  /** True if that flow was named by a Path: then there is no other way (RFC 5626 §5.3.1). */
  readonly isPath: boolean;
  /** True if a Path value of ours was changed, or made up (RFC 5626 §5.3.1). */
  readonly isForged: boolean;
}

const noRoutes: readonly NameAddr[] = [];

/** Nothing named us: go on with the request as it came. */
export const untouched: RouteDecision = {
  popped: 0,
  tookLast: false,
  requestUri: undefined,
  remaining: noRoutes,
  isRecorded: false,
  leaveBy: undefined,
  listener: undefined,
  flowId: undefined,
  isPath: false,
  isForged: false,
};

/** What preprocessing must know of this proxy. */
export interface OwnIdentity {
  readonly key: HashKey;
  readonly ownRoutes?: OwnRoutes;
  isOurs(uri: Uri): boolean;
}

/**
 * Applies §16.4. Returns `untouched` itself if there was nothing to do and no Route at all.
 * @throws {ParseError} for a Route value that cannot be read
 */
export function preprocessRoute(request: SipRequest, arrival: Flow, self: OwnIdentity): RouteDecision {
  const received = request.requestUri;
  const { hasRoute } = request;
  const mayNameUs = isSipUri(received) && (isSigned(received) || received.params.has("maddr"));
  // The common case: no Route, and no parameter that could concern us.
  if (!hasRoute && !mayNameUs) return untouched;
  if (!mayNameUs && request.hasToTag) {
    // In a dialog there is nearly always one Route value, which we recorded.
    const route = self.ownRoutes?.leading(request);
    if (route !== undefined && self.isOurs(route.uri)) return route.decision;
  }

  let routes = hasRoute ? request.headers.getAll("Route") : noRoutes;
  let requestUri: Uri | undefined;
  let tookLast = false;
  let isRecorded = false;
  let isPath = false;
  let isForged = false;
  let flowId: string | undefined;
  let leaveBy: SipUri | undefined;
  /** Outside a dialog a value seen in one before is worth nothing: the relay rules are asked again. */
  const follow = (recorded: RecordedRoute, uri: SipUri): void => {
    isPath = recorded.direction === "path";
    if (!isPath && !request.hasToTag) return;
    isRecorded = true;
    if (!isPath) leaveBy = uri;
    flowId = recorded.flowId ?? flowId;
  };

  if (mayNameUs) {
    // §16.4: our Record-Route value in the Request-URI comes from a strict router; the last Route value
    // is where the request really goes.
    if (routes.length > 0 && isSigned(received) && self.isOurs(received)) {
      const recorded = verifyRoute(self.key, received, request);
      const last = routes[routes.length - 1];
      if (recorded !== undefined && last !== undefined) {
        follow(recorded, received);
        requestUri = last.uri;
        routes = routes.slice(0, -1);
        tookLast = true;
      }
    }
    const current = requestUri ?? received;
    if (isSipUri(current)) requestUri = withoutOwnMaddr(current, arrival, self) ?? requestUri;
  }

  // §16.4: the first value goes if it names us. A second one of the same signature is the other half of a double
  // Record-Route (RFC 5658), or this proxy again after a spiral: each would lead straight back here.
  let popped = 0;
  for (const { uri } of routes) {
    if (!isSipUri(uri) || !self.isOurs(uri)) break;
    const recorded = verifyRoute(self.key, uri, request);
    if (recorded !== undefined) {
      follow(recorded, uri);
    } else if (popped > 0) {
      break;
    } else if (isPathValue(uri)) {
      isForged = true;
    }
    popped++;
  }
  const remaining = popped === 0 ? routes : routes.slice(popped);
  if (popped === 0 && !tookLast && requestUri === undefined && remaining.length === 0) return untouched;
  return {
    popped,
    tookLast,
    requestUri,
    remaining,
    // Whoever registered through us knows the Path: it opens the way over its flow and nowhere else.
    isRecorded: isRecorded && !(isPath && remaining.length > 0),
    leaveBy,
    listener: undefined,
    // Further Route values name the next hop; a flow of ours would lead past it.
    flowId: remaining.length === 0 ? flowId : undefined,
    isPath: isPath && remaining.length === 0,
    isForged,
  };
}

/** §16.4: a maddr of ours, on the port and transport that the request came by, is taken off with both of them. */
function withoutOwnMaddr(uri: SipUri, arrival: Flow, self: OwnIdentity): SipUri | undefined {
  const maddr = uri.params.get("maddr");
  if (maddr === undefined) return undefined;
  if (!self.isOurs({ scheme: uri.scheme, host: maddr.toLowerCase(), params: noParams, headers: noParams })) {
    return undefined;
  }
  const transport = (uri.params.get("transport") ?? (uri.scheme === "sips" ? "tls" : "udp")).toUpperCase();
  const port = uri.port ?? (transport === "TLS" ? 5061 : 5060);
  const { listener } = arrival;
  const listening = listener.advertise?.port ?? listener.port;
  if (transport !== arrival.transport || (port !== listener.port && port !== listening)) return undefined;
  const params = new Map(uri.params);
  params.delete("maddr");
  params.delete("transport");
  const { scheme, user, password, host, headers } = uri;
  return { scheme, user, password, host, params, headers };
}

const noParams: ReadonlyMap<string, string> = new Map();
