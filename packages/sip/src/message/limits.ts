// Upper bounds on what the parser takes in, so that one message cannot hold the process up.

/**
 * Sizes in bytes; `headerCount` in header fields. A request that exceeds one is refused: 414 for the Request-URI, then
 * 413 for the body, 513 for the rest.
 */
export interface Limits {
  /** A whole message, head and body. */
  readonly messageSize: number;
  /** The head: start line, header fields, and the empty line. Default 65536; more than 131072 is never read. */
  readonly headSize?: number;
  /** The body of a request. Default: no bound but that of the whole message. */
  readonly bodySize?: number;
  /** Header fields in one message. */
  readonly headerCount: number;
  /** One header field with all its continuation lines, or the start line. */
  readonly lineLength: number;
  /** The Request-URI. */
  readonly uriLength: number;
}

/** For what was let in before, or made here: what we have added to it must not make it unreadable for ourselves. */
export const noLimits: Limits = {
  messageSize: Number.POSITIVE_INFINITY,
  headSize: Number.POSITIVE_INFINITY,
  headerCount: Number.POSITIVE_INFINITY,
  lineLength: Number.POSITIVE_INFINITY,
  uriLength: Number.POSITIVE_INFINITY,
};

/** The bounds used where nothing else is given. */
export const defaultLimits: Limits & { readonly headSize: number } = {
  messageSize: 65536,
  headSize: 65536,
  headerCount: 256,
  lineLength: 8192,
  uriLength: 4096,
};
