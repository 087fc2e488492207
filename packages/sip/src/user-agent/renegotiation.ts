// Changing a session that is up: re-INVITE in both directions, and what happens when they meet. RFC 3261 §14.

import type { AuthSession } from "../auth/index.ts";
import {
  below,
  checkRequest,
  effectOf,
  type ResponseContext,
  RetryGuard,
  rejectionOf,
  type UacRequest,
  type UacUser,
} from "../core/index.ts";
import type { Dialog, RequestPlan } from "../dialog/index.ts";
import { CallEndedError, NegotiationError } from "../errors.ts";
import { type HeaderInit, makeResponse, type SipRequest, type SipResponse } from "../message/index.ts";
import type { IncomingRequest, ServerTransaction } from "../stack.ts";
import { Acceptance } from "./acceptance.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import { type CallContext, dialogHeaders, sdpOf } from "./call-context.ts";
import type { Session } from "./session.ts";

/** What the call does for its re-INVITEs. */
export interface RenegotiationUser {
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
  /** True while the timer of a 491 runs: then no INVITE transaction is in progress. */
  isWaiting: boolean;
}

interface Outcome {
  readonly response: SipResponse;
  readonly context: ResponseContext;
  /** The timer of a 491 has run out: time to try again. */
  readonly isOverdue: boolean;
}

export class Renegotiation {
  readonly #context: CallContext;
  readonly #dialog: Dialog;
  readonly #session: Session;
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
    session: Session;
    auth: AuthSession | undefined;
    contact: string;
    user: RenegotiationUser;
  }) {
    this.#context = options.context;
    this.#dialog = options.dialog;
    this.#session = options.session;
    this.#auth = options.auth;
    this.#contact = options.contact;
    this.#user = options.user;
  }

  /** An ACK in the dialog, perhaps for the 2xx to a re-INVITE. */
  onAckRequest(ack: SipRequest): void {
    if (this.#acceptance?.sequence === ack.cSeq.sequence) this.#acceptance.acknowledge(ack);
  }

  /**
   * Sends a re-INVITE, one at a time (§14.1).
   * @throws {Rejected} with the response; the session is as before
   * @throws {NegotiationError} if the answer does not fit; the call is over
   */
  modify(hold: boolean | undefined): Promise<void> {
    const run = this.#turn.then(() => this.#modify(hold));
    this.#turn = run.catch(() => {});
    return run;
  }

  /** An INVITE in the dialog; its CSeq is in order. @throws {ParseError} if its Contact cannot be read */
  receive(incoming: IncomingRequest): void {
    const { request, transaction } = incoming;
    if (transaction === undefined) return;
    // A Contact that cannot be read is a ParseError here, which the stack answers.
    request.headers.get("Contact");
    // §14.2: glare.
    if (this.#outgoing !== undefined && !this.#outgoing.isWaiting) {
      incoming.respond(491);
      return;
    }
    // §14.2: the one before has no final response yet.
    if (this.#incoming !== undefined) {
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
    // §14.1: a re-INVITE that waits its turn is not sent any more.
    if (this.#outgoing?.isWaiting === true) this.#outgoing.request?.cancel();
    this.#endIncoming();
  }

  // --- Our re-INVITE --------------------------------------------------------------------------------------

  async #modify(hold: boolean | undefined): Promise<void> {
    const guard = new RetryGuard();
    for (;;) {
      // §14.1: no other INVITE transaction may be in progress in either direction.
      await this.#idle();
      this.#assertOpen();
      const { response, context, isOverdue } = await this.#invite(hold, guard);
      this.#assertOpen();
      if (response.statusCode < 300) return;
      // The timer of §14.1 has run out. The peer may have gone first, so the offer is made anew.
      if (isOverdue) continue;
      await this.#session.rollback().catch(() => {});
      // §12.2.1.2, RFC 5057: some failures mean that the dialog is gone.
      if (effectOf(response.statusCode) !== "transaction") {
        this.#user.onBroken(context.origin === "peer" ? "no dialog" : "no answer", response);
      }
      throw rejectionOf(response, context);
    }
  }

  async #invite(hold: boolean | undefined, guard: RetryGuard): Promise<Outcome> {
    const outgoing: Outgoing = { request: undefined, isWaiting: false };
    this.#outgoing = outgoing;
    try {
      const offer = await this.#session.offer(hold);
      this.#assertOpen();
      const plan = this.#dialog.plan("INVITE", {
        headers: [["Contact", this.#contact], ...this.#context.capabilities("request")],
        body: offer,
        contentType: "application/sdp",
      });
      return await new Promise((resolve, reject) => this.#send(plan, outgoing, guard, resolve, reject));
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
    const user: UacUser = {
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
        if (!isCopy) this.#dialog.refreshTarget(response);
        acknowledgement ??= new Acknowledgement(this.#context.stack, this.#dialog, context.sent, undefined);
        acknowledgement.send();
        if (isCopy) return;
        this.#session.accept(sdpOf(response)).then(
          () => {
            this.#user.onChanged();
            resolve({ response, context, isOverdue: false });
          },
          (error: unknown) => {
            this.#user.onBroken("bad answer", response);
            reject(error);
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

  // --- The peer's re-INVITE ----------------------------------------------------------------------------------

  async #answer(incoming: IncomingRequest, transaction: ServerTransaction): Promise<void> {
    const { request } = incoming;
    const offer = sdpOf(request);
    let sdp: string;
    try {
      // §14.2: without an offer in the INVITE the 2xx brings ours.
      sdp = offer === undefined ? await this.#session.offer() : await this.#session.answer(offer);
    } catch (error) {
      if (!transaction.finalSent) this.#refuse(incoming, error);
      if (this.#incoming === incoming) this.#endIncoming();
      return;
    }
    // A CANCEL or BYE came first.
    if (transaction.finalSent || this.#isClosed) return;
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
      const { warning } = error;
      incoming.respond(488, {
        headers: warning === undefined ? [] : [warningHeader(warning, error.message)],
      });
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
    for (const waiter of this.#idleWaiters.splice(0)) waiter();
  }

  /** Resolves when no INVITE of the peer is in progress: none unanswered, none unacknowledged. */
  async #idle(): Promise<void> {
    while (!this.#isClosed && (this.#incoming !== undefined || this.#acceptance?.isPending)) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new CallEndedError("the call has ended");
  }
}

/** §20.43: who warns is a name of ours, "offhook". */
export function warningHeader(code: number, text: string): HeaderInit {
  return ["Warning", `${code} offhook "${text.replace(/["\\]/g, "")}"`];
}
