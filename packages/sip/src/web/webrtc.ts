// Audio for calls by the browser's WebRTC: DTLS-SRTP over ICE, which is all that browsers speak. RFC 8829, RFC 8839.
// Session descriptions wait for all candidates, since plain SIP peers know no trickling.

import { ArgumentError, NegotiationError } from "../errors.ts";
import type { Clock, MaybePromise } from "../ports.ts";
import type { Direction } from "../sdp/index.ts";
import type { MediaContext, MediaFactory, MediaSession } from "../user-agent/index.ts";
import { webClock } from "./clock.ts";
import type { Dom, PeerConnection, Stream, Track, Transceiver } from "./dom.ts";

export interface WebRtcOptions {
  /** Passed on to RTCPeerConnection, e.g. `{ iceServers: [{ urls: "stun:stun.example.com" }] }`. */
  readonly configuration?: object;
  /**
   * The audio to send; it stays the application's own. Default: the microphone, asked for with the first offer or
   * answer of each call and let go when the call ends.
   */
  readonly stream?: Stream | ((call: MediaContext) => MaybePromise<Stream>);
  /** What the peer sends, to be given to an audio element: `(stream) => { audio.srcObject = stream; }`. */
  onStream?(stream: unknown, call: MediaContext): void;
  /** The connection of each call, for statistics and whatever else the application wants of it. */
  onConnection?(connection: unknown, call: MediaContext): void;
  /** Milliseconds that candidates are waited for; what there is by then goes out. Default 3000. */
  readonly gatheringTime?: number;
  /** Default: the page's. */
  readonly clock?: Clock;
  /** Default: the browser itself. */
  readonly dom?: Dom;
}

const defaultGatheringTime = 3_000;

/**
 * The media factory for `UserAgentOptions.media` in a browser.
 * @throws {ArgumentError} if there is no RTCPeerConnection here
 */
export function webRtc(options: WebRtcOptions = {}): MediaFactory {
  const dom = options.dom ?? (globalThis as Dom);
  if (dom.RTCPeerConnection === undefined) throw new ArgumentError("there is no RTCPeerConnection here");
  return (call) => new WebRtcSession(options, dom, call);
}

/** The audio of one call. */
export class WebRtcSession implements MediaSession {
  readonly connection: PeerConnection;
  readonly #options: WebRtcOptions;
  readonly #dom: Dom;
  readonly #call: MediaContext;
  #stream: Promise<Stream> | undefined;
  /** One step after another: `rollback` does not wait. */
  #last: Promise<unknown> = Promise.resolve();
  #accepted = "";
  #isClosed = false;

  constructor(options: WebRtcOptions, dom: Dom, call: MediaContext) {
    if (dom.RTCPeerConnection === undefined) throw new ArgumentError("there is no RTCPeerConnection here");
    this.#options = options;
    this.#dom = dom;
    this.#call = call;
    this.connection = new dom.RTCPeerConnection(options.configuration);
    this.connection.addEventListener("track", (event) => {
      const [stream] = event.streams ?? [];
      if (stream !== undefined) options.onStream?.(stream, call);
    });
    options.onConnection?.(this.connection, call);
  }

  createOffer(direction: Direction): Promise<string> {
    return this.#next(async () => {
      await this.#addTracks();
      for (const transceiver of this.#audio()) transceiver.direction = direction;
      await this.connection.setLocalDescription(await this.connection.createOffer());
      return await this.#gathered();
    });
  }

  createAnswer(offer: string, direction: Direction): Promise<string> {
    return this.#next(async () => {
      await this.#addTracks();
      await this.#setRemote("offer", offer);
      for (const transceiver of this.connection.getTransceivers()) {
        // Nothing but audio is spoken here: other streams are answered with port 0 (RFC 3264 §6).
        if (transceiver.receiver.track.kind === "audio") transceiver.direction = direction;
        else transceiver.stop?.();
      }
      await this.connection.setLocalDescription(await this.connection.createAnswer());
      return await this.#gathered();
    });
  }

  acceptAnswer(answer: string, isFinal: boolean): Promise<void> {
    return this.#next(async () => {
      // A 2xx repeats the early answer, or leaves it out (RFC 3261 §13.2.1): said once more, as the last word.
      if (this.connection.signalingState === "stable" && this.#accepted === answer) return;
      await this.#setRemote(isFinal ? "answer" : "pranswer", answer);
      this.#accepted = answer;
    });
  }

  rollback(): void {
    this.#next(async () => {
      if (this.connection.signalingState === "stable") return;
      await this.connection.setLocalDescription({ type: "rollback" });
    }).catch(() => {});
  }

  async sendDtmf(digits: string): Promise<void> {
    const sender = this.#audio().find(({ sender }) => sender.dtmf)?.sender;
    if (sender?.dtmf === undefined || sender.dtmf === null) {
      throw new NegotiationError("the peer takes no key presses");
    }
    const { dtmf } = sender;
    // Pressed before these are through, they come after them.
    dtmf.insertDTMF(dtmf.toneBuffer + digits);
  }

  close(): void {
    this.#isClosed = true;
    this.connection.close();
    if (this.#options.stream === undefined) this.#stream?.then(letGo, () => {});
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step);
    this.#last = result.catch(() => {});
    return result;
  }

  #audio(): Transceiver[] {
    return this.connection
      .getTransceivers()
      .filter((transceiver) => transceiver.receiver.track.kind === "audio");
  }

  /** Before an offer is looked at, so that its audio stream and ours become one (RFC 8829 §5.10). */
  async #addTracks(): Promise<void> {
    if (this.#stream !== undefined) {
      await this.#stream;
      return;
    }
    this.#stream = this.#open();
    const stream = await this.#stream;
    if (this.#isClosed) {
      if (this.#options.stream === undefined) letGo(stream);
      throw new NegotiationError("the call has ended");
    }
    for (const track of stream.getAudioTracks()) this.connection.addTrack(track, stream);
  }

  async #open(): Promise<Stream> {
    const { stream } = this.#options;
    if (typeof stream === "function") return await stream(this.#call);
    if (stream !== undefined) return stream;
    const devices = this.#dom.navigator?.mediaDevices;
    if (devices === undefined) throw new NegotiationError("pages that are not secure get no microphone");
    return await devices.getUserMedia({ audio: true });
  }

  async #setRemote(type: "offer" | "answer" | "pranswer", sdp: string): Promise<void> {
    try {
      await this.connection.setRemoteDescription({ type, sdp });
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new NegotiationError(`the browser cannot use the peer's session description: ${words}`, {
        cause,
        warning: 304,
      });
    }
  }

  /** Our description with its candidates. */
  async #gathered(): Promise<string> {
    const { connection } = this;
    if (connection.iceGatheringState !== "complete") {
      const { clock = webClock, gatheringTime = defaultGatheringTime } = this.#options;
      await new Promise<void>((resolve) => {
        const look = () => {
          if (connection.iceGatheringState === "complete") done();
        };
        const done = () => {
          timer.cancel();
          connection.removeEventListener("icegatheringstatechange", look);
          resolve();
        };
        const timer = clock.schedule(gatheringTime, done);
        connection.addEventListener("icegatheringstatechange", look);
      });
    }
    const sdp = connection.localDescription?.sdp;
    if (sdp === undefined || this.#isClosed) throw new NegotiationError("the call has ended");
    return sdp;
  }
}

function letGo(stream: Stream): void {
  for (const track of stream.getTracks() as readonly Track[]) track.stop();
}
