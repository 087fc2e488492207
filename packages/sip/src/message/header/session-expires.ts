// Session-Expires and Min-SE: RFC 4028 §4, §5.
import { type Params, printParams } from "../params.ts";
import { Reader } from "../reader.ts";

export interface SessionExpires {
  readonly seconds: number;
  /** Who refreshes. */
  readonly refresher?: "uac" | "uas";
  readonly params: Params;
}

export function decodeSessionExpires(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
): SessionExpires {
  const reader = new Reader(bytes, start, end, field);
  const seconds = reader.number(Number.MAX_SAFE_INTEGER / 16);
  const params = reader.params();
  const refresher = params.get("refresher")?.toLowerCase();
  if (refresher !== undefined && refresher !== "uac" && refresher !== "uas")
    reader.fail("refresher is neither uac nor uas");
  return { seconds: Math.min(seconds, 0xffffffff), refresher, params } as SessionExpires;
}

/** What can be printed: `params` only for extensions. */
export type SessionExpiresInit = Omit<SessionExpires, "params"> & { readonly params?: Params };

export function printSessionExpires(value: SessionExpiresInit | number): string {
  if (typeof value === "number") return String(value);
  const others = new Map(value.params);
  others.delete("refresher");
  return `${value.seconds}${value.refresher === undefined ? "" : `;refresher=${value.refresher}`}${printParams(others)}`;
}

/** Min-SE: seconds; parameters are allowed and ignored. */
export function decodeMinSe(bytes: Uint8Array, start: number, end: number, field: string): number {
  const reader = new Reader(bytes, start, end, field);
  const seconds = reader.number(Number.MAX_SAFE_INTEGER / 16);
  reader.params();
  return Math.min(seconds, 0xffffffff);
}
