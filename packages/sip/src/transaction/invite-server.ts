// INVITE server transaction: RFC 3261 §17.2.1, as redrawn in RFC 6026 §8.6 (Figure 7).

import { type OutgoingResponse, printResponse, type SipRequest } from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import { initialOf, type MachineSink, nobody, ServerMachine, type Table } from "./machine.ts";
import type { TransactionKey } from "./transaction-id.ts";
import type { Responder } from "./transaction-user.ts";

export type InviteServerState =
  | "initial"
  | "proceeding"
  | "completed"
  | "confirmed"
  | "accepted"
  | "terminated";

export type InviteServerEvent =
  | "INVITE"
  | "ACK"
  | "1xx from user"
  | "2xx from user"
  | "300-699 from user"
  | "challenge from user"
  | "timer 100"
  | "timer G"
  | "timer H"
  | "timer I"
  | "timer L"
  | "transport error";

export type InviteServerAction =
  | "pass up"
  | "pass ACK up"
  | "send"
  | "send 100"
  | "resend"
  | "report ACK"
  | "report timeout"
  | "report transport error"
  | "start 100"
  | "stop 100"
  | "start G"
  | "start H"
  | "start I"
  | "start L";

export const inviteServerTable: Table<InviteServerState, InviteServerEvent, InviteServerAction> = {
  initial: {
    INVITE: ["proceeding", "start 100", "pass up"],
  },
  proceeding: {
    INVITE: ["proceeding", "resend"],
    "1xx from user": ["proceeding", "stop 100", "send"],
    "2xx from user": ["accepted", "send", "start L"],
    "300-699 from user": ["completed", "send", "start G", "start H"],
    // §26.3.2.4: resending a 401 or 407 would multiply what a forged source address draws upon somebody else.
    "challenge from user": ["completed", "send", "start H"],
    "timer 100": ["proceeding", "send 100"],
    // RFC 6026 §7.1: an error never ends the transaction, or a resent INVITE would look like a new one.
    "transport error": ["proceeding", "report transport error"],
  },
  completed: {
    INVITE: ["completed", "resend"],
    ACK: ["confirmed", "report ACK", "start I"],
    "timer G": ["completed", "resend", "start G"],
    "timer H": ["terminated", "report timeout"],
    "transport error": ["completed", "report transport error"],
  },
  // ACKs that come again, and INVITEs late on their way, are absorbed.
  confirmed: {
    "timer I": ["terminated"],
  },
  accepted: {
    INVITE: ["accepted"],
    ACK: ["accepted", "pass ACK up"],
    "2xx from user": ["accepted", "send"],
    "timer L": ["terminated"],
    "transport error": ["accepted", "report transport error"],
  },
  terminated: {},
};

const initial = initialOf(inviteServerTable);

/** What an accepted transaction still does for its owner, apart from it. */
class AcceptedInvite implements Responder {
  readonly #sink: MachineSink;
  readonly #flow: Flow;
  /** The end of timer L. */
  readonly #until: number;

  constructor(sink: MachineSink, flow: Flow, until: number) {
    this.#sink = sink;
    this.#flow = flow;
    this.#until = until;
  }

  respond({ statusCode, bytes, callId, methodId }: OutgoingResponse): boolean {
    const now = this.#sink.now();
    // RFC 6026 §7.1, §8.3: after timer L it is discarded.
    if (statusCode < 200 || statusCode > 299 || now >= this.#until) return false;
    this.#sink.send(this.#flow, bytes, now, callId, methodId);
    return true;
  }
}

export class InviteServer extends ServerMachine<InviteServerState, InviteServerEvent, InviteServerAction> {
  #interval = 0;
  #ackFlow: Flow | undefined = undefined;
  #accepted: AcceptedInvite | undefined = undefined;

  constructor(key: TransactionKey, invite: SipRequest, flow: Flow, sink: MachineSink) {
    super(initial, key, invite, flow, sink);
  }

  get isInvite(): boolean {
    return true;
  }

  start(now: number): void {
    this.step("INVITE", now);
  }

  receiveAgain(now: number): void {
    this.step("INVITE", now);
  }

  receiveAck(ack: SipRequest, flow: Flow, now: number): void {
    this.#ackFlow = flow;
    this.step("ACK", now, ack);
    this.#ackFlow = undefined;
  }

  override get further(): Responder {
    return this.#accepted ?? this;
  }

  respond(response: OutgoingResponse): boolean {
    if (this.#accepted !== undefined) return this.#accepted.respond(response);
    return this.step(this.#eventOf(response.statusCode), this.sink.now(), response);
  }

  #eventOf(status: number): InviteServerEvent {
    if (status < 200) return "1xx from user";
    if (status < 300) return "2xx from user";
    // If the challenge is lost the INVITE comes again, unless a provisional response has stopped the caller's timer A.
    const isChallenge = (status === 401 || status === 407) && this.statusCode === 0;
    return isChallenge ? "challenge from user" : "300-699 from user";
  }

  /** §9.2: the CANCEL has been answered; the INVITE gets its 487 from its owner, or from here. */
  cancel(cancel: SipRequest): void {
    if (this.finalSent || this.isCanceled) return;
    this.isCanceled = true;
    if (this.user.onCancel !== undefined) this.tell((user) => user.onCancel?.(cancel));
    else this.respond(printResponse(this.request!, 487, { toTag: this.toTag }));
  }

  transportError(error: Error, now: number): void {
    this.step("transport error", now, error);
  }

  protected perform(
    action: InviteServerAction,
    now: number,
    input: OutgoingResponse | SipRequest | Error | undefined,
  ): void {
    const { durations } = this.sink;
    switch (action) {
      case "pass up":
        this.sink.deliver(this, now);
        break;
      case "pass ACK up":
        this.sink.deliverAck(input as SipRequest, this.#ackFlow!, now);
        break;
      case "send":
        this.sendResponse(input as OutgoingResponse, now);
        // RFC 6026 §7.1: resending a 2xx is its owner's work.
        if (this.state === "accepted") this.forgetResponse();
        break;
      case "send 100":
        this.sendResponse(printResponse(this.request!, 100, { delay: durations.trying / 1000 }), now);
        break;
      case "resend":
        this.resendResponse(now);
        break;
      case "report ACK":
        // Confirmed only absorbs: neither response nor owner is needed any more.
        this.forgetResponse();
        this.tell((user) => user.onAck?.());
        this.user = nobody;
        break;
      case "report timeout":
        this.tell((user) => user.onTimeout?.());
        break;
      case "report transport error":
        this.tell((user) => user.onTransportError?.(input as Error));
        break;
      case "start 100":
        this.startSendTimer("timer 100", durations.trying, now);
        break;
      case "stop 100":
        this.stopSendTimer();
        break;
      case "start G":
        // §17.2.1: T1, doubling up to T2, over unreliable transports only.
        if (this.flow.isReliable) break;
        this.#interval = this.#interval === 0 ? durations.T1 : Math.min(this.#interval * 2, durations.T2);
        this.startSendTimer("timer G", this.#interval, now);
        break;
      case "start H":
        this.startStateTimer("timer H", durations.T1x64, now);
        break;
      case "start I":
        this.startStateTimer("timer I", this.flow.isReliable ? 0 : durations.T4, now);
        break;
      case "start L":
        // Over a connection its user may still have to hear of an error.
        if (!this.flow.isReliable && this.sink.takeOver?.(this, this.rest, durations.T1x64, now) === true)
          this.#accepted = new AcceptedInvite(this.sink, this.responseFlow, now + durations.T1x64);
        else this.startStateTimer("timer L", durations.T1x64, now);
        break;
    }
  }
}
