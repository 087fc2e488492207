// Requests that come in from outside dialogs: calls, OPTIONS, and what the application takes. RFC 3261 §8.2, §11.2.

import { checkRequest, MergedRequests } from "../core/index.ts";
import { CallEndedError, NegotiationError } from "../errors.ts";
import type { Clock, MaybePromise } from "../ports.ts";
import type { IncomingRequest } from "../stack.ts";
import { Call } from "./call.ts";
import type { CallContext } from "./call-context.ts";
import type { Capabilities } from "./capabilities.ts";
import { reliabilityWanted, reliableTag } from "./reliable-provisional.ts";

export interface ReceptionOptions {
  readonly clock: Clock;
  readonly capabilities: Capabilities;
  readonly context: CallContext;
  /** Calls that have not ended; new ones are added. */
  readonly calls: Set<Call>;
  /** Calls at a time. */
  readonly maxCalls: number;
  /** Callers have to support RFC 3262. */
  readonly requiresReliable: boolean;
  isStopping(): boolean;
}

export class Reception {
  /** Who takes calls. */
  onInvite: ((call: Call) => MaybePromise<void>) | undefined;
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
    const refusal = checkRequest(request, capabilities.rules(request.method));
    if (refusal !== undefined) {
      incoming.respond(refusal.statusCode, refusal.options);
      return;
    }
    // §8.2.2.2: the same request by another way.
    if (this.#merged.isMerged(incoming)) {
      incoming.respond(482);
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
    await capabilities.handlers.get(request.method)?.(incoming);
  }

  /** §11.2: as an INVITE would be answered. */
  answerOptions(incoming: IncomingRequest): void {
    const headers = this.#options.capabilities.headers("response");
    const isOutside = incoming.request.to.tag === undefined;
    if (isOutside && (this.onInvite === undefined || this.#options.isStopping())) {
      incoming.respond(480, { headers });
      return;
    }
    if (isOutside && this.#options.calls.size >= this.#options.maxCalls) {
      incoming.respond(486, { headers });
      return;
    }
    incoming.respond(200, {
      headers: [
        ["Accept", "application/sdp"],
        ["Accept-Encoding", "identity"],
        ["Accept-Language", "en"],
        ...headers,
      ],
    });
  }

  async #onCall(incoming: IncomingRequest): Promise<void> {
    const { request } = incoming;
    if (!request.headers.has("Contact")) {
      // §8.1.1.8: an INVITE must have one; without it there is no dialog.
      incoming.respond(400, { reasonPhrase: "Missing Contact" });
      return;
    }
    if (this.#options.isStopping() || this.onInvite === undefined) {
      incoming.respond(480);
      return;
    }
    if (this.#options.calls.size >= this.#options.maxCalls) {
      incoming.respond(486);
      return;
    }
    if (this.#options.requiresReliable && reliabilityWanted(request) === "off") {
      // §21.4.16.
      incoming.respond(421, { headers: [["Require", reliableTag]] });
      return;
    }
    const call = Call.incoming(this.#options.context, incoming);
    this.#options.calls.add(call);
    try {
      await this.onInvite(call);
    } catch (error) {
      // That the caller gave up meanwhile, or offered nothing that we can use, is no fault of the handler.
      if (error instanceof CallEndedError || (error instanceof NegotiationError && call.state === "ended"))
        return;
      if (call.state === "incoming" || call.state === "ringing") await call.reject(500);
      this.#options.context.reportError(error);
    }
  }
}
