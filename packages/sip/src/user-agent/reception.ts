// Requests that come in from outside dialogs: calls, OPTIONS, and what the application takes. RFC 3261 §8.2, §11.2.

import { checkRequest, MergedRequests, type Refusal } from "../core/index.ts";
import { CallEndedError, NegotiationError } from "../errors.ts";
import type { SipRequest } from "../message/index.ts";
import type { Clock, MaybePromise } from "../ports.ts";
import type { IncomingRequest } from "../stack.ts";
import { Call } from "./call.ts";
import { type CallContext, refusalOfOffer, sdpOf } from "./call-context.ts";
import type { Capabilities } from "./capabilities.ts";
import { parseOffer } from "./media-session.ts";

export interface ReceptionOptions {
  readonly clock: Clock;
  readonly capabilities: Capabilities;
  readonly context: CallContext;
  /** Calls that have not ended; new ones are added. */
  readonly calls: Set<Call>;
  /** Calls at a time. */
  readonly maxCalls: number;
  /** Seconds for which a call rings. */
  readonly ringTimeout: number | undefined;
  isStopping(): boolean;
}

export class Reception {
  /** Who takes calls. */
  onInvite: ((call: Call) => MaybePromise<void>) | undefined;
  /** Nobody may call for now. */
  doNotDisturb = false;
  readonly #options: ReceptionOptions;
  readonly #merged: MergedRequests;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#merged = new MergedRequests(options.clock, 64 * options.context.timers.T1);
  }

  /** A request outside dialogs, for the stack's `route` role (§8.2). */
  async handle(incoming: IncomingRequest): Promise<void> {
    const { request } = incoming;
    const { capabilities } = this.#options;
    if (request.method === "ACK") return;
    // §12.2.2: a dialog that is not here (any more).
    if (request.to.tag !== undefined) {
      incoming.respond(481);
      return;
    }
    const refusal = checkRequest(request, {
      ...capabilities.rules(request.method),
      isMerged: () => this.#merged.isMerged(incoming),
    });
    if (refusal !== undefined) {
      this.#refuse(incoming, refusal);
      return;
    }
    switch (request.method) {
      case "INVITE":
        await this.#onCall(incoming);
        return;
      case "OPTIONS":
        this.answerOptions(incoming);
        return;
    }
    const handler = capabilities.handlers.get(request.method);
    // §12.2.2, §15.1.2: BYE and its like are taken inside calls only.
    if (handler === undefined) incoming.respond(481);
    else await handler(incoming);
  }

  /** §11.2: as an INVITE would be answered; inside a call always with 200. */
  answerOptions(incoming: IncomingRequest): void {
    const { capabilities } = this.#options;
    const refusal = incoming.request.to.tag === undefined ? this.#refusalOfCall(incoming.request) : undefined;
    if (refusal !== undefined) this.#refuse(incoming, refusal);
    else incoming.respond(200, { headers: [...capabilities.content, ...capabilities.headers("response")] });
  }

  #refuse(incoming: IncomingRequest, { statusCode, options }: Refusal): void {
    const { headers = [] } = options;
    const own = this.#options.capabilities.headers("response");
    const added = own.filter(([name]) => !headers.some(([other]) => other === name));
    incoming.respond(statusCode, { ...options, headers: [...headers, ...added] });
  }

  /** Why no call can be taken now. */
  #refusalOfCall(request: SipRequest): Refusal | undefined {
    const { calls, maxCalls, context, isStopping } = this.#options;
    if (isStopping() || this.onInvite === undefined) return { statusCode: 480, options: {} };
    // §21.4.18: the phrase says why.
    if (this.doNotDisturb) {
      return { statusCode: 480, options: { reasonPhrase: "Temporarily Unavailable (do not disturb)" } };
    }
    // §21.4.24, §21.6.1.
    if (calls.size >= maxCalls) return { statusCode: context.isSoleEndpoint ? 600 : 486, options: {} };
    try {
      // Nobody is called to the phone for an offer that cannot be read.
      const offer = sdpOf(request);
      if (offer !== undefined) parseOffer(offer);
      return undefined;
    } catch (error) {
      if (error instanceof NegotiationError) return refusalOfOffer(error);
      throw error;
    }
  }

  async #onCall(incoming: IncomingRequest): Promise<void> {
    const refusal = this.#refusalOfCall(incoming.request);
    if (refusal !== undefined || this.onInvite === undefined) {
      this.#refuse(incoming, refusal ?? { statusCode: 480, options: {} });
      return;
    }
    const { context, calls, clock, ringTimeout } = this.#options;
    const call = Call.incoming(context, incoming);
    calls.add(call);
    if (ringTimeout !== undefined) {
      const timer = clock.schedule(ringTimeout * 1000, () => call.expire());
      const stop = () => timer.cancel();
      call.answered.then(stop, stop);
    }
    try {
      await this.onInvite(call);
    } catch (error) {
      // That the caller gave up meanwhile, or offered nothing that we can use, is no fault of the handler.
      if (error instanceof CallEndedError || (error instanceof NegotiationError && call.state === "ended"))
        return;
      if (call.state === "incoming" || call.state === "ringing") await call.reject(500);
      context.reportError(error);
    }
  }
}
