// One call as the server saw it: who, when, how it went, and its messages while they are kept.

import type { Endpoint, Flow, TransportName } from "@offhook/sip/transport";

/** One message of a call. */
export class TracedMessage {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly isSent: boolean;
  readonly transport: TransportName;
  /** The other end. Not the flow: it would keep its socket. */
  readonly remote: Endpoint;
  readonly #block: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  /** Its bytes are block[start, end). */
  constructor(at: number, isSent: boolean, flow: Flow, block: Uint8Array, start: number, end: number) {
    this.at = at;
    this.isSent = isSent;
    this.transport = flow.transport;
    this.remote = flow.remote;
    this.#block = block;
    this.#start = start;
    this.#end = end;
  }

  get bytes(): Uint8Array {
    return this.#block.subarray(this.#start, this.#end);
  }
}

/** "challenged": asked for a password and not heard of since; "failed" and "ended" are final. */
export type CallState = "calling" | "ringing" | "challenged" | "answered" | "failed" | "ended";

/** A call, from its first INVITE on. `monitor.ts` moves it along. */
export class Call {
  /** Short and unique, for `offhook trace`. */
  readonly id: string;
  readonly callId: string;
  /** Addresses as in From and To, e.g. "sip:alice@example.com". */
  readonly caller: string;
  readonly callee: string;
  readonly callerTag: string | undefined;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly startedAt: number;
  state: CallState = "calling";
  ringingAt: number | undefined;
  answeredAt: number | undefined;
  endedAt: number | undefined;
  endedBy: "caller" | "callee" | undefined;
  /** Last status sent to the caller for the INVITE; 0 before the first. */
  status = 0;
  reasonPhrase = "";
  /** Undefined once they were dropped to make room. */
  messages: TracedMessage[] | undefined;
  messageBytes = 0;
  /** Messages not kept because the call had its share. */
  omitted = 0;

  constructor(
    id: string,
    callId: string,
    caller: string,
    callee: string,
    callerTag: string | undefined,
    now: number,
  ) {
    this.id = id;
    this.callId = callId;
    this.caller = caller;
    this.callee = callee;
    this.callerTag = callerTag;
    this.startedAt = now;
  }

  /** What it is found by. */
  get key(): string {
    return this.callId;
  }

  get isOver(): boolean {
    return this.state === "failed" || this.state === "ended";
  }
}

/** A call as JSON: admin socket, `offhook calls --json`. */
export interface CallSummary {
  readonly id: string;
  readonly callId: string;
  readonly caller: string;
  readonly callee: string;
  readonly state: CallState;
  readonly startedAt: number;
  readonly ringingAt: number | undefined;
  readonly answeredAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly endedBy: "caller" | "callee" | undefined;
  readonly status: number;
  readonly reasonPhrase: string;
  /** Messages that `trace` can show. */
  readonly messages: number;
}

export function summarize(call: Call): CallSummary {
  const { id, callId, caller, callee, state, startedAt, ringingAt, answeredAt, endedAt, endedBy } = call;
  const { status, reasonPhrase, messages } = call;
  return {
    ...{
      id,
      callId,
      caller,
      callee,
      state,
      startedAt,
      ringingAt,
      answeredAt,
      endedAt,
      endedBy,
      status,
      reasonPhrase,
    },
    messages: messages?.length ?? 0,
  };
}
