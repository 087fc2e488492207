// SIPp with the scenarios of bench/load, and what it counted.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { address, pause, started, workFolder } from "./contestants.ts";

export type Scenario = "uac" | "uas" | "register" | "register_auth" | "options";

export interface SippOptions {
  readonly scenario: Scenario;
  readonly port: number;
  readonly transport?: "udp" | "tcp";
  /** What Contact asks for. Default: the same. */
  readonly contactTransport?: "udp" | "tcp";
  /** Calls per second, and how many in all; not for the scenario that answers. */
  readonly rate?: number;
  readonly count?: number;
  /** User names, in turn. */
  readonly users?: readonly string[];
  /** Answer the challenge of the INVITE. */
  readonly digest?: boolean;
  /** Milliseconds that a call stays up. Default 40. */
  readonly hold?: number;
  /** Measure the time from the INVITE to its 180, in whole milliseconds. */
  readonly isTimed?: boolean;
  readonly core?: number;
}

export interface SippResult {
  readonly succeeded: number;
  /** All others that were to be made: those too that never came to an end. */
  readonly failed: number;
  readonly retransmitted: number;
  /** How often each number of milliseconds was measured. */
  readonly times: Map<number, number>;
}

/** A run of SIPp. */
export class Sipp {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #count: number;
  readonly #ended: Promise<unknown>;

  constructor(options: SippOptions) {
    const { scenario, port, rate, count, users, core } = options;
    this.#count = count ?? 0;
    this.#folder = mkdtempSync(join(workFolder, `${scenario}-`));
    const file = join(this.#folder, "scenario.xml");
    writeFileSync(file, scenarioText(options));
    const words = core === undefined ? [] : ["taskset", "-c", `${core}`];
    words.push("sipp", "-sf", file, "-i", address.host, "-p", `${port}`, "-nostdin");
    words.push("-t", options.transport === "tcp" ? "t1" : "u1");
    words.push(
      ..."-buff_size 4194304 -max_recv_loops 1000 -max_sched_loops 1000 -trace_stat -fd 1".split(" "),
    );
    words.push("-stf", join(this.#folder, "stat.csv"));
    if (users !== undefined) {
      const list = users.map((user) => `${user};[authentication username=${user} password=secret]\n`);
      writeFileSync(join(this.#folder, "users.csv"), `SEQUENTIAL\n${list.join("")}`);
      words.push("-inf", join(this.#folder, "users.csv"));
    }
    if (options.isTimed === true) words.push("-trace_rtt", "-rtt_freq", "100");
    if (count !== undefined) words.push("-m", `${count}`, "-r", `${rate}`, "-l", "100000");
    if (count !== undefined) words.push("-recv_timeout", "8000", `${address.host}:${address.port}`);
    const log = openSync(join(this.#folder, "log"), "w");
    this.#child = spawn(words[0]!, words.slice(1), { cwd: this.#folder, stdio: ["ignore", log, log] });
    closeSync(log);
    started.add(this.#child);
    this.#ended = once(this.#child, "exit").then(() => started.delete(this.#child));
  }

  /** Waits for its end, at most so many seconds, and reads what it wrote. */
  async result(patience: number): Promise<SippResult> {
    const isOver = await Promise.race([
      this.#ended.then(() => true),
      pause(patience * 1000).then(() => false),
    ]);
    if (!isOver) {
      this.#child.kill("SIGKILL");
      await this.#ended;
    }
    const rows = readFileSync(join(this.#folder, "stat.csv"), "utf8").trim().split("\n");
    const names = rows[0]!.split(";");
    const values = rows.at(-1)!.split(";");
    const value = (name: string) => Number(values[names.indexOf(name)]);
    const succeeded = value("SuccessfulCall(C)");
    return {
      succeeded,
      failed: this.#count - succeeded,
      retransmitted: value("Retransmissions(C)"),
      times: await this.#times(),
    };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async #times(): Promise<Map<number, number>> {
    const times = new Map<number, number>();
    const file = join(this.#folder, `scenario_${this.#child.pid}_rtt.csv`);
    if (!existsSync(file)) return times;
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const time = Number(line.split(";")[1]);
      if (!Number.isNaN(time)) times.set(time, (times.get(time) ?? 0) + 1);
    }
    return times;
  }
}

/** The scenario of bench/load, changed only in what was asked for. */
function scenarioText(options: SippOptions): string {
  const {
    scenario,
    hold,
    transport = "udp",
    contactTransport = transport,
    digest = false,
    isTimed = false,
  } = options;
  const source = fileURLToPath(new URL(`../load/sipp/${scenario}.xml`, import.meta.url));
  let text = readFileSync(source, "utf8").replaceAll(";transport=udp", `;transport=${contactTransport}`);
  if (hold !== undefined)
    text = text.replace('<pause milliseconds="40"/>', `<pause milliseconds="${hold}"/>`);
  if (isTimed) {
    text = text
      .replace('<recv response="180" optional="true"/>', '<recv response="180" rtd="true"/>')
      .replace('<recv response="200" rtd="true" rrs="true"/>', '<recv response="200" rrs="true"/>');
  }
  if (scenario === "uac" && digest) text = withDigest(text);
  return text;
}

/** An INVITE, its 407 and ACK, and then the call as it was. */
function withDigest(text: string): string {
  const start = text.indexOf("<send");
  const end = text.indexOf("</send>") + "</send>".length;
  const invite = text.slice(start, end);
  const ack = `<send><![CDATA[
ACK sip:[field0]@perf.test SIP/2.0
[last_Via:]
Max-Forwards: 70
From: "Alice Caller" <sip:alice@perf.test>;tag=[pid]c[call_number]
[last_To:]
[last_Call-ID:]
CSeq: 1 ACK
Content-Length: 0

]]></send>`;
  const again = invite.replace(
    "CSeq: 1 INVITE",
    "CSeq: 2 INVITE\n[authentication username=alice password=secret]",
  );
  return (
    text.slice(0, start) +
    [invite, '<recv response="100" optional="true"/>', '<recv response="407" auth="true"/>', ack, again].join(
      "\n",
    ) +
    text.slice(end).replace("CSeq: 1 ACK", "CSeq: 2 ACK").replace("CSeq: 2 BYE", "CSeq: 3 BYE")
  );
}

/** The smallest time that this share of all does not exceed. */
export function quantile(times: ReadonlyMap<number, number>, share: number): number {
  let rest = share * [...times.values()].reduce((sum, count) => sum + count, 0);
  for (const [time, count] of [...times].sort(([a], [b]) => a - b)) {
    rest -= count;
    if (rest <= 0) return time;
  }
  return Number.NaN;
}
