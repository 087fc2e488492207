// What a callee does with a call: ringing, answering, refusing, and the 2xx until its ACK. RFC 3261 §13.3, §9.2.

import { below } from "../core/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { ArgumentError, NegotiationError, StateError } from "../errors.ts";
import type { HeaderInit, SipRequest } from "../message/index.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";
import { refusalOfOffer, sdpOf } from "./call-context.ts";
import type { CallCore, CallSide } from "./call-core.ts";
import { IncomingInvite, type IncomingInviteUser } from "./incoming-invite.ts";
import { GivenMedia, refusalOf, type SdpSource } from "./media-session.ts";
import type { Description } from "./reliable-provisional.ts";
import type { Renegotiation } from "./renegotiation.ts";
import type { Session } from "./session.ts";
import type { Updates } from "./update.ts";

export interface AnswerOptions {
  /** Our session description; without it the user agent's `media` is used. */
  readonly sdp?: SdpSource;
  readonly headers?: readonly HeaderInit[];
}

/** A provisional response with or without early media. */
export interface ProgressOptions {
  /** 101–199, default 183. */
  readonly statusCode?: number;
  /** Our session description, as for `answer`. */
  readonly sdp?: SdpSource;
  /** True: early media by the user agent's `media`. */
  readonly media?: boolean;
  /**
   * True: it is sent until the caller's PRACK is here (RFC 3262), if the caller can do that. Default: only for a caller
   * that insists on it, and for an offer of ours.
   */
  readonly reliable?: boolean;
  readonly headers?: readonly HeaderInit[];
}

export class Callee implements CallSide, IncomingInviteUser {
  readonly #core: CallCore;
  readonly #invite: IncomingInvite;
  readonly onRequest: IncomingInviteUser["onRequest"];
  #isAnswering = false;
  #negotiation: Promise<string> | undefined;
  /** "sent": our description went out in a reliable provisional response; "done": it was acknowledged (RFC 3262 §5). */
  #exchange: "open" | "sent" | "done" = "open";

  /** @throws {ParseError} if the INVITE cannot make a dialog */
  constructor(core: CallCore, incoming: IncomingRequest, onRequest: IncomingInviteUser["onRequest"]) {
    this.#core = core;
    this.onRequest = onRequest;
    this.#invite = new IncomingInvite(core.context, this, incoming);
    core.dialog = this.#invite.dialog;
    this.#renegotiation.updates.note(incoming.request);
  }

  /** The caller's offer in its INVITE. */
  get offered(): string | undefined {
    return sdpOf(this.#invite.request);
  }

  async progress(options: ProgressOptions): Promise<void> {
    const { statusCode = 183, headers = [] } = options;
    if (statusCode <= 100 || statusCode > 199)
      throw new ArgumentError(`${statusCode} is no provisional response`);
    const { reliability } = this.#pending("progress");
    const isWanted = options.sdp !== undefined || options.media === true;
    const hasOffer = this.offered !== undefined;
    if (this.offered !== undefined && options.sdp === undefined) this.#examine(this.offered);
    // §13.2.1: an offer of ours may go only in a reliable response.
    const offersEarly = isWanted && !hasOffer && this.#exchange === "open";
    let isReliable =
      reliability === "required" || (reliability === "supported" && (options.reliable ?? offersEarly));
    let body: string | undefined;
    // RFC 3262 §5: the first reliable response has to bring the offer that the INVITE did not.
    if (this.#exchange === "open" && (isReliable ? isWanted || !hasOffer : isWanted && hasOffer)) {
      const canOffer = isWanted || hasOffer || reliability === "required" || this.#sessionFor(undefined);
      if (canOffer) body = await this.#negotiate(this.offered, options.sdp);
      else isReliable = false;
    }
    const invite = this.#pending("progress");
    const content = body === undefined ? { headers } : { headers, body, contentType: "application/sdp" };
    this.#core.setState("ringing");
    if (!isReliable) {
      invite.provisional(statusCode, content);
      return;
    }
    if (body !== undefined) this.#exchange = "sent";
    await invite.reliableProvisional(
      statusCode,
      content,
      body === undefined ? undefined : hasOffer ? "answer" : "offer",
    );
    if (this.#core.end !== undefined) throw this.#core.endedError();
  }

  async answer(options: SdpSource | AnswerOptions): Promise<void> {
    const { sdp, headers = [] } =
      typeof options === "string" || typeof options === "function" ? { sdp: options } : options;
    this.#pending("answer");
    if (this.#isAnswering) throw new StateError("the call is being answered already");
    this.#isAnswering = true;
    const core = this.#core;
    try {
      const invite = this.#invite;
      // RFC 3262 §5: what went out in a reliable response is acknowledged before the 2xx, and not repeated there.
      const agreed = this.#exchange === "open" ? await this.#negotiate(this.offered, sdp) : undefined;
      await invite.reliable.descriptionsAcknowledged();
      const body = this.#exchange === "open" ? agreed : undefined;
      if (core.end !== undefined || !invite.isPending) throw core.endedError();
      core.wasAnswered = true;
      core.setState("established");
      core.establish(invite.dialog, invite.contact);
      invite.accept({ headers, sdp: body });
    } finally {
      this.#isAnswering = false;
    }
    await core.answered.promise;
  }

  reject(statusCode: number, options: Omit<RespondOptions, "toTag">): void {
    if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 699) {
      throw new ArgumentError(`${statusCode} does not refuse a call`);
    }
    this.#pending("reject").reject(statusCode, options);
    this.#core.finish({ by: "local", cause: "rejected" });
  }

  /** Nobody answers (§21.4.18); what is being answered goes on. */
  expire(): void {
    if (this.#isAnswering || !this.#invite.isPending || this.#core.end !== undefined) return;
    this.#invite.reject(480, { reasonPhrase: "Temporarily Unavailable (no answer)" });
    this.#core.finish({ by: "local", cause: "expired" });
  }

  // --- For the call ------------------------------------------------------------------------------------------

  get mayBye(): boolean {
    return this.#invite.acceptance === undefined;
  }

  giveUp(headers: readonly HeaderInit[]): void {
    this.#invite.reject(480, { headers });
    this.#core.finish({ by: "local", cause: "rejected" });
  }

  onAckRequest(ack: SipRequest): void {
    const { acceptance } = this.#invite;
    if (acceptance?.sequence === ack.cSeq.sequence) acceptance.acknowledge(ack);
    else this.#core.renegotiation?.onAckRequest(ack);
  }

  refuseInvite(incoming: IncomingRequest): boolean {
    // §14.2: the first INVITE of the dialog is not done yet.
    if (this.#invite.isPending) {
      incoming.respond(500, { headers: [["Retry-After", below(this.#core.context.random, 11)]] });
      return true;
    }
    // RFC 5407 §3.1.5: our offer waits for the answer in the ACK.
    if (this.#invite.acceptance !== undefined && this.offered === undefined) {
      incoming.respond(491);
      return true;
    }
    if (this.#core.hangingUp !== undefined) return false;
    // RFC 5407 §3.1.4: only the ACK was lost.
    this.#invite.acceptance?.acknowledge(undefined);
    return false;
  }

  /** RFC 3262 §3, §5. @throws {ParseError} if its RAck cannot be read */
  onPrack(incoming: IncomingRequest): void {
    const { request } = incoming;
    const rAck = request.headers.get("RAck");
    if (rAck === undefined) {
      incoming.respond(400, { reasonPhrase: "Missing RAck" });
      return;
    }
    const acknowledged = this.#invite.reliable.take(rAck);
    if (acknowledged === undefined) incoming.respond(481);
    else void this.#onAcknowledged(incoming, acknowledged.description).finally(acknowledged.done);
  }

  get earlyRenegotiation(): Renegotiation | undefined {
    return this.#exchange === "done" ? this.#renegotiation : undefined;
  }

  updatesOf(): Updates {
    return this.#renegotiation.updates;
  }

  get #renegotiation(): Renegotiation {
    return this.#core.renegotiationOf(this.#invite.dialog, this.#invite.contact);
  }

  refusesOffer(): 491 | 500 | undefined {
    if (this.#exchange !== "open") return undefined;
    // RFC 3311 §5.2: theirs is not answered yet, and without one the next offer is ours.
    return 500;
  }

  onOfferAnswered(): void {}

  onBye(dialog: Dialog): boolean {
    if (dialog !== this.#core.dialog) return false;
    // An INVITE without final response gets 487.
    if (this.#invite.isPending) this.#invite.reject(487);
    return true;
  }

  close(): void {
    this.#invite.close();
  }

  // --- What comes of the INVITE ------------------------------------------------------------------------------

  onGivenUp(cause: "canceled" | "expired", cancel: SipRequest | undefined): void {
    this.#core.finish({ by: "remote", cause, ...(cancel === undefined ? {} : { request: cancel }) });
  }

  onNoPrack(): void {
    this.#core.finish({ by: "local", cause: "no prack" });
  }

  onUnacknowledged(): void {
    this.#core.broken("no ack", undefined);
  }

  onAck(ack: SipRequest | undefined): void {
    if (this.#core.end !== undefined) return;
    const established = () => {
      this.#core.answered.resolve();
      if (this.#core.hangingUp !== undefined) this.#core.bye("bye", undefined);
      else this.#core.changed.emit();
    };
    if (this.offered !== undefined || this.#exchange === "done") {
      established();
      return;
    }
    // §13.2.1: we offered in the 2xx.
    const session = this.#core.session;
    if (session === undefined) established();
    else
      session.accept(ack === undefined ? undefined : sdpOf(ack)).then(established, (error: unknown) => {
        this.#core.answered.reject(error);
        this.#core.broken("bad answer", undefined);
      });
  }

  /** §13.3.1.3: nobody is called to the phone for an offer that our media can make nothing of. */
  #examine(offer: string): void {
    if (this.#negotiation !== undefined) return;
    try {
      this.#sessionFor(undefined)?.media.examine?.(offer);
    } catch (error) {
      this.#refuse(error);
      throw error;
    }
  }

  /** Our answer to the caller's offer, made once (§13.3.1.1), or our offer for the 2xx. */
  #negotiate(offer: string | undefined, sdp: SdpSource | undefined): Promise<string> {
    this.#negotiation ??= this.#negotiateOnce(offer, sdp).catch((error: unknown) => {
      this.#negotiation = undefined;
      throw error;
    });
    return this.#negotiation;
  }

  async #negotiateOnce(offer: string | undefined, sdp: SdpSource | undefined): Promise<string> {
    const session = this.#sessionFor(sdp);
    if (session === undefined) {
      throw new ArgumentError("a session description is needed, or a user agent with `media`");
    }
    try {
      return offer === undefined ? await session.offer() : await session.answer(offer);
    } catch (error) {
      if (this.#core.end !== undefined) throw this.#core.endedError();
      if (error instanceof NegotiationError) this.#refuse(error);
      throw error;
    }
  }

  /** By the application's description or, without one, the user agent's `media`. */
  #sessionFor(sdp: SdpSource | undefined): Session | undefined {
    const core = this.#core;
    if (sdp !== undefined) return core.use(new GivenMedia(sdp));
    if (core.session !== undefined) return core.session;
    const media = core.context.createMedia(core.call);
    return media === undefined ? undefined : core.use(media);
  }

  /** What the PRACK brings: the answer to our early offer, or an offer after our early answer. */
  async #onAcknowledged(incoming: IncomingRequest, description: Description): Promise<void> {
    const core = this.#core;
    const { session, context } = core;
    const headers = context.capabilities("response");
    const sdp = sdpOf(incoming.request);
    if (this.#exchange === "sent" && description !== undefined) this.#exchange = "done";
    if (description === "offer") {
      incoming.respond(200, { headers });
      await session?.accept(sdp).then(
        () => core.changed.emit(),
        (error: unknown) => this.#refuse(error),
      );
      return;
    }
    if (sdp === undefined || session === undefined || core.end !== undefined) {
      incoming.respond(200, { headers });
      return;
    }
    // RFC 3262 §5, RFC 6337 §2.2: another offer, though only once the one before is answered.
    if (this.#exchange !== "done" || session.isOffering || session.isAnswering) {
      incoming.respond(500, { headers: [["Retry-After", below(context.random, 11)]] });
      return;
    }
    try {
      const body = await session.answer(sdp);
      incoming.respond(200, { headers, body, contentType: "application/sdp" });
      core.changed.emit();
    } catch (error) {
      // RFC 6337 §2.3: a PRACK is not refused for its offer. It is answered without streams, and the call with 488.
      const body = refusalOf(sdp);
      const content = body === undefined ? {} : { body, contentType: "application/sdp" };
      incoming.respond(200, { headers, ...content });
      this.#refuse(error);
    }
  }

  /** 488 and its like: there is nothing to agree on. */
  #refuse(error: unknown): void {
    if (!this.#invite.isPending || this.#core.end !== undefined) return;
    if (!(error instanceof NegotiationError)) {
      this.#core.context.reportError(error);
      this.#invite.reject(500);
    } else {
      const { context, session } = this.#core;
      const { statusCode, options } = refusalOfOffer(error, {
        isNowhere: context.isSoleEndpoint,
        capabilities: session?.media.capabilities?.(),
      });
      this.#invite.reject(statusCode, options);
    }
    this.#core.finish({ by: "local", cause: "rejected" });
  }

  #pending(what: string): IncomingInvite {
    if (this.#core.end !== undefined) throw this.#core.endedError();
    if (!this.#invite.isPending) {
      throw new StateError(`${what}() comes too late: the call is ${this.#core.state}`);
    }
    return this.#invite;
  }
}
