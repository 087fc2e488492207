// Provisional responses that arrive for certain: resent until a PRACK acknowledges them, and taken in their order.
// RFC 3262.

import type { AuthSession } from "../auth/index.ts";
import { optionTags, type ResponseContext } from "../core/index.ts";
import type { Dialog } from "../dialog/index.ts";
import { ParseError, StateError } from "../errors.ts";
import {
  type HeaderInit,
  type OutgoingResponse,
  printRAck,
  type RAck,
  type SipRequest,
  type SipResponse,
} from "../message/index.ts";
import type { Clock, Random, Timer } from "../ports.ts";
import { type CallContext, type CallTimers, sendInDialog } from "./call-context.ts";
import { type Deferred, deferred } from "./deferred.ts";

/** The option tag of RFC 3262 (§8.1). */
export const reliableTag = "100rel";

/** What a peer says of RFC 3262 in its INVITE. */
export function reliabilityWanted(invite: SipRequest): "required" | "supported" | "off" {
  if (optionTags(invite.headers.rawAll("Require")).includes(reliableTag)) return "required";
  return optionTags(invite.headers.rawAll("Supported")).includes(reliableTag) ? "supported" : "off";
}

// --- The callee: §3 -----------------------------------------------------------------------------------------

/** What a reliable response carries for the session. */
export type Description = "offer" | "answer" | undefined;

interface Entry {
  readonly description: Description;
  /** Makes the response with these header fields added. */
  readonly make: (headers: readonly HeaderInit[]) => OutgoingResponse;
  readonly acknowledged: Deferred<void>;
  rSeq: number;
}

export interface ReliableResponsesOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: CallTimers;
  /** The CSeq of the INVITE. */
  readonly sequence: number;
  respond(response: OutgoingResponse): void;
  /** 64·T1 went by without a PRACK: the INVITE is to be refused. */
  onTimeout(): void;
}

/** The reliable responses to one INVITE, one at a time. */
export class ReliableResponses {
  readonly #options: ReliableResponsesOptions;
  /** The first of them is under way. */
  readonly #entries: Entry[] = [];
  /** Acknowledged by a PRACK whose body is being dealt with. */
  #taken: Entry | undefined;
  #lastSequence: number;
  #resend: Timer | undefined;
  #deadline: Timer | undefined;
  #isStopped = false;

  constructor(options: ReliableResponsesOptions) {
    this.#options = options;
    // §3: somewhere from 1 to 2^31 - 1; one is added for the first.
    const [a = 0, b = 0, c = 0, d = 0] = options.random.bytes(4);
    this.#lastSequence = (((a & 0x7f) << 24) | (b << 16) | (c << 8) | d) % (2 ** 31 - 2);
  }

  /** True while a response has been sent and not acknowledged. */
  get isWaiting(): boolean {
    return this.#entries.length > 0;
  }

  /** Sends a response when those before it are acknowledged. Fulfilled when it is, too, or need not be any more. */
  send(make: Entry["make"], description: Description): Promise<void> {
    const entry: Entry = { make, description, acknowledged: deferred(), rSeq: 0 };
    if (this.#isStopped) return Promise.resolve();
    this.#entries.push(entry);
    if (this.#entries.length === 1) this.#start(entry);
    return entry.acknowledged.promise;
  }

  /** Fulfilled when no response with a session description waits any more: a 2xx may go out (§5). */
  async descriptionsAcknowledged(): Promise<void> {
    for (;;) {
      const entries = this.#taken === undefined ? this.#entries : [this.#taken, ...this.#entries];
      const entry = entries.findLast(({ description }) => description !== undefined);
      if (entry === undefined) return;
      await entry.acknowledged.promise;
    }
  }

  /**
   * Takes a PRACK: undefined if it acknowledges nothing that waits. What the response carried comes back; `done` is to
   * be called when the body of the PRACK has been dealt with.
   */
  take(rAck: RAck): { readonly description: Description; done(): void } | undefined {
    const [entry] = this.#entries;
    const { sequence } = this.#options;
    if (entry === undefined || rAck.method !== "INVITE") return undefined;
    if (rAck.rSeq !== entry.rSeq || rAck.sequence !== sequence) return undefined;
    this.#cancelTimers();
    this.#entries.shift();
    this.#taken = entry;
    return {
      description: entry.description,
      done: () => {
        this.#taken = undefined;
        entry.acknowledged.resolve();
        const [next] = this.#entries;
        if (next !== undefined && next.rSeq === 0 && !this.#isStopped) this.#start(next);
      },
    };
  }

  /** A final response goes out: nothing is resent, but a PRACK on its way is still taken. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimers();
    for (const entry of this.#entries) entry.acknowledged.resolve();
    this.#entries.splice(1);
    if (this.#entries[0]?.rSeq === 0) this.#entries.length = 0;
  }

  #start(entry: Entry): void {
    const { clock, timers, onTimeout } = this.#options;
    entry.rSeq = ++this.#lastSequence;
    const response = entry.make([
      ["Require", reliableTag],
      ["RSeq", entry.rSeq],
    ]);
    this.#deadline = clock.schedule(64 * timers.T1, () => {
      this.stop();
      onTimeout();
    });
    this.#send(response, timers.T1);
  }

  /** §3: the interval doubles without the limit of T2. */
  #send(response: OutgoingResponse, interval: number): void {
    this.#options.respond(response);
    this.#resend = this.#options.clock.schedule(interval, () => this.#send(response, 2 * interval));
  }

  #cancelTimers(): void {
    this.#resend?.cancel();
    this.#deadline?.cancel();
  }
}

// --- The caller: §4 ------------------------------------------------------------------------------------------

/** The RSeq of a response that is to be acknowledged; undefined for all others. */
export function reliableSequenceOf(response: SipResponse): number | undefined {
  // §4: in a 100 the option tag means nothing. Without a To tag there is no dialog to send the PRACK in.
  if (response.statusCode === 100 || response.to.tag === undefined) return undefined;
  if (!optionTags(response.headers.rawAll("Require")).includes(reliableTag)) return undefined;
  try {
    const rSeq = response.headers.get("RSeq");
    return rSeq === undefined || rSeq < 1 ? undefined : rSeq;
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

/** PRACKs of one early dialog that may wait for their responses. §3 wants one: who sends more does not wait for them. */
const maxOpenPracks = 32;

/** The order of reliable responses in one early dialog. */
export class ProvisionalSequence {
  readonly #reportError: (error: unknown) => void;
  #last: number | undefined;
  #openPracks = 0;
  #isTooFar = false;

  constructor(reportError: (error: unknown) => void) {
    this.#reportError = reportError;
  }

  /**
   * Has the next in order acknowledged. §4: copies, and what came before something that is missing, are dropped. So is
   * one too many: it has no PRACK, thus comes again (§3), and either there is room for it then or the callee gives up.
   * @param acknowledge - fulfilled when the PRACK has its final response
   */
  take(rSeq: number, acknowledge: () => Promise<unknown>): void {
    if (this.#last !== undefined && rSeq !== this.#last + 1) return;
    if (this.#openPracks >= maxOpenPracks) {
      if (!this.#isTooFar)
        this.#reportError(
          new StateError(
            `${maxOpenPracks} PRACKs wait for their responses: no more provisional ones are taken`,
          ),
        );
      this.#isTooFar = true;
      return;
    }
    this.#last = rSeq;
    this.#openPracks++;
    void acknowledge().finally(() => {
      this.#openPracks--;
    });
  }
}

/** Sends the PRACK for a response, and waits for what comes of it. */
export function sendPrack(
  context: CallContext,
  dialog: Dialog,
  auth: AuthSession | undefined,
  response: SipResponse,
  rSeq: number,
  sdp: string | undefined,
): Promise<{ response: SipResponse; context: ResponseContext }> {
  return sendInDialog(context, dialog, auth, "PRACK", {
    headers: [["RAck", printRAck({ ...response.cSeq, rSeq })]],
    ...(sdp === undefined ? {} : { body: sdp, contentType: "application/sdp" }),
  });
}
