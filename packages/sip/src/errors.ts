// Every error class of the library, each with a stable `code` (see docs/errors.md for the list).

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
