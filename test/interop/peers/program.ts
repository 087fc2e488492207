// Programs from outside (phones, SIPp, Kamailio, tshark) as a test sees them: found or skipped, started, waited for, ended by pid.
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of a program on PATH (or in sbin, where Debian keeps servers), or undefined. */
export function findProgram(name: string): string | undefined {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** True in the network namespace that `npm test` makes: phones that refuse a loopback-only host find an address there. */
export const inNamespace = process.env["OFFHOOK_TEST_NETNS"] === "1";

/** An address on the namespace's loopback interface that is not 127/8; baresip and linphone insist on one. */
export const hostAddress = inNamespace ? "10.99.0.1" : "127.0.0.1";

/**
 * What a test needs from outside, as options for `node:test`: it says plainly what is missing and is counted
 * as skipped. With CI=true nothing may be missing: the test runs, and fails by the same words.
 */
export function needs(...what: string[]): { skip?: string } {
  const missing = what.filter((name) => (name === "namespace" ? !inNamespace : !findProgram(name)));
  if (missing.length === 0) return {};
  const reason = `needs ${missing.join(", ")}, not found here`;
  if (process.env["CI"] === "true") throw new Error(`${reason}, and CI=true demands all peers`);
  return { skip: reason };
}

/** Waits for a condition by asking every few milliseconds; the time limit is an error that says what was awaited. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  limit = 10_000,
): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false && value !== null) return value;
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** A running program whose output is kept. */
export class Program {
  readonly name: string;
  readonly process: ChildProcess;
  output = "";
  readonly ended: Promise<number | null>;
  exitCode: number | null | undefined;

  constructor(
    command: string,
    args: string[],
    options: { env?: Record<string, string>; cwd?: string; name?: string } = {},
  ) {
    this.name = options.name ?? command;
    this.process = spawn(findProgram(command) ?? command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...(options.cwd ? { cwd: options.cwd } : {}),
    });
    const keep = (chunk: Buffer) => {
      this.output += chunk.toString("utf8");
    };
    this.process.stdout?.on("data", keep);
    this.process.stderr?.on("data", keep);
    this.ended = new Promise((resolve) => {
      this.process.on("error", (error) => {
        this.output += `\n${error.message}`;
        this.exitCode = -1;
        resolve(-1);
      });
      this.process.on("close", (code) => {
        this.exitCode = code;
        resolve(code);
      });
    });
  }

  /** Waits until the output matches; an early end or the time limit is an error that shows the output. */
  async says(pattern: RegExp, limit = 10_000): Promise<RegExpMatchArray> {
    try {
      return await until(
        `${this.name} to say ${pattern}`,
        () => {
          const match = this.output.match(pattern);
          if (!match && this.exitCode !== undefined)
            throw new Error(`${this.name} ended with ${this.exitCode}`);
          return match;
        },
        limit,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.output.slice(-4000)}`);
    }
  }

  /** Ends the program: the signal, then SIGKILL if it has not gone after a while. Its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM", patience = 3000): Promise<number | null> {
    if (this.exitCode === undefined) {
      this.process.kill(signal);
      const timer = setTimeout(() => this.process.kill("SIGKILL"), patience);
      await this.ended;
      clearTimeout(timer);
    }
    return this.ended;
  }
}
