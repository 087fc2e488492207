// The main thread's handle on the database worker: requests and answers, and a new worker when one dies.

import { Worker } from "node:worker_threads";
import type { Kysely } from "kysely";
import type { FlushBatch, Statement, WorkerAnswer, WorkerRequest, WorkerSetup } from "./database-worker.ts";
import { makeKysely, messageOf, type Tables } from "./schema.ts";
import { StoreError } from "./store-error.ts";

/** What is worth a line in the log. */
export type StoreLog = (level: "info" | "warn" | "error", message: string) => void;

type Answer = { rows: unknown[]; changes: number };

interface Pending {
  resolve(answer: Answer): void;
  reject(error: StoreError): void;
}

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

const longestRestartDelay = 5000;

/**
 * The database in its worker thread. While the worker is down every request is refused at once, so that the
 * caller can answer; a new worker is started after a delay that grows up to 5 s.
 */
export class Database {
  readonly #setup: WorkerSetup;
  readonly #log: StoreLog;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #restart: NodeJS.Timeout | undefined;
  #restartDelay = 100;
  #lastId = 0;
  #isClosed = false;
  /** Queries on accounts and call records. */
  readonly kysely: Kysely<Tables>;

  constructor(setup: WorkerSetup, log: StoreLog) {
    this.#setup = setup;
    this.#log = log;
    this.kysely = makeKysely((text, parameters) => this.run([{ text, parameters }]));
    this.#start();
  }

  /** Requests without an answer yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** The thread of the worker, for tests that end it; undefined while there is none. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  /** Writes bindings and call records in one transaction; resolves once it is committed. */
  async flush(batch: FlushBatch): Promise<void> {
    await this.#request({ kind: "flush", batch: JSON.stringify(batch) });
  }

  /** Runs statements in one transaction; resolves with what the last one gave. */
  run(statements: readonly Statement[]): Promise<Answer> {
    return this.#request({ kind: "run", statements });
  }

  /** Waits for what was asked before, then ends the worker. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    clearTimeout(this.#restart);
    const worker = this.#worker;
    const closing = worker === undefined ? undefined : this.#request({ kind: "close" });
    this.#isClosed = true;
    await closing?.catch((error: unknown) => this.#log("error", messageOf(error)));
    await worker?.terminate();
    this.#worker = undefined;
  }

  #request(request: WithoutId<WorkerRequest>): Promise<Answer> {
    const worker = this.#worker;
    if (this.#isClosed) return Promise.reject(new StoreError("the database is closed"));
    if (worker === undefined) return Promise.reject(new StoreError("the database worker is being restarted"));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ id, ...request } as WorkerRequest);
    });
  }

  #start(): void {
    // tsc rewrites the extension of imports but not of this name: it is .ts beside sources, .js beside compiled code.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./database-worker.${extension}`, import.meta.url), {
      workerData: { ...this.#setup, isDatabase: true },
      name: "offhook-database",
    });
    this.#worker = worker;
    let reason = "ended";
    worker.on("message", (answer: WorkerAnswer) => {
      this.#restartDelay = 100;
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if (answer.ok) pending?.resolve(answer);
      else pending?.reject(new StoreError(`the database refused: ${answer.message}`));
    });
    worker.on("error", (error) => {
      reason = messageOf(error);
    });
    worker.on("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const failed = [...this.#pending.values()];
      this.#pending.clear();
      for (const pending of failed) pending.reject(new StoreError(`the database worker failed: ${reason}`));
      if (this.#isClosed) return;
      this.#log(
        "error",
        `the database worker failed (${reason}); a new one starts in ${this.#restartDelay} ms`,
      );
      this.#restart = setTimeout(() => this.#start(), this.#restartDelay);
      this.#restartDelay = Math.min(this.#restartDelay * 2, longestRestartDelay);
    });
  }
}
