// Users, their aliases and what stands for their passwords. Held in memory, so that digest never waits for a disk.
// RFC 3261 §22, RFC 8760: one HA1 per algorithm; passwords are not stored.

import type { Clock, Hash, HashAlgorithm } from "@offhook/sip";
import { computeHa1 } from "@offhook/sip/auth";
import { nodeRandom } from "@offhook/sip/node";
import { type Keyed, TextTable } from "@offhook/sip/transaction";
import { readCsv } from "./csv.ts";
import type { Database } from "./database.ts";
import type { AccountRow, AliasRow } from "./schema.ts";

/** A user as shown to people. */
export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly displayName: string | undefined;
  readonly enabled: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

export interface NewAccount {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  readonly displayName?: string | undefined;
}

/** One line of an import that cannot be used. */
export interface ImportProblem {
  readonly line: number;
  readonly message: string;
}

/** An account operation that cannot be done: the name is taken, not allowed, unknown. One line for people. */
export class AccountError extends Error {
  readonly code = "OFFHOOK_ACCOUNT";
  /** The lines of an import that are wrong; empty for other operations. */
  readonly problems: readonly ImportProblem[];

  constructor(message: string, problems: readonly ImportProblem[] = []) {
    super(message);
    this.name = "AccountError";
    this.problems = problems;
  }
}

export interface AccountsOptions {
  /** Undefined: memory only. */
  readonly database: Database | undefined;
  readonly hash: Hash;
  readonly clock: Pick<Clock, "now">;
  /** What the database held at start. */
  readonly rows?: { readonly accounts: readonly AccountRow[]; readonly aliases: readonly AliasRow[] };
}

const columnOf = { MD5: "ha1_md5", "SHA-256": "ha1_sha256", "SHA-512-256": "ha1_sha512_256" } as const;

/** The users of all domains. A user's realm is the account's domain. */
export class Accounts {
  readonly #database: Database | undefined;
  readonly #hash: Hash;
  readonly #clock: Pick<Clock, "now">;
  readonly #accounts = new ByName<StoredAccount>();
  readonly #aliases = new ByName<StoredAlias>();

  constructor(options: AccountsOptions) {
    this.#database = options.database;
    this.#hash = options.hash;
    this.#clock = options.clock;
    for (const row of options.rows?.accounts ?? []) this.#accounts.add(storedAccount(row));
    for (const row of options.rows?.aliases ?? []) this.#aliases.add(storedAlias(row));
  }

  get count(): number {
    return this.#accounts.size;
  }

  /**
   * The port of `Challenger` and `Registrar`: H(user ":" realm ":" password) of an enabled user.
   * An arrow function, so that it can be passed on by itself.
   */
  readonly ha1 = (user: string, realm: string, algorithm: HashAlgorithm): string | undefined => {
    const row = this.#accounts.get(user, realm)?.row;
    return row?.enabled ? (row[columnOf[algorithm]] ?? undefined) : undefined;
  };

  /** One user, or undefined. */
  get(user: string, domain: string): Account | undefined {
    return this.#accounts.get(user, domain)?.account;
  }

  /** All users, by domain and name. */
  list(): Account[] {
    return Array.from(this.#accounts.values(), ({ account }) => account).sort(
      (a, b) => compare(a.domain, b.domain) || compare(a.user, b.user),
    );
  }

  /** @throws {AccountError} if the user exists, the name is an alias, or name or password cannot be used */
  async add(account: NewAccount): Promise<Account> {
    const problem = problemOf(account.user, account.domain, account.password);
    if (problem !== undefined) throw new AccountError(problem);
    const row = this.#makeRow(account);
    const { user, domain } = row;
    const key = keyOf(user, domain);
    if (this.#accounts.has(user, domain)) throw new AccountError(`user ${key} exists already`);
    if (this.#aliases.has(user, domain)) throw new AccountError(`${key} is an alias already`);
    const added = storedAccount(row);
    // Taken before anything waits, given back if the database refuses.
    this.#accounts.add(added);
    try {
      await this.#write([row]);
    } catch (error) {
      this.#accounts.delete(user, domain);
      throw error;
    }
    return added.account;
  }

  /** Gives a user another password. @throws {AccountError} if there is no such user */
  async setPassword(user: string, domain: string, password: string): Promise<void> {
    const known = this.#known(user, domain);
    const problem = problemOf(user, domain, password);
    if (problem !== undefined) throw new AccountError(problem);
    await this.#replace(known, {
      ...known,
      ...this.#hashes({ user: known.user, domain: known.domain, password }),
    });
  }

  /** Disabled users cannot authenticate; their bindings are not touched. @throws {AccountError} */
  async setEnabled(user: string, domain: string, enabled: boolean): Promise<void> {
    const known = this.#known(user, domain);
    await this.#replace(known, { ...known, enabled: enabled ? 1 : 0 });
  }

  /** Removes a user and the aliases that lead there. @returns false if there was none */
  async remove(user: string, domain: string): Promise<boolean> {
    const row = this.#accounts.get(user, domain)?.row;
    if (row === undefined) return false;
    const { kysely } = this.#database ?? {};
    if (kysely !== undefined) {
      const own = { user: row.user, domain: row.domain };
      await this.#run([
        kysely.deleteFrom("account").where("user", "=", own.user).where("domain", "=", own.domain).compile(),
        kysely.deleteFrom("alias").where("user", "=", own.user).where("domain", "=", own.domain).compile(),
      ]);
    }
    this.#accounts.delete(user, domain);
    const theirs = [...this.#aliases.values()].filter(
      (alias) => alias.row.user === row.user && alias.domain === row.domain,
    );
    for (const alias of theirs) this.#aliases.delete(alias.key, alias.domain);
    return true;
  }

  /** All aliases, by domain and name. */
  aliases(): { alias: string; domain: string; user: string }[] {
    return Array.from(this.#aliases.values(), ({ row }) => ({ ...row })).sort(
      (a, b) => compare(a.domain, b.domain) || compare(a.alias, b.alias),
    );
  }

  /** Makes a further name for a user of the same domain. @throws {AccountError} */
  async addAlias(alias: string, domain: string, user: string): Promise<void> {
    const { user: owner, domain: ownDomain } = this.#known(user, domain);
    const problem = problemOf(alias, ownDomain, "-");
    if (problem !== undefined) throw new AccountError(problem);
    const key = keyOf(alias, ownDomain);
    if (this.#accounts.has(alias, ownDomain)) throw new AccountError(`${key} is a user already`);
    if (this.#aliases.has(alias, ownDomain)) throw new AccountError(`${key} is an alias already`);
    const row: AliasRow = { alias, domain: ownDomain, user: owner };
    const { kysely } = this.#database ?? {};
    if (kysely !== undefined) await kysely.insertInto("alias").values(row).execute();
    this.#aliases.add(storedAlias(row));
  }

  /** @returns false if there was none */
  async removeAlias(alias: string, domain: string): Promise<boolean> {
    const row = this.#aliases.get(alias, domain)?.row;
    if (row === undefined) return false;
    const { kysely } = this.#database ?? {};
    if (kysely !== undefined) {
      await kysely
        .deleteFrom("alias")
        .where("alias", "=", row.alias)
        .where("domain", "=", row.domain)
        .execute();
    }
    this.#aliases.delete(alias, domain);
    return true;
  }

  /** The user whom a name means: the user of that name, else the one behind the alias, else undefined. */
  resolve(name: string, domain: string): Account | undefined {
    const found = this.#accounts.get(name, domain);
    if (found !== undefined) return found.account;
    const alias = this.#aliases.get(name, domain);
    return alias === undefined ? undefined : this.get(alias.row.user, alias.domain);
  }

  /**
   * Imports lines of `user,password[,display name]`: all of them or, if any is wrong, none. Users that exist
   * get the new password, and the display name if there is one. `user@domain` overrides `domain`.
   * @throws {AccountError} with `problems` by line
   */
  async importCsv(text: string, domain: string): Promise<{ added: number; updated: number }> {
    const problems: ImportProblem[] = [];
    const rows = new Map<string, AccountRow>();
    const lines = new Map<string, number>();
    let isFirst = true;
    let updated = 0;
    for (const { line, fields, problem } of readCsv(text)) {
      const wasFirst = isFirst;
      isFirst = false;
      const [name = "", password = "", displayName = ""] = fields;
      // A header line as spreadsheets write it.
      if (wasFirst && name.trim().toLowerCase() === "user" && password.trim().toLowerCase() === "password")
        continue;
      const at = name.lastIndexOf("@");
      const user = (at < 0 ? name : name.slice(0, at)).trim();
      const host = at < 0 ? domain : name.slice(at + 1).trim();
      const key = keyOf(user, host);
      const message =
        problem ??
        (fields.length < 2 || fields.length > 3
          ? `expected user,password[,display name], found ${fields.length} field${fields.length === 1 ? "" : "s"}`
          : (problemOf(user, host, password) ??
            (lines.has(key) ? `user ${key} is on line ${lines.get(key)} already` : undefined) ??
            (this.#aliases.has(user, host) ? `${key} is an alias already` : undefined)));
      if (message !== undefined) {
        problems.push({ line, message });
        continue;
      }
      lines.set(key, line);
      const known = this.#accounts.get(user, host)?.row;
      const row = this.#makeRow({
        user,
        domain: host,
        password,
        displayName: displayName.trim() || undefined,
      });
      if (known !== undefined) {
        updated++;
        row.created_at = known.created_at;
        row.enabled = known.enabled;
        row.display_name ??= known.display_name;
      }
      rows.set(key, row);
    }
    if (problems.length > 0) {
      const shown = problems.slice(0, 5).map(({ line, message }) => `line ${line}: ${message}`);
      const more = problems.length > shown.length ? ` (and ${problems.length - shown.length} more)` : "";
      throw new AccountError(`nothing imported: ${shown.join("; ")}${more}`, problems);
    }
    await this.#write([...rows.values()]);
    for (const row of rows.values()) this.#accounts.add(storedAccount(row));
    return { added: rows.size - updated, updated };
  }

  #known(user: string, domain: string): AccountRow {
    const row = this.#accounts.get(user, domain)?.row;
    if (row === undefined) throw new AccountError(`there is no user ${keyOf(user, domain)}`);
    return row;
  }

  async #replace(before: AccountRow, after: AccountRow): Promise<void> {
    await this.#write([after]);
    if (this.#accounts.has(before.user, before.domain)) this.#accounts.add(storedAccount(after));
  }

  #makeRow(account: NewAccount): AccountRow {
    const domain = account.domain.toLowerCase();
    return {
      user: account.user,
      domain,
      display_name: account.displayName ?? null,
      enabled: 1,
      created_at: Math.floor(this.#clock.now()),
      ...this.#hashes({ ...account, domain }),
    };
  }

  #hashes(account: NewAccount): Pick<AccountRow, (typeof columnOf)[HashAlgorithm]> {
    const credential = { user: account.user, realm: account.domain, password: account.password };
    return {
      ha1_md5: computeHa1(this.#hash, "MD5", credential),
      ha1_sha256: computeHa1(this.#hash, "SHA-256", credential),
      ha1_sha512_256: computeHa1(this.#hash, "SHA-512-256", credential),
    };
  }

  async #write(rows: readonly AccountRow[]): Promise<void> {
    const { kysely } = this.#database ?? {};
    if (kysely === undefined) return;
    await this.#run(rows.map((row) => kysely.replaceInto("account").values(row).compile()));
  }

  /** All statements in one transaction. */
  async #run(
    queries: readonly { readonly sql: string; readonly parameters: readonly unknown[] }[],
  ): Promise<void> {
    if (queries.length === 0) return;
    await this.#database?.run(queries.map(({ sql, parameters }) => ({ text: sql, parameters })));
  }
}

/** What is found by a name of a domain. */
interface Named extends Keyed {
  /** In lower case. */
  readonly domain: string;
}

/** A table for each domain: to find something, no string is put together of name and domain. */
class ByName<T extends Named> {
  readonly #domains = new Map<string, TextTable<T>>();

  get size(): number {
    let size = 0;
    for (const table of this.#domains.values()) size += table.size;
    return size;
  }

  get(name: string, domain: string): T | undefined {
    return this.#tableOf(domain)?.get(name);
  }

  has(name: string, domain: string): boolean {
    return this.get(name, domain) !== undefined;
  }

  /** Adds an entry, in the place of one with the same name. */
  add(entry: T): void {
    const table = this.#domains.get(entry.domain) ?? new TextTable<T>(nodeRandom);
    this.#domains.set(entry.domain, table);
    table.add(entry);
  }

  delete(name: string, domain: string): void {
    this.#tableOf(domain)?.delete(name);
  }

  *values(): Generator<T> {
    for (const table of this.#domains.values()) yield* table.values();
  }

  #tableOf(domain: string): TextTable<T> | undefined {
    return this.#domains.get(domain) ?? this.#domains.get(domain.toLowerCase());
  }
}

interface StoredAccount extends Named {
  readonly row: AccountRow;
  readonly account: Account;
}

/** The row anew: objects that come from the database are dictionaries, slow to look at. */
function storedAccount(row: AccountRow): StoredAccount {
  const { user, domain, display_name, enabled, created_at, ha1_md5, ha1_sha256, ha1_sha512_256 } = row;
  return {
    key: user,
    domain,
    row: { user, domain, display_name, enabled, created_at, ha1_md5, ha1_sha256, ha1_sha512_256 },
    account: toAccount(row),
  };
}

interface StoredAlias extends Named {
  readonly row: AliasRow;
}

function storedAlias({ alias, domain, user }: AliasRow): StoredAlias {
  return { key: alias, domain, row: { alias, domain, user } };
}

function keyOf(user: string, domain: string): string {
  return `${user}@${domain.toLowerCase()}`;
}

/** Why a name or password cannot be used. Shows neither: in a file with its columns swapped a name is a password. */
function problemOf(user: string, domain: string, password: string): string | undefined {
  if (user === "") return "the user name is empty";
  if (user.length > 128) return "the user name is longer than 128 characters";
  // RFC 7616 §3.4.2: a colon would end the name within the hash.
  if (/[:@\s"\\<>\p{Cc}]/u.test(user))
    return 'the user name has a character that it may not have: none of : @ " \\ < > and no blanks';
  if (!/^[a-z0-9._[\]:-]+$/i.test(domain)) return "what stands behind @ in the user name is not a domain";
  if (password === "") return "the password is empty";
  if (/\p{Cc}/u.test(password)) return "the password has a control character";
  return undefined;
}

function toAccount(row: AccountRow): Account {
  return {
    user: row.user,
    domain: row.domain,
    displayName: row.display_name ?? undefined,
    enabled: row.enabled === 1,
    createdAt: row.created_at,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
