// The tables, as Kysely types and as migrations; and the dialect that lets Kysely talk to node:sqlite.

import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { StoreError } from "./store-error.ts";

/** A user who may register and call. Booleans are 0 and 1, times are milliseconds since the Unix epoch. */
export interface AccountRow {
  user: string;
  domain: string;
  display_name: string | null;
  enabled: number;
  created_at: number;
  /** H(user ":" domain ":" password), one per algorithm; the password itself is never stored. */
  ha1_md5: string | null;
  ha1_sha256: string | null;
  ha1_sha512_256: string | null;
}

export interface AliasRow {
  alias: string;
  domain: string;
  user: string;
}

export interface BindingRow {
  aor: string;
  contact: string;
  call_id: string;
  cseq: number;
  expires_at: number;
  q: number;
  /** JSON array of strings. */
  path: string | null;
  flow_id: string | null;
  /** "UDP 192.0.2.1 5060". */
  received: string | null;
  user_agent: string | null;
  instance_id: string | null;
  reg_id: number | null;
  params: string | null;
  updated_at: number;
}

export interface CallRow {
  id: string;
  call_id: string;
  caller: string;
  callee: string;
  started_at: number;
  answered_at: number | null;
  ended_at: number;
  /** Final status of the INVITE. */
  status: number;
}

export interface Tables {
  account: AccountRow;
  alias: AliasRow;
  binding: BindingRow;
  call: CallRow;
}

/** Applied in the order of their names, each once. Never change one that was released: add another. */
const migrations: Record<string, Migration> = {
  "0001 accounts, aliases, bindings, calls": {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("account")
        .addColumn("user", "text", (column) => column.notNull())
        .addColumn("domain", "text", (column) => column.notNull())
        .addColumn("display_name", "text")
        .addColumn("enabled", "integer", (column) => column.notNull().defaultTo(1))
        .addColumn("created_at", "integer", (column) => column.notNull())
        .addColumn("ha1_md5", "text")
        .addColumn("ha1_sha256", "text")
        .addColumn("ha1_sha512_256", "text")
        .addPrimaryKeyConstraint("account_key", ["domain", "user"])
        .modifyEnd(sql`without rowid`)
        .execute();
      await db.schema
        .createTable("alias")
        .addColumn("alias", "text", (column) => column.notNull())
        .addColumn("domain", "text", (column) => column.notNull())
        .addColumn("user", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("alias_key", ["domain", "alias"])
        .modifyEnd(sql`without rowid`)
        .execute();
      await db.schema
        .createTable("binding")
        .addColumn("aor", "text", (column) => column.notNull())
        .addColumn("contact", "text", (column) => column.notNull())
        .addColumn("call_id", "text", (column) => column.notNull())
        .addColumn("cseq", "integer", (column) => column.notNull())
        .addColumn("expires_at", "integer", (column) => column.notNull())
        .addColumn("q", "real", (column) => column.notNull())
        .addColumn("path", "text")
        .addColumn("flow_id", "text")
        .addColumn("received", "text")
        .addColumn("user_agent", "text")
        .addColumn("instance_id", "text")
        .addColumn("reg_id", "integer")
        .addColumn("params", "text")
        .addColumn("updated_at", "integer", (column) => column.notNull())
        .addPrimaryKeyConstraint("binding_key", ["aor", "contact"])
        .modifyEnd(sql`without rowid`)
        .execute();
      await db.schema
        .createTable("call")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("call_id", "text", (column) => column.notNull())
        .addColumn("caller", "text", (column) => column.notNull())
        .addColumn("callee", "text", (column) => column.notNull())
        .addColumn("started_at", "integer", (column) => column.notNull())
        .addColumn("answered_at", "integer")
        .addColumn("ended_at", "integer", (column) => column.notNull())
        .addColumn("status", "integer", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("call_by_start").on("call").column("started_at").execute();
    },
  },
};

/**
 * Brings the tables of a database up to date.
 * @throws {StoreError} if a migration fails, or the file was written by a later version
 */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw new StoreError(`the database cannot be brought up to date: ${messageOf(error)}`, { cause: error });
  }
}

/** What runs one statement: a database at hand, or the worker that has it. */
export type Execute = (
  text: string,
  parameters: readonly unknown[],
) => Promise<{ rows: unknown[]; changes: number }>;

/**
 * Kysely on top of `execute`. It has no transactions: those that the server needs are batches of the worker,
 * so that none is ever left open between two messages.
 */
export function makeKysely(execute: Execute): Kysely<Tables> {
  const dialect: Dialect = {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new ExecuteDriver(execute),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
  return new Kysely<Tables>({ dialect });
}

class ExecuteDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(execute: Execute) {
    this.#connection = {
      async executeQuery<R>({ sql: text, parameters }: CompiledQuery): Promise<QueryResult<R>> {
        const { rows, changes } = await execute(text, parameters);
        return { rows: rows as R[], numAffectedRows: BigInt(changes) };
      },
      streamQuery(): never {
        throw new StoreError("streaming queries are not offered");
      },
    };
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  async beginTransaction(): Promise<never> {
    throw new StoreError("use a batch instead of a transaction");
  }

  async commitTransaction(): Promise<void> {}

  async rollbackTransaction(): Promise<void> {}

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
