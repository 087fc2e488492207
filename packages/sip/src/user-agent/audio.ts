// Audio for calls: offers and answers PCMU, PCMA and key presses, and runs the RTP. RFC 3264, RFC 4733.

import { NegotiationError, StateError } from "../errors.ts";
import { type AudioSource, type DatagramSocket, RtpSession } from "../media/index.ts";
import type { Clock, MaybePromise, Random } from "../ports.ts";
import {
  type AudioStream,
  applyAnswer,
  type Codec,
  createAnswer,
  createCapabilities,
  createOffer,
  type Direction,
  type LocalSession,
  printSessionDescription,
  type SessionDescription,
} from "../sdp/index.ts";
import { type MediaContext, type MediaFactory, type MediaSession, parseOffer } from "./media-session.ts";

export interface AudioOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A bound socket for RTP at this address, e.g. `openRtpSocket` of the Node folder. */
  openSocket(options: { address: string }): MaybePromise<DatagramSocket>;
  /** Address for session descriptions. Default: the one that the peer reaches SIP at. */
  readonly address?: string;
  /** In order of preference. Default: PCMU, PCMA, telephone-event. */
  readonly codecs?: readonly Codec[];
  /** What to play, made anew for each call. Default: silence. */
  source?(call: MediaContext): AudioSource | undefined;
  /** Decoded audio as it arrives, 8000 samples a second. */
  onAudio?(samples: Int16Array, call: MediaContext): void;
  /** True: where the peer's RTP comes from counts, not what its description says (NAT). Default true. */
  readonly latching?: boolean;
}

/** The media factory for `UserAgentOptions.media`: each call gets a socket and an `AudioSession` of its own. */
export function audioSessions(options: AudioOptions): MediaFactory {
  return (context) => new AudioSession(options, context);
}

/** The audio of one call. */
export class AudioSession implements MediaSession {
  readonly #options: AudioOptions;
  readonly #context: MediaContext;
  readonly #sessionId: string;
  #rtp: RtpSession | undefined;
  #opening: Promise<RtpSession> | undefined;
  #local: SessionDescription | undefined;
  /** What was agreed before the open offer. */
  #before: SessionDescription | undefined;
  #stream: AudioStream | undefined;
  #onDigit: (digit: string) => void = () => {};
  #isClosed = false;

  constructor(options: AudioOptions, context: MediaContext) {
    this.#options = options;
    this.#context = context;
    const [a = 0, b = 0, c = 0, d = 0] = options.random.bytes(4);
    this.#sessionId = String(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  }

  /** The RTP, once the first offer or answer was made: for reports and for changing what is played. */
  get rtp(): RtpSession | undefined {
    return this.#rtp;
  }
  /** What was agreed on. */
  get stream(): AudioStream | undefined {
    return this.#stream;
  }

  async createOffer(direction: Direction): Promise<string> {
    const rtp = await this.#open();
    this.#before = this.#local;
    this.#local = createOffer(this.#localSession(rtp, direction), this.#local);
    return printSessionDescription(this.#local);
  }

  async createAnswer(text: string, direction: Direction): Promise<string> {
    const offer = parseOffer(text);
    const rtp = await this.#open();
    const result = createAnswer(this.#localSession(rtp, direction), offer, this.#local);
    if (!result.ok) throw new NegotiationError(result.reason, { warning: result.warning });
    this.#local = result.answer;
    this.#take(result.audio);
    return printSessionDescription(result.answer);
  }

  acceptAnswer(text: string): void {
    if (this.#local === undefined) throw new StateError("an answer without an offer");
    const result = applyAnswer(this.#local, parseOffer(text));
    if (!result.ok) throw new NegotiationError(`the answer does not fit: ${result.reason}`);
    this.#before = undefined;
    this.#take(result.audio);
  }

  rollback(): void {
    this.#local = this.#before ?? this.#local;
    this.#before = undefined;
  }

  examine(text: string): void {
    const local = this.#withoutSocket();
    const result = local === undefined ? undefined : createAnswer(local, parseOffer(text));
    if (result?.ok === false) throw new NegotiationError(result.reason, { warning: result.warning });
  }

  capabilities(): string | undefined {
    const local = this.#withoutSocket();
    return local === undefined ? undefined : printSessionDescription(createCapabilities(local));
  }

  /** Before there is a socket; undefined if the address is not known before either. */
  #withoutSocket(): LocalSession | undefined {
    const { codecs, address } = this.#options;
    const own = address ?? this.#context.publicAddress;
    if (own === undefined) return undefined;
    const local = { sessionId: this.#sessionId, address: own, port: 9 };
    return codecs === undefined ? local : { ...local, codecs };
  }

  async sendDtmf(digits: string): Promise<void> {
    if (this.#rtp === undefined) throw new StateError("there is no audio yet");
    for (const digit of digits) this.#rtp.sendDigit(digit);
  }

  onDtmf(listener: (digit: string) => void): void {
    this.#onDigit = listener;
  }

  close(): void {
    this.#isClosed = true;
    this.#rtp?.close();
  }

  #take(stream: AudioStream | undefined): void {
    this.#stream = stream;
    this.#rtp?.update(stream);
  }

  #localSession(rtp: RtpSession, direction: Direction): LocalSession {
    const { codecs, address } = this.#options;
    return {
      sessionId: this.#sessionId,
      address: address ?? this.#context.publicAddress ?? rtp.local.address,
      port: rtp.local.port,
      direction,
      ...(codecs === undefined ? {} : { codecs }),
    };
  }

  #open(): Promise<RtpSession> {
    this.#opening ??= this.#openOnce();
    return this.#opening;
  }

  async #openOnce(): Promise<RtpSession> {
    const { clock, random, latching = true, onAudio, source } = this.#options;
    const context = this.#context;
    const socket = await this.#options.openSocket({ address: context.localAddress ?? "127.0.0.1" });
    const rtp = new RtpSession({
      ...{ socket, clock, random, latching },
      onDigit: (digit) => this.#onDigit(digit),
      ...(onAudio === undefined ? {} : { onAudio: (samples: Int16Array) => onAudio(samples, context) }),
    });
    this.#rtp = rtp;
    rtp.play(source?.(context));
    if (this.#isClosed) rtp.close();
    return rtp;
  }
}
