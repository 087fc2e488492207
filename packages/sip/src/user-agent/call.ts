// A call: one INVITE dialog from the first INVITE to the BYE, on either side. RFC 3261 §13, §14, §15.

import type { AuthSession } from "../auth/index.ts";
import { below, checkRequest, effectOf, type ResponseContext, rejectionOf } from "../core/index.ts";
import type { Dialog, RequestContent } from "../dialog/index.ts";
import { ArgumentError, CallEndedError, NegotiationError, StateError } from "../errors.ts";
import type { HeaderInit, SipRequest, SipResponse, Uri } from "../message/index.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";
import { type CallContext, sdpOf, sendBye, sendInDialog } from "./call-context.ts";
import type { CallEnd, CallState } from "./call-end.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { Hook } from "./hook.ts";
import { IncomingInvite } from "./incoming-invite.ts";
import { GivenMedia, type MediaSession, NoMedia, type SdpSource } from "./media-session.ts";
import { OutgoingInvite } from "./outgoing-invite.ts";
import { Renegotiation, warningHeader } from "./renegotiation.ts";
import { Session } from "./session.ts";

export interface AnswerOptions {
  /** Our session description; without it the user agent's `media` is used. */
  readonly sdp?: SdpSource;
  readonly headers?: readonly HeaderInit[];
}

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

  readonly #context: CallContext;
  readonly #auth: AuthSession | undefined;
  readonly #progress: Hook<[response: SipResponse]>;
  readonly #changed: Hook<[]>;
  readonly #dtmf: Hook<[digit: string]>;
  #state: CallState;
  #session: Session | undefined;
  #media: MediaSession | undefined;
  #outgoing: OutgoingInvite | undefined;
  #incoming: IncomingInvite | undefined;
  #renegotiation: Renegotiation | undefined;
  #dialog: Dialog | undefined;
  readonly #settleAnswered: Deferred<void>;
  readonly #settleEnded: (end: CallEnd) => void;
  #end: CallEnd | undefined;
  /** Set when the local side gave up; the BYE may have to wait for the ACK (§15). */
  #hangingUp: { headers: readonly HeaderInit[] } | undefined;
  #givenUpCause: "canceled" | "expired" = "canceled";
  #wasAnswered = false;
  #isAnswering = false;
  /** The ACK for the 2xx to our INVITE has gone out. */
  #isAcknowledged = false;
  #badAnswer = false;
  #isByeSent = false;

  private constructor(
    context: CallContext,
    fields: Pick<Call, "direction" | "callId" | "remote" | "invitation" | "peerAddress"> & {
      auth: AuthSession | undefined;
    },
  ) {
    this.#context = context;
    this.direction = fields.direction;
    this.callId = fields.callId;
    this.remote = fields.remote;
    this.invitation = fields.invitation;
    this.peerAddress = fields.peerAddress;
    this.#auth = fields.auth;
    this.#state = fields.direction === "outgoing" ? "calling" : "incoming";
    const report = (error: unknown) => context.reportError(error);
    this.#progress = new Hook(report);
    this.#changed = new Hook(report);
    this.#dtmf = new Hook(report);
    const answered = deferred<void>();
    this.answered = answered.promise;
    this.#settleAnswered = answered;
    // Whoever does not look at the outcome has nothing to handle.
    answered.promise.catch(() => {});
    const ended = deferred<CallEnd>();
    this.ended = ended.promise;
    this.#settleEnded = ended.resolve;
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
    if (start.media !== undefined) call.#use(start.media);
    void call.#invite(start);
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
    call.#incoming = new IncomingInvite(
      context,
      {
        onRequest: (inDialog, dialog) => call.#onRequest(inDialog, dialog),
        onGivenUp: (cause, cancel) =>
          call.#finish({ by: "remote", cause, ...(cancel === undefined ? {} : { request: cancel }) }),
        onAck: (ack) => call.#onAck(ack),
        onUnacknowledged: () => call.#onBroken("no ack", undefined),
      },
      incoming,
    );
    call.#dialog = call.#incoming.dialog;
    return call;
  }

  get state(): CallState {
    return this.#state;
  }
  /** The dialog; of an outgoing call once it is answered. */
  get dialog(): Dialog | undefined {
    return this.#dialog;
  }
  /** The peer's session description: its offer or answer, an early one too. */
  get remoteDescription(): string | undefined {
    return this.#session?.remoteDescription ?? this.#offered();
  }
  get localDescription(): string | undefined {
    return this.#session?.localDescription;
  }
  /** True while `hold()` is in force. */
  get isOnHold(): boolean {
    return this.#session?.isOnHold ?? false;
  }
  /** True while the peer has put us on hold. */
  get isHeldByPeer(): boolean {
    return this.#session?.isHeldByPeer ?? false;
  }
  /** The media of the call, once there is any. */
  get media(): MediaSession | undefined {
    return this.#media;
  }

  /** Provisional responses of an outgoing call, 100 too. */
  onProgress(listener: (response: SipResponse) => void): () => void {
    return this.#progress.add(listener);
  }
  /** Hold, resume, early media, another address: descriptions and `isHeldByPeer` may have changed. */
  onSessionChange(listener: () => void): () => void {
    return this.#changed.add(listener);
  }
  /** Key presses of the peer, one call per key: 0–9 * # A–D. */
  onDtmf(listener: (digit: string) => void): () => void {
    return this.#dtmf.add(listener);
  }

  // --- What a callee does -----------------------------------------------------------------------------------

  /** 180. @throws {StateError} unless the call is incoming and unanswered */
  async ring(options: { headers?: readonly HeaderInit[] } = {}): Promise<void> {
    this.#pendingInvite("ring").provisional(180, options);
    this.#setState("ringing");
  }

  /**
   * 183, or another provisional response but 100; with a session description early media can flow.
   * @throws {NegotiationError} if the offer cannot be used; the call was then refused with 488
   */
  async progress(
    options: { statusCode?: number; sdp?: SdpSource; media?: boolean; headers?: readonly HeaderInit[] } = {},
  ): Promise<void> {
    const { statusCode = 183, headers = [] } = options;
    if (statusCode <= 100 || statusCode > 199)
      throw new ArgumentError(`${statusCode} is no provisional response`);
    this.#pendingInvite("progress");
    const offer = this.#offered();
    let body: string | undefined;
    // §13.2.1: an offer of ours may go only in a reliable response, so this needs an offer of the caller.
    if ((options.sdp !== undefined || options.media === true) && offer !== undefined) {
      body = await this.#negotiate(offer, options.sdp);
    }
    this.#pendingInvite("progress").provisional(statusCode, {
      headers,
      ...(body === undefined ? {} : { body, contentType: "application/sdp" }),
    });
    this.#setState("ringing");
  }

  /**
   * 200. Fulfilled when the caller's ACK is here.
   * @param options - our session description, or nothing if the user agent has `media`
   * @throws {StateError} unless the call is incoming and unanswered
   * @throws {NegotiationError} if the offer cannot be used; the call was then refused with 488
   * @throws {CallEndedError} if the caller gave up first, or never acknowledged
   */
  async answer(options: SdpSource | AnswerOptions = {}): Promise<void> {
    const { sdp, headers = [] } =
      typeof options === "string" || typeof options === "function" ? { sdp: options } : options;
    this.#pendingInvite("answer");
    if (this.#isAnswering) throw new StateError("the call is being answered already");
    this.#isAnswering = true;
    try {
      const body = await this.#negotiate(this.#offered(), sdp);
      const invite = this.#incoming;
      if (this.#end !== undefined || invite === undefined || !invite.isPending) throw this.#endedError();
      this.#wasAnswered = true;
      this.#setState("established");
      this.#establish(invite.dialog, invite.contact);
      invite.accept({ headers, sdp: body });
    } finally {
      this.#isAnswering = false;
    }
    await this.answered;
  }

  /**
   * Refuses the call.
   * @param statusCode - 300–699; default 486, busy here
   * @throws {StateError} unless the call is incoming and unanswered
   */
  async reject(statusCode = 486, options: Omit<RespondOptions, "toTag"> = {}): Promise<void> {
    if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 699) {
      throw new ArgumentError(`${statusCode} does not refuse a call`);
    }
    this.#pendingInvite("reject").reject(statusCode, options);
    this.#finish({ by: "local", cause: "rejected" });
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
    const { headers = [] } = options;
    if (this.#end === undefined && this.#hangingUp === undefined) {
      if (this.#incoming?.isPending === true) {
        this.#incoming.reject(480, { headers });
        this.#finish({ by: "local", cause: "rejected" });
      } else {
        this.#hangingUp = { headers };
        this.#setState("ending");
        if (this.#dialog?.state === "confirmed") this.#byeWhenAllowed();
        else this.#outgoing?.cancel(headers);
      }
    }
    return this.ended;
  }

  /** Gives up an outgoing call because nobody answered in time; as `hangUp`, but `ended` says "expired". */
  expire(): void {
    if (this.#end !== undefined || this.#hangingUp !== undefined || this.#wasAnswered) return;
    this.#givenUpCause = "expired";
    void this.hangUp({ headers: [["Reason", 'SIP;cause=408;text="No answer"']] });
  }

  /**
   * Puts the peer on hold by a re-INVITE (§14, RFC 3264 §8.4).
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

  /** Sends key presses as RFC 4733 events. @throws {StateError} without media that can */
  async sendDtmf(digits: string): Promise<void> {
    if (!/^[0-9*#A-D]+$/i.test(digits)) throw new ArgumentError("key presses are 0–9 * # A–D");
    const send = this.#media?.sendDtmf;
    if (this.#state !== "established" || this.#media === undefined || send === undefined) {
      throw new StateError("this call has no media to send key presses with");
    }
    await send.call(this.#media, digits.toUpperCase());
  }

  /**
   * A request of any other method inside the dialog (INFO, MESSAGE, …).
   * @throws {Rejected} if it gets no 2xx
   */
  async request(method: string, content: RequestContent = {}): Promise<SipResponse> {
    if (["INVITE", "ACK", "BYE", "CANCEL"].includes(method)) {
      throw new ArgumentError(`${method} is sent by the call itself`);
    }
    const dialog = this.#dialog;
    if (dialog === undefined || this.#end !== undefined) throw this.#endedError();
    const { response, context } = await sendInDialog(this.#context, dialog, this.#auth, method, content);
    const { statusCode } = response;
    if (statusCode < 300) return response;
    // §12.2.1.2: 481 and silence end the dialog; other failures of such requests do not end the call.
    const { origin } = context;
    if (statusCode === 481 || effectOf(statusCode) === "dialog" || origin === "timeout") {
      this.#onBroken(origin === "peer" ? "no dialog" : "no answer", response);
    }
    throw rejectionOf(response, context);
  }

  /** Forgets the call without another word to the peer; for a user agent that stops. */
  abandon(): void {
    this.#finish({ by: "local", cause: "bye" });
  }

  /** Tells the application of a key press; for handlers of INFO. */
  reportDtmf(digit: string): void {
    this.#dtmf.emit(digit);
  }

  // --- The outgoing INVITE ----------------------------------------------------------------------------------

  async #invite(start: OutgoingStart): Promise<void> {
    const invite = new OutgoingInvite(
      this.#context,
      {
        onRequest: (incoming, dialog) => this.#onRequest(incoming, dialog),
        onProgress: (response, dialog, sdp) => this.#onProgress(response, dialog, sdp),
        onAnswered: (dialog, sdp, contact) => this.#onAnswered(dialog, sdp, contact),
        onAcknowledged: () => this.#onAcknowledged(),
        onUnusable: (response, error) => {
          this.#settleAnswered.reject(error);
          this.#finish({ by: "local", cause: "bad answer", response });
        },
        onFailed: (response, context) => this.#onFailed(response, context),
        onCrossed: (response, ended) => {
          const end: CallEnd = { by: "local", cause: this.#givenUpCause, response };
          void ended.then(() => this.#finish(end));
        },
      },
      this.#auth,
      start.offers,
    );
    this.#outgoing = invite;
    try {
      await start.ready;
      const sdp = start.offers ? await this.#session?.offer() : undefined;
      if (this.#hangingUp !== undefined) {
        // Given up before anything was sent.
        this.#finish({ by: "local", cause: this.#givenUpCause });
        return;
      }
      invite.send(start.plan(sdp));
    } catch (error) {
      this.#settleAnswered.reject(error);
      this.#finish({ by: "local", cause: "canceled" });
    }
  }

  #onProgress(response: SipResponse, dialog: Dialog | undefined, sdp: string | undefined): void {
    if (this.#end !== undefined) return;
    if (response.statusCode > 100) this.#setState("ringing");
    if (sdp !== undefined && dialog !== undefined) {
      this.#session?.accept(sdp, false).then(
        () => this.#changed.emit(),
        // §13.2.1: what counts is the answer in the 2xx.
        (error: unknown) => this.#context.reportError(error),
      );
    }
    this.#progress.emit(response);
  }

  async #onAnswered(dialog: Dialog, sdp: string | undefined, contact: string): Promise<string | undefined> {
    this.#dialog = dialog;
    this.#wasAnswered = true;
    this.#setState("established");
    try {
      let answer: string | undefined;
      if (this.#session === undefined) {
        if (sdp !== undefined) throw new NegotiationError("there is no media to answer the offer with");
      } else if (this.#session.localDescription === undefined) {
        // §13.2.1: the INVITE had no offer, so the 2xx has, and the ACK takes the answer.
        if (sdp === undefined) throw new NegotiationError("the peer offered nothing");
        answer = await this.#session.answer(sdp);
      } else {
        await this.#session.accept(sdp);
      }
      this.#establish(dialog, contact);
      return answer;
    } catch (error) {
      this.#settleAnswered.reject(error);
      this.#hangingUp ??= { headers: [] };
      this.#badAnswer = true;
      throw error;
    }
  }

  /** §15: the caller may send BYE from its ACK on. */
  #onAcknowledged(): void {
    this.#isAcknowledged = true;
    if (this.#hangingUp !== undefined) {
      this.#bye(this.#badAnswer ? "bad answer" : "bye", undefined);
      return;
    }
    this.#settleAnswered.resolve();
    this.#changed.emit();
  }

  #onFailed(response: SipResponse, context: ResponseContext): void {
    const { origin } = context;
    this.#settleAnswered.reject(rejectionOf(response, context));
    if (this.#hangingUp !== undefined) this.#finish({ by: "local", cause: this.#givenUpCause, response });
    else if (origin === "timeout") this.#finish({ by: "remote", cause: "no answer", response });
    else this.#finish({ by: "remote", cause: "rejected", response });
  }

  // --- Requests of the peer inside the dialog --------------------------------------------------------------

  #onRequest(incoming: IncomingRequest, dialog: Dialog): void {
    const { request } = incoming;
    if (request.method === "ACK") {
      this.#onAckRequest(request);
      return;
    }
    // §12.2.2: out of order.
    if (!dialog.accept(request)) {
      incoming.respond(500);
      return;
    }
    if (this.#end !== undefined) {
      incoming.respond(481);
      return;
    }
    switch (request.method) {
      case "BYE":
        this.#onBye(incoming, dialog);
        return;
      case "INVITE":
        this.#onInvite(incoming);
        return;
    }
    const refusal = checkRequest(request, { ...this.#context.rules, accept: ["*/*"] });
    if (refusal !== undefined) {
      incoming.respond(refusal.statusCode, refusal.options);
      return;
    }
    const handler = this.#context.inDialog.get(request.method);
    if (handler === undefined)
      incoming.respond(405, { headers: [["Allow", this.#context.rules.allow.join(", ")]] });
    else handler(incoming, this);
  }

  #onAckRequest(ack: SipRequest): void {
    for (const acceptance of [this.#incoming?.acceptance, this.#renegotiation?.acceptance]) {
      if (acceptance?.sequence === ack.cSeq.sequence) acceptance.acknowledge(ack);
    }
  }

  /** §15.1.2. */
  #onBye(incoming: IncomingRequest, dialog: Dialog): void {
    incoming.respond(200, { headers: this.#context.capabilities("response") });
    if (dialog.state === "early" && this.#outgoing !== undefined) {
      this.#outgoing.dropFork(dialog);
      return;
    }
    if (dialog !== this.#dialog) return;
    // An INVITE without final response gets 487.
    if (this.#incoming?.isPending) this.#incoming.reject(487);
    this.#finish({ by: "remote", cause: "bye", request: incoming.request });
  }

  #onInvite(incoming: IncomingRequest): void {
    // §14.2: the first INVITE of the dialog is not done yet.
    if (this.#incoming?.isPending) {
      incoming.respond(500, { headers: [["Retry-After", below(this.#context.random, 11)]] });
    } else if (this.#renegotiation === undefined) {
      incoming.respond(491);
    } else if (this.#incoming?.acceptance !== undefined && this.#offered() === undefined) {
      // RFC 5407 §3.1.5: our offer waits for the answer in the ACK.
      incoming.respond(491);
    } else if (this.#hangingUp !== undefined) {
      incoming.respond(481);
    } else {
      // RFC 5407 §3.1.4: only the ACK was lost.
      this.#incoming?.acceptance?.acknowledge(undefined);
      this.#renegotiation.receive(incoming);
    }
  }

  // --- The 2xx that we sent ---------------------------------------------------------------------------------

  #onAck(ack: SipRequest | undefined): void {
    if (this.#end !== undefined) return;
    const established = () => {
      this.#settleAnswered.resolve();
      if (this.#hangingUp !== undefined) this.#bye("bye", undefined);
      else this.#changed.emit();
    };
    if (this.#offered() !== undefined) {
      established();
      return;
    }
    // §13.2.1: we offered in the 2xx.
    const session = this.#session;
    if (session === undefined) established();
    else
      session.accept(ack === undefined ? undefined : sdpOf(ack)).then(established, (error: unknown) => {
        this.#settleAnswered.reject(error);
        this.#onBroken("bad answer", undefined);
      });
  }

  // --- Sessions ------------------------------------------------------------------------------------------------

  #offered(): string | undefined {
    return this.invitation === undefined ? undefined : sdpOf(this.invitation);
  }

  #use(media: MediaSession): Session {
    this.#media = media;
    this.#session = new Session(media);
    media.onDtmf?.((digit) => this.#dtmf.emit(digit));
    return this.#session;
  }

  /** Our answer to the caller's offer, made once (§13.3.1.1), or our offer for the 2xx. */
  async #negotiate(offer: string | undefined, sdp: SdpSource | undefined): Promise<string | undefined> {
    const before = this.#session?.localDescription;
    if (before !== undefined) return before;
    const media = sdp === undefined ? this.#context.createMedia(this) : new GivenMedia(sdp);
    if (media === undefined) {
      throw new ArgumentError("a session description is needed, or a user agent with `media`");
    }
    const session = this.#use(media);
    try {
      return offer === undefined ? await session.offer() : await session.answer(offer);
    } catch (error) {
      if (this.#end !== undefined) throw this.#endedError();
      if (error instanceof NegotiationError && this.#incoming?.isPending && this.#end === undefined) {
        const { warning, message } = error;
        this.#incoming.reject(488, {
          headers: warning === undefined ? [] : [warningHeader(warning, message)],
        });
        this.#finish({ by: "local", cause: "rejected" });
      }
      throw error;
    }
  }

  #establish(dialog: Dialog, contact: string): void {
    if (this.#end !== undefined) return;
    const session = this.#session ?? this.#use(new NoMedia());
    this.#renegotiation = new Renegotiation({
      ...{ context: this.#context, dialog, session, auth: this.#auth, contact },
      user: {
        onChanged: () => this.#changed.emit(),
        onBroken: (cause, response) => this.#onBroken(cause, response),
      },
    });
  }

  async #modify(hold: boolean | undefined): Promise<void> {
    if (this.#end !== undefined || this.#hangingUp !== undefined) throw this.#endedError();
    if (this.#state !== "established") throw new StateError(`the call is not established but ${this.#state}`);
    await this.answered;
    if (this.#renegotiation === undefined) throw this.#endedError();
    await this.#renegotiation.modify(hold);
  }

  // --- The end -----------------------------------------------------------------------------------------------

  /** §15: the callee waits for the ACK of its 2xx, or until it can no longer come; the caller sends its ACK first. */
  #byeWhenAllowed(): void {
    const isAcknowledged =
      this.#outgoing === undefined ? this.#incoming?.acceptance === undefined : this.#isAcknowledged;
    if (isAcknowledged) this.#bye("bye", undefined);
  }

  #onBroken(cause: CallEnd["cause"], response: SipResponse | undefined): void {
    if (this.#end !== undefined) return;
    this.#hangingUp ??= { headers: [] };
    this.#settleAnswered.reject(new CallEndedError(`the call has ended: ${cause}`));
    this.#bye(cause, response);
  }

  #bye(cause: CallEnd["cause"], response: SipResponse | undefined): void {
    const dialog = this.#dialog;
    if (this.#isByeSent || dialog === undefined || this.#end !== undefined) return;
    this.#isByeSent = true;
    this.#setState("ending");
    // §15.1.1: the session is over as soon as the BYE is on its way.
    this.#session?.close();
    this.#renegotiation?.close();
    const end: CallEnd = { by: "local", cause, ...(response === undefined ? {} : { response }) };
    void sendBye(this.#context, dialog, this.#auth, this.#hangingUp?.headers).then(() => this.#finish(end));
  }

  #finish(end: CallEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#state = "ended";
    this.#session?.close();
    this.#renegotiation?.close();
    this.#incoming?.close();
    this.#outgoing?.close();
    if (this.#dialog !== undefined) this.#context.dialogs.remove(this.#dialog);
    this.#settleAnswered.reject(this.#endedError());
    this.#settleEnded(end);
    this.#context.onCallEnded(this);
  }

  #endedError(): CallEndedError {
    return new CallEndedError(`the call has ended${this.#end === undefined ? "" : `: ${this.#end.cause}`}`);
  }

  #pendingInvite(what: string): IncomingInvite {
    if (this.direction === "outgoing") throw new StateError(`${what}() is for incoming calls`);
    if (this.#end !== undefined) throw this.#endedError();
    if (this.#incoming === undefined || !this.#incoming.isPending) {
      throw new StateError(`${what}() comes too late: the call is ${this.#state}`);
    }
    return this.#incoming;
  }

  #setState(state: CallState): void {
    const order: readonly CallState[] = ["calling", "incoming", "ringing", "established", "ending", "ended"];
    if (order.indexOf(state) > order.indexOf(this.#state)) this.#state = state;
  }
}
