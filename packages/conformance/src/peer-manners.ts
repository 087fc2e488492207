// The manners of a peer: those of a transaction layer, RFC 3261 §17, and of the 2xx and its ACK, §13. What is lost is sent
// again, what comes twice is heard once.

import type { Clock } from "@offhook/sip";
import { composeText, type WireText } from "@offhook/sip/testing";
import type { PeerFlow } from "./peer-sockets.ts";
import { dialogKey, hopByHop, transactionKey } from "./peer-text.ts";
import { fieldOf } from "./recording.ts";

const T1 = 500;
const T2 = 4000;

/** What is sent again until something stops it. */
interface Resending {
  readonly bytes: Uint8Array;
  readonly flow: PeerFlow;
  isStopped: boolean;
}

/** A request that came, and our latest response. */
interface Served {
  response: Uint8Array | undefined;
  resending: Resending | undefined;
}

/** What manners stand on. */
export interface MannersOptions {
  readonly clock: Clock;
  /** In bad weather provisional responses are repeated too: unreliable, they would be lost for good. */
  readonly isWeather: boolean;
  transmit(flow: PeerFlow, bytes: Uint8Array): void;
}

export class PeerManners {
  readonly #options: MannersOptions;
  readonly #seen = new Set<string>();
  readonly #sent = new Map<string, Resending & { readonly text: WireText }>();
  readonly #served = new Map<string, Served>();
  readonly #acks = new Map<string, { readonly bytes: Uint8Array; readonly flow: PeerFlow }>();

  constructor(options: MannersOptions) {
    this.#options = options;
  }

  /** A request has gone out: it is resent over UDP until it is answered; an ACK again for every copy of its 2xx. */
  onRequestSent(text: WireText, bytes: Uint8Array, flow: PeerFlow): void {
    const isInvite = text.startLine.startsWith("INVITE ");
    if (text.startLine.startsWith("ACK ")) {
      this.#acks.set(dialogKey(text), { bytes, flow });
      return;
    }
    const resending = { bytes, flow, isStopped: false, text };
    this.#sent.set(transactionKey(text), resending);
    if (!flow.isReliable) this.#resend(resending, isInvite ? Number.POSITIVE_INFINITY : T2);
  }

  /** A response has gone out: again for every copy of the request, and the final one of an INVITE until the ACK. */
  onResponseSent(text: WireText, bytes: Uint8Array, flow: PeerFlow): void {
    const served = this.#served.get(transactionKey(text));
    if (served === undefined) return;
    if (served.resending !== undefined) served.resending.isStopped = true;
    served.response = bytes;
    if (!isOfInvite(text)) return;
    const code = codeOf(text);
    const isRepeated =
      code >= 300 ? !flow.isReliable : code >= 200 || (code > 100 && this.#options.isWeather);
    if (!isRepeated) return;
    served.resending = { bytes, flow, isStopped: false };
    this.#resend(served.resending, T2);
  }

  /** A message has come: true if it is new; copies are answered as their first was. */
  isNew(message: WireText, flow: PeerFlow): boolean {
    if (message.startLine.startsWith("SIP/")) return this.#isNewResponse(message);
    return message.startLine.startsWith("ACK ") ? this.#isNewAck(message) : this.#isNewRequest(message, flow);
  }

  /** Nothing is sent again from now on. */
  stop(): void {
    for (const resending of this.#sent.values()) resending.isStopped = true;
    for (const { resending } of this.#served.values()) if (resending) resending.isStopped = true;
  }

  #isNewRequest(message: WireText, flow: PeerFlow): boolean {
    const key = transactionKey(message);
    const served = this.#served.get(key);
    if (served === undefined) {
      this.#served.set(key, { response: undefined, resending: undefined });
      return true;
    }
    if (served.response !== undefined) this.#options.transmit(flow, served.response);
    return false;
  }

  /** Stops the final response that it is for: of its transaction (§17.2.1), or the 2xx of its dialog (§13.3.1.4). */
  #isNewAck(message: WireText): boolean {
    const key = transactionKey(message);
    for (const [other, { resending }] of this.#served) {
      if (resending !== undefined && (other === key || other.endsWith(` ${dialogKey(message)}`)))
        resending.isStopped = true;
    }
    return this.#isFirst(message);
  }

  #isNewResponse(message: WireText): boolean {
    const sent = this.#sent.get(transactionKey(message));
    const code = codeOf(message);
    const isInvite = isOfInvite(message);
    if (sent !== undefined && (isInvite || code >= 200)) sent.isStopped = true;
    if (isInvite && code >= 300 && sent !== undefined) {
      const ack = composeText(hopByHop("ACK", sent.text, fieldOf(message, "To") ?? ""), {});
      this.#options.transmit(sent.flow, ack);
    }
    if (this.#isFirst(message)) return true;
    // §13.2.2.4: the ACK again for every copy of the 2xx.
    const ack = isInvite && code >= 200 && code < 300 ? this.#acks.get(dialogKey(message)) : undefined;
    if (ack !== undefined) this.#options.transmit(ack.flow, ack.bytes);
    return false;
  }

  #isFirst({ text }: WireText): boolean {
    if (this.#seen.has(text)) return false;
    this.#seen.add(text);
    return true;
  }

  #resend(resending: Resending, longest: number): void {
    const { clock, transmit } = this.#options;
    const end = clock.now() + 64 * T1;
    const later = (interval: number) =>
      clock.schedule(interval, () => {
        if (resending.isStopped || clock.now() > end) return;
        transmit(resending.flow, resending.bytes);
        later(Math.min(interval * 2, longest));
      });
    later(T1);
  }
}

function codeOf({ startLine }: WireText): number {
  return Number(startLine.slice("SIP/2.0 ".length, "SIP/2.0 486".length));
}

function isOfInvite(response: WireText): boolean {
  return (fieldOf(response, "CSeq") ?? "").endsWith("INVITE");
}
