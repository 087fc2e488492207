// Offer and answer of one call, in their order. RFC 3261 §13.2.1, §14; RFC 3264 §4.

import { NegotiationError } from "../errors.ts";
import type { Direction } from "../sdp/index.ts";
import { onHold } from "../sdp/index.ts";
import { isHold, type MediaSession } from "./media-session.ts";

/** "stable": nothing is open. "offered": our offer waits for its answer. */
type SessionState = "none" | "offered" | "stable";

/** The session of a call: what was offered and agreed. Its steps run one after another. */
export class Session {
  readonly #media: MediaSession;
  #state: SessionState = "none";
  #direction: Direction = "sendrecv";
  #directionBefore: Direction = "sendrecv";
  #local: string | undefined;
  #localBefore: string | undefined;
  #remote: string | undefined;
  #stepsBefore: Promise<unknown> = Promise.resolve();
  #revision = 0;
  /** Offers that are being made, and offers of the peer that are being answered. */
  #making = 0;
  #answering = 0;
  #isClosed = false;

  constructor(media: MediaSession) {
    this.#media = media;
  }

  /** Our last description; undefined before the first. */
  get localDescription(): string | undefined {
    return this.#local;
  }
  /** The peer's last description, from an early answer too. */
  get remoteDescription(): string | undefined {
    return this.#remote;
  }
  /** What we want; what is agreed may be less. */
  get direction(): Direction {
    return this.#direction;
  }
  /** We take no media from the peer. */
  get isOnHold(): boolean {
    return this.#direction === "sendonly" || this.#direction === "inactive";
  }
  /** The peer takes no media from us. */
  get isHeldByPeer(): boolean {
    return this.#remote !== undefined && isHold(this.#remote);
  }
  /** An offer of ours is out without its answer, or is being made. */
  get isOffering(): boolean {
    return this.#making > 0 || this.#state === "offered";
  }
  /** An offer of the peer is being answered. */
  get isAnswering(): boolean {
    return this.#answering > 0;
  }
  /** Rises with every description that went out: an offer made before another one is stale. */
  get revision(): number {
    return this.#revision;
  }
  get media(): MediaSession {
    return this.#media;
  }

  /** A new offer; `hold` changes the direction, undefined leaves it. */
  offer(hold?: boolean): Promise<string> {
    this.#making++;
    return this.#step(async () => {
      const direction = hold === undefined ? this.#direction : hold ? onHold("sendrecv") : "sendrecv";
      // RFC 3264 §8.4: a stream that the peer holds is put on hold as inactive.
      const offered = direction === "sendonly" && this.isHeldByPeer ? "inactive" : direction;
      const offer = await this.#media.createOffer(offered);
      this.#directionBefore = this.#direction;
      this.#direction = direction;
      this.#localBefore = this.#local;
      this.#local = offer;
      this.#revision++;
      this.#state = "offered";
      return offer;
    }).finally(() => {
      this.#making--;
    });
  }

  /** The first offer goes out again as another text, which the application gave for that. */
  replaceOffer(offer: string): Promise<void> {
    return this.#step(() => {
      this.#media.replaceOffer?.(offer);
      this.#local = offer;
      this.#revision++;
    });
  }

  /** The first offer is taken back: the peer will make one. */
  withdrawOffer(): Promise<void> {
    return this.#step(() => {
      this.#direction = this.#directionBefore;
      this.#local = undefined;
      this.#state = "none";
      this.#media.rollback?.();
    });
  }

  /**
   * @param isRefused - asked when the answer is there: true if the offer has been refused meanwhile
   * @throws {NegotiationError} if the offer cannot be taken
   */
  answer(offer: string, isRefused: () => boolean = () => false): Promise<string> {
    this.#answering++;
    return this.#step(async () => {
      const answer = await this.#media.createAnswer(offer, this.#direction);
      if (isRefused()) {
        this.#media.rollback?.();
        throw new NegotiationError("the offer was refused meanwhile");
      }
      this.#local = answer;
      this.#remote = offer;
      this.#revision++;
      this.#state = "stable";
      return answer;
    }).finally(() => {
      this.#answering--;
    });
  }

  /** The answer of another fork to the first offer takes the place of the one accepted before (RFC 3261 §13.2.1). */
  adopt(answer: string | undefined): Promise<void> {
    return this.#step(async () => {
      if (answer === undefined) throw new NegotiationError("the peer did not answer our offer");
      await this.#media.acceptAnswer(answer, true);
      this.#remote = answer;
      this.#state = "stable";
    });
  }

  /** @throws {NegotiationError} if there is no answer, or it does not fit */
  accept(answer: string | undefined, isFinal = true): Promise<void> {
    return this.#step(async () => {
      if (this.#state === "stable") return;
      if (answer === undefined) throw new NegotiationError("the peer did not answer our offer");
      await this.#media.acceptAnswer(answer, isFinal);
      this.#remote = answer;
      if (isFinal) this.#state = "stable";
    });
  }

  /** Our offer was refused. */
  rollback(): Promise<void> {
    return this.#step(() => {
      if (this.#state !== "offered") return;
      this.#direction = this.#directionBefore;
      this.#local = this.#localBefore;
      this.#state = "stable";
      this.#media.rollback?.();
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#media.close();
  }

  #step<T>(run: () => T | Promise<T>): Promise<T> {
    const result = this.#stepsBefore.then(() => {
      if (this.#isClosed) throw new NegotiationError("the session is closed");
      return run();
    });
    this.#stepsBefore = result.catch(() => {});
    return result;
  }
}
