// The shape of the facts on one response code. RFC 3261 §7.2, §8.1.3, §20, §21.

/** The six classes of RFC 3261 §7.2, by the name the RFC gives them. */
export type ResponseClass =
  | "provisional"
  | "success"
  | "redirection"
  | "request failure"
  | "server failure"
  | "global failure";

/**
 * Who makes a code, as opposed to passing it on. A proxy that answers for itself acts as a UAS, but is named
 * here as `proxy`, because what it may answer differs.
 *
 * - `compositor`: takes PUBLISH (RFC 3903) · `verifier`: checks Identity (RFC 8224)
 * - `relay`: multiplies or stores requests (RFC 5360, 3428) · `intermediary`: serves the callee (RFC 8688)
 */
export type Role =
  | "uas"
  | "proxy"
  | "registrar"
  | "redirect"
  | "notifier"
  | "subscriber"
  | "compositor"
  | "gateway"
  | "relay"
  | "verifier"
  | "intermediary";

/** Where a code stands: `obsolete` ones are of RFC 2543 only, a `reserved` one has no defined use yet. */
export type Standing = "current" | "deprecated" | "obsolete" | "reserved";

/**
 * What a client may do after a final response, by itself unless said otherwise.
 *
 * - `none`: nothing failed · `never`: do not send this request again
 * - `changed`: once more, after the change that the headers in `guidedBy` ask for
 * - `credentials`: once more per realm, with an answer to the challenge
 * - `other target`: the same request elsewhere (Contact of a 3xx, next server, next flow)
 * - `delayed`: the same request later · `by person`: only after a person decided
 */
export type Retry = "none" | "never" | "changed" | "credentials" | "other target" | "delayed" | "by person";

/** What ends when the failure meets a request inside a dialog (RFC 5057 §5.1). */
export type Effect = "transaction" | "usage" | "dialog";

/** One place in an RFC: its number and section. */
export interface Reference {
  readonly rfc: number;
  readonly section: string;
}

/** A header that must be there when a condition holds; `when` is a short English phrase. */
export interface ConditionalHeader {
  readonly header: string;
  readonly when: string;
}

/** Headers beyond those that every response copies (§8.2.6.2), by strength of the rule. */
export interface HeaderRules {
  readonly must?: readonly string[];
  readonly mustWhen?: readonly ConditionalHeader[];
  readonly should?: readonly string[];
  readonly may?: readonly string[];
}

/** Everything the library knows about one response code. */
export interface ResponseFacts {
  readonly code: number;
  /** The registered reason phrase. */
  readonly phrase: string;
  readonly class: ResponseClass;
  /** Where the code is defined first, then what changed or uses it. */
  readonly sources: readonly [Reference, ...Reference[]];
  readonly standing: Standing;
  /** False for the two codes of RFC 2543 that the IANA registry does not hold. */
  readonly isRegistered: boolean;
  readonly roles: readonly [Role, ...Role[]];
  /** Methods that it may answer; "any" is every method but ACK, which is never answered. */
  readonly methods: "any" | readonly [string, ...string[]];
  /** Methods of "any" that it must not answer (§22.1: CANCEL cannot be challenged). */
  readonly notMethods?: readonly string[];
  /** Present if the code makes sense only there. */
  readonly dialog?: "inside" | "outside";
  readonly headers: HeaderRules;
  readonly retry: Retry;
  /** Response headers that tell the client what to change or how long to wait. */
  readonly guidedBy?: readonly string[];
  /** Absent below 300. */
  readonly effect?: Effect;
  /** True if it ends a subscription when it answers a refresh or a NOTIFY (RFC 6665 §4.1.2.2, §4.2.2). */
  readonly endsSubscription?: true;
}
