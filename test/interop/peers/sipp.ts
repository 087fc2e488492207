// SIPp's built-in caller and callee, and scripts of ours.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../free-port.ts";
import { Program } from "./program.ts";

export interface SippResult {
  exitCode: number | null;
  successful: number;
  failed: number;
  retransmissions: number;
  output: string;
}

/** Starts SIPp; `-nostdin`, statistics and the working folder are added. */
export async function startSipp(
  args: string[],
): Promise<{ program: Program; result: () => Promise<SippResult> }> {
  const folder = await mkdtemp(join(tmpdir(), "sipp-"));
  const statistics = join(folder, "statistics.csv");
  const program = new Program(
    "sipp",
    [
      ...args,
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
      return {
        exitCode,
        successful: value("SuccessfulCall(C)"),
        failed: value("FailedCall(C)"),
        retransmissions: value("Retransmissions(C)"),
        output: `${program.output.slice(-2000)}\n${errors.slice(-4000)}\n${messages.slice(-8000)}`,
      };
    },
  };
}

const scripts = join(dirname(fileURLToPath(import.meta.url)), "../sipp");

/** Plays a script of ours, `sipp/NAME.xml`, once towards this address. */
export async function playSipp(
  name: string,
  options: {
    host: string;
    port: number;
    transport: "udp" | "tcp";
    service: string;
    keys?: Record<string, string>;
  },
): Promise<SippResult> {
  const { host, port, transport, service, keys = {} } = options;
  const { result } = await startSipp([
    ...[
      "-sf",
      join(scripts, `${name}.xml`),
      "-m",
      "1",
      "-s",
      service,
      "-t",
      transport === "udp" ? "u1" : "t1",
    ],
    ...["-i", host, "-p", String(await freePort(host))],
    ...["-timeout", "20", "-recv_timeout", "8000", "-trace_msg", "-message_file", "messages"],
    ...Object.entries(keys).flatMap(([key, value]) => ["-key", key, value]),
    `${host}:${port}`,
  ]);
  return result();
}
