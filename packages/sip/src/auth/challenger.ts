// The server's side of digest: asks for credentials and checks them. RFC 3261 §22, RFC 7616, RFC 8760 §2.3.

import { ParseError } from "../errors.ts";
import { spelling } from "../message/grammar.ts";
import {
  type DigestCredentials,
  equalUri,
  type HeaderWriter,
  parseUri,
  quote,
  type SipRequest,
  type Uri,
} from "../message/index.ts";
import type { Clock, Hash, HashAlgorithm, MaybePromise, Random } from "../ports.ts";
import {
  type DigestAlgorithm,
  hashOf,
  isSession,
  parseAlgorithm,
  type QualityOfProtection,
} from "./digest.ts";
import { ExpectedResponse } from "./expected-response.ts";
import { NONCE_LENGTH, Nonces } from "./nonce.ts";

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

export interface ChallengeOptions {
  /** The password was right, only the nonce was not. */
  readonly stale?: boolean;
  /** Offered instead of the challenger's own. */
  readonly algorithms?: readonly DigestAlgorithm[] | undefined;
}

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
  readonly #expected: ExpectedResponse;
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
    this.#expected = new ExpectedResponse(options.hash);
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
    options: ChallengeOptions = {},
  ): [name: string, value: string][] {
    const nonce = this.#nonces.make(realm);
    const { algorithms = this.#algorithms, stale } = options;
    return algorithms.map((algorithm) => [
      headerOf(role),
      `${this.#startOf(realm)}${nonce}${middleOf(stale)}${algorithm}${this.#end}`,
    ]);
  }

  /** As `challenge`, written straight into a response (`ResponseOptions.write`). */
  writeChallenge(to: HeaderWriter, role: ChallengeRole, realm: string, options: ChallengeOptions = {}): void {
    this.#nonces.write(realm, nonce);
    const start = this.#startOf(realm);
    for (const algorithm of options.algorithms ?? this.#algorithms) {
      to.text(headerOf(role)).text(": ").text(start).bytes(nonce, 0, NONCE_LENGTH);
      to.text(middleOf(options.stale)).text(algorithm).text(this.#end).text("\r\n");
    }
  }

  #startOf(realm: string): string {
    if (realm !== this.#realm) {
      this.#realm = realm;
      this.#start = `Digest realm=${quote(realm)}, nonce="`;
    }
    return this.#start;
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
    options: Pick<ChallengeOptions, "algorithms"> = {},
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
      if (credentials === undefined || !isForRealm(credentials, realm)) continue;
      const answer = readAnswer(credentials, options.algorithms ?? this.#algorithms, this.#qop);
      if (typeof answer === "string") return { kind: "malformed", reason: answer };
      if (answer === undefined) continue;
      if (!this.#isUriAcceptable(credentials, request)) {
        return { kind: "malformed", reason: "Digest URI Does Not Match" };
      }
      const expected = ha1(answer.user, realm, hashOf(answer.algorithm));
      return expected instanceof Promise
        ? expected.then((found) => this.#judge(request, realm, answer, found))
        : this.#judge(request, realm, answer, expected);
    }
    return notAttempted;
  }

  /** The bytes of the request may have moved since the credentials were read, but the places in them have not. */
  #judge(request: SipRequest, realm: string, answer: Answer, ha1: string | undefined): Verification {
    const { credentials, user, algorithm, qop, count } = answer;
    const isExpected = this.#expected.isThatOf(credentials, request.bytes, {
      algorithm,
      ha1: ha1 ?? this.#nobody,
      method: request.method,
      qop,
      body: request.body,
    });
    if (!isExpected || ha1 === undefined) return { kind: "challenge", stale: false, attempted: user };
    // The nonce is looked at last: only who knows the password may use it up, and hears that it is stale.
    const { nonceStart, nonceEnd } = credentials;
    return this.#nonces.use(request.bytes, nonceStart, nonceEnd, realm, count) === "fresh"
      ? { kind: "ok", user, algorithm }
      : { kind: "challenge", stale: true, attempted: user };
  }

  /**
   * RFC 8760 §2.6 item 6: the digest's uri has to be an address that we take requests for; it need not be
   * the Request-URI, which a proxy may have changed. Phones leave out port and parameters, or name the
   * user where the Request-URI of a REGISTER names only the domain.
   */
  #isUriAcceptable(credentials: DigestCredentials, request: SipRequest): boolean {
    const { uriStart, uriEnd } = credentials;
    if (request.isRequestUri(credentials.bytes, uriStart, uriEnd)) return true;
    const text = credentials.text(uriStart, uriEnd);
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

/** The nonce of the challenge that is being written. */
const nonce = new Uint8Array(NONCE_LENGTH);

function headerOf(role: ChallengeRole): string {
  return role === "proxy" ? "Proxy-Authenticate" : "WWW-Authenticate";
}

/** RFC 7616 §3.3: a client takes the absence of stale for "wrong password", so it is said only when true. */
function middleOf(isStale: boolean | undefined): string {
  return isStale ? '", stale=true, algorithm=' : '", algorithm=';
}

/** Credentials for our realm that can be checked. */
interface Answer {
  readonly credentials: DigestCredentials;
  readonly user: string;
  readonly algorithm: DigestAlgorithm;
  readonly qop: QualityOfProtection | undefined;
  /** nc. */
  readonly count: number | undefined;
}

function isForRealm(credentials: DigestCredentials, realm: string): boolean {
  const { realmStart, realmEnd } = credentials;
  return realmStart >= 0 && credentials.is(realmStart, realmEnd, realm);
}

/** Reads digest credentials: undefined if they answer something that we did not offer, a reason if improper. */
function readAnswer(
  credentials: DigestCredentials,
  algorithms: readonly DigestAlgorithm[],
  offered: readonly QualityOfProtection[],
): Answer | string | undefined {
  const { nonceStart, uriStart, responseStart, cnonceStart, nonceCountStart } = credentials;
  if (nonceStart < 0 || uriStart < 0 || responseStart < 0) return "Incomplete Credentials";
  const user = readUser(credentials);
  if (user === undefined) return "Credentials Without User Name";
  const algorithm = readAlgorithm(credentials);
  if (algorithm === undefined || !algorithms.includes(algorithm)) return undefined;
  if (credentials.qopStart < 0) {
    // RFC 2069 style, which RFC 3261 §22.4 still asks servers to take; -sess cannot do without a cnonce (item 8).
    if (isSession(algorithm)) return "Credentials Without qop";
    return { credentials, user, algorithm, qop: undefined, count: undefined };
  }
  const qop = readQop(credentials, offered);
  if (qop === undefined) return undefined;
  if (nonceCountStart < 0 || cnonceStart < 0) return "Incomplete Credentials";
  const count = readCount(credentials);
  return count < 0 ? "Malformed Nonce Count" : { credentials, user, algorithm, qop, count };
}

const MD5 = spelling("MD5");

function readAlgorithm(credentials: DigestCredentials): DigestAlgorithm | undefined {
  const { algorithmStart: start, algorithmEnd: end } = credentials;
  if (start < 0 || credentials.spells(start, end, MD5)) return "MD5";
  return parseAlgorithm(credentials.text(start, end));
}

const AUTH = spelling("auth");
const AUTH_INT = spelling("auth-int");

/** The qop, if it was offered. */
function readQop(
  credentials: DigestCredentials,
  offered: readonly QualityOfProtection[],
): QualityOfProtection | undefined {
  const { qopStart: start, qopEnd: end } = credentials;
  const isInt = credentials.spells(start, end, AUTH_INT);
  if (!isInt && !credentials.spells(start, end, AUTH)) return undefined;
  const qop = isInt ? "auth-int" : "auth";
  return offered.includes(qop) ? qop : undefined;
}

/** RFC 7616 §3.4: nc is eight hex digits; fewer or more are no reason to lock a phone out. -1 if it is none. */
function readCount({ bytes, nonceCountStart: start, nonceCountEnd: end }: DigestCredentials): number {
  if (start === end || end - start > 8) return -1;
  let count = 0;
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    const letter = c | 0x20;
    if (c >= 0x30 && c <= 0x39) count = count * 16 + c - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) count = count * 16 + letter - 0x57;
    else return -1;
  }
  return count;
}

/** The user name, from `username` or the extended `username*` (RFC 7616 §3.4), never from both. */
function readUser(credentials: DigestCredentials): string | undefined {
  const { usernameStart, usernameEnd, extendedUsernameStart, extendedUsernameEnd } = credentials;
  const isPlain = usernameStart >= 0;
  if (extendedUsernameStart < 0) return isPlain ? credentials.text(usernameStart, usernameEnd) : undefined;
  const extended = credentials.text(extendedUsernameStart, extendedUsernameEnd);
  const encoded = /^UTF-8'[^']*'(.*)$/i.exec(extended)?.[1];
  if (isPlain || encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
