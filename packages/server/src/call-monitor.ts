// Follows calls by the messages that pass, as an observer of the stack: for traces, call records and the terminal.
// Bounded in calls, messages and bytes; what was evicted is forgotten oldest first.

import { aorOf, INVITE, type SipMessage, type SipRequest, type Uri } from "@offhook/sip/message";
import { nodeRandom } from "@offhook/sip/node";
import { TextTable } from "@offhook/sip/transaction";
import type { Flow } from "@offhook/sip/transport";
import { Call } from "./call.ts";
import { MessageTrace, TraceBlocks } from "./message-trace.ts";
import { callIdOf, hasCSeqMethod, reasonPhraseOf, statusCodeOf } from "./raw-message.ts";

/** What a call does, told once each: started (first INVITE that was not only challenged), ringing, … */
export type CallEvent = "ringing" | "answered" | "failed" | "ended";

export interface CallMonitorOptions {
  /** Calls whose messages are kept; 0 keeps none. */
  readonly calls: number;
  readonly messagesPerCall: number;
  readonly bytes: number;
  /** When this process began, milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly onEvent?: (call: Call, event: CallEvent) => void;
}

/** Calls that are followed without their messages, at most: those that never end would else fill the memory. */
const maxFollowed = 200_000;

export class CallMonitor {
  readonly #options: CallMonitorOptions;
  /** Every call that is followed or traced. */
  readonly #calls = new TextTable<Call>(nodeRandom);
  /** Calls nobody has accepted yet; apart, so that a flood of unauthenticated INVITEs evicts only its own kind. */
  readonly #unproven = new Set<Call>();
  /** Traced calls, oldest first. */
  readonly #proven = new Set<Call>();
  /** Calls going on whose trace was dropped, in that order. */
  readonly #untraced = new Set<Call>();
  readonly #maxUnproven: number;
  /** Begins the ids of this process's calls, so that they differ from those in the records of earlier ones. */
  readonly #series: string;
  readonly #blocks = new TraceBlocks();
  #lastNumber = 0;
  #bytes = 0;
  #activeCount = 0;
  /** The call that the last message belonged to: what is sent nearly always follows from what came. */
  #current: Call | undefined;

  constructor(options: CallMonitorOptions) {
    this.#options = options;
    this.#series = Math.floor(options.startedAt / 1000).toString(36);
    this.#maxUnproven = Math.max(256, Math.ceil(options.calls / 4));
  }

  /** Calls that were answered and have not ended. */
  get activeCount(): number {
    return this.#activeCount;
  }

  /** Bytes of kept messages. */
  get tracedBytes(): number {
    return this.#bytes;
  }

  get(callId: string): Call | undefined {
    return this.#calls.get(callId);
  }

  /** Calls that are going on or traced, oldest first; those that were only challenged are left out. */
  *list(): Generator<Call> {
    const calls = [...this.#calls.values()].sort((a, b) => a.number - b.number);
    for (const call of calls) if (call.state !== "challenged") yield call;
  }

  /** Observer: a message came in. */
  received(message: SipMessage, flow: Flow, now: number): void {
    if (this.#calls.size === 0 && message.methodId !== INVITE) return;
    const { callId } = message;
    let call = this.#calls.get(callId);
    // §8.1.3.5: who tries again after a failure keeps the Call-ID; that is another call, with a record of its own.
    if (call?.isOver && isNewAttempt(message, call)) {
      this.#forget(call);
      call = undefined;
    }
    if (call === undefined) {
      if (message.kind !== "request" || message.methodId !== INVITE || message.hasToTag) return;
      call = this.#begin(message, callId, now);
    }
    this.#current = call;
    if (message.kind === "request") {
      const { method } = message;
      // §15: a BYE ends the call whatever is answered to it.
      if (method === "BYE" && call.state === "answered") this.#end(call, message, now);
      else if (method === "INVITE" && call.state === "challenged") {
        call.state = "calling";
        call.sequence = message.cSeq.sequence;
      }
    }
    if (call.trace !== undefined) this.#keep(call, call.trace, false, flow, message.bytes, now);
  }

  /** Observer: bytes went out. */
  sent(bytes: Uint8Array, flow: Flow, now: number, known?: string): void {
    if (this.#calls.size === 0) return;
    const callId = known ?? callIdOf(bytes);
    if (callId === undefined) return;
    const call = callId === this.#current?.callId ? this.#current : this.#calls.get(callId);
    if (call === undefined) return;
    if (call.trace !== undefined) this.#keep(call, call.trace, true, flow, bytes, now);
    if (call.state === "calling" || call.state === "ringing") {
      const status = statusCodeOf(bytes);
      if (status > 100 && hasCSeqMethod(bytes, "INVITE")) this.#progress(call, status, bytes, now);
    }
  }

  #begin(invite: SipRequest, callId: string, now: number): Call {
    // A call outlives the message: strings that share its memory (these and Call-ID do not) must not keep it.
    const caller = invite.writtenFromAor ?? own(addressOf(invite.from.uri));
    const callee = invite.writtenToAor ?? own(addressOf(invite.to.uri));
    const number = ++this.#lastNumber;
    const id = `${this.#series}-${number}`;
    const call = new Call(id, number, callId, caller, callee, invite.fromTag, now);
    call.sequence = invite.cSeq.sequence;
    if (this.#options.calls > 0) call.trace = new MessageTrace(this.#blocks, now);
    this.#calls.add(call);
    this.#unproven.add(call);
    if (this.#unproven.size > this.#maxUnproven) this.#forget(first(this.#unproven));
    if (this.#calls.size > maxFollowed) {
      this.#forget(first(this.#untraced) ?? first(this.#proven) ?? first(this.#unproven));
    }
    return call;
  }

  #progress(call: Call, status: number, bytes: Uint8Array, now: number): void {
    call.status = status;
    call.reasonPhrase = reasonPhraseOf(bytes);
    // §22.2: the caller will try again with credentials, under the same Call-ID.
    if (status === 401 || status === 407) {
      call.state = "challenged";
      return;
    }
    if (this.#unproven.delete(call)) {
      (call.trace === undefined ? this.#untraced : this.#proven).add(call);
      while (this.#proven.size > this.#options.calls) this.#dropTrace(first(this.#proven));
    }
    if (status < 200) {
      if (status === 100 || call.state === "ringing") return;
      call.state = "ringing";
      call.ringingAt = now;
      this.#options.onEvent?.(call, "ringing");
    } else if (status < 300) {
      call.state = "answered";
      call.answeredAt = now;
      this.#activeCount++;
      this.#options.onEvent?.(call, "answered");
    } else {
      call.state = "failed";
      call.endedAt = now;
      this.#options.onEvent?.(call, "failed");
      this.#release(call);
    }
  }

  #end(call: Call, bye: SipRequest, now: number): void {
    call.state = "ended";
    call.endedAt = now;
    call.endedBy = bye.fromTag === call.callerTag ? "caller" : "callee";
    this.#activeCount--;
    this.#options.onEvent?.(call, "ended");
    this.#release(call);
  }

  /** A call that is over stays known only as long as its messages. */
  #release(call: Call): void {
    if (call.trace === undefined) this.#remove(call);
  }

  #remove(call: Call): void {
    this.#calls.delete(call.callId);
    this.#untraced.delete(call);
    if (this.#current === call) this.#current = undefined;
  }

  #keep(call: Call, trace: MessageTrace, isSent: boolean, flow: Flow, bytes: Uint8Array, at: number): void {
    if (trace.count >= this.#options.messagesPerCall) {
      call.omitted++;
      return;
    }
    trace.add(isSent, flow, bytes, at);
    this.#bytes += bytes.length;
    while (this.#bytes > this.#options.bytes) {
      const oldest = first(this.#unproven.size > 0 ? this.#unproven : this.#proven);
      if (oldest === undefined || oldest === call) break;
      if (this.#unproven.has(oldest)) this.#forget(oldest);
      else this.#dropTrace(oldest);
    }
  }

  #dropTrace(call: Call | undefined): void {
    if (call === undefined) return;
    this.#proven.delete(call);
    if (call.trace !== undefined) {
      this.#bytes -= call.trace.byteCount;
      call.trace.release();
      call.trace = undefined;
    }
    if (call.isOver) this.#remove(call);
    else this.#untraced.add(call);
  }

  #forget(call: Call | undefined): void {
    if (call === undefined) return;
    if (call.state === "answered") this.#activeCount--;
    this.#dropTrace(call);
    this.#unproven.delete(call);
    this.#remove(call);
  }
}

/** An INVITE that makes a dialog, and no copy of the one that began this call. */
function isNewAttempt(message: SipMessage, call: Call): boolean {
  if (message.kind !== "request" || message.methodId !== INVITE || message.hasToTag) return false;
  return message.fromTag !== call.callerTag || message.cSeq.sequence > call.sequence;
}

function first(calls: Set<Call>): Call | undefined {
  return calls.values().next().value;
}

function own(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}

function addressOf(uri: Uri): string {
  if (uri.scheme === "sip" || uri.scheme === "sips") return aorOf(uri);
  return "text" in uri && typeof uri.text === "string" ? uri.text : uri.scheme;
}
