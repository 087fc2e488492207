// Follows calls by the messages that pass, as an observer of the stack: for traces, call records and the terminal.
// Bounded in calls, messages and bytes; what was evicted is forgotten oldest first.

import {
  aorOf,
  BYE,
  INVITE,
  noLimits,
  parseMessage,
  type SipMessage,
  type SipRequest,
  type Uri,
} from "@offhook/sip/message";
import { nodeRandom } from "@offhook/sip/node";
import { TextHash, TextTable } from "@offhook/sip/transaction";
import type { Flow } from "@offhook/sip/transport";
import { Call } from "./call.ts";
import { CallList } from "./call-list.ts";
import { MessageTrace, TraceMemory } from "./message-trace.ts";
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
  readonly onEvent?: (call: Call, event: CallEvent, now: number) => void;
}

/** Calls that are followed without their messages, at most: those that never end would else fill the memory. */
const maxFollowed = 200_000;

/** Calls under one Call-ID that are told from each other; all others count as the first of these. */
const maxNamesakes = 16;

export class CallMonitor {
  readonly #options: CallMonitorOptions;
  readonly #hash = new TextHash(nodeRandom);
  /** Every call that is followed or traced, by its Call-ID; its namesakes are found from there. */
  readonly #calls = new TextTable<Call>(this.#hash);
  /** Calls nobody has accepted yet; apart, so that a flood of unauthenticated INVITEs evicts only its own kind. */
  readonly #unproven = new CallList();
  /** Traced calls, oldest first. */
  readonly #proven = new CallList();
  /** Calls going on whose trace was dropped, in that order. */
  readonly #untraced = new CallList();
  readonly #maxUnproven: number;
  /** Begins the ids of this process's calls, so that they differ from those in the records of earlier ones. */
  readonly #series: string;
  readonly #memory = new TraceMemory();
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

  /** The call with this Call-ID, the latest of several, or the one of them with this `id`. */
  get(callId: string, id?: string): Call | undefined {
    const call = this.#calls.get(callId);
    const calls = call?.namesakes ?? (call === undefined ? [] : [call]);
    return id === undefined ? calls.at(-1) : calls.find((one) => one.id === id);
  }

  /** Calls that are going on or traced, oldest first; those that were only challenged are left out. */
  *list(): Generator<Call> {
    const calls = [...this.#calls.values()].flatMap((call) => call.namesakes ?? call);
    calls.sort((a, b) => a.number - b.number);
    for (const call of calls) if (call.state !== "challenged") yield call;
  }

  /** Observer: a message came in. */
  received(message: SipMessage, flow: Flow, now: number): void {
    const { methodId } = message;
    if (this.#calls.size === 0 && methodId !== INVITE) return;
    let call = message.findByCallId(this.#calls);
    if (call?.namesakes !== undefined) call = namesakeOf(call.namesakes, message);
    if (methodId === INVITE && message.kind === "request" && !message.hasToTag) {
      if (call === undefined || this.#beginsAnother(message, call)) call = this.#begin(message, now);
    } else if (call === undefined) return;
    this.#current = call;
    if (message.kind === "request") {
      // §15: a BYE ends the call whatever is answered to it.
      if (methodId === BYE && call.state === "answered") this.#end(call, message, now);
      else if (methodId === INVITE && call.state === "challenged") {
        call.state = "calling";
        call.sequence = message.cSeqNumber;
      }
    }
    if (call.trace !== undefined) this.#keep(call, call.trace, false, flow, message.bytes, now);
  }

  /**
   * Observer: bytes went out. Call-ID and method (of the CSeq in a response) are read from them if they are not given.
   */
  sent(bytes: Uint8Array, flow: Flow, now: number, knownCallId?: string, methodId?: number): void {
    if (this.#calls.size === 0) return;
    const callId = knownCallId ?? callIdOf(bytes);
    if (callId === undefined) return;
    let call = callId === this.#current?.callId ? this.#current : this.#calls.get(callId);
    if (call === undefined) return;
    if (call.namesakes !== undefined) call = namesakeOf(call.namesakes, parseMessage(bytes, noLimits));
    if (call.trace !== undefined) this.#keep(call, call.trace, true, flow, bytes, now);
    if (call.state === "calling" || call.state === "ringing") {
      const status = statusCodeOf(bytes);
      if (status <= 100) return;
      const isOfInvite = methodId === undefined ? hasCSeqMethod(bytes, "INVITE") : methodId === INVITE;
      if (isOfInvite) this.#progress(call, status, bytes, now);
    }
  }

  /** True if an INVITE that makes a dialog is no part of a call that its Call-ID led to. */
  #beginsAnother(invite: SipRequest, call: Call): boolean {
    const isCallers = invite.fromTag === call.callerTag;
    if (!call.isOver) return !isCallers && (call.namesakes?.length ?? 1) < maxNamesakes;
    if (isCallers && invite.cSeqNumber <= call.sequence) return false;
    // §8.1.3.5: who tries again after a failure keeps the Call-ID; that is another call, with a record of its own.
    this.#forget(call);
    return true;
  }

  #begin(invite: SipRequest, now: number): Call {
    // A call outlives the message: strings that share its memory (these do not) must not keep it.
    const caller = invite.writtenFromAor ?? own(addressOf(invite.from.uri));
    const callee = invite.writtenToAor ?? own(addressOf(invite.to.uri));
    const number = ++this.#lastNumber;
    const id = `${this.#series}-${number}`;
    const call = new Call(id, number, invite.ownCallId, caller, callee, invite.fromTag, now);
    call.hash = this.#hash.of(call.callId);
    call.sequence = invite.cSeqNumber;
    if (this.#options.calls > 0) call.trace = new MessageTrace(this.#memory);
    this.#enter(call);
    this.#unproven.add(call);
    if (this.#unproven.size > this.#maxUnproven) this.#forget(this.#unproven.first);
    if (this.#unproven.size + this.#proven.size + this.#untraced.size > maxFollowed) {
      this.#forget(this.#untraced.first ?? this.#proven.first ?? this.#unproven.first);
    }
    return call;
  }

  /** Puts a call into the table, beside others of that Call-ID. */
  #enter(call: Call): void {
    const other = this.#calls.get(call.callId, call.hash);
    if (other === undefined) {
      this.#calls.add(call, call.hash);
      return;
    }
    other.namesakes ??= [other];
    other.namesakes.push(call);
    call.namesakes = other.namesakes;
  }

  #progress(call: Call, status: number, bytes: Uint8Array, now: number): void {
    call.status = status;
    call.reasonPhrase = reasonPhraseOf(bytes);
    // §22.2: the caller will try again with credentials, under the same Call-ID.
    if (status === 401 || status === 407) {
      call.state = "challenged";
      return;
    }
    if (call.list === this.#unproven) {
      (call.trace === undefined ? this.#untraced : this.#proven).add(call);
      while (this.#proven.size > this.#options.calls) this.#dropTrace(this.#proven.first);
    }
    if (status < 200) {
      if (status === 100 || call.state === "ringing") return;
      call.state = "ringing";
      call.ringingAt = now;
      this.#options.onEvent?.(call, "ringing", now);
    } else if (status < 300) {
      call.state = "answered";
      call.answeredAt = now;
      this.#activeCount++;
      this.#options.onEvent?.(call, "answered", now);
    } else {
      call.state = "failed";
      call.endedAt = now;
      this.#options.onEvent?.(call, "failed", now);
      this.#release(call);
    }
  }

  #end(call: Call, bye: SipRequest, now: number): void {
    call.state = "ended";
    call.endedAt = now;
    call.endedBy = bye.fromTag === call.callerTag ? "caller" : "callee";
    this.#activeCount--;
    this.#options.onEvent?.(call, "ended", now);
    this.#release(call);
  }

  /** A call that is over stays known only as long as its messages. */
  #release(call: Call): void {
    if (call.trace === undefined) this.#remove(call);
  }

  #keep(call: Call, trace: MessageTrace, isSent: boolean, flow: Flow, bytes: Uint8Array, at: number): void {
    if (trace.count >= this.#options.messagesPerCall) {
      call.omitted++;
      return;
    }
    trace.add(isSent, flow, bytes, at);
    this.#bytes += bytes.length;
    while (this.#bytes > this.#options.bytes) {
      const oldest = this.#unproven.first ?? this.#proven.first;
      if (oldest === undefined || oldest === call) break;
      if (oldest.list === this.#unproven) this.#forget(oldest);
      else this.#dropTrace(oldest);
    }
  }

  #dropTrace(call: Call | undefined): void {
    if (call === undefined) return;
    this.#giveBack(call);
    if (call.isOver) this.#remove(call);
    else this.#untraced.add(call);
  }

  #forget(call: Call | undefined): void {
    if (call === undefined) return;
    if (call.state === "answered") this.#activeCount--;
    this.#giveBack(call);
    this.#remove(call);
  }

  #giveBack(call: Call): void {
    if (call.trace === undefined) return;
    this.#bytes -= call.trace.byteCount;
    call.trace.release();
    call.trace = undefined;
  }

  /** Once for each call. */
  #remove(call: Call): void {
    call.list?.remove(call);
    if (this.#current === call) this.#current = undefined;
    const { namesakes } = call;
    if (namesakes === undefined) {
      this.#calls.delete(call.callId, call.hash);
      return;
    }
    namesakes.splice(namesakes.indexOf(call), 1);
    // In the place of the one that is gone, if that was the first.
    this.#calls.add(namesakes[0]!, call.hash);
    if (namesakes.length === 1) namesakes[0]!.namesakes = undefined;
  }
}

/** Which of several calls with one Call-ID a message belongs to: the caller's tag is in From or To, as the request went. */
function namesakeOf(calls: readonly Call[], { fromTag, toTag }: SipMessage): Call {
  const isOf = ({ callerTag }: Call) => callerTag === fromTag || (callerTag === toTag && toTag !== undefined);
  return calls.find(isOf) ?? calls[0]!;
}

function own(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}

function addressOf(uri: Uri): string {
  if (uri.scheme === "sip" || uri.scheme === "sips") return aorOf(uri);
  return "text" in uri && typeof uri.text === "string" ? uri.text : uri.scheme;
}
