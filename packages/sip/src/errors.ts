// Every error class of the library, each with a stable `code` (see docs/errors.md for the list).

import type { Reason, SipResponse, Warning } from "./message/index.ts";
import type { Retry } from "./responses/index.ts";

/** Base of all errors that this library throws on purpose. `code` is stable across releases. */
export class SipError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/**
 * The bytes break a rule of the grammar. Thrown by the parser and by `headers.get()`.
 * `status` is what a server answers (400, 505, 416, …); `offset` is where in the message, -1 if unknown.
 */
export class ParseError extends SipError {
  readonly status: number;
  readonly offset: number;
  /** The header field at fault by its long name, or "start line", "Request-URI", "body". */
  readonly field: string;

  constructor(field: string, reason: string, options: { status?: number; offset?: number } = {}) {
    super("SIP_PARSE", `${field}: ${reason}`);
    this.field = field;
    this.status = options.status ?? 400;
    this.offset = options.offset ?? -1;
  }
}

/** The caller used the library in a way that its present state forbids, e.g. answered a call twice. */
export class StateError extends SipError {
  constructor(message: string) {
    super("SIP_STATE", message);
  }
}

/** An argument or option that can never work, e.g. a header value with a line break in it. */
export class ArgumentError extends SipError {
  constructor(message: string) {
    super("SIP_ARGUMENT", message);
  }
}

/** What is known of a failed request beyond its final response. */
export interface RejectedDetails {
  readonly origin?: "peer" | "timeout" | "transport" | "canceled";
  readonly retry?: Retry;
  readonly retryAfter?: number | undefined;
  readonly retries?: readonly number[];
  readonly warnings?: readonly Warning[];
  readonly reasons?: readonly Reason[];
  readonly q850?: number | undefined;
  readonly cause?: unknown;
}

/**
 * The call or request failed: `response` is the final response, made here if nobody answered (`SIP_TIMEOUT`,
 * a 408) or nobody could be reached (`SIP_TRANSPORT`, a 503), RFC 3261 §8.1.3.1. Otherwise `SIP_REJECTED`.
 * `explain` of `core` says in words what it means and what to check.
 */
export class Rejected extends SipError {
  readonly response: SipResponse;
  /** Who made the response: the peer or a proxy, or this side. */
  readonly origin: "peer" | "timeout" | "transport" | "canceled";
  /** Whether sending it again makes sense, as the code has it; `retryAfter` says when. */
  readonly retry: Retry;
  /** Seconds that the peer asked to wait before another try (§20.33). */
  readonly retryAfter: number | undefined;
  /** The status codes after each of which it was sent again by itself before the failure was final, in order. */
  readonly retries: readonly number[];
  /** What the peer's Warning header fields say (§20.43). */
  readonly warnings: readonly Warning[];
  /** What its Reason header fields say (RFC 3326). */
  readonly reasons: readonly Reason[];
  /** The release cause of the telephone network: the one that Reason names (RFC 6432), else as RFC 3398 maps the code. */
  readonly q850: number | undefined;

  constructor(response: SipResponse, details: RejectedDetails = {}) {
    const { origin = "peer", cause } = details;
    const code = {
      peer: "SIP_REJECTED",
      canceled: "SIP_REJECTED",
      timeout: "SIP_TIMEOUT",
      transport: "SIP_TRANSPORT",
    };
    super(
      code[origin],
      `${response.statusCode} ${response.reasonPhrase}`,
      cause === undefined ? undefined : { cause },
    );
    this.response = response;
    this.origin = origin;
    this.retry = details.retry ?? "never";
    this.retryAfter = details.retryAfter;
    this.retries = details.retries ?? [];
    this.warnings = details.warnings ?? [];
    this.reasons = details.reasons ?? [];
    this.q850 = details.q850;
  }

  get statusCode(): number {
    return this.response.statusCode;
  }
  /** As received. */
  get reasonPhrase(): string {
    return this.response.reasonPhrase;
  }
}

/** The call ended before what was asked for could be done, e.g. the caller gave up while `answer()` was under way. */
export class CallEndedError extends SipError {
  constructor(message: string, options?: ErrorOptions) {
    super("SIP_CALL_ENDED", message, options);
  }
}

/**
 * Offer and answer do not go together, RFC 3264. `warning` is a warn-code of RFC 3261 §20.43 if one fits; `isMalformed`
 * is true for a description that cannot be read at all.
 */
export class NegotiationError extends SipError {
  readonly warning: number | undefined;
  readonly isMalformed: boolean;

  constructor(message: string, options: { warning?: number; isMalformed?: boolean; cause?: unknown } = {}) {
    super("SIP_NEGOTIATION", message, options.cause === undefined ? undefined : { cause: options.cause });
    this.warning = options.warning;
    this.isMalformed = options.isMalformed ?? false;
  }
}

/** Bytes could not be brought to the peer: no way there, refused, broken, timed out. */
export class TransportError extends SipError {
  /** Somebody who had to be asked first (DNS) did not answer in time. */
  readonly isTimeout: boolean;

  constructor(message: string, options: ErrorOptions & { isTimeout?: boolean } = {}) {
    super("SIP_TRANSPORT", message, options);
    this.isTimeout = options.isTimeout ?? false;
  }
}
