// SIPp's built-in caller and callee, and scripts of ours.
import { readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../free-port.ts";
import { Program, until } from "./program.ts";

export interface SippResult {
  exitCode: number | null;
  successful: number;
  failed: number;
  retransmissions: number;
  output: string;
  /** Why it is no success, for a script that is played once. */
  failure: string | undefined;
  /** This machine did not let it run for half a second: its watchdog says so. */
  stoodStill: boolean;
}

/**
 * The failure of a script that is played once; undefined if it has none. It is played again, three times in all, if SIPp
 * stood still meanwhile: for as long as T1 (RFC 3261 §17.1.1.1), so its peer has sent again what it did not answer. That
 * is right, but no script can foresee where it happens.
 */
export async function failureOf(
  play: (attempt: number) => Promise<{ readonly failure: unknown; readonly stoodStill: boolean }>,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const { failure, stoodStill } = await play(attempt);
    if (failure === undefined || !stoodStill || attempt === 3) return failure;
  }
}

/** Starts SIPp; `-nostdin`, statistics and the working folder are added. `scenario` is a script's text. */
export async function startSipp(
  args: string[],
  scenario?: string,
): Promise<{ program: Program; result: () => Promise<SippResult> }> {
  const folder = await mkdtemp(join(tmpdir(), "sipp-"));
  const statistics = join(folder, "statistics.csv");
  if (scenario !== undefined) await writeFile(join(folder, "scenario.xml"), scenario);
  const program = new Program(
    "sipp",
    [
      ...args,
      ...(scenario === undefined ? [] : ["-sf", "scenario.xml"]),
      "-nostdin",
      "-trace_stat",
      "-stf",
      statistics,
      "-fd",
      "1",
      "-trace_err",
      "-error_file",
      join(folder, "errors"),
    ],
    {
      cwd: folder,
      name: "sipp",
    },
  );
  return {
    program,
    async result() {
      const exitCode = await program.ended;
      const rows = (await readFile(statistics, "utf8").catch(() => ""))
        .trim()
        .split("\n")
        .map((line) => line.split(";"));
      const errors = await readFile(join(folder, "errors"), "utf8").catch(() => "");
      const messages = await readFile(join(folder, "messages"), "utf8").catch(() => "");
      const last = rows.at(-1) ?? [];
      const value = (name: string) => Number(last[rows[0]?.indexOf(name) ?? -1] ?? Number.NaN);
      await rm(folder, { recursive: true, force: true });
      const successful = value("SuccessfulCall(C)");
      const output = `${program.output.slice(-2000)}\n${errors.slice(-4000)}\n${messages.slice(-8000)}`;
      return {
        exitCode,
        successful,
        failed: value("FailedCall(C)"),
        retransmissions: value("Retransmissions(C)"),
        output,
        failure: exitCode === 0 && successful === 1 ? undefined : `exit code ${exitCode}\n${output}`,
        stoodStill: /watchdog timer/i.test(program.output + errors),
      };
    },
  };
}

const recorded = ["-timeout", "20", "-recv_timeout", "8000", "-trace_msg", "-message_file", "messages"];
const scripts = join(dirname(fileURLToPath(import.meta.url)), "../sipp");

/** The names of our scripts that begin like that, sorted. */
export function scriptsNamed(beginning: string): string[] {
  return readdirSync(scripts)
    .filter((name) => name.startsWith(beginning))
    .map((name) => name.replace(/\.xml$/, ""))
    .sort();
}

/** Our script `sipp/NAME.xml`; SIPp's own `-key` cannot fill in a status, which it wants to know beforehand. */
async function scriptNamed(name: string, keys: Record<string, string> = {}): Promise<string> {
  const text = await readFile(join(scripts, `${name}.xml`), "utf8");
  return text.replace(/\[(\w+)\]/g, (keyword, key: string) => keys[key] ?? keyword);
}

interface Play {
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp";
}

/** Plays a script once towards this address. */
export async function playSipp(
  name: string,
  { host, port, transport, service }: Play & { readonly service: string },
): Promise<SippResult> {
  const mode = transport === "udp" ? "u1" : "t1";
  const { result } = await startSipp(
    [
      ...["-m", "1", "-s", service, "-t", mode, "-i", host, "-p", String(await freePort(host))],
      ...[...recorded, `${host}:${port}`],
    ],
    await scriptNamed(name),
  );
  return result();
}

/** Plays a script once for whoever calls at this address; fulfilled when SIPp listens there. */
export async function serveSipp(
  name: string,
  { host, port, transport, keys }: Play & { readonly keys: Record<string, string> },
): ReturnType<typeof startSipp> {
  const mode = transport === "udp" ? "u1" : "t1";
  const started = await startSipp(
    ["-m", "1", "-t", mode, "-i", host, "-p", String(port), ...recorded],
    await scriptNamed(name, keys),
  );
  // Looked up, not tried: a try would take the port away from SIPp for a moment.
  // 0A is LISTEN, which no UDP socket is: a connection of that port would not do.
  const state = transport === "udp" ? "" : "[0-9A-F]{8}:0000 0A ";
  const number = port.toString(16).toUpperCase().padStart(4, "0");
  const place = new RegExp(`^ *\\d+: [0-9A-F]{8}:${number} ${state}`, "m");
  await until(`sipp to listen on ${transport} ${host}:${port}`, async () =>
    place.test(await readFile(`/proc/net/${transport}`, "utf8")),
  );
  return started;
}
