// The driver of a stack on the virtual network: the counterpart of node/driver.ts.

import { TransportError } from "../errors.ts";
import type { Timer } from "../ports.ts";
import type {
  Endpoint,
  Flow,
  Listener,
  ResolveQuery,
  StackInput,
  Target,
  TransportName,
  TransportSink,
} from "../transport/index.ts";
import { isIpv6 } from "../transport/index.ts";
import type { VirtualClock } from "./clock.ts";
import type { ConnectionEnd, Network, StreamReceiver } from "./network.ts";

export interface VirtualListenOptions {
  transport: TransportName;
  /** Default: the first address of the host. */
  address?: string;
  /** Default 5060. */
  port?: number;
  advertise?: { host: string; port?: number };
}

/** What a connection flow holds in `handle`. */
interface Handle {
  end: ConnectionEnd | undefined;
  cancel(): void;
}

/**
 * One host of the network and the stack on it:
 *
 *     const driver = new VirtualDriver(network, "10.0.0.1");
 *     const stack = new Stack({ sink: driver, clock: network.clock, random: network.random });
 *     driver.attach(stack);
 *     driver.listen({ transport: "UDP" });
 */
export class VirtualDriver implements TransportSink {
  readonly clock: VirtualClock;
  readonly addresses: readonly string[];
  readonly #network: Network;
  readonly #listeners = new Map<number, Listener>();
  readonly #open = new Set<Flow>();
  #stack: StackInput | undefined;
  #nextId = 1;
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #isStopped = false;

  /** `addresses`: what the host has, usually one, or one of each family. */
  constructor(network: Network, ...addresses: string[]) {
    this.#network = network;
    this.clock = network.clock;
    this.addresses = addresses;
  }

  /** The stack to run; before `listen`. */
  attach(stack: StackInput): void {
    this.#stack = stack;
  }

  listen(options: VirtualListenOptions): Listener {
    const { transport, address = this.addresses[0] as string, port = 5060, advertise } = options;
    const listener: Listener = {
      id: this.#nextId++,
      transport,
      address,
      port,
      ...(advertise && { advertise }),
    };
    const { clock } = this;
    this.#network.occupy(transport, listener, {
      datagram: (bytes, from) =>
        this.#input((stack) => {
          const now = clock.now();
          stack.receive(bytes, stack.acceptFlow(listener, from, now), now);
        }),
      accept: (peer, from) => this.#accept(listener, peer, from),
    });
    this.#listeners.set(listener.id, listener);
    this.#input((stack) => stack.addListener(listener));
    return listener;
  }

  /** Stops like a process that ends: connections break, what was on its way to it is lost. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const listener of this.#listeners.values()) this.#network.leave(listener.transport, listener);
    for (const flow of this.#open) this.#handle(flow)?.end?.close(new TransportError("connection reset"));
  }

  // --- TransportSink --------------------------------------------------------------------------------------

  send(flow: Flow, bytes: Uint8Array): void {
    if (this.#isStopped) return;
    if (flow.isReliable) this.#handle(flow)?.end?.send(bytes);
    else this.#network.sendDatagram(endpointOf(flow.listener), flow.remote, bytes);
  }

  connect(flow: Flow, target: Target): void {
    const address = this.addresses.find((own) => isIpv6(own) === isIpv6(target.address));
    const from = { address: address ?? (this.addresses[0] as string), port: this.#network.freePort() };
    const handle: Handle = { end: undefined, cancel() {} };
    flow.handle = handle;
    const opening = this.#network.openConnection(
      flow.transport,
      from,
      endpointOf(target),
      this.#receiver(flow),
      (end) => {
        handle.end = end;
        this.#open.add(flow);
        this.#input((stack) => stack.flowOpened(flow, this.clock.now()));
      },
    );
    handle.cancel = () => opening.cancel();
  }

  close(flow: Flow): void {
    const handle = this.#handle(flow);
    if (handle?.end) handle.end.close();
    else handle?.cancel();
  }

  resolve(query: ResolveQuery): void {
    const result = this.#network.lookup(query);
    this.clock.schedule(this.#network.weather.latency * 2, () =>
      this.#input((stack) => stack.resolved(query.id, result, this.clock.now())),
    );
  }

  wake(deadline: number): void {
    this.#arm(deadline);
  }

  // --- Inside ---------------------------------------------------------------------------------------------

  #accept(listener: Listener, peer: ConnectionEnd, from: Endpoint): StreamReceiver | undefined {
    const stack = this.#stack;
    if (!stack || this.#isStopped) return undefined;
    const flow = stack.acceptFlow(listener, from, this.clock.now());
    if (flow.state === "closed") return undefined;
    flow.handle = { end: peer, cancel() {} } satisfies Handle;
    this.#open.add(flow);
    this.#input(() => stack.flowOpened(flow, this.clock.now()));
    return this.#receiver(flow);
  }

  #receiver(flow: Flow): StreamReceiver {
    return {
      data: (bytes) => this.#input((stack) => stack.receive(bytes, flow, this.clock.now())),
      closed: (error) => {
        this.#open.delete(flow);
        this.#input((stack) => stack.flowClosed(flow, error, this.clock.now()));
      },
    };
  }

  #handle(flow: Flow): Handle | undefined {
    return flow.handle as Handle | undefined;
  }

  #input(input: (stack: StackInput) => void): void {
    const stack = this.#stack;
    if (!stack || this.#isStopped) return;
    input(stack);
    this.#arm(stack.deadline);
  }

  #arm(deadline: number): void {
    if (deadline >= this.#armedFor || this.#isStopped) return;
    this.#timer?.cancel();
    this.#armedFor = deadline;
    this.#timer = this.clock.schedule(deadline - this.clock.now(), () => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#input((stack) => stack.tick(this.clock.now()));
    });
  }
}

function endpointOf({ address, port }: Endpoint): Endpoint {
  return { address, port };
}
