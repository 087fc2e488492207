// One call as the server saw it: who, when, how it went, and its messages while they are kept.

import type { CallList } from "./call-list.ts";
import type { MessageTrace, TracedMessage } from "./message-trace.ts";

/** "challenged": asked for a password and not heard of since; "failed" and "ended" are final. */
export type CallState = "calling" | "ringing" | "challenged" | "answered" | "failed" | "ended";

/** A call, from its first INVITE on. `call-monitor.ts` moves it along. */
export class Call {
  // What each message asks for comes first: it then lies together.
  readonly callId: string;
  /** Of the Call-ID, in the monitor's table. */
  hash = 0;
  /** Undefined once it was dropped to make room. */
  trace: MessageTrace | undefined = undefined;
  state: CallState = "calling";
  readonly callerTag: string | undefined;
  /** Calls that go on under one Call-ID, all of them; undefined where this is the only one. */
  namesakes: Call[] | undefined = undefined;
  /** CSeq of the INVITE that counts: the last one, after a challenge. */
  sequence = 0;
  /** Last status sent to the caller for the INVITE; 0 before the first. */
  status = 0;
  reasonPhrase = "";
  /** The list that it is in, and its neighbours there: for the list alone. */
  list: CallList | undefined = undefined;
  before: Call | undefined = undefined;
  after: Call | undefined = undefined;
  /** Short and unique, for `offhook trace`. */
  readonly id: string;
  /** Counts the calls of this process. */
  readonly number: number;
  /** Addresses as in From and To, e.g. "sip:alice@example.com". */
  readonly caller: string;
  readonly callee: string;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly startedAt: number;
  ringingAt: number | undefined = undefined;
  answeredAt: number | undefined = undefined;
  endedAt: number | undefined = undefined;
  endedBy: "caller" | "callee" | undefined = undefined;
  /** Messages not kept because the call had its share. */
  omitted = 0;

  constructor(
    id: string,
    number: number,
    callId: string,
    caller: string,
    callee: string,
    callerTag: string | undefined,
    now: number,
  ) {
    this.id = id;
    this.number = number;
    this.callId = callId;
    this.caller = caller;
    this.callee = callee;
    this.callerTag = callerTag;
    this.startedAt = now;
  }

  /** Its messages, oldest first, while they are kept. */
  get messages(): readonly TracedMessage[] | undefined {
    return this.trace?.messages(this.startedAt);
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
  const { status, reasonPhrase, trace } = call;
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
    messages: trace?.count ?? 0,
  };
}
