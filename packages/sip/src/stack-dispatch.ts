// Who gets a request that no transaction took: route preprocessing, proxy, dialog, method, route program.
// RFC 3261 §8.2, §12.2.2, §16.

import { ParseError } from "./errors.ts";
import { isSipUri, isTelUri, methodNames, printResponse, type SipRequest } from "./message/index.ts";
import { quotable } from "./message/malformed.ts";
import { reasonPhrase } from "./responses/index.ts";
import type {
  IncomingRequest,
  RespondOptions,
  Roles,
  ServerTransaction,
} from "./transaction/transaction-user.ts";
import type { Flow } from "./transport/index.ts";

type OnError = (error: unknown, incoming: IncomingRequest) => void;

export class Incoming implements IncomingRequest {
  readonly borrowed: SipRequest;
  readonly flow: Flow;
  readonly transaction: ServerTransaction | undefined;
  readonly receivedAt: number;

  constructor(
    request: SipRequest,
    flow: Flow,
    transaction: ServerTransaction | undefined,
    receivedAt: number,
  ) {
    this.borrowed = request;
    this.flow = flow;
    this.transaction = transaction;
    this.receivedAt = receivedAt;
  }

  get request(): SipRequest {
    return this.borrowed.own();
  }

  respond(statusCode: number, options?: RespondOptions): boolean {
    const transaction = this.transaction;
    if (transaction === undefined) return false;
    const request = this.borrowed;
    // §8.2.6.2: every response but the 100 has a To tag, the same for the whole transaction.
    const toTag = options?.toTag ?? (request.hasToTag || statusCode === 100 ? undefined : transaction.toTag);
    return transaction.respond(printResponse(request, statusCode, options, toTag));
  }

  withRequest(request: SipRequest): IncomingRequest {
    return request === this.borrowed
      ? this
      : new Incoming(request.adopt(), this.flow, this.transaction, this.receivedAt);
  }
}

/** Hands a request to the first role that takes it. What a role throws, now or later, is answered here. */
export function dispatch(roles: Roles, incoming: IncomingRequest, onError: OnError): void {
  try {
    const outcome = offer(roles, incoming);
    if (isPromise(outcome))
      outcome.then(undefined, (error: unknown) => answerError(error, incoming, onError));
  } catch (error) {
    answerError(error, incoming, onError);
  }
}

function offer(roles: Roles, arrived: IncomingRequest): unknown {
  // Step 3: our own Route entries go, strict routers' rewriting is undone (§16.4).
  const incoming = roles.preprocess === undefined ? arrived : roles.preprocess(arrived);
  if (incoming === undefined || isPromise(incoming)) return incoming;
  const request = incoming.borrowed;
  const uri = request.requestUri;
  const isOurs = roles.isOurs(uri);
  if (request.hasRoute || !isOurs) {
    if (roles.proxy !== undefined) return roles.proxy(incoming);
    // §8.2.2.1: a scheme that we do not know cannot name anybody here.
    if (!isSipUri(uri) && !isTelUri(uri)) return incoming.respond(416);
  }
  // Step 4: a dialog of ours.
  if (request.hasToTag) {
    if (roles.dialog?.(incoming) === true) return undefined;
    const isEndPoint = roles.route === undefined && roles.proxy === undefined;
    const isThisServer = isOurs && isSipUri(uri) && (uri.user ?? "") === "";
    // §12.2.2: nobody further on could know the dialog either. (An ACK has no transaction: nothing is sent.)
    if (isEndPoint || isThisServer) return incoming.respond(481);
  }
  // Step 5: by method.
  const handler = roles.methods?.get(request.method);
  if (handler !== undefined) {
    const taken = handler(incoming);
    if (isPromise(taken))
      return taken.then((value) => (value === false ? route(roles, incoming) : undefined));
    if (taken !== false) return undefined;
  }
  return route(roles, incoming);
}

/** Step 6: the route program, or an answer by rule (§8.2.1). */
function route(roles: Roles, incoming: IncomingRequest): unknown {
  if (roles.route !== undefined) return roles.route(incoming);
  const isKnown = (methodNames as readonly string[]).includes(incoming.borrowed.method);
  return incoming.respond(isKnown ? 405 : 501, { headers: [["Allow", allowOf(roles)]] });
}

function allowOf(roles: Roles): string {
  return [...new Set(roles.allow ?? [...(roles.methods?.keys() ?? []), "ACK", "CANCEL"])].join(", ");
}

function answerError(error: unknown, incoming: IncomingRequest, onError: OnError): void {
  if (error instanceof ParseError) {
    // The peer's fault, found when a role read the header: a normal day.
    const fault = quotable(error.message);
    incoming.respond(error.status, {
      headers: [["Warning", `399 offhook "${fault}"`]],
      // §21.4.1: the phrase names the fault.
      ...(error.status === 400 && { reasonPhrase: `${reasonPhrase(400)} (${fault})` }),
    });
    return;
  }
  try {
    incoming.respond(500);
  } finally {
    onError(error, incoming);
  }
}

function isPromise<T, U>(value: T | Promise<U>): value is Promise<U> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}
