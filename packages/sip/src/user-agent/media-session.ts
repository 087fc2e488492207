// What a call needs of media, whoever provides it: the library's audio, an application's own, or given texts.
// RFC 3264.

import { NegotiationError } from "../errors.ts";
import type { MaybePromise } from "../ports.ts";
import {
  attributesOf,
  type Direction,
  directionOf,
  intersection,
  type Line,
  type MediaDescription,
  originOf,
  parseSessionDescription,
  peerDirection,
  printSessionDescription,
  reversed,
  type SessionDescription,
} from "../sdp/index.ts";

/**
 * The media of one call. The call sees to it that offers and answers alternate (§4); every method may take
 * its time. Session descriptions are texts of type application/sdp.
 */
export interface MediaSession {
  /** The first offer of the session, or a new one with this direction (hold, resume). */
  createOffer(direction: Direction): MaybePromise<string>;
  /**
   * Our answer to the peer's offer, allowing at most `direction`.
   * @throws {NegotiationError} if nothing of the offer can be used: it is refused with 488
   */
  createAnswer(offer: string, direction: Direction): MaybePromise<string>;
  /**
   * The peer's answer to our last offer. An early one (`isFinal` false, from a provisional response) may be
   * followed by another, of another fork too.
   * @throws {NegotiationError} if it does not fit the offer: the call then ends
   */
  acceptAnswer(answer: string, isFinal: boolean): MaybePromise<void>;
  /** The first offer was refused, and the application has given this one to go out in its place. */
  replaceOffer?(offer: string): void;
  /** Our last offer was refused, or our last answer came too late: what was agreed before goes on (§8). */
  rollback?(): void;
  /**
   * Looks at an offer before anybody is called to the phone for it.
   * @throws {NegotiationError} as `createAnswer` would
   */
  examine?(offer: string): void;
  /** What could be agreed on here, for the body of a refusal (RFC 3264 §9). */
  capabilities?(): string | undefined;
  /** Sends key presses (RFC 4733), one after another. */
  sendDtmf?(digits: string): Promise<void>;
  /** Called by the call to hear of key presses. */
  onDtmf?(listener: (digit: string) => void): void;
  /** The call is over; called once. */
  close(): void;
}

/** What a media factory is told about the call it serves. */
export interface MediaContext {
  readonly callId: string;
  readonly direction: "outgoing" | "incoming";
  /** Where to bind sockets: the address of the socket that SIP goes by, possibly a wildcard. IPv6 without brackets. */
  readonly localAddress: string | undefined;
  /** The address that the peer reaches us at, as far as that is known before the media flow. */
  readonly publicAddress: string | undefined;
}

export type MediaFactory = (context: MediaContext) => MediaSession;

/**
 * Session descriptions from the application: one text, or a function from the peer's offer (undefined when
 * we offer) to our text.
 */
export type SdpSource = string | ((offer: string | undefined) => MaybePromise<string>);

/** Media that the application looks after itself; only the direction in the texts is ours to change (hold). */
export class GivenMedia implements MediaSession {
  readonly #source: SdpSource;
  #local: SessionDescription | undefined;
  #before: SessionDescription | undefined;

  constructor(source: SdpSource) {
    this.#source = source;
  }

  replaceOffer(offer: string): void {
    this.#take(offer);
  }

  async createOffer(direction: Direction): Promise<string> {
    this.#before = this.#local;
    if (this.#local !== undefined) {
      this.#local = renewed(this.#local, () => direction);
      return printSessionDescription(this.#local);
    }
    return this.#take(await this.#ask(undefined));
  }

  async createAnswer(offer: string, direction: Direction): Promise<string> {
    this.#before = this.#local;
    if (this.#local === undefined || typeof this.#source === "function") {
      return this.#take(await this.#ask(offer));
    }
    const theirs = parseOffer(offer);
    if (theirs.media.length !== this.#local.media.length) {
      throw new NegotiationError("the new offer has other streams", { warning: 304 });
    }
    this.#local = renewed(this.#local, (index) => {
      const media = theirs.media[index];
      return media === undefined
        ? direction
        : intersection(direction, reversed(peerDirection(theirs, media)));
    });
    return printSessionDescription(this.#local);
  }

  acceptAnswer(): void {
    this.#before = undefined;
  }

  rollback(): void {
    this.#local = this.#before ?? this.#local;
  }

  close(): void {}

  async #ask(offer: string | undefined): Promise<string> {
    return typeof this.#source === "function" ? await this.#source(offer) : this.#source;
  }

  /** Keeps what the application said, as it said it. */
  #take(text: string): string {
    try {
      this.#local = parseSessionDescription(text);
    } catch {
      // Its own business: the text goes out as it is, only hold will not be possible.
      this.#local = undefined;
    }
    return text;
  }
}

/** A call without session descriptions: whatever needs one fails, and the peer's offers get 488. */
export class NoMedia implements MediaSession {
  createOffer(): never {
    throw new NegotiationError("this call has no media");
  }
  createAnswer(): never {
    throw new NegotiationError("this call has no media", { warning: 304 });
  }
  acceptAnswer(): void {}
  close(): void {}
}

/** @throws {NegotiationError} if it is no session description */
export function parseOffer(text: string): SessionDescription {
  try {
    return parseSessionDescription(text);
  } catch (cause) {
    throw new NegotiationError("the session description cannot be read", { isMalformed: true, cause });
  }
}

/** An answer that takes none of the streams (RFC 3264 §6); undefined if the offer cannot be read. */
export function refusalOf(offer: string): string | undefined {
  try {
    const description = parseOffer(offer);
    const media = description.media.map((section) => ({ ...section, port: 0 }));
    return printSessionDescription({ ...description, media });
  } catch {
    return undefined;
  }
}

/** True if the peer wants nothing from us on any stream (§8.4). */
export function isHold(text: string): boolean {
  try {
    const description = parseSessionDescription(text);
    const active = description.media.filter((media) => media.port !== 0);
    return (
      active.length > 0 &&
      active.every((media) => {
        const direction = peerDirection(description, media);
        return direction === "sendonly" || direction === "inactive";
      })
    );
  } catch {
    return false;
  }
}

/** The description with new directions, and a version one higher if that changed anything (§8). */
function renewed(previous: SessionDescription, direction: (index: number) => Direction): SessionDescription {
  const media = previous.media.map((section, index) =>
    section.port === 0 || directionOf(previous, section) === direction(index)
      ? section
      : withDirection(section, direction(index)),
  );
  if (media.every((section, index) => section === previous.media[index])) return previous;
  const origin = originOf(previous);
  const sessionVersion = String(BigInt(origin.sessionVersion) + 1n);
  const lines = previous.lines.map(
    (line): Line => (line.type === "o" ? { type: "o", origin: { ...origin, sessionVersion } } : line),
  );
  return { lines, media };
}

function withDirection(section: MediaDescription, direction: Direction): MediaDescription {
  const names: readonly string[] = ["sendrecv", "sendonly", "recvonly", "inactive"];
  const old = names.flatMap((name) => attributesOf(section, name));
  const lines = section.lines.filter((line) => !old.some((attribute) => attribute === line));
  return { ...section, lines: [...lines, { type: "a", name: direction }] };
}
