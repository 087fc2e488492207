// Event, Allow-Events, Subscription-State: RFC 6665 §8.2.1–§8.2.3.
import { type Params, printParams } from "../params.ts";
import { Reader } from "../reader.ts";

export interface Event {
  /** The package with its templates, e.g. "presence.winfo". Compare byte by byte (§8.2.1). */
  readonly type: string;
  readonly id?: string;
  readonly params: Params;
}

export function decodeEvent(bytes: Uint8Array, start: number, end: number, field: string): Event {
  const reader = new Reader(bytes, start, end, field);
  const type = reader.token("the event package");
  const params = reader.params();
  return { type, id: params.get("id"), params } as Event;
}

/** What can be printed: `params` only for what has no field of its own. */
export type EventInit = Omit<Event, "params"> & { readonly params?: Params };

export function printEvent(value: EventInit): string {
  const others = new Map(value.params);
  others.delete("id");
  return `${value.type}${value.id === undefined ? "" : `;id=${value.id}`}${printParams(others)}`;
}

export interface SubscriptionState {
  /** Lower case: "active", "pending", "terminated", or an extension. */
  readonly state: string;
  readonly reason?: string;
  readonly expires?: number;
  readonly retryAfter?: number;
  readonly params: Params;
}

export function decodeSubscriptionState(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
): SubscriptionState {
  const reader = new Reader(bytes, start, end, field);
  const state = reader.token("the state").toLowerCase();
  const params = reader.params();
  const seconds = (name: string): number | undefined => {
    const text = params.get(name);
    if (text === undefined) return undefined;
    if (!/^\d{1,12}$/.test(text)) reader.fail(`${name} is not a number`);
    return Math.min(Number(text), 0xffffffff);
  };
  return {
    state,
    reason: params.get("reason")?.toLowerCase(),
    expires: seconds("expires"),
    retryAfter: seconds("retry-after"),
    params,
  } as SubscriptionState;
}

/** What can be printed: `params` only for what has no field of its own. */
export type SubscriptionStateInit = Omit<SubscriptionState, "params"> & { readonly params?: Params };

export function printSubscriptionState(value: SubscriptionStateInit): string {
  let out = value.state;
  if (value.reason !== undefined) out += `;reason=${value.reason}`;
  if (value.expires !== undefined) out += `;expires=${value.expires}`;
  if (value.retryAfter !== undefined) out += `;retry-after=${value.retryAfter}`;
  const others = new Map(value.params);
  for (const name of ["reason", "expires", "retry-after"]) others.delete(name);
  return out + printParams(others);
}
