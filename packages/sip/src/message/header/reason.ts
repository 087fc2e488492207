// Reason: RFC 3326, with RFC 6432 (Q.850 in responses).
import { isToken, type Params, printParams, quote } from "../params.ts";
import { Reader } from "../reader.ts";

export interface Reason {
  /** "SIP", "Q.850", … as written. */
  readonly protocol: string;
  readonly cause?: number;
  readonly text?: string;
  readonly params: Params;
}

export function decodeReason(bytes: Uint8Array, start: number, end: number, field: string): Reason {
  const reader = new Reader(bytes, start, end, field);
  const protocol = reader.token("the protocol");
  const params = reader.params();
  const cause = params.get("cause");
  if (cause !== undefined && !/^\d{1,9}$/.test(cause)) reader.fail("cause is not a number");
  return {
    protocol,
    cause: cause === undefined ? undefined : Number(cause),
    text: params.get("text"),
    params,
  } as Reason;
}

/** What can be printed: `params` only for extensions. */
export type ReasonInit = Omit<Reason, "params"> & { readonly params?: Params };

export function printReason(value: ReasonInit): string {
  let out = value.protocol;
  if (value.cause !== undefined) out += `;cause=${value.cause}`;
  // RFC 3326 §2: reason-text is a quoted string.
  if (value.text !== undefined) out += `;text=${quote(value.text)}`;
  if (value.params === undefined || value.params.size === 0) return out;
  const others = new Map(value.params);
  others.delete("cause");
  others.delete("text");
  return isToken(value.protocol) ? out + printParams(others) : out;
}
