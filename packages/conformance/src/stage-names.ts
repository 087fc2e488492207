// The DNS of a stage: names lead to its parts. RFC 3263 as far as a scenario needs it.

import { TransportError } from "@offhook/sip";
import type { Endpoint, ResolveQuery, Target, TransportName } from "@offhook/sip/transport";
import type { Part } from "./peer.ts";

/** How long parts wait for an answer that does not come, milliseconds. */
export const silence = 4500;

export class StageNames {
  readonly #transport: TransportName;
  readonly #names = new Map<string, readonly (Part | Endpoint)[]>();
  readonly #silent = new Set<string>();

  /** @param transport - of targets where the URI names none */
  constructor(transport: TransportName) {
    this.#transport = transport;
  }

  set(host: string, targets: readonly (Part | Endpoint)[]): void {
    this.#names.set(host.toLowerCase(), targets);
  }

  /** From now on nothing is said about this name. */
  silence(host: string): void {
    this.#silent.add(host.toLowerCase());
  }

  /** The answer, and after how many milliseconds it comes. */
  lookup(query: ResolveQuery): { result: readonly Target[] | Error; after: number } {
    const { host, port, transport = this.#transport, secure } = query;
    if (this.#silent.has(host)) {
      const result = new TransportError(`no answer about ${host} in time`, { isTimeout: true });
      return { result, after: silence };
    }
    const targets = secure ? [] : (this.#names.get(host) ?? []);
    if (targets.length === 0) return { result: new TransportError(`no address for ${host}`), after: 0 };
    const result = targets.map((target) => ({
      transport,
      ...("endpoint" in target ? target.endpoint(transport) : target),
      ...(port !== undefined && { port }),
    }));
    return { result, after: 0 };
  }
}
