// Names and places of one user agent: who it is, where it can be reached, where its requests go first.
// RFC 3261 §8.1.1, §8.1.2, §8.2.2.1.

import { ArgumentError } from "../errors.ts";
import {
  isSipUri,
  type NameAddr,
  noParams,
  parseNameAddr,
  parseUri,
  printNameAddr,
  printUri,
  type SipUri,
  type Uri,
} from "../message/index.ts";
import {
  type Flow,
  isIpv6,
  isLiteralAddress,
  isLoopback,
  isWildcard,
  type Listener,
} from "../transport/index.ts";
import type { MediaContext } from "./media-session.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

export class Addressing {
  readonly aor: NameAddr & { readonly uri: SipUri };
  /** The address-of-record as it stands in From. */
  readonly from: NameAddr;
  readonly #options: UserAgentOptions;
  readonly #listeners: readonly Listener[];
  readonly #sentBy: (flow: Flow) => string;
  readonly #userPart: string;
  /** Set if we have no UDP, which is what a SIP URI without transport means (RFC 3263 §4.1). */
  readonly #onlyTransport: string | undefined;

  /** @throws {ArgumentError} if the address-of-record is no SIP URI */
  constructor(options: UserAgentOptions, listeners: readonly Listener[], sentBy: (flow: Flow) => string) {
    this.#options = options;
    this.#listeners = listeners;
    this.#sentBy = sentBy;
    this.aor = addressOfRecord(options.aor);
    this.from = forFromAndTo(this.aor);
    const { user } = this.aor.uri;
    const bare: SipUri = { scheme: "sip", host: "h", params: noParams, headers: noParams };
    // Escaped where it must be, with the "@".
    this.#userPart = user === undefined ? "" : printUri({ ...bare, user }).slice("sip:".length, -"h".length);
    const { transports = [] } = options;
    const [first] = transports;
    if (first !== undefined && transports.every(({ transport }) => transport !== "UDP")) {
      this.#onlyTransport = first.transport.toLowerCase();
    }
  }

  /** §8.1.1.8, §12.1.1: where this user agent itself can be reached, past any registrar. */
  contact(sentBy: string, transport: string, isSecure = false): string {
    const { contact } = this.#options;
    if (contact !== undefined) return printNameAddr({ uri: parseUri(contact), params: noParams });
    const scheme = isSecure ? "sips" : "sip";
    const isWebSocket = transport === "WS" || transport === "WSS";
    const name = isWebSocket ? "ws" : transport.toLowerCase();
    const parameter = name === "udp" || (isSecure && name === "tls") ? "" : `;transport=${name}`;
    return `<${scheme}:${this.#userPart}${sentBy}${parameter}>`;
  }

  /** The address of the socket that a peer is reached by, and how that looks from there. */
  towards(peer: string | undefined): Pick<MediaContext, "localAddress" | "publicAddress"> {
    const address = peer !== undefined && isLiteralAddress(peer) ? peer : undefined;
    const listener =
      this.#listeners.find((own) => address === undefined || isIpv6(own.address) === isIpv6(address)) ??
      this.#listeners[0];
    if (listener === undefined) return { localAddress: undefined, publicAddress: undefined };
    const localAddress = listener.address;
    const advertised = listener.advertise?.host;
    if (advertised !== undefined && isLiteralAddress(advertised)) {
      return { localAddress, publicAddress: advertised };
    }
    if (!isWildcard(localAddress)) return { localAddress, publicAddress: localAddress };
    const known = listener.localAddresses ?? [];
    if (address === undefined) {
      const outside = known.find((local) => !isLoopback(local.address)) ?? known[0];
      return { localAddress, publicAddress: outside?.address ?? localAddress };
    }
    // The same choice as for Via.
    const remote = { address, port: 5060 };
    const { transport } = listener;
    const flow: Flow = { id: "", transport, isReliable: false, listener, remote, state: "open" };
    return { localAddress, publicAddress: hostOf(this.#sentBy(flow)) };
  }

  /** §8.1.1.8: whether the Contact of a request to this URI has to be SIPS. */
  needsSips(uri: Uri): boolean {
    const { outboundProxy } = this.#options;
    return (
      uri.scheme === "sips" || (outboundProxy !== undefined && parseUri(outboundProxy).scheme === "sips")
    );
  }

  /** §8.1.2: the pre-loaded route; or where to go instead of the Request-URI, if that is not enough. */
  route(uri: Uri): { routes: readonly string[]; nextHop: Uri | undefined } {
    const { outboundProxy } = this.#options;
    if (outboundProxy !== undefined) {
      let proxy = this.#reachable(parseUri(outboundProxy));
      // RFC 5630 §5.1.1: with a SIPS Request-URI the whole route is SIPS.
      if (uri.scheme === "sips" && isSipUri(proxy)) proxy = asSips(proxy);
      const loose = isSipUri(proxy) ? { ...proxy, params: new Map([...proxy.params, ["lr", ""]]) } : proxy;
      return { routes: [printNameAddr({ uri: loose, params: noParams })], nextHop: undefined };
    }
    // What is no SIP URI goes to our own domain.
    const nextHop = this.#reachable(isSipUri(uri) ? uri : this.registrar);
    return { routes: [], nextHop: nextHop === uri ? undefined : nextHop };
  }

  #reachable(uri: Uri): Uri {
    if (this.#onlyTransport === undefined || !isSipUri(uri) || uri.params.has("transport")) return uri;
    return { ...uri, params: new Map([...uri.params, ["transport", this.#onlyTransport]]) };
  }

  /** The host that requests to this URI go to first. */
  firstHop(uri: Uri): string | undefined {
    const { outboundProxy } = this.#options;
    const hop = outboundProxy === undefined ? uri : parseUri(outboundProxy);
    return isSipUri(hop) ? (hop.params.get("maddr") ?? hop.host) : undefined;
  }

  /** §10.2: the Request-URI of a REGISTER has no user. */
  get registrar(): Uri {
    const { registrar } = this.#options;
    if (registrar !== undefined) return parseUri(registrar);
    const { scheme, host, port, params } = this.aor.uri;
    return {
      ...{ scheme, host, headers: noParams },
      params: params.has("transport") ? new Map([["transport", params.get("transport") ?? ""]]) : noParams,
      ...(port === undefined ? {} : { port }),
    };
  }

  /** A URI, a name-addr, or a name in our own domain. */
  target(target: string): NameAddr {
    if (target.includes("<") || /^[a-z][a-z0-9+.-]*:/i.test(target)) return addressOf(target);
    if (target.includes("@")) return { uri: parseUri(`sip:${target}`), params: noParams };
    const registrar = this.registrar;
    return { uri: { ...(isSipUri(registrar) ? registrar : this.aor.uri), user: target }, params: noParams };
  }

  /** §8.2.2.1. */
  accepts(uri: Uri): boolean {
    const { accepts, contact } = this.#options;
    if (accepts === true) return true;
    if (accepts !== undefined) return accepts(uri);
    if (!isSipUri(uri)) return false;
    if (uri.user === undefined || uri.user === this.aor.uri.user) return true;
    const own = contact === undefined ? undefined : parseUri(contact);
    return own !== undefined && isSipUri(own) && own.user === uri.user;
  }
}

/** A transport parameter would contradict it, WebSocket's apart: that one has its TLS form. */
function asSips(uri: SipUri): SipUri {
  const params = new Map(uri.params);
  if (!/^wss?$/i.test(params.get("transport") ?? "")) params.delete("transport");
  return { ...uri, scheme: "sips", params };
}

function addressOfRecord(text: string): NameAddr & { readonly uri: SipUri } {
  const address = addressOf(text);
  const { uri } = address;
  if (!isSipUri(uri)) throw new ArgumentError("the address-of-record has to be a sip: or sips: URI");
  return { ...address, uri };
}

/** A URI, whose parameters are its own, or a name-addr. */
export function addressOf(text: string): NameAddr {
  if (!text.includes("<")) return { uri: parseUri(text), params: noParams };
  const { displayName, uri } = parseNameAddr(text);
  return displayName === undefined ? { uri, params: noParams } : { displayName, uri, params: noParams };
}

/** §19.1.1 Table 1: what has no place in From and To. Laxer than the table: a port stays, it helps to call back. */
export function forFromAndTo(address: NameAddr): NameAddr {
  const { uri } = address;
  if (!isSipUri(uri)) return address;
  const params = new Map(uri.params);
  for (const name of ["transport", "maddr", "ttl", "lr", "method"]) params.delete(name);
  return { ...address, uri: { ...uri, params, headers: noParams } };
}

/** The host of "host:port", without brackets. */
function hostOf(sentBy: string): string {
  const host = sentBy.startsWith("[") ? sentBy.slice(1, sentBy.indexOf("]")) : sentBy.split(":", 1)[0];
  return host ?? sentBy;
}
