// Forwarding without a transaction: the ACK of a 2xx, a CANCEL that matches nothing, and what comes back for it.
// RFC 3261 §16.11, §16.10, §13.2.2.4.

import { ParseError } from "../errors.ts";
import { type HashKey, keyedHash } from "../keyed-hash.ts";
import {
  draftForward,
  forwardResponse,
  type NameAddr,
  type SipRequest,
  type SipResponse,
  type Uri,
  type Via,
} from "../message/index.ts";
import { magicCookie, type Stack } from "../stack.ts";
import type { IncomingRequest, StatelessOptions } from "../transaction/transaction-user.ts";
import type { Flow } from "../transport/flow.ts";
import { type ForwardSettings, planForward, wouldDowngrade } from "./forward.ts";
import type { RouteDecision } from "./preprocess-route.ts";
import type { RouteContext } from "./route.ts";
import type { ProxyTarget } from "./targets.ts";

export interface StatelessSettings extends ForwardSettings {
  readonly stack: Pick<Stack, "sendStateless" | "sendStatelessResponse">;
}

/** Sends one copy to one target and forgets it. What comes again is sent again with the same branch (§16.11). */
export function forwardStatelessly(
  settings: StatelessSettings,
  request: SipRequest,
  arrival: Flow,
  decision: RouteDecision,
  target: ProxyTarget,
): void {
  const plan = planForward(settings, request, arrival, decision, target, undefined);
  const options: StatelessOptions = {
    flow: plan.flow,
    targets: plan.addresses,
    uri: plan.nextHop,
    listener: plan.listener,
    branch:
      request.method === "ACK" ? ackBranch(request) : statelessBranch(settings.key, request.topVia, request),
  };
  settings.stack.sendStateless(draftForward(request, plan.edits, plan.requestUri), options);
}

/**
 * A response that no transaction knows. RFC 6026 §7.3 lets none through, but what answers a statelessly forwarded
 * request must go on: its Via has the branch that only this proxy could have made for the Via below it.
 * @returns true if it was forwarded
 */
export function forwardStrayResponse(settings: StatelessSettings, response: SipResponse): boolean {
  if (response.topBranch?.startsWith(branchStart) !== true) return false;
  try {
    const [own, below] = response.headers.getAll("Via");
    if (below === undefined || own?.branch !== statelessBranch(settings.key, below, response)) return false;
    settings.stack.sendStatelessResponse(forwardResponse(response));
    return true;
  } catch (error) {
    if (error instanceof ParseError) return false;
    throw error;
  }
}

const branchStart = "z9hG4bKs.";

/** §16.11: a function of what a retransmission, a CANCEL and a response have in common with the request. */
function statelessBranch(key: HashKey, via: Via, message: SipRequest | SipResponse): string {
  const { callId, cSeq, fromTag } = message;
  const sender = `${via.host}:${via.port ?? ""}`;
  return (
    branchStart +
    keyedHash(key, `${via.branch ?? ""}\n${sender}\n${callId}\n${cSeq.sequence}\n${fromTag ?? ""}`)
  );
}

/**
 * An ACK gets no response that would have to be known again, so its sender's branch will do: with something behind it, which
 * no transaction of ours has. Undefined where that is not unique (RFC 2543).
 */
function ackBranch({ topBranch }: SipRequest): string | undefined {
  return topBranch?.startsWith(magicCookie) === true ? `${topBranch}.ack` : undefined;
}

/**
 * What a route program gets for a request without transaction. Targets are sent to at once and nothing is answered. An
 * ACK goes to all of them: the INVITE was forked to all, and only the one that answered knows the dialog (an ACK
 * is never answered). Anything else goes to the first target only (§16.11).
 */
export class StatelessContext implements RouteContext {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly receivedAt: number;
  readonly isCanceled = false;
  readonly #settings: StatelessSettings;
  readonly #decision: RouteDecision;
  readonly #sent = new Set<string | Uri>();
  readonly #maxTargets: number;

  constructor(settings: StatelessSettings, incoming: IncomingRequest, decision: RouteDecision) {
    this.request = incoming.request;
    this.flow = incoming.flow;
    this.receivedAt = incoming.receivedAt;
    this.#settings = settings;
    this.#decision = decision;
    this.#maxTargets = this.request.method === "ACK" ? 10 : 1;
  }

  get isOver(): boolean {
    return this.#sent.size >= this.#maxTargets;
  }

  get sentCount(): number {
    return this.#sent.size;
  }

  addTargets(targets: readonly ProxyTarget[]): number {
    let added = 0;
    for (const target of targets) {
      if (this.isOver) break;
      if (this.#sent.has(target.uri) || wouldDowngrade(this.request, target)) continue;
      this.#sent.add(target.uri);
      forwardStatelessly(this.#settings, this.request, this.flow, this.#decision, target);
      added++;
    }
    return added;
  }

  answer(): boolean {
    return false;
  }

  redirect(_contacts: readonly (string | Uri | NameAddr)[]): boolean {
    return false;
  }

  provisional(): boolean {
    return false;
  }

  cancelBranches(): void {}

  searched(): Promise<number> {
    return Promise.resolve(0);
  }
}
