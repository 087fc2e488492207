// RTP packets and what a receiver learns from their order and timing. RFC 3550 §5.1, §5.3.1, §A.1, §A.3, §A.8.

/** One packet. `sequence` has 16 bits; `timestamp` and `ssrc` have 32, unsigned. */
export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** Contributing sources, if a mixer was on the way. */
  readonly csrcs?: readonly number[];
  readonly payload: Uint8Array;
}

const headerSize = 12;

/**
 * Reads one datagram; `payload` is a view into it. Undefined if it is not an RTP packet of version 2, RTCP on the
 * same port included (RFC 5761 §4). A header extension is stepped over.
 */
export function parseRtp(bytes: Uint8Array): RtpPacket | undefined {
  if (bytes.length < headerSize) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const second = view.getUint8(1);
  if (first >> 6 !== 2) return undefined;
  // RFC 5761 §4: these values of the second byte are RTCP packet types.
  if (second >= 192 && second <= 223) return undefined;
  let start = headerSize + 4 * (first & 0x0f);
  let end = bytes.length;
  if (start > end) return undefined;
  const csrcs: number[] = [];
  for (let at = headerSize; at < start; at += 4) csrcs.push(view.getUint32(at));
  if ((first & 0x10) !== 0) {
    // §5.3.1: 16 bits of profile, 16 bits of length in words.
    if (start + 4 > end) return undefined;
    start += 4 + 4 * view.getUint16(start + 2);
  }
  if ((first & 0x20) !== 0) {
    // §5.1: the last byte counts the padding, itself included.
    const padding = view.getUint8(end - 1);
    if (padding === 0) return undefined;
    end -= padding;
  }
  if (start > end) return undefined;
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    ...(csrcs.length > 0 ? { csrcs } : {}),
    payload: bytes.subarray(start, end),
  };
}

/** The packet as a datagram, without padding or extension. Numbers are cut to the bits of their field. */
export function printRtp(packet: RtpPacket): Uint8Array {
  const csrcs = packet.csrcs ?? [];
  const bytes = new Uint8Array(headerSize + 4 * csrcs.length + packet.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x80 | (csrcs.length & 0x0f));
  view.setUint8(1, (packet.marker ? 0x80 : 0) | (packet.payloadType & 0x7f));
  view.setUint16(2, packet.sequence);
  view.setUint32(4, packet.timestamp);
  view.setUint32(8, packet.ssrc);
  for (const [index, csrc] of csrcs.entries()) view.setUint32(headerSize + 4 * index, csrc);
  bytes.set(packet.payload, headerSize + 4 * csrcs.length);
  return bytes;
}

// §A.1: a jump of this much forward is a restart of the source, a smaller one is loss.
const maxDropout = 3000;
// §A.1: a packet this much too old is late, an older one is a restart.
const maxMisorder = 100;
const cycle = 65_536;

/** What came from one source (SSRC): order, loss and jitter. */
export class ReceptionStatistics {
  /** Packets that were counted, duplicates included, as §6.4.1 wants. */
  received = 0;
  #baseSequence = 0;
  #maxSequence = 0;
  #cycles = 0;
  /** The next number of a suspected restart; none while above 65535. */
  #restartAt = cycle;
  #lastTransit: number | undefined;
  #jitter = 0;
  readonly #clockRate: number;

  /** @param clockRate RTP timestamp ticks per second */
  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  /**
   * Takes note of a packet; false if its sequence number is so far off that it must be ignored (§A.1). The first
   * packet counts at once: signalling has already said that this source will send, so there is no probation.
   */
  receive(sequence: number): boolean {
    if (this.received === 0) {
      this.#restart(sequence);
      return true;
    }
    const ahead = (sequence - this.#maxSequence + cycle) % cycle;
    if (ahead < maxDropout) {
      if (sequence < this.#maxSequence) this.#cycles += cycle;
      this.#maxSequence = sequence;
    } else if (ahead <= cycle - maxMisorder) {
      // §A.1: two in a row from the new place mean that the source has begun anew.
      if (sequence !== this.#restartAt) {
        this.#restartAt = (sequence + 1) % cycle;
        return false;
      }
      this.#restart(sequence);
      return true;
    }
    this.received += 1;
    return true;
  }

  /**
   * Updates the jitter by a media packet (§A.8). Not for event packets: they repeat their timestamp.
   * @param now milliseconds on any steady scale
   */
  arrive(timestamp: number, now: number): void {
    const transit = (now * this.#clockRate) / 1000 - timestamp;
    if (this.#lastTransit !== undefined) {
      // The timestamp wraps at 2^32, and so does the difference.
      const span = 2 ** 32;
      const apart = Math.abs(transit - this.#lastTransit) % span;
      this.#jitter += (Math.min(apart, span - apart) - this.#jitter) / 16;
    }
    this.#lastTransit = transit;
  }

  /** Packets that should have come since the first one (§A.3). */
  get expected(): number {
    return this.received === 0 ? 0 : this.#cycles + this.#maxSequence - this.#baseSequence + 1;
  }

  /** Packets that did not come; negative if duplicates outnumber them (§A.3). */
  get lost(): number {
    return this.expected - this.received;
  }

  /** Mean deviation of the spacing on arrival from that on sending, in milliseconds (§6.4.1, §A.8). */
  get jitter(): number {
    return (this.#jitter * 1000) / this.#clockRate;
  }

  #restart(sequence: number): void {
    this.#baseSequence = sequence;
    this.#maxSequence = sequence;
    this.#cycles = 0;
    this.#restartAt = cycle;
    this.received = 1;
    this.#lastTransit = undefined;
  }
}
