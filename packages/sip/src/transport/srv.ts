// SRV records: the servers of a service in the order in which to try them. RFC 2782, RFC 3263 §4.2 and §4.4.

import type { Random } from "../ports.ts";
import type { TransportName } from "./flow.ts";

/** An SRV record, RFC 2782. */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** The server's host name; "" or "." says that the service is not offered. */
  readonly target: string;
}

/** The name that the SRV records of a transport have in a domain: RFC 3263 §4.2, for WebSocket RFC 7118. */
export function serviceName(transport: TransportName, domain: string): string {
  switch (transport) {
    case "UDP":
      return `_sip._udp.${domain}`;
    case "TCP":
      return `_sip._tcp.${domain}`;
    case "TLS":
      return `_sips._tcp.${domain}`;
    case "WS":
      return `_sip._ws.${domain}`;
    case "WSS":
      return `_sips._ws.${domain}`;
  }
}

/** RFC 2782, "Target": a single record with the root as target says that the service is decidedly not there. */
export function isUnavailable(records: readonly SrvRecord[]): boolean {
  return records.length > 0 && records.every(({ target }) => target === "" || target === ".");
}

/** The records by priority, and within one by chance according to weight. Those without a target are left out. */
export function inRandomOrder(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  const ordered: SrvRecord[] = [];
  for (const group of byPriority(records)) {
    shuffle(group, random);
    // RFC 2782: those of weight 0 first, which leaves them a small chance; otherwise in any order.
    group.sort((a, b) => Math.sign(a.weight) - Math.sign(b.weight));
    let sum = group.reduce((total, { weight }) => total + weight, 0);
    while (group.length > 0) {
      const chosen = upTo(sum, random);
      let running = 0;
      const index = group.findIndex(({ weight }) => {
        running += weight;
        return running >= chosen;
      });
      const [record] = group.splice(index, 1);
      ordered.push(record!);
      sum -= record!.weight;
    }
  }
  return ordered;
}

/** The same for everybody and always, for stateless proxies (RFC 3263 §4.4): heavier ones first, then by name. */
export function inFixedOrder(records: readonly SrvRecord[]): SrvRecord[] {
  return byPriority(records).flatMap((group) =>
    group.sort(
      (a, b) =>
        b.weight - a.weight || (a.target < b.target ? -1 : a.target > b.target ? 1 : 0) || a.port - b.port,
    ),
  );
}

function byPriority(records: readonly SrvRecord[]): SrvRecord[][] {
  const groups = new Map<number, SrvRecord[]>();
  for (const record of records) {
    if (record.target === "" || record.target === ".") continue;
    const group = groups.get(record.priority);
    if (group) group.push(record);
    else groups.set(record.priority, [record]);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

function shuffle(records: SrvRecord[], random: Random): void {
  for (let i = records.length - 1; i > 0; i--) {
    const j = upTo(i, random);
    [records[i], records[j]] = [records[j]!, records[i]!];
  }
}

/** A whole number in [0, limit]. */
function upTo(limit: number, random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  const fraction = (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 4_294_967_296;
  return Math.floor(fraction * (limit + 1));
}
