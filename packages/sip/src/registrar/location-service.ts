// The location service: address-of-record → bindings, RFC 3261 §10.3. The port, and the one that lives in memory.

import type { Clock, MaybePromise, Timer } from "../ports.ts";
import {
  type Binding,
  type BindingChange,
  type ChangePlan,
  planChange,
  refreshInPlace,
  type WhenFull,
} from "./binding.ts";

export type UpdateResult = ChangePlan;

/**
 * Where registrar and proxy meet. `update` is one atomic step that checks Call-ID and CSeq inside, so that a
 * store shared by several machines can offer it too. A promise rejects only if the store itself fails.
 */
export interface LocationService {
  /** Applies one REGISTER to an address-of-record, wholly or not at all; the result lists what is bound then. */
  update(aor: string, change: BindingChange): MaybePromise<UpdateResult>;
  /** The bindings that have not expired, highest q first, among equals the one refreshed last. */
  lookup(aor: string): MaybePromise<readonly Binding[]>;
}

/** Told of every change, after it: write-behind, the `reg` event package, metrics. */
export interface LocationObserver {
  changed(
    aor: string,
    bindings: readonly Binding[],
    before: readonly Binding[],
    cause: "registered" | "expired" | "removed",
  ): void;
}

export interface LocationServiceOptions {
  readonly clock: Clock;
  /** Bindings per address-of-record. Default 32. */
  readonly maxBindings?: number;
  /** Default "reject". */
  readonly whenFull?: WhenFull;
  readonly observer?: LocationObserver;
}

const none: readonly Binding[] = [];

/**
 * Bindings in memory. One map entry per address-of-record (a lone binding needs no array around it) and one
 * bucket per second of expiry; a single timer waits for the next bucket.
 */
export class MemoryLocationService implements LocationService {
  readonly #clock: Clock;
  readonly #limits: { readonly maxBindings: number; readonly whenFull: WhenFull };
  readonly #observer: LocationObserver | undefined;
  readonly #bindings = new Map<string, Binding | readonly Binding[]>();
  /** Second in which the first binding of an address-of-record expires → those addresses. */
  readonly #buckets = new Map<number, Set<string>>();
  #timer: Timer | undefined;
  #timerBucket = Number.POSITIVE_INFINITY;
  #count = 0;

  constructor(options: LocationServiceOptions) {
    this.#clock = options.clock;
    this.#limits = { maxBindings: options.maxBindings ?? 32, whenFull: options.whenFull ?? "reject" };
    this.#observer = options.observer;
  }

  /** Bindings held, the expired ones of the current second included. */
  get bindingCount(): number {
    return this.#count;
  }

  /** Addresses-of-record with at least one binding. */
  get aorCount(): number {
    return this.#bindings.size;
  }

  update(aor: string, change: BindingChange): UpdateResult {
    const before = this.held(aor);
    const lone = before.length === 1 ? before[0] : undefined;
    const oldBucket = bucketOf(before);
    if (lone !== undefined && refreshInPlace(lone, change)) {
      this.#move(lone.aor, oldBucket, bucketOf(before));
      this.#observer?.changed(lone.aor, before, before, "registered");
      return { ok: true, bindings: before };
    }
    const plan = planChange(aor, before, change, this.#limits);
    if (plan.ok && change.contacts.length > 0) {
      this.#replace(aor, before, plan.bindings);
      this.#observer?.changed(aor, plan.bindings, before, "registered");
    }
    return plan;
  }

  /** What `update` would do; for stores that commit elsewhere before they `apply`. */
  plan(aor: string, change: BindingChange): ChangePlan {
    return planChange(aor, this.held(aor), change, this.#limits);
  }

  /** Replaces all bindings of an address-of-record and tells the observer. */
  apply(aor: string, bindings: readonly Binding[], cause: "registered" | "expired" | "removed"): void {
    const before = this.held(aor);
    this.#replace(aor, before, bindings);
    this.#observer?.changed(aor, bindings, before, cause);
  }

  lookup(aor: string): readonly Binding[] {
    const held = this.#bindings.get(aor);
    const now = this.#clock.now();
    if (held === undefined) return none;
    if (!isList(held)) return held.expiresAt > now ? [held] : none;
    return held
      .filter((binding) => binding.expiresAt > now)
      .sort((a, b) => b.q - a.q || b.updatedAt - a.updatedAt);
  }

  /** Removes bindings without a REGISTER (administration): all of an address-of-record, or one contact. */
  remove(aor: string, contact?: string): number {
    const held = this.held(aor);
    const left = contact === undefined ? none : held.filter((binding) => binding.contact !== contact);
    if (left.length < held.length) this.apply(aor, left, "removed");
    return held.length - left.length;
  }

  /** Every binding that has not expired, in no particular order. Changes meanwhile may or may not show. */
  *entries(): Generator<Binding> {
    const now = this.#clock.now();
    for (const held of this.#bindings.values()) {
      for (const binding of isList(held) ? held : [held]) if (binding.expiresAt > now) yield binding;
    }
  }

  /** Takes over bindings from a store at start, without telling the observer. Expired ones are left out. */
  load(bindings: Iterable<Binding>): void {
    const now = this.#clock.now();
    for (const binding of bindings) {
      if (binding.expiresAt <= now) continue;
      const before = this.held(binding.aor);
      this.#replace(binding.aor, before, [...before, binding]);
    }
  }

  /** All bindings of an address-of-record, expired ones included, unsorted; for stores. */
  held(aor: string): readonly Binding[] {
    const held = this.#bindings.get(aor);
    return held === undefined ? none : isList(held) ? held : [held];
  }

  /** Stops the expiry timer. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #replace(aor: string, before: readonly Binding[], after: readonly Binding[]): void {
    // The key is the binding's own copy of the string, not the caller's, which may be a piece of a message.
    const key = after[0]?.aor ?? aor;
    this.#move(key, bucketOf(before), bucketOf(after));
    this.#count += after.length - before.length;
    if (after.length === 0) this.#bindings.delete(key);
    else this.#bindings.set(key, after.length === 1 ? after[0]! : after.slice());
  }

  #move(aor: string, from: number | undefined, to: number | undefined): void {
    if (from === to) return;
    if (from !== undefined) {
      const set = this.#buckets.get(from);
      if (set?.delete(aor) && set.size === 0) this.#buckets.delete(from);
    }
    if (to !== undefined) {
      const set = this.#buckets.get(to);
      if (set === undefined) this.#buckets.set(to, new Set([aor]));
      else set.add(aor);
      if (to < this.#timerBucket) this.#wait(to);
    }
  }

  #wait(bucket: number): void {
    this.#timer?.cancel();
    this.#timerBucket = bucket;
    this.#timer =
      bucket === Number.POSITIVE_INFINITY
        ? undefined
        : this.#clock.schedule(Math.max(0, bucket * 1000 - this.#clock.now()), () => this.#expire());
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [bucket, addresses] of this.#buckets) {
      if (bucket * 1000 > now) continue;
      // What has not expired yet (several bindings, a coarse timer) moves on to a later bucket.
      for (const aor of addresses) {
        const held = this.held(aor);
        const left = held.filter((binding) => binding.expiresAt > now);
        if (left.length < held.length) this.apply(aor, left, "expired");
      }
    }
    let next = Number.POSITIVE_INFINITY;
    for (const bucket of this.#buckets.keys()) next = Math.min(next, bucket);
    // An early timer finds its bucket still there: try again, but never at once and for ever.
    this.#wait(next);
  }
}

/** The second at whose end nothing of the earliest binding is left. */
function bucketOf(bindings: readonly Binding[]): number | undefined {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { expiresAt } of bindings) if (expiresAt < earliest) earliest = expiresAt;
  return earliest === Number.POSITIVE_INFINITY ? undefined : Math.ceil(earliest / 1000);
}

function isList(held: Binding | readonly Binding[]): held is readonly Binding[] {
  return Array.isArray(held);
}
