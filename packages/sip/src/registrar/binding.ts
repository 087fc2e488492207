// A binding: where an address-of-record can be reached, and until when. RFC 3261 §10.3, RFC 3327, RFC 5626 §6.

import { equalUri, parseUri, type Uri } from "../message/index.ts";
import { detachText } from "../message/own-text.ts";
import type { TransportName } from "../transport/flow.ts";

/** Where a REGISTER came from. */
export interface ReceivedFrom {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

/**
 * One contact of an address-of-record. Plain data with strings of its own: it keeps no message alive. A store
 * in memory may refresh it in place (Call-ID, CSeq and times); copy it to compare with later.
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

/** What one REGISTER asks for. Its strings may be kept: they are no pieces of a message (see `detachText`). */
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

/** True if the two contacts name the same place by §19.1.4. */
export function equalContact(a: string, b: string): boolean {
  if (a === b) return true;
  if (differAsWritten(a, b)) return false;
  const [first, second] = [readUri(a), readUri(b)];
  return first !== undefined && second !== undefined && equalUri(first, second);
}

/**
 * True if two SIP URIs first differ in scheme, user, host or port, and there in what can be written in one way only: then
 * nothing behind it can make them equal. Tells most contacts apart without taking them to pieces.
 */
function differAsWritten(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at < 3 || !a.startsWith("sip")) return false;
  for (let i = a.charCodeAt(3) === COLON ? 4 : 5; i < at; i++) {
    const code = a.charCodeAt(i);
    // Parameters or headers may have begun; escapes, IPv6 addresses and zeros before a port have several spellings.
    if (code === SEMICOLON || code === QUESTION || code === PERCENT || code === OPEN_BRACKET) return false;
    if (code === COLON && (a.charCodeAt(i + 1) === ZERO || b.charCodeAt(i + 1) === ZERO)) return false;
  }
  const ends = Number(isEndOfCore(a, at)) + Number(isEndOfCore(b, at));
  return ends < 2 && isPlain(a, at) && isPlain(b, at);
}

/** True if the URI ends here, or may go on with parameters or headers. */
function isEndOfCore(uri: string, at: number): boolean {
  const code = uri.charCodeAt(at);
  return at === uri.length || code === SEMICOLON || code === QUESTION;
}

/** False for what could be written in another way: capitals, escapes, IPv6 addresses. */
function isPlain(uri: string, at: number): boolean {
  const code = uri.charCodeAt(at);
  return code !== PERCENT && code !== OPEN_BRACKET && !(code >= 0x41 && code <= 0x5a);
}

const PERCENT = 0x25;
const ZERO = 0x30;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const QUESTION = 0x3f;
const OPEN_BRACKET = 0x5b;

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
  const { now, contacts } = change;
  const live = liveOf(current, now);
  if (contacts === "*") {
    // Step 6: a binding of the same Call-ID is removed only by a higher CSeq; otherwise all is aborted.
    return live.some((binding) => isOutOfOrder(binding, change)) ? outOfOrder : { ok: true, bindings: [] };
  }
  let bindings = live;
  // An address-of-record seen for the first time gets a string of its own; later bindings share it.
  const key = current.length > 0 ? current[0]!.aor : detachText(aor);
  for (const contact of contacts) {
    const index = indexOfSame(bindings, contact);
    if (index < 0) {
      if (contact.expires > 0) bindings = withNew(bindings, makeBinding(key, contact, change, undefined));
      continue;
    }
    const known = bindings[index]!;
    // Step 7: out-of-order requests of one user agent are ignored. What this request has just set is not
    // "out of order" if it names the contact twice: the later value counts.
    if (isOutOfOrder(known, change) && live.includes(known)) return outOfOrder;
    bindings =
      contact.expires === 0
        ? bindings.toSpliced(index, 1)
        : bindings.with(index, makeBinding(key, contact, change, known));
  }
  while (bindings.length > limits.maxBindings && bindings.length > live.length) {
    if (limits.whenFull === "reject") return { ok: false, reason: "too many bindings" };
    bindings = bindings.toSpliced(indexOfOldest(bindings), 1);
  }
  return { ok: true, bindings };
}

/** Those that have not expired. */
function liveOf(bindings: readonly Binding[], now: number): readonly Binding[] {
  for (const binding of bindings) {
    if (binding.expiresAt <= now) return bindings.filter(({ expiresAt }) => expiresAt > now);
  }
  return bindings;
}

/** An array that has no room for more: it is kept. */
function withNew(bindings: readonly Binding[], added: Binding): readonly Binding[] {
  switch (bindings.length) {
    case 0:
      return [added];
    case 1:
      return [bindings[0]!, added];
    default:
      return bindings.concat(added);
  }
}

const outOfOrder: ChangePlan = { ok: false, reason: "out of order" };

/**
 * Step 7 for what most requests are: the same user agent, by the same way, refreshes what it has bound, or binds it again
 * under another Call-ID. True if the change was that and has been made; false if it has to be planned.
 */
export function refreshInPlace(bindings: readonly Binding[], change: BindingChange): boolean {
  const { contacts } = change;
  if (contacts.length !== 1 || contacts === "*") return false;
  const contact = contacts[0]!;
  let found: Binding | undefined;
  for (const binding of bindings) {
    if (binding.expiresAt <= change.now) return false;
    if (binding.contact === contact.uri) found = binding;
  }
  if (found === undefined || !isRefresh(found, contact, change)) return false;
  const written: { -readonly [K in keyof Binding]: Binding[K] } = found;
  written.callId = keep(found.callId, change.callId);
  written.cSeq = change.cSeq;
  written.expiresAt = change.now + contact.expires * 1000;
  written.updatedAt = change.now;
  return true;
}

function isRefresh(binding: Binding, contact: ContactChange, change: BindingChange): boolean {
  return (
    contact.expires > 0 &&
    (change.cSeq > binding.cSeq || change.callId !== binding.callId) &&
    contact.q === binding.q &&
    change.flowId === binding.flowId &&
    equalOrigin(change.received, binding.received) &&
    change.userAgent === binding.userAgent &&
    change.path.length === 0 &&
    binding.path.length === 0 &&
    contact.instanceId === binding.instanceId &&
    contact.regId === binding.regId &&
    contact.params === binding.params
  );
}

function equalOrigin(a: ReceivedFrom | undefined, b: ReceivedFrom | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return a.port === b.port && a.address === b.address && a.transport === b.transport;
}

function indexOfSame(bindings: readonly Binding[], contact: ContactChange): number {
  for (let i = 0; i < bindings.length; i++) if (isSameBinding(bindings[i]!, contact)) return i;
  return -1;
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

/** Takes every string that has not changed from the binding it replaces. */
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
    received: equalOrigin(known?.received, change.received) ? known?.received : change.received,
    userAgent: keep(known?.userAgent, change.userAgent),
    instanceId: keep(known?.instanceId, contact.instanceId),
    regId: contact.regId,
    params: keep(known?.params, contact.params),
    updatedAt: change.now,
  };
}

/** The string that is there already, if it is the same: it has lived longer. */
function keep<T extends string | undefined>(known: T | undefined, text: T): T {
  return known !== undefined && known === text ? known : text;
}
