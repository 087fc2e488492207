// The sockets of a peer: one listener, connections from and to it, and whole messages out of them.

import {
  type Endpoint,
  type Flow,
  type Listener,
  StreamFraming,
  type TransportName,
} from "@offhook/sip/transport";
import type { StageDriver } from "./stage-driver.ts";

/** A peer's flow: plain data. */
export interface PeerFlow extends Flow {
  state: Flow["state"];
  readonly queue: Uint8Array[];
  readonly framing: StreamFraming | undefined;
}

export class PeerSockets {
  readonly #driver: StageDriver;
  readonly #transport: TransportName;
  readonly #onMessage: (bytes: Uint8Array, flow: PeerFlow) => void;
  /** Connections that we opened, by where they lead. */
  readonly #opened = new Map<string, PeerFlow>();
  #listener: Listener | undefined;

  constructor(
    driver: StageDriver,
    transport: TransportName,
    onMessage: (bytes: Uint8Array, flow: PeerFlow) => void,
  ) {
    this.#driver = driver;
    this.#transport = transport;
    this.#onMessage = onMessage;
  }

  async open(): Promise<Listener> {
    this.#driver.attach({
      addListener: () => {},
      removeListener: () => {},
      acceptFlow: flowOf,
      receive: (bytes, flow) => this.#receive(bytes, flow as PeerFlow),
      flowOpened: (flow) => this.#onOpened(flow as PeerFlow),
      flowClosed: (flow) => {
        (flow as PeerFlow).state = "closed";
        this.#opened.delete(keyOf(flow.remote));
      },
      sendFailed: () => {},
      resolved: () => {},
      tick: () => {},
      deadline: Number.POSITIVE_INFINITY,
    });
    this.#listener = await this.#driver.listen({ transport: this.#transport, address: "" });
    return this.#listener;
  }

  get listener(): Listener {
    if (this.#listener === undefined) throw new Error("the peer is not on the stage yet");
    return this.#listener;
  }

  /** The flow to an endpoint; a connection is opened if there is none of ours. */
  flowTo(endpoint: Endpoint): PeerFlow {
    const known = this.#opened.get(keyOf(endpoint));
    if (known !== undefined) return known;
    const flow = flowOf(this.listener, endpoint);
    if (flow.isReliable) {
      this.#opened.set(keyOf(endpoint), flow);
      this.#driver.connect(flow, { transport: this.#transport, ...endpoint });
    }
    return flow;
  }

  /** Sends, at the latest once the flow is open; what is sent on a closed one is lost. */
  transmit(flow: PeerFlow, bytes: Uint8Array): void {
    if (flow.state === "connecting") flow.queue.push(bytes);
    else if (flow.state === "open") this.#driver.send(flow, bytes);
  }

  #onOpened(flow: PeerFlow): void {
    flow.state = "open";
    for (const bytes of flow.queue.splice(0)) this.#driver.send(flow, bytes);
  }

  #receive(bytes: Uint8Array, flow: PeerFlow): void {
    if (flow.framing === undefined) {
      this.#onMessage(bytes.slice(), flow);
      return;
    }
    flow.framing.push(bytes, {
      message: (message) => this.#onMessage(message.slice(), flow),
      ping: () => {},
      pong: () => {},
      broken: (_error, head) => this.#onMessage(head.slice(), flow),
    });
  }
}

function flowOf(listener: Listener, remote: Endpoint): PeerFlow {
  const isReliable = listener.transport !== "UDP";
  return {
    id: keyOf(remote),
    ...{ transport: listener.transport, isReliable, listener, remote, queue: [] },
    state: isReliable ? "connecting" : "open",
    framing: isReliable ? new StreamFraming({ messageSize: 1_048_576 }) : undefined,
  };
}

function keyOf({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}
