// The location service: address-of-record → bindings, RFC 3261 §10.3. The port, and the one that lives in memory.

import type { Clock, MaybePromise, Random, Timer } from "../ports.ts";
import { TextTable } from "../transaction/index.ts";
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
  /** So that nobody can choose names that are slow to find. */
  readonly random: Random;
  /** Bindings per address-of-record. Default 32. */
  readonly maxBindings?: number;
  /** Default "reject". */
  readonly whenFull?: WhenFull;
  readonly observer?: LocationObserver;
}

const none: readonly Binding[] = [];

/** What is bound to one address-of-record; a lone binding needs no array around it. */
interface Entry {
  /** The address-of-record. */
  readonly key: string;
  held: Binding | readonly Binding[];
  /** The bucket it is in: the second of its first expiry, or an earlier one if that has been put off since. */
  bucket: number;
}

/**
 * Bindings in memory. One entry per address-of-record and one bucket per second of expiry; a single timer waits for the
 * next bucket. A refresh leaves its entry where it is: the bucket, once due, puts it where it belongs by then.
 */
export class MemoryLocationService implements LocationService {
  readonly #clock: Clock;
  readonly #limits: { readonly maxBindings: number; readonly whenFull: WhenFull };
  readonly #observer: LocationObserver | undefined;
  readonly #entries: TextTable<Entry>;
  readonly #buckets = new Map<number, Set<Entry>>();
  #timer: Timer | undefined;
  #timerBucket = Number.POSITIVE_INFINITY;
  #count = 0;

  constructor(options: LocationServiceOptions) {
    this.#clock = options.clock;
    this.#limits = { maxBindings: options.maxBindings ?? 32, whenFull: options.whenFull ?? "reject" };
    this.#observer = options.observer;
    this.#entries = new TextTable(options.random);
  }

  /** Bindings held, the expired ones of the current second included. */
  get bindingCount(): number {
    return this.#count;
  }

  /** Addresses-of-record with at least one binding. */
  get aorCount(): number {
    return this.#entries.size;
  }

  update(aor: string, change: BindingChange): UpdateResult {
    const entry = this.#entries.get(aor);
    const before = entry === undefined ? none : listOf(entry.held);
    if (entry !== undefined && refreshInPlace(before, change)) {
      this.#place(entry);
      this.#observer?.changed(entry.key, before, before, "registered");
      return { ok: true, bindings: before };
    }
    const plan = planChange(aor, before, change, this.#limits);
    if (plan.ok && change.contacts.length > 0) {
      this.#replace(entry, before, plan.bindings);
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
    const entry = this.#entries.get(aor);
    const before = entry === undefined ? none : listOf(entry.held);
    this.#replace(entry, before, bindings);
    this.#observer?.changed(aor, bindings, before, cause);
  }

  lookup(aor: string): readonly Binding[] {
    const entry = this.#entries.get(aor);
    if (entry === undefined) return none;
    const { held } = entry;
    const now = this.#clock.now();
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
    for (const { held } of this.#entries.values()) {
      for (const binding of listOf(held)) if (binding.expiresAt > now) yield binding;
    }
  }

  /** Takes over bindings from a store at start, without telling the observer. Expired ones are left out. */
  load(bindings: Iterable<Binding>): void {
    const now = this.#clock.now();
    for (const binding of bindings) {
      if (binding.expiresAt <= now) continue;
      const entry = this.#entries.get(binding.aor);
      const before = entry === undefined ? none : listOf(entry.held);
      this.#replace(entry, before, [...before, binding]);
    }
  }

  /** All bindings of an address-of-record, expired ones included, unsorted; for stores. */
  held(aor: string): readonly Binding[] {
    const entry = this.#entries.get(aor);
    return entry === undefined ? none : listOf(entry.held);
  }

  /** Stops the expiry timer. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #replace(entry: Entry | undefined, before: readonly Binding[], after: readonly Binding[]): void {
    this.#count += after.length - before.length;
    if (after.length === 0) {
      if (entry !== undefined) this.#delete(entry);
      return;
    }
    const held = after.length === 1 ? after[0]! : after;
    if (entry !== undefined) {
      entry.held = held;
      this.#place(entry);
      return;
    }
    // The key is the binding's own copy of the string, not the caller's, which may be a piece of a message.
    const added: Entry = { key: after[0]!.aor, held, bucket: 0 };
    this.#entries.add(added);
    this.#enterBucket(added, bucketOf(held));
  }

  #delete(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#leaveBucket(entry);
  }

  /** Moves an entry to the bucket of its first expiry, if that comes before the one it is in. */
  #place(entry: Entry): void {
    const bucket = bucketOf(entry.held);
    if (bucket >= entry.bucket) return;
    this.#leaveBucket(entry);
    this.#enterBucket(entry, bucket);
  }

  #enterBucket(entry: Entry, bucket: number): void {
    entry.bucket = bucket;
    const set = this.#buckets.get(bucket);
    if (set === undefined) this.#buckets.set(bucket, new Set([entry]));
    else set.add(entry);
    if (bucket < this.#timerBucket) this.#wait(bucket);
  }

  #leaveBucket(entry: Entry): void {
    const set = this.#buckets.get(entry.bucket);
    if (set?.delete(entry) && set.size === 0) this.#buckets.delete(entry.bucket);
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
    for (const [bucket, entries] of this.#buckets) {
      if (bucket * 1000 > now) continue;
      this.#buckets.delete(bucket);
      for (const entry of entries) {
        // An observer may have removed it meanwhile.
        if (this.#entries.get(entry.key) !== entry) continue;
        const held = listOf(entry.held);
        const left = held.filter((binding) => binding.expiresAt > now);
        // What has not expired yet goes on to the bucket where it would by now.
        if (left.length > 0) this.#enterBucket(entry, bucketOf(left));
        if (left.length < held.length) this.apply(entry.key, left, "expired");
      }
    }
    let next = Number.POSITIVE_INFINITY;
    for (const bucket of this.#buckets.keys()) next = Math.min(next, bucket);
    // An early timer finds its bucket still there: try again, but never at once and for ever.
    this.#wait(next);
  }
}

/** The second at whose end nothing of the earliest binding is left. */
function bucketOf(held: Binding | readonly Binding[]): number {
  if (!isList(held)) return Math.ceil(held.expiresAt / 1000);
  let earliest = Number.POSITIVE_INFINITY;
  for (const { expiresAt } of held) if (expiresAt < earliest) earliest = expiresAt;
  return Math.ceil(earliest / 1000);
}

function listOf(held: Binding | readonly Binding[]): readonly Binding[] {
  return isList(held) ? held : [held];
}

function isList(held: Binding | readonly Binding[]): held is readonly Binding[] {
  return Array.isArray(held);
}
