// Upper bounds on what the parser takes in, so that one message cannot hold the process up.

/** Sizes in bytes; `headerCount` in header fields. What exceeds one is refused: 513, or 414 for the Request-URI. */
export interface Limits {
  /** A whole message, head and body. */
  readonly messageSize: number;
  /** Header fields in one message. */
  readonly headerCount: number;
  /** One header field with all its continuation lines, or the start line. */
  readonly lineLength: number;
  /** The Request-URI. */
  readonly uriLength: number;
}

/** The bounds used where nothing else is given. */
export const defaultLimits: Limits = {
  messageSize: 65536,
  headerCount: 256,
  lineLength: 8192,
  uriLength: 2048,
};
