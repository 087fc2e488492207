// Call records: who called whom, when, for how long, and how it ended. Written behind, in batches.

import type { Clock, Timer } from "@offhook/sip";
import type { Database, StoreLog } from "./database.ts";
import { type CallRow, messageOf } from "./schema.ts";

/** One call that has ended. Times are milliseconds since the Unix epoch. */
export interface CallRecord {
  /** Unique; by the caller of `add`, e.g. the trace's id. */
  readonly id: string;
  readonly callId: string;
  /** Addresses as in From and in the Request-URI. */
  readonly caller: string;
  readonly callee: string;
  readonly startedAt: number;
  readonly answeredAt: number | undefined;
  readonly endedAt: number;
  /** Final status of the INVITE. */
  readonly status: number;
  /** Milliseconds from answer to end; 0 if it was not answered. */
  readonly duration: number;
}

/** What is told of a call when it ends. */
export type EndedCall = Omit<CallRecord, "duration">;

export interface CallRecordsOptions {
  /** Undefined: memory only, the last `maxInMemory` calls. */
  readonly database: Database | undefined;
  readonly clock: Clock;
  readonly log: StoreLog;
  /** Milliseconds from the end of a call to its flush. Default 100. */
  readonly flushInterval?: number;
  /** Records held at most while the database cannot take them, or without one. Default 10 000. */
  readonly maxInMemory?: number;
}

/** The calls that have ended. */
export class CallRecords {
  readonly #database: Database | undefined;
  readonly #clock: Clock;
  readonly #log: StoreLog;
  readonly #interval: number;
  readonly #maxInMemory: number;
  /** Without a database all there is, with one those that are not written yet; oldest first. */
  #held: EndedCall[] = [];
  #timer: Timer | undefined;
  #flushing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: CallRecordsOptions) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#interval = options.flushInterval ?? 100;
    this.#maxInMemory = options.maxInMemory ?? 10_000;
  }

  /** Takes a record in; it is on disk soon after. */
  add(call: EndedCall): void {
    this.#held.push(call);
    if (this.#held.length > this.#maxInMemory * 2) this.#drop();
    this.#arm(this.#interval);
  }

  /** The latest calls first; `before` pages on: calls that started earlier than that. */
  async list(options: { readonly limit?: number; readonly before?: number } = {}): Promise<CallRecord[]> {
    const { limit = 100, before = Number.MAX_SAFE_INTEGER } = options;
    await this.flushed();
    const held = this.#held
      .filter((record) => record.startedAt < before)
      .sort((a, b) => b.startedAt - a.startedAt)
      .slice(0, limit)
      .map((call) => ({ ...call, duration: durationOf(call.answeredAt, call.endedAt) }));
    if (this.#database === undefined) return held;
    const rows = await this.#database.kysely
      .selectFrom("call")
      .selectAll()
      .where("started_at", "<", before)
      .orderBy("started_at", "desc")
      .limit(limit)
      .execute();
    const written = new Set(rows.map((row) => row.id));
    // What could not be written is shown all the same.
    return [...held.filter((record) => !written.has(record.id)), ...rows.map(toRecord)]
      .sort((a, b) => b.startedAt - a.startedAt)
      .slice(0, limit);
  }

  /** Resolves once everything added so far is written, or a try to write it has failed. */
  async flushed(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#flushing;
    if (this.#database === undefined || this.#held.length === 0) return;
    this.#flushing ??= this.#flush(this.#database, this.#held.slice()).finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  /** Writes no more; call `flushed` before. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delay: number): void {
    if (this.#database === undefined || this.#isClosed) return;
    this.#timer ??= this.#clock.schedule(delay, () => void this.flushed());
  }

  async #flush(database: Database, batch: readonly EndedCall[]): Promise<void> {
    try {
      await database.flush({ bindings: [], calls: batch.map(rowValues) });
      const written = new Set(batch);
      this.#held = this.#held.filter((record) => !written.has(record));
    } catch (error) {
      this.#log("error", `${batch.length} call records could not be written: ${messageOf(error)}`);
      this.#arm(1000);
    }
  }

  #drop(): void {
    const count = this.#held.length - this.#maxInMemory;
    this.#held = this.#held.slice(count);
    if (this.#database !== undefined)
      this.#log("error", `${count} call records were dropped: the database takes none`);
  }
}

/** The values of a row, in the order of `callColumns` in database-worker.ts. */
function rowValues(record: EndedCall): unknown[] {
  return [
    ...[record.id, record.callId, record.caller, record.callee],
    ...[record.startedAt, record.answeredAt ?? null, record.endedAt, record.status],
  ];
}

function toRecord(row: CallRow): CallRecord {
  const answeredAt = row.answered_at ?? undefined;
  return {
    id: row.id,
    callId: row.call_id,
    caller: row.caller,
    callee: row.callee,
    startedAt: row.started_at,
    answeredAt,
    endedAt: row.ended_at,
    status: row.status,
    duration: durationOf(answeredAt, row.ended_at),
  };
}

function durationOf(answeredAt: number | undefined, endedAt: number): number {
  return answeredAt === undefined ? 0 : Math.max(0, endedAt - answeredAt);
}
