// Non-INVITE server transaction: RFC 3261 §17.2.2 (Figure 8), with the limits of RFC 4320 on what may be sent.

import { type OutgoingResponse, printResponse, type SipRequest } from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import { initialOf, type MachineSink, nobody, ServerMachine, type Table } from "./machine.ts";
import type { TransactionKey } from "./transaction-id.ts";

export type NonInviteServerState = "initial" | "trying" | "proceeding" | "completed" | "terminated";

export type NonInviteServerEvent =
  | "request"
  | "1xx from user"
  | "200-699 from user"
  | "408 from user"
  | "timer 100"
  | "timer too late"
  | "timer J"
  | "transport error";

export type NonInviteServerAction =
  | "pass up"
  | "send"
  | "send 100"
  | "resend"
  | "report timeout"
  | "report transport error"
  | "start 100"
  | "start too late"
  | "start J";

export const nonInviteServerTable: Table<NonInviteServerState, NonInviteServerEvent, NonInviteServerAction> =
  {
    initial: {
      // In this order: what is answered at once needs no timer.
      request: ["trying", "pass up", "start 100"],
    },
    // RFC 4320 §4.1: no 1xx but the 100, and that not before the client's timer E reaches T2: the user's own
    // have no row. §4.2: no 408 ever, so it has no row either; the client's timer F says the same.
    trying: {
      "200-699 from user": ["completed", "send", "start J"],
      "timer 100": ["proceeding", "start too late", "send 100"],
    },
    proceeding: {
      request: ["proceeding", "resend"],
      "200-699 from user": ["completed", "send", "start J"],
      "timer too late": ["terminated", "report timeout"],
      "transport error": ["terminated", "report transport error"],
    },
    completed: {
      request: ["completed", "resend"],
      "timer J": ["terminated"],
      "transport error": ["terminated", "report transport error"],
    },
    terminated: {},
  };

const initial = initialOf(nonInviteServerTable);

export class NonInviteServer extends ServerMachine<
  NonInviteServerState,
  NonInviteServerEvent,
  NonInviteServerAction
> {
  constructor(key: TransactionKey, request: SipRequest, flow: Flow, sink: MachineSink) {
    super(initial, key, request, flow, sink);
  }

  get isInvite(): boolean {
    return false;
  }

  start(now: number): void {
    this.step("request", now);
  }

  receiveAgain(now: number): void {
    this.step("request", now);
  }

  respond(response: OutgoingResponse): boolean {
    const status = response.statusCode;
    const event = status < 200 ? "1xx from user" : status === 408 ? "408 from user" : "200-699 from user";
    return this.step(event, this.sink.now(), response);
  }

  transportError(error: Error, now: number): void {
    this.step("transport error", now, error);
  }

  protected perform(
    action: NonInviteServerAction,
    now: number,
    input: OutgoingResponse | SipRequest | Error | undefined,
  ): void {
    const { durations } = this.sink;
    switch (action) {
      case "pass up":
        this.sink.deliver(this, now);
        break;
      case "send":
        this.sendResponse(input as OutgoingResponse, now);
        break;
      case "send 100":
        this.sendResponse(
          printResponse(this.request!, 100, { delay: durations.tryingNonInvite / 1000 }),
          now,
        );
        break;
      case "resend":
        this.resendResponse(now);
        break;
      case "report timeout":
        this.tell((user) => user.onTimeout?.());
        break;
      case "report transport error":
        this.tell((user) => user.onTransportError?.(input as Error));
        break;
      case "start 100":
        this.startStateTimer("timer 100", durations.tryingNonInvite, now);
        break;
      case "start too late":
        this.startStateTimer("timer too late", durations.tooLate, now);
        break;
      case "start J":
        // Nothing but a resend of the response is left to do.
        this.user = nobody;
        if (this.flow.isReliable) this.startStateTimer("timer J", 0, now);
        else if (this.sink.takeOver?.(this, this.rest, durations.T1x64, now) !== true)
          this.startStateTimer("timer J", durations.T1x64, now);
        break;
    }
  }
}
