// One RTP stream each way for a call: paced sending, counting, level, key presses. RFC 3550, 3551, 4733, 4961.
// There is no RTCP: reports of the peer are not read and none are sent.
import { ArgumentError, StateError } from "../errors.ts";
import type { Clock, Random, Timer } from "../ports.ts";
import { type AudioStream, type Codec, canReceive, isSending } from "../sdp/index.ts";
import { type AudioSource, LevelMeter } from "./audio.ts";
import { sampleCodecOf } from "./g711.ts";
import { parseRtp, printRtp, ReceptionStatistics, type RtpPacket } from "./rtp.ts";
import { type EventPacket, eventPackets, TelephoneEventReceiver } from "./telephone-event.ts";

/** A bound datagram socket. Sending never fails loudly: what cannot go out is lost, as on any network. */
export interface DatagramSocket {
  /** Where it is bound, for the SDP. */
  readonly local: { readonly address: string; readonly port: number };
  send(bytes: Uint8Array, address: string, port: number): void;
  /** Called for each datagram; the bytes are the receiver's to keep. */
  onMessage: ((bytes: Uint8Array, address: string, port: number) => void) | undefined;
  close(): void;
}

export interface RtpSessionOptions {
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * True (the default): stay with the first source that sends, and send there, whatever SDP said; that is how media
   * finds its way through NAT (RFC 7362 §4). False: send where SDP says, and take only what comes from that address.
   */
  readonly latching?: boolean;
  /** A key was pressed at the other end. */
  readonly onDigit?: (digit: string) => void;
  /** Decoded audio as it arrives, for a recorder. */
  readonly onAudio?: (samples: Int16Array) => void;
  /** The source given to `play` has come to its end; silence follows. */
  readonly onSourceEnd?: () => void;
}

/** What went out and came in so far. `bytes` count RTP payload only, as RTCP does (RFC 3550 §6.4.1). */
export interface RtpReport {
  readonly sent: { readonly packets: number; readonly bytes: number };
  readonly received: {
    readonly packets: number;
    readonly bytes: number;
    /** Packets missing by their sequence numbers. */
    readonly lost: number;
    /** Milliseconds. */
    readonly jitter: number;
    /** Of all decoded audio, in dBov: −127 is silence. */
    readonly level: number;
    readonly rms: number;
    readonly digits: string;
    /** Datagrams that were not RTP, not of our source or not of an agreed payload type. */
    readonly discarded: number;
  };
  /** Where our packets go now, if anywhere. */
  readonly remote: { readonly address: string; readonly port: number } | undefined;
}

const sampleRate = 8000;
// After a stall of the process at most this many packets go out at once; time beyond that is skipped.
const maxCatchUp = 5;

/** Sends and receives the audio of one call. `update` follows each offer/answer; `close` ends it and the socket. */
export class RtpSession {
  readonly #options: RtpSessionOptions;
  readonly #ssrc: number;
  #sequence: number;
  #timestamp: number;
  #stream: AudioStream | undefined;
  #latched: { address: string; port: number } | undefined;
  #source: AudioSource | undefined;
  #timer: Timer | undefined;
  #dueAt = 0;
  #isTalkspurtStart = true;
  #events: EventPacket[] = [];
  #eventTimestamp = 0;
  #isClosed = false;
  readonly #sent = { packets: 0, bytes: 0 };
  readonly #level = new LevelMeter();
  #received = { packets: 0, bytes: 0, lostBefore: 0, digits: "", discarded: 0 };
  #statistics: ReceptionStatistics | undefined;
  #remoteSsrc: number | undefined;
  #eventReceiver = new TelephoneEventReceiver();

  constructor(options: RtpSessionOptions) {
    this.#options = options;
    // RFC 3550 §5.1: SSRC, first sequence number and first timestamp are random.
    const bytes = options.random.bytes(10);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#ssrc = view.getUint32(0);
    this.#timestamp = view.getUint32(4);
    this.#sequence = view.getUint16(8);
    options.socket.onMessage = (datagram, address, port) => this.#receive(datagram, address, port);
  }

  /** Where the socket is bound: what goes into our SDP. */
  get local(): { readonly address: string; readonly port: number } {
    return this.#options.socket.local;
  }

  /**
   * Takes over what was agreed on: address, codec, direction. Sending starts or stops accordingly; undefined stops it.
   * @throws ArgumentError for a codec other than PCMU and PCMA
   */
  update(stream: AudioStream | undefined): void {
    if (this.#isClosed) throw new StateError("the RTP session is closed");
    if (stream !== undefined && sampleCodecOf(stream.codec.name) === undefined) {
      throw new ArgumentError(`no codec for ${stream.codec.name}`);
    }
    const before = this.#stream?.remote;
    const after = stream?.remote;
    // A new address in SDP opens the latch again: the peer may have moved.
    if (after !== undefined && (before?.address !== after.address || before.port !== after.port)) {
      this.#latched = undefined;
    }
    this.#stream = stream;
    if (stream !== undefined && isSending(stream)) this.#start();
    else this.#stop();
  }

  /** What to send from now on; without a source it is silence, so that the peer and every NAT see the stream. */
  play(source: AudioSource | undefined): void {
    this.#source = source;
  }

  /**
   * Presses a key for `duration` milliseconds (100 if absent). Presses queue up; audio pauses meanwhile. Those that have
   * not gone out when the call is put on hold are dropped.
   * @throws StateError if the peer takes no telephone-events, or we send nothing (on hold); ArgumentError for an unknown key
   */
  sendDigit(digit: string, duration = 100): void {
    const stream = this.#stream;
    if (stream?.telephoneEvent === undefined) throw new StateError("telephone-event was not agreed on");
    // RFC 3264 §8.4: on hold nothing is sent; a key that comes out at its end would be pressed at another time.
    if (this.#timer === undefined) throw new StateError("nothing is sent while the call is on hold");
    const packets = eventPackets(digit, (duration * sampleRate) / 1000, this.#samplesPerPacket(stream));
    this.#events.push(...packets);
  }

  /** Counts so far; may be read at any time, also after `close`. */
  report(): RtpReport {
    const { packets, bytes, lostBefore, digits, discarded } = this.#received;
    return {
      sent: { ...this.#sent },
      received: {
        packets,
        bytes,
        lost: lostBefore + (this.#statistics?.lost ?? 0),
        jitter: this.#statistics?.jitter ?? 0,
        level: this.#level.level,
        rms: this.#level.rms,
        digits,
        discarded,
      },
      remote: this.#destination(),
    };
  }

  /** Stops everything and closes the socket. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stop();
    this.#options.socket.onMessage = undefined;
    this.#options.socket.close();
  }

  // --- Sending ----------------------------------------------------------------------------------------------------

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#dueAt = this.#options.clock.now();
    this.#isTalkspurtStart = true;
    this.#schedule();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#events = [];
  }

  #schedule(): void {
    const { clock } = this.#options;
    this.#timer = clock.schedule(Math.max(0, this.#dueAt - clock.now()), () => this.#sendDue());
  }

  // The next packet is due a whole number of intervals after the first: late timers do not add up.
  #sendDue(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const now = this.#options.clock.now();
    const interval = (this.#samplesPerPacket(stream) * 1000) / sampleRate;
    const late = Math.floor((now - this.#dueAt) / interval) - maxCatchUp;
    if (late > 0) {
      // RFC 3550 §5.1: the timestamp follows time, also where nothing was sent.
      this.#dueAt += late * interval;
      this.#timestamp = (this.#timestamp + late * this.#samplesPerPacket(stream)) >>> 0;
      this.#isTalkspurtStart = true;
    }
    // What runs out of sound may end the call there and then, or change it.
    const timer = this.#timer;
    while (this.#dueAt <= now && this.#timer === timer) {
      this.#sendOne(stream);
      this.#dueAt += interval;
    }
    if (this.#timer === timer) this.#schedule();
  }

  #sendOne(stream: AudioStream): void {
    const count = this.#samplesPerPacket(stream);
    const event = stream.telephoneEvent === undefined ? undefined : this.#events.shift();
    if (event !== undefined && stream.telephoneEvent !== undefined) {
      // RFC 4733 §2.5.1.2: all packets of one press carry the timestamp of its beginning.
      if (event.marker) this.#eventTimestamp = this.#timestamp;
      this.#send(stream.telephoneEvent.send, event.marker, this.#eventTimestamp, event.payload);
      this.#isTalkspurtStart = true;
    } else {
      const encoded = sampleCodecOf(stream.codec.name)?.encode(this.#nextSamples(count));
      // RFC 3551 §4.1: M marks the first packet after a pause.
      if (encoded !== undefined) {
        this.#send(stream.codec.payloadType, this.#isTalkspurtStart, this.#timestamp, encoded);
      }
      this.#isTalkspurtStart = false;
    }
    this.#timestamp = (this.#timestamp + count) >>> 0;
  }

  #send(payloadType: number, marker: boolean, timestamp: number, payload: Uint8Array): void {
    const remote = this.#destination();
    if (remote === undefined || this.#timer === undefined) return;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) & 0xffff;
    const bytes = printRtp({ payloadType, marker, sequence, timestamp, ssrc: this.#ssrc, payload });
    this.#sent.packets += 1;
    this.#sent.bytes += payload.length;
    this.#options.socket.send(bytes, remote.address, remote.port);
  }

  #nextSamples(count: number): Int16Array {
    const part = this.#source?.read(count);
    if (part?.length === count) return part;
    if (this.#source !== undefined) {
      this.#source = undefined;
      this.#options.onSourceEnd?.();
    }
    const padded = new Int16Array(count);
    if (part !== undefined) padded.set(part);
    return padded;
  }

  #samplesPerPacket(stream: AudioStream): number {
    // The peer names ptime: within reason, or its packets would be empty or too large for one datagram.
    return Math.round((Math.min(Math.max(stream.ptime, 10), 120) * sampleRate) / 1000);
  }

  #destination(): { address: string; port: number } | undefined {
    return this.#stream?.remote === undefined ? undefined : (this.#latched ?? this.#stream.remote);
  }

  // --- Receiving --------------------------------------------------------------------------------------------------

  #receive(bytes: Uint8Array, address: string, port: number): void {
    const stream = this.#stream;
    const packet = parseRtp(bytes);
    const codec = stream?.receive.find((known) => known.payloadType === packet?.payloadType);
    if (
      stream === undefined ||
      packet === undefined ||
      codec === undefined ||
      !this.#isFromPeer(address, port)
    ) {
      this.#received.discarded += 1;
      return;
    }
    if (packet.ssrc !== this.#remoteSsrc) this.#newSource(packet.ssrc);
    if (!this.#statistics?.receive(packet.sequence)) {
      this.#received.discarded += 1;
      return;
    }
    this.#received.packets += 1;
    this.#received.bytes += packet.payload.length;
    if (canReceive(stream.direction)) this.#take(packet, codec);
  }

  #take(packet: RtpPacket, codec: Codec): void {
    const samples = sampleCodecOf(codec.name)?.decode(packet.payload);
    if (samples !== undefined) {
      this.#statistics?.arrive(packet.timestamp, this.#options.clock.now());
      this.#level.add(samples);
      this.#options.onAudio?.(samples);
      return;
    }
    if (codec.name.toLowerCase() !== "telephone-event") return;
    const digit = this.#eventReceiver.receive(packet);
    if (digit === undefined) return;
    this.#received.digits += digit;
    this.#options.onDigit?.(digit);
  }

  #isFromPeer(address: string, port: number): boolean {
    if (this.#options.latching === false) {
      const expected = this.#stream?.remote?.address;
      return expected === undefined || expected === address;
    }
    this.#latched ??= { address, port };
    return this.#latched.address === address && this.#latched.port === port;
  }

  // RFC 3550 §8.2: another SSRC is another source, with numbers of its own.
  #newSource(ssrc: number): void {
    this.#received.lostBefore += this.#statistics?.lost ?? 0;
    this.#remoteSsrc = ssrc;
    this.#statistics = new ReceptionStatistics(sampleRate);
    this.#eventReceiver = new TelephoneEventReceiver();
  }
}
