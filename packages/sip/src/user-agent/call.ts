// A call: one INVITE dialog from the first INVITE to the BYE, on either side. RFC 3261 §13, §14, §15.

import type { AuthSession } from "../auth/index.ts";
import { checkRequest, effectOf, rejectionOf } from "../core/index.ts";
import type { Dialog, RequestContent } from "../dialog/index.ts";
import { ArgumentError, StateError } from "../errors.ts";
import type { HeaderInit, SipRequest, SipResponse, Uri } from "../message/index.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";
import { type CallContext, sendInDialog } from "./call-context.ts";
import { CallCore } from "./call-core.ts";
import type { CallEnd, CallState } from "./call-end.ts";
import { type AnswerOptions, Callee, type ProgressOptions } from "./callee.ts";
import { Caller, type OutgoingStart } from "./caller.ts";
import type { MediaSession, SdpSource } from "./media-session.ts";

/** One call. Made by `UserAgent.call` and `invite`, or handed to `onInvite`. */
export class Call {
  readonly direction: "outgoing" | "incoming";
  readonly callId: string;
  /** Who is called, or who calls. */
  readonly remote: { readonly uri: Uri; readonly displayName?: string };
  /** Where the INVITE came from, IPv6 without brackets; undefined for an outgoing call. */
  readonly peerAddress: string | undefined;
  /** The INVITE that came in; undefined for an outgoing call. */
  readonly invitation: SipRequest | undefined;
  /** Fulfilled when the call is answered, rejected with the error that says why it was not. */
  readonly answered: Promise<void>;
  /** Fulfilled when the call is over; never rejected. */
  readonly ended: Promise<CallEnd>;

  readonly #core: CallCore;
  #caller: Caller | undefined;
  #callee: Callee | undefined;

  private constructor(
    context: CallContext,
    fields: Pick<Call, "direction" | "callId" | "remote" | "invitation" | "peerAddress"> & {
      auth: AuthSession | undefined;
    },
  ) {
    this.direction = fields.direction;
    this.callId = fields.callId;
    this.remote = fields.remote;
    this.invitation = fields.invitation;
    this.peerAddress = fields.peerAddress;
    const state = fields.direction === "outgoing" ? "calling" : "incoming";
    this.#core = new CallCore(this, context, fields.auth, state);
    this.answered = this.#core.answered.promise;
    this.ended = this.#core.ended.promise;
  }

  /** A call to somebody; for the user agent. The INVITE goes out once the offer is there. */
  static outgoing(context: CallContext, start: OutgoingStart): Call {
    const { remote, callId, auth } = start;
    const call = new Call(context, {
      direction: "outgoing",
      callId,
      remote,
      invitation: undefined,
      peerAddress: undefined,
      auth,
    });
    const caller = new Caller(call.#core, start, (incoming, dialog) => call.#onRequest(incoming, dialog));
    call.#caller = caller;
    call.#core.side = caller;
    void caller.send();
    return call;
  }

  /**
   * A call from somebody; for the user agent.
   * @throws {ParseError} if the INVITE cannot make a dialog
   */
  static incoming(context: CallContext, incoming: IncomingRequest): Call {
    const { request } = incoming;
    const { displayName, uri } = request.from;
    const call = new Call(context, {
      direction: "incoming",
      callId: request.callId,
      remote: displayName === undefined ? { uri } : { uri, displayName },
      invitation: request,
      peerAddress: incoming.flow.remote.address,
      auth: context.authSession(),
    });
    const callee = new Callee(call.#core, incoming, (inDialog, dialog) => call.#onRequest(inDialog, dialog));
    call.#callee = callee;
    call.#core.side = callee;
    return call;
  }

  get state(): CallState {
    return this.#core.state;
  }
  /** The dialog; of an outgoing call once it is answered. */
  get dialog(): Dialog | undefined {
    return this.#core.dialog;
  }
  /** The peer's session description: its offer or answer, an early one too. */
  get remoteDescription(): string | undefined {
    return this.#core.session?.remoteDescription ?? this.#callee?.offered;
  }
  get localDescription(): string | undefined {
    return this.#core.session?.localDescription;
  }
  /** True while `hold()` is in force. */
  get isOnHold(): boolean {
    return this.#core.session?.isOnHold ?? false;
  }
  /** True while the peer has put us on hold. */
  get isHeldByPeer(): boolean {
    return this.#core.session?.isHeldByPeer ?? false;
  }
  /** The media of the call, once there is any. */
  get media(): MediaSession | undefined {
    return this.#core.session?.media;
  }

  /** Provisional responses of an outgoing call, 100 too. */
  onProgress(listener: (response: SipResponse) => void): () => void {
    return this.#core.progress.add(listener);
  }
  /** Hold, resume, early media, another address: descriptions and `isHeldByPeer` may have changed. */
  onSessionChange(listener: () => void): () => void {
    return this.#core.changed.add(listener);
  }
  /** Key presses of the peer, one call per key: 0–9 * # A–D. */
  onDtmf(listener: (digit: string) => void): () => void {
    return this.#core.dtmf.add(listener);
  }

  // --- What a callee does -----------------------------------------------------------------------------------

  /**
   * 180, with early media if asked for. Fulfilled when it was sent, or if `reliable` when the caller has it.
   * @throws {StateError} unless the call is incoming and unanswered
   * @throws {NegotiationError} as `progress` does
   * @throws {ArgumentError} if the caller insists on reliable responses and leaves the offer to us, but there is none
   */
  async ring(options: Omit<ProgressOptions, "statusCode"> = {}): Promise<void> {
    await this.#asCallee("ring").progress({ ...options, statusCode: 180 });
  }

  /**
   * 183, or another provisional response but 100; with a session description early media can flow.
   * @throws {NegotiationError} if the offer cannot be used; the call was then refused with 488
   * @throws {CallEndedError} if it was to be reliable and the call ended first
   */
  async progress(options: ProgressOptions = {}): Promise<void> {
    await this.#asCallee("progress").progress(options);
  }

  /**
   * 200. Fulfilled when the caller's ACK is here.
   * @param options - our session description, or nothing if the user agent has `media`
   * @throws {StateError} unless the call is incoming and unanswered
   * @throws {NegotiationError} if the offer cannot be used; the call was then refused with 488
   * @throws {CallEndedError} if the caller gave up first, or never acknowledged
   */
  async answer(options: SdpSource | AnswerOptions = {}): Promise<void> {
    await this.#asCallee("answer").answer(options);
  }

  /**
   * Refuses the call.
   * @param statusCode - 300–699; default 486, busy here
   * @throws {StateError} unless the call is incoming and unanswered
   */
  async reject(statusCode = 486, options: Omit<RespondOptions, "toTag"> = {}): Promise<void> {
    this.#asCallee("reject").reject(statusCode, options);
  }

  /** Refuses the call and names other places to try, best first (§8.3, §21.3). */
  redirect(contacts: readonly string[], statusCode = contacts.length > 1 ? 300 : 302): Promise<void> {
    const headers = contacts.map(
      (uri, index): HeaderInit => [
        "Contact",
        contacts.length > 1 ? `<${uri}>;q=${Math.max(0, 1 - index / 10).toFixed(1)}` : `<${uri}>`,
      ],
    );
    return this.reject(statusCode, { headers });
  }

  // --- What both do --------------------------------------------------------------------------------------------

  /**
   * Ends the call in the way that its state asks for (§15): CANCEL, a refusal, or BYE. Fulfilled when it is over;
   * calling it again, or on an ended call, does no harm.
   */
  async hangUp(options: { headers?: readonly HeaderInit[] } = {}): Promise<CallEnd> {
    this.#core.hangUp(options.headers ?? []);
    return this.ended;
  }

  /**
   * Nobody answered in time: an outgoing call is given up, an incoming one gets 480. As `hangUp`, but `ended` says
   * "expired".
   */
  expire(): void {
    const { end, hangingUp, wasAnswered } = this.#core;
    if (end !== undefined || hangingUp !== undefined || wasAnswered) return;
    if (this.#callee !== undefined) {
      this.#callee.expire();
      return;
    }
    this.#caller?.expire();
    void this.hangUp({ headers: [["Reason", 'SIP;cause=408;text="No answer"']] });
  }

  /**
   * Puts the peer on hold (§14, RFC 3264 §8.4), by UPDATE if the peer takes that (RFC 3311), else by re-INVITE. Before
   * the call is answered UPDATE is the only way, and a reliable provisional response must have brought the answer.
   * @throws {Rejected} if the peer refuses; the session is as before
   */
  hold(): Promise<void> {
    return this.#modify(true);
  }

  /** Takes the peer off hold. @throws {Rejected} if the peer refuses */
  resume(): Promise<void> {
    return this.#modify(false);
  }

  /** Offers the session again as it is now, e.g. after a change of address. @throws {Rejected} if the peer refuses */
  renegotiate(): Promise<void> {
    return this.#modify(undefined);
  }

  /**
   * UPDATE (RFC 3311) and nothing in its place: the session is offered again as it is now, or with `offer` false only
   * our Contact is renewed.
   * @throws {Rejected} if the peer refuses; the session is as before
   * @throws {StateError} if the peer does not take UPDATE, or it is too early for an offer
   */
  update(options: { offer?: boolean } = {}): Promise<void> {
    return this.#modify(options.offer === false ? "no offer" : undefined, "UPDATE");
  }

  /** Sends key presses as RFC 4733 events. @throws {StateError} without media that can, and on hold by either side */
  async sendDtmf(digits: string): Promise<void> {
    if (!/^[0-9*#A-D]+$/i.test(digits)) throw new ArgumentError("key presses are 0–9 * # A–D");
    const send = this.media?.sendDtmf;
    if (this.state !== "established" || this.media === undefined || send === undefined) {
      throw new StateError("this call has no media to send key presses with");
    }
    await send.call(this.media, digits.toUpperCase());
  }

  /**
   * A request of any other method inside the dialog (INFO, MESSAGE, …).
   * @throws {Rejected} if it gets no 2xx
   */
  async request(method: string, content: RequestContent = {}): Promise<SipResponse> {
    if (["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"].includes(method)) {
      throw new ArgumentError(`${method} is sent by the call itself`);
    }
    const dialog = this.#core.dialog;
    if (dialog === undefined || this.#core.end !== undefined) throw this.#core.endedError();
    const { response, context } = await sendInDialog(
      this.#core.context,
      dialog,
      this.#core.auth,
      method,
      content,
    );
    const { statusCode } = response;
    if (statusCode < 300) return response;
    // §12.2.1.2, RFC 5057 §5.1: what ends the call's usage, or the dialog with all of them. Subscriptions are usages
    // of their own.
    const effect = effectOf(statusCode, method);
    const isOwnUsage = !["SUBSCRIBE", "NOTIFY", "REFER"].includes(method);
    if (effect === "dialog" || (effect === "usage" && isOwnUsage)) {
      this.#core.broken(context.origin === "peer" ? "no dialog" : "no answer", response);
    }
    throw rejectionOf(response, context);
  }

  /** Forgets the call without another word to the peer; for a user agent that stops. */
  abandon(): void {
    this.#core.finish({ by: "local", cause: "bye" });
  }

  /** Tells the application of a key press; for handlers of INFO. */
  reportDtmf(digit: string): void {
    this.#core.dtmf.emit(digit);
  }

  // --- Requests of the peer inside the dialog --------------------------------------------------------------

  #onRequest(incoming: IncomingRequest, dialog: Dialog): void {
    const { request } = incoming;
    const { context, side } = this.#core;
    if (request.method === "ACK") {
      side?.onAckRequest(request);
      return;
    }
    // §12.2.2: out of order.
    if (!dialog.accept(request)) {
      incoming.respond(500);
      return;
    }
    if (request.method === "PRACK" && context.rules.allow.includes("PRACK")) {
      const refusal = checkRequest(request, context.rules);
      if (refusal === undefined) side?.onPrack(incoming);
      else incoming.respond(refusal.statusCode, refusal.options);
      return;
    }
    if (this.#core.end !== undefined) {
      incoming.respond(481);
      return;
    }
    switch (request.method) {
      case "BYE":
        // §15.1.2.
        incoming.respond(200, { headers: context.capabilities("response") });
        if (side?.onBye(dialog) === true) this.#core.finish({ by: "remote", cause: "bye", request });
        return;
      case "INVITE":
        if (side?.refuseInvite(incoming) === true) return;
        if (this.#core.hangingUp !== undefined) incoming.respond(481);
        else this.#core.renegotiation?.receive(incoming);
        return;
      case "UPDATE":
        if (!context.rules.allow.includes("UPDATE")) break;
        if (this.#core.hangingUp !== undefined) incoming.respond(481);
        else side?.updatesOf(dialog)?.receive(incoming);
        return;
    }
    const refusal = checkRequest(request, { ...context.rules, accept: ["*/*"] });
    if (refusal !== undefined) {
      incoming.respond(refusal.statusCode, refusal.options);
      return;
    }
    const handler = context.inDialog.get(request.method);
    if (handler === undefined)
      incoming.respond(405, { headers: [["Allow", context.rules.allow.join(", ")]] });
    else handler(incoming, this);
  }

  async #modify(hold: boolean | undefined | "no offer", method?: "UPDATE"): Promise<void> {
    const core = this.#core;
    if (core.end !== undefined || core.hangingUp !== undefined) throw core.endedError();
    if (this.state !== "established") {
      const early = core.side?.earlyRenegotiation;
      if (early?.updates.isPossible !== true) {
        throw new StateError(`the call is not established but ${this.state}`);
      }
      await early.modify(hold, "UPDATE");
      return;
    }
    await this.answered;
    if (core.renegotiation === undefined) throw core.endedError();
    await core.renegotiation.modify(hold, method);
  }

  #asCallee(what: string): Callee {
    if (this.#callee === undefined) throw new StateError(`${what}() is for incoming calls`);
    return this.#callee;
  }
}
