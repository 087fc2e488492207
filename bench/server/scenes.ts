// What is done to a server: Bob registered and answering, calls, registrations; with the scenarios of bench/load.

import { address, Contestant, pause } from "./contestants.ts";
import { Sipp, type SippOptions, type SippResult } from "./sipp.ts";

export interface CallOptions extends Pick<SippOptions, "transport" | "digest" | "hold" | "isTimed"> {
  readonly rate: number;
  readonly seconds: number;
  /** Cores for the server and for SIPp; default: the system's choice. */
  readonly cores?: { readonly server: number; readonly load: number };
}

/** A run, and the µs of CPU that the server had for each call or request of it. */
export interface Measured extends SippResult {
  readonly cpu: number;
}

/** A server with Bob behind it, for the time of `use`. */
export async function withServer<T>(
  command: readonly string[],
  use: (server: Contestant) => Promise<T>,
  core?: number,
): Promise<T> {
  const server = await Contestant.start(command, core);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** Bob registers, and answers every call until `use` is over. */
export async function withBob<T>(options: Partial<CallOptions>, use: () => Promise<T>): Promise<T> {
  const { transport = "udp", digest = false, cores } = options;
  const port = 5090;
  const scenario = digest ? "register_auth" : "register";
  // By UDP in any case: a connection that registered would have to stay.
  const registering = new Sipp({
    scenario,
    port,
    contactTransport: transport,
    users: ["bob"],
    rate: 1,
    count: 1,
  });
  const { succeeded } = await registering.result(15);
  if (succeeded !== 1) throw new Error("Bob could not register");
  const bob = new Sipp({ scenario: "uas", port, transport, ...(cores && { core: cores.load }) });
  await pause(500);
  try {
    return await use();
  } finally {
    await bob.stop();
  }
}

let nextPort = 5070;

/** A port that was not used just now; never the server's. */
export function freshPort(): number {
  nextPort = nextPort === address.port - 1 ? 5060 : nextPort + 1;
  return nextPort;
}

/** Calls to Bob at a steady rate. */
export async function call(server: Contestant, options: CallOptions): Promise<Measured> {
  const { rate, seconds, cores, ...more } = options;
  const users = ["bob"];
  return await measured(
    server,
    { scenario: "uac", users, rate, count: rate * seconds, ...more },
    cores?.load,
  );
}

/** One request per user in turn at a steady rate. */
export async function request(
  server: Contestant,
  scenario: "register" | "options",
  options: { rate: number; count: number; users: readonly string[] },
): Promise<Measured> {
  return await measured(server, { scenario, ...options });
}

async function measured(
  server: Contestant,
  options: Omit<SippOptions, "port">,
  core?: number,
): Promise<Measured> {
  const before = server.cpuTime;
  const sipp = new Sipp({ ...options, port: freshPort(), ...(core !== undefined && { core }) });
  const result = await sipp.result(options.count! / options.rate! + (options.hold ?? 0) / 1000 + 30);
  await pause(200);
  return { ...result, cpu: (server.cpuTime - before) / Math.max(1, result.succeeded) };
}

/** u000000, u000001, … as bench/load has them. */
export function userNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `u${String(i).padStart(6, "0")}`);
}
