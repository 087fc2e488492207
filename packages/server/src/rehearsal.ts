// A rehearsal before the server listens: registrations, questions and calls pass through a second server in this process
// until V8 has compiled what they need. Who restarts a busy server would else find it ten times slower for its first
// thousands of calls, just when all of them come at once.

import { NodeDriver, nodeClock, nodeRandom } from "@offhook/sip/node";
import type { Config } from "./config.ts";
import { type Manner, RehearsalPhone } from "./rehearsal-phone.ts";
import { OffhookServer, type ServerOptions } from "./server.ts";
import { SkippingClock } from "./skipping-clock.ts";

export interface RehearsalOptions {
  /** How often each of REGISTER, OPTIONS and a call is played, at least. Default 1800: after that nothing gets faster. */
  readonly rounds?: number;
  /** Milliseconds after which it ends, wherever it is. Default 3000. */
  readonly limit?: number;
}

/** Phones differ in how they write what they say, and each way is compiled only once it was seen. */
const manners: readonly Manner[] = [
  {
    ...{ displayName: '"Plain Phone" ', isTerse: false, rport: false, joinsVia: true, contactParams: "" },
    headers: ["User-Agent: plain/1.0"],
  },
  {
    ...{ displayName: "Wordy ", isTerse: false, rport: true, joinsVia: false },
    contactParams:
      ';expires=600;q=0.8;+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000001>";reg-id=1',
    headers: [
      "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK",
      "Supported: replaces, timer, 100rel, path",
      "Accept: application/sdp",
      "User-Agent: Wordy Deskphone 7/2.3.1 (rehearsal)",
      "X-Session: folded\r\n over two lines",
    ],
  },
  {
    displayName: "",
    isTerse: true,
    rport: true,
    joinsVia: false,
    contactParams: ";expires=600",
    headers: [],
  },
];
/** In which the rounds are played, and milliseconds between them that nobody waits for. */
const parts = 4;
const pause = 20_000;
const user = "rehearsal";
const domain = "rehearsal.invalid";
const password = "rehearsal";

/**
 * Plays it on loopback, by the roles of `options` and its limits as far as they let the phones through; nothing is written,
 * and nobody else is asked for anything.
 * @returns how many rounds were played whole: fewer than wanted where the time was over, or a limit too low
 * @throws {Error} the system's, where no UDP socket can be had on 127.0.0.1
 */
export async function rehearse(
  options: ServerOptions,
  { rounds = 1800, limit = 3000 }: RehearsalOptions = {},
): Promise<number> {
  const end = performance.now() + limit;
  let played = 0;
  // Each manner has a server of its own. V8 takes a function that a constructor makes for the only one of its kind until
  // it meets another: what is compiled for the first server does not fit the second, but from then on fits all.
  for (const [i, manner] of manners.entries()) {
    // One of them by the clock that the server will have: another one is another kind of object.
    const clock = i === 0 ? undefined : new SkippingClock(nodeClock);
    played += await act(options, manner, rounds / manners.length, end, clock);
  }
  return played;
}

async function act(
  options: ServerOptions,
  manner: Manner,
  rounds: number,
  end: number,
  clock: SkippingClock | undefined,
): Promise<number> {
  const driver = new NodeDriver({ clock: clock ?? nodeClock });
  const server = await OffhookServer.start({
    config: rehearsalConfig(options.config),
    folder: options.folder,
    world: { driver, random: nodeRandom },
  });
  let phone: RehearsalPhone | undefined;
  try {
    if (server.config.accounts === "database") await server.store.accounts.add({ user, domain, password });
    const { port } = driver.listeners[0]!.listener;
    phone = await RehearsalPhone.open({ manner, user, domain, password, server: port });
    let whole = 0;
    for (let left = parts; left > 0; left--) {
      // What an answered request leaves behind ends up to half a minute later (64 T1: RFC 3261 §17), for some while others
      // have just begun. It does so between the parts: what V8 learns by it is used in the next one.
      if (left < parts) clock?.skip(pause);
      whole += await phone.play(Math.ceil(rounds / parts), end - performance.now());
    }
    return whole;
  } finally {
    phone?.close();
    await server.stop(0);
  }
}

/** What the server will do, with nothing of what it shares with others: files, ports, other servers. */
function rehearsalConfig(config: Config): Config {
  const { bufferSize, batch } = config.listeners.find(({ transport }) => transport === "udp") ?? {
    bufferSize: 1 << 20,
    batch: "auto" as const,
  };
  return {
    ...config,
    domains: [domain],
    listeners: [{ transport: "udp", host: "127.0.0.1", port: 0, bufferSize, batch, gather: 0 }],
    tls: { verify: true },
    aliases: {},
    store: { ...config.store, kind: "memory", durable: false },
    // The phone does not ask for longer because of a 423.
    registrar: { ...config.registrar, minExpires: Math.min(config.registrar.minExpires, 60) },
    relay: { inbound: "allow", peers: [] },
    http: false,
    trace: { ...config.trace, calls: Math.min(config.trace.calls, 100) },
    limits: roomyLimits(config.limits),
    proxy: { ...config.proxy, uriSchemes: [...config.proxy.uriSchemes, "sip"] },
    overload: { ...config.overload, maintenance: false },
    log: { level: "silent", calls: false },
    ...(typeof config.accounts === "object" ? { accounts: { any: { password } } } : {}),
  };
}

/** The limits, but not so low that what the phones say would be refused: what is refused is not rehearsed. */
function roomyLimits(limits: Config["limits"]): Config["limits"] {
  const { messageSize, headerCount, uriLength, bodySize } = limits;
  return {
    ...limits,
    messageSize: Math.max(messageSize, 4096),
    headerCount: Math.max(headerCount, 64),
    uriLength: Math.max(uriLength, 256),
    bodySize: bodySize === undefined ? undefined : Math.max(bodySize, 1024),
    requestsPerSource: 1_000_000,
  };
}
