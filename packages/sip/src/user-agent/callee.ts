// What a callee does with a call: ringing, answering, refusing, and the 2xx until its ACK. RFC 3261 §13.3, §9.2.

import { below } from "../core/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { ArgumentError, NegotiationError, StateError } from "../errors.ts";
import type { HeaderInit, SipRequest } from "../message/index.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";
import { sdpOf } from "./call-context.ts";
import type { CallCore, CallSide } from "./call-core.ts";
import { IncomingInvite, type IncomingInviteUser } from "./incoming-invite.ts";
import { GivenMedia, type SdpSource } from "./media-session.ts";
import { warningHeader } from "./renegotiation.ts";

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
  readonly headers?: readonly HeaderInit[];
}

export class Callee implements CallSide, IncomingInviteUser {
  readonly #core: CallCore;
  readonly #invite: IncomingInvite;
  readonly onRequest: IncomingInviteUser["onRequest"];
  #isAnswering = false;

  /** @throws {ParseError} if the INVITE cannot make a dialog */
  constructor(core: CallCore, incoming: IncomingRequest, onRequest: IncomingInviteUser["onRequest"]) {
    this.#core = core;
    this.onRequest = onRequest;
    this.#invite = new IncomingInvite(core.context, this, incoming);
    core.dialog = this.#invite.dialog;
  }

  /** The caller's offer in its INVITE. */
  get offered(): string | undefined {
    return sdpOf(this.#invite.request);
  }

  ring(options: { headers?: readonly HeaderInit[] }): void {
    this.#pending("ring").provisional(180, options);
    this.#core.setState("ringing");
  }

  async progress(options: ProgressOptions): Promise<void> {
    const { statusCode = 183, headers = [] } = options;
    if (statusCode <= 100 || statusCode > 199)
      throw new ArgumentError(`${statusCode} is no provisional response`);
    this.#pending("progress");
    const offer = this.offered;
    let body: string | undefined;
    // §13.2.1: an offer of ours may go only in a reliable response, so this needs an offer of the caller.
    if ((options.sdp !== undefined || options.media === true) && offer !== undefined) {
      body = await this.#negotiate(offer, options.sdp);
    }
    this.#pending("progress").provisional(statusCode, {
      headers,
      ...(body === undefined ? {} : { body, contentType: "application/sdp" }),
    });
    this.#core.setState("ringing");
  }

  async answer(options: SdpSource | AnswerOptions): Promise<void> {
    const { sdp, headers = [] } =
      typeof options === "string" || typeof options === "function" ? { sdp: options } : options;
    this.#pending("answer");
    if (this.#isAnswering) throw new StateError("the call is being answered already");
    this.#isAnswering = true;
    const core = this.#core;
    try {
      const body = await this.#negotiate(this.offered, sdp);
      const invite = this.#invite;
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
    if (this.offered !== undefined) {
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

  /** Our answer to the caller's offer, made once (§13.3.1.1), or our offer for the 2xx. */
  async #negotiate(offer: string | undefined, sdp: SdpSource | undefined): Promise<string | undefined> {
    const before = this.#core.session?.localDescription;
    if (before !== undefined) return before;
    const media = sdp === undefined ? this.#core.context.createMedia(this.#core.call) : new GivenMedia(sdp);
    if (media === undefined) {
      throw new ArgumentError("a session description is needed, or a user agent with `media`");
    }
    const session = this.#core.use(media);
    try {
      return offer === undefined ? await session.offer() : await session.answer(offer);
    } catch (error) {
      if (this.#core.end !== undefined) throw this.#core.endedError();
      if (error instanceof NegotiationError && this.#invite.isPending) {
        const { warning, message } = error;
        this.#invite.reject(488, {
          headers: warning === undefined ? [] : [warningHeader(warning, message)],
        });
        this.#core.finish({ by: "local", cause: "rejected" });
      }
      throw error;
    }
  }

  #pending(what: string): IncomingInvite {
    if (this.#core.end !== undefined) throw this.#core.endedError();
    if (!this.#invite.isPending) {
      throw new StateError(`${what}() comes too late: the call is ${this.#core.state}`);
    }
    return this.#invite;
  }
}
