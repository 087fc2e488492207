// NAPTR records of SIP: which transports a domain offers, in its own order. RFC 3263 §4.1, RFC 3403 §4.1,
// RFC 7118 §10.2.

import { canonicalHost } from "./address.ts";
import type { TransportName } from "./flow.ts";

/** A NAPTR record, RFC 3403 §4.1. */
export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** One way to reach a domain: over this transport, where the SRV records (or addresses) of this name say. */
export interface OfferedService {
  readonly transport: TransportName;
  readonly name: string;
  readonly records: "SRV" | "addresses";
}

const services: ReadonlyMap<string, TransportName> = new Map([
  ["SIP+D2U", "UDP"],
  ["SIP+D2T", "TCP"],
  ["SIPS+D2T", "TLS"],
  ["SIP+D2W", "WS"],
  ["SIPS+D2W", "WSS"],
]);

/**
 * What of these records is usable, most wanted first, in groups of equal order: whoever found a server in one
 * group does not look into the next (RFC 3403 §4.1).
 */
export function offeredServices(
  records: readonly NaptrRecord[],
  secure: boolean,
  transports: readonly TransportName[],
): OfferedService[][] {
  const usable = records.flatMap((record) => {
    const service = offered(record);
    if (service === undefined || !transports.includes(service.transport)) return [];
    // §4.1: for sips nothing but SIPS will do; for sip both.
    if (secure && !isSecure(service.transport)) return [];
    return [{ record, service }];
  });
  usable.sort(
    ({ record: a }, { record: b }) =>
      a.order - b.order ||
      a.preference - b.preference ||
      // RFC 3263 §4.4: equals need some fixed order.
      (a.replacement < b.replacement ? -1 : a.replacement > b.replacement ? 1 : 0),
  );
  const groups: OfferedService[][] = [];
  let order: number | undefined;
  for (const { record, service } of usable) {
    if (record.order === order) groups.at(-1)!.push(service);
    else groups.push([service]);
    order = record.order;
  }
  return groups;
}

/** True for the transports that a sips URI may go by. */
export function isSecure(transport: TransportName): boolean {
  return transport === "TLS" || transport === "WSS";
}

function offered({ flags, service, regexp, replacement }: NaptrRecord): OfferedService | undefined {
  const transport = services.get(service.toUpperCase());
  const name = canonicalHost(replacement);
  // §4.1: an empty expression and a replacement; a record that rewrites is some other application's.
  if (transport === undefined || regexp !== "" || name === "" || name === ".") return undefined;
  switch (flags.toLowerCase()) {
    case "s":
      return { transport, name, records: "SRV" };
    case "a":
      return { transport, name, records: "addresses" };
    default:
      return undefined;
  }
}
