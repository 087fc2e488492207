// A network in memory: hosts with addresses, datagrams that get lost, late, doubled and out of order,
// connections that get through in pieces. Everything happens in virtual time, by a seeded chance.

import { TransportError } from "../errors.ts";
import type { Endpoint, ResolveQuery, Resolver, Target, TransportName } from "../transport/index.ts";
import { targetsFor } from "../transport/index.ts";
import type { VirtualClock } from "./clock.ts";
import { SeededRandom } from "./random.ts";

/** How the network treats what it carries. Chances in [0, 1], times in milliseconds. */
export interface Weather {
  /** One way. */
  latency: number;
  /** Up to this much on top, by chance: datagrams overtake one another. */
  jitter: number;
  /** Chance that a datagram is lost; a piece of a stream comes 200 ms later instead. */
  loss: number;
  /** Chance that a datagram comes twice. */
  duplication: number;
  /** Streams are cut into pieces of up to this many bytes, by chance; 0 leaves them whole. */
  pieces: number;
}

export interface NetworkOptions extends Partial<Weather> {
  clock: VirtualClock;
  seed?: number;
  /** Names and their addresses. Everything else does not exist. */
  names?: Record<string, readonly string[]>;
}

/** What can be at an address and port. */
export interface Station {
  datagram?(bytes: Uint8Array, from: Endpoint): void;
  /** The receiver of what comes over a new connection; undefined refuses it. */
  accept?(peer: ConnectionEnd, from: Endpoint): StreamReceiver | undefined;
}

/** One end of a connection as the other end's owner uses it. */
export interface ConnectionEnd {
  send(bytes: Uint8Array): void;
  /** In order after what was sent; with an error, at once. */
  close(error?: Error): void;
}

export interface StreamReceiver {
  data(bytes: Uint8Array): void;
  closed(error: Error | undefined): void;
}

/** One thing that was sent, for tests that count. */
export interface Sighting {
  readonly at: number;
  readonly transport: TransportName;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
  /** "lost", or how many copies arrive. */
  readonly fate: "lost" | number;
}

const calm: Weather = { latency: 1, jitter: 0, loss: 0, duplication: 0, pieces: 0 };

export class Network implements Resolver {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  /** Settable while it runs. */
  weather: Weather;
  /** Called for everything that is sent. */
  onSend: ((sighting: Sighting) => void) | undefined;
  readonly #stations = new Map<string, Station>();
  readonly #names: Map<string, readonly string[]>;
  readonly #unreachable = new Set<string>();
  #nextPort = 49152;

  constructor(options: NetworkOptions) {
    const { clock, seed = 1, names = {}, ...weather } = options;
    this.clock = clock;
    this.random = new SeededRandom(seed);
    this.weather = { ...calm, ...weather };
    this.#names = new Map(Object.entries(names));
  }

  /** From now on nothing reaches this address or leaves it, until `reconnect`. */
  disconnect(address: string): void {
    this.#unreachable.add(address);
  }

  reconnect(address: string): void {
    this.#unreachable.delete(address);
  }

  /** The answer to a query, at once. */
  lookup(query: ResolveQuery): readonly Target[] | TransportError {
    const addresses = this.#names.get(query.host);
    return addresses ? targetsFor(query, addresses) : new TransportError(`no address for ${query.host}`);
  }

  async resolve(query: ResolveQuery): Promise<readonly Target[]> {
    const result = this.lookup(query);
    if (result instanceof TransportError) throw result;
    return result;
  }

  /** Puts something at an address and port. */
  occupy(transport: TransportName, at: Endpoint, station: Station): void {
    const key = place(transport, at);
    if (this.#stations.has(key)) throw new TransportError(`${key} is in use`);
    this.#stations.set(key, station);
  }

  leave(transport: TransportName, at: Endpoint): void {
    this.#stations.delete(place(transport, at));
  }

  /** A port that nobody was given before. */
  freePort(): number {
    return this.#nextPort++;
  }

  sendDatagram(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    const { random, weather } = this;
    const isLost = random.next() < weather.loss || this.#isCut(from, to);
    const copies = random.next() < weather.duplication ? 2 : 1;
    this.#sighted("UDP", from, to, bytes, isLost ? "lost" : copies);
    if (isLost) return;
    for (let copy = 0; copy < copies; copy++) {
      // Each receiver gets bytes of its own, as from a socket.
      const arriving = bytes.slice();
      this.clock.schedule(this.#delay(), () => {
        this.#stations.get(place("UDP", to))?.datagram?.(arriving, from);
      });
    }
  }

  /** Opens a connection; `opened` or `receiver.closed` is called later. */
  openConnection(
    transport: TransportName,
    from: Endpoint,
    to: Endpoint,
    receiver: StreamReceiver,
    opened: (end: ConnectionEnd) => void,
  ): { cancel(): void } {
    if (this.#isCut(from, to)) return { cancel() {} };
    return this.clock.schedule(this.#delay(), () => {
      const link = new Link(this, transport, from, to);
      link.receivers[0] = receiver;
      const there = this.#stations.get(place(transport, to))?.accept?.(link.end(1), from);
      link.receivers[1] = there;
      link.arrive(0, () => {
        if (there) opened(link.end(0));
        else receiver.closed(new TransportError(`connection refused by ${to.address}:${to.port}`));
      });
    });
  }

  /** For the links: when a piece sent now arrives. */
  pieceDelay(): number {
    const lost = this.random.next() < this.weather.loss;
    return this.#delay() + (lost ? 200 : 0);
  }

  sightedPiece(transport: TransportName, from: Endpoint, to: Endpoint, bytes: Uint8Array): boolean {
    const isCut = this.#isCut(from, to);
    this.#sighted(transport, from, to, bytes, isCut ? "lost" : 1);
    return !isCut;
  }

  #delay(): number {
    return this.weather.latency + this.random.next() * this.weather.jitter;
  }

  #isCut(from: Endpoint, to: Endpoint): boolean {
    return this.#unreachable.has(from.address) || this.#unreachable.has(to.address);
  }

  #sighted(
    transport: TransportName,
    from: Endpoint,
    to: Endpoint,
    bytes: Uint8Array,
    fate: Sighting["fate"],
  ): void {
    this.onSend?.({ at: this.clock.now(), transport, from, to, bytes, fate });
  }
}

/** A connection: what is sent at one end arrives at the other in order. */
class Link {
  readonly receivers: [StreamReceiver | undefined, StreamReceiver | undefined] = [undefined, undefined];
  readonly #network: Network;
  readonly #transport: TransportName;
  readonly #sides: readonly [Endpoint, Endpoint];
  /** When the last piece towards each side arrives: none overtakes another. */
  readonly #busyUntil: [number, number] = [0, 0];
  #isClosed = false;
  #isBroken = false;

  constructor(network: Network, transport: TransportName, from: Endpoint, to: Endpoint) {
    this.#network = network;
    this.#transport = transport;
    this.#sides = [from, to];
  }

  end(side: 0 | 1): ConnectionEnd {
    return {
      send: (bytes) => this.#send(side, bytes),
      close: (error) => this.#close(side, error),
    };
  }

  #send(side: 0 | 1, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const other = side === 0 ? 1 : 0;
    const arrives = this.#network.sightedPiece(this.#transport, this.#sides[side], this.#sides[other], bytes);
    // What a cut line swallowed is missing for good: nothing after it makes sense.
    this.#isBroken ||= !arrives;
    if (this.#isBroken) return;
    for (const piece of this.#pieces(bytes)) this.arrive(other, () => this.receivers[other]?.data(piece));
  }

  #close(side: 0 | 1, error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const other = side === 0 ? 1 : 0;
    if (!this.#isBroken) this.arrive(other, () => this.receivers[other]?.closed(error));
    this.#network.clock.schedule(0, () => this.receivers[side]?.closed(error));
  }

  /** After all that is on its way to this side. */
  arrive(side: 0 | 1, arrive: () => void): void {
    const { clock } = this.#network;
    const at = Math.max(this.#busyUntil[side], clock.now() + this.#network.pieceDelay());
    this.#busyUntil[side] = at;
    clock.schedule(at - clock.now(), arrive);
  }

  /** WebSocket keeps messages whole; streams do not. */
  #pieces(bytes: Uint8Array): Uint8Array[] {
    const { random, weather } = this.#network;
    if (weather.pieces === 0 || this.#transport === "WS" || this.#transport === "WSS") return [bytes.slice()];
    const pieces: Uint8Array[] = [];
    for (let from = 0; from < bytes.length; ) {
      const to = from + 1 + Math.floor(random.next() * weather.pieces);
      pieces.push(bytes.slice(from, to));
      from = to;
    }
    return pieces;
  }
}

function place(transport: TransportName, { address, port }: Endpoint): string {
  return `${transport} ${address} ${port}`;
}
