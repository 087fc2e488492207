// A registration that keeps itself alive. RFC 3261 §10.2; waiting times after failures as in RFC 5626 §4.5.

import type { AuthSession } from "../auth/index.ts";
import {
  below,
  contactsOf,
  type ResponseContext,
  rejectionOf,
  secondsOf,
  type Uac,
  type UacRequest,
} from "../core/index.ts";
import { type Rejected, StateError } from "../errors.ts";
import {
  equalUri,
  type HeaderInit,
  type NameAddr,
  parseNameAddr,
  type SipRequest,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import type { Clock, Random, Timer } from "../ports.ts";
import { treatedAs } from "../responses/index.ts";
import type { Flow } from "../transport/index.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { Hook } from "./hook.ts";

/**
 * - "idle": not asked for · "registering": the first REGISTER, or one after a failure, is out
 * - "registered": the binding is there · "waiting": it failed and will be tried again
 * - "unregistering" · "unregistered": taken away by us · "failed": given up
 */
export type RegistrationState =
  | "idle"
  | "registering"
  | "registered"
  | "waiting"
  | "unregistering"
  | "unregistered"
  | "failed";

export interface RegisterOptions {
  /** Seconds that we ask for. Default 3600 (§10.2.1.1 leaves the choice to us). */
  readonly expires?: number;
  /** 0–1, to order this binding among others (§10.2.1.2). */
  readonly q?: number;
  readonly headers?: readonly HeaderInit[];
  /** Keep trying even if the very first REGISTER fails for now (no answer, 5xx). Default false. */
  readonly keepTrying?: boolean;
  /**
   * Seconds between signs of life on the connection that we registered by (RFC 5626 §4.4.1). The other side has to
   * answer them: without an answer in time the connection counts as lost. Default: none.
   */
  readonly keepAlive?: number;
}

/** What a registration gets from its user agent. */
export interface RegistrationContext {
  readonly uac: Uac;
  readonly clock: Clock;
  readonly random: Random;
  /** The address-of-record, for From and To. */
  readonly aor: NameAddr;
  /** The Request-URI: the registrar's domain, without user (§10.2). */
  readonly registrar: Uri;
  readonly routes: readonly string[];
  readonly nextHop: Uri | undefined;
  readonly callId: string;
  readonly localTag: string;
  readonly auth: AuthSession | undefined;
  readonly ready: Promise<void>;
  contact(sentBy: string, transport: string): string;
  capabilities(): HeaderInit[];
  /** Asks the other side of a connection for a sign of life. */
  ping(flow: Flow): void;
  reportError(error: unknown): void;
  onEnded(registration: Registration): void;
}

/** Waiting after the n-th failure in a row: 30 s doubled each time, at most half an hour, half of it by chance. */
const firstWait = 30_000;
const longestWait = 1_800_000;
/**
 * After a lost connection sooner: 1 s doubled, at most 10 s, for the first so many times. Servers restart in
 * seconds, and until we are back nobody reaches us.
 */
const firstSoon = 1_000;
const longestSoon = 10_000;
const timesSoon = 30;

/** One binding of our contact to our address-of-record. */
export class Registration {
  readonly #context: RegistrationContext;
  readonly #options: RegisterOptions;
  readonly #changed: Hook<[state: RegistrationState]>;
  #state: RegistrationState = "idle";
  #expires: number;
  #expiresAt = 0;
  #sequence = 0;
  #failures = 0;
  #timer: Timer | undefined;
  #request: UacRequest | undefined;
  #lastResponse: SipResponse | undefined;
  #failure: Rejected | undefined;
  #first: Deferred<void> | undefined;
  #removal: Promise<void> | undefined;
  /** Told of the outcome of the REGISTER under way when we unregister. */
  #onOutcome: () => void = () => {};
  /** The connection that the binding lives by: without it we are not reached (RFC 5626 §3). */
  #flow: Flow | undefined;
  #keepAlive: Timer | undefined;

  constructor(context: RegistrationContext, options: RegisterOptions = {}) {
    this.#context = context;
    this.#options = options;
    this.#expires = options.expires ?? 3600;
    this.#changed = new Hook((error) => context.reportError(error));
  }

  get state(): RegistrationState {
    return this.#state;
  }
  /** When the binding ends unless it is refreshed, milliseconds since the Unix epoch; 0 without binding. */
  get expiresAt(): number {
    return this.#expiresAt;
  }
  /** The last final response of the registrar. */
  get lastResponse(): SipResponse | undefined {
    return this.#lastResponse;
  }

  /** Why the last REGISTER failed; undefined if it did not. */
  get failure(): Rejected | undefined {
    return this.#failure;
  }

  onState(listener: (state: RegistrationState) => void): () => void {
    return this.#changed.add(listener);
  }

  /**
   * Registers and stays registered. Fulfilled once the binding is there.
   * @throws {Rejected} if the first REGISTER fails for good (or at all, unless `keepTrying`)
   */
  start(): Promise<void> {
    if (this.#first !== undefined) return this.#first.promise;
    this.#first = deferred<void>();
    this.#setState("registering");
    this.#context.ready.then(
      () => this.#send(),
      (error: unknown) => {
        this.#first?.reject(error);
        this.#setState("failed");
        this.#context.onEnded(this);
      },
    );
    return this.#first.promise;
  }

  /** Sends a REGISTER now, e.g. after a change of network. */
  refresh(): void {
    if (this.#state === "registered" || this.#state === "waiting") this.#send();
  }

  /** For the user agent: the network is there again, so what waits is tried now. */
  reconnect(): void {
    if (this.#state === "waiting") this.#send();
    else if (this.#flow !== undefined && this.#options.keepAlive !== undefined)
      this.#context.ping(this.#flow);
  }

  /** For the user agent: a connection has ended. If it was ours, we register again by a new one, soon. */
  flowClosed(flow: Flow): void {
    if (flow !== this.#flow) return;
    this.#loseFlow();
    // A REGISTER that is out on it has failed too, and says so itself.
    if (this.#state !== "registered" || this.#request?.isDone === false) return;
    this.#schedule(this.#backOff(true));
    this.#setState("waiting");
  }

  /**
   * Takes the binding away (§10.2.2). Fulfilled when the registrar has answered, whatever it said: a binding that
   * is not refreshed ends by itself.
   */
  unregister(): Promise<void> {
    this.#removal ??= this.#remove();
    return this.#removal;
  }

  async #remove(): Promise<void> {
    this.#timer?.cancel();
    this.#loseFlow();
    this.#first?.promise.catch(() => {});
    this.#first?.reject(new StateError("unregistered before it was registered"));
    const isUnderWay = this.#request?.isDone === false;
    if (isUnderWay || this.#isBound) this.#setState("unregistering");
    if (isUnderWay) await this.#outcome();
    if (this.#isBound) await this.#sendRemoval();
    this.#expiresAt = 0;
    this.#setState("unregistered");
    this.#context.onEnded(this);
  }

  get #isBound(): boolean {
    return this.#expiresAt > this.#context.clock.now();
  }

  /** §10.2: no new REGISTER before the one under way has its final response. It is not tried again. */
  #outcome(): Promise<void> {
    const outcome = deferred<void>();
    this.#onOutcome = outcome.resolve;
    this.#request?.cancel();
    return outcome.promise;
  }

  #sendRemoval(): Promise<void> {
    return new Promise((resolve) => {
      const onFinal = (response: SipResponse) => {
        this.#lastResponse = response;
        resolve();
      };
      this.#request = this.#context.uac.send(this.#plan(0), { onFinal }, this.#sendContext());
    });
  }

  #send(): void {
    this.#timer?.cancel();
    // §10.2: no new REGISTER before the one before has its final response.
    if (this.#removal !== undefined || this.#request?.isDone === false) return;
    if (this.#state === "waiting") this.#setState("registering");
    this.#request = this.#context.uac.send(
      this.#plan(this.#expires),
      {
        // Once registered, and with `keepTrying`, every failure has its time here.
        mayWait: () => this.#isFirst && this.#options.keepTrying !== true,
        onWaiting: () => this.#setState("waiting"),
        onRetry: () => {
          if (this.#state === "waiting") this.#setState("registering");
        },
        onFinal: (response, context) => this.#onFinal(response, context),
      },
      this.#sendContext(),
    );
  }

  #sendContext() {
    return this.#context.auth === undefined ? {} : { auth: this.#context.auth };
  }

  /** §10.2: To and From are the address-of-record; one Call-ID and rising CSeq for all (§10.2, §10.2.4). */
  #plan(expires: number): ReturnType<Uac["plan"]> {
    const { uac, aor, registrar, routes, nextHop, callId, localTag, contact, capabilities } = this.#context;
    const { q, headers = [] } = this.#options;
    const parameters = `;expires=${expires}${q === undefined ? "" : `;q=${q}`}`;
    return uac.plan({
      method: "REGISTER",
      requestUri: registrar,
      from: aor,
      to: aor,
      ...{ callId, localTag, routes },
      ...(nextHop === undefined ? {} : { nextHop }),
      headers: [["Expires", expires], ...headers, ...capabilities()],
      contact: (sentBy, transport) => contact(sentBy, transport) + parameters,
      nextSequence: () => ++this.#sequence,
    });
  }

  #onFinal(response: SipResponse, context: ResponseContext): void {
    this.#lastResponse = response;
    this.#request = undefined;
    if (this.#removal !== undefined) {
      // Who does not answer is not asked twice: what may be bound there ends by itself.
      if (context.origin === "timeout") this.#expiresAt = 0;
      else if (response.statusCode < 300) {
        this.#expiresAt = this.#context.clock.now() + this.#granted(response, context.sent) * 1000;
      }
      this.#onOutcome();
      return;
    }
    if (response.statusCode < 300) this.#onSuccess(response, context);
    else this.#onFailure(response, context);
  }

  #onSuccess(response: SipResponse, { sent, flow }: ResponseContext): void {
    const granted = this.#granted(response, sent);
    // After a 423 the longer time is what we ask for from now on.
    this.#expires = Math.max(this.#expires, secondsOf(sent.headers.raw("Expires")) ?? 0);
    this.#failures = 0;
    this.#failure = undefined;
    this.#expiresAt = this.#context.clock.now() + granted * 1000;
    this.#schedule(refreshDelay(granted));
    this.#setState("registered");
    if (flow?.isReliable === true) this.#useFlow(flow);
    this.#first?.resolve();
  }

  /** Seconds. */
  #granted(response: SipResponse, sent: SipRequest): number {
    return grantedExpiry(response, ownContact(sent.headers.raw("Contact"))) ?? this.#expires;
  }

  #useFlow(flow: Flow): void {
    if (flow === this.#flow) return;
    this.#loseFlow();
    this.#flow = flow;
    // It may have ended behind its last response.
    if (flow.state === "closed") this.flowClosed(flow);
    else this.#keepAliveLater();
  }

  #loseFlow(): void {
    this.#flow = undefined;
    this.#keepAlive?.cancel();
  }

  /** RFC 5626 §4.4.1: up to a fifth sooner, by chance. */
  #keepAliveLater(): void {
    const { keepAlive } = this.#options;
    if (keepAlive === undefined) return;
    const { clock, random } = this.#context;
    const fifth = Math.floor(keepAlive * 200);
    this.#keepAlive = clock.schedule(keepAlive * 1000 - below(random, fifth + 1), () => {
      if (this.#flow === undefined) return;
      this.#keepAliveLater();
      this.#context.ping(this.#flow);
    });
  }

  get #isFirst(): boolean {
    return this.#expiresAt === 0 && this.#failures === 0;
  }

  #onFailure(response: SipResponse, context: ResponseContext): void {
    const { origin } = context;
    const failure = rejectionOf(response, context);
    this.#failure = failure;
    const { retryAfter } = failure;
    const isFirst = this.#isFirst;
    const mayRecover =
      origin !== "peer" ||
      response.statusCode >= 500 ||
      retryAfter !== undefined ||
      response.statusCode === 408 ||
      response.statusCode === 480 ||
      // Who was registered before stays so for as long as it lasts: something on the way may have spoilt this one refresh.
      (!isFirst && treatedAs(response.statusCode) === 400);
    this.#failures++;
    const keepsTrying =
      mayRecover && response.statusCode < 600 && (!isFirst || this.#options.keepTrying === true);
    if (!keepsTrying) {
      this.#first?.reject(failure);
      this.#expiresAt = 0;
      this.#setState("failed");
      this.#context.onEnded(this);
      return;
    }
    if (this.#expiresAt <= this.#context.clock.now()) this.#expiresAt = 0;
    const lostConnection = origin === "transport" && context.sent.topVia.transport !== "UDP";
    this.#schedule(
      retryAfter === undefined ? this.#backOff(lostConnection) : Math.max(retryAfter * 1000, 500),
    );
    this.#setState("waiting");
  }

  /** RFC 5626 §4.5. */
  #backOff(lostConnection: boolean): number {
    const failures = lostConnection ? this.#failures - timesSoon : this.#failures - 1;
    const upper =
      failures < 0
        ? Math.min(longestSoon, firstSoon * 2 ** Math.min(this.#failures, 10))
        : Math.min(longestWait, firstWait * 2 ** Math.min(failures, 10));
    return upper / 2 + below(this.#context.random, Math.floor(upper / 2) + 1);
  }

  #schedule(delay: number): void {
    this.#timer?.cancel();
    this.#timer = this.#context.clock.schedule(delay, () => this.#send());
  }

  #setState(state: RegistrationState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#changed.emit(state);
  }
}

/** Well before the end, with time for a REGISTER that has to be repeated until timer F. Milliseconds. */
export function refreshDelay(expires: number): number {
  // Nothing was granted, or it has ended already: no reason to ask twice a second.
  if (expires === 0) return firstWait;
  return expires > 120 ? (expires - 40) * 1000 : expires * 667;
}

function ownContact(text: string | undefined): Uri | undefined {
  return text === undefined ? undefined : parseNameAddr(text).uri;
}

/** §10.2.4: the registrar says in our Contact, or in Expires, how long the binding lasts. Seconds. */
function grantedExpiry(response: SipResponse, own: Uri | undefined): number | undefined {
  const ours = contactsOf(response).find((contact) => own !== undefined && equalUri(contact.uri, own));
  return ours?.expires ?? secondsOf(response.headers.raw("Expires"));
}
