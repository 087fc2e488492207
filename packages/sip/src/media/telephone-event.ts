// Key presses inside an RTP stream. RFC 4733 §2.3–§2.5, §3.
import { ArgumentError } from "../errors.ts";
import type { RtpPacket } from "./rtp.ts";

/** The payload of one event packet (§2.3). */
export interface TelephoneEvent {
  /** 0–9, 10 `*`, 11 `#`, 12–15 A–D, 16 flash (§3.2). */
  readonly event: number;
  /** Set in the last packet of an event and in its two repetitions. */
  readonly isEnd: boolean;
  /** Level of the tone as 0–63, meaning 0 to −63 dBm0. */
  readonly volume: number;
  /** How long the key has been down so far, in timestamp ticks. */
  readonly duration: number;
}

const digits = "0123456789*#ABCD";

/** The event of a key: 0–9, `*`, `#`, A–D. ArgumentError for anything else. */
export function eventOfDigit(digit: string): number {
  const event = digit.length === 1 ? digits.indexOf(digit.toUpperCase()) : -1;
  if (event < 0) throw new ArgumentError(`"${digit}" is not a telephone key`);
  return event;
}

/** The key of an event, undefined for events that are no key. */
export function digitOfEvent(event: number): string | undefined {
  return digits[event];
}

/** Reads a payload; undefined if it is too short. Further events in the same packet (§2.5.1.5) are left out. */
export function parseTelephoneEvent(payload: Uint8Array): TelephoneEvent | undefined {
  const [event, flags, high, low] = payload;
  if (event === undefined || flags === undefined || high === undefined || low === undefined) return undefined;
  return { event, isEnd: (flags & 0x80) !== 0, volume: flags & 0x3f, duration: (high << 8) | low };
}

/** The four bytes of a payload. */
export function printTelephoneEvent({ event, isEnd, volume, duration }: TelephoneEvent): Uint8Array {
  return Uint8Array.of(event, (isEnd ? 0x80 : 0) | (volume & 0x3f), (duration >> 8) & 0xff, duration & 0xff);
}

/** What to put into the packets of one key press, one per interval; all of them share one timestamp. */
export interface EventPacket {
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

// §2.5.1.3: what the duration field can hold; a longer press would need segments, which no key needs.
const maxDuration = 0xffff;
// §2.5.1.4: the final packet goes out three times in all.
const finalPackets = 3;
const defaultVolume = 10;

/**
 * The packets of one key press, in the order of sending.
 * @param duration of the press in timestamp ticks, rounded up to whole intervals; at most 65535
 * @param interval ticks between two packets
 * @throws ArgumentError for a key or duration that cannot be sent
 */
export function eventPackets(digit: string, duration: number, interval: number): EventPacket[] {
  const event = eventOfDigit(digit);
  const updates = Math.max(1, Math.ceil(duration / interval));
  const total = updates * interval;
  if (total > maxDuration)
    throw new ArgumentError("a key press is longer than RFC 4733 can say in one event");
  const payload = (elapsed: number, isEnd: boolean) =>
    printTelephoneEvent({ event, isEnd, volume: defaultVolume, duration: elapsed });
  const packets: EventPacket[] = [];
  for (let update = 1; update < updates; update += 1) {
    // §2.5.1.2: M in the first packet only.
    packets.push({ marker: update === 1, payload: payload(update * interval, false) });
  }
  for (let copy = 0; copy < finalPackets; copy += 1) {
    packets.push({ marker: packets.length === 0, payload: payload(total, true) });
  }
  return packets;
}

/** Recognises key presses in a stream, each once, whichever of its packets are lost. */
export class TelephoneEventReceiver {
  #timestamp: number | undefined;
  #event = -1;
  #end = 0;

  /** The key, at the first packet that belongs to a new press of one; undefined for all others. */
  receive(packet: RtpPacket): string | undefined {
    const found = parseTelephoneEvent(packet.payload);
    if (found === undefined) return undefined;
    const { timestamp } = packet;
    const end = (timestamp + found.duration) >>> 0;
    if (this.#timestamp !== undefined) {
      const later = (timestamp - this.#timestamp) | 0;
      // §2.5.1.4: the same timestamp is the same press; an older one is a packet that was overtaken.
      if (later < 0) return undefined;
      if (later === 0) {
        this.#end = end;
        return undefined;
      }
      // §2.5.1.3: a press too long for one event goes on as a new segment, without M, where the last one ended.
      if (!packet.marker && found.event === this.#event && timestamp === this.#end) {
        this.#timestamp = timestamp;
        this.#end = end;
        return undefined;
      }
    }
    this.#timestamp = timestamp;
    this.#event = found.event;
    this.#end = end;
    return digitOfEvent(found.event);
  }
}
