// A 2xx to an INVITE on its way until the ACK comes: the user agent resends it, on any transport.
// RFC 3261 §13.3.1.4.

import type { OutgoingResponse, SipRequest } from "../message/index.ts";
import type { Clock, Timer } from "../ports.ts";
import type { ServerTransaction } from "../stack.ts";
import type { CallTimers } from "./call-context.ts";

export interface AcceptanceOptions {
  readonly clock: Clock;
  readonly timers: CallTimers;
  readonly transaction: ServerTransaction;
  /** The CSeq number of the INVITE, which its ACK repeats (§13.2.2.4). */
  readonly sequence: number;
  readonly response: OutgoingResponse;
  /** The ACK, or undefined if the peer went on without it. */
  onAck(ack: SipRequest | undefined): void;
  /** 64·T1 went by without an ACK: the call is to be ended with BYE. */
  onTimeout(): void;
}

/** Sends the 2xx again after T1, 2·T1, … at most T2, until it is acknowledged. */
export class Acceptance {
  readonly #options: AcceptanceOptions;
  readonly #deadline: Timer;
  #resend: Timer | undefined;
  #isPending = true;

  constructor(options: AcceptanceOptions) {
    this.#options = options;
    const { clock, timers } = options;
    this.#deadline = clock.schedule(64 * timers.T1, () => {
      this.stop();
      options.onTimeout();
    });
    this.#send(timers.T1);
  }

  get sequence(): number {
    return this.#options.sequence;
  }
  get isPending(): boolean {
    return this.#isPending;
  }

  /** @param ack - undefined if something else showed that the peer has the 2xx */
  acknowledge(ack: SipRequest | undefined): void {
    if (!this.#isPending) return;
    this.stop();
    this.#options.onAck(ack);
  }

  stop(): void {
    this.#isPending = false;
    this.#resend?.cancel();
    this.#deadline.cancel();
  }

  #send(interval: number): void {
    const { clock, timers, transaction, response } = this.#options;
    transaction.respond(response);
    this.#resend = clock.schedule(interval, () => this.#send(Math.min(2 * interval, timers.T2)));
  }
}
