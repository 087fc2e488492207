// The command as people run it, in processes of its own: a server, its users, two test phones, mistakes.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseWav } from "@offhook/sip/media";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "offhook-command-"));

class Run {
  readonly child: ChildProcess;
  out = "";
  err = "";
  readonly #ended: Promise<number | null>;

  constructor(args: string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, ["--conditions=@offhook/source", main, ...args], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.#ended = once(this.child, "close").then(([code]) => code as number | null);
  }

  get ended(): Promise<number | null> {
    return this.#ended;
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const limit = AbortSignal.timeout(15_000);
    for (;;) {
      const found = pattern.exec(this.out);
      if (found !== null) return found;
      if (this.child.exitCode !== null)
        throw new Error(`ended with ${this.child.exitCode}: ${this.out}${this.err}`);
      await once(this.child.stdout!, "data", { signal: limit });
    }
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}

async function run(args: string[], env: Record<string, string> = {}) {
  const command = new Run(args, env);
  const status = await command.ended;
  return { status, out: command.out, err: command.err };
}

test("its reader goes, as in `offhook code --json | head`: it ends, and says nothing of it", async () => {
  const command = new Run(["code", "--json"]);
  command.child.stdout?.destroy();
  assert.equal(await command.ended, 141);
  assert.equal(command.err, "");
});

test("the reader of a phone that waits goes: the phone ends with the next thing that it has to say", async () => {
  const phone = new Run(["answer", "sip:bob@127.0.0.1", "--no-register", "--address", "127.0.0.1"]);
  const [, port] = await phone.says(/waiting for calls on udp 127\.0\.0\.1:(\d+)/);
  phone.child.stdout?.destroy();
  const call = new Run(["call", `sip:bob@127.0.0.1:${port}`]);
  assert.equal(await phone.ended, 0);
  assert.equal(phone.err, "");
  await call.ended;
});

for (const [signal, outcome] of [
  ["SIGHUP", "does nothing"],
  ["SIGTERM", "ends it"],
] as const) {
  // When a process has a handler is told by Linux alone.
  test(`serve: while it rehearses, ${signal} ${outcome}`, {
    skip: process.platform !== "linux",
  }, async (t) => {
    writeFileSync(
      join(folder, "rehearses.yaml"),
      "listeners: [{ transport: udp, port: 0 }]\nhttp: false\nstore: { kind: memory }\n",
    );
    const server = await stoppedWhileItRehearses(t);
    server.child.kill(signal);
    server.child.kill("SIGCONT");
    if (signal === "SIGHUP") await server.says(/listening/);
    assert.equal(await server.stop(), signal === "SIGHUP" ? 0 : 143);
    if (signal === "SIGTERM") assert.equal(server.out, "");
  });
}

/** A server that has its signal handlers and has said nothing yet, halted there: it cannot be done before the signal comes. */
async function stoppedWhileItRehearses(t: TestContext): Promise<Run> {
  for (;;) {
    const server = new Run(["serve", "--config", "rehearses.yaml"]);
    t.after(() => server.stop("SIGKILL"));
    const shows = (pattern: RegExp) => pattern.test(readFileSync(`/proc/${server.child.pid}/status`, "utf8"));
    while (!shows(/^SigCgt:\s*\w*[13579bdf]$/m)) await setTimeout(5);
    server.child.kill("SIGSTOP");
    while (!shows(/^State:\s*T/m)) await setTimeout(5);
    // All that it has said is in the pipe, and is read in the next turn.
    for (let turns = 0; turns < 3; turns++) await setImmediate();
    if (server.out === "") return server;
    await server.stop("SIGKILL");
  }
}

const mistakes: [args: string[], status: number, line: RegExp][] = [
  [["fly"], 2, /^offhook: unknown command 'fly'\n\(offhook --help/],
  [["serve", "--config", "missing.yaml"], 2, /^offhook: missing\.yaml: there is no such file\n$/],
  [
    ["serve", "--config", "broken.yaml"],
    2,
    /^offhook: broken\.yaml:2: listeners\[0\]\.port: "many" is not allowed; it must be a (whole )?number\n$/,
  ],
  [
    ["serve", "--listen", "not an address"],
    2,
    /^offhook: --listen: not an address is not an address or address:port\n$/,
  ],
  [["call", "mailto:x@y"], 2, /^offhook: mailto:x@y is not a SIP address/],
  [
    ["call", "sip:x@127.0.0.1", "--tone", "high"],
    2,
    /^offhook: option '--tone <Hz>' argument 'high' is invalid/,
  ],
  [
    ["call", "sip:x@127.0.0.1", "--play", "missing.wav"],
    2,
    /^offhook: missing\.wav: there is no such file\n$/,
  ],
  [["code", "999"], 1, /^offhook: 999 is not a SIP response code/],
  [["user", "import", "missing.csv"], 2, /^offhook: missing\.csv: there is no such file\n$/],
  [
    ["user", "import", "wrong.csv"],
    2,
    /^offhook: wrong\.csv:2: expected user,password.*\nnothing was imported\n$/,
  ],
  [["user", "add", "nobody"], 2, /^offhook: no password: give --password, or set OFFHOOK_PASSWORD\n$/],
  [
    ["trace", "last", "--config", "memory.yaml"],
    1,
    /^offhook: no server answers on .*, and its store is in memory only\n$/,
  ],
];

describe("the command line", { concurrency: false }, () => {
  before(() => {
    writeFileSync(join(folder, "broken.yaml"), "listeners:\n  - { transport: udp, port: many }\n");
    writeFileSync(join(folder, "memory.yaml"), "store: { kind: memory }\n");
    writeFileSync(join(folder, "wrong.csv"), "alice,secret\nbob\n");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [args, status, line] of mistakes) {
    test(`offhook ${args.join(" ")}: one line, status ${status}`, async () => {
      const result = await run(args);
      assert.match(result.err, line);
      assert.equal(result.status, status);
      assert.equal(result.out, "");
    });
  }

  test("user import - from a pipe that is non-blocking and has nothing to read yet", async () => {
    writeFileSync(join(folder, "pipe.yaml"), `store: { path: ${JSON.stringify(join(folder, "pipe.db"))} }\n`);
    const command = [process.execPath, "--conditions=@offhook/source", main];
    // Whoever holds the other end of a pipe may have made this one non-blocking: here, by opening a FIFO so.
    const fifo = join(folder, "users.fifo");
    execFileSync("mkfifo", [fifo]);
    const input = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const output = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    // Node makes only descriptors 0 to 2 of a child blocking.
    const child = spawn(
      "sh",
      ["-c", 'exec "$@" <&3', "sh", ...command, "user", "import", "-", "--config", "pipe.yaml"],
      { cwd: folder, stdio: ["ignore", "pipe", "pipe", input] },
    );
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    }
    const ended = once(child, "close");
    // More than the pipe holds: what does not fit goes in once the command has read.
    const lines = Array.from({ length: 5000 }, (_, i) => `user${i},secret\n`).join("");
    let written = 0;
    while (written < lines.length && child.exitCode === null) {
      try {
        written += writeSync(output, lines.slice(written));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
        await setTimeout(10);
      }
    }
    closeSync(output);
    closeSync(input);
    assert.deepEqual(await ended, [0, null], said);
    assert.equal(said, "5000 added, 0 updated\n");
  });

  test("a demo: users, two phones that call each other, registrations, calls, trace; SIGTERM ends it with 0", async (t) => {
    const home = join(folder, "demo");
    writeFileSync(
      join(folder, "demo.yaml"),
      `listeners:
  - { transport: udp, host: 127.0.0.1, port: 0 }
  - { transport: tcp, host: 127.0.0.1, port: 0 }
http: { port: 0 }
store: { path: ${JSON.stringify(join(home, "offhook.db"))} }
`,
    );
    const config = ["--config", "demo.yaml"];
    // Without a server the file is opened directly, with one the server is asked.
    assert.equal(
      (await run(["user", "add", "alice", "--password", "wonder", ...config])).out,
      "added alice@localhost\n",
    );
    const server = new Run(["serve", ...config]);
    t.after(() => server.stop("SIGKILL"));
    const [, port, tcpPort] = await server.says(
      /listening on udp 127\.0\.0\.1:(\d+), tcp 127\.0\.0\.1:(\d+)/,
    );
    assert.equal((await run(["user", "add", "bob", ...config], { OFFHOOK_PASSWORD: "builder" })).err, "");
    const users = JSON.parse((await run(["user", "list", "--json", ...config])).out) as { user: string }[];
    assert.deepEqual(
      users.map(({ user }) => user),
      ["alice", "bob"],
    );

    const bob = new Run(
      ["answer", `sip:bob@127.0.0.1:${port}`, "--once", "--ring", "0.2", "--record", "bob.wav"],
      { OFFHOOK_PASSWORD: "builder" },
    );
    t.after(() => bob.stop("SIGKILL"));
    await bob.says(/waiting for calls/);
    assert.match(
      (await run(["registrations", ...config])).out,
      /^user .*\nbob@localhost +sip:bob@127\.0\.0\.1:\d+/,
    );
    const call = ["call", `sip:bob@127.0.0.1:${port}`, "--from", `sip:alice@127.0.0.1:${port}`];
    // A second and a half of sound are enough; the rest is for a machine that stands still meanwhile.
    const alice = await run([...call, "--duration", "7", "--keys", "5#", "--trace", "--json"], {
      OFFHOOK_PASSWORD: "wonder",
    });
    assert.equal(alice.status, 0, alice.err);
    const { outcome, audio } = JSON.parse(alice.out) as {
      outcome: string;
      audio: { sent: { packets: number }; received: { packets: number; level: number } };
    };
    assert.equal(outcome, "ended");
    assert.ok(audio.sent.packets > 30 && audio.received.packets > 30, JSON.stringify(audio));
    assert.ok(Math.abs(audio.received.level + 18) < 3, `${audio.received.level} dBov`);
    assert.match(alice.err, /──> UDP 127\.0\.0\.1:\d+\n {2}INVITE sip:bob/);
    assert.doesNotMatch(alice.err, /response="/);
    assert.equal(await bob.ended, 0);
    for (const line of [
      /call from .*alice/,
      /^answered$/m,
      /^key 5$/m,
      /^key #$/m,
      /^ended by the other side/m,
    ]) {
      assert.match(bob.out, line);
    }
    assert.ok(existsSync(join(folder, "bob.wav")));
    assert.ok(parseWav(readFileSync(join(folder, "bob.wav"))).samples.length > 4000);

    const refused = await run([
      "call",
      `sip:nobody@127.0.0.1:${port}`,
      "--from",
      `sip:alice@127.0.0.1:${port}`,
      "-p",
      "wonder",
    ]);
    assert.equal(refused.status, 1);
    assert.match(refused.err, /^offhook: 404 Not Found: [A-Z].*\.\n$/);
    const stranger = await run(["call", `sip:nobody@127.0.0.1:${port}`]);
    assert.equal(stranger.status, 1);
    assert.match(
      stranger.err,
      /^offhook: 407 .*: the server asks who this is \(--from, one of its users\)\n$/,
    );
    const wrong = await run(["register", `sip:alice@127.0.0.1:${port}`, "-p", "guess"]);
    assert.deepEqual(
      [wrong.status, wrong.err],
      [1, "offhook: 401 Unauthorized; the password is not right\n"],
    );
    assert.match(
      (await run(["register", `sip:alice@127.0.0.1:${tcpPort}`, "-p", "wonder", "-t", "tcp"])).out,
      /^registered for 600 s\n {2}<sip:alice@.*tcp/i,
    );
    assert.match(
      (await run(["register", `sip:alice@127.0.0.1:${tcpPort};transport=tcp`, "-p", "wonder"])).out,
      /^registered for 600 s\n {2}<sip:alice@.*tcp/i,
    );
    assert.match((await run(["options", `sip:127.0.0.1:${port}`])).out, /^200 OK after \d+ ms\n {2}Allow: /);

    assert.match(
      (await run(["calls", ...config])).out,
      /alice@127.0.0.1 +nobody@127.0.0.1 +404 Not Found.*\n.*alice@127.0.0.1 +bob@127.0.0.1 +talked \d s/,
    );
    const trace = await run(["trace", "last", "--full", ...config]);
    assert.match(trace.out, /404 Not Found \(INVITE\)[\s\S]*404 Not Found: /);
    assert.match(trace.out, /Proxy-Authorization: Digest .*response=…/);
    assert.equal(
      (await run(["maintenance", "on", ...config])).out,
      "maintenance: requests outside dialogs get 503\n",
    );
    assert.match((await run(["options", `sip:127.0.0.1:${port}`])).err, /^offhook: 503 Service Unavailable/);
    assert.equal((await run(["user", "remove", "alice", ...config])).out, "removed alice\n");
    assert.equal(await server.stop(), 0, server.err);
    assert.match(server.out, /alice → bob {2}answered after/);
    // The records outlive the server.
    assert.match((await run(["calls", ...config])).out, /talked \d s/);
  });

  test("call: Ctrl-C while it rings gives up; nobody there is told", async (t) => {
    const phone = new Run([
      "answer",
      "sip:bob@127.0.0.1",
      "--no-register",
      "--address",
      "127.0.0.1",
      "--ring",
      "30",
    ]);
    t.after(() => phone.stop("SIGKILL"));
    const [, port] = await phone.says(/udp 127\.0\.0\.1:(\d+)/);
    const caller = new Run(["call", `sip:bob@127.0.0.1:${port}`]);
    await caller.says(/ringing/);
    assert.equal(await caller.stop("SIGINT"), 130);
    assert.equal(caller.err, "offhook: given up\n");
    await phone.says(/the caller gave up/);
    assert.equal(await phone.stop("SIGINT"), 0);
  });
});
