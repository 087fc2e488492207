// Every response code of the server's side, provoked by SIPp from the role that sends it: `offhook serve` with a
// configuration of test/interop/sipp, and a script there that checks status and header fields. A row is a code.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../free-port.ts";
import { needs } from "./peers/program.ts";
import { OffhookServer, root } from "./peers/server.ts";
import { failureOf, type SippResult, startSipp } from "./peers/sipp.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "sipp");
const host = "127.0.0.1";

type Config = "open" | "passwords" | "old-rules" | "maintenance" | "full" | "one-source";
type Transport = "udp" | "tcp";
interface Row {
  readonly code: number;
  /** Without ".xml". */
  readonly script: string;
  readonly config: Config;
  /** Default: both. */
  readonly transports?: readonly Transport[];
}

const rows: readonly Row[] = [
  // 32 s: first, beside all others.
  { code: 408, script: "408-request-timeout", config: "open" },
  { code: 100, script: "100-trying", config: "open" },
  // Over UDP SIPp cannot wait beside the resends of its own request.
  { code: 100, script: "100-late", config: "open", transports: ["tcp"] },
  { code: 200, script: "200-ok", config: "open" },
  { code: 400, script: "400-bad-request", config: "open" },
  { code: 401, script: "401-unauthorized", config: "passwords" },
  { code: 403, script: "403-forbidden", config: "passwords" },
  { code: 404, script: "404-not-found", config: "open" },
  { code: 405, script: "405-method-not-allowed", config: "open" },
  { code: 407, script: "407-proxy-authentication-required", config: "passwords" },
  { code: 408, script: "408-expired-while-locating", config: "open" },
  { code: 409, script: "409-conflict", config: "old-rules" },
  { code: 411, script: "411-length-required", config: "old-rules" },
  { code: 413, script: "413-request-entity-too-large", config: "open" },
  { code: 414, script: "414-request-uri-too-long", config: "open" },
  { code: 416, script: "416-unsupported-uri-scheme", config: "open" },
  { code: 420, script: "420-bad-extension", config: "open" },
  { code: 421, script: "421-extension-required", config: "open" },
  { code: 423, script: "423-interval-too-brief", config: "open" },
  { code: 440, script: "440-max-breadth-exceeded", config: "open" },
  { code: 480, script: "480-temporarily-unavailable", config: "open" },
  { code: 481, script: "481-call-transaction-does-not-exist", config: "open" },
  { code: 482, script: "482-loop-detected", config: "open" },
  { code: 483, script: "483-too-many-hops", config: "open" },
  { code: 486, script: "486-busy-here", config: "open" },
  { code: 487, script: "487-request-terminated", config: "open" },
  { code: 499, script: "499-unknown", config: "open" },
  { code: 500, script: "500-server-internal-error", config: "open" },
  { code: 501, script: "501-not-implemented", config: "open" },
  { code: 502, script: "502-bad-gateway", config: "open" },
  { code: 503, script: "503-maintenance", config: "maintenance" },
  // TCP first: over UDP what is over still counts for 32 s.
  { code: 503, script: "503-too-many-transactions", config: "full", transports: ["tcp", "udp"] },
  { code: 503, script: "503-too-many-of-one-source", config: "one-source" },
  { code: 504, script: "504-server-time-out", config: "open" },
  { code: 505, script: "505-version-not-supported", config: "open" },
  { code: 513, script: "513-message-too-large", config: "open" },
];

/** Configurations in which one script would disturb another. */
const oneByOne: ReadonlySet<Config> = new Set(["full", "one-source"]);
/** SIPp processes at a time; the long ones do little. */
const atOnce = 4;

interface Run {
  readonly row: Row;
  readonly transport: Transport;
}
const attempts = [1, 2, 3] as const;

test("SIPp provokes each code of the server's side", { ...needs("sipp"), concurrency: true }, async (t) => {
  // A name server that never answers.
  const silence = createSocket("udp4");
  silence.bind(0, host);
  await once(silence, "listening");
  t.after(() => silence.close());
  const configs = [...new Set(rows.map((row) => row.config))];
  await Promise.all(
    configs.map((config) => {
      const runs = runsOf(config);
      return t.test(`${codesOf(runs)} with ${config}.yaml`, async (part) => {
        const port = await freePort(host);
        const server = await OffhookServer.start(
          configuration(config, port, `${host}:${silence.address().port}`),
          runs
            .flatMap((run) => attempts.map((attempt) => userOf(run, attempt)))
            .map((user) => ({ name: user, password: user })),
        );
        part.after(() => server.close());
        const failures: string[] = [];
        const waiting = [...runs];
        const work = async () => {
          for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
            const { row, transport } = run;
            const failure = await failureOf((attempt) => play(run, attempt, port));
            if (failure !== undefined) failures.push(`${row.script} over ${transport}:\n${failure}`);
          }
        };
        await Promise.all(Array.from({ length: oneByOne.has(config) ? 1 : atOnce }, work));
        assert.deepEqual(failures, [], failures.join("\n\n"));
      });
    }),
  );
});

test("docs/refusals.md tells of every script, and there is a row for each", () => {
  const scripts = rows.map(({ script }) => script).sort();
  // Those of the server's side begin with the code.
  const files = readdirSync(folder).filter((file) => /^\d.*\.xml$/.test(file));
  assert.deepEqual(files.map((file) => file.slice(0, -".xml".length)).sort(), scripts);
  const document = readFileSync(join(root, "docs/refusals.md"), "utf8");
  for (const { code, script, config } of rows) {
    const line = document
      .split("\n")
      .find((one) => one.includes(`[${script}](../test/interop/sipp/${script}.xml)`));
    assert.ok(line, `docs/refusals.md does not name ${script}.xml`);
    assert.ok(line.includes(`| ${code} |`) || code === 499, `${script}: code ${code} is not in its line`);
    assert.ok(line.includes(`${config}.yaml`), `${script}: ${config}.yaml is not in its line`);
  }
});

function runsOf(config: Config): Run[] {
  return rows
    .filter((row) => row.config === config)
    .flatMap((row) => (row.transports ?? (["udp", "tcp"] as const)).map((transport) => ({ row, transport })));
}

/** A user for each attempt, with its name as password: it has no bindings that another has left. */
function userOf({ row, transport }: Run, attempt: number): string {
  return `${row.script}-${transport}-${attempt}`;
}

/** One script to its end. */
async function play(run: Run, attempt: number, port: number): Promise<SippResult> {
  const { row, transport } = run;
  const user = userOf(run, attempt);
  const sipp = await startSipp([
    ...["-sf", join(folder, `${row.script}.xml`), "-i", host, "-p", String(await freePort(host))],
    ...["-t", transport === "udp" ? "u1" : "t1", "-s", user, "-au", user, "-ap", user],
    ...["-m", "1", "-timeout", "45", "-timeout_error", `${host}:${port}`],
  ]);
  return sipp.result();
}

function configuration(name: Config, port: number, nameServer: string): string {
  return `${readFileSync(join(folder, `${name}.yaml`), "utf8").replace("192.0.2.53", nameServer)}
listeners:
  - { transport: udp, host: ${host}, port: ${port} }
  - { transport: tcp, host: ${host}, port: ${port} }
http: false
`;
}

function codesOf(runs: readonly Run[]): string {
  return [...new Set(runs.map(({ row }) => row.code))].sort().join(", ");
}
