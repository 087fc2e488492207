// The sockets of one part on the stage: a real or a virtual driver, with a tap on what goes through it. The tap
// records, counts what is under way, and looks names up on the stage.

import type { ServerDriver } from "@offhook/server";
import type { Clock, Random } from "@offhook/sip";
import { NodeDriver } from "@offhook/sip/node";
import { type Network, VirtualDriver } from "@offhook/sip/testing";
import type {
  Endpoint,
  Flow,
  Listener,
  ResolveQuery,
  StackInput,
  Target,
  TransportName,
} from "@offhook/sip/transport";
import type { Recording } from "./recording.ts";

/** What the drivers of a stage share. */
export interface StageWorld {
  readonly clock: Clock;
  readonly random: Random;
  /** Absent on real sockets. */
  readonly network: Network | undefined;
  readonly recording: Recording;
  readonly traffic: Traffic;
  /** RFC 3263 by the stage's table of names, and after how many milliseconds that is known. */
  lookup(query: ResolveQuery): { readonly result: readonly Target[] | Error; readonly after: number };
}

/** What is under way between the sockets of this process: sent and not yet received. */
export class Traffic {
  datagrams = 0;
  streamBytes = 0;
  connecting = 0;
  /** Counts every event, so that a waiter sees that something happened. */
  events = 0;
  /** UDP sockets that are open on the stage, as address:port: what goes elsewhere is never received. */
  readonly #sockets = new Set<string>();

  opened({ address, port }: Endpoint): void {
    this.#sockets.add(`${address}:${port}`);
  }
  closed({ address, port }: Endpoint): void {
    this.#sockets.delete(`${address}:${port}`);
  }
  isOpen({ address, port }: Endpoint): boolean {
    return this.#sockets.has(`${address}:${port}`);
  }

  get isIdle(): boolean {
    return this.datagrams <= 0 && this.streamBytes <= 0 && this.connecting <= 0;
  }

  /** What is still missing will not come: a connection broke with bytes on their way. */
  forget(): void {
    this.datagrams = 0;
    this.streamBytes = 0;
    this.connecting = 0;
  }
}

type Inner = Pick<NodeDriver, "attach" | "send" | "connect" | "close" | "wake" | "stop"> & {
  listen(options: {
    transport: TransportName;
    address: string;
    port?: number;
    batch?: boolean;
  }): Promise<Listener>;
};

export class StageDriver implements ServerDriver {
  readonly clock: Clock;
  readonly #world: StageWorld;
  readonly #name: string;
  readonly #address: string;
  readonly #inner: Inner;
  readonly #listeners: Listener[] = [];
  #stack: StackInput | undefined;
  #isStopped = false;

  /** @param name - of the part, for the recording */
  constructor(world: StageWorld, name: string, address: string) {
    this.#world = world;
    this.#name = name;
    this.#address = address;
    // On the virtual network an address is one part's alone.
    if (world.network !== undefined) world.recording.placeAddress(address, name);
    this.clock = world.clock;
    this.#inner =
      world.network === undefined
        ? new NodeDriver({ clock: world.clock, resolver: { resolve: async () => [] } })
        : virtualInner(world.network, address);
  }

  attach(stack: StackInput): void {
    this.#stack = stack;
    this.#inner.attach(this.#tapped(stack));
  }

  async listen(options: {
    transport: TransportName;
    address: string;
    port?: number;
    advertise?: { host: string; port?: number };
  }): Promise<Listener> {
    const { port = 0, ...others } = options;
    const chosen = this.#world.network !== undefined && port === 0 ? 5060 : port;
    // The buffers of a batch are large, and a play sends a handful of datagrams.
    const place = { address: this.#address, port: chosen, batch: false };
    const listener = await this.#inner.listen({ ...others, ...place });
    this.#listeners.push(listener);
    this.#world.recording.place(listener, this.#name);
    if (listener.transport === "UDP") this.#world.traffic.opened(listener);
    return listener;
  }

  get listeners(): readonly { listener: Listener }[] {
    return this.#listeners.map((listener) => ({ listener }));
  }

  listenForMessages(): never {
    throw new Error("there is no WebSocket on the stage");
  }

  reloadCertificates(): Error[] {
    return [];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const listener of this.#listeners) this.#world.traffic.closed(listener);
    await this.#inner.stop();
  }

  send(flow: Flow, bytes: Uint8Array): void {
    if (this.#isStopped) return;
    const { clock, network, recording, traffic } = this.#world;
    let isLost = false;
    if (network !== undefined)
      network.onSend = ({ fate }) => {
        isLost ||= fate === "lost";
      };
    else if (flow.isReliable) traffic.streamBytes += bytes.length;
    else if (traffic.isOpen(flow.remote)) traffic.datagrams++;
    traffic.events++;
    // Before it goes, as a connection may break in the very call.
    const { transport, listener, remote } = flow;
    const copy = bytes.slice();
    this.#inner.send(flow, bytes);
    const at = clock.now();
    recording.add({
      ...{ at, sender: this.#name, from: listener, to: remote, transport, bytes: copy, isLost },
    });
  }

  connect(flow: Flow, target: Target): void {
    this.#world.traffic.connecting++;
    this.#world.traffic.events++;
    this.#inner.connect(flow, target);
  }

  close(flow: Flow): void {
    this.#world.traffic.events++;
    this.#inner.close(flow);
  }

  resolve(query: ResolveQuery): void {
    const { result, after } = this.#world.lookup(query);
    // By the clock, like everything that takes its turn; the driver then arms the next deadline itself.
    this.clock.schedule(after, () => {
      const stack = this.#stack;
      if (stack === undefined) return;
      stack.resolved(query.id, result, this.clock.now());
      this.#inner.wake(stack.deadline);
    });
  }

  wake(deadline: number): void {
    this.#inner.wake(deadline);
  }

  #tapped(stack: StackInput): StackInput {
    const { recording, traffic, network } = this.#world;
    const isReal = network === undefined;
    return {
      addListener: (listener) => stack.addListener(listener),
      removeListener: (id) => stack.removeListener(id),
      acceptFlow: (listener, remote, now) => stack.acceptFlow(listener, remote, now),
      receive: (bytes, flow, now) => {
        traffic.events++;
        if (isReal && flow.isReliable) traffic.streamBytes -= bytes.length;
        else if (isReal) traffic.datagrams--;
        stack.receive(bytes, flow, now);
      },
      flowOpened: (flow, now, identities) => {
        traffic.events++;
        const { localPort } = (flow.handle ?? {}) as { localPort?: number };
        // An accepted connection has our listener's port.
        if (localPort !== undefined && localPort !== flow.listener.port) {
          traffic.connecting--;
          recording.place({ address: this.#address, port: localPort }, this.#name);
        }
        stack.flowOpened(flow, now, identities);
      },
      flowClosed: (flow, error, now) => {
        traffic.events++;
        if (flow.state === "connecting") traffic.connecting--;
        stack.flowClosed(flow, error, now);
      },
      sendFailed: (flow, error, now) => {
        traffic.events++;
        stack.sendFailed(flow, error, now);
      },
      resolved: (id, result, now) => stack.resolved(id, result, now),
      tick: (now) => stack.tick(now),
      get deadline() {
        return stack.deadline;
      },
    };
  }
}

function virtualInner(network: Network, address: string): Inner {
  const driver = new VirtualDriver(network, address);
  return {
    attach: (stack) => driver.attach(stack),
    listen: async (options) => driver.listen(options),
    send: (flow, bytes) => driver.send(flow, bytes),
    connect: (flow, target) => driver.connect(flow, target),
    close: (flow) => driver.close(flow),
    wake: (deadline) => driver.wake(deadline),
    stop: async () => driver.stop(),
  };
}
