// Locating servers, RFC 3263 §4: from a URI to the places to try. What can be said without asking anybody
// is said here; names become a query for the driver.

import { TransportError } from "../errors.ts";
import type { SipUri, Uri } from "../message/index.ts";
import { isSipUri } from "../message/index.ts";
import { canonicalHost, defaultPort, isIpv4, isLiteralAddress } from "./address.ts";
import type { Target, TransportName } from "./flow.ts";
import type { ResolveQuery } from "./transport.ts";

/** What is known about the next hop: targets, a question to ask, or why there is no way to it. */
export type Location =
  | { readonly kind: "targets"; readonly targets: readonly Target[] }
  | { readonly kind: "query"; readonly query: Omit<ResolveQuery, "id"> }
  | { readonly kind: "error"; readonly error: TransportError };

/**
 * The next hop of a URI: literal addresses as targets at once, names as a query. Only sip and sips URIs have
 * one; a tel URI must be mapped to one of them first (RFC 3966 §5).
 */
export function locate(uri: Uri): Location {
  if (!isSipUri(uri)) return failure(`a ${uri.scheme} URI names no host`);
  const target = literalTarget(uri);
  if (target !== undefined) return { kind: "targets", targets: [target] };
  const transport = namedTransport(uri);
  if (transport === "unknown") return failure(`transport ${uri.params.get("transport")} is not known here`);
  const { port } = uri;
  return {
    kind: "query",
    query: {
      host: canonicalHost(hostOf(uri)),
      secure: uri.scheme === "sips",
      uri,
      ...(port === undefined ? {} : { port }),
      ...(transport === undefined ? {} : { transport }),
    },
  };
}

/** The target that a URI with a literal address is itself; undefined for all others. */
export function literalTarget(uri: Uri): Target | undefined {
  if (!isSipUri(uri)) return undefined;
  let address = hostOf(uri);
  if (!isIpv4(address)) {
    address = canonicalHost(address);
    if (!isLiteralAddress(address)) return undefined;
  }
  const named = namedTransport(uri);
  if (named === "unknown") return undefined;
  // §4.1: a numeric address without transport is UDP for sip, TCP with TLS for sips.
  const transport = named ?? defaultTransport(uri.scheme === "sips");
  return { transport, address, port: uri.port ?? defaultPort(transport) };
}

/** RFC 3263 §4: TARGET is maddr if present, else the host. */
function hostOf(uri: SipUri): string {
  return unbracketed(uri.params.get("maddr") || uri.host);
}

/** RFC 3263 §4.1: where nothing names a transport, UDP for sip and TLS for sips; TCP for those without UDP. */
export function defaultTransport(
  secure: boolean,
  transports: readonly TransportName[] = ["UDP"],
): TransportName {
  if (secure) return "TLS";
  return transports.includes("UDP") ? "UDP" : "TCP";
}

/** The targets for a name's addresses when no SRV or NAPTR record says more: §4.1, §4.2 last cases. */
export function targetsFor(query: Omit<ResolveQuery, "id">, addresses: readonly string[]): Target[] {
  const transport = query.transport ?? defaultTransport(query.secure);
  const port = query.port ?? defaultPort(transport);
  return addresses.map((address) => ({
    transport,
    address: canonicalHost(address),
    port,
    hostName: query.host,
  }));
}

/** The transport parameter (§19.1.1) as one of ours; sips turns each into its TLS twin (RFC 5630 §3.1.3). */
function namedTransport(uri: SipUri): TransportName | "unknown" | undefined {
  const name = uri.params.get("transport");
  if (name === undefined || name === "") return undefined;
  const secure = uri.scheme === "sips";
  const transport = transportCalled(name, secure);
  return transport === "unknown" ? transportCalled(name.toLowerCase(), secure) : transport;
}

function transportCalled(name: string, secure: boolean): TransportName | "unknown" {
  switch (name) {
    case "udp":
      // §4.1: sips needs a reliable, secured transport.
      return secure ? "TLS" : "UDP";
    case "tcp":
      return secure ? "TLS" : "TCP";
    case "tls":
      return "TLS";
    case "ws":
      return secure ? "WSS" : "WS";
    case "wss":
      return "WSS";
    default:
      return "unknown";
  }
}

function failure(reason: string): Location {
  return { kind: "error", error: new TransportError(reason) };
}

function unbracketed(host: string): string {
  return host.charCodeAt(0) === 91 ? host.slice(1, -1) : host;
}
