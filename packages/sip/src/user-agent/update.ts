// UPDATE: changing a session, or only the remote target, without INVITE, in early dialogs too. RFC 3311.

import type { AuthSession } from "../auth/index.ts";
import {
  below,
  checkRequest,
  type ResponseContext,
  type RetryGuard,
  type UacRequest,
  type UacUser,
} from "../core/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { NegotiationError } from "../errors.ts";
import type { SipRequest, SipResponse } from "../message/index.ts";
import type { IncomingRequest } from "../stack.ts";
import { type CallContext, dialogHeaders, refusalOfOffer, sdpOf } from "./call-context.ts";
import type { Deferred } from "./deferred.ts";
import type { Session } from "./session.ts";

/** The longest that an offer in an UPDATE waits for its answer, milliseconds. */
const promptly = 2000;

/** How one attempt to change the session came out. */
export interface Outcome {
  readonly response: SipResponse;
  readonly context: ResponseContext;
  /** The timer of a 491 has run out: time to try again. */
  readonly isOverdue: boolean;
}

export interface UpdatesOptions {
  readonly context: CallContext;
  readonly dialog: Dialog;
  readonly auth: AuthSession | undefined;
  /** Our Contact, the one of the INVITE or its 2xx (§5.1). */
  readonly contact: string;
  session(): Session;
  /** Why an offer of the peer cannot be taken in this early dialog (§5.2); undefined if it can. */
  refusesOffer(dialog: Dialog): 491 | 500 | undefined;
  /** An UPDATE of the peer is done with. */
  onIdle(): void;
  /** An offer of the peer has been answered. */
  onAnswered(dialog: Dialog): void;
  /** The 2xx to ours does not fit: the session is lost. */
  onBadAnswer(response: SipResponse): void;
}

/** The UPDATEs of one dialog, in both directions. */
export class Updates {
  readonly #options: UpdatesOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #outgoing: UacRequest | undefined;
  #isWaiting = false;
  #incoming: IncomingRequest | undefined;
  #peerAllows = false;
  #isRefused = false;
  #isClosed = false;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** §4: the peer has named UPDATE in an Allow header field, and we take part in it. */
  get isPossible(): boolean {
    return this.#peerAllows && !this.#isRefused && this.#options.context.rules.allow.includes("UPDATE");
  }
  /** An UPDATE of the peer waits for our answer. */
  get isAnswering(): boolean {
    return this.#incoming !== undefined;
  }

  /** §4: what the peer allows is whatever it said last. */
  note(message: SipRequest | SipResponse): void {
    const allow = message.headers.rawAll("Allow");
    if (allow.length === 0) return;
    this.#peerAllows = allow.some((line) => line.split(",").some((method) => method.trim() === "UPDATE"));
  }

  /** The peer refused the method itself, whatever its Allow says. */
  notAllowed(): void {
    this.#isRefused = true;
  }

  /**
   * Runs something that sends a request in this dialog when the one before it is answered: PRACK and UPDATE must not
   * overtake each other (RFC 6337 §4.1), the later one would be out of order (RFC 3261 §12.2.2).
   */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * One attempt, with an offer unless `hold` is "no offer".
   * @throws {NegotiationError} if no offer can be made, or the answer does not fit
   */
  send(hold: boolean | undefined | "no offer", guard: RetryGuard): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      // The turn ends with the response; the timer of a 491 holds nobody up.
      const attempt = () =>
        new Promise<void>((release) => {
          const finish = (run: () => void) => {
            this.#outgoing = undefined;
            this.#isWaiting = false;
            release();
            run();
          };
          this.#attempt(hold, guard, {
            resolve: (outcome) => finish(() => resolve(outcome)),
            reject: (error) => finish(() => reject(error)),
            release,
          }).catch((error: unknown) => finish(() => reject(error)));
        });
      void this.inTurn(attempt);
    });
  }

  /** An UPDATE in the dialog; its CSeq is in order. @throws {ParseError} if its Contact cannot be read */
  receive(incoming: IncomingRequest): void {
    const { request } = incoming;
    const { context, dialog, session } = this.#options;
    request.headers.get("Contact");
    const refusal = checkRequest(request, context.rules);
    if (refusal !== undefined) {
      incoming.respond(refusal.statusCode, refusal.options);
      return;
    }
    const offer = sdpOf(request);
    // §5.2: the one before has no final response yet.
    if (this.#incoming !== undefined) {
      this.#refuse(incoming, 500);
      return;
    }
    this.note(request);
    if (offer === undefined) {
      dialog.refreshTarget(request);
      this.#accept(incoming, undefined);
      return;
    }
    // §5.2: an offer of ours waits for its answer, or one of theirs for ours.
    const { isOffering, isAnswering } = session();
    const early = dialog.state === "early" ? this.#options.refusesOffer(dialog) : undefined;
    const status = early ?? (isOffering ? 491 : isAnswering ? 500 : undefined);
    if (status !== undefined) {
      this.#refuse(incoming, status);
      return;
    }
    this.#incoming = incoming;
    void this.#answer(incoming, offer);
  }

  close(): void {
    this.#isClosed = true;
    // §5.3: an UPDATE that waits its turn is not sent any more.
    if (this.#isWaiting) this.#outgoing?.cancel();
  }

  async #attempt(
    hold: boolean | undefined | "no offer",
    guard: RetryGuard,
    { resolve, reject, release }: Omit<Deferred<Outcome>, "promise"> & { release(): void },
  ): Promise<void> {
    const { context, dialog, session, contact, auth } = this.#options;
    const offer = hold === "no offer" ? undefined : await session().offer(hold);
    const user: UacUser = {
      onWaiting: () => {
        this.#isWaiting = true;
        // While we wait the peer may go first, from the session as it was.
        if (offer !== undefined) void this.#rollback();
        release();
      },
      mayRetry: () => !this.#isWaiting && !this.#isClosed,
      onFinal: (response, about) => {
        if (response.statusCode >= 300 || this.#isClosed) {
          resolve({ response, context: about, isOverdue: this.#isWaiting });
          return;
        }
        dialog.refreshTarget(response);
        this.note(response);
        const answered = offer === undefined ? Promise.resolve() : session().accept(sdpOf(response));
        answered.then(
          () => resolve({ response, context: about, isOverdue: false }),
          (error: unknown) => {
            this.#options.onBadAnswer(response);
            reject(error);
          },
        );
      },
    };
    const plan = dialog.plan("UPDATE", {
      headers: [["Contact", contact], ...context.capabilities("request")],
      ...(offer === undefined ? {} : { body: offer, contentType: "application/sdp" }),
    });
    this.#outgoing = context.uac.send(plan, user, {
      dialog: dialog.role === "uac" ? "owner" : "other",
      guard,
      ...(auth === undefined ? {} : { auth }),
    });
  }

  #rollback(): Promise<void> {
    return this.#options
      .session()
      .rollback()
      .catch(() => {});
  }

  async #answer(incoming: IncomingRequest, offer: string): Promise<void> {
    const { context, dialog, session } = this.#options;
    let isLate = false;
    // §5.2: who has to ask a person first says so at once, and the peer comes again with a re-INVITE, which can wait.
    const timer = context.clock.schedule(promptly, () => {
      isLate = true;
      incoming.respond(this.#isClosed ? 481 : 504);
      this.#incoming = undefined;
      this.#options.onIdle();
    });
    try {
      const answer = await session().answer(offer, () => isLate);
      if (this.#isClosed) throw new NegotiationError("the call has ended");
      dialog.refreshTarget(incoming.request);
      timer.cancel();
      this.#accept(incoming, answer);
      this.#incoming = undefined;
      this.#options.onAnswered(dialog);
    } catch (error) {
      if (isLate) {
        if (!(error instanceof NegotiationError)) context.reportError(error);
        return;
      }
      timer.cancel();
      this.#incoming = undefined;
      if (this.#isClosed) incoming.respond(481);
      else if (error instanceof NegotiationError) {
        const { statusCode, options } = refusalOfOffer(error, {
          capabilities: session().media.capabilities?.(),
        });
        incoming.respond(statusCode, options);
      } else {
        context.reportError(error);
        incoming.respond(500);
      }
    }
    this.#options.onIdle();
  }

  #accept(incoming: IncomingRequest, answer: string | undefined): void {
    const { context, contact } = this.#options;
    incoming.respond(200, {
      headers: [...dialogHeaders(incoming.request, contact), ...context.capabilities("response")],
      ...(answer === undefined ? {} : { body: answer, contentType: "application/sdp" }),
    });
  }

  /** §5.2: a 500 says when to come again, 0 to 10 seconds from now; for a 491 each side has its timer. */
  #refuse(incoming: IncomingRequest, statusCode: 491 | 500): void {
    incoming.respond(statusCode, {
      headers: statusCode === 491 ? [] : [["Retry-After", below(this.#options.context.random, 11)]],
    });
  }
}
