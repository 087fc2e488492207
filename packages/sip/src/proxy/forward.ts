// One copy of a request for one target: which edits it gets and where it goes. RFC 3261 §16.6 steps 1–9, RFC 5393 §5.3.3,
// RFC 3327 §5.2 and §5.4, RFC 5658. Via and branch are the stack's work, and so is the way to an address (step 7).

import { optionTags } from "../core/index.ts";
import { ParseError } from "../errors.ts";
import type { HashKey } from "../keyed-hash.ts";
import { CONTENT_LENGTH, headerIdOf } from "../message/header-table.ts";
import {
  type ForwardEdits,
  type HeaderInit,
  isSipUri,
  type NameAddr,
  PrintedHeaders,
  parseNameAddr,
  parseUri,
  printNameAddr,
  printUri,
  type SipHeaders,
  type SipRequest,
  type Uri,
} from "../message/index.ts";
import { isWildcard } from "../transport/address.ts";
import type { Flow, Listener, Target, TransportName } from "../transport/flow.ts";
import type { OwnRoutes } from "./own-route.ts";
import type { RouteDecision } from "./preprocess-route.ts";
import { pathParams, recordRouteParams } from "./record-route.ts";
import { isReachable, type ProxyTarget } from "./targets.ts";

const MAX_BREADTH = headerIdOf("Max-Breadth");
const PROXY_AUTHORIZATION = headerIdOf("Proxy-Authorization");

/** RFC 5393 §5.3.3: what a request without Max-Breadth gets, and the most that one may bring. */
export const defaultMaxBreadth = 60;

/** What forwarding must know of this proxy. */
export interface ForwardSettings {
  readonly key: HashKey;
  readonly ownRoutes: OwnRoutes;
  /** Stay on the path of dialogs (§16.6 step 4). */
  readonly recordRoute: boolean;
  /** Put ourselves into Path when a REGISTER goes on to another registrar (RFC 3327 §5.2). */
  readonly addPath: boolean;
  /** That registrar must understand the Path. */
  readonly requirePath: boolean;
  /** Realms whose credentials were for us and end here (§22.3). */
  isOurRealm(realm: string): boolean;
  /** The sent-by of requests on this flow. */
  sentBy(flow: Flow): string;
  /** All listeners: a copy may leave by another one than it came in. */
  listeners(): Iterable<Listener>;
  /** Where requests to this URI go, if nobody has to be asked for it. */
  located(uri: Uri): readonly Target[] | undefined;
  /** The listener that is reached there. */
  listenerNamed(host: string, port: number | undefined, transport: TransportName): Listener | undefined;
  /** The listener of that transport that requests to this address leave by. */
  listenerFor(transport: TransportName, address: string, preferred?: Listener): Listener | undefined;
}

/** What to change and where to send; at most one of `flow`, `addresses` and `nextHop` is set. */
export interface Forwarding {
  readonly edits: ForwardEdits;
  readonly flow: Flow | undefined;
  readonly addresses: readonly Target[] | undefined;
  /** What has to be located first. */
  readonly nextHop: Uri | undefined;
  /** The Request-URI of the edits, where it had to be read. */
  readonly requestUri: Uri | undefined;
  /** Leave by this one, if it can reach the target. */
  readonly listener: Listener | undefined;
}

/**
 * Plans one copy.
 * @param breadth the copy's share of Max-Breadth; undefined: what the request brought, or the default
 * @throws {ParseError} if the target's URI or Path cannot be read
 */
export function planForward(
  settings: ForwardSettings,
  request: SipRequest,
  arrival: Flow,
  decision: RouteDecision,
  target: ProxyTarget,
  breadth: number | undefined,
): Forwarding {
  // Step 2: the target's URI, without what a Request-URI may not have.
  let requestUri = target.uri;
  let read = typeof requestUri === "string" ? target.read : requestUri;
  if (read === undefined ? needsStripping(requestUri as string) : hasPartsToStrip(read)) {
    read = asRequestUri(read ?? parseUri(requestUri as string));
    requestUri = read;
  }
  // RFC 5630 §5.3: a SIP request reaches a SIPS contact by its SIP form, but over TLS all the same.
  let isSips = startsWithSips(requestUri);
  const isRaised = isSips && request.requestUri.scheme !== "sips";
  if (isRaised) {
    requestUri = sipFormOfSips(requestUri);
    read = typeof requestUri === "string" ? undefined : requestUri;
    isSips = false;
  }
  // All of one shape.
  const edits: Writable<ForwardEdits> = {
    requestUri: requestUri === request.requestUri ? undefined : requestUri,
    maxForwards: undefined,
    removeRoutes: undefined,
    routes: undefined,
    pushRoutes: undefined,
    recordRoutes: undefined,
    recordRoute: undefined,
    path: undefined,
    printed: undefined,
    add: undefined,
    remove: undefined,
  };

  // Step 3: absent counts as 71, so that 70 is added.
  edits.maxForwards = Math.min(255, (request.maxForwards ?? 71) - 1);

  // Step 6: the Route set that is left, with a registration's Path in front of it (RFC 3327 §5.4).
  const path = target.path;
  if (decision.popped > 0) edits.removeRoutes = decision.popped;
  let nextHop: Uri | undefined;
  if ((path !== undefined && path.length > 0) || decision.remaining.length > 0 || decision.tookLast) {
    const routes = path === undefined ? decision.remaining : [...path.map(readRoute), ...decision.remaining];
    const first = routes[0]?.uri;
    if (first !== undefined && isSipUri(first) && !first.params.has("lr")) {
      // A strict router next: it expects itself in the Request-URI and the target as last Route value.
      edits.requestUri = first;
      edits.removeRoutes = undefined;
      edits.routes = [...routes.slice(1).map(printNameAddr), `<${textOf(requestUri)}>`];
    } else if (decision.tookLast) {
      edits.removeRoutes = undefined;
      edits.routes = routes.map(printNameAddr);
    } else if (path !== undefined && path.length > 0) {
      edits.pushRoutes = [...path];
    }
    nextHop = first;
  }

  let flow: Flow | undefined;
  let addresses: readonly Target[] | undefined;
  let requestUriRead: Uri | undefined;
  if (nextHop === undefined) {
    flow = target.flow;
    if (flow === undefined) addresses = target.addresses;
    if (isRaised || isSips) {
      // §26.2.2: not by a way without TLS, however well it is known.
      if (flow !== undefined && !isTls(flow.transport)) flow = undefined;
      addresses = addresses?.filter(({ transport }) => isTls(transport));
      if (addresses?.length === 0) addresses = undefined;
    }
    if (flow === undefined && addresses === undefined) {
      nextHop = read ?? parseUri(requestUri as string);
      if (edits.requestUri === requestUri) requestUriRead = nextHop;
    }
  }
  // Step 7: a SIPS Request-URI makes the next hop's URI count as SIPS.
  const isSecure = isSips || nextHop?.scheme === "sips";
  if ((isSecure || isRaised) && nextHop !== undefined && isSipUri(nextHop) && nextHop.scheme === "sip") {
    nextHop = { ...nextHop, scheme: "sips" };
  }
  if (nextHop !== undefined) {
    addresses = settings.located(nextHop);
    if (addresses !== undefined) nextHop = undefined;
  }

  const { leaveBy } = decision;
  const listener =
    target.listener ??
    decision.listener ??
    (leaveBy && settings.listenerNamed(leaveBy.host, leaveBy.port, transportOf(leaveBy)));
  if (settings.recordRoute && mayFormDialog(request.method)) {
    const leaving = flow ?? leavingFlow(settings, arrival, addresses?.[0], nextHop, listener);
    addRecordRoutes(settings, request, arrival, flow, leaving, isSecure, edits);
  }
  if (settings.addPath && request.method === "REGISTER" && supportsPath(request)) {
    const uri = ownUri(arrival.listener, settings.sentBy(arrival), false);
    edits.path = [`<${uri}${pathParams(settings.key, arrival)}>`];
  }
  addBreadth(request, breadth, edits);
  if (request.headers.hasField(PROXY_AUTHORIZATION)) consumeCredentials(settings, request, edits);
  if (!request.headers.hasField(CONTENT_LENGTH)) {
    // Step 9, and harmless on UDP.
    edits.add = [...(edits.add ?? []), ["Content-Length", request.body.length]];
  }
  // RFC 3327 §5.2.
  if (edits.path !== undefined && settings.requirePath)
    edits.add = [...(edits.add ?? []), ["Require", "path"]];
  return { edits, flow, addresses, nextHop, requestUri: requestUriRead, listener };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

// --- Record-Route --------------------------------------------------------------------------------------------

/** Methods that never form a dialog; all others, unknown ones too, may (§16.6 step 4). */
const outsideDialogs: ReadonlySet<string> = new Set([
  "ACK",
  "BYE",
  "CANCEL",
  "INFO",
  "MESSAGE",
  "OPTIONS",
  "PRACK",
  "PUBLISH",
  "REGISTER",
]);

function mayFormDialog(method: string): boolean {
  return method === "INVITE" || !outsideDialogs.has(method);
}

function addRecordRoutes(
  settings: ForwardSettings,
  request: SipRequest,
  arrival: Flow,
  flow: Flow | undefined,
  leaving: Flow,
  isSecure: boolean,
  edits: Writable<ForwardEdits>,
): void {
  const { ownRoutes } = settings;
  const { listener } = arrival;
  const sender = flowToSender(request, arrival);
  const isPlain = sender === undefined && flow === undefined;
  const isOneAddress = showsTheSame(leaving.listener, listener);
  if (isPlain && isOneAddress) {
    edits.recordRoute = ownRoutes.ofListener(listener, isSecure);
    if (edits.recordRoute !== undefined) return;
  }
  const inbound = ownUri(listener, settings.sentBy(arrival), isSecure);
  const outbound = isOneAddress ? inbound : ownUri(leaving.listener, settings.sentBy(leaving), isSecure);
  if (isPlain && outbound === inbound) {
    edits.recordRoute = ownRoutes.of(inbound, listener, isSecure);
    return;
  }
  const params = recordRouteParams(settings.key, request, sender, flow);
  // RFC 5658 §4: two values where the two sides must use different URIs, the one for downstream on top.
  edits.recordRoutes =
    outbound === inbound ? [`<${inbound}${params}>`] : [`<${outbound}${params}>`, `<${inbound}${params}>`];
}

/** As much of the flow that a copy will take as can be told before its target is located. */
function leavingFlow(
  settings: ForwardSettings,
  arrival: Flow,
  first: Target | undefined,
  nextHop: Uri | undefined,
  preferred: Listener | undefined,
): Flow {
  const transport = first?.transport ?? transportOf(nextHop);
  let listener: Listener | undefined;
  if (first !== undefined) listener = settings.listenerFor(transport, first.address, preferred);
  else if (preferred?.transport === transport) listener = preferred;
  else if (transport !== arrival.transport) listener = findListener(settings.listeners(), transport);
  if (listener === undefined || showsTheSame(listener, arrival.listener)) return arrival;
  const remote = first === undefined ? arrival.remote : { address: first.address, port: 0 };
  return { ...arrival, transport, listener, remote };
}

/** One socket on all addresses shows each side another of them. */
function showsTheSame(listener: Listener, arrival: Listener): boolean {
  return listener === arrival && !isWildcard(listener.address);
}

/**
 * The arrival's flow, if later requests towards the sender have to use it: it sent this itself, and over a
 * connection or from behind a NAT. (RFC 5626 §5.3.2.)
 */
function flowToSender(request: SipRequest, arrival: Flow): Flow | undefined {
  if (!arrival.isReliable) {
    if (request.topHost === arrival.remote.address) return undefined;
    const contact = request.headers.raw("Contact");
    if (contact === undefined || isReachable(contact, arrival.remote.address)) return undefined;
  }
  // Behind another proxy, that proxy knows the way.
  return request.headers.getAll("Via").length === 1 ? arrival : undefined;
}

function ownUri(listener: Listener, address: string, isSecure: boolean): string {
  const { transport } = listener;
  // Step 4: SIPS if the target is SIPS. A transport parameter is added because this very transport is in use.
  if (isSecure) return transport === "WSS" ? `sips:${address};transport=ws;lr` : `sips:${address};lr`;
  switch (transport) {
    case "UDP":
      return `sip:${address};lr`;
    case "TCP":
      return `sip:${address};transport=tcp;lr`;
    case "TLS":
      return `sip:${address};transport=tls;lr`;
    default:
      return `sip:${address};transport=ws;lr`;
  }
}

/** RFC 3263 §4.1 as far as the URI alone decides it. */
function transportOf(uri: Uri | undefined): TransportName {
  if (uri === undefined || !isSipUri(uri)) return "UDP";
  const param = uri.params.get("transport");
  if (uri.scheme === "sips") return param === "ws" ? "WSS" : "TLS";
  if (param === undefined) return "UDP";
  const transport = param.toUpperCase();
  return transport === "TCP" || transport === "TLS" || transport === "WS" || transport === "WSS"
    ? transport
    : "UDP";
}

function findListener(listeners: Iterable<Listener>, transport: TransportName): Listener | undefined {
  for (const listener of listeners) if (listener.transport === transport) return listener;
  return undefined;
}

// --- Headers -------------------------------------------------------------------------------------------------

const wholeBreadth = new PrintedHeaders([["Max-Breadth", defaultMaxBreadth]]);

/** RFC 5393 §5.3.3: every forwarded request has exactly one Max-Breadth, never above our maximum. */
function addBreadth(request: SipRequest, share: number | undefined, edits: Writable<ForwardEdits>): void {
  const has = request.headers.hasField(MAX_BREADTH);
  if (share === undefined || share === defaultMaxBreadth) {
    if (!has) {
      edits.printed = wholeBreadth;
      return;
    }
    if (breadthOf(request) === receivedBreadth(request)) return;
  } else if (has && receivedBreadth(request) === share) {
    return;
  }
  if (has) edits.remove = ["Max-Breadth"];
  edits.add = [["Max-Breadth", share ?? breadthOf(request)]];
}

/** The Incoming Max-Breadth (RFC 5393 §5.3.2), bounded by ours. */
export function breadthOf(request: SipRequest): number {
  if (!request.headers.hasField(MAX_BREADTH)) return defaultMaxBreadth;
  const received = receivedBreadth(request);
  return received >= 1 && received < defaultMaxBreadth ? received : defaultMaxBreadth;
}

function receivedBreadth(request: SipRequest): number {
  const text = request.headers.rawAll("Max-Breadth");
  return text.length === 1 && /^\s*\d{1,9}\s*$/.test(text[0] ?? "") ? Number(text[0]) : -1;
}

/**
 * §22.3: credentials for other realms go on. Ours do not: whoever is called could guess the password from them at
 * leisure.
 */
function consumeCredentials(
  settings: ForwardSettings,
  request: SipRequest,
  edits: Writable<ForwardEdits>,
): void {
  const lines = request.headers.rawAll("Proxy-Authorization");
  const credentials = readCredentials(request);
  const others = lines.filter((_, i) => {
    const one = credentials[i];
    return (
      one === undefined || one.realmStart < 0 || !settings.isOurRealm(one.text(one.realmStart, one.realmEnd))
    );
  });
  if (others.length === lines.length) return;
  edits.remove = [...(edits.remove ?? []), "Proxy-Authorization"];
  const kept = others.map((line): HeaderInit => ["Proxy-Authorization", line]);
  if (kept.length > 0) edits.add = [...(edits.add ?? []), ...kept];
}

/** By line; of those that cannot be read nobody lets anybody in. */
function readCredentials({ headers }: SipRequest): ReturnType<SipHeaders["digestCredentials"]> {
  try {
    return headers.digestCredentials("Proxy-Authorization");
  } catch (error) {
    if (error instanceof ParseError) return [];
    throw error;
  }
}

/** RFC 3327 §5.2: whether the sender of a REGISTER knows Path. */
export function supportsPath({ headers }: SipRequest): boolean {
  return optionTags([...headers.rawAll("Supported"), ...headers.rawAll("Require")]).includes("path");
}

// --- URIs ----------------------------------------------------------------------------------------------------

function hasPartsToStrip(uri: Uri): boolean {
  return isSipUri(uri) && (uri.headers.size > 0 || uri.params.has("method"));
}

function needsStripping(uri: string): boolean {
  return uri.includes("?") || (uri.includes(";") && /;method=/i.test(uri));
}

/** §19.1.1: no header fields and no method in a Request-URI. */
export function asRequestUri(uri: Uri): Uri {
  if (!isSipUri(uri)) return uri;
  const params = new Map(uri.params);
  params.delete("method");
  return { ...uri, params, headers: new Map() };
}

function readRoute(value: string): NameAddr {
  return parseNameAddr(value);
}

function textOf(uri: string | Uri): string {
  return typeof uri === "string" ? uri : printUri(uri);
}

function sipFormOfSips(uri: string | Uri): string | Uri {
  if (typeof uri === "string") return `sip${uri.slice("sips".length)}`;
  return isSipUri(uri) ? { ...uri, scheme: "sip" } : uri;
}

function isTls(transport: TransportName): boolean {
  return transport === "TLS" || transport === "WSS";
}

/** RFC 5630 §5.3: a SIPS request is not forwarded to anything but SIPS. */
export function wouldDowngrade(request: SipRequest, target: ProxyTarget): boolean {
  return request.requestUri.scheme === "sips" && !startsWithSips(target.uri);
}

function startsWithSips(uri: string | Uri): boolean {
  if (typeof uri !== "string") return uri.scheme === "sips";
  // The fourth letter tells nearly all others apart.
  return (uri.charCodeAt(3) | 0x20) === 115 && /^sips:/i.test(uri);
}
