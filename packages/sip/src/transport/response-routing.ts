// Where a response goes: RFC 3261 §18.2.2, RFC 3581 §4, and what §18.2.1 notes in the Via for it.

import type { SipRequest, Via } from "../message/index.ts";
import { canonicalHost, defaultPort, isLiteralAddress } from "./address.ts";
import type { Endpoint, Flow } from "./flow.ts";

/** What to add to the top Via of a request that came from `remote`; undefined if nothing. */
export function viaAdditions(via: Via, remote: Endpoint): { received?: string; rport?: number } | undefined {
  // RFC 3581 §4: fill in rport only if the client asked; then received too, whatever sent-by says.
  // What the sender claims to have received itself is never believed.
  const asked = via.rport !== undefined;
  if (!asked && via.received === undefined && sameHost(via.host, remote.address)) return undefined;
  const received = withoutZone(remote.address);
  return asked ? { received, rport: remote.port } : { received };
}

/** True if `viaAdditions` has nothing to add. Needs no Via. */
export function isComplete(request: SipRequest, remote: Endpoint): boolean {
  return request.isSentByAll && request.topHost === remote.address;
}

/** True if the response to a request over UDP goes back to the very port that it came from, by its sent-by alone. */
export function repliesToSource(request: SipRequest, source: Endpoint): boolean {
  return request.isSentByAll && (request.topPort < 0 ? defaultPort("UDP") : request.topPort) === source.port;
}

/** The endpoint that a response over UDP goes to. */
export function datagramResponseTarget(via: Via, source: Endpoint): Endpoint {
  // maddr before all others. A name there would have to be looked up; the source is the better guess.
  if (via.maddr !== undefined && isLiteralAddress(via.maddr)) {
    return { address: canonicalHost(via.maddr), port: via.port ?? defaultPort("UDP") };
  }
  // A link-local source needs its zone, which Via cannot say.
  const isSource = via.received === undefined || via.received === withoutZone(source.address);
  const address = isSource ? source.address : via.received;
  // RFC 3581 §4: back to the port that it came from.
  if (typeof via.rport === "number") return { address, port: via.rport };
  return { address, port: via.port ?? defaultPort("UDP") };
}

/** Where to connect when the connection that brought the request is gone; undefined for WebSocket clients. */
export function streamResponseTarget(via: Via, arrival: Flow): Endpoint | undefined {
  const { transport } = arrival;
  // RFC 7118 §5: nobody listens at the other end of a WebSocket.
  if (transport === "WS" || transport === "WSS") return undefined;
  return {
    address: via.received ?? arrival.remote.address,
    port: via.port ?? defaultPort(transport),
  };
}

function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}

function sameHost(host: string, address: string): boolean {
  return host === address || (host.includes(":") && canonicalHost(host) === address);
}
