// The server's side of digest: asks for credentials and checks them. RFC 3261 §22, RFC 7616, RFC 8760 §2.3.

import { ParseError } from "../errors.ts";
import {
  type DigestCredentials,
  equalUri,
  parseUri,
  quote,
  type SipRequest,
  type Uri,
} from "../message/index.ts";
import type { Clock, Hash, HashAlgorithm, MaybePromise, Random } from "../ports.ts";
import {
  type DigestAlgorithm,
  digestResponse,
  equalInConstantTime,
  hashOf,
  isSession,
  parseAlgorithm,
  type QualityOfProtection,
  unq,
} from "./digest.ts";
import { Nonces } from "./nonce.ts";

/** Who asks: a registrar, user agent or notifier with 401, a proxy with 407 (RFC 3261 §22.1). */
export type ChallengeRole = "user agent" | "proxy";

/**
 * The port to the accounts: H(user ":" realm ":" password) in lower-case hex under that hash, or undefined
 * if there is no such user, or none that may authenticate.
 */
export type Ha1Lookup = (
  user: string,
  realm: string,
  algorithm: HashAlgorithm,
) => MaybePromise<string | undefined>;

/** What `verify` found. */
export type Verification =
  | { readonly kind: "ok"; readonly user: string; readonly algorithm: DigestAlgorithm }
  /**
   * Answer with a challenge. `stale`: the password was right and only the nonce was not, so the client
   * need not ask its user again. `attempted`: the user name if credentials for the realm were there.
   */
  | { readonly kind: "challenge"; readonly stale: boolean; readonly attempted: string | undefined }
  /** Answer with 400; `reason` fits in a reason phrase and holds nothing secret. */
  | { readonly kind: "malformed"; readonly reason: string }
  /** Answer with 403: these credentials are not even looked at. Never from `Challenger` itself; for its subclasses. */
  | { readonly kind: "refused"; readonly reason: string };

export interface ChallengerOptions {
  readonly clock: Pick<Clock, "now">;
  readonly hash: Hash;
  readonly random: Random;
  /**
   * Offered in this order, most wanted first (RFC 8760 §2.3). Default `["MD5"]`, because widespread phones
   * give up when they see any other.
   */
  readonly algorithms?: readonly DigestAlgorithm[];
  /** Offered qualities of protection. Default `["auth"]`; clients that answer without qop are let in too. */
  readonly qop?: readonly QualityOfProtection[];
  /** Seconds that a nonce may be used. Default 300. */
  readonly nonceLifetime?: number;
  /** How many used nonces are remembered. Default 131 072. */
  readonly replayCapacity?: number;
  /**
   * Whether the digest's `uri` is an address that this server takes requests for (RFC 8760 §2.6 item 6),
   * asked when it is neither the Request-URI nor at the Request-URI's host. Default: no.
   */
  readonly acceptsUri?: (uri: Uri) => boolean;
}

const notAttempted: Verification = { kind: "challenge", stale: false, attempted: undefined };

/**
 * Makes the challenges of 401 and 407 and judges what comes back. Unknown users, disabled ones and wrong
 * passwords get the same answer after the same work.
 */
export class Challenger {
  readonly #hash: Hash;
  readonly #nonces: Nonces;
  readonly #algorithms: readonly DigestAlgorithm[];
  readonly #qop: readonly QualityOfProtection[];
  readonly #acceptsUri: (uri: Uri) => boolean;
  /** Challenges of one realm begin alike, and all end alike. */
  #realm: string | undefined;
  #start = "";
  readonly #end: string;
  /** Stands in for the HA1 of users that do not exist. */
  readonly #nobody: string;

  constructor(options: ChallengerOptions) {
    this.#hash = options.hash;
    this.#algorithms = options.algorithms ?? ["MD5"];
    this.#qop = options.qop ?? ["auth"];
    this.#end = `, qop="${this.#qop.join(",")}"`;
    this.#acceptsUri = options.acceptsUri ?? (() => false);
    this.#nobody = Array.from(options.random.bytes(32), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
    this.#nonces = new Nonces({
      clock: options.clock,
      random: options.random,
      ...(options.nonceLifetime === undefined ? {} : { lifetime: options.nonceLifetime }),
      ...(options.replayCapacity === undefined ? {} : { capacity: options.replayCapacity }),
    });
  }

  /** The status of a challenge: proxies answer 407, everybody else 401 (RFC 3261 §22.1). */
  static statusCode(role: ChallengeRole): 401 | 407 {
    return role === "proxy" ? 407 : 401;
  }

  /**
   * The header fields of a challenge, one per offered algorithm, most wanted first (RFC 8760 §2.3).
   * `algorithms` replaces those of the constructor, e.g. for one domain or listener.
   */
  challenge(
    role: ChallengeRole,
    realm: string,
    options: { readonly stale?: boolean; readonly algorithms?: readonly DigestAlgorithm[] } = {},
  ): [name: string, value: string][] {
    const name = role === "proxy" ? "Proxy-Authenticate" : "WWW-Authenticate";
    if (realm !== this.#realm) {
      this.#realm = realm;
      this.#start = `Digest realm=${quote(realm)}, nonce="`;
    }
    const nonce = this.#nonces.make(realm);
    // RFC 7616 §3.3: a client takes the absence of stale for "wrong password", so it is said only when true.
    const start = `${this.#start}${nonce}${options.stale ? '", stale=true, algorithm=' : '", algorithm='}`;
    const headers: [name: string, value: string][] = [];
    for (const algorithm of options.algorithms ?? this.#algorithms) {
      headers.push([name, `${start}${algorithm}${this.#end}`]);
    }
    return headers;
  }

  /**
   * Checks the credentials of a request for one realm. ACK and CANCEL must not be challenged (RFC 3261
   * §22.1): do not pass them. The answer is immediate when `ha1` answers at once.
   */
  verify(
    role: ChallengeRole,
    request: SipRequest,
    realm: string,
    ha1: Ha1Lookup,
    options: { readonly algorithms?: readonly DigestAlgorithm[] } = {},
  ): MaybePromise<Verification> {
    let values: readonly (DigestCredentials | undefined)[];
    try {
      values = request.headers.digestCredentials(role === "proxy" ? "Proxy-Authorization" : "Authorization");
    } catch (error) {
      if (error instanceof ParseError) return { kind: "malformed", reason: "Malformed Credentials" };
      throw error;
    }
    for (const credentials of values) {
      // §22.1: Basic is never accepted; other schemes are nothing that we understand (RFC 4475 §3.3.7).
      // §22.3: values for other realms are none of our business.
      if (credentials === undefined || credentials.realm !== realm) continue;
      const answer = readAnswer(credentials, options.algorithms ?? this.#algorithms, this.#qop);
      if (typeof answer === "string") return { kind: "malformed", reason: answer };
      if (answer === undefined) continue;
      if (!this.#isUriAcceptable(answer.uri, request)) {
        return { kind: "malformed", reason: "Digest URI Does Not Match" };
      }
      const expected = ha1(answer.user, realm, hashOf(answer.algorithm));
      return expected instanceof Promise
        ? expected.then((found) => this.#judge(request, realm, answer, found))
        : this.#judge(request, realm, answer, expected);
    }
    return notAttempted;
  }

  #judge(request: SipRequest, realm: string, answer: Answer, ha1: string | undefined): Verification {
    const expected = digestResponse(this.#hash, {
      algorithm: answer.algorithm,
      ha1: ha1 ?? this.#nobody,
      method: request.method,
      uri: answer.uri,
      nonce: answer.nonce,
      qop: answer.qop,
      nonceCount: answer.nonceCount,
      cnonce: answer.cnonce === undefined ? undefined : unq(answer.cnonce),
      body: request.body,
    });
    const isRight = equalInConstantTime(expected, answer.response) && ha1 !== undefined;
    if (!isRight) return { kind: "challenge", stale: false, attempted: answer.user };
    // The nonce is looked at last: only who knows the password may use it up, and hears that it is stale.
    const count = answer.nonceCount === undefined ? undefined : Number.parseInt(answer.nonceCount, 16);
    return this.#nonces.use(answer.nonce, realm, count) === "fresh"
      ? { kind: "ok", user: answer.user, algorithm: answer.algorithm }
      : { kind: "challenge", stale: true, attempted: answer.user };
  }

  /**
   * RFC 8760 §2.6 item 6: the digest's uri has to be an address that we take requests for; it need not be
   * the Request-URI, which a proxy may have changed. Phones leave out port and parameters, or name the
   * user where the Request-URI of a REGISTER names only the domain.
   */
  #isUriAcceptable(text: string, request: SipRequest): boolean {
    if (text === request.requestUriText) return true;
    let uri: Uri;
    try {
      uri = parseUri(text);
    } catch {
      return false;
    }
    const { requestUri } = request;
    if (equalUri(uri, requestUri)) return true;
    if ("host" in uri && "host" in requestUri && uri.host === requestUri.host) {
      if (uri.user === requestUri.user || request.method === "REGISTER") return true;
    }
    return this.#acceptsUri(uri);
  }
}

/** Credentials for our realm that can be checked. */
interface Answer {
  readonly user: string;
  readonly algorithm: DigestAlgorithm;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly qop: QualityOfProtection | undefined;
  readonly nonceCount: string | undefined;
  readonly cnonce: string | undefined;
}

/** Reads digest credentials: undefined if they answer something that we did not offer, a reason if improper. */
function readAnswer(
  credentials: DigestCredentials,
  algorithms: readonly DigestAlgorithm[],
  offered: readonly QualityOfProtection[],
): Answer | string | undefined {
  const { nonce, uri, cnonce, nonceCount } = credentials;
  if (nonce === undefined || uri === undefined || credentials.response === undefined) {
    return "Incomplete Credentials";
  }
  const user = readUser(credentials);
  if (user === undefined) return "Credentials Without User Name";
  const algorithm = parseAlgorithm(credentials.algorithm);
  if (algorithm === undefined || !algorithms.includes(algorithm)) return undefined;
  const response = credentials.response.toLowerCase();
  const qop = credentials.qop?.toLowerCase();
  if (qop === undefined) {
    // RFC 2069 style, which RFC 3261 §22.4 still asks servers to take; -sess cannot do without a cnonce (item 8).
    if (isSession(algorithm)) return "Credentials Without qop";
    return { user, algorithm, nonce, uri, response, qop, nonceCount: undefined, cnonce };
  }
  if (!isOffered(qop, offered)) return undefined;
  if (nonceCount === undefined || cnonce === undefined) return "Incomplete Credentials";
  // RFC 7616 §3.4: nc is eight hex digits; fewer or more are no reason to lock a phone out.
  if (!/^[0-9a-f]{1,8}$/i.test(nonceCount)) return "Malformed Nonce Count";
  return { user, algorithm, nonce, uri, response, qop, nonceCount, cnonce };
}

function isOffered(qop: string, offered: readonly QualityOfProtection[]): qop is QualityOfProtection {
  return (offered as readonly string[]).includes(qop);
}

/** The user name, from `username` or the extended `username*` (RFC 7616 §3.4), never from both. */
function readUser({ username, extendedUsername }: DigestCredentials): string | undefined {
  if (extendedUsername === undefined) return username;
  const encoded = /^UTF-8'[^']*'(.*)$/i.exec(extendedUsername)?.[1];
  if (username !== undefined || encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
