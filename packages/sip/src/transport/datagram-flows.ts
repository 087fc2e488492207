// The flows of UDP listeners: one light object per peer, found without building a key, in bounded memory.

import type { Endpoint, Flow, Listener } from "./flow.ts";

/** A UDP peer as seen by one listener. It needs no memory of ours to exist: the id says everything. */
export class DatagramFlow implements Flow {
  readonly transport = "UDP";
  readonly isReliable = false;
  readonly state = "open";
  readonly listener: Listener;
  readonly remote: Endpoint;
  handle: unknown = undefined;
  watchers: unknown = undefined;
  /** Via up to the branch, made on first use. */
  via: string | undefined = undefined;
  readonly #prefix: string;
  #id: string | undefined = undefined;

  constructor(prefix: string, listener: Listener, remote: Endpoint) {
    this.#prefix = prefix;
    this.listener = listener;
    this.remote = remote;
  }

  get id(): string {
    this.#id ??= `${this.#prefix}-${this.listener.id}-${this.remote.address}_${this.remote.port}`;
    return this.#id;
  }
}

/** By port. Most addresses have one only, and then need no map for it. */
type Ports = DatagramFlow | Map<number, DatagramFlow>;
type Addresses = Map<string, Ports>;

/**
 * Known peers, per listener. Two generations: once the younger one is half the bound, it becomes the older,
 * and the older one is forgotten. Whoever still talks has moved to the younger by then; who has not loses
 * nothing, as the next datagram makes an equal flow.
 */
export class DatagramFlows {
  readonly #prefix: string;
  readonly #half: number;
  #young = new Map<number, Addresses>();
  #old = new Map<number, Addresses>();
  #youngCount = 0;
  #last: DatagramFlow | undefined;

  /** `prefix` begins every id: node and worker. `bound` is how many flows are kept at most. */
  constructor(prefix: string, bound: number) {
    this.#prefix = prefix;
    this.#half = Math.max(1, bound >> 1);
  }

  flow(listener: Listener, remote: Endpoint): DatagramFlow {
    const { address, port } = remote;
    const last = this.#last;
    if (last && last.remote.port === port && last.remote.address === address && last.listener === listener) {
      return last;
    }
    const known = find(this.#young, listener.id, address, port);
    if (known && known.listener === listener) {
      this.#last = known;
      return known;
    }
    const older = find(this.#old, listener.id, address, port);
    const flow =
      older && older.listener === listener
        ? older
        : new DatagramFlow(this.#prefix, listener, { address, port });
    this.#keep(flow);
    this.#last = flow;
    return flow;
  }

  /** Forgets the peers of a listener that is gone. */
  forget(listenerId: number): void {
    this.#young.delete(listenerId);
    this.#old.delete(listenerId);
    this.#last = undefined;
  }

  #keep(flow: DatagramFlow): void {
    if (this.#youngCount >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngCount = 0;
    }
    let addresses = this.#young.get(flow.listener.id);
    if (!addresses) {
      addresses = new Map();
      this.#young.set(flow.listener.id, addresses);
    }
    const { address, port } = flow.remote;
    const ports = addresses.get(address);
    if (!ports || (ports instanceof DatagramFlow && ports.remote.port === port)) addresses.set(address, flow);
    else if (ports instanceof Map) ports.set(port, flow);
    else
      addresses.set(
        address,
        new Map([
          [ports.remote.port, ports],
          [port, flow],
        ]),
      );
    this.#youngCount++;
  }
}

function find(
  generation: Map<number, Addresses>,
  listenerId: number,
  address: string,
  port: number,
): DatagramFlow | undefined {
  const ports = generation.get(listenerId)?.get(address);
  if (ports === undefined) return undefined;
  if (ports instanceof DatagramFlow) return ports.remote.port === port ? ports : undefined;
  return ports.get(port);
}
