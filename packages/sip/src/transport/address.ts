// IP addresses as text: families, canonical form (RFC 5952), and which of ours a peer sees.

import { ipv6Groups } from "../message/host.ts";
import type { LocalAddress, TransportName } from "./flow.ts";

/** True for an IPv4 address or an IPv6 address without brackets; the parser has checked the digits. */
export function isLiteralAddress(host: string): boolean {
  return isIpv4(host) || isIpv6(host);
}

/** Four numbers of at most three digits. Asked several times for each message, hence no regular expression. */
export function isIpv4(host: string): boolean {
  let numbers = 0;
  let digits = 0;
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) {
      if (digits === 0) numbers++;
      if (++digits > 3) return false;
    } else if (code === 0x2e && digits > 0) {
      digits = 0;
    } else {
      return false;
    }
  }
  return numbers === 4 && digits > 0;
}

export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** True for 0.0.0.0 and ::. */
export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** The port of a transport where none is written (§19.1.2, RFC 7118 §4.2). */
export function defaultPort(transport: TransportName): number {
  switch (transport) {
    case "TLS":
      return 5061;
    case "WS":
      return 80;
    case "WSS":
      return 443;
    default:
      return 5060;
  }
}

/**
 * The one spelling of an address or host: IPv6 as RFC 5952 §4 wants it, IPv4-mapped IPv6 as IPv4, names in
 * lower case without the final dot. Anything else comes back as it is.
 */
export function canonicalHost(host: string): string {
  if (!host.includes(":")) {
    const lower = host.toLowerCase();
    return lower.endsWith(".") ? lower.slice(0, -1) : lower;
  }
  const groups = ipv6Groups(host);
  if (!groups) return host.toLowerCase();
  // ::ffff:a.b.c.d is what a dual-stack socket calls an IPv4 peer.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  // RFC 5952 §4.2.3: the longest run of zero groups is shortened, the first of equals, never a single one.
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

/**
 * Who counts as one where a source may do only so much: an IPv4 address, or a network of IPv6, as whoever has one of its 2⁶⁴
 * addresses has them all (RFC 4291 §2.5.4). Neighbours on a link are hosts of their own.
 * @param address - as RFC 5952 has it
 */
export function sourceOf(address: string): string {
  if (!address.includes(":") || address.startsWith("::") || address.startsWith("fe80:")) return address;
  let end = -1;
  for (let groups = 1; groups <= 4; groups++) {
    end = address.indexOf(":", end + 1);
    if (groups < 4 && address[end + 1] === ":") return networkWithZeros(address);
  }
  return address.slice(0, end);
}

/** The first four groups where zeros among them are left out. */
function networkWithZeros(address: string): string {
  const groups = ipv6Groups(address);
  if (groups === undefined) return address;
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return network.join(":");
}

/** Of our addresses the one that this peer sees: same network first, then any that is not loopback. */
export function localAddressFor(remote: string, addresses: readonly LocalAddress[]): string | undefined {
  if (isLoopback(remote)) {
    const own = addresses.find(({ address }) => isLoopback(address));
    if (own) return own.address;
  }
  let best: LocalAddress | undefined;
  let bestLength = -1;
  const bits = addressBits(remote);
  for (const candidate of addresses) {
    if (isLoopback(candidate.address)) continue;
    const common = commonPrefix(bits, addressBits(candidate.address));
    const length = common >= candidate.prefixLength ? candidate.prefixLength : 0;
    if (length > bestLength) {
      best = candidate;
      bestLength = length;
    }
  }
  return best?.address ?? addresses[0]?.address;
}

/** How many bits two addresses have in common from the left; −1 if they are of two families. */
export function commonBits(a: string, b: string): number {
  return commonPrefix(addressBits(a), addressBits(b));
}

/** The address in 16-bit groups: two for IPv4, eight for IPv6; none if it is not an address. */
function addressBits(address: string): readonly number[] {
  if (address.includes(":")) return ipv6Groups(address) ?? [];
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return [(a << 8) | b, (c << 8) | d];
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return -1;
  let length = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0);
    if (difference !== 0) return length + Math.clz32(difference) - 16;
    length += 16;
  }
  return length;
}
