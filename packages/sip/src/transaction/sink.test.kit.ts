// For the tests of this folder: a sink that takes notes, virtual time, and real messages.

import assert from "node:assert/strict";
import {
  makeResponse,
  type OutgoingResponse,
  parseMessage,
  SipRequest,
  SipResponse,
} from "../message/index.ts";
import type { Flow } from "../transport/index.ts";
import {
  type ClientTransactionUser,
  type Durations,
  durationsOf,
  type MachineSink,
  type ServerMachineView,
  type Transaction,
} from "./machine.ts";
import { type Timer, Timers } from "./timers.ts";
import type { TransactionKey } from "./transaction-id.ts";
import type { ServerUser } from "./transaction-user.ts";

const encoder = new TextEncoder();

/** Of a transaction that nobody looks for. */
export const key: TransactionKey = { branch: "z9hG4bK1", host: "", port: -1, method: "", hash: 1 };

export function request(
  method: string,
  options: {
    branch?: string;
    toTag?: string;
    host?: string;
    callId?: string;
    uri?: string;
    sequence?: number;
    via?: string;
  } = {},
): SipRequest {
  const sequenceMethod = method;
  const message = parseMessage(
    encoder.encode(
      [
        `${method} ${options.uri ?? "sip:bob@192.0.2.2"} SIP/2.0`,
        `Via: ${options.via ?? `SIP/2.0/UDP ${options.host ?? "192.0.2.1:5060"};branch=${options.branch ?? "z9hG4bK1"}`}`,
        "Max-Forwards: 70",
        "From: <sip:alice@192.0.2.1>;tag=a",
        `To: <sip:bob@192.0.2.2>${options.toTag === undefined ? "" : `;tag=${options.toTag}`}`,
        `Call-ID: ${options.callId ?? "1@192.0.2.1"}`,
        `CSeq: ${options.sequence ?? 1} ${sequenceMethod}`,
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    ),
  );
  assert.ok(message instanceof SipRequest);
  return message;
}

export function response(to: SipRequest, statusCode: number, toTag = "b"): SipResponse {
  const made = makeResponse(to, statusCode, statusCode === 100 ? {} : { toTag });
  const message = parseMessage(made.bytes);
  assert.ok(message instanceof SipResponse);
  return message;
}

export function flow(transport: Flow["transport"] = "UDP", remote = "192.0.2.2"): Flow {
  return {
    id: `test-${transport}-${remote}`,
    transport,
    isReliable: transport !== "UDP",
    listener: { id: 1, transport, address: "192.0.2.1", port: 5060 },
    remote: { address: remote, port: 5060 },
    state: "open",
  } as Flow;
}

/** "INVITE" or "486": enough to know a message by. */
export function nameOf(bytes: Uint8Array): string {
  const message = parseMessage(bytes);
  return message.kind === "request" ? message.method : String(message.statusCode);
}

/** Implements the sink of the machines and the user of client and server transactions, in one list of notes. */
export class NoteTaker implements MachineSink, ClientTransactionUser {
  readonly durations: Durations = durationsOf();
  readonly notes: string[] = [];
  readonly timers = new Timers(Object.values(this.durations));
  time = 1_000_000;
  /** Called on delivery, while the machine is still at it. */
  onDeliver: ((transaction: ServerMachineView) => void) | undefined;

  now(): number {
    return this.time;
  }

  newTag(): string {
    return "local";
  }

  send(_flow: Flow, bytes: Uint8Array): void {
    this.notes.push(nameOf(bytes));
  }

  sendResponse(transaction: ServerMachineView, response: OutgoingResponse): Flow {
    this.notes.push(nameOf(response.bytes));
    return transaction.flow;
  }

  userFailed(): void {
    this.notes.push("hook failed");
  }

  deliver(transaction: ServerMachineView): void {
    this.notes.push(`up ${transaction.method}`);
    this.onDeliver?.(transaction);
  }

  deliverAck(): void {
    this.notes.push("up ACK");
  }

  startTimer(timer: Timer, duration: number, now: number): void {
    this.notes.push(`${timer.event.replace("timer ", "")}=${duration}`);
    this.timers.start(timer, duration, now);
  }

  stopTimer(timer: Timer): void {
    this.timers.stop(timer);
  }

  resent(): void {}

  ended(transaction: Transaction): void {
    assert.equal(transaction.state, "terminated");
    this.notes.push("end");
  }

  receiveResponse(response: SipResponse): void {
    this.notes.push(`up ${response.statusCode}`);
  }

  timeout(): void {
    this.notes.push("timeout");
  }

  transportError(): void {
    this.notes.push("transport error");
  }

  get serverUser(): ServerUser {
    return {
      onAck: () => this.notes.push("ACK reported"),
      onTimeout: () => this.notes.push("timeout"),
      onTransportError: () => this.notes.push("transport error"),
    };
  }

  /** Lets time pass, firing what is due on the way at its own moment. */
  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    while (this.timers.deadline <= end) {
      this.time = Math.max(this.time, this.timers.deadline);
      this.timers.tick(this.time);
    }
    this.time = end;
  }

  /** The notes so far, as one line, and starts anew. */
  take(): string {
    return this.notes.splice(0).join(" ");
  }
}

/** Every state × event of a table must be a row of its test, the ignored ones too. */
export function assertCovered(
  states: readonly string[],
  events: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const seen = new Set(rows.map((row) => `${row[1]} / ${row[2]}`));
  const missing = states
    .flatMap((state) => events.map((event) => `${state} / ${event}`))
    .filter((cell) => !seen.has(cell));
  assert.deepEqual(missing, []);
}
