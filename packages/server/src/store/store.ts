// Everything that the server remembers: bindings, accounts, call records; in a file or in memory only.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock, Hash } from "@offhook/sip";
import type { WhenFull } from "@offhook/sip/registrar";
import { Accounts } from "./accounts.ts";
import { CallRecords } from "./call-records.ts";
import { Database, type StoreLog } from "./database.ts";
import { type FlushReport, LocationStore, readBindings } from "./location-store.ts";
import { type AccountRow, type AliasRow, type BindingRow, makeKysely, messageOf, migrate } from "./schema.ts";
import { openFile, StatementCache } from "./sqlite.ts";
import { StoreError } from "./store-error.ts";

export interface StoreOptions {
  /** The database file, created if it is not there; "memory" writes nothing at all. */
  readonly path: string | "memory";
  readonly clock: Clock;
  readonly hash: Hash;
  readonly log?: StoreLog;
  /**
   * Registrations are answered only once they are on disk, safe from a power cut too. Default false: they
   * are written within 100 ms.
   */
  readonly durable?: boolean;
  /** Write bindings to the file. Default true; false keeps them in memory and the rest in the file. */
  readonly keepBindings?: boolean;
  readonly flushInterval?: number;
  readonly maxBindings?: number;
  readonly whenFull?: WhenFull;
  readonly onFlushStarted?: (report: FlushReport) => void;
  readonly onFlushCommitted?: (report: FlushReport) => void;
}

/** What `openStore` gives. */
export interface Store {
  readonly locations: LocationStore;
  readonly accounts: Accounts;
  readonly calls: CallRecords;
  /** The worker's handle; undefined for "memory". */
  readonly database: Database | undefined;
  /** Writes what waits, then closes the file. */
  close(): Promise<void>;
}

/**
 * Opens the store: creates or upgrades the tables, reads accounts and the bindings that have not expired,
 * and starts the worker.
 * @throws {StoreError} if the file cannot be opened, is no database, or was written by a later version
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { path, clock, log = () => {} } = options;
  if (path === "memory") return assemble(options, log, undefined, undefined);
  const held = await prepareFile(path, clock.now());
  const database = new Database({ path, durability: options.durable ? "power" : "process" }, log);
  try {
    // Until the worker has opened the file too, nothing is promised.
    await database.run([{ text: "SELECT 1", parameters: [] }]);
    return assemble(options, log, database, held);
  } catch (error) {
    await database.close();
    throw error;
  }
}

function assemble(
  options: StoreOptions,
  log: StoreLog,
  database: Database | undefined,
  held: Held | undefined,
): Store {
  const { clock, hash, durable = false, keepBindings = true } = options;
  const { flushInterval, maxBindings, whenFull, onFlushStarted, onFlushCommitted } = options;
  const locations = new LocationStore({
    ...{ clock, log, durable },
    database: keepBindings ? database : undefined,
    ...(flushInterval === undefined ? {} : { flushInterval }),
    ...(maxBindings === undefined ? {} : { maxBindings }),
    ...(whenFull === undefined ? {} : { whenFull }),
    ...(onFlushStarted === undefined ? {} : { onFlushStarted }),
    ...(onFlushCommitted === undefined ? {} : { onFlushCommitted }),
  });
  if (held !== undefined && keepBindings) locations.memory.load(readBindings(held.bindings));
  const accounts = new Accounts({ database, hash, clock, ...(held === undefined ? {} : { rows: held }) });
  const calls = new CallRecords({ database, clock, log });
  return {
    ...{ locations, accounts, calls, database },
    async close() {
      await Promise.all([locations.flushed(), calls.flushed()]);
      locations.close();
      calls.close();
      await database?.close();
    },
  };
}

interface Held {
  readonly accounts: AccountRow[];
  readonly aliases: AliasRow[];
  readonly bindings: BindingRow[];
}

/** Brings the file up to date and reads what is kept in memory; the worker opens it afterwards. */
async function prepareFile(path: string, now: number): Promise<Held> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openFile(path, "power");
    try {
      const cache = new StatementCache(file);
      await migrate(makeKysely(async (text, parameters) => cache.run(text, parameters)));
      file.prepare("DELETE FROM binding WHERE expires_at <= ?").run(now);
      return {
        accounts: file.prepare("SELECT * FROM account").all() as unknown as AccountRow[],
        aliases: file.prepare("SELECT * FROM alias").all() as unknown as AliasRow[],
        bindings: file.prepare("SELECT * FROM binding").all() as unknown as BindingRow[],
      };
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof StoreError) throw new StoreError(`${path}: ${error.message}`, { cause: error });
    throw new StoreError(`${path} cannot be opened as a database: ${messageOf(error)}`, { cause: error });
  }
}
