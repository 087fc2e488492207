// The worker thread that owns the database: one connection, one transaction per message, answers in order.
// Started by database.ts; imports nothing of the library, so that it starts fast.

import { parentPort, workerData } from "node:worker_threads";
import { type Durability, openFile, StatementCache } from "./sqlite.ts";

export interface WorkerSetup {
  readonly path: string;
  readonly durability: Durability;
}

export interface Statement {
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** What the worker is asked. `id` comes back with the answer. */
export type WorkerRequest =
  /** JSON of `FlushBatch`: one string crosses threads faster than many objects. */
  | { readonly id: number; readonly kind: "flush"; readonly batch: string }
  /** All statements in one transaction; the answer is that of the last. */
  | { readonly id: number; readonly kind: "run"; readonly statements: readonly Statement[] }
  | { readonly id: number; readonly kind: "close" };

export interface FlushBatch {
  /** Address-of-record → the values of all its rows, in the order of the columns below. */
  readonly bindings: readonly (readonly [aor: string, rows: readonly (readonly unknown[])[]])[];
  readonly calls: readonly (readonly unknown[])[];
}

export type WorkerAnswer =
  | { readonly id: number; readonly ok: true; readonly rows: unknown[]; readonly changes: number }
  | { readonly id: number; readonly ok: false; readonly message: string };

const bindingColumns = [
  ...["aor", "contact", "call_id", "cseq", "expires_at", "q", "path", "flow_id", "received"],
  ...["user_agent", "instance_id", "reg_id", "params", "updated_at"],
];
const callColumns = [
  ...["id", "call_id", "caller", "callee", "started_at", "answered_at", "ended_at", "status"],
];

if (parentPort !== null && (workerData as { isDatabase?: boolean } | null)?.isDatabase === true)
  serve(parentPort);

function serve(port: NonNullable<typeof parentPort>): void {
  const { path, durability } = workerData as WorkerSetup;
  const database = openFile(path, durability);
  const cache = new StatementCache(database);
  const deleteAor = database.prepare("DELETE FROM binding WHERE aor = ?");
  const insertBinding = database.prepare(insertText("binding", bindingColumns));
  const insertCall = database.prepare(insertText("call", callColumns));

  const flush = (batch: FlushBatch): void =>
    cache.transaction(() => {
      for (const [aor, rows] of batch.bindings) {
        deleteAor.run(aor);
        for (const row of rows) insertBinding.run(...(row as string[]));
      }
      for (const row of batch.calls) insertCall.run(...(row as string[]));
    });

  const answer = (request: WorkerRequest): { rows: unknown[]; changes: number } => {
    switch (request.kind) {
      case "flush":
        flush(JSON.parse(request.batch) as FlushBatch);
        return { rows: [], changes: 0 };
      case "run": {
        const { statements } = request;
        const run = () => statements.map(({ text, parameters }) => cache.run(text, parameters));
        const results = statements.length > 1 ? cache.transaction(run) : run();
        return results.at(-1) ?? { rows: [], changes: 0 };
      }
      case "close":
        database.close();
        return { rows: [], changes: 0 };
    }
  };

  port.on("message", (request: WorkerRequest) => {
    let result: WorkerAnswer;
    try {
      result = { id: request.id, ok: true, ...answer(request) };
    } catch (error) {
      result = { id: request.id, ok: false, message: error instanceof Error ? error.message : String(error) };
    }
    port.postMessage(result);
    if (request.kind === "close") port.close();
  });
}

function insertText(table: string, columns: readonly string[]): string {
  return `INSERT OR REPLACE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
}
