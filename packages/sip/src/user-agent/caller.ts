// What a caller does with a call: its INVITE from the offer to the ACK, or to giving up. RFC 3261 §13.2, §9.1.

import type { AuthSession } from "../auth/index.ts";
import type { ResponseContext } from "../core/index.ts";
import { rejectionOf } from "../core/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { NegotiationError } from "../errors.ts";
import type { HeaderInit, SipRequest, SipResponse, Uri } from "../message/index.ts";
import type { IncomingRequest } from "../stack.ts";
import type { CallCore, CallSide } from "./call-core.ts";
import { type MediaSession, refusalOf } from "./media-session.ts";
import { type EarlyDescription, OutgoingInvite, type OutgoingInviteUser } from "./outgoing-invite.ts";
import { sendPrack } from "./reliable-provisional.ts";
import type { Renegotiation } from "./renegotiation.ts";
import type { Updates } from "./update.ts";

/** How an outgoing call starts; made by the user agent. */
export interface OutgoingStart {
  readonly remote: { readonly uri: Uri; readonly displayName?: string };
  readonly callId: string;
  readonly media: MediaSession | undefined;
  /** False for an INVITE without offer: the 2xx then brings it. */
  readonly offers: boolean;
  readonly auth: AuthSession | undefined;
  /** Fulfilled when the transports are open. */
  readonly ready: Promise<void>;
  plan(sdp: string | undefined): Parameters<OutgoingInvite["send"]>[0];
}

export class Caller implements CallSide, OutgoingInviteUser {
  readonly #core: CallCore;
  readonly #start: OutgoingStart;
  readonly #invite: OutgoingInvite;
  readonly onRequest: OutgoingInviteUser["onRequest"];
  #givenUpCause: "canceled" | "expired" = "canceled";
  /** The ACK for the 2xx to our INVITE has gone out. */
  #isAcknowledged = false;
  #badAnswer = false;
  /** The dialog, early or confirmed, in which the session was agreed on last. */
  #agreedWith: Dialog | undefined;
  /** Early dialogs in which offer and answer have been exchanged reliably. */
  /** Early offers and answers that are being taken. */
  #taking: Promise<unknown> = Promise.resolve();
  /** The session was changed in another fork than the one that answered. */
  #isStale = false;
  readonly #exchanged = new Set<Dialog>();

  constructor(core: CallCore, start: OutgoingStart, onRequest: OutgoingInviteUser["onRequest"]) {
    this.#core = core;
    this.#start = start;
    this.onRequest = onRequest;
    this.#invite = new OutgoingInvite(core.context, this, start.auth, start.offers);
    if (start.media !== undefined) core.use(start.media);
  }

  /** Sends the INVITE once the offer is there. */
  async send(): Promise<void> {
    const core = this.#core;
    try {
      await this.#start.ready;
      const sdp = this.#start.offers ? await core.session?.offer() : undefined;
      // Given up before anything was sent.
      if (core.end !== undefined) return;
      this.#invite.send(this.#start.plan(sdp));
    } catch (error) {
      core.answered.reject(error);
      core.finish({ by: "local", cause: "canceled" });
    }
  }

  /** Nobody answered in time: as `giveUp`, but the end says so. */
  expire(): void {
    this.#givenUpCause = "expired";
  }

  get mayBye(): boolean {
    return this.#isAcknowledged;
  }

  giveUp(headers: readonly HeaderInit[]): void {
    this.#core.hangingUp = { headers };
    this.#core.setState("ending");
    if (this.#invite.isSent) this.#invite.cancel(headers);
    // Who asks its user for the microphone takes its time over the offer.
    else this.#core.finish({ by: "local", cause: this.#givenUpCause });
  }

  onAckRequest(ack: SipRequest): void {
    this.#core.renegotiation?.onAckRequest(ack);
  }

  refuseInvite(incoming: IncomingRequest): boolean {
    if (this.#core.renegotiation !== undefined) return false;
    // §14.2: our INVITE is still under way.
    incoming.respond(491);
    return true;
  }

  /** RFC 3262 §3: PRACK is for callees. */
  onPrack(incoming: IncomingRequest): void {
    incoming.respond(481);
  }

  get earlyRenegotiation(): Renegotiation | undefined {
    return this.#agreedWith === undefined ? undefined : this.#core.findRenegotiation(this.#agreedWith);
  }

  updatesOf(dialog: Dialog): Updates | undefined {
    return this.#core.renegotiationOf(dialog, this.#invite.contact).updates;
  }

  refusesOffer(dialog: Dialog): 491 | 500 | undefined {
    if (this.#exchanged.has(dialog)) return undefined;
    // RFC 3311 §5.2: our offer in the INVITE is not answered; without one, the callee's turn to offer is the 1xx or 2xx.
    return this.#invite.hasOffer ? 491 : 500;
  }

  onOfferAnswered(dialog: Dialog): void {
    this.#agreedWith = dialog;
  }

  onBye(dialog: Dialog): boolean {
    if (dialog.state === "early") {
      this.#invite.dropFork(dialog);
      return false;
    }
    return dialog === this.#core.dialog;
  }

  close(): void {
    this.#invite.close();
  }

  onProgress(response: SipResponse, dialog: Dialog | undefined, sdp: string | undefined): void {
    const core = this.#core;
    if (core.end !== undefined) return;
    if (response.statusCode > 100) core.setState("ringing");
    if (dialog !== undefined) core.findRenegotiation(dialog)?.updates.note(response);
    if (sdp !== undefined && dialog !== undefined) {
      core.session?.accept(sdp, false).then(
        () => core.changed.emit(),
        // §13.2.1: what counts is the answer in the 2xx.
        (error: unknown) => core.context.reportError(error),
      );
    }
    core.progress.emit(response);
  }

  onReliable(
    response: SipResponse,
    rSeq: number,
    early: { dialog: Dialog; contact: string; description: EarlyDescription },
  ): Promise<void> {
    const core = this.#core;
    if (core.end !== undefined) return Promise.resolve();
    core.setState("ringing");
    core.renegotiationOf(early.dialog, early.contact).updates.note(response);
    const acknowledged = this.#acknowledgeProvisional(response, rSeq, early);
    core.progress.emit(response);
    return acknowledged;
  }

  onOfferChanged(offer: string | undefined): void {
    const { session, context } = this.#core;
    const changed = offer === undefined ? session?.withdrawOffer() : session?.replaceOffer(offer);
    changed?.catch((error: unknown) => context.reportError(error));
  }

  onDropped(dialog: Dialog): void {
    if (this.#agreedWith === dialog) this.#agreedWith = undefined;
    this.#exchanged.delete(dialog);
    this.#core.forget(dialog);
  }

  async onAnswered(
    dialog: Dialog,
    sdp: string | undefined,
    about: { response: SipResponse; contact: string; hasExchanged: boolean },
  ): Promise<string | undefined> {
    const core = this.#core;
    core.dialog = dialog;
    core.wasAnswered = true;
    core.setState("established");
    try {
      const answer = await this.#agree(dialog, sdp, about.hasExchanged);
      core.establish(dialog, about.contact);
      core.renegotiation?.updates.note(about.response);
      return answer;
    } catch (error) {
      core.answered.reject(error);
      core.hangingUp ??= { headers: [] };
      this.#badAnswer = true;
      throw error;
    }
  }

  /** §15: the caller may send BYE from its ACK on. */
  onAcknowledged(): void {
    this.#isAcknowledged = true;
    if (this.#core.hangingUp !== undefined) {
      this.#core.bye(this.#badAnswer ? "bad answer" : "bye", undefined);
      return;
    }
    this.#core.answered.resolve();
    this.#core.changed.emit();
    if (this.#isStale) this.#core.renegotiation?.modify(undefined).catch(this.#core.context.reportError);
  }

  onFailed(response: SipResponse, context: ResponseContext): void {
    const { origin } = context;
    this.#core.answered.reject(rejectionOf(response, context));
    if (this.#core.hangingUp !== undefined)
      this.#core.finish({ by: "local", cause: this.#givenUpCause, response });
    else if (origin === "timeout") this.#core.finish({ by: "remote", cause: "no answer", response });
    // §13.3.1, §21.4.25: we did not give up, so the time of the INVITE was over, here or at a proxy.
    else if (response.statusCode === 487) this.#core.finish({ by: "remote", cause: "expired", response });
    else this.#core.finish({ by: "remote", cause: "rejected", response });
  }

  /** RFC 3262 §4, §5: takes what the response brought, then sends the PRACK. */
  async #acknowledgeProvisional(
    response: SipResponse,
    rSeq: number,
    early: { dialog: Dialog; contact: string; description: EarlyDescription },
  ): Promise<void> {
    const core = this.#core;
    const { dialog, contact, description } = early;
    const taking =
      description === undefined ? Promise.resolve(undefined) : this.#takeEarly(dialog, description);
    const before = this.#taking;
    this.#taking = Promise.allSettled([before, taking]);
    const answer = await taking;
    if (dialog.state === "terminated") return;
    const outcome = core
      .renegotiationOf(dialog, contact)
      .updates.inTurn(() => sendPrack(core.context, dialog, core.auth, response, rSeq, answer));
    if (description !== undefined) core.changed.emit();
    const { response: final, context } = await outcome;
    // A PRACK that fails fails alone: the INVITE goes on, and the callee decides what becomes of it.
    if (final.statusCode >= 300 && core.end === undefined && !core.wasAnswered) {
      core.context.reportError(rejectionOf(final, context));
    }
  }

  /** Takes an early answer or offer; returns our answer, one without streams if theirs cannot be used. */
  async #takeEarly(
    dialog: Dialog,
    { kind, sdp }: NonNullable<EarlyDescription>,
  ): Promise<string | undefined> {
    const { session, context } = this.#core;
    try {
      let answer: string | undefined;
      if (session === undefined) throw new NegotiationError("there is no media for this session");
      if (kind === "offer") answer = await session.answer(sdp);
      else if (this.#agreedWith === undefined) await session.accept(sdp);
      else await session.adopt(sdp);
      this.#agreedWith = dialog;
      this.#exchanged.add(dialog);
      return answer;
    } catch (error) {
      // It shows once more when the 2xx comes; until then another fork may answer.
      context.reportError(error);
      return kind === "offer" ? refusalOf(sdp) : undefined;
    }
  }

  /** §13.2.1: the session of the dialog that the 2xx confirms; returns the answer for the ACK. */
  async #agree(dialog: Dialog, sdp: string | undefined, hasExchanged: boolean): Promise<string | undefined> {
    const { session } = this.#core;
    if (session === undefined) {
      if (sdp !== undefined) throw new NegotiationError("there is no media to answer the offer with");
      return undefined;
    }
    await this.#taking;
    const before = this.#agreedWith;
    this.#agreedWith = dialog;
    // RFC 6337 §3.1.1: agreed on in a reliable provisional response, and perhaps by UPDATE since.
    if (before === dialog) return undefined;
    const { hasOffer } = this.#invite;
    if (!hasOffer && !hasExchanged) {
      // The INVITE had no offer, so the 2xx has, and the ACK takes the answer.
      if (sdp === undefined) throw new NegotiationError("the peer offered nothing");
      return await session.answer(sdp);
    }
    if (!this.#exchanged.has(dialog) && hasExchanged && !hasOffer) {
      throw new NegotiationError("the offer of the provisional response could not be used");
    }
    if (before === undefined) {
      if (hasOffer) await session.accept(sdp);
      return undefined;
    }
    // Another fork had the session last: this one's answer counts, and what has changed since is offered anew.
    if (hasOffer) await session.adopt(sdp);
    this.#isStale = session.revision > 1;
    return undefined;
  }

  onUnusable(response: SipResponse, error: unknown): void {
    this.#core.answered.reject(error);
    this.#core.finish({ by: "local", cause: "bad answer", response });
  }

  onCrossed(response: SipResponse, ended: Promise<void>): void {
    void ended.then(() => this.#core.finish({ by: "local", cause: this.#givenUpCause, response }));
  }
}
