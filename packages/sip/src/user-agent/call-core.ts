// What caller and callee share: the state of a call, its dialog and session, and its end. RFC 3261 §12, §15.

import type { AuthSession } from "../auth/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { CallEndedError } from "../errors.ts";
import type { HeaderInit, SipRequest, SipResponse } from "../message/index.ts";
import type { IncomingRequest } from "../stack.ts";
import type { Call } from "./call.ts";
import { type CallContext, sendBye } from "./call-context.ts";
import type { CallEnd, CallState } from "./call-end.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { Hook } from "./hook.ts";
import { type MediaSession, NoMedia } from "./media-session.ts";
import { Renegotiation } from "./renegotiation.ts";
import { Session } from "./session.ts";
import type { Updates } from "./update.ts";

/** How one side of a call goes on with its INVITE: `Caller` or `Callee`. */
export interface CallSide {
  /** §15: BYE may go out: the ACK went (caller), or came, or cannot come any more (callee). */
  readonly mayBye: boolean;
  /** The local side gives up a call that has no confirmed dialog. */
  giveUp(headers: readonly HeaderInit[]): void;
  /** An ACK in the dialog. */
  onAckRequest(ack: SipRequest): void;
  /** A re-INVITE that cannot be taken (yet): answered here, and true. */
  refuseInvite(incoming: IncomingRequest): boolean;
  /** A PRACK in the dialog, which has passed the checks of §8.2 (RFC 3262 §3). */
  onPrack(incoming: IncomingRequest): void;
  /** Of the early dialog in which the session has been agreed on reliably: it may be offered anew (RFC 3311 §5.1). */
  readonly earlyRenegotiation: Renegotiation | undefined;
  /** Where an UPDATE in a dialog of this INVITE goes. */
  updatesOf(dialog: Dialog): Updates | undefined;
  /** Why the peer may not offer in this early dialog (RFC 3311 §5.2). */
  refusesOffer(dialog: Dialog): 491 | 500 | undefined;
  /** An offer of the peer in this early dialog has been answered. */
  onOfferAnswered(dialog: Dialog): void;
  /** A BYE, already answered, for a dialog of this INVITE; false if it does not end the call. */
  onBye(dialog: Dialog): boolean;
  /** The call is over. */
  close(): void;
}

export class CallCore {
  readonly call: Call;
  readonly context: CallContext;
  readonly auth: AuthSession | undefined;
  readonly progress: Hook<[response: SipResponse]>;
  readonly changed: Hook<[]>;
  readonly dtmf: Hook<[digit: string]>;
  readonly answered: Deferred<void> = deferred();
  readonly ended: Deferred<CallEnd> = deferred();
  /** Set right after construction. */
  side: CallSide | undefined;
  dialog: Dialog | undefined;
  /** Set when the local side gave up; the BYE may have to wait for the ACK (§15). */
  hangingUp: { readonly headers: readonly HeaderInit[] } | undefined;
  wasAnswered = false;
  #state: CallState;
  #session: Session | undefined;
  #renegotiation: Renegotiation | undefined;
  /** Of early dialogs and the confirmed one. */
  readonly #renegotiations = new Map<Dialog, Renegotiation>();
  #noSession: Session | undefined;
  #end: CallEnd | undefined;
  #isByeSent = false;

  constructor(call: Call, context: CallContext, auth: AuthSession | undefined, state: CallState) {
    this.call = call;
    this.context = context;
    this.auth = auth;
    this.#state = state;
    const report = (error: unknown) => context.reportError(error);
    this.progress = new Hook(report);
    this.changed = new Hook(report);
    this.dtmf = new Hook(report);
    // Whoever does not look at the outcome has nothing to handle.
    this.answered.promise.catch(() => {});
  }

  get state(): CallState {
    return this.#state;
  }
  get session(): Session | undefined {
    return this.#session;
  }
  /** Set once the dialog is confirmed. */
  get renegotiation(): Renegotiation | undefined {
    return this.#renegotiation;
  }
  get end(): CallEnd | undefined {
    return this.#end;
  }

  /** Later states only: a 180 that comes after the 200 changes nothing. */
  setState(state: CallState): void {
    const order: readonly CallState[] = ["calling", "incoming", "ringing", "established", "ending", "ended"];
    if (order.indexOf(state) > order.indexOf(this.#state)) this.#state = state;
  }

  use(media: MediaSession): Session {
    // The user agent's media, when the application answers with a description of its own after all.
    this.#session?.close();
    this.#session = new Session(media);
    media.onDtmf?.((digit) => this.dtmf.emit(digit));
    return this.#session;
  }

  /** Changes of the session within a dialog, early or confirmed. @param contact - ours in that dialog */
  renegotiationOf(dialog: Dialog, contact: string): Renegotiation {
    const known = this.#renegotiations.get(dialog);
    if (known !== undefined) return known;
    const renegotiation = new Renegotiation({
      ...{ context: this.context, dialog, auth: this.auth, contact },
      session: () => this.#session ?? this.#emptySession(),
      user: {
        onChanged: () => this.changed.emit(),
        onBroken: (cause, response) => this.broken(cause, response),
        refusesOffer: (early) => this.side?.refusesOffer(early),
        onAnswered: (early) => this.side?.onOfferAnswered(early),
      },
    });
    this.#renegotiations.set(dialog, renegotiation);
    return renegotiation;
  }

  /** Those of the dialog if there have been any. */
  findRenegotiation(dialog: Dialog): Renegotiation | undefined {
    return this.#renegotiations.get(dialog);
  }

  /** An early dialog is over. */
  forget(dialog: Dialog): void {
    this.#renegotiations.get(dialog)?.close();
    this.#renegotiations.delete(dialog);
  }

  /** The dialog is confirmed and the session agreed on, or about to be. */
  establish(dialog: Dialog, contact: string): void {
    if (this.#end !== undefined) return;
    this.#session ??= this.use(new NoMedia());
    this.#renegotiation = this.renegotiationOf(dialog, contact);
  }

  /** §15: the callee waits for the ACK of its 2xx, or until it can no longer come; the caller sends its ACK first. */
  hangUp(headers: readonly HeaderInit[]): void {
    if (this.#end !== undefined || this.hangingUp !== undefined) return;
    if (this.dialog?.state !== "confirmed") {
      this.side?.giveUp(headers);
      return;
    }
    this.hangingUp = { headers };
    this.setState("ending");
    if (this.side?.mayBye === true) this.bye("bye", undefined);
  }

  /** Something makes it impossible to go on: BYE. */
  broken(cause: CallEnd["cause"], response: SipResponse | undefined): void {
    if (this.#end !== undefined) return;
    this.hangingUp ??= { headers: [] };
    this.answered.reject(new CallEndedError(`the call has ended: ${cause}`));
    this.bye(cause, response);
  }

  bye(cause: CallEnd["cause"], response: SipResponse | undefined): void {
    const dialog = this.dialog;
    if (this.#isByeSent || dialog === undefined || this.#end !== undefined) return;
    this.#isByeSent = true;
    this.setState("ending");
    // §15.1.1: the session is over as soon as the BYE is on its way.
    this.#session?.close();
    this.#renegotiation?.close();
    const end: CallEnd = { by: "local", cause, ...(response === undefined ? {} : { response }) };
    sendBye(this.context, dialog, this.auth, this.hangingUp?.headers).then(
      () => this.finish(end),
      (error: unknown) => {
        // Header fields of the application that cannot be printed.
        this.context.reportError(error);
        this.finish(end);
      },
    );
  }

  finish(end: CallEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#state = "ended";
    this.#session?.close();
    for (const renegotiation of this.#renegotiations.values()) renegotiation.close();
    if (this.dialog !== undefined) this.context.dialogs.remove(this.dialog);
    this.side?.close();
    this.answered.reject(this.endedError());
    this.ended.resolve(end);
    this.context.onCallEnded(this.call);
  }

  #emptySession(): Session {
    this.#noSession ??= new Session(new NoMedia());
    return this.#noSession;
  }

  endedError(): CallEndedError {
    return new CallEndedError(`the call has ended${this.#end === undefined ? "" : `: ${this.#end.cause}`}`);
  }
}
