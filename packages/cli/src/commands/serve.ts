// `offhook serve`: the server, with a configuration file or as a demo, until a signal ends it.

import { closeSync, existsSync, openSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { styleText } from "node:util";
import {
  demoCertificate,
  demoConfig,
  loadConfig,
  OffhookServer,
  rehearse,
  type ServerOptions,
} from "@offhook/server";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { tuneForServer } from "../v8-settings.ts";

export function serveCommand(): Command {
  return new Command("serve")
    .description("start the server: registrar and proxy for SIP phones")
    .option(
      "-c, --config <file>",
      "configuration (docs/configuration.md); default: offhook.yaml here, else a demo",
    )
    .option("-l, --listen <host>", "demo only: serve this address, e.g. 0.0.0.0 for the LAN, or host:port")
    .action(async (options: { config?: string; listen?: string }) => {
      await serve(optionsFor(options));
    });
}

/** What to run for these options; also for commands that need the same database and admin socket. */
export function optionsFor(options: {
  config?: string | undefined;
  listen?: string | undefined;
}): ServerOptions {
  const file = options.config ?? (existsSync("offhook.yaml") ? "offhook.yaml" : undefined);
  if (file !== undefined) {
    if (options.listen !== undefined) {
      throw new CliError(`--listen is for the demo; ${file} names the listeners itself`);
    }
    return loadConfig(file);
  }
  const [host, port] = splitListen(options.listen ?? "127.0.0.1:5060");
  return { config: demoConfig(host, port), folder: process.cwd(), isDemo: true };
}

function splitListen(text: string): [host: string, port: number] {
  const found =
    /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]+))(?::(\d+))?$/.exec(text) ??
    /^(([0-9a-fA-F]*:){2,}[0-9a-fA-F:.]*)$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = found?.[3] === undefined || !/^\d+$/.test(found[3]) ? 5060 : Number(found[3]);
  if (host === undefined || port > 65535)
    throw new CliError(`--listen: ${text} is not an address or address:port`);
  return [host, port];
}

async function serve(options: ServerOptions): Promise<void> {
  tuneForServer();
  let server: OffhookServer | undefined;
  // Now: as the first process of a container we would hear of no signal that nobody waits for.
  obeySignals(() => server);
  // Two phones want to talk at once, and will not notice.
  if (options.config.rehearsal && options.isDemo !== true) await rehearseFor(options);
  server = await OffhookServer.start(options);
  greet(server, options);
}

/** A server that has not rehearsed is slow for a while, but it serves. */
async function rehearseFor(options: ServerOptions): Promise<void> {
  try {
    await rehearse(options);
  } catch (error) {
    console.error(`offhook: starting without rehearsal: ${(error as Error).message}`);
  }
}

function greet(server: OffhookServer, options: ServerOptions): void {
  const { domains, demoUsers, store } = server;
  const lines = [`offhook is listening on ${server.listening.join(", ")}`];
  const details = [
    `domain ${[domains.primary, ...options.config.domains.slice(1)].join(", ")}`,
    options.config.accounts === "database" ? `${store.accounts.count} users` : "any user",
    ...(server.httpPort === undefined ? [] : [metricsAddress(options.config.http, server.httpPort)]),
  ];
  lines.push(styleText("dim", details.join(" · ")));
  if (demoUsers.length > 0) {
    lines.push("", "Two users were made; their passwords are shown only now:");
    for (const { user, password } of demoUsers)
      lines.push(`  ${user.padEnd(5)}   password ${styleText("bold", password)}`);
  }
  if (options.isDemo) {
    const tls = server.listening.find((listener) => listener.startsWith("tls "));
    if (tls !== undefined) {
      lines.push(
        "",
        `The certificate of ${tls} is self-signed: phones warn, or want ${demoCertificate.certificate} as an authority.`,
      );
    }
    const { places, here } = phonePlaces(server.listening[0] ?? "", machineAddresses());
    lines.push(
      "",
      `Point a phone at ${places.join(" or ")} as user alice or bob, or, from another terminal here:`,
    );
    lines.push(`  npx offhook answer sip:bob@${here}`);
    lines.push(`  npx offhook call sip:bob@${here} --from sip:alice@${here}`, "");
  }
  console.log(lines.join("\n"));
}

/**
 * Addresses that a phone would be given, and the one for commands on this machine.
 * @param bound a listener as it is bound, e.g. "udp 0.0.0.0:5060"
 * @param own this machine's addresses, for listeners that take all of them
 */
export function phonePlaces(bound: string, own: readonly string[]): { places: string[]; here: string } {
  const [, ipv6, name = "127.0.0.1", port = "5060"] =
    /^\S+ (?:\[([^\]]+)\]|([^\s:]+)):(\d+)/.exec(bound) ?? [];
  const host = ipv6 ?? name;
  const at = (address: string) => (address.includes(":") ? `[${address}]` : address);
  const isAny = host === "0.0.0.0" || host === "::";
  const local = !isAny ? host : host === "::" ? "::1" : "127.0.0.1";
  const reached = isAny ? own.filter((address) => address.includes(":") === (host === "::")) : [];
  return {
    places: (reached.length > 0 ? reached : [local]).map((address) => `${at(address)}:${port}`),
    here: port === "5060" ? at(local) : `${at(local)}:${port}`,
  };
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}

function metricsAddress(http: ServerOptions["config"]["http"], port: number): string {
  const { host, tls } = http === false ? { host: "127.0.0.1", tls: undefined } : http;
  const { places } = phonePlaces(`tcp ${host.includes(":") ? `[${host}]` : host}:${port}`, []);
  return `${tls === undefined ? "http" : "https"}://${places[0]}/metrics`;
}

/** Milliseconds within which the same signal twice is one: `timeout` and npm send it to us and to our parent. */
const sameSignal = 500;

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Stops the server, or the process before there is one. */
function obeySignals(started: () => OffhookServer | undefined): void {
  const startedInTerminal = process.stdout.isTTY === true;
  let first: number | undefined;
  const stop = (signal: NodeJS.Signals) => {
    const now = performance.now();
    const server = started();
    const isAgain = first !== undefined && now - first > sameSignal;
    if (server === undefined || isAgain) process.exit(signal === "SIGINT" ? 130 : 143);
    if (first !== undefined) return;
    first = now;
    if (process.stderr.isTTY)
      console.error("stopping: answering what is under way (once more to stop at once)");
    server.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`offhook: ${error instanceof Error ? error.message : String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", (signal) => {
    // The terminal that we run in was closed; otherwise somebody wants files read again.
    if (startedInTerminal && !hasTerminal()) return stop(signal);
    // Before the start they are yet to be read.
    const server = started();
    if (server === undefined) return;
    const problems = server.reloadCertificates();
    for (const { message } of problems) console.error(`offhook: ${message}; what is in use stays`);
    if (problems.length === 0) console.error("offhook: certificates were read again");
  });
}
