// The user agent client: makes requests, reacts to failures, tries again. RFC 3261 §8.1.

import type { AuthAttempt, AuthSession } from "../auth/index.ts";
import { contentHeaders, type RequestContent, type RequestPlan } from "../dialog/index.ts";
import {
  draftRequest,
  type HeaderInit,
  isSipUri,
  makeResponse,
  type NameAddr,
  noLimits,
  parseMessage,
  printNameAddr,
  printUri,
  type RequestDraft,
  type RequestInit,
  type SipRequest,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import type { Clock, Random, Timer } from "../ports.ts";
import type { ClientRequest, RequestFailure, RequestUser, Stack } from "../stack.ts";
import type { Flow } from "../transport/flow.ts";
import type { FailedAttempt } from "./failed-attempt.ts";
import { secondsOf } from "./field-values.ts";
import { type Reaction, type ReactionTable, reactions, reactionTo } from "./reactions.ts";
import { Redirection } from "./redirection.ts";
import { RetryGuard } from "./retry-guard.ts";

/**
 * Who said it: the peer, or this side because nobody answered (408), nobody could be reached (503), or the
 * request was given up before it was sent (487).
 */
export type Origin = "peer" | "timeout" | "transport" | "canceled";

/** Everything about the moment a response came. */
export interface ResponseContext {
  /** The request as it went out in this attempt. */
  readonly sent: SipRequest;
  /** Undefined for a response made here. */
  readonly flow: Flow | undefined;
  readonly origin: Origin;
  /** The status codes after each of which the request was sent again by itself, in order. */
  readonly retries: readonly number[];
  /** What went wrong below, for a response made here. */
  readonly error?: Error;
}

/** Who asked for a request. */
export interface UacUser {
  /** A provisional response, 100 too. */
  onProvisional?(response: SipResponse, context: ResponseContext): void;
  /** The outcome, once; for INVITE every 2xx, from other forks and repeated ones too. */
  onFinal(response: SipResponse, context: ResponseContext): void;
  /** Asked before the request waits for its retry; false makes `response` the outcome: the user has times of its own. */
  mayWait?(response: SipResponse, delay: number): boolean;
  /** Asked just before the request is sent again; false makes `response` the outcome. */
  mayRetry?(response: SipResponse, delay: number): boolean;
  /** The request is not sent again before `delay` milliseconds are over (glare, §14.1; Retry-After). */
  onWaiting?(response: SipResponse, delay: number): void;
  /** It is about to be sent again, by this plan. */
  onRetry?(plan: RequestPlan, response: SipResponse): void;
}

/** A request that is going to be sent again by itself. */
export interface AutomaticRetry {
  /** The failure. */
  readonly response: SipResponse;
  /** What will be sent. */
  readonly plan: RequestPlan;
  /** In how many milliseconds. */
  readonly delay: number;
}

export interface UacOptions {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly random: Random;
  /** Option tags named in Supported; reactions may add none beyond them. */
  readonly supported?: readonly string[];
  /** Rows that replace those of the table. */
  readonly reactions?: ReactionTable;
  /** Media types that can be read here. Default `["application/sdp"]`. */
  readonly accept?: readonly string[];
  /** Follow 3xx responses (§8.1.3.4). Default true. */
  readonly followRedirects?: boolean;
  /** Told of every automatic retry as it is decided on. */
  onRetry?(retry: AutomaticRetry): void;
  /** The domain for telephone numbers. */
  readonly homeHost?: string;
}

/** How to send a plan. */
export interface SendContext {
  /** Nonces of this Call-ID; without it challenges are final. */
  readonly auth?: AuthSession;
  /** "owner" made the dialog's Call-ID. Default "none": the request stands outside dialogs. */
  readonly dialog?: "none" | "owner" | "other";
  /** Counts retries together with other requests that stand for the same wish of the application. */
  readonly guard?: RetryGuard;
}

/** What an out-of-dialog request needs (§8.1.1). */
export interface RequestOutline extends RequestContent {
  readonly method: string;
  readonly requestUri: Uri;
  readonly from: NameAddr;
  /** Default: the Request-URI. */
  readonly to?: NameAddr;
  readonly callId?: string;
  readonly localTag?: string;
  /** Pre-loaded route (§8.1.2), each with angle brackets. */
  readonly routes?: readonly string[];
  readonly nextHop?: Uri;
  readonly flow?: Flow;
  readonly nextSequence?: () => number;
  readonly contact?: (sentBy: string, transport: string) => string;
}

/** Makes requests and sees them through to their outcome. */
export class Uac {
  readonly options: UacOptions;
  readonly reactions: ReactionTable;
  readonly #open = new Set<UacRequest>();

  constructor(options: UacOptions) {
    this.options = options;
    this.reactions = { ...reactions, ...options.reactions };
  }

  /** A request outside a dialog (§8.1.1): To without tag, a From tag of ours, CSeq from 1. */
  plan(outline: RequestOutline): RequestPlan {
    const { stack } = this.options;
    const { method, requestUri, from, body, nextHop, flow } = outline;
    const to = outline.to ?? { uri: withoutUriHeaders(requestUri), params: new Map() };
    const tagged: NameAddr = { ...from, params: new Map([["tag", outline.localTag ?? stack.newTag()]]) };
    let sequence = 0;
    return {
      method,
      requestUri: withoutUriHeaders(requestUri),
      headers: [
        ...(outline.routes ?? []).map((route): HeaderInit => ["Route", route]),
        ["Max-Forwards", 70],
        ["From", printNameAddr(tagged)],
        ["To", printNameAddr(to)],
        ["Call-ID", outline.callId ?? stack.newCallId()],
        ...contentHeaders(outline),
      ],
      ...(body === undefined ? {} : { body }),
      ...(outline.alternatives === undefined ? {} : { alternatives: outline.alternatives }),
      ...(nextHop === undefined ? {} : { nextHop }),
      ...(flow === undefined ? {} : { flow }),
      ...(outline.contact === undefined ? {} : { contact: outline.contact }),
      nextSequence: outline.nextSequence ?? (() => ++sequence),
    };
  }

  /** Sends the request, again where the table of reactions says so, and reports the outcome to `user`. */
  send(plan: RequestPlan, user: UacUser, context: SendContext = {}): UacRequest {
    const request = new UacRequest(this, plan, user, context);
    request.start();
    if (!request.isDone) this.#open.add(request);
    return request;
  }

  /** A request has its outcome. */
  forget(request: UacRequest): void {
    this.#open.delete(request);
  }

  /** Nothing is sent or received any more: whatever is still open fails, as by the transport. */
  close(error: Error): void {
    for (const request of this.#open) request.fail(error);
  }
}

/** One request of the application, with all its attempts. */
export class UacRequest implements RequestUser {
  readonly #uac: Uac;
  readonly #user: UacUser;
  readonly #context: SendContext;
  readonly #guard: RetryGuard;
  readonly #redirection: Redirection;
  readonly #auth: AuthAttempt | undefined;
  #plan: RequestPlan;
  #client: ClientRequest | undefined;
  #draft: RequestDraft | undefined;
  #sent: SipRequest | undefined;
  #timer: Timer | undefined;
  #waitingFor: { response: SipResponse; context: ResponseContext } | undefined;
  readonly #retries: number[] = [];
  #isGivenUp = false;
  #isDone = false;
  #cancelHeaders: readonly HeaderInit[] | undefined;

  constructor(uac: Uac, plan: RequestPlan, user: UacUser, context: SendContext) {
    this.#uac = uac;
    this.#plan = plan;
    this.#user = user;
    this.#context = context;
    this.#redirection = new Redirection(plan.requestUri);
    this.#guard = context.guard ?? new RetryGuard();
    this.#auth = context.auth?.attempt();
  }

  /** The plan of the latest attempt. */
  get plan(): RequestPlan {
    return this.#plan;
  }
  /** True once the outcome was reported. */
  get isDone(): boolean {
    return this.#isDone;
  }
  /** True while the table makes the request wait before it is sent again. */
  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    const plan = this.#plan;
    const { method, requestUri, body } = plan;
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const credentials = this.#auth?.headers({ method, uri: printUri(requestUri), body: bytes }) ?? [];
    const draft = draftWithContact(plan, {
      method,
      requestUri,
      headers: [...plan.headers, ["CSeq", `${plan.nextSequence()} ${method}`], ...credentials],
      ...(bytes === undefined ? {} : { body: bytes }),
    });
    this.#draft = draft;
    this.#sent = undefined;
    this.#client = undefined;
    const client = this.#uac.options.stack.request(draft, {
      user: this,
      ...(plan.flow === undefined
        ? plan.nextHop === undefined
          ? {}
          : { uri: plan.nextHop }
        : { flow: plan.flow }),
    });
    if (this.#client === undefined && !this.#isDone && this.#timer === undefined) this.#client = client;
    if (this.#isGivenUp && method === "INVITE") client.cancel(this.#cancelHeaders);
  }

  /**
   * Gives up. An INVITE that has been sent is cancelled (§9.1) and its outcome still comes: mostly 487, or a
   * 2xx that crossed the CANCEL. Nothing is retried any more.
   */
  cancel(headers?: readonly HeaderInit[]): void {
    if (this.#isGivenUp || this.#isDone) return;
    this.#isGivenUp = true;
    this.#cancelHeaders = headers;
    if (this.#waitingFor !== undefined) {
      const { response, context } = this.#waitingFor;
      this.#stopWaiting();
      this.#finish(response, context);
      return;
    }
    if (this.#plan.method === "INVITE") this.#client?.cancel(headers);
  }

  /** Ends without an outcome from anybody. */
  fail(error: Error): void {
    if (this.#isDone) return;
    this.#isGivenUp = true;
    this.#finish(makeResponse(this.sent, 503), { ...this.#contextOf(undefined, "transport"), error });
  }

  /** The request as it went out; made from the draft if it never did. */
  get sent(): SipRequest {
    this.#sent ??= this.#client?.sent ?? this.#imagineSent();
    return this.#sent;
  }

  onResponse(response: SipResponse, client: ClientRequest, flow: Flow): void {
    this.#client ??= client;
    const context = this.#contextOf(flow, "peer");
    if (response.statusCode < 200) {
      if (!this.#isDone) this.#user.onProvisional?.(response, context);
      return;
    }
    if (response.statusCode < 300) {
      this.#auth?.accepted();
      // §13.2.2.4: further 2xx of an INVITE come from other forks, or because an ACK was lost.
      if (this.#isDone && this.#plan.method !== "INVITE") return;
      this.#finish(response, context);
      return;
    }
    if (!this.#isDone) this.#react(response, context);
  }

  onFailure(failure: RequestFailure, client: ClientRequest): void {
    this.#client ??= client;
    if (this.#isDone) return;
    // §8.1.3.1: a timeout counts as 408, a failure of the transport as 503.
    const kind = failure.kind === "unresolved" || failure.kind === "malformed" ? "transport" : failure.kind;
    const statusCode = { timeout: 408, transport: 503, canceled: 487 }[kind];
    const response = failure.response ?? makeResponse(this.sent, statusCode);
    const origin: Origin = failure.response === undefined ? kind : "peer";
    const { error } = failure;
    const context: ResponseContext = {
      ...this.#contextOf(undefined, origin),
      ...(error === undefined ? {} : { error }),
    };
    if (!this.#tryNextTarget(response, context)) this.#finish(response, context);
  }

  #react(response: SipResponse, context: ResponseContext): void {
    const { statusCode } = response;
    if (statusCode !== 401 && statusCode !== 407) this.#auth?.accepted();
    if (this.#isGivenUp) {
      this.#finish(response, context);
      return;
    }
    try {
      if (this.#reacted(reactionTo(statusCode, this.#uac.reactions), response, context)) return;
    } catch (error) {
      // A row of the application's own went wrong: the failure is final.
      this.#finish(response, context);
      throw error;
    }
    if (!this.#tryNextTarget(response, context)) this.#finish(response, context);
  }

  /** True if the request is sent again, now or later. */
  #reacted(reaction: Reaction, response: SipResponse, context: ResponseContext): boolean {
    switch (reaction.kind) {
      case "answer challenge":
        return (
          this.#auth?.challenged(response).kind === "retry" && this.#retry(this.#plan, response, context)
        );
      case "retry with": {
        const changed = reaction.change(this.#failedAttempt(response));
        return changed !== undefined && this.#retry(changed, response, context);
      }
      case "wait, then retry": {
        const delay = reaction.delay(this.#failedAttempt(response));
        if (delay !== undefined) return this.#retry(this.#plan, response, context, delay);
        return reaction.otherwise !== undefined && this.#reacted(reaction.otherwise, response, context);
      }
      case "next target":
        // Inside a dialog a redirection is a failure of that request and no more.
        if ((this.#context.dialog ?? "none") === "none" && this.#uac.options.followRedirects !== false) {
          this.#redirection.add(response);
        }
        return false;
      case "final":
        return false;
    }
  }

  #failedAttempt(response: SipResponse): FailedAttempt {
    const { supported = [], accept = ["application/sdp"], homeHost, random } = this.#uac.options;
    const dialog = this.#context.dialog ?? "none";
    return {
      ...{ plan: this.#plan, response, supported, accept, homeHost, random },
      isInDialog: dialog !== "none",
      ownsCallId: dialog === "owner",
      followsRedirects: this.#uac.options.followRedirects !== false,
    };
  }

  /** False if the guard forbids it. */
  #retry(plan: RequestPlan, response: SipResponse, context: ResponseContext, delay = 0): boolean {
    if (delay > 0 && this.#user.mayWait?.(response, delay) === false) return false;
    if (!this.#guard.allows(response.statusCode, secondsOf(response.headers.raw("Min-SE")))) return false;
    if (delay === 0) {
      this.#again(plan, response, context, delay);
      return true;
    }
    this.#uac.options.onRetry?.({ response, plan, delay });
    this.#waitingFor = { response, context };
    this.#timer = this.#uac.options.clock.schedule(delay, () => {
      this.#stopWaiting();
      this.#again(plan, response, context, delay);
    });
    this.#user.onWaiting?.(response, delay);
    return true;
  }

  #again(plan: RequestPlan, response: SipResponse, context: ResponseContext, delay: number): void {
    if (this.#isDone) return;
    if (this.#user.mayRetry?.(response, delay) === false) {
      this.#finish(response, context);
      return;
    }
    this.#plan = plan;
    this.#retries.push(response.statusCode);
    if (delay === 0) this.#uac.options.onRetry?.({ response, plan, delay });
    this.#user.onRetry?.(plan, response);
    this.start();
  }

  /** §8.1.3.4: the next Contact of a redirection, unless the failure speaks for the user everywhere (6xx). */
  #tryNextTarget(response: SipResponse, context: ResponseContext): boolean {
    if (this.#isGivenUp || response.statusCode >= 600) return false;
    const plan = this.#redirection.next(this.#plan);
    if (plan === undefined) return false;
    this.#again(plan, response, context, 0);
    return true;
  }

  #finish(response: SipResponse, context: ResponseContext): void {
    this.#isDone = true;
    this.#uac.forget(this);
    this.#stopWaiting();
    this.#user.onFinal(response, context);
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waitingFor = undefined;
  }

  #contextOf(flow: Flow | undefined, origin: Origin): ResponseContext {
    return { sent: this.sent, flow, origin, retries: [...this.#retries] };
  }

  #imagineSent(): SipRequest {
    const draft = this.#draft;
    const message = parseMessage(
      draft!.withVia("SIP/2.0/UDP invalid.invalid;branch=z9hG4bK-unsent"),
      noLimits,
    );
    return message as SipRequest;
  }
}

/** A draft whose Contact is known only with the Via: the address that the peer of that flow can reach us at. */
function draftWithContact(plan: RequestPlan, init: RequestInit): RequestDraft {
  const draft = draftRequest(init);
  if (plan.contact === undefined) return draft;
  return {
    method: draft.method,
    requestUri: draft.requestUri,
    ...(draft.topRoute === undefined ? {} : { topRoute: draft.topRoute }),
    withVia(via, branch = "") {
      const [, transport = "UDP", sentBy = ""] = /^SIP\/2\.0\/(\S+)\s+([^;\s]+)/i.exec(via) ?? [];
      const contact: HeaderInit = ["Contact", plan.contact?.(sentBy, transport.toUpperCase()) ?? ""];
      return draftRequest({ ...init, headers: [...init.headers, contact] }).withVia(via, branch);
    },
  };
}

/** §19.1.1 Table 1: a Request-URI and a To carry no headers of the URI. */
function withoutUriHeaders(uri: Uri): Uri {
  return isSipUri(uri) && uri.headers.size > 0 ? { ...uri, headers: new Map() } : uri;
}
