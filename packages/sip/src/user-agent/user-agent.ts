// A user agent: what a phone needs of SIP. RFC 3261 §8, §10, §11, §13.

import { Credentials } from "../auth/index.ts";
import { rejectionOf, Uac } from "../core/index.ts";
import { Dialogs } from "../dialog/index.ts";
import { ArgumentError, StateError } from "../errors.ts";
import { defaultLimits, type NameAddr, type SipResponse, type SipUri } from "../message/index.ts";
import type { Clock, MaybePromise, Random } from "../ports.ts";
import { type IncomingRequest, Stack } from "../stack.ts";
import type { Flow, Listener } from "../transport/index.ts";
import { Addressing, addressOf, forFromAndTo } from "./addressing.ts";
import { Call } from "./call.ts";
import type { CallContext, CallTimers, InDialogHandler } from "./call-context.ts";
import { Capabilities } from "./capabilities.ts";
import { reportTo } from "./hook.ts";
import { handleInfo } from "./info.ts";
import { GivenMedia, type MediaSession, type SdpSource } from "./media-session.ts";
import { Reception } from "./reception.ts";
import { type RegisterOptions, Registration } from "./registration.ts";
import type { StackDriver } from "./runtime.ts";
import type { CallOptions, RequestDetails, SharedStack, UserAgentOptions } from "./user-agent-options.ts";

/** How long `stop` waits for peers to answer, milliseconds. */
const defaultPatience = 4_000;

/** One address-of-record with its calls and registrations. */
export class UserAgent {
  readonly stack: Stack;
  readonly dialogs: Dialogs;
  readonly #addressing: Addressing;
  readonly #options: UserAgentOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #driver: StackDriver | undefined;
  readonly #listeners: Listener[] = [];
  readonly #ready: Promise<void>;
  readonly #uac: Uac;
  readonly #credentials: Credentials | undefined;
  readonly #context: CallContext;
  readonly #calls = new Set<Call>();
  readonly #registrations = new Set<Registration>();
  readonly #capabilities: Capabilities;
  readonly #reception: Reception;
  #stopping: Promise<void> | undefined;

  /** @throws {ArgumentError} if the options make no user agent */
  constructor(options: UserAgentOptions) {
    this.#options = options;
    this.#addressing = new Addressing(options, this.#listeners, (flow) => this.stack.sentBy(flow));
    const { clock, random, hash, dialogs = new Dialogs() } = this.#world();
    this.#clock = clock;
    this.#random = random;
    this.dialogs = dialogs;
    const timers: CallTimers = { T1: 500, T2: 4000, ...options.timers };
    if (options.stack === undefined) {
      this.#driver = options.transports![0]!.runtime.createDriver();
      this.stack = this.#ownStack(this.#driver, timers);
      this.#ready = this.#open(this.#driver);
    } else {
      this.stack = options.stack.stack;
      this.#listeners.push(...(options.stack.listeners ?? []));
      this.#ready = Promise.resolve();
    }
    const { credentials } = options;
    if (credentials !== undefined) {
      const list = "user" in credentials ? [credentials] : credentials;
      this.#credentials = new Credentials({ credentials: list, hash, random });
    }
    this.#capabilities = new Capabilities(options, this.#addressing);
    const { reactions, followRedirects = true, onRetry } = options;
    const { supported } = this.#capabilities;
    this.#uac = new Uac({
      ...{ stack: this.stack, clock, random, supported, followRedirects },
      ...(reactions === undefined ? {} : { reactions }),
      ...(onRetry === undefined ? {} : { onRetry }),
      homeHost: this.aor.uri.host,
    });
    this.#context = this.#makeContext(timers);
    this.#reception = new Reception({
      ...{ clock, capabilities: this.#capabilities, context: this.#context, calls: this.#calls },
      maxCalls: options.maxCalls ?? Number.POSITIVE_INFINITY,
      ringTimeout: options.ringTimeout,
      isStopping: () => this.#stopping !== undefined,
    });
    this.#reception.doNotDisturb = options.doNotDisturb ?? false;
    this.#capabilities.inDialog.set("OPTIONS", (incoming) => this.#reception.answerOptions(incoming));
    this.#capabilities.inDialog.set("INFO", handleInfo);
  }

  /** The address-of-record. */
  get aor(): NameAddr & { readonly uri: SipUri } {
    return this.#addressing.aor;
  }
  /** True: no calls for now, they get 480. */
  get doNotDisturb(): boolean {
    return this.#reception.doNotDisturb;
  }
  set doNotDisturb(value: boolean) {
    this.#reception.doNotDisturb = value;
  }
  /** Fulfilled when the transports are open; rejected if one cannot be opened. */
  get ready(): Promise<void> {
    return this.#ready;
  }
  /** Its open sockets. */
  get listeners(): readonly Listener[] {
    return this.#listeners;
  }
  /** Calls that have not ended. */
  get calls(): ReadonlySet<Call> {
    return this.#calls;
  }

  /** Who takes calls. Without it, and while it is not set, they get 480. */
  onInvite(handler: (call: Call) => MaybePromise<void>): void {
    this.#reception.onInvite = handler;
  }

  /** Takes requests of a method outside dialogs (MESSAGE, SUBSCRIBE, …), which then stands in Allow. */
  onRequest(method: string, handler: (incoming: IncomingRequest) => MaybePromise<void>): void {
    this.#capabilities.handlers.set(method, handler);
  }

  /** Takes requests of a method inside calls, which then stands in Allow. */
  onCallRequest(method: string, handler: InDialogHandler): void {
    this.#capabilities.inDialog.set(method, handler);
  }

  // --- Outgoing -------------------------------------------------------------------------------------------

  /**
   * Calls somebody; the call is handed back at once, unanswered (see `invite`).
   * @param target - a URI, a name-addr, or a name or number in our own domain
   */
  call(target: string, options: CallOptions = {}): Call {
    this.#assertRunning();
    const { signal, timeout } = options;
    signal?.throwIfAborted();
    const remote = this.#addressing.target(target);
    const callId = this.stack.newCallId();
    const media = this.#mediaFor(options.sdp, {
      direction: "outgoing",
      callId,
      peer: this.#addressing.firstHop(remote.uri),
    });
    const offers = media !== undefined && options.offer !== false;
    const fallbacks = (options.fallbackOffers ?? []).map((body) => ({
      body,
      contentType: "application/sdp",
    }));
    if (fallbacks.length > 0 && (options.sdp === undefined || !offers)) {
      throw new ArgumentError("`fallbackOffers` go with an offer in `sdp`");
    }
    const reliable = options.reliableProvisionals ?? this.#options.reliableProvisionals ?? "supported";
    const headers = [...this.#capabilities.inviteHeaders(reliable), ...(options.headers ?? [])];
    const call = Call.outgoing(this.#context, {
      ...{ remote, callId, media, offers, auth: this.#context.authSession(), ready: this.#ready },
      plan: (sdp) =>
        this.#uac.plan({
          ...this.#outline("INVITE", remote, options.from),
          ...{ callId, headers },
          contact: (sentBy, transport) =>
            this.#context.contact(sentBy, transport, this.#addressing.needsSips(remote.uri)),
          ...(sdp === undefined
            ? {}
            : { body: sdp, contentType: "application/sdp", alternatives: fallbacks }),
        }),
    });
    this.#calls.add(call);
    const giveUp = () => void call.hangUp();
    signal?.addEventListener("abort", giveUp, { once: true });
    const timer =
      timeout === undefined ? undefined : this.#clock.schedule(timeout * 1000, () => call.expire());
    const settle = () => {
      signal?.removeEventListener("abort", giveUp);
      timer?.cancel();
    };
    call.answered.then(settle, settle);
    return call;
  }

  /**
   * Calls somebody and waits for the answer.
   * @throws {Rejected} with the final response, 487 if the call was given up
   * @throws {CallEndedError} if it was given up and a 2xx crossed that
   * @throws the signal's reason if it was aborted
   */
  async invite(target: string, options: CallOptions = {}): Promise<Call> {
    const call = this.call(target, options);
    try {
      await call.answered;
      return call;
    } catch (error) {
      if (options.signal?.aborted !== true) throw error;
      await call.ended;
      throw options.signal.reason;
    }
  }

  /**
   * Registers the address-of-record and keeps it registered. Fulfilled once it is.
   * @throws {Rejected} if it fails; see `RegisterOptions.keepTrying`
   */
  async register(options: RegisterOptions = {}): Promise<Registration> {
    const registration = this.registration(options);
    await registration.start();
    return registration;
  }

  /** A registration that has not been started, to hang listeners in first. */
  registration(options: RegisterOptions = {}): Registration {
    this.#assertRunning();
    const { routes, nextHop } = this.#addressing.route(this.#addressing.registrar);
    const registration = new Registration(
      {
        ...{ uac: this.#uac, clock: this.#clock, random: this.#random },
        ...{
          aor: this.#addressing.from,
          registrar: this.#addressing.registrar,
          routes,
          nextHop,
          ready: this.#ready,
        },
        ...{ callId: this.stack.newCallId(), localTag: this.stack.newTag() },
        auth: this.#context.authSession(),
        // RFC 5630 §5.1.1.1: who registers with SIPS wants to be reached with SIPS.
        contact: (sentBy, transport) =>
          this.#context.contact(sentBy, transport, this.#addressing.registrar.scheme === "sips"),
        capabilities: () => this.#context.capabilities("request"),
        ping: (flow) => this.stack.ping(flow),
        reportError: (error) => reportTo(this.#options.onError, error),
        onEnded: (ended) => this.#registrations.delete(ended),
      },
      options,
    );
    this.#registrations.add(registration);
    return registration;
  }

  /** Asks what somebody can do (§11). @throws {Rejected} if there is no 2xx */
  options(target: string, options: RequestDetails = {}): Promise<SipResponse> {
    return this.request("OPTIONS", target, {
      ...options,
      headers: [["Accept", "application/sdp"], ...(options.headers ?? [])],
    });
  }

  /** Sends a text (RFC 3428). @throws {Rejected} if there is no 2xx */
  message(target: string, text: string, options: RequestDetails = {}): Promise<SipResponse> {
    return this.request("MESSAGE", target, {
      contentType: "text/plain;charset=utf-8",
      ...options,
      body: text,
    });
  }

  /** Any request outside dialogs but INVITE and REGISTER. @throws {Rejected} if there is no 2xx */
  async request(method: string, target: string, options: RequestDetails = {}): Promise<SipResponse> {
    this.#assertRunning();
    if (["INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"].includes(method)) {
      throw new ArgumentError(`${method} is sent by calls`);
    }
    const { signal, body, contentType, alternatives } = options;
    signal?.throwIfAborted();
    const remote = this.#addressing.target(target);
    await this.#ready;
    this.#assertRunning();
    signal?.throwIfAborted();
    const plan = this.#uac.plan({
      ...this.#outline(method, remote, options.from),
      headers: [...this.#context.capabilities("request"), ...(options.headers ?? [])],
      contact: (sentBy, transport) =>
        this.#context.contact(sentBy, transport, this.#addressing.needsSips(remote.uri)),
      ...(body === undefined ? {} : { body }),
      ...(contentType === undefined ? {} : { contentType }),
      ...(alternatives === undefined ? {} : { alternatives }),
    });
    const auth = this.#context.authSession();
    return await new Promise((resolve, reject) => {
      const abort = () => {
        reject(signal?.reason);
        request.cancel();
      };
      const request = this.#uac.send(
        plan,
        {
          onFinal: (response, context) => {
            signal?.removeEventListener("abort", abort);
            if (response.statusCode < 300) resolve(response);
            else reject(rejectionOf(response, context));
          },
        },
        auth === undefined ? {} : { auth },
      );
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  // --- Incoming -------------------------------------------------------------------------------------------

  /** A request inside a dialog of ours: true if it was taken. The stack's `dialog` role. */
  deliver(incoming: IncomingRequest): boolean {
    return this.dialogs.deliver(incoming);
  }

  /** A connection has ended, for the stack's `flowClosed` role: registrations by it are made anew. */
  flowClosed(flow: Flow): void {
    for (const registration of this.#registrations) registration.flowClosed(flow);
  }

  /** A request outside dialogs, for the stack's `route` role (§8.2). */
  handle(incoming: IncomingRequest): Promise<void> {
    return this.#reception.handle(incoming);
  }

  /**
   * Ends every call, takes registrations away, closes the sockets. Fulfilled when that is done, at the latest
   * after `patience` milliseconds of waiting for peers. Requests that are out then are rejected.
   */
  stop(patience: number = defaultPatience): Promise<void> {
    this.#stopping ??= this.#stop(patience);
    return this.#stopping;
  }

  // --- Inside ---------------------------------------------------------------------------------------------

  async #stop(patience: number): Promise<void> {
    await this.#ready.catch(() => {});
    const calls = [...this.#calls];
    const farewells = [
      ...calls.map((call) => call.hangUp()),
      ...Array.from(this.#registrations, (registration) => registration.unregister()),
      ...this.#context.farewells,
    ];
    let limit: { cancel(): void } | undefined;
    await Promise.race([
      Promise.allSettled(farewells),
      new Promise<void>((resolve) => {
        limit = this.#clock.schedule(patience, resolve);
      }),
    ]);
    limit?.cancel();
    for (const call of calls) call.abandon();
    this.#uac.close(new StateError("the user agent has stopped"));
    await this.#driver?.stop();
  }

  #makeContext(timers: CallTimers): CallContext {
    const capabilities = this.#capabilities;
    return {
      ...{ stack: this.stack, clock: this.#clock, random: this.#random, uac: this.#uac },
      ...{ dialogs: this.dialogs, timers, inDialog: capabilities.inDialog, farewells: new Set() },
      isSoleEndpoint: this.#options.soleEndpoint ?? false,
      get rules() {
        return capabilities.rules();
      },
      capabilities: (message) => capabilities.headers(message),
      contact: (sentBy, transport, isSecure = false) => this.#addressing.contact(sentBy, transport, isSecure),
      authSession: () => this.#credentials?.session(),
      createMedia: ({ direction, callId, peerAddress: peer }) =>
        this.#mediaFor(undefined, { direction, callId, peer }),
      onCallEnded: (call) => this.#calls.delete(call),
      reportError: (error) => reportTo(this.#options.onError, error),
    };
  }

  #mediaFor(
    sdp: SdpSource | undefined,
    call: { direction: "outgoing" | "incoming"; callId: string; peer: string | undefined },
  ): MediaSession | undefined {
    if (sdp !== undefined) return new GivenMedia(sdp);
    const { direction, callId, peer } = call;
    return this.#options.media?.({ direction, callId, ...this.#addressing.towards(peer) });
  }

  #outline(method: string, remote: NameAddr, from: string | undefined) {
    const { routes, nextHop } = this.#addressing.route(remote.uri);
    return {
      method,
      requestUri: remote.uri,
      from: from === undefined ? this.#addressing.from : forFromAndTo(addressOf(from)),
      to: forFromAndTo(remote),
      routes,
      ...(nextHop === undefined ? {} : { nextHop }),
    };
  }

  #world(): Omit<SharedStack, "stack"> {
    const { stack, transports = [] } = this.#options;
    if (stack !== undefined) {
      if (transports.length > 0) throw new ArgumentError("either `stack` or `transports`, not both");
      return stack;
    }
    const runtime = transports[0]?.runtime;
    if (runtime === undefined) throw new ArgumentError("a user agent needs `transports` or a `stack`");
    if (transports.some((transport) => transport.runtime !== runtime)) {
      throw new ArgumentError("the transports of one user agent must be of one runtime");
    }
    return runtime;
  }

  #ownStack(driver: StackDriver, timers: CallTimers): Stack {
    const { observer, limits } = this.#options;
    const stack = new Stack({
      ...{ sink: driver, clock: this.#clock, random: this.#random, timers },
      ...(limits === undefined ? {} : { messageLimits: { ...defaultLimits, ...limits } }),
      ...(observer === undefined ? {} : { observer }),
      roles: {
        // A user agent is where requests end; whom it takes them for is looked at in `handle`.
        isOurs: () => true,
        dialog: (incoming) => this.deliver(incoming),
        route: (incoming) => this.handle(incoming),
        flowClosed: (flow) => this.flowClosed(flow),
      },
      onError: (error) => reportTo(this.#options.onError, error),
    });
    driver.attach(stack);
    driver.onOnline?.(() => {
      for (const registration of this.#registrations) registration.reconnect();
    });
    return stack;
  }

  async #open(driver: StackDriver): Promise<void> {
    try {
      for (const { runtime: _, ...options } of this.#options.transports ?? []) {
        this.#listeners.push(await driver.listen({ port: 0, ...options }));
      }
    } catch (error) {
      await driver.stop();
      throw error;
    }
  }

  #assertRunning(): void {
    if (this.#stopping !== undefined) throw new StateError("the user agent has stopped");
  }
}
