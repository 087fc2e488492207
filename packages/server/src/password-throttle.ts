// Counts wrong passwords per source, so that guessing is slow and a flood of guesses costs next to nothing.

import type { Clock, MaybePromise } from "@offhook/sip";
import { type ChallengeRole, Challenger, type Ha1Lookup, type Verification } from "@offhook/sip/auth";
import type { SipRequest } from "@offhook/sip/message";
import { canonicalHost, sourceOf } from "@offhook/sip/transport";

/** Milliseconds of one count. */
const window = 60_000;
/** All users of one source together may fail this many times as often as one. */
const usersPerSource = 10;
/** Sources remembered; above it the oldest count is forgotten. */
const maxSources = 100_000;

/** Wrong passwords of the last minute, by source and by user of a source. */
export class PasswordThrottle {
  readonly #clock: Pick<Clock, "now">;
  readonly #limit: number;
  readonly #counts = new Map<string, { count: number; until: number }>();

  constructor(clock: Pick<Clock, "now">, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get isIdle(): boolean {
    return this.#counts.size === 0;
  }

  failed(address: string, user: string): void {
    const now = this.#clock.now();
    const source = sourceOf(address);
    for (const key of [source, `${source} ${user.slice(0, 128)}`]) {
      const known = this.#counts.get(key);
      if (known !== undefined && known.until > now) {
        known.count++;
        continue;
      }
      // Deleted first, so that the map stays in the order of the windows.
      this.#counts.delete(key);
      this.#counts.set(key, { count: 1, until: now + window });
    }
    for (const [key, { until }] of this.#counts) {
      if (until > now && this.#counts.size <= maxSources) break;
      this.#counts.delete(key);
    }
  }

  /** True if this source has guessed too often, for this user or for all. */
  isBlocked(address: string, user: string): boolean {
    const source = sourceOf(address);
    return (
      this.#isOver(source, this.#limit * usersPerSource) ||
      this.#isOver(`${source} ${user.slice(0, 128)}`, this.#limit)
    );
  }

  #isOver(key: string, limit: number): boolean {
    const known = this.#counts.get(key);
    return known !== undefined && known.count >= limit && known.until > this.#clock.now();
  }
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
    let check = ha1;
    let isBlocked = false;
    if (!throttle.isIdle && request.headers.has(role === "proxy" ? "Proxy-Authorization" : "Authorization")) {
      const address = addressOf(request);
      const claimed = claimedUser(request, role);
      if (throttle.isBlocked(address, claimed)) return this.#refuse(claimed, address);
      // A look at the first line costs nothing; whom the credentials are really for is known here.
      check = (user, ...rest) => {
        isBlocked = throttle.isBlocked(address, user);
        return isBlocked ? undefined : ha1(user, ...rest);
      };
    }
    const verification = super.verify(role, request, realm, check, options);
    const look = (one: Verification): Verification =>
      isBlocked && one.kind === "challenge"
        ? this.#refuse(one.attempted ?? "", addressOf(request))
        : this.#look(request, one);
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
function addressOf(request: SipRequest): string {
  const { received, host } = request.topVia;
  // Where it does not differ, the sender has chosen how to write it.
  return received ?? canonicalHost(host);
}

function claimedUser(request: SipRequest, role: ChallengeRole): string {
  const line = request.headers.raw(role === "proxy" ? "Proxy-Authorization" : "Authorization") ?? "";
  return /\busername\s*=\s*"([^"]*)"/i.exec(line)?.[1] ?? "";
}
