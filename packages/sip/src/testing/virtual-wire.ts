// Wires on the virtual network. Waiting for a message moves the clock.

import { TransportError } from "../errors.ts";
import type { Wire, WireMessage } from "../node/wire.ts";
import type { Endpoint, TransportName } from "../transport/index.ts";
import { StreamFraming } from "../transport/index.ts";
import { settle } from "./clock.ts";
import type { ConnectionEnd, Network, StreamReceiver } from "./network.ts";

/** A datagram socket at this address and port. */
export function virtualUdpWire(network: Network, local: Endpoint): Wire {
  const inbox: WireMessage[] = [];
  let isClosed = false;
  network.occupy("UDP", local, { datagram: (bytes, from) => inbox.push({ bytes, from }) });
  return {
    transport: "UDP",
    local,
    send: (bytes, to) => {
      if (to) network.sendDatagram(local, to, bytes.slice());
    },
    receive: (timeout) => next(network, inbox, timeout, () => isClosed),
    get isClosed() {
      return isClosed;
    },
    async close() {
      isClosed = true;
      network.leave("UDP", local);
    },
  };
}

/** A connection to a listener on the network; waits, in virtual time, until it is open. */
export async function virtualStreamWire(
  network: Network,
  from: Endpoint,
  to: Endpoint,
  transport: TransportName = "TCP",
): Promise<Wire> {
  const stream = new VirtualStream(network, transport, from, to);
  network.openConnection(transport, from, to, stream, (end) => {
    stream.end = end;
  });
  await network.clock.runUntil(() => stream.end !== undefined || stream.isClosed);
  if (!stream.end) throw new TransportError(`no connection to ${to.address}:${to.port}`);
  return stream;
}

/** The connections that a stack opens to this endpoint, in turn. */
export function virtualStreamServer(
  network: Network,
  local: Endpoint,
  transport: TransportName = "TCP",
): { accept(): Promise<Wire>; close(): void } {
  const accepted: Wire[] = [];
  network.occupy(transport, local, {
    accept(peer, from) {
      const stream = new VirtualStream(network, transport, local, from);
      stream.end = peer;
      accepted.push(stream);
      return stream;
    },
  });
  return {
    async accept() {
      await network.clock.runUntil(() => accepted.length > 0);
      const wire = accepted.shift();
      if (!wire) throw new TransportError("nobody connected");
      return wire;
    },
    close: () => network.leave(transport, local),
  };
}

class VirtualStream implements Wire, StreamReceiver {
  readonly transport: TransportName;
  readonly local: Endpoint;
  isClosed = false;
  end: ConnectionEnd | undefined;
  readonly #network: Network;
  readonly #remote: Endpoint;
  readonly #inbox: WireMessage[] = [];
  readonly #framing = new StreamFraming({ messageSize: 1_048_576 });

  constructor(network: Network, transport: TransportName, local: Endpoint, remote: Endpoint) {
    this.#network = network;
    this.transport = transport;
    this.local = local;
    this.#remote = remote;
    this.#framing.expectPong();
  }

  send(bytes: Uint8Array): void {
    this.end?.send(bytes.slice());
  }

  receive(timeout: number): Promise<WireMessage | undefined> {
    return next(this.#network, this.#inbox, timeout, () => this.isClosed);
  }

  async close(): Promise<void> {
    this.end?.close();
  }

  data(bytes: Uint8Array): void {
    if (this.transport === "WS" || this.transport === "WSS") {
      this.#keep(bytes);
      return;
    }
    this.#framing.push(bytes, {
      message: (message) => this.#keep(message.slice()),
      ping: () => this.#keep(Uint8Array.of(13, 10, 13, 10)),
      pong: () => {
        this.#keep(Uint8Array.of(13, 10));
        this.#framing.expectPong();
      },
      broken: (_error, head) => this.#keep(head),
    });
  }

  closed(): void {
    this.isClosed = true;
  }

  #keep(bytes: Uint8Array): void {
    this.#inbox.push({ bytes, from: this.#remote });
  }
}

async function next(
  network: Network,
  inbox: WireMessage[],
  timeout: number,
  isClosed: () => boolean,
): Promise<WireMessage | undefined> {
  await settle();
  await network.clock.runUntil(() => inbox.length > 0 || isClosed(), timeout);
  return inbox.shift();
}
