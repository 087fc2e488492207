// Opening a database file with node:sqlite, and running statements on it. Used at start and inside the worker.

import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

/** How safe a commit is: against the end of the process, or also against the end of power. */
export type Durability = "process" | "power";

/** Opens a file in WAL mode; a new one gets mode 0600, since it holds what stands for passwords. */
export function openFile(path: string, durability: Durability): DatabaseSync {
  closeSync(openSync(path, "a", 0o600));
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec("PRAGMA journal_mode = WAL");
  // NORMAL survives kill -9 (what was written is with the kernel), FULL also a power cut, at one fsync per commit.
  database.exec(`PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
  return database;
}

/** Runs statements, keeping the prepared ones of each text. */
export class StatementCache {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  run(text: string, parameters: readonly unknown[]): { rows: unknown[]; changes: number } {
    const statement = this.prepare(text);
    const values = parameters as SQLInputValue[];
    if (statement.columns().length > 0) return { rows: statement.all(...values), changes: 0 };
    return { rows: [], changes: Number(statement.run(...values).changes) };
  }

  prepare(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      // Texts come from Kysely and are few; a bound all the same.
      if (this.#statements.size > 200) this.#statements.clear();
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /** Runs `work` in one transaction: all of it or nothing. */
  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // A failed COMMIT (disk full) may have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}
