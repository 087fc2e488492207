// The client's side of digest: answers the challenges of 401 and 407. RFC 3261 §22.2–22.3, RFC 7616, RFC 8760 §2.4.

import { ParseError } from "../errors.ts";
import { parseChallenge, printCredentials, type SipResponse } from "../message/index.ts";
import type { Hash, HashAlgorithm, Random } from "../ports.ts";
import {
  computeHa1,
  type DigestAlgorithm,
  digestAlgorithms,
  digestResponse,
  hashOf,
  isSession,
  parseAlgorithm,
  type QualityOfProtection,
  unq,
} from "./digest.ts";

/** A name and its secret, for one realm or for any. */
export interface Credential {
  readonly user: string;
  readonly password?: string;
  /** Instead of a password: HA1 in lower-case hex by hash; good for the one realm that it was made for. */
  readonly ha1?: Partial<Record<HashAlgorithm, string>>;
  /** The realm that it is for; absent: whichever asks. */
  readonly realm?: string;
}

export interface CredentialsOptions {
  /** Tried in this order: the first whose realm fits; or a function that knows, undefined for "none". */
  readonly credentials: readonly Credential[] | ((realm: string) => Credential | undefined);
  readonly hash: Hash;
  readonly random: Random;
  /** Algorithms that may be used. Default: all that we can compute. */
  readonly algorithms?: readonly DigestAlgorithm[];
  /**
   * Which of several challenges of one realm is answered: the topmost that we understand, which is the
   * server's wish (RFC 8760 §2.4), or the strongest, whatever its place. Default "topmost".
   */
  readonly choose?: "topmost" | "strongest";
}

/** The parts of a request that a digest covers. */
export interface DigestRequest {
  readonly method: string;
  /** The Request-URI as it will be on the wire. */
  readonly uri: string;
  readonly body?: Uint8Array | undefined;
}

/** What to do about a 401 or 407. */
export type ChallengeOutcome =
  /** Send the request again with `headers()` of the same attempt, CSeq one higher (RFC 3261 §22.2). */
  | { readonly kind: "retry" }
  /** Give up; `realm` is the one that asked, for showing it to the user (RFC 3261 §22.1). */
  | {
      readonly kind: "give up";
      readonly reason: "rejected" | "no credentials" | "nothing understood";
      readonly realm: string | undefined;
    };

/**
 * A user agent's names and secrets. They are held in private fields, so neither logging nor inspecting this
 * object shows them.
 */
export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #algorithms: readonly DigestAlgorithm[];

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#algorithms = options.algorithms ?? digestAlgorithms;
  }

  /**
   * Where nonces are kept and reused: one session per Call-ID (RFC 3261 §22.3), such as a registration, or
   * a call with its BYE and re-INVITEs.
   */
  session(): AuthSession {
    return new AuthSession(this.#options, this.#algorithms);
  }
}

/** A challenge that we answer with, and how often its nonce was used. */
interface Held {
  readonly header: "Authorization" | "Proxy-Authorization";
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: DigestAlgorithm;
  readonly namesAlgorithm: boolean;
  readonly qop: QualityOfProtection | undefined;
  readonly credential: Credential;
  readonly ha1: string;
  count: number;
  /** The cnonce of a -sess algorithm stays with its nonce (RFC 7616 §3.4.2). */
  cnonce: string | undefined;
  /** A request with this nonce has been accepted. */
  worked: boolean;
}

/** The challenges of one Call-ID, by header and realm. */
export class AuthSession {
  readonly #options: CredentialsOptions;
  readonly #algorithms: readonly DigestAlgorithm[];
  readonly #held = new Map<string, Held>();

  constructor(options: CredentialsOptions, algorithms: readonly DigestAlgorithm[]) {
    this.#options = options;
    this.#algorithms = algorithms;
  }

  /** One request of the application, with all the retries that challenges cause. */
  attempt(): AuthAttempt {
    return new AuthAttempt(this);
  }

  /**
   * Credentials for every realm that has asked in this session, for the next request; the nonce counts
   * rise. Empty before the first challenge.
   */
  headers(request: DigestRequest): [name: string, value: string][] {
    return Array.from(this.#held.values(), (held) => [held.header, this.#answer(held, request)]);
  }

  /** What is held under `key`; for `AuthAttempt`. */
  held(key: string): Held | undefined {
    return this.#held.get(key);
  }

  /** Remembers that what was sent last was accepted. */
  accepted(): void {
    for (const held of this.#held.values()) held.worked = true;
  }

  /**
   * Holds the challenge of one realm that we answer from now on.
   * @returns why not, if there is none
   */
  hold(key: string, challenges: readonly Challenge[]): "no credentials" | "nothing understood" | undefined {
    const usable = challenges.filter((challenge) => this.#algorithms.includes(challenge.algorithm));
    if (usable.length === 0) return "nothing understood";
    if (this.#options.choose === "strongest") {
      usable.sort((a, b) => digestAlgorithms.indexOf(b.algorithm) - digestAlgorithms.indexOf(a.algorithm));
    }
    const { credentials, hash } = this.#options;
    for (const challenge of usable) {
      const { realm } = challenge;
      const credential =
        typeof credentials === "function"
          ? credentials(realm)
          : credentials.find((candidate) => candidate.realm === undefined || candidate.realm === realm);
      if (credential === undefined) continue;
      const name = hashOf(challenge.algorithm);
      const ha1 =
        credential.ha1?.[name] ??
        (credential.password === undefined
          ? undefined
          : computeHa1(hash, name, {
              user: unq(credential.user),
              realm: unq(realm),
              password: credential.password,
            }));
      if (ha1 === undefined) continue;
      const { header, nonce, opaque, algorithm, namesAlgorithm, qop } = challenge;
      this.#held.set(key, {
        ...{ header, realm, nonce, opaque, algorithm, namesAlgorithm, qop, credential, ha1 },
        ...{ count: 0, cnonce: undefined, worked: false },
      });
      return undefined;
    }
    return "no credentials";
  }

  #answer(held: Held, request: DigestRequest): string {
    const { hash, random } = this.#options;
    const { algorithm, qop, nonce } = held;
    const nonceCount = qop === undefined ? undefined : (++held.count).toString(16).padStart(8, "0");
    let cnonce: string | undefined;
    if (qop !== undefined) {
      cnonce = isSession(algorithm) ? held.cnonce : undefined;
      cnonce ??= Array.from(random.bytes(12), (byte) => byte.toString(16).padStart(2, "0")).join("");
      held.cnonce = cnonce;
    }
    const response = digestResponse(hash, {
      ...{ algorithm, ha1: held.ha1, method: request.method, uri: request.uri, nonce: unq(nonce) },
      ...{ qop, nonceCount, cnonce, body: request.body },
    });
    const params = new Map([
      ["username", held.credential.user],
      ["realm", held.realm],
      ["nonce", nonce],
      ["uri", request.uri],
      ["response", response],
    ]);
    if (held.namesAlgorithm) params.set("algorithm", algorithm);
    if (qop !== undefined)
      params
        .set("cnonce", cnonce ?? "")
        .set("qop", qop)
        .set("nc", nonceCount ?? "");
    // RFC 7616 §3.3: opaque goes back unchanged.
    if (held.opaque !== undefined) params.set("opaque", held.opaque);
    return printCredentials({ scheme: "Digest", params });
  }
}

/**
 * The challenges met by one request of the application. It never loops: per realm one answer, and one more
 * if the server calls the nonce stale (RFC 3261 §22.1).
 */
export class AuthAttempt {
  readonly #session: AuthSession;
  /** Realms answered because of a challenge, and those answered anew because of `stale`. */
  readonly #answered = new Set<string>();
  readonly #renewed = new Set<string>();

  constructor(session: AuthSession) {
    this.#session = session;
  }

  /** Header fields for the request about to be sent: credentials for every realm that has asked so far. */
  headers(request: DigestRequest): [name: string, value: string][] {
    return this.#session.headers(request);
  }

  /** A final response other than 401 and 407 came: what was sent is good for later requests too. */
  accepted(): void {
    this.#session.accepted();
  }

  /**
   * Takes in a 401 or 407. Every realm in it that we have credentials for is answered, at least one has to
   * be; a realm that has just refused the same credentials ends the attempt.
   */
  challenged(response: SipResponse): ChallengeOutcome {
    const byRealm = readChallenges(response);
    let outcome: ChallengeOutcome | undefined;
    for (const [key, challenges] of byRealm) {
      const realm = challenges[0]?.realm;
      const held = this.#session.held(key);
      if (held !== undefined) {
        const isStale = challenges.some((challenge) => challenge.isStale);
        const isNew = challenges.some((challenge) => challenge.nonce !== held.nonce);
        // A nonce that served earlier requests well and is replaced now has worn out, even if the server
        // does not say stale; everything else means that the password is wrong.
        const wornOut = isNew && held.worked && !this.#answered.has(key);
        if (!((isStale && isNew) || wornOut) || this.#renewed.has(key)) {
          return { kind: "give up", reason: "rejected", realm };
        }
        this.#renewed.add(key);
      }
      const failure = this.#session.hold(key, challenges);
      if (failure === undefined) {
        this.#answered.add(key);
        outcome = { kind: "retry" };
      } else {
        outcome ??= { kind: "give up", reason: failure, realm };
      }
    }
    return outcome ?? { kind: "give up", reason: "nothing understood", realm: undefined };
  }
}

/** One challenge that we could answer if we have a secret for it. */
interface Challenge
  extends Pick<Held, "header" | "realm" | "nonce" | "opaque" | "algorithm" | "namesAlgorithm" | "qop"> {
  readonly isStale: boolean;
}

/**
 * The digest challenges of a response, by header and realm, in the order sent. What we do not understand is
 * left out (RFC 8760 §2.4): other schemes, algorithms, qualities of protection.
 */
function readChallenges(response: SipResponse): Map<string, Challenge[]> {
  const byRealm = new Map<string, Challenge[]>();
  for (const [name, header] of [
    ["WWW-Authenticate", "Authorization"],
    ["Proxy-Authenticate", "Proxy-Authorization"],
  ] as const) {
    for (const line of response.headers.rawAll(name)) {
      const params = readDigest(line);
      const realm = params?.get("realm");
      const nonce = params?.get("nonce");
      if (params === undefined || realm === undefined || nonce === undefined) continue;
      const algorithmText = params.get("algorithm");
      const algorithm = parseAlgorithm(algorithmText);
      if (algorithm === undefined) continue;
      const qopText = params.get("qop");
      const qop = chooseQop(qopText);
      // An offer of nothing but unknown qualities cannot be met; -sess needs a qop (RFC 3261 §22.4 item 8).
      if (qop === undefined && (qopText !== undefined || isSession(algorithm))) continue;
      const key = `${header} ${realm}`;
      const challenges = byRealm.get(key) ?? [];
      challenges.push({
        ...{ header, realm, nonce, algorithm, qop },
        opaque: params.get("opaque"),
        namesAlgorithm: algorithmText !== undefined,
        isStale: params.get("stale")?.toLowerCase() === "true",
      });
      byRealm.set(key, challenges);
    }
  }
  return byRealm;
}

/** "auth" where it is offered, else "auth-int" (it needs the whole body), else none of ours. */
function chooseQop(text: string | undefined): QualityOfProtection | undefined {
  const offered = text?.toLowerCase().split(/[\s,]+/) ?? [];
  if (offered.includes("auth")) return "auth";
  return offered.includes("auth-int") ? "auth-int" : undefined;
}

/** The parameters of a digest challenge; undefined for other schemes and for what cannot be read. */
function readDigest(line: string): ReadonlyMap<string, string> | undefined {
  try {
    const { scheme, params } = parseChallenge(line);
    return scheme.toLowerCase() === "digest" ? params : undefined;
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}
