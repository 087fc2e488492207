// INVITE client transaction: RFC 3261 §17.1.1 (Figure 5), Accepted from RFC 6026 §8.4.

import { makeAck, noLimits, parseMessage, type SipRequest, type SipResponse } from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import {
  type ClientTransaction,
  type ClientTransactionUser,
  initialOf,
  Machine,
  type MachineSink,
  type Table,
} from "./machine.ts";
import { noBytes, type SettledTransaction } from "./settled-transactions.ts";
import type { TransactionKey } from "./transaction-id.ts";
import type { ResponseUser } from "./transaction-user.ts";

export type InviteClientState =
  | "initial"
  | "calling"
  | "proceeding"
  | "completed"
  | "accepted"
  | "terminated";

export type InviteClientEvent =
  | "INVITE from user"
  | "1xx"
  | "2xx"
  | "300-699"
  | "CANCEL from user"
  | "given up by user"
  | "timer A"
  | "timer B"
  | "timer D"
  | "timer M"
  | "timer CANCEL"
  | "transport error";

export type InviteClientAction =
  | "send"
  | "resend"
  | "send ACK"
  | "pass up"
  | "report timeout"
  | "report transport error"
  | "start A"
  | "start B"
  | "start D"
  | "start M"
  | "start CANCEL"
  | "stop A";

export const inviteClientTable: Table<InviteClientState, InviteClientEvent, InviteClientAction> = {
  initial: {
    "INVITE from user": ["calling", "start B", "start A", "send"],
  },
  calling: {
    "1xx": ["proceeding", "pass up"],
    "2xx": ["accepted", "pass up", "start M"],
    "300-699": ["completed", "send ACK", "pass up", "start D"],
    "timer A": ["calling", "resend", "start A"],
    "timer B": ["terminated", "report timeout"],
    "transport error": ["terminated", "report transport error"],
    // RFC 3263 §4.3: the next target is being tried; what still comes from this one is taken in.
    "given up by user": ["calling", "stop A"],
  },
  // Timers A and B have no rows here, so they stop. A lost connection is not the end: the response may come by
  // another one (§18.2.2). Whether to go on elsewhere is for the user to say.
  proceeding: {
    "1xx": ["proceeding", "pass up"],
    "2xx": ["accepted", "pass up", "start M"],
    "300-699": ["completed", "send ACK", "pass up", "start D"],
    // §9.1: 64·T1 after the CANCEL the INVITE counts as cancelled, whatever the peer does.
    "CANCEL from user": ["proceeding", "start CANCEL"],
    "timer CANCEL": ["terminated", "report timeout"],
    "transport error": ["proceeding", "report transport error"],
  },
  completed: {
    "300-699": ["completed", "send ACK"],
    "timer D": ["terminated"],
    "transport error": ["terminated", "report transport error"],
  },
  accepted: {
    "2xx": ["accepted", "pass up"],
    "timer M": ["terminated"],
  },
  terminated: {},
};

const initial = initialOf(inviteClientTable);

type Input = SipResponse | Error;

export class InviteClient
  extends Machine<InviteClientState, InviteClientEvent, InviteClientAction, Input>
  implements ClientTransaction
{
  readonly flow: Flow;
  user: ClientTransactionUser;
  /** INVITE, later its ACK; nothing in Accepted, where only the key counts. */
  bytes: Uint8Array | undefined;
  /** Takes what comes after the first 2xx; default: the user. */
  further: ResponseUser | undefined = undefined;
  #interval = 0;
  #responseFlow: Flow;
  #acknowledged = false;

  constructor(
    key: TransactionKey,
    flow: Flow,
    invite: Uint8Array,
    user: ClientTransactionUser,
    sink: MachineSink,
  ) {
    super(initial, key, "INVITE", sink);
    this.flow = flow;
    this.#responseFlow = flow;
    this.bytes = invite;
    this.user = user;
  }

  get kind(): "client" {
    return "client";
  }

  start(now: number): void {
    this.step("INVITE from user", now);
  }

  receiveResponse(response: SipResponse, flow: Flow, now: number): void {
    const status = response.statusCode;
    const event = status < 200 ? "1xx" : status < 300 ? "2xx" : "300-699";
    if (this.statusCode < 200) this.statusCode = status;
    this.#responseFlow = flow;
    this.step(event, now, response);
  }

  /** The user has sent a CANCEL for this INVITE. */
  canceled(now: number): void {
    this.step("CANCEL from user", now);
  }

  /** The user has gone on to another target: no more resends, but answers are still welcome. */
  givenUp(now: number): void {
    this.step("given up by user", now);
  }

  transportError(error: Error, now: number): void {
    this.step("transport error", now, error);
  }

  protected perform(action: InviteClientAction, now: number, input: Input | undefined): void {
    const { durations } = this.sink;
    switch (action) {
      case "send":
        this.sink.send(this.flow, this.bytes!, now, this.user.callId);
        break;
      case "resend":
        this.sink.resent("INVITE", 0, now);
        this.sink.send(this.flow, this.bytes!, now);
        break;
      case "send ACK":
        this.#sendAck(input as SipResponse, now);
        break;
      case "pass up":
        (this.further ?? this.user).receiveResponse(input as SipResponse, this.#responseFlow, now);
        break;
      case "report timeout":
        this.user.timeout(now);
        break;
      case "report transport error":
        this.user.transportError(input as Error, now);
        break;
      case "start A":
        // §17.1.1.2: only over unreliable transports, doubling each time.
        if (this.flow.isReliable) break;
        this.#interval = this.#interval === 0 ? durations.T1 : this.#interval * 2;
        this.startSendTimer("timer A", this.#interval, now);
        break;
      case "start B":
        this.startStateTimer("timer B", durations.T1x64, now);
        break;
      case "start CANCEL":
        this.startStateTimer("timer CANCEL", durations.T1x64, now);
        break;
      case "stop A":
        this.stopSendTimer();
        break;
      case "start D":
        this.startStateTimer("timer D", this.flow.isReliable ? 0 : durations.D, now);
        break;
      case "start M":
        this.bytes = undefined;
        if (this.sink.takeOver?.(this, this.#rest, durations.T1x64, now) !== true)
          this.startStateTimer("timer M", durations.T1x64, now);
        break;
    }
  }

  get #rest(): SettledTransaction {
    const { method, statusCode } = this;
    const peer = this.further ?? this.user;
    return { method, statusCode, response: noBytes, toTag: "", peer };
  }

  /** §17.1.1.3: one ACK, made from the INVITE and the first final response, resent as it is. */
  #sendAck(response: SipResponse, now: number): void {
    if (!this.#acknowledged) {
      try {
        this.bytes = makeAck(parseMessage(this.bytes!, noLimits) as SipRequest, response);
      } catch (error) {
        // An INVITE of our own that does not parse is its maker's mistake, and has no ACK.
        this.sink.userFailed(error);
        return;
      }
      this.#acknowledged = true;
    } else {
      this.sink.resent("ACK", 0, now);
    }
    this.sink.send(this.flow, this.bytes!, now);
  }
}
