// A binding: where an address-of-record can be reached, and until when. RFC 3261 §10.3, RFC 3327, RFC 5626 §6.

import { equalUri, parseUri, type Uri } from "../message/index.ts";
import type { TransportName } from "../transport/flow.ts";

/** Where a REGISTER came from. */
export interface ReceivedFrom {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

/**
 * One contact of an address-of-record. Plain data with strings of its own: it keeps no message alive. A store
 * in memory may refresh it in place (CSeq and times); copy it to compare with later.
 */
export interface Binding {
  /** The address-of-record in canonical form, "sip:alice@example.com" (§10.3 step 5). */
  readonly aor: string;
  /** The contact URI as it was registered, headers and escapes included. */
  readonly contact: string;
  readonly callId: string;
  readonly cSeq: number;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** 0 to 1; 1 where the contact has none. */
  readonly q: number;
  /** Path values, topmost first, each as it stood in the header field (RFC 3327 §5.3). */
  readonly path: readonly string[];
  /** The flow that the REGISTER came over. */
  readonly flowId: string | undefined;
  readonly received: ReceivedFrom | undefined;
  readonly userAgent: string | undefined;
  /** `+sip.instance`, angle brackets included (RFC 5626 §4.1). */
  readonly instanceId: string | undefined;
  readonly regId: number | undefined;
  /** The contact's other parameters as text, e.g. `;methods="INVITE,BYE"` (RFC 3840), for the 200. */
  readonly params: string | undefined;
  /** When the last REGISTER for it was handled, milliseconds since the Unix epoch. */
  readonly updatedAt: number;
}

/** One Contact of a REGISTER, its expiry already decided on (§10.3 step 7). */
export interface ContactChange {
  readonly uri: string;
  /** Seconds; 0 removes the binding. */
  readonly expires: number;
  readonly q: number;
  readonly instanceId?: string | undefined;
  readonly regId?: number | undefined;
  readonly params?: string | undefined;
}

/** What one REGISTER asks for. */
export interface BindingChange {
  readonly callId: string;
  readonly cSeq: number;
  /** "*" removes every binding (§10.2.2). */
  readonly contacts: readonly ContactChange[] | "*";
  readonly path: readonly string[];
  readonly flowId?: string | undefined;
  readonly received?: ReceivedFrom | undefined;
  readonly userAgent?: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Why nothing was changed. */
export type ChangeRefusal = "out of order" | "too many bindings";

/** The bindings after a change, or the reason that left them as they were. */
export type ChangePlan =
  | { readonly ok: true; readonly bindings: readonly Binding[] }
  | { readonly ok: false; readonly reason: ChangeRefusal };

/** What to do with a new contact when an address-of-record has as many bindings as it may. */
export type WhenFull = "reject" | "replace oldest";

const noPath: readonly string[] = [];
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A copy of a string that holds nothing else: a substring of a message would keep the whole message in memory.
 */
export function detachText(text: string): string {
  return decoder.decode(encoder.encode(text));
}

/** True if the two contacts name the same place by §19.1.4. */
export function equalContact(a: string, b: string): boolean {
  if (a === b) return true;
  const [first, second] = [readUri(a), readUri(b)];
  return first !== undefined && second !== undefined && equalUri(first, second);
}

function readUri(text: string): Uri | undefined {
  try {
    return parseUri(text);
  } catch {
    return undefined;
  }
}

/**
 * Steps 6 and 7 of §10.3 on the bindings that an address-of-record has now: all of the change or nothing.
 * Bindings that have expired do not count. Changes no argument; unchanged bindings stay the same objects.
 */
export function planChange(
  aor: string,
  current: readonly Binding[],
  change: BindingChange,
  limits: { readonly maxBindings: number; readonly whenFull: WhenFull },
): ChangePlan {
  const { now } = change;
  const bindings = current.filter((binding) => binding.expiresAt > now);
  if (change.contacts === "*") {
    // Step 6: a binding of the same Call-ID is removed only by a higher CSeq; otherwise all is aborted.
    return bindings.some((binding) => isOutOfOrder(binding, change))
      ? { ok: false, reason: "out of order" }
      : { ok: true, bindings: [] };
  }
  const before = bindings.length;
  // An address-of-record seen for the first time gets a string of its own; later bindings share it.
  const key = current[0]?.aor ?? detachText(aor);
  for (const contact of change.contacts) {
    const index = bindings.findIndex((binding) => isSameBinding(binding, contact));
    const known = bindings[index];
    if (known === undefined) {
      if (contact.expires > 0) bindings.push(makeBinding(key, contact, change, undefined));
      continue;
    }
    // Step 7: out-of-order requests of one user agent are ignored. What this request has just set is not
    // "out of order" if it names the contact twice: the later value counts.
    if (current.includes(known) && isOutOfOrder(known, change)) return { ok: false, reason: "out of order" };
    if (contact.expires === 0) bindings.splice(index, 1);
    else bindings[index] = makeBinding(key, contact, change, known);
  }
  while (bindings.length > limits.maxBindings && bindings.length > before) {
    if (limits.whenFull === "reject") return { ok: false, reason: "too many bindings" };
    bindings.splice(indexOfOldest(bindings), 1);
  }
  return { ok: true, bindings };
}

/**
 * Step 7 for what most requests are: the same user agent, by the same way, refreshes the only binding there is.
 * True if the change was that and has been made; false if it has to be planned.
 */
export function refreshInPlace(binding: Binding, change: BindingChange): boolean {
  const { contacts } = change;
  if (contacts.length !== 1 || contacts === "*") return false;
  const contact = contacts[0]!;
  const isRefresh =
    contact.uri === binding.contact &&
    contact.expires > 0 &&
    change.callId === binding.callId &&
    change.cSeq > binding.cSeq &&
    binding.expiresAt > change.now &&
    contact.q === binding.q &&
    change.flowId === binding.flowId &&
    change.received === binding.received &&
    change.userAgent === binding.userAgent &&
    change.path.length === 0 &&
    binding.path.length === 0 &&
    contact.instanceId === binding.instanceId &&
    contact.regId === binding.regId &&
    contact.params === binding.params;
  if (!isRefresh) return false;
  const written: { -readonly [K in keyof Binding]: Binding[K] } = binding;
  written.cSeq = change.cSeq;
  written.expiresAt = change.now + contact.expires * 1000;
  written.updatedAt = change.now;
  return true;
}

/** RFC 5626 §6: with instance and reg-id these name the binding, without them the URI does. */
function isSameBinding(binding: Binding, contact: ContactChange): boolean {
  if (contact.regId !== undefined && contact.instanceId !== undefined) {
    if (binding.regId !== undefined) {
      return binding.regId === contact.regId && binding.instanceId === contact.instanceId;
    }
  }
  return equalContact(binding.contact, contact.uri);
}

function isOutOfOrder(binding: Binding, change: BindingChange): boolean {
  return binding.callId === change.callId && change.cSeq <= binding.cSeq;
}

function indexOfOldest(bindings: readonly Binding[]): number {
  let oldest = 0;
  for (let i = 1; i < bindings.length; i++) {
    if (bindings[i]!.updatedAt < bindings[oldest]!.updatedAt) oldest = i;
  }
  return oldest;
}

/** Takes every string that has not changed from the binding it replaces, and detaches the others. */
function makeBinding(
  aor: string,
  contact: ContactChange,
  change: BindingChange,
  known: Binding | undefined,
): Binding {
  return {
    aor,
    contact: keep(known?.contact, contact.uri),
    callId: keep(known?.callId, change.callId),
    cSeq: change.cSeq,
    expiresAt: change.now + contact.expires * 1000,
    q: contact.q,
    path: change.path.length === 0 ? noPath : change.path.map((route, i) => keep(known?.path[i], route)),
    flowId: change.flowId,
    received: change.received,
    userAgent: change.userAgent,
    instanceId: contact.instanceId === undefined ? undefined : keep(known?.instanceId, contact.instanceId),
    regId: contact.regId,
    params: contact.params === undefined ? undefined : keep(known?.params, contact.params),
    updatedAt: change.now,
  };
}

function keep(known: string | undefined, text: string): string {
  return known === text ? known : detachText(text);
}
