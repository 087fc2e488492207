// What a row of the torture table says, and what many rows say alike.
import type { SipMessage } from "@offhook/sip/message";

/** What an element answers, as a whole. */
export interface StackVerdict {
  /** Who decides: the parser, the stack below all roles, or a role. */
  readonly by: "parser" | "stack" | "proxy" | "registrar" | "user agent";
  /** Statuses that fit the text; "none" if nothing is ever sent; "policy" where the RFC leaves it to the element. */
  readonly status: readonly number[] | "none" | "policy";
  /** Header fields that this response must carry. */
  readonly headers?: readonly string[];
  readonly why: string;
}

export interface TortureRow {
  readonly file: string;
  /** RFC and section. */
  readonly section: string;
  readonly title: string;
  readonly kind: "request" | "response";
  /** Message level: parses; is refused with a status; is dropped (a response is never answered). */
  readonly verdict: "accept" | "refuse" | "drop";
  /** The status that the ParseError names. */
  readonly status?: number;
  /** Part of the ParseError's message. */
  readonly reason?: string;
  /** Headers that parse only on demand and are malformed here, with the reason. */
  readonly lateErrors?: Readonly<Record<string, string>>;
  readonly stack: StackVerdict;
  /** What must be read out of a message that parses: path-like name and value. */
  readonly reads?: (message: SipMessage) => readonly (readonly [actual: unknown, expected: unknown])[];
}

export const policy: StackVerdict = {
  by: "proxy",
  status: "policy",
  why: "well-formed: local policy decides",
};
export const noMatch: StackVerdict = {
  by: "stack",
  status: "none",
  why: "a response that matches no transaction is discarded (RFC 3261 §18.1.2)",
};
export const byParser = (status: number): StackVerdict => ({
  by: "parser",
  status: [status],
  why: "malformed",
});

export function request(m: SipMessage) {
  if (m.kind !== "request") throw new Error("not a request");
  return m;
}
export function sip(uri: { scheme: string }) {
  return uri as {
    scheme: string;
    user?: string;
    host: string;
    port?: number;
    params: ReadonlyMap<string, string>;
    headers: ReadonlyMap<string, string>;
  };
}
export const vias = (m: SipMessage) => m.headers.getAll("Via");
