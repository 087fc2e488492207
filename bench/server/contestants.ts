// The servers that are measured, each started by the command that a person would type.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuTime, endTree, killTree, memory } from "./process-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const loadFolder = fileURLToPath(new URL("../load", import.meta.url));

/** Files of this run; gone when it ends. */
export const workFolder: string = mkdtempSync(join(tmpdir(), "offhook-load-"));
/** Processes that must not outlive this one, nor must their children. */
export const started: Set<ChildProcess> = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
process.on("exit", () => {
  for (const { pid } of started) if (pid !== undefined) killTree(pid);
  rmSync(workFolder, { recursive: true, force: true });
});

/** Where they listen. */
export const address = { host: "127.0.0.1", port: 5080 };

export interface OursOptions {
  readonly batch?: "on" | "off";
  /** Users with passwords, as bench/load-digest.yaml has them. */
  readonly digest?: boolean;
  readonly tcp?: boolean;
  /** Registrations are written to a database file. */
  readonly writeBehind?: boolean;
  /** Can be asked for its heap: `Contestant.ask`. */
  readonly isObserved?: boolean;
}

export interface KamailioOptions {
  readonly children?: 1 | 2;
  /** "tlsf" is its best; without, as Debian ships it. */
  readonly allocator?: "tlsf";
  readonly digest?: boolean;
  readonly tcp?: boolean;
}

/** A server's command, as words. */
export function ours(options: OursOptions = {}): string[] {
  const { batch = "on", digest = false, tcp = false, writeBehind = false, isObserved = false } = options;
  const base = readFileSync(join(root, "bench", digest ? "load-digest.yaml" : "load.yaml"), "utf8");
  const udp = "{ transport: udp, host: 127.0.0.1, port: 5080, bufferSize: 4194304";
  if (!base.includes(`${udp} }`)) throw new Error("bench/load.yaml is not as this program expects it");
  const store = `{ path: ${JSON.stringify(join(workFolder, "offhook.db"))}, keepBindings: ${writeBehind} }`;
  const text = base
    .replace(
      `${udp} }`,
      `${udp}, batch: ${batch} }${tcp ? "\n  - { transport: tcp, host: 127.0.0.1, port: 5080 }" : ""}`,
    )
    .replace(/^store: .*$/m, digest || writeBehind ? `store: ${store}` : "$&");
  const file = join(workFolder, `ours-${batch}-${digest}-${tcp}-${writeBehind}.yaml`);
  writeFileSync(file, text);
  const hook = fileURLToPath(new URL("./heap-hook.ts", import.meta.url));
  const node = [join(root, "node_modules/.bin/node"), "--conditions=@offhook/source"];
  return [
    ...node,
    ...(isObserved ? ["--expose-gc", `--import=${hook}`] : []),
    join(root, "packages/cli/src/main.ts"),
    "serve",
    "--config",
    file,
  ];
}

/** The same for Kamailio with the configuration of bench/load; TCP and digest for calls are added to a copy. */
export function kamailio(options: KamailioOptions = {}): string[] {
  const { children = 2, allocator, digest = false, tcp = false } = options;
  let file = join(loadFolder, "kamailio.cfg");
  if (digest || tcp) {
    let text = readFileSync(file, "utf8");
    if (tcp) {
      text = text
        .replace("disable_tcp=yes", "tcp_children=1")
        .replace(/^listen=udp:(.*)$/m, "$&\nlisten=tcp:$1");
    }
    const challenge =
      '\tif (is_method("INVITE") && !pv_proxy_authenticate("$fd","secret","0")) { proxy_challenge("$fd","1"); exit; }';
    if (digest)
      text = text.replace(
        "\trecord_route();\n",
        `${challenge}\n\tconsume_credentials();\n\trecord_route();\n`,
      );
    file = join(workFolder, `kamailio-${digest}-${tcp}.cfg`);
    writeFileSync(file, text);
  }
  return [
    ..."kamailio -DD -E -m 2048 -M 8 -A BIGBUF -f".split(" "),
    file,
    ...(allocator === undefined ? [] : ["-x", allocator, "-X", allocator]),
    ...(children === 1 ? ["-A", "ONECHILD"] : []),
    ...(digest ? ["-A", "WITH_AUTH"] : []),
  ];
}

/** A running server. */
export class Contestant {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts it, on one core if asked, and waits until it listens. */
  static async start(command: readonly string[], core?: number): Promise<Contestant> {
    if (isBound()) throw new Error(`port ${address.port} is taken: an earlier server still runs`);
    const words = core === undefined ? command : ["taskset", "-c", `${core}`, ...command];
    const log = openSync(join(workFolder, "server.log"), "w");
    const child = spawn(words[0]!, words.slice(1), { cwd: root, stdio: ["ignore", log, log, "ipc"] });
    closeSync(log);
    started.add(child);
    const end = performance.now() + 30_000;
    while (!isBound() && child.exitCode === null && performance.now() < end) await pause(50);
    if (!isBound()) {
      if (child.pid !== undefined) await endTree(child.pid);
      throw new Error(
        `${words.join(" ")} does not listen: ${readFileSync(join(workFolder, "server.log"), "utf8")}`,
      );
    }
    await pause(1000);
    return new Contestant(child);
  }

  /** µs of CPU since its start. */
  get cpuTime(): number {
    return cpuTime(this.#child.pid!);
  }

  /** Bytes, shared pages in part. */
  get memory(): number {
    return memory(this.#child.pid!);
  }

  /** Bytes in its heap, collected if that is asked, and how late its event loop was since the last time (heap-hook.ts). */
  async ask(what: "heap" | "delay" | "memory" = "heap"): Promise<{ heap: number; delay: number }> {
    const child = this.#child;
    return await new Promise((resolve, reject) => {
      // Neither listens any longer than that: a long run asks often.
      const ended = () => {
        child.off("message", answered);
        reject(new Error("the server has ended"));
      };
      const answered = (message: unknown) => {
        child.off("exit", ended);
        resolve(message as { heap: number; delay: number });
      };
      child.once("exit", ended).once("message", answered).send(what);
    });
  }

  async stop(): Promise<void> {
    await endTree(this.#child.pid!);
    started.delete(this.#child);
  }
}

/** Whether anything listens on the port by UDP. */
function isBound(): boolean {
  const port = `:${address.port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["udp", "udp6"].some((name) =>
    readFileSync(`/proc/net/${name}`, "utf8")
      .split("\n")
      .slice(1)
      .some((line) => line.trim().split(/\s+/)[1]?.endsWith(port)),
  );
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
