// The store on a real file: write-behind, durable commits, restart, a worker that dies, accounts, call records.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, test } from "node:test";
import { nodeClock as clock, nodeHash as hash } from "@offhook/sip/node";
import type { BindingChange } from "@offhook/sip/registrar";
import { AccountError } from "./accounts.ts";
import type { FlushReport } from "./location-store.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A folder that is removed after the test. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "offhook-store-"));
  open.push(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openIn(path: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore({ path, clock, hash, ...options });
  // Closed before its folder goes.
  open.unshift(() => store.close());
  return store;
}

function change(n: number, cSeq = 1, expires = 3600): BindingChange {
  return {
    ...{
      callId: `call-${n}`,
      cSeq,
      path: ["<sip:p;lr>"],
      flowId: "f1",
      userAgent: "phone",
      now: clock.now(),
    },
    received: { transport: "TCP", address: "2001:db8::1", port: 5061 },
    contacts: [
      {
        uri: `sip:user${n}@192.0.2.1`,
        expires,
        q: 0.5,
        instanceId: "<urn:uuid:1>",
        params: ';methods="INVITE"',
      },
    ],
  };
}

const aorOf = (n: number) => `sip:user${n}@example.com`;

/** How many bindings a file holds, as another program sees it. */
function countRows(path: string): number {
  const file = new DatabaseSync(path, { readOnly: true });
  const row = file.prepare("SELECT count(*) AS n FROM binding").get();
  file.close();
  return Number(row?.["n"]);
}

for (const durable of [false, true]) {
  test(`bindings come back after a restart, as they were (durable: ${durable})`, async () => {
    const path = join(makeFolder(), "data", "offhook.db");
    const store = await openIn(path, { durable });
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, n) => store.locations.update(aorOf(n), change(n))),
    );
    assert.ok(results.every((result) => result.ok));
    const removal = await store.locations.update(aorOf(1), change(1, 2, 0));
    assert.deepEqual(removal, { ok: true, bindings: [] });
    const before = store.locations.lookup(aorOf(7));
    assert.equal(before.length, 1);
    await store.close();

    const again = await openIn(path, { durable });
    assert.equal(again.locations.memory.bindingCount, 299);
    assert.deepEqual(again.locations.lookup(aorOf(7)), before);
    assert.deepEqual(again.locations.lookup(aorOf(1)), []);
    // CSeq order survives too.
    const late = await again.locations.update(aorOf(7), change(7, 1));
    assert.deepEqual(late, { ok: false, reason: "out of order" });
  });
}

test("durable: an answer means that another program can read it in the file", async () => {
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path, { durable: true });
  for (const n of [1, 2, 3]) {
    await store.locations.update(aorOf(n), change(n));
    assert.equal(countRows(path), n);
  }
});

test("durable: updates of one address-of-record keep their order, those of all share commits", async () => {
  const reports: FlushReport[] = [];
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path, { durable: true, onFlushCommitted: (report) => reports.push(report) });
  const sequence = await Promise.all([
    ...[3, 1, 4, 2, 5].map((cSeq) => store.locations.update(aorOf(0), change(0, cSeq))),
    ...Array.from({ length: 200 }, (_, n) => store.locations.update(aorOf(n + 1), change(n + 1))),
  ]);
  assert.deepEqual(
    sequence.slice(0, 5).map((result) => result.ok),
    [true, false, true, false, true],
  );
  assert.equal(store.locations.lookup(aorOf(0))[0]?.cSeq, 5);
  assert.ok(reports.length < 20, `${reports.length} commits`);
});

test("durable: what is removed while an update is being committed stays removed, on disk too", async () => {
  const path = join(makeFolder(), "offhook.db");
  const reports: FlushReport[] = [];
  const store = await openIn(path, { durable: true, onFlushCommitted: (report) => reports.push(report) });
  await store.locations.update(aorOf(1), change(1, 1));
  const [refreshed, removed] = await Promise.all([
    store.locations.update(aorOf(1), change(1, 2)),
    store.locations.remove(aorOf(1)),
  ]);
  assert.deepEqual([refreshed.ok, removed], [true, 1]);
  assert.deepEqual(store.locations.lookup(aorOf(1)), []);
  assert.equal(countRows(path), 0);
  // Nothing to remove, nothing to commit.
  assert.equal(await store.locations.remove(aorOf(1)), 0);
  assert.equal(reports.length, 3);
  assert.equal(store.locations.waitingCount, 0);
});

test("durable: any number of updates that are out of order may wait behind one", async () => {
  const store = await openIn(join(makeFolder(), "offhook.db"), { durable: true });
  const results = await Promise.all(
    Array.from({ length: 50_000 }, () => store.locations.update(aorOf(0), change(0, 7))),
  );
  assert.equal(results.filter(({ ok }) => ok).length, 1);
});

test("write-behind: an answer at once, a flush soon, many changes of one address in one row", async () => {
  const started: FlushReport[] = [];
  const committed: FlushReport[] = [];
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path, {
    onFlushStarted: (report) => started.push(report),
    onFlushCommitted: (report) => committed.push(report),
  });
  const time = clock.now();
  for (let cSeq = 1; cSeq <= 50; cSeq++) assert.ok("ok" in store.locations.update(aorOf(1), change(1, cSeq)));
  assert.equal(store.locations.waitingCount, 1);
  assert.equal(countRows(path), 0);
  await store.locations.flushed();
  assert.equal(countRows(path), 1);
  assert.deepEqual(committed, started);
  assert.deepEqual(
    committed.map(({ sequence, size }) => [sequence, size]),
    [[1, 1]],
  );
  assert.ok((committed[0]?.startedAt ?? 0) >= time);
});

test("write-behind: flushes start by themselves", async () => {
  const path = join(makeFolder(), "offhook.db");
  const committed = Promise.withResolvers<FlushReport>();
  const store = await openIn(path, { onFlushCommitted: committed.resolve });
  await store.locations.update(aorOf(1), change(1));
  assert.equal((await committed.promise).size, 1);
  assert.equal(countRows(path), 1);
});

test("a flush interval beyond 100 ms is refused", async () => {
  const folder = makeFolder();
  await assert.rejects(() => openStore({ path: join(folder, "x.db"), clock, hash, flushInterval: 101 }), {
    code: "OFFHOOK_STORE",
  });
});

test("a worker that dies: durable updates fail and change nothing, a new worker takes over, write-behind loses nothing", async () => {
  for (const durable of [true, false]) {
    const path = join(makeFolder(), "offhook.db");
    const lines: string[] = [];
    const store = await openIn(path, { durable, log: (level, line) => lines.push(`${level}: ${line}`) });
    await store.locations.update(aorOf(1), change(1));
    await store.locations.flushed();
    const died = new Promise((resolve) => store.database?.worker?.once("exit", resolve));
    const update = store.locations.update(aorOf(2), change(2));
    await store.database?.worker?.terminate();
    if (durable) {
      await assert.rejects(async () => update, { code: "OFFHOOK_STORE" });
      assert.deepEqual(store.locations.lookup(aorOf(2)), []);
    } else {
      assert.ok((await update).ok);
    }
    await died;
    assert.match(lines.join("\n"), /error: the database worker failed .* a new one starts/);
    // Until the new worker is there requests fail; then all is well again.
    while (store.database?.worker === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok((await store.locations.update(aorOf(3), change(3))).ok);
    while (store.locations.waitingCount > 0) await store.locations.flushed();
    assert.equal(countRows(path), durable ? 2 : 3);
    await store.close();
  }
});

test("a database that refuses is heard of, and what it refused is written later", async () => {
  const path = join(makeFolder(), "offhook.db");
  const lines: string[] = [];
  const store = await openIn(path, { log: (_, line) => lines.push(line) });
  const other = new DatabaseSync(path);
  other.exec("ALTER TABLE binding RENAME TO hidden");
  await store.locations.update(aorOf(1), change(1));
  await store.locations.flushed();
  assert.match(lines[0] ?? "", /1 registrations could not be written: .*binding/);
  assert.equal(store.locations.waitingCount, 1);
  other.exec("ALTER TABLE hidden RENAME TO binding");
  other.close();
  await store.locations.flushed();
  assert.equal(countRows(path), 1);
});

test("expired bindings are not loaded, and leave the file", async () => {
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path);
  await store.locations.update(aorOf(1), change(1));
  await store.locations.update(aorOf(2), change(2, 1, 7200));
  await store.close();
  assert.equal(countRows(path), 2);
  const later = { ...clock, now: () => clock.now() + 3_600_000 };
  const again = await openIn(path, { clock: later });
  assert.equal(again.locations.memory.bindingCount, 1);
  assert.equal(countRows(path), 1);
});

for (const [title, write, message] of [
  [
    "no database",
    (path: string) => writeFileSync(path, "this is no database, only text ".repeat(50)),
    /not a database/,
  ],
  [
    "a database of a later version",
    (path: string) => {
      const file = new DatabaseSync(path);
      file.exec("CREATE TABLE kysely_migration (name TEXT PRIMARY KEY, timestamp TEXT NOT NULL)");
      file.exec("INSERT INTO kysely_migration VALUES ('9999 from the future', '2030-01-01')");
      file.close();
    },
    /brought up to date/,
  ],
] as const) {
  test(`a file that is ${title} is refused with its name`, async () => {
    const path = join(makeFolder(), "offhook.db");
    write(path);
    await assert.rejects(
      () => openStore({ path, clock, hash }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "OFFHOOK_STORE");
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(path) && !error.message.includes("\n"));
        return true;
      },
    );
  });
}

test("100 000 bindings are written and loaded", async () => {
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path);
  for (let n = 0; n < 100_000; n++) store.locations.memory.update(aorOf(n), change(n));
  await store.close();
  const again = await openIn(path);
  assert.equal(again.locations.memory.bindingCount, 100_000);
  assert.equal(again.locations.lookup(aorOf(99_999)).length, 1);
});

for (const path of ["memory", "file"]) {
  const place = () => (path === "memory" ? "memory" : join(makeFolder(), "offhook.db"));

  test(`accounts in a ${path}: add, find, change, remove`, async () => {
    const where = place();
    let { accounts } = await openIn(where);
    const account = await accounts.add({
      user: "alice",
      domain: "Example.com",
      password: "secret",
      displayName: "Alice",
    });
    assert.deepEqual(
      { ...account, createdAt: 0 },
      {
        ...{ user: "alice", domain: "example.com", displayName: "Alice", enabled: true, createdAt: 0 },
      },
    );
    await accounts.add({ user: "bob", domain: "example.com", password: "other" });
    await accounts.addAlias("100", "example.com", "alice");
    await accounts.addAlias("200", "example.com", "bob");
    await accounts.setPassword("bob", "example.com", "newer");
    await accounts.setEnabled("bob", "example.com", false);
    if (path === "file") ({ accounts } = await openIn(where));
    for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"] as const) {
      const expected = hash.hex(algorithm, "alice:example.com:secret");
      if (path === "file") assert.equal(accounts.ha1("alice", "EXAMPLE.com", algorithm), expected);
      assert.equal(accounts.ha1("bob", "example.com", algorithm), undefined, "disabled");
      assert.equal(accounts.ha1("carol", "example.com", algorithm), undefined);
    }
    await accounts.setEnabled("bob", "example.com", true);
    assert.equal(accounts.ha1("bob", "example.com", "MD5"), hash.hex("MD5", "bob:example.com:newer"));
    assert.equal(accounts.resolve("100", "example.com")?.user, "alice");
    assert.equal(accounts.resolve("alice", "example.com")?.displayName, "Alice");
    assert.equal(accounts.resolve("300", "example.com"), undefined);
    assert.deepEqual(
      accounts.list().map(({ user }) => user),
      ["alice", "bob"],
    );

    assert.ok(await accounts.remove("alice", "example.com"));
    assert.ok(!(await accounts.remove("alice", "example.com")));
    assert.equal(accounts.resolve("100", "example.com"), undefined);
    assert.ok(await accounts.removeAlias("200", "example.com"));
    if (path === "file") {
      const after = await openIn(where);
      assert.deepEqual(
        after.accounts.list().map(({ user }) => user),
        ["bob"],
      );
      assert.deepEqual(after.accounts.aliases(), []);
    }
  });

  test(`accounts in a ${path}: what cannot be`, async () => {
    const { accounts } = await openIn(place());
    const add = (user: string, password = "x", domain = "example.com") =>
      accounts.add({ user, domain, password });
    await add("alice");
    await accounts.addAlias("100", "example.com", "alice");
    for (const [work, message] of [
      [() => add("alice"), /alice@example.com exists/],
      [() => add("100"), /alias already/],
      [() => add(""), /empty/],
      [() => add("a:b"), /user name has a character/],
      [() => add("a b"), /character/],
      [() => add("bob", ""), /password is empty/],
      [() => add("bob", "x\n"), /control character/],
      [() => add("bob", "x", "exa mple"), /not a domain/],
      [() => accounts.addAlias("200", "example.com", "nobody"), /no user nobody@example.com/],
      [() => accounts.addAlias("alice", "example.com", "alice"), /user already/],
      [() => accounts.setPassword("nobody", "example.com", "x"), /no user/],
    ] as const) {
      await assert.rejects(work, (error) => error instanceof AccountError && message.test(error.message));
    }
  });

  test(`import into a ${path}: all or nothing, by line`, async () => {
    const where = place();
    const store = await openIn(where);
    await store.accounts.add({ user: "bob", domain: "example.com", password: "old", displayName: "Bob" });
    const good =
      'user,password,name\r\nalice,"pass,word","Alice ""A"" Smith"\r\nbob,new\r\n\r\ncarol@other.example,x,';
    assert.deepEqual(await store.accounts.importCsv(good, "example.com"), { added: 2, updated: 1 });
    const { accounts } = path === "file" ? await openIn(where) : store;
    assert.equal(accounts.get("alice", "example.com")?.displayName, 'Alice "A" Smith');
    assert.equal(accounts.ha1("alice", "example.com", "MD5"), hash.hex("MD5", "alice:example.com:pass,word"));
    assert.equal(accounts.ha1("bob", "example.com", "MD5"), hash.hex("MD5", "bob:example.com:new"));
    assert.equal(accounts.get("bob", "example.com")?.displayName, "Bob");
    assert.equal(accounts.ha1("carol", "other.example", "MD5"), hash.hex("MD5", "carol:other.example:x"));

    const bad = 'dave,x\ndave,y\nerin\nfrank,hunter2,b,c\n"grace\n';
    await assert.rejects(
      () => accounts.importCsv(bad, "example.com"),
      (error) => {
        assert.ok(error instanceof AccountError);
        assert.deepEqual(
          error.problems.map(({ line }) => line),
          [2, 3, 4, 5],
        );
        assert.match(
          error.message,
          /line 2: user dave@example.com is on line 1 already; line 3: expected user,password/,
        );
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
    // Columns in another order: what stands where a name should may be a password.
    for (const line of ["s3c:ret,dave", "x@s3c!ret,dave", "s3c@ret@h,dave"]) {
      await assert.rejects(
        () => accounts.importCsv(line, "example.com"),
        (error) => error instanceof AccountError && !/s3c/.test(error.message + error.problems[0]?.message),
      );
    }
    assert.equal(accounts.count, 3);
  });

  test(`call records in a ${path}: latest first, in pages`, async () => {
    const store = await openIn(place());
    for (let n = 1; n <= 25; n++) {
      store.calls.add({
        ...{ id: `${n}`, callId: `c${n}`, caller: "sip:alice@example.com", callee: "sip:bob@example.com" },
        ...{ startedAt: n * 1000, answeredAt: n % 2 ? n * 1000 + 500 : undefined, endedAt: n * 1000 + 900 },
        status: n % 2 ? 200 : 486,
      });
    }
    const first = await store.calls.list({ limit: 10 });
    assert.deepEqual(
      first.map(({ id }) => id),
      ["25", "24", "23", "22", "21", "20", "19", "18", "17", "16"],
    );
    assert.deepEqual(first[0], {
      ...{ id: "25", callId: "c25", caller: "sip:alice@example.com", callee: "sip:bob@example.com" },
      ...{ startedAt: 25_000, answeredAt: 25_500, endedAt: 25_900, status: 200, duration: 400 },
    });
    assert.deepEqual([first[1]?.answeredAt, first[1]?.duration, first[1]?.status], [undefined, 0, 486]);
    const next = await store.calls.list({ limit: 100, before: first.at(-1)?.startedAt ?? 0 });
    assert.equal(next.length, 15);
  });
}

test("the file is nobody else's to read, and holds no password", async () => {
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path);
  await store.accounts.add({ user: "alice", domain: "example.com", password: "zanzibar" });
  assert.equal(statSync(path).mode & 0o077, 0);
  const file = new DatabaseSync(path, { readOnly: true });
  assert.doesNotMatch(JSON.stringify(file.prepare("SELECT * FROM account").all()), /zanzibar/);
  file.close();
});

test("keepBindings: false keeps accounts in the file and bindings in memory only", async () => {
  const path = join(makeFolder(), "offhook.db");
  const store = await openIn(path, { keepBindings: false });
  await store.locations.update(aorOf(1), change(1));
  await store.locations.flushed();
  assert.equal(store.locations.memory.bindingCount, 1);
  assert.equal(countRows(path), 0);
});
