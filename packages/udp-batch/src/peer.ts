// Peers by the address words that the system gives: found again without making a text of them.

/** Who sends datagrams or is sent some: an address, and whatever the user keeps with it. */
export class Peer<Data = unknown> {
  readonly address: string;
  readonly port: number;
  /** For the user of the socket. */
  data: Data | undefined = undefined;
  /** A sockaddr_in takes 4 words, of which 2 say something; a sockaddr_in6 takes 7. */
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly w4: number;
  readonly w5: number;
  readonly w6: number;

  constructor(address: string, port: number, words: Int32Array, at: number) {
    this.address = address;
    this.port = port;
    this.w0 = words[at]!;
    this.w1 = words[at + 1]!;
    this.w2 = words[at + 2]!;
    this.w3 = words[at + 3]!;
    this.w4 = words[at + 4]!;
    this.w5 = words[at + 5]!;
    this.w6 = words[at + 6]!;
  }
}

const SMALLEST = 256;
const LARGEST = 65_536;

/**
 * A bounded memory of peers: each has one place, and who comes later to it takes it; who is forgotten is made anew. It
 * grows with the number of peers, up to 65 536 places.
 */
export class PeerTable<Data> {
  readonly #words: Int32Array;
  readonly #isIpv6: boolean;
  #places: (Peer<Data> | undefined)[] = new Array(SMALLEST).fill(undefined);
  #added = 0;

  /** `words`: where addresses stand that are asked for. */
  constructor(words: Int32Array, isIpv6: boolean) {
    this.#words = words;
    this.#isIpv6 = isIpv6;
  }

  find(at: number): Peer<Data> | undefined {
    const words = this.#words;
    const w0 = words[at]!;
    const w1 = words[at + 1]!;
    if (!this.#isIpv6) {
      const peer = this.#places[mix(w0, w1) & (this.#places.length - 1)];
      return peer !== undefined && peer.w1 === w1 && peer.w0 === w0 ? peer : undefined;
    }
    const w2 = words[at + 2]!;
    const w3 = words[at + 3]!;
    const w4 = words[at + 4]!;
    const w5 = words[at + 5]!;
    const peer = this.#places[mix(w0, fold(w2, w3, w4, w5)) & (this.#places.length - 1)];
    if (peer === undefined || peer.w0 !== w0 || peer.w5 !== w5 || peer.w4 !== w4) return undefined;
    return peer.w3 === w3 && peer.w2 === w2 && peer.w6 === words[at + 6] ? peer : undefined;
  }

  add(peer: Peer<Data>): void {
    if (++this.#added > this.#places.length / 2 && this.#places.length < LARGEST) this.#grow();
    this.#places[this.#placeOf(peer)] = peer;
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Array(old.length * 4).fill(undefined);
    this.#added = 0;
    for (const peer of old) if (peer !== undefined) this.#places[this.#placeOf(peer)] = peer;
  }

  #placeOf({ w0, w1, w2, w3, w4, w5 }: Peer<Data>): number {
    return mix(w0, this.#isIpv6 ? fold(w2, w3, w4, w5) : w1) & (this.#places.length - 1);
  }
}

function fold(a: number, b: number, c: number, d: number): number {
  return Math.imul(a ^ Math.imul(b ^ Math.imul(c, 0x85ebca6b), 0xc2b2ae35), 0x27d4eb2f) ^ d;
}

/** The bits of both words, spread over the low ones (the finish of MurmurHash3). */
function mix(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
