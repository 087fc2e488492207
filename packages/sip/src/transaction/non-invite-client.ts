// Non-INVITE client transaction: RFC 3261 §17.1.2 (Figure 6).

import type { SipResponse } from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import {
  type ClientTransaction,
  type ClientTransactionUser,
  ignoring,
  initialOf,
  Machine,
  type MachineSink,
  type Table,
} from "./machine.ts";
import { noBytes, type SettledTransaction } from "./settled-transactions.ts";
import type { TransactionKey } from "./transaction-id.ts";

export type NonInviteClientState = "initial" | "trying" | "proceeding" | "completed" | "terminated";

export type NonInviteClientEvent =
  | "request from user"
  | "1xx"
  | "200-699"
  | "timer E"
  | "timer F"
  | "timer K"
  | "transport error";

export type NonInviteClientAction =
  | "send"
  | "resend"
  | "pass up"
  | "report timeout"
  | "report transport error"
  | "start E"
  | "start E at T2"
  | "start F"
  | "start K";

export const nonInviteClientTable: Table<NonInviteClientState, NonInviteClientEvent, NonInviteClientAction> =
  {
    initial: {
      "request from user": ["trying", "start F", "start E", "send"],
    },
    trying: {
      "1xx": ["proceeding", "pass up"],
      "200-699": ["completed", "pass up", "start K"],
      "timer E": ["trying", "resend", "start E"],
      "timer F": ["terminated", "report timeout"],
      "transport error": ["terminated", "report transport error"],
    },
    proceeding: {
      "1xx": ["proceeding", "pass up"],
      "200-699": ["completed", "pass up", "start K"],
      "timer E": ["proceeding", "resend", "start E at T2"],
      "timer F": ["terminated", "report timeout"],
      "transport error": ["terminated", "report transport error"],
    },
    // Repeated final responses are absorbed here.
    completed: {
      "timer K": ["terminated"],
    },
    terminated: {},
  };

const initial = initialOf(nonInviteClientTable);

type Input = SipResponse | Error;

export class NonInviteClient
  extends Machine<NonInviteClientState, NonInviteClientEvent, NonInviteClientAction, Input>
  implements ClientTransaction
{
  readonly flow: Flow;
  user: ClientTransactionUser;
  bytes: Uint8Array | undefined;
  #interval = 0;
  #responseFlow: Flow;

  constructor(
    key: TransactionKey,
    method: string,
    flow: Flow,
    request: Uint8Array,
    user: ClientTransactionUser,
    sink: MachineSink,
  ) {
    super(initial, key, method, sink);
    this.flow = flow;
    this.#responseFlow = flow;
    this.bytes = request;
    this.user = user;
  }

  get kind(): "client" {
    return "client";
  }

  start(now: number): void {
    this.step("request from user", now);
  }

  receiveResponse(response: SipResponse, flow: Flow, now: number): void {
    if (this.statusCode < 200) this.statusCode = response.statusCode;
    this.#responseFlow = flow;
    this.step(response.statusCode < 200 ? "1xx" : "200-699", now, response);
  }

  transportError(error: Error, now: number): void {
    this.step("transport error", now, error);
  }

  get #rest(): SettledTransaction {
    const { method, statusCode } = this;
    return { method, statusCode, response: noBytes, toTag: "", peer: undefined };
  }

  protected perform(action: NonInviteClientAction, now: number, input: Input | undefined): void {
    const { durations } = this.sink;
    switch (action) {
      case "send":
        this.sink.send(this.flow, this.bytes!, now, this.user.callId);
        break;
      case "resend":
        this.sink.resent(this.method, 0, now);
        this.sink.send(this.flow, this.bytes!, now);
        break;
      case "pass up":
        this.user.receiveResponse(input as SipResponse, this.#responseFlow, now);
        break;
      case "report timeout":
        this.user.timeout(now);
        break;
      case "report transport error":
        this.user.transportError(input as Error, now);
        break;
      case "start E":
        // §17.1.2.2: T1, doubling up to T2, over unreliable transports only.
        if (this.flow.isReliable) break;
        this.#interval = this.#interval === 0 ? durations.T1 : Math.min(this.#interval * 2, durations.T2);
        this.startSendTimer("timer E", this.#interval, now);
        break;
      case "start E at T2":
        this.startSendTimer("timer E", durations.T2, now);
        break;
      case "start F":
        this.startStateTimer("timer F", durations.T1x64, now);
        break;
      case "start K":
        // Nothing but the key is needed to absorb what comes again.
        this.bytes = undefined;
        this.user = ignoring;
        if (this.flow.isReliable) this.startStateTimer("timer K", 0, now);
        else if (this.sink.takeOver?.(this, this.#rest, durations.T4, now) !== true)
          this.startStateTimer("timer K", durations.T4, now);
        break;
    }
  }
}
