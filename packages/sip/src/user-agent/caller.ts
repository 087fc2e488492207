// What a caller does with a call: its INVITE from the offer to the ACK, or to giving up. RFC 3261 §13.2, §9.1.

import type { AuthSession } from "../auth/index.ts";
import type { ResponseContext } from "../core/index.ts";
import { rejectionOf } from "../core/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { NegotiationError } from "../errors.ts";
import type { HeaderInit, SipRequest, SipResponse, Uri } from "../message/index.ts";
import type { IncomingRequest } from "../stack.ts";
import type { CallCore, CallSide } from "./call-core.ts";
import type { MediaSession } from "./media-session.ts";
import { OutgoingInvite, type OutgoingInviteUser } from "./outgoing-invite.ts";

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
      if (core.hangingUp !== undefined) {
        // Given up before anything was sent.
        core.finish({ by: "local", cause: this.#givenUpCause });
        return;
      }
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
    this.#invite.cancel(headers);
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
    if (this.#core.end !== undefined) return;
    if (response.statusCode > 100) this.#core.setState("ringing");
    if (sdp !== undefined && dialog !== undefined) {
      this.#core.session?.accept(sdp, false).then(
        () => this.#core.changed.emit(),
        // §13.2.1: what counts is the answer in the 2xx.
        (error: unknown) => this.#core.context.reportError(error),
      );
    }
    this.#core.progress.emit(response);
  }

  async onAnswered(dialog: Dialog, sdp: string | undefined, contact: string): Promise<string | undefined> {
    this.#core.dialog = dialog;
    this.#core.wasAnswered = true;
    this.#core.setState("established");
    try {
      let answer: string | undefined;
      if (this.#core.session === undefined) {
        if (sdp !== undefined) throw new NegotiationError("there is no media to answer the offer with");
      } else if (this.#core.session.localDescription === undefined) {
        // §13.2.1: the INVITE had no offer, so the 2xx has, and the ACK takes the answer.
        if (sdp === undefined) throw new NegotiationError("the peer offered nothing");
        answer = await this.#core.session.answer(sdp);
      } else {
        await this.#core.session.accept(sdp);
      }
      this.#core.establish(dialog, contact);
      return answer;
    } catch (error) {
      this.#core.answered.reject(error);
      this.#core.hangingUp ??= { headers: [] };
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
  }

  onFailed(response: SipResponse, context: ResponseContext): void {
    const { origin } = context;
    this.#core.answered.reject(rejectionOf(response, context));
    if (this.#core.hangingUp !== undefined)
      this.#core.finish({ by: "local", cause: this.#givenUpCause, response });
    else if (origin === "timeout") this.#core.finish({ by: "remote", cause: "no answer", response });
    else this.#core.finish({ by: "remote", cause: "rejected", response });
  }

  onUnusable(response: SipResponse, error: unknown): void {
    this.#core.answered.reject(error);
    this.#core.finish({ by: "local", cause: "bad answer", response });
  }

  onCrossed(response: SipResponse, ended: Promise<void>): void {
    void ended.then(() => this.#core.finish({ by: "local", cause: this.#givenUpCause, response }));
  }
}
