// Changing a session that is up, by UPDATE or re-INVITE: whose turn it is, and what happens when two meet.
// RFC 3261 §14, RFC 3311 §5.

import type { AuthSession } from "../auth/index.ts";
import {
  below,
  checkRequest,
  effectOf,
  RetryGuard,
  rejectionOf,
  type UacRequest,
  type UacUser,
} from "../core/index.ts";
import type { Dialog, RequestPlan } from "../dialog/index.ts";
import { CallEndedError, NegotiationError, StateError } from "../errors.ts";
import { makeResponse, type SipRequest, type SipResponse } from "../message/index.ts";
import type { IncomingRequest, ServerTransaction } from "../stack.ts";
import { Acceptance } from "./acceptance.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import { type CallContext, dialogHeaders, refusalOfOffer, sdpOf } from "./call-context.ts";
import { ProvisionalSequence, reliableSequenceOf, sendPrack } from "./reliable-provisional.ts";
import type { Session } from "./session.ts";
import { type Outcome, Updates } from "./update.ts";

/** What the call does for the changes of its session. */
export interface RenegotiationUser {
  /** Why an offer of the peer cannot be taken in this early dialog (RFC 3311 §5.2). */
  refusesOffer(dialog: Dialog): 491 | 500 | undefined;
  /** The peer's offer in this dialog has been answered. */
  onAnswered(dialog: Dialog): void;
  /** The session has changed: hold, resume, another address. */
  onChanged(): void;
  /** §12.2.1.2, §13.3.1.4: the peer does not know the dialog, or is silent: BYE. */
  onBroken(
    cause: "no dialog" | "no answer" | "no ack" | "bad answer",
    response: SipResponse | undefined,
  ): void;
}

/** A re-INVITE of ours. */
interface Outgoing {
  request: UacRequest | undefined;
  /** True while the timer of a 491 or 500 runs: then no INVITE transaction is in progress. */
  isWaiting: boolean;
  /** Whoever waits for its outcome waits no longer. */
  giveUp(error: CallEndedError): void;
}

/** The changes of the session within one dialog. */
export class Renegotiation {
  readonly updates: Updates;
  readonly #context: CallContext;
  readonly #dialog: Dialog;
  readonly #getSession: () => Session;
  readonly #auth: AuthSession | undefined;
  readonly #contact: string;
  readonly #user: RenegotiationUser;
  #turn: Promise<unknown> = Promise.resolve();
  #outgoing: Outgoing | undefined;
  /** An incoming re-INVITE without final response. */
  #incoming: IncomingRequest | undefined;
  #acceptance: Acceptance | undefined;
  #offeredInAcceptance = false;
  #idleWaiters: (() => void)[] = [];
  #isClosed = false;

  constructor(options: {
    context: CallContext;
    dialog: Dialog;
    session: () => Session;
    auth: AuthSession | undefined;
    contact: string;
    user: RenegotiationUser;
  }) {
    this.#context = options.context;
    this.#dialog = options.dialog;
    this.#getSession = options.session;
    this.#auth = options.auth;
    this.#contact = options.contact;
    const user = options.user;
    this.#user = user;
    this.updates = new Updates({
      ...options,
      refusesOffer: (dialog) => user.refusesOffer(dialog),
      onIdle: () => this.#wake(),
      onAnswered: (dialog) => {
        user.onAnswered(dialog);
        user.onChanged();
      },
      onBadAnswer: (response) => user.onBroken("bad answer", response),
    });
  }

  get #session(): Session {
    return this.#getSession();
  }

  /** An ACK in the dialog, perhaps for the 2xx to a re-INVITE. */
  onAckRequest(ack: SipRequest): void {
    if (this.#acceptance?.sequence === ack.cSeq.sequence) this.#acceptance.acknowledge(ack);
  }

  /**
   * Offers the session anew, one offer at a time: by UPDATE if the peer takes it, else by re-INVITE (§14.1).
   * @param hold - undefined leaves the direction; "no offer" is an UPDATE for the remote target alone
   * @param method - "UPDATE" to have no re-INVITE in its place
   * @throws {Rejected} with the response; the session is as before
   * @throws {NegotiationError} if the answer does not fit; the call is over
   * @throws {StateError} if only a re-INVITE would do, and that is not possible or not wanted
   */
  modify(hold: boolean | undefined | "no offer", method?: "UPDATE"): Promise<void> {
    const run = this.#turn.then(() => this.#modify(hold, method));
    this.#turn = run.catch(() => {});
    return run;
  }

  /** An INVITE in the dialog; its CSeq is in order. @throws {ParseError} if its Contact cannot be read */
  receive(incoming: IncomingRequest): void {
    const { request, transaction } = incoming;
    if (transaction === undefined) return;
    // A Contact that cannot be read is a ParseError here, which the stack answers.
    request.headers.get("Contact");
    // §14.2: glare. RFC 6337 §4.2: with an UPDATE of ours, too.
    if ((this.#outgoing !== undefined && !this.#outgoing.isWaiting) || this.#isOfferingByUpdate) {
      incoming.respond(491);
      return;
    }
    // §14.2: the one before has no final response yet. RFC 6337 §4.1: or the UPDATE before.
    if (this.#incoming !== undefined || this.updates.isAnswering) {
      incoming.respond(500, { headers: [["Retry-After", below(this.#context.random, 11)]] });
      return;
    }
    if (this.#acceptance?.isPending) {
      // RFC 5407 §3.1.5: an offer of ours waits for its answer in the ACK.
      if (this.#offeredInAcceptance) {
        incoming.respond(491);
        return;
      }
      // RFC 5407 §3.1.4: only the ACK was lost.
      this.#acceptance.acknowledge(undefined);
    }
    const refusal = checkRequest(request, this.#context.rules);
    if (refusal !== undefined) {
      incoming.respond(refusal.statusCode, refusal.options);
      return;
    }
    this.updates.note(request);
    this.#incoming = incoming;
    transaction.user = {
      onCancel: () => {
        incoming.respond(487);
        this.#endIncoming();
      },
    };
    void this.#answer(incoming, transaction);
  }

  /** The call is over. Incoming re-INVITEs without an answer get 487 (§15.1.2). */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#incoming?.transaction?.finalSent === false) this.#incoming.respond(487);
    this.#acceptance?.stop();
    this.updates.close();
    // §14.1: a re-INVITE that waits its turn is not sent any more. One that is out is cancelled (§9.1), or a peer that
    // says no more than 180 would hold its transaction, and who waits for it, for ever.
    this.#outgoing?.request?.cancel();
    this.#outgoing?.giveUp(new CallEndedError("the call has ended"));
    this.#endIncoming();
  }

  // --- Our re-INVITE --------------------------------------------------------------------------------------

  async #modify(hold: boolean | undefined | "no offer", method: "UPDATE" | undefined): Promise<void> {
    const guard = new RetryGuard();
    for (;;) {
      // §14.1: no other INVITE transaction may be in progress in either direction, RFC 3311 §5.1: and no offer open.
      await this.#idle();
      this.#assertOpen();
      const isUpdate = this.updates.isPossible;
      let outcome: Outcome;
      if (isUpdate) outcome = await this.updates.send(hold, guard);
      else if (this.#mayInvite(hold, method)) outcome = await this.#invite(hold, guard);
      else throw new StateError("the peer does not take UPDATE");
      const { response, context, isOverdue } = outcome;
      this.#assertOpen();
      if (response.statusCode < 300) {
        this.#user.onChanged();
        return;
      }
      // The time of §14.1 or of Retry-After is over. The peer may have gone first, so the offer is made anew.
      if (isOverdue) continue;
      await this.#session.rollback().catch(() => {});
      // RFC 3311 §5.2: 504 wants to ask its user first, which takes a re-INVITE.
      const wantsInvite = [405, 501, 504].includes(response.statusCode);
      if (isUpdate && wantsInvite && this.#mayInvite(hold, method)) {
        this.updates.notAllowed();
        continue;
      }
      // §12.2.1.2, RFC 5057: some failures mean that the dialog is gone.
      const effect = effectOf(response.statusCode, context.sent.method);
      if (effect !== "transaction" && this.#dialog.state === "confirmed") {
        this.#user.onBroken(context.origin === "peer" ? "no dialog" : "no answer", response);
      }
      throw rejectionOf(response, context);
    }
  }

  #mayInvite(
    hold: boolean | undefined | "no offer",
    method: "UPDATE" | undefined,
  ): hold is boolean | undefined {
    return this.#dialog.state === "confirmed" && method === undefined && hold !== "no offer";
  }

  async #invite(hold: boolean | undefined, guard: RetryGuard): Promise<Outcome> {
    const outgoing: Outgoing = { request: undefined, isWaiting: false, giveUp() {} };
    this.#outgoing = outgoing;
    try {
      const offer = await this.#session.offer(hold);
      this.#assertOpen();
      const plan = this.#dialog.plan("INVITE", {
        headers: [["Contact", this.#contact], ...this.#context.capabilities("request")],
        body: offer,
        contentType: "application/sdp",
      });
      return await new Promise((resolve, reject) => {
        outgoing.giveUp = reject;
        this.#send(plan, outgoing, guard, resolve, reject);
      });
    } finally {
      this.#outgoing = undefined;
    }
  }

  #send(
    plan: RequestPlan,
    outgoing: Outgoing,
    guard: RetryGuard,
    resolve: (outcome: Outcome) => void,
    reject: (error: unknown) => void,
  ): void {
    let acknowledgement: Acknowledgement | undefined;
    const sequence = new ProvisionalSequence(this.#context.reportError);
    const user: UacUser = {
      onProvisional: (response) => {
        // RFC 3262 §4, RFC 6337 §2.2: the answer may come in a reliable provisional response here, too.
        const rSeq = reliableSequenceOf(response);
        if (rSeq !== undefined) sequence.take(rSeq, () => this.#acknowledgeProvisional(response, rSeq));
      },
      onWaiting: () => {
        outgoing.isWaiting = true;
        // While we wait the peer may go first, from the session as it was.
        void this.#session.rollback().catch(() => {});
      },
      mayRetry: () => !outgoing.isWaiting && !this.#isClosed,
      onFinal: (response, context) => {
        if (response.statusCode >= 300) {
          resolve({ response, context, isOverdue: outgoing.isWaiting });
          return;
        }
        // §13.2.2.4: every copy of the 2xx is acknowledged.
        const isCopy = acknowledgement !== undefined;
        if (!isCopy) {
          this.#dialog.refreshTarget(response);
          this.updates.note(response);
        }
        acknowledgement ??= new Acknowledgement(this.#context.stack, this.#dialog, context.sent, undefined);
        acknowledgement.send();
        if (isCopy) return;
        this.#session.accept(sdpOf(response)).then(
          () => resolve({ response, context, isOverdue: false }),
          (error: unknown) => {
            reject(error);
            this.#user.onBroken("bad answer", response);
          },
        );
      },
    };
    outgoing.request = this.#context.uac.send(plan, user, {
      dialog: this.#dialog.role === "uac" ? "owner" : "other",
      guard,
      ...(this.#auth === undefined ? {} : { auth: this.#auth }),
    });
  }

  async #acknowledgeProvisional(response: SipResponse, rSeq: number): Promise<void> {
    const sdp = sdpOf(response);
    // An answer that does not fit shows once more with the 2xx.
    if (sdp !== undefined) await this.#session.accept(sdp).catch(() => {});
    if (this.#isClosed) return;
    await this.updates.inTurn(() =>
      sendPrack(this.#context, this.#dialog, this.#auth, response, rSeq, undefined),
    );
  }

  // --- The peer's re-INVITE ----------------------------------------------------------------------------------

  async #answer(incoming: IncomingRequest, transaction: ServerTransaction): Promise<void> {
    const { request } = incoming;
    const offer = sdpOf(request);
    let sdp: string;
    try {
      // §14.2: without an offer in the INVITE the 2xx brings ours.
      sdp =
        offer === undefined
          ? await this.#session.offer()
          : await this.#session.answer(offer, () => transaction.finalSent);
    } catch (error) {
      if (!transaction.finalSent) this.#refuse(incoming, error);
      if (this.#incoming === incoming) this.#endIncoming();
      return;
    }
    if (transaction.finalSent || this.#isClosed) {
      // A CANCEL or BYE came first: nobody will answer our offer.
      await this.#session.rollback().catch(() => {});
      return;
    }
    this.#dialog.refreshTarget(request);
    this.#offeredInAcceptance = offer === undefined;
    const { clock, timers } = this.#context;
    this.#acceptance = new Acceptance({
      ...{ clock, timers, transaction, sequence: request.cSeq.sequence },
      response: makeResponse(request, 200, {
        headers: [...dialogHeaders(request, this.#contact), ...this.#context.capabilities("response")],
        body: sdp,
        contentType: "application/sdp",
      }),
      onAck: (ack) => this.#acknowledged(ack),
      // §14.2, §13.3.1.4.
      onTimeout: () => {
        this.#endIncoming();
        this.#user.onBroken("no ack", undefined);
      },
    });
    this.#incoming = undefined;
    if (offer !== undefined) this.#user.onChanged();
  }

  #refuse(incoming: IncomingRequest, error: unknown): void {
    if (error instanceof NegotiationError) {
      const { statusCode, options } = refusalOfOffer(error, {
        capabilities: this.#session.media.capabilities?.(),
      });
      incoming.respond(statusCode, options);
      return;
    }
    this.#context.reportError(error);
    incoming.respond(500);
  }

  #acknowledged(ack: SipRequest | undefined): void {
    if (this.#offeredInAcceptance) {
      this.#session.accept(ack === undefined ? undefined : sdpOf(ack)).then(
        () => this.#user.onChanged(),
        () => this.#user.onBroken("bad answer", undefined),
      );
    }
    this.#endIncoming();
  }

  #endIncoming(): void {
    this.#incoming = undefined;
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#idleWaiters.splice(0)) waiter();
  }

  /** An UPDATE with an offer of ours waits for its answer. */
  get #isOfferingByUpdate(): boolean {
    const isByInvite =
      this.#outgoing !== undefined || this.#incoming !== undefined || this.#acceptance?.isPending;
    return isByInvite !== true && this.#session.isOffering;
  }

  /** Resolves when no INVITE of the peer is in progress, none unanswered, none unacknowledged, and no UPDATE. */
  async #idle(): Promise<void> {
    const isBusy = () =>
      this.#incoming !== undefined || this.#acceptance?.isPending || this.updates.isAnswering;
    while (!this.#isClosed && isBusy()) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new CallEndedError("the call has ended");
  }
}
