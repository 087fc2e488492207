// What an operator may ask and change: users, registrations, calls, traces. The running server offers it on its
// admin socket (admin.ts); without one the command line opens the store and does the same.

import { aorOf } from "@offhook/sip/message";
import type { Binding } from "@offhook/sip/registrar";
import { type CallSummary, summarize } from "./call.ts";
import type { CallMonitor } from "./call-monitor.ts";
import type { Account, CallRecord, Store } from "./store/index.ts";
import { type Ladder, ladderOf } from "./trace.ts";

/** A name as people write it, "alice" or "alice@example.com". */
export interface UserInput {
  readonly name: string;
  readonly password: string;
  readonly displayName?: string | undefined;
}

/** A call for `offhook calls`: one that goes on, or a record of one that ended. */
export interface ListedCall extends Omit<CallSummary, "messages" | "ringingAt" | "reasonPhrase" | "endedBy"> {
  /** True if `trace` can show it. */
  readonly isTraced: boolean;
}

/** What was asked cannot be done; one line for people. */
export class AdministrationError extends Error {
  readonly code = "OFFHOOK_ADMIN";
}

/** The same questions and answers with a running server and without. */
export interface Administration {
  users(): Promise<Account[]>;
  /** @throws {AccountError} */
  addUser(user: UserInput): Promise<Account>;
  /** @throws {AccountError} */
  setPassword(name: string, password: string): Promise<void>;
  /** Also ends the user's registrations. @throws {AdministrationError} if there is none */
  removeUser(name: string): Promise<void>;
  /** @throws {AccountError} */
  importUsers(csv: string): Promise<{ added: number; updated: number }>;
  registrations(): Promise<Binding[]>;
  /** Latest first. */
  calls(limit: number): Promise<ListedCall[]>;
  /** `call`: an id from `calls`, a Call-ID or its beginning, or "last". @throws {AdministrationError} */
  trace(call: string): Promise<Ladder>;
  /** Turns maintenance on or off, or leaves it as it is. Fulfilled with how it is now. @throws {AdministrationError} without a server */
  maintenance(isWanted?: boolean): Promise<boolean>;
}

export interface LocalAdministrationOptions {
  readonly store: Store;
  /** The domain of names without one. */
  readonly domain: string;
  /** Absent without a running server, as is the next. */
  readonly monitor?: CallMonitor;
  readonly maintenance?: { isOn: boolean };
}

export class LocalAdministration implements Administration {
  readonly #store: Store;
  readonly #domain: string;
  readonly #monitor: CallMonitor | undefined;
  readonly #maintenance: { isOn: boolean } | undefined;

  constructor(options: LocalAdministrationOptions) {
    this.#store = options.store;
    this.#domain = options.domain;
    this.#monitor = options.monitor;
    this.#maintenance = options.maintenance;
  }

  async users(): Promise<Account[]> {
    return this.#store.accounts.list();
  }

  addUser({ name, password, displayName }: UserInput): Promise<Account> {
    return this.#store.accounts.add({ ...this.#split(name), password, displayName });
  }

  async setPassword(name: string, password: string): Promise<void> {
    const { user, domain } = this.#split(name);
    await this.#store.accounts.setPassword(user, domain, password);
  }

  async removeUser(name: string): Promise<void> {
    const { user, domain } = this.#split(name);
    if (!(await this.#store.accounts.remove(user, domain))) {
      throw new AdministrationError(`there is no user ${user}@${domain}`);
    }
    // Else a phone that was let in once could be called until its registration runs out.
    const uri = {
      scheme: "sip",
      user,
      host: domain.toLowerCase(),
      params: new Map(),
      headers: new Map(),
    } as const;
    await this.#store.locations.remove(aorOf(uri));
  }

  importUsers(csv: string): Promise<{ added: number; updated: number }> {
    return this.#store.accounts.importCsv(csv, this.#domain);
  }

  async registrations(): Promise<Binding[]> {
    return [...this.#store.locations.memory.entries()].sort((a, b) =>
      a.aor < b.aor ? -1 : a.aor > b.aor ? 1 : b.q - a.q,
    );
  }

  async calls(limit: number): Promise<ListedCall[]> {
    const going = [...(this.#monitor?.list() ?? [])].filter((call) => !call.isOver);
    const records = await this.#store.calls.list({ limit });
    return [
      ...going.map((call) => ({ ...listed(summarize(call)), isTraced: call.trace !== undefined })),
      ...records.map((record) => this.#fromRecord(record)),
    ]
      .sort((a, b) => b.startedAt - a.startedAt)
      .slice(0, limit);
  }

  async trace(name: string): Promise<Ladder> {
    if (this.#monitor === undefined) {
      throw new AdministrationError(
        "traces are kept by a running server, and none answers on the admin socket",
      );
    }
    const traced = [...this.#monitor.list()].filter((call) => call.trace !== undefined);
    const found =
      name === "last"
        ? traced.slice(-1)
        : traced.filter((call) => call.id === name || call.callId === name || call.callId.startsWith(name));
    // By its whole Call-ID, also one that was only asked for a password and never came back.
    const exact = this.#monitor.get(name) ?? found.find((call) => call.id === name) ?? found[0];
    if (exact === undefined) {
      throw new AdministrationError(
        traced.length === 0
          ? "there is no call to show yet"
          : `no call ${name} is kept; \`offhook calls\` lists those that are`,
      );
    }
    if (found.length > 1 && exact.id !== name && exact.callId !== name) {
      throw new AdministrationError(`${found.length} calls have a Call-ID that begins with ${name}`);
    }
    return ladderOf(exact);
  }

  async maintenance(isWanted?: boolean): Promise<boolean> {
    if (this.#maintenance === undefined) {
      throw new AdministrationError(
        "no server answers on the admin socket; overload.maintenance in the configuration says how it starts",
      );
    }
    if (isWanted !== undefined) this.#maintenance.isOn = isWanted;
    return this.#maintenance.isOn;
  }

  #fromRecord(record: CallRecord): ListedCall {
    const { id, callId, caller, callee, startedAt, answeredAt, endedAt, status } = record;
    const kept = this.#monitor?.get(callId, id);
    const state = answeredAt === undefined ? "failed" : "ended";
    return {
      ...{ id, callId, caller, callee, startedAt, answeredAt, endedAt, status, state },
      isTraced: kept?.trace !== undefined,
    };
  }

  #split(name: string): { user: string; domain: string } {
    const at = name.lastIndexOf("@");
    return at < 0
      ? { user: name, domain: this.#domain }
      : { user: name.slice(0, at), domain: name.slice(at + 1) };
  }
}

function listed(call: CallSummary): Omit<ListedCall, "isTraced"> {
  const { id, callId, caller, callee, state, startedAt, answeredAt, endedAt, status } = call;
  return { id, callId, caller, callee, state, startedAt, answeredAt, endedAt, status };
}
