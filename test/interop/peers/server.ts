// Our server as its users start it: the command line in a process of its own, with a configuration file.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Program } from "./program.ts";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
export const commandLine = ["--conditions=@offhook/source", join(root, "packages/cli/src/main.ts")];
const run = promisify(execFile);

/** Runs `offhook …` to its end. */
export async function offhook(args: string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  return run(process.execPath, [...commandLine, ...args], {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...process.env, ...options.env },
  });
}

export class OffhookServer {
  program: Program;
  readonly folder: string;
  readonly config: string;

  private constructor(program: Program, folder: string, config: string) {
    this.program = program;
    this.folder = folder;
    this.config = config;
  }

  /** Starts `offhook serve --config` in a folder of its own; users are added before, as an operator would. */
  static async start(
    config: string,
    users: { name: string; password: string }[] = [],
  ): Promise<OffhookServer> {
    const folder = await mkdtemp(join(tmpdir(), "offhook-"));
    const file = join(folder, "offhook.yaml");
    // Dozens are started; one that rehearses is in packages/cli/src/command.heavy.test.ts.
    await writeFile(file, `${config}\nrehearsal: false\n`);
    if (users.length > 0) {
      const csv = join(folder, "users.csv");
      await writeFile(csv, users.map(({ name, password }) => `${name},${password}\n`).join(""));
      await offhook(["user", "import", csv, "--config", file], { cwd: folder });
    }
    const server = new OffhookServer(OffhookServer.#run(folder, file), folder, file);
    try {
      await server.listening();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  static #run(folder: string, file: string): Program {
    return new Program(process.execPath, [...commandLine, "serve", "--config", file], {
      cwd: folder,
      name: "offhook serve",
    });
  }

  async listening(): Promise<void> {
    // Several begin at once, two seconds of work each, on machines with other work.
    await this.program.says(/listening/i, 60_000);
  }

  async restart(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.program.stop(signal, 10_000);
    this.program = OffhookServer.#run(this.folder, this.config);
    await this.listening();
  }

  async close(): Promise<number | null> {
    const code = await this.program.stop("SIGTERM", 10_000);
    await rm(this.folder, { recursive: true, force: true });
    return code;
  }
}

/** A configuration that listens on UDP and TCP of one port, with digest and a store in its own folder. */
export function configuration(host: string, port: number, more = ""): string {
  return `domains: ["${host}"]
listeners:
  - { transport: udp, host: "${host}", port: ${port} }
  - { transport: tcp, host: "${host}", port: ${port} }
http: { port: 0 }
${more}`;
}
