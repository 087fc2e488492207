// The location service that outlives the process: memory in front, the database behind it.
// RFC 3261 §10.3 step 7 (commit all or answer 500) where `durable` is set.

import type { Clock, Timer } from "@offhook/sip";
import { nodeRandom } from "@offhook/sip/node";
import {
  type Binding,
  type BindingChange,
  type LocationService,
  MemoryLocationService,
  type ReceivedFrom,
  type UpdateResult,
  type WhenFull,
} from "@offhook/sip/registrar";
import type { Database, StoreLog } from "./database.ts";
import { type BindingRow, messageOf } from "./schema.ts";
import { StoreError } from "./store-error.ts";

/**
 * One flush. Everything acknowledged before `startedAt` is in it or in an earlier one; once it is reported
 * as committed, all of that survives a `kill -9`.
 */
export interface FlushReport {
  /** Rises by one with every flush. */
  readonly sequence: number;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Addresses-of-record in it. */
  readonly size: number;
}

export interface LocationStoreOptions {
  /** Undefined: memory only, nothing is written. */
  readonly database: Database | undefined;
  readonly clock: Clock;
  readonly log: StoreLog;
  /** Answer an update only once it is committed. Default false. */
  readonly durable?: boolean;
  /** Milliseconds from a change to the start of the flush that writes it. Default 50; more than 100 is refused. */
  readonly flushInterval?: number;
  readonly maxBindings?: number;
  readonly whenFull?: WhenFull;
  readonly onFlushStarted?: (report: FlushReport) => void;
  readonly onFlushCommitted?: (report: FlushReport) => void;
  /** Told of every change, as `LocationObserver.changed`. */
  readonly onChanged?: (aor: string, bindings: readonly Binding[], before: readonly Binding[]) => void;
}

/** Flushes on their way to the worker at the same time; more only pile up behind a slow disk. */
const maxFlushesUnderWay = 2;
/** So that a flush of very many never holds up the event loop. */
const namesPerMessage = 1000;
/** After a failed flush, wait this long before the next: the disk may be full. */
const pauseAfterFailure = 500;

interface Waiter {
  resolve(result: UpdateResult): void;
  reject(error: unknown): void;
}

/** What waits to change one address-of-record, for `durable`. */
interface Pending {
  /** What is bound afterwards, given what is bound now, and whether there is anything to commit. */
  plan(): { readonly result: UpdateResult; readonly isChange: boolean };
  readonly cause: "registered" | "removed";
  readonly waiter: Waiter;
}

/** Bindings planned but not committed, for `durable`. */
interface Group {
  readonly bindings: Map<string, readonly Binding[]>;
  readonly waiters: (() => void)[];
  readonly failures: ((error: unknown) => void)[];
}

/**
 * Write-behind by default: an update answers at once, and a flush begins at most `flushInterval` later. What
 * waits is a set of names, so a slow disk costs no memory beyond one name per address-of-record.
 * With `durable`, updates of one address-of-record queue up behind one another, those of all are committed
 * in groups, and memory changes only after the commit: a failed one leaves everything as it was.
 */
export class LocationStore implements LocationService {
  readonly memory: MemoryLocationService;
  readonly #options: LocationStoreOptions;
  readonly #interval: number;
  readonly #dirty = new Set<string>();
  #timer: Timer | undefined;
  #sequence = 0;
  #underWay = 0;
  #idle: (() => void)[] = [];
  /** What waits for its turn, by address-of-record; the first of each is being committed. */
  readonly #queues = new Map<string, Pending[]>();
  #group: Group | undefined;
  #isCommitting = false;
  #isClosed = false;

  constructor(options: LocationStoreOptions) {
    this.#options = options;
    this.#interval = options.flushInterval ?? 50;
    if (!(this.#interval >= 1 && this.#interval <= 100)) {
      throw new StoreError("flushInterval must be between 1 and 100 milliseconds");
    }
    this.memory = new MemoryLocationService({
      clock: options.clock,
      random: nodeRandom,
      ...(options.maxBindings === undefined ? {} : { maxBindings: options.maxBindings }),
      ...(options.whenFull === undefined ? {} : { whenFull: options.whenFull }),
      observer: {
        changed: (aor, bindings, before, cause) => {
          // Where all is committed before, only what expires is left to be written.
          if (options.database !== undefined && !(options.durable && cause !== "expired")) this.#mark(aor);
          options.onChanged?.(aor, bindings, before);
        },
      },
    });
  }

  /** Addresses-of-record changed since the last flush began. */
  get waitingCount(): number {
    return this.#dirty.size;
  }

  update(aor: string, change: BindingChange): UpdateResult | Promise<UpdateResult> {
    if (!this.#isDurable) return this.memory.update(aor, change);
    const plan = () => {
      const result = this.memory.plan(aor, change);
      return { result, isChange: result.ok && change.contacts.length > 0 };
    };
    return this.#enqueue(aor, plan, "registered");
  }

  lookup(aor: string): readonly Binding[] {
    return this.memory.lookup(aor);
  }

  /** Removes bindings without a REGISTER; resolves with how many once that is on disk. */
  async remove(aor: string, contact?: string): Promise<number> {
    if (!this.#isDurable) {
      const count = this.memory.remove(aor, contact);
      if (count > 0) await this.flushed();
      return count;
    }
    // In its turn: an update that is being committed would bring back what is removed meanwhile.
    let count = 0;
    const plan = () => {
      const held = this.memory.held(aor);
      const bindings = contact === undefined ? [] : held.filter((binding) => binding.contact !== contact);
      count = held.length - bindings.length;
      return { result: { ok: true, bindings } as const, isChange: count > 0 };
    };
    await this.#enqueue(aor, plan, "removed");
    return count;
  }

  /** Starts a flush of what has changed, and resolves when nothing waits or is under way any more. */
  flushed(): Promise<void> {
    if (this.#options.database === undefined) return Promise.resolve();
    this.#flush();
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Writes no more; call `flushed` before. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.memory.close();
  }

  // --- Write-behind ---

  #mark(aor: string): void {
    this.#dirty.add(aor);
    this.#arm(this.#interval);
  }

  #arm(delay: number): void {
    if (!this.#isClosed) this.#timer ??= this.#options.clock.schedule(delay, () => this.#flush());
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { database, clock } = this.#options;
    // Behind a slow disk, changes go on to coalesce by name; the end of a flush starts the next.
    if (database === undefined || this.#dirty.size === 0 || this.#underWay >= maxFlushesUnderWay) return;
    const names: string[] = [];
    for (const aor of this.#dirty) {
      // An update that is being committed will write this address-of-record after us, and knows better.
      if (!this.#queues.has(aor)) names.push(aor);
    }
    for (const aor of names) this.#dirty.delete(aor);
    if (names.length === 0) {
      this.#arm(this.#interval);
      return;
    }
    const report = { sequence: ++this.#sequence, startedAt: clock.now(), size: names.length };
    this.#underWay++;
    this.#options.onFlushStarted?.(report);
    this.#write(database, names).then(
      () => {
        this.#options.onFlushCommitted?.(report);
        this.#afterFlush(0);
      },
      (error: unknown) => {
        this.#options.log("error", `${names.length} registrations could not be written: ${messageOf(error)}`);
        for (const aor of names) this.#dirty.add(aor);
        this.#afterFlush(pauseAfterFailure);
      },
    );
  }

  /** The rows as they are when their part is sent, which is at once unless very many have changed. */
  async #write(database: Database, names: readonly string[]): Promise<void> {
    for (let i = 0; i < names.length; i += namesPerMessage) {
      const part = names.slice(i, i + namesPerMessage).filter((aor) => {
        // An update that has begun to commit meanwhile is ahead of us and must not be overwritten.
        if (this.#queues.has(aor)) this.#dirty.add(aor);
        return !this.#queues.has(aor);
      });
      const bindings = part.map((aor): [string, unknown[][]] => [aor, this.memory.held(aor).map(rowValues)]);
      await database.flush({ bindings, calls: [] });
    }
  }

  #afterFlush(pause: number): void {
    this.#underWay--;
    if (this.#dirty.size > 0) this.#arm(pause || this.#interval);
    // A failed flush does not hold up those who wait for it: they would wait for the disk to be mended.
    this.#settle(pause > 0 && this.#underWay === 0);
  }

  #isIdle(): boolean {
    return this.#underWay === 0 && this.#dirty.size === 0 && this.#queues.size === 0;
  }

  #settle(anyway: boolean): void {
    if (this.#idle.length === 0 || !(anyway || this.#isIdle())) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  // --- Durable ---

  get #isDurable(): boolean {
    return this.#options.durable === true && this.#options.database !== undefined;
  }

  #enqueue(aor: string, plan: Pending["plan"], cause: Pending["cause"]): Promise<UpdateResult> {
    return new Promise((resolve, reject) => {
      const pending = { plan, cause, waiter: { resolve, reject } };
      const queue = this.#queues.get(aor);
      if (queue !== undefined) {
        queue.push(pending);
        return;
      }
      this.#queues.set(aor, [pending]);
      this.#commitNext(aor);
    });
  }

  /**
   * Puts the first in the queue of an address-of-record that changes something into the group to be committed. Those before
   * it are answered at once.
   */
  #commitNext(aor: string): void {
    const queue = this.#queues.get(aor) ?? [];
    for (let at = 0; at < queue.length; at++) {
      const pending = queue[at]!;
      const { result, isChange } = pending.plan();
      if (result.ok && isChange) {
        queue.splice(0, at);
        this.#commit(aor, result, pending);
        return;
      }
      pending.waiter.resolve(result);
    }
    this.#queues.delete(aor);
    this.#settle(false);
  }

  #commit(aor: string, plan: UpdateResult & { ok: true }, { cause, waiter }: Pending): void {
    if (this.#group === undefined) {
      this.#group = { bindings: new Map(), waiters: [], failures: [] };
      // What else arrives in this turn of the event loop shares the commit.
      setImmediate(() => this.#commitGroup());
    }
    this.#group.bindings.set(aor, plan.bindings);
    this.#group.waiters.push(() => {
      this.memory.apply(aor, plan.bindings, cause);
      waiter.resolve(plan);
      this.#leaveQueue(aor);
    });
    this.#group.failures.push((error) => {
      waiter.reject(error);
      this.#leaveQueue(aor);
    });
  }

  #leaveQueue(aor: string): void {
    this.#queues.get(aor)?.shift();
    this.#commitNext(aor);
  }

  #commitGroup(): void {
    const group = this.#group;
    const { database, clock } = this.#options;
    if (group === undefined || this.#isCommitting || database === undefined) return;
    this.#group = undefined;
    this.#isCommitting = true;
    const report = { sequence: ++this.#sequence, startedAt: clock.now(), size: group.bindings.size };
    this.#options.onFlushStarted?.(report);
    const bindings = Array.from(group.bindings, ([aor, list]): [string, unknown[][]] => [
      aor,
      list.map(rowValues),
    ]);
    database.flush({ bindings, calls: [] }).then(
      () => {
        this.#isCommitting = false;
        this.#options.onFlushCommitted?.(report);
        for (const done of group.waiters) done();
        this.#commitGroup();
      },
      (error: unknown) => {
        this.#isCommitting = false;
        this.#options.log("error", `${group.bindings.size} registrations refused: ${messageOf(error)}`);
        for (const fail of group.failures) fail(error);
        this.#commitGroup();
      },
    );
  }
}

/** The values of a row, in the order of `bindingColumns` in database-worker.ts. */
function rowValues(binding: Binding): unknown[] {
  const { received, path } = binding;
  return [
    ...[binding.aor, binding.contact, binding.callId, binding.cSeq, binding.expiresAt, binding.q],
    path.length === 0 ? null : JSON.stringify(path),
    binding.flowId ?? null,
    received === undefined ? null : `${received.transport} ${received.address} ${received.port}`,
    ...[binding.userAgent ?? null, binding.instanceId ?? null, binding.regId ?? null, binding.params ?? null],
    binding.updatedAt,
  ];
}

/** Makes bindings of rows; strings that many share are kept once. */
export function* readBindings(rows: Iterable<BindingRow>): Generator<Binding> {
  const shared = new Map<string, string>();
  const share = (text: string | null): string | undefined => {
    if (text === null) return undefined;
    const known = shared.get(text);
    if (known !== undefined) return known;
    if (shared.size < 1000) shared.set(text, text);
    return text;
  };
  let lastReceived: { text: string; value: ReceivedFrom } | undefined;
  for (const row of rows) {
    if (row.received !== null && row.received !== lastReceived?.text) {
      lastReceived = { text: row.received, value: readReceived(row.received) };
    }
    yield {
      aor: row.aor,
      contact: row.contact,
      callId: row.call_id,
      cSeq: row.cseq,
      expiresAt: row.expires_at,
      q: row.q,
      path: row.path === null ? noPath : (JSON.parse(row.path) as string[]),
      flowId: share(row.flow_id),
      received: row.received === null ? undefined : lastReceived?.value,
      userAgent: share(row.user_agent),
      instanceId: row.instance_id ?? undefined,
      regId: row.reg_id ?? undefined,
      params: share(row.params),
      updatedAt: row.updated_at,
    };
  }
}

const noPath: readonly string[] = [];

function readReceived(text: string): ReceivedFrom {
  const [transport = "UDP", address = "", port = "0"] = text.split(" ");
  return { transport: transport as ReceivedFrom["transport"], address, port: Number(port) };
}
