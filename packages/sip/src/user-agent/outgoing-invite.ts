// The first INVITE of a call at the caller: early dialogs, forks, ACK, CANCEL. RFC 3261 §9.1, §13.2.

import type { AuthSession } from "../auth/index.ts";
import type { ResponseContext, UacRequest, UacUser } from "../core/index.ts";
import { Dialog, type DialogOwner, type RequestPlan } from "../dialog/index.ts";
import type { HeaderInit, SipResponse } from "../message/index.ts";
import type { Timer } from "../ports.ts";
import { printSessionDescription } from "../sdp/index.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import { type CallContext, sdpOf, sendBye } from "./call-context.ts";
import { parseOffer } from "./media-session.ts";

/** One place where the INVITE arrived: a dialog per To tag (§12.1.2). */
interface Fork {
  readonly dialog: Dialog;
  /** Set once its 2xx was acknowledged. */
  ack: Acknowledgement | undefined;
  /** True from its first 2xx on. */
  hasAnswered: boolean;
  /** Session description of a provisional response, which its 2xx may leave out. */
  earlyAnswer: string | undefined;
}

/** What the call hears of its INVITE. */
export interface OutgoingInviteUser extends DialogOwner {
  /** A provisional response; 101–199 with a To tag come with their early dialog. */
  onProgress(response: SipResponse, dialog: Dialog | undefined, sdp: string | undefined): void;
  /**
   * The first 2xx: the call's dialog, the session description that counts, and the Contact that we gave.
   * Returns the answer for the ACK if the 2xx brought the offer. If it rejects, the ACK goes out all the same.
   */
  onAnswered(dialog: Dialog, sdp: string | undefined, contact: string): Promise<string | undefined>;
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
  readonly #hasOffer: boolean;
  readonly #forks = new Map<string, Fork>();
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
    this.#request = this.#context.uac.send(plan, this, this.#auth === undefined ? {} : { auth: this.#auth });
    if (this.#isGivenUp) this.#request.cancel();
  }

  /** True while neither a final response nor a failure has come. */
  get isPending(): boolean {
    return this.#request?.isDone === false;
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
    this.#context.dialogs.remove(dialog);
  }

  onProvisional(response: SipResponse, context: ResponseContext): void {
    const { statusCode } = response;
    const tag = response.to.tag;
    // §12.1: 101–199 with a To tag make an early dialog, 100 never does.
    if (statusCode === 100 || tag === undefined) {
      this.#user.onProgress(response, undefined, undefined);
      return;
    }
    let fork: Fork | undefined;
    try {
      fork = this.#forkOf(response, context);
    } catch (error) {
      this.#context.reportError(error);
    }
    const sdp = this.#hasOffer ? sdpOf(response) : undefined;
    if (sdp !== undefined && fork !== undefined) fork.earlyAnswer = sdp;
    this.#user.onProgress(response, fork?.dialog, sdp);
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

  /** The call is over: nothing is acknowledged any more. */
  close(): void {
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
    this.#acknowledge(fork, context, this.#hasOffer || sdp === undefined ? undefined : refusalOf(sdp));
    const ended = sendBye(this.#context, fork.dialog, this.#auth);
    if (this.#kept === undefined) this.#user.onCrossed(response, ended);
  }

  async #keep(fork: Fork, response: SipResponse, context: ResponseContext): Promise<void> {
    const sdp = sdpOf(response);
    let answer: string | undefined;
    try {
      const contact = context.sent.headers.raw("Contact") ?? "";
      answer = await this.#user.onAnswered(fork.dialog, sdp ?? fork.earlyAnswer, contact);
    } catch {
      // The user ends the call; the offer still has to be answered (§13.2.2.4).
      if (!this.#hasOffer && sdp !== undefined) answer = refusalOf(sdp);
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
    const fork: Fork = { dialog, ack: undefined, hasAnswered: false, earlyAnswer: undefined };
    this.#forks.set(tag, fork);
    this.#context.dialogs.add(dialog, this.#user);
    return fork;
  }

  #dropEarly(): void {
    for (const [tag, fork] of this.#forks) {
      if (fork.hasAnswered) continue;
      this.#forks.delete(tag);
      this.#context.dialogs.remove(fork.dialog);
    }
  }
}

function isSecure({ flow }: ResponseContext): boolean {
  return flow?.transport === "TLS" || flow?.transport === "WSS";
}

/** An answer that takes none of the streams (RFC 3264 §6); undefined if the offer cannot be read. */
function refusalOf(offer: string): string | undefined {
  try {
    const description = parseOffer(offer);
    const media = description.media.map((section) => ({ ...section, port: 0 }));
    return printSessionDescription({ ...description, media });
  } catch {
    return undefined;
  }
}
