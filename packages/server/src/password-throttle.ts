// Counts wrong passwords per source, so that guessing is slow and a flood of guesses costs next to nothing.

import type { Clock, MaybePromise } from "@offhook/sip";
import { type ChallengeRole, Challenger, type Ha1Lookup, type Verification } from "@offhook/sip/auth";
import { ExpiringMap } from "@offhook/sip/core";
import type { SipRequest } from "@offhook/sip/message";
import { canonicalHost, sourceOf } from "@offhook/sip/transport";

/** Milliseconds of one count. */
const window = 60_000;
/** All users of one source together may fail this many times as often as one. */
const usersPerSource = 10;
/** Counts remembered; above it the oldest is forgotten. */
const maxCounts = 100_000;

/** Wrong passwords of the last minute, by source and by user of a source. */
export class PasswordThrottle {
  readonly #clock: Pick<Clock, "now">;
  readonly #limit: number;
  /** With the time of the first of each. */
  readonly #counts = new ExpiringMap<string, number>();

  constructor(clock: Pick<Clock, "now">, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get isIdle(): boolean {
    return this.#counts.size === 0;
  }

  failed(address: string, user: string): void {
    const source = sourceOf(address);
    this.#count(source);
    this.#count(keyOf(source, user));
  }

  /** True if this source has guessed too often, for this user or for all. */
  isBlocked(address: string, user: string): boolean {
    this.#forget();
    const source = sourceOf(address);
    return (
      (this.#counts.get(source) ?? 0) >= this.#limit * usersPerSource ||
      (this.#counts.get(keyOf(source, user)) ?? 0) >= this.#limit
    );
  }

  #count(key: string): void {
    this.#forget();
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.add(key, 1, this.#clock.now());
    else this.#counts.replace(key, known + 1);
  }

  #forget(): void {
    const counts = this.#counts;
    const before = this.#clock.now() - window;
    while (counts.firstTime <= before || counts.size > maxCounts) counts.shift();
  }
}

function keyOf(source: string, user: string): string {
  return `${source} ${user.slice(0, 128)}`;
}

export interface ThrottledChallengerOptions {
  readonly throttle: PasswordThrottle;
  readonly onFailed?: (user: string, address: string) => void;
  readonly onBlocked?: (user: string, address: string) => void;
}

/** A `Challenger` that stops looking at the credentials of sources with too many wrong ones. */
export class ThrottledChallenger extends Challenger {
  readonly #throttled: ThrottledChallengerOptions;

  constructor(options: ConstructorParameters<typeof Challenger>[0] & ThrottledChallengerOptions) {
    super(options);
    this.#throttled = options;
  }

  override verify(
    role: ChallengeRole,
    request: SipRequest,
    realm: string,
    ha1: Ha1Lookup,
    options?: Parameters<Challenger["verify"]>[4],
  ): MaybePromise<Verification> {
    const { throttle } = this.#throttled;
    const header = role === "proxy" ? "Proxy-Authorization" : "Authorization";
    if (throttle.isIdle || !request.headers.has(header)) {
      const verification = super.verify(role, request, realm, ha1, options);
      return verification instanceof Promise
        ? verification.then((one) => this.#look(request, one))
        : this.#look(request, verification);
    }
    const address = addressOf(request);
    // A look at the first line costs nothing; whom the credentials are really for is known below.
    const claimed = claimedUser(request, header);
    if (throttle.isBlocked(address, claimed)) return this.#refuse(claimed, address);
    let isBlocked = false;
    const check: Ha1Lookup = (user, ...rest) => {
      isBlocked = throttle.isBlocked(address, user);
      return isBlocked ? undefined : ha1(user, ...rest);
    };
    const look = (one: Verification): Verification =>
      isBlocked && one.kind === "challenge"
        ? this.#refuse(one.attempted ?? "", address)
        : this.#look(request, one);
    const verification = super.verify(role, request, realm, check, options);
    return verification instanceof Promise ? verification.then(look) : look(verification);
  }

  #refuse(user: string, address: string): Verification {
    this.#throttled.onBlocked?.(user, address);
    // §21.4.4: understood, and authorization will not help.
    return { kind: "refused", reason: "Too Many Wrong Passwords" };
  }

  #look(request: SipRequest, verification: Verification): Verification {
    if (verification.kind === "challenge" && verification.attempted !== undefined && !verification.stale) {
      const address = addressOf(request);
      this.#throttled.throttle.failed(address, verification.attempted);
      this.#throttled.onFailed?.(verification.attempted, address);
    }
    return verification;
  }
}

/** The transport layer has written the real source into the top Via where it differs (§18.2.1). */
export function addressOf(request: SipRequest): string {
  const { received, host } = request.topVia;
  // Where it does not differ, the sender has chosen how to write it.
  return received ?? canonicalHost(host);
}

function claimedUser(request: SipRequest, header: "Authorization" | "Proxy-Authorization"): string {
  const line = request.headers.raw(header) ?? "";
  return /\busername\s*=\s*"([^"]*)"/i.exec(line)?.[1] ?? "";
}
