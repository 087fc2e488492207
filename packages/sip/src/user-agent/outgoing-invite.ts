// The first INVITE of a call at the caller: early dialogs, forks, ACK, CANCEL. RFC 3261 §9.1, §13.2.

import type { AuthSession } from "../auth/index.ts";
import type { ResponseContext, UacRequest, UacUser } from "../core/index.ts";
import { Dialog, type DialogOwner, type RequestPlan } from "../dialog/index.ts";
import type { HeaderInit, SipResponse } from "../message/index.ts";
import type { Timer } from "../ports.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import { type CallContext, sdpOf, sendBye } from "./call-context.ts";
import { refusalOf } from "./media-session.ts";
import { ProvisionalSequence, reliableSequenceOf, sendPrack } from "./reliable-provisional.ts";

/** Early dialogs of one INVITE. Who rings in more places, or says so, is told of but not kept. */
const maxEarlyDialogs = 64;

/** One place where the INVITE arrived: a dialog per To tag (§12.1.2). */
interface Fork {
  readonly dialog: Dialog;
  /** Set once its 2xx was acknowledged. */
  ack: Acknowledgement | undefined;
  /** True from its first 2xx on. */
  hasAnswered: boolean;
  /** Session description of a provisional response, which its 2xx may leave out. */
  earlyAnswer: string | undefined;
  /** RFC 3262 §4: each early dialog counts its reliable responses by itself. */
  readonly sequence: ProvisionalSequence;
  /** Offer and answer have been exchanged reliably: descriptions in later responses are ignored (RFC 6337 §3.1). */
  hasExchanged: boolean;
}

/** What a reliable provisional response brought for the session. */
export type EarlyDescription = { readonly kind: "offer" | "answer"; readonly sdp: string } | undefined;

/** What the call hears of its INVITE. */
export interface OutgoingInviteUser extends DialogOwner {
  /** A provisional response; 101–199 with a To tag come with their early dialog. */
  onProgress(response: SipResponse, dialog: Dialog | undefined, sdp: string | undefined): void;
  /**
   * A reliable one, in order: it is to be acknowledged by PRACK, an offer in it answered there (RFC 3262 §5). Fulfilled
   * when the PRACK has its final response.
   * @param contact - the one that we gave
   */
  onReliable(
    response: SipResponse,
    rSeq: number,
    early: { dialog: Dialog; contact: string; description: EarlyDescription },
  ): Promise<void>;
  /** The INVITE goes out again, with another offer or with none: the one before was refused. */
  onOfferChanged(offer: string | undefined): void;
  /** An early dialog is over, or given up for another. */
  onDropped(dialog: Dialog): void;
  /**
   * The first 2xx: the call's dialog, the session description that counts, and the Contact that we gave.
   * `hasExchanged` is true if a reliable provisional response in this dialog has settled the session before.
   * Returns the answer for the ACK if the 2xx brought the offer. If it rejects, the ACK goes out all the same.
   */
  onAnswered(
    dialog: Dialog,
    sdp: string | undefined,
    about: { response: SipResponse; contact: string; hasExchanged: boolean },
  ): Promise<string | undefined>;
  /** The ACK has gone out. */
  onAcknowledged(): void;
  /** A 2xx that makes no dialog, because it cannot be read. */
  onUnusable(response: SipResponse, error: unknown): void;
  /** The final outcome other than a 2xx that was kept. */
  onFailed(response: SipResponse, context: ResponseContext): void;
  /** A 2xx came after giving up: it was acknowledged and ended (§9.1, §15). Instead of `onFailed`. */
  onCrossed(response: SipResponse, ended: Promise<void>): void;
}

export class OutgoingInvite implements UacUser {
  readonly #context: CallContext;
  readonly #user: OutgoingInviteUser;
  readonly #auth: AuthSession | undefined;
  #hasOffer: boolean;
  readonly #forks = new Map<string, Fork>();
  #offer: RequestPlan["body"];
  #request: UacRequest | undefined;
  #kept: Fork | undefined;
  #isGivenUp = false;
  #forkTimer: Timer | undefined;

  constructor(
    context: CallContext,
    user: OutgoingInviteUser,
    auth: AuthSession | undefined,
    hasOffer: boolean,
  ) {
    this.#context = context;
    this.#user = user;
    this.#auth = auth;
    this.#hasOffer = hasOffer;
  }

  send(plan: RequestPlan): void {
    this.#offer = plan.body;
    this.#request = this.#context.uac.send(plan, this, this.#auth === undefined ? {} : { auth: this.#auth });
  }

  /** False until the offer is there. */
  get isSent(): boolean {
    return this.#request !== undefined;
  }
  /** The INVITE makes the offer; without one the callee does (§13.2.1). */
  get hasOffer(): boolean {
    return this.#hasOffer;
  }
  /** The Contact that we gave, in the latest attempt. */
  get contact(): string {
    return this.#request?.sent.headers.raw("Contact") ?? "";
  }
  /** The early dialogs and, once answered, the confirmed one. */
  get dialogs(): Dialog[] {
    return Array.from(this.#forks.values(), (fork) => fork.dialog);
  }

  /** §9.1: CANCEL goes out once a provisional response came; a 2xx that crosses it is ended with BYE. */
  cancel(headers?: readonly HeaderInit[]): void {
    this.#isGivenUp = true;
    this.#request?.cancel(headers);
  }

  /** §15: a BYE of the callee ends an early dialog only; the INVITE goes on with the others. */
  dropFork(dialog: Dialog): void {
    this.#forks.delete(dialog.remoteTag);
    this.#drop(dialog);
  }

  onProvisional(response: SipResponse, context: ResponseContext): void {
    const { statusCode } = response;
    const tag = response.to.tag;
    // §12.1: 101–199 with a To tag make an early dialog, 100 never does.
    const isOneTooMany = tag !== undefined && !this.#forks.has(tag) && this.#forks.size >= maxEarlyDialogs;
    if (statusCode === 100 || tag === undefined || isOneTooMany) {
      this.#user.onProgress(response, undefined, undefined);
      return;
    }
    let fork: Fork | undefined;
    try {
      fork = this.#forkOf(response, context);
    } catch (error) {
      this.#context.reportError(error);
    }
    const rSeq = reliableSequenceOf(response);
    if (fork !== undefined && rSeq !== undefined) {
      // RFC 3262 §4: copies and what is out of order are not processed.
      const known = fork;
      known.sequence.take(rSeq, () => this.#onReliable(known, response, rSeq, context));
      return;
    }
    const sdp = this.#hasOffer && fork?.hasExchanged !== true ? sdpOf(response) : undefined;
    if (sdp !== undefined && fork !== undefined) fork.earlyAnswer = sdp;
    this.#user.onProgress(response, fork?.dialog, sdp);
  }

  #onReliable(fork: Fork, response: SipResponse, rSeq: number, context: ResponseContext): Promise<unknown> {
    const { dialog } = fork;
    const sdp = fork.hasExchanged ? undefined : sdpOf(response);
    if (sdp !== undefined) {
      fork.hasExchanged = true;
      fork.earlyAnswer = sdp;
    }
    if (this.#isGivenUp) {
      // The session is of no interest any more, but the peer waits for its PRACK.
      const refusal = this.#hasOffer || sdp === undefined ? undefined : refusalOf(sdp);
      return sendPrack(this.#context, dialog, this.#auth, response, rSeq, refusal);
    }
    const kind = this.#hasOffer ? "answer" : "offer";
    const contact = contactOf(context);
    const description: EarlyDescription = sdp === undefined ? undefined : { kind, sdp };
    return this.#user.onReliable(response, rSeq, { dialog, contact, description });
  }

  onFinal(response: SipResponse, context: ResponseContext): void {
    if (response.statusCode < 300) this.#onSuccess(response, context);
    else {
      // §12.3, §13.2.2.3: a non-2xx final response ends every early dialog.
      this.#dropEarly();
      if (this.#kept === undefined) this.#user.onFailed(response, context);
    }
  }

  mayRetry(): boolean {
    if (this.#isGivenUp) return false;
    this.#dropEarly();
    return true;
  }

  onRetry({ body }: RequestPlan): void {
    if (!this.#hasOffer || body === this.#offer) return;
    this.#offer = body;
    this.#hasOffer = body !== undefined;
    this.#user.onOfferChanged(typeof body === "string" ? body : undefined);
  }

  /** The call is over: a 2xx that comes all the same is acknowledged and ended (§13.2.2.4). */
  close(): void {
    this.#isGivenUp = true;
    this.#forkTimer?.cancel();
    this.#dropEarly();
  }

  #onSuccess(response: SipResponse, context: ResponseContext): void {
    const fork = this.#confirm(response, context);
    if (fork === undefined) return;
    if (fork.hasAnswered) {
      // §13.2.2.4: an ACK for every copy of the 2xx; while ours is being made, the copy can wait for it.
      fork.ack?.send();
      return;
    }
    fork.hasAnswered = true;
    if (this.#kept === undefined && !this.#isGivenUp) {
      this.#kept = fork;
      // §13.2.2.4: 64·T1 after the first 2xx no other one can come.
      this.#forkTimer = this.#context.clock.schedule(64 * this.#context.timers.T1, () => this.#dropEarly());
      void this.#keep(fork, response, context);
      return;
    }
    // §13.2.2.4: the other forks, and what crossed our CANCEL, are acknowledged and ended at once.
    const sdp = sdpOf(response);
    const isAnswered = this.#hasOffer || fork.hasExchanged;
    this.#acknowledge(fork, context, isAnswered || sdp === undefined ? undefined : refusalOf(sdp));
    const ended = sendBye(this.#context, fork.dialog, this.#auth);
    if (this.#kept === undefined) this.#user.onCrossed(response, ended);
  }

  async #keep(fork: Fork, response: SipResponse, context: ResponseContext): Promise<void> {
    const sdp = sdpOf(response);
    let answer: string | undefined;
    try {
      const { hasExchanged, earlyAnswer } = fork;
      answer = await this.#user.onAnswered(fork.dialog, hasExchanged ? earlyAnswer : (sdp ?? earlyAnswer), {
        ...{ response, hasExchanged },
        contact: contactOf(context),
      });
    } catch {
      // The user ends the call; the offer still has to be answered (§13.2.2.4).
      if (!this.#hasOffer && !fork.hasExchanged && sdp !== undefined) answer = refusalOf(sdp);
    }
    this.#acknowledge(fork, context, answer);
    this.#user.onAcknowledged();
  }

  #acknowledge(fork: Fork, context: ResponseContext, answer: string | undefined): void {
    fork.ack = new Acknowledgement(this.#context.stack, fork.dialog, context.sent, answer);
    fork.ack.send();
  }

  /**
   * The confirmed dialog of a 2xx. Without a Contact and Record-Route that can be read there is none, and no ACK
   * either: the callee will give up by itself (§13.3.1.4).
   */
  #confirm(response: SipResponse, context: ResponseContext): Fork | undefined {
    try {
      const fork = this.#forkOf(response, context);
      if (!fork.hasAnswered) fork.dialog.confirm(response);
      return fork;
    } catch (error) {
      if (this.#kept === undefined) this.#user.onUnusable(response, error);
      else this.#context.reportError(error);
      return undefined;
    }
  }

  /** @throws {ParseError} if Contact or Record-Route cannot be read */
  #forkOf(response: SipResponse, context: ResponseContext): Fork {
    const tag = response.to.tag ?? "";
    const known = this.#forks.get(tag);
    if (known !== undefined) return known;
    const dialog = Dialog.asUac(context.sent, response, isSecure(context));
    const fork: Fork = {
      ...{ dialog, ack: undefined, hasAnswered: false, earlyAnswer: undefined, hasExchanged: false },
      sequence: new ProvisionalSequence(this.#context.reportError),
    };
    this.#forks.set(tag, fork);
    this.#context.dialogs.add(dialog, this.#user);
    return fork;
  }

  #dropEarly(): void {
    for (const [tag, fork] of this.#forks) {
      if (fork.hasAnswered) continue;
      this.#forks.delete(tag);
      this.#drop(fork.dialog);
    }
  }

  #drop(dialog: Dialog): void {
    this.#context.dialogs.remove(dialog);
    this.#user.onDropped(dialog);
  }
}

function contactOf({ sent }: ResponseContext): string {
  return sent.headers.raw("Contact") ?? "";
}

function isSecure({ flow }: ResponseContext): boolean {
  return flow?.transport === "TLS" || flow?.transport === "WSS";
}
