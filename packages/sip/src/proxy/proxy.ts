// The proxy: takes requests that are not for this server itself, checks them, and sends them on. RFC 3261 §16.

import { ArgumentError } from "../errors.ts";
import { hashKey } from "../keyed-hash.ts";
import {
  type ForwardEdits,
  isSipUri,
  noLimits,
  parseMessage,
  printNameAddr,
  type SipRequest,
  type SipResponse,
  splice,
  type Uri,
} from "../message/index.ts";
import type { Clock, MaybePromise, Random } from "../ports.ts";
import type { Stack } from "../stack.ts";
import type { IncomingRequest, Roles } from "../transaction/transaction-user.ts";
import type { Listener } from "../transport/flow.ts";
import { supportsPath } from "./forward.ts";
import { OwnRoutes } from "./own-route.ts";
import { type OwnIdentity, preprocessRoute, type RouteDecision, untouched } from "./preprocess-route.ts";
import { type ContextSettings, ResponseContext } from "./response-context.ts";
import type { RouteContext, RouteProgram } from "./route.ts";
import {
  forwardStatelessly,
  forwardStrayResponse,
  StatelessContext,
  type StatelessSettings,
} from "./stateless.ts";
import type { ProxyTarget } from "./targets.ts";
import { TimerC } from "./timer-c.ts";
import { type ValidationRules, validate } from "./validate.ts";

/** Where a request that asks to be forwarded wants to go: to a user of ours, or anywhere else. */
export type Destination = "ours" | "foreign";

/**
 * The check of credentials and relay rules (§16.3 step 6), for every request that does not follow a route which we
 * recorded for its dialog. Returns whether to go on; if not, it has answered. An ACK cannot be answered, and
 * neither can a CANCEL that matches nothing: those pass only if this says so at once.
 */
export type Admission = (incoming: IncomingRequest, destination: Destination) => MaybePromise<boolean>;

export interface ProxyOptions {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly random: Random;
  /** True for URIs of our domains and listeners, as in `Roles`. */
  isOurs(uri: Uri): boolean;
  /** Decides about requests for our own users. */
  readonly route: RouteProgram;
  /** Default: everything passes; right only for a proxy inside a trusted network. */
  readonly admit?: Admission;
  /** Realms of ours: credentials for them are taken out of what goes on (§22.3). Default: none. */
  isOurRealm?(realm: string): boolean;
  /** All listeners, for the second Record-Route value where a request leaves by another transport. */
  listeners?(): Iterable<Listener>;
  /** Stay on the path of dialogs. Default true. */
  readonly recordRoute?: boolean;
  /** Add a Path to REGISTER on its way to another registrar (RFC 3327). Default true. */
  readonly addPath?: boolean;
  /**
   * The other registrar must support Path, so a REGISTER on its way there must too: without it 421 (RFC 3327 §5.2).
   * Default false.
   */
  readonly requirePath?: boolean;
  /** Follow 3xx of our own users' devices. Default false: the caller decides. */
  readonly recurse?: boolean;
  /** Default "serial". */
  readonly onBreadth?: "serial" | "reject";
  /** Branches of one request in all. Default 60. */
  readonly maxBranches?: number;
  /** Seconds until timer C gives up a branch that only rings. Default 185; the RFC wants more than 180. */
  readonly timerC?: number;
  /** Schemes understood in a Request-URI. Default sip, sips, tel. */
  readonly uriSchemes?: readonly string[];
  /** Option tags of Proxy-Require that the application takes care of. Default none. */
  readonly proxyRequire?: readonly string[];
  /**
   * 16 bytes that sign our Record-Route values. Set it when dialogs must survive a restart, or when several
   * processes share them. Default: random.
   */
  readonly secret?: Uint8Array;
}

const defaultTimerC = 185;

/** A stateful proxy for a stack: install `roles`, or parts of them, in `stack.roles`. */
export class ProxyServer {
  readonly #settings: ContextSettings & StatelessSettings;
  readonly #identity: OwnIdentity;
  readonly #rules: ValidationRules;
  readonly #program: RouteProgram;
  readonly #admit: Admission | undefined;
  /** Rewritten requests that came along a route of ours. */
  #recorded: WeakSet<SipRequest> | undefined;

  /** @throws {ArgumentError} if timer C is 3 minutes or less, or the secret is not 16 bytes */
  constructor(options: ProxyOptions) {
    const { stack, clock, timerC = defaultTimerC, secret } = options;
    if (!(timerC > 180)) throw new ArgumentError("timerC must be more than 180 seconds (RFC 3261 §16.6)");
    if (secret !== undefined && secret.length !== 16) throw new ArgumentError("secret must have 16 bytes");
    const key = hashKey(secret ?? options.random.bytes(16));
    const ownRoutes = new OwnRoutes(key);
    this.#settings = {
      stack,
      clock,
      key,
      ownRoutes,
      timerC: new TimerC(clock, timerC * 1000),
      recordRoute: options.recordRoute ?? true,
      addPath: options.addPath ?? true,
      requirePath: options.requirePath ?? false,
      recurse: options.recurse ?? false,
      onBreadth: options.onBreadth ?? "serial",
      maxBranches: options.maxBranches ?? 60,
      isOurs: (uri) => options.isOurs(uri),
      isOurRealm: options.isOurRealm?.bind(options) ?? (() => false),
      sentBy: (flow) => stack.sentBy(flow),
      listeners: options.listeners?.bind(options) ?? (() => []),
      located: (uri) => stack.located(uri),
      listenerNamed: (host, port, transport) => stack.listenerNamed(host, port, transport),
      listenerFor: (transport, address, preferred) => stack.listenerFor(transport, address, preferred),
    };
    this.#identity = { key, ownRoutes, isOurs: (uri) => options.isOurs(uri) };
    this.#rules = {
      uriSchemes: new Set(options.uriSchemes ?? ["sip", "sips", "tel"]),
      proxyRequire: new Set((options.proxyRequire ?? []).map((tag) => tag.toLowerCase())),
    };
    this.#program = options.route;
    this.#admit = options.admit;
  }

  /** This proxy's part in `stack.roles`. */
  get roles(): Roles {
    return {
      isOurs: this.#identity.isOurs,
      preprocess: (incoming) => this.preprocess(incoming),
      proxy: (incoming) => this.proxy(incoming),
      route: (incoming) => this.route(incoming),
      strayCancel: (incoming) => this.strayCancel(incoming),
      strayResponse: (response) => this.strayResponse(response),
    };
  }

  /** Stops timer C. */
  close(): void {
    this.#settings.timerC.close();
  }

  // --- Roles -----------------------------------------------------------------------------------------------

  /**
   * §16.4. A request that goes on along its route is forwarded right here, from the message as it came: rewriting
   * it for the roles below and parsing it again would cost more than all the rest. Others are handed on.
   */
  preprocess(incoming: IncomingRequest): IncomingRequest | MaybePromise<undefined> {
    const request = incoming.borrowed;
    const decision = preprocessRoute(request, incoming.flow, this.#identity);
    if (decision.isForged) {
      // RFC 5626 §5.3.1.
      incoming.respond(403, { reasonPhrase: "Invalid Flow Token" });
      return undefined;
    }
    if (decision.popped === 0 && !decision.tookLast && decision.requestUri === undefined) return incoming;
    const requestUri = decision.requestUri ?? request.requestUri;
    if (
      decision.remaining.length === 0 &&
      decision.flowId === undefined &&
      this.#identity.isOurs(requestUri)
    ) {
      const onward = incoming.withRequest(rewritten(request, decision));
      if (decision.isRecorded) {
        this.#recorded ??= new WeakSet();
        this.#recorded.add(onward.request);
      }
      return onward;
    }
    const running = this.#proxy(incoming, decision);
    return running instanceof Promise ? running.then(() => undefined) : undefined;
  }

  /** A Route remains, or the Request-URI is not ours. */
  proxy(incoming: IncomingRequest): MaybePromise<void> {
    const decision = preprocessRoute(incoming.request, incoming.flow, this.#identity);
    return this.#proxy(incoming, decision);
  }

  /** A request for a user of ours. */
  route(incoming: IncomingRequest): MaybePromise<void> {
    if (!this.#isValid(incoming, incoming.request.requestUri.scheme)) return undefined;
    const isRecorded = this.#recorded?.has(incoming.request) === true;
    const admitted = isRecorded || (this.#admit?.(incoming, "ours") ?? true);
    if (admitted instanceof Promise) {
      return admitted.then((goesOn) => (goesOn ? this.#runProgram(incoming) : undefined));
    }
    return admitted ? this.#runProgram(incoming) : undefined;
  }

  /** §16.10: a CANCEL whose INVITE we do not know goes where the INVITE would go, if that is known at once. */
  strayCancel(incoming: IncomingRequest): boolean {
    const { request } = incoming;
    if (validate(request, request.requestUri.scheme, this.#rules) !== undefined) return false;
    const decision = preprocessRoute(request, incoming.flow, this.#identity);
    const requestUri = decision.requestUri ?? request.requestUri;
    const isOurs = decision.remaining.length === 0 && this.#identity.isOurs(requestUri);
    if (!decision.isRecorded) {
      const admitted = this.#admit?.(incoming, isOurs ? "ours" : "foreign") ?? true;
      if (admitted !== true) return false;
    }
    if (!isOurs) {
      forwardStatelessly(
        this.#settings,
        request,
        incoming.flow,
        decision,
        this.#ownTarget(request, decision),
      );
      return true;
    }
    const context = new StatelessContext(this.#settings, incoming, decision);
    const running = this.#program(request, context);
    // A directory that must be waited for: too late to say that it was forwarded, so the 481 stands.
    if (running instanceof Promise) running.catch(() => {});
    return context.sentCount > 0;
  }

  strayResponse(response: SipResponse): void {
    forwardStrayResponse(this.#settings, response);
  }

  // --- The ways through --------------------------------------------------------------------------------------

  #proxy(incoming: IncomingRequest, decision: RouteDecision): MaybePromise<void> {
    const { request } = incoming;
    const requestUri = decision.requestUri ?? request.requestUri;
    // A telephone number without a Route has no next hop: what it means is for the route program to say.
    if (requestUri.scheme === "tel" && decision.remaining.length === 0 && decision.flowId === undefined) {
      return this.route(
        decision === untouched ? incoming : incoming.withRequest(rewritten(request, decision)),
      );
    }
    if (!this.#isValid(incoming, requestUri.scheme)) return undefined;
    if (decision.isRecorded || this.#admit === undefined) return this.#forward(incoming, decision);
    const admitted = this.#admit(incoming, "foreign");
    if (admitted instanceof Promise) {
      return admitted.then((goesOn) => (goesOn ? this.#forward(incoming, decision) : undefined));
    }
    return admitted ? this.#forward(incoming, decision) : undefined;
  }

  #forward(incoming: IncomingRequest, decision: RouteDecision): void {
    const { request, transaction } = incoming;
    if (this.#settings.requirePath && request.method === "REGISTER" && !supportsPath(request)) {
      // RFC 3327 §5.2.
      incoming.respond(421, { headers: [["Require", "path"]] });
      return;
    }
    let target = this.#ownTarget(request, decision);
    if (decision.flowId !== undefined) {
      const flow = this.#settings.stack.flowById(decision.flowId);
      if (flow !== undefined && flow.state !== "closed") {
        target = { uri: target.uri, flow };
      } else if (decision.isPath || !isReachableWithoutFlow(target.uri)) {
        // RFC 5626 §5.3.1: the connection to a client that only it can reach has gone.
        incoming.respond(430);
        return;
      }
    }
    if (transaction === undefined) {
      forwardStatelessly(this.#settings, request, incoming.flow, decision, target);
    } else if (!transaction.finalSent) {
      new ResponseContext(this.#settings, incoming, transaction, decision, false).forwardTo(target);
    }
  }

  /** §16.5: not our domain, so the Request-URI is the only target. */
  #ownTarget(request: SipRequest, decision: RouteDecision): ProxyTarget {
    return { uri: decision.requestUri ?? request.requestUri };
  }

  #runProgram(incoming: IncomingRequest): MaybePromise<void> {
    const { request, transaction } = incoming;
    if (transaction === undefined) {
      return this.#program(request, new StatelessContext(this.#settings, incoming, untouched));
    }
    // A CANCEL that came during the check of credentials was answered by the stack.
    if (transaction.finalSent) return undefined;
    const context = new ResponseContext(this.#settings, incoming, transaction, untouched, true);
    context.programStarts();
    let running: MaybePromise<void>;
    try {
      running = this.#program(request, context as RouteContext);
    } catch (error) {
      context.programFails(error);
      throw error;
    }
    if (!(running instanceof Promise)) {
      context.programEnds();
      return undefined;
    }
    return running.then(
      () => context.programEnds(),
      (error: unknown) => {
        context.programFails(error);
        throw error;
      },
    );
  }

  /** §16.3. */
  #isValid(incoming: IncomingRequest, scheme: string): boolean {
    const refusal = validate(incoming.request, scheme, this.#rules);
    if (refusal === undefined) return true;
    const { statusCode } = refusal;
    // §20.43: which of the many hops it was, for whoever counts them one by one.
    const headers =
      statusCode === 483
        ? [["Warning", `399 ${this.#settings.sentBy(incoming.flow)} "Max-Forwards ran out here"`] as const]
        : refusal.headers;
    incoming.respond(statusCode, headers === undefined ? undefined : { headers });
    return false;
  }
}

/** The request with the decision applied, for roles that look at its Request-URI and Route themselves. */
function rewritten(request: SipRequest, decision: RouteDecision): SipRequest {
  const edits: ForwardEdits = {
    ...(decision.requestUri === undefined ? undefined : { requestUri: decision.requestUri }),
    ...(decision.tookLast
      ? { routes: decision.remaining.map(printNameAddr) }
      : { removeRoutes: decision.popped }),
  };
  return parseMessage(splice(request, edits), noLimits) as SipRequest;
}

/** Names that nobody can look up, and browsers, which nobody can connect to. */
function isReachableWithoutFlow(uri: Uri | string): boolean {
  if (typeof uri === "string" || !isSipUri(uri)) return false;
  const transport = uri.params.get("transport")?.toLowerCase();
  return !uri.host.endsWith(".invalid") && transport !== "ws" && transport !== "wss";
}
