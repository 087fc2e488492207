// The stage: builds the parts of a scenario and their network, moves the time, and watches the wire. One text of a
// scenario runs on real loopback sockets, where time stands still until it is moved, and on the virtual network in bad
// weather, where waiting moves it.

import { OffhookServer, parseConfig } from "@offhook/server";
import { Rejected } from "@offhook/sip";
import { nodeHash } from "@offhook/sip/node";
import { type Captures, Network, SeededRandom, type VirtualClock, type Weather } from "@offhook/sip/testing";
import type { Endpoint, TransportName } from "@offhook/sip/transport";
import { Checks } from "./check.ts";
import { Openings, sdpOf } from "./openings.ts";
import { type Match, matchesOf, whyNoMatch } from "./pattern.ts";
import { type Part, Peer, type PeerOptions } from "./peer.ts";
import { Phone, type PhoneOptions } from "./phone.ts";
import { quietAudio } from "./quiet-audio.ts";
import { type Recorded, Recording } from "./recording.ts";
import { StageDriver, type StageWorld, Traffic } from "./stage-driver.ts";
import { StageNames } from "./stage-names.ts";
import { StageTime } from "./stage-time.ts";

/** 10 % lost, 200 ms one way, doubled and overtaking one another. */
export const badWeather: Weather = {
  latency: 200,
  jitter: 60,
  loss: 0.1,
  duplication: 0.1,
  pieces: 200,
};

export interface StageOptions {
  readonly mode: "real" | "weather";
  readonly transport: TransportName;
  readonly seed?: number;
}

/** A server of the product, from a configuration. */
export interface ServerOptions {
  /** Default "server". */
  readonly name?: string;
  /** Default `home.example`. Another server needs another. */
  readonly domain?: string;
  /** Accounts to make; the password of `bob` is `bob-password`. */
  readonly users?: readonly string[];
  /** Whether passwords are asked for. Default false. */
  readonly auth?: boolean;
  /** More of the configuration, as in the YAML file. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface ServerPart extends Part {
  readonly server: OffhookServer;
  readonly domain: string;
  /** Ends it at once. */
  leave(): Promise<void>;
}

/** Which messages on the wire: by the names of parts; an address:port for one that is nobody's. */
export interface Where {
  readonly from?: string;
  readonly to?: string;
}

export class Stage extends Openings {
  readonly mode: "real" | "weather";
  /** The transport of this run: phones and peers use it, and names without one resolve to it. */
  readonly transport: TransportName;
  readonly check: Checks = new Checks();
  readonly recording: Recording;
  /** What `sees` captured, by name. Patterns of peers know it too. */
  readonly captures: Captures = {};
  /** The virtual network; undefined on real sockets. */
  readonly network: Network | undefined;
  readonly #seed: number;
  readonly #world: StageWorld;
  readonly #time: StageTime;
  readonly #names: StageNames;
  readonly #parts = new Map<string, Part>();
  readonly #drivers: StageDriver[] = [];
  readonly #servers: ServerPart[] = [];
  #hosts = 0;

  constructor(options: StageOptions) {
    super();
    this.mode = options.mode;
    this.transport = options.transport;
    this.#seed = options.seed ?? 1;
    const traffic = new Traffic();
    this.#time = new StageTime(this.isCalm, traffic);
    this.#names = new StageNames(options.transport);
    this.recording = new Recording(this.clock.now());
    if (options.mode === "weather")
      this.network = new Network({ clock: this.clock, seed: this.#seed, ...badWeather });
    this.#world = {
      ...{ clock: this.clock, random: new SeededRandom(this.#seed * 7919 + 13) },
      ...{ network: this.network, recording: this.recording, traffic },
      lookup: (query) => this.#names.lookup(query),
    };
  }

  /** True on real sockets: exact times and numbers of copies hold. */
  get isCalm(): boolean {
    return this.mode === "real";
  }

  get clock(): VirtualClock {
    return this.#time.clock;
  }

  /** For the runner: a scenario that does not wait here waits for something that will never move. */
  get isWaiting(): boolean {
    return this.#time.isWaiting;
  }

  // --- Parts ------------------------------------------------------------------------------------------------

  /** Starts a server of the product, for `home.example` unless told otherwise. */
  async server(options: ServerOptions = {}): Promise<ServerPart> {
    const { name = "server", domain = "home.example", users = [], auth = false, config = {} } = options;
    const [driver, host] = this.#driver(name);
    const { listeners = ["udp", "tcp"], ...others } = config as { listeners?: readonly string[] };
    const server = await OffhookServer.start({
      config: parseConfig(
        JSON.stringify({
          domains: [domain],
          listeners: listeners.map((transport) => ({ transport, host, port: this.isCalm ? 0 : 5060 })),
          auth: { enabled: auth, withoutPasswordInPublic: !auth },
          relay: { inbound: "allow" },
          store: { kind: "memory" },
          http: false,
          log: { level: "silent", calls: false },
          ...others,
        }),
        "stage",
      ),
      folder: ".",
      world: { driver, random: this.#world.random },
    });
    for (const user of users) await server.store.accounts.add({ user, password: passwordOf(user), domain });
    const part: ServerPart = {
      ...{ name, server, domain },
      endpoint: (transport) => {
        const listener = driver.listeners.find((one) => one.listener.transport === transport)?.listener;
        if (listener === undefined) throw new Error(`${name} does not listen on ${transport}`);
        return { address: listener.address, port: listener.port };
      },
      leave: () => driver.stop(),
    };
    this.#servers.push(part);
    this.#add(part);
    this.name(domain, part);
    return part;
  }

  /**
   * A phone of the product, `sip:NAME@home.example` with the server as its outbound proxy if there is one by then, else
   * `sip:NAME@NAME.example` on its own.
   */
  async phone(name: string, options: PhoneOptions = {}): Promise<Phone> {
    const { transport = this.transport, audio, ...others } = options;
    const [driver, address] = this.#driver(name);
    const home = this.#servers[0];
    const { clock, random } = this.#world;
    const runtime = { clock, random, hash: nodeHash, createDriver: () => driver };
    const phone = new Phone(name, {
      ...{ driver, check: this.check, transport },
      wait: (done) => this.#time.until(done),
      settled: (title, promise) => this.value(title, promise),
      makesSdp: audio === undefined && options.media === undefined ? () => sdpOf(name) : undefined,
      options: {
        aor: `sip:${name}@${home?.domain ?? `${name}.example`}`,
        transports: [{ runtime, transport, address }],
        ...(home !== undefined && {
          outboundProxy: `sip:${home.domain};lr`,
          credentials: { user: name, password: passwordOf(name) },
        }),
        ...(audio !== undefined && { media: quietAudio(audio, random) }),
        ...others,
      },
    });
    await phone.ua.ready;
    this.#add(phone);
    return phone;
  }

  /** A foreign peer that speaks SIP by hand. */
  async peer(name: string, options: PeerOptions = {}): Promise<Peer> {
    const [driver] = this.#driver(name);
    const peer = new Peer(
      name,
      {
        ...{ driver, check: this.check, transport: this.transport, isWeather: !this.isCalm },
        captures: this.captures,
        wait: (done) => this.#time.until(done),
        settle: () => this.settle(),
        defaultRemote: () => this.#servers[0],
      },
      options,
    );
    await peer.open();
    this.#add(peer);
    return peer;
  }

  /** Makes a DNS name lead to these parts or endpoints, in this order (RFC 3263). Every part has `NAME.example` already. */
  name(host: string, ...targets: readonly (Part | Endpoint)[]): void {
    this.#names.set(host, targets);
  }

  /** Makes DNS say nothing about this name; a part that asks gives up after `silence`. */
  silentName(host: string): void {
    this.#names.silence(host);
  }

  /** An address and port where nobody is. */
  nowhere(): Endpoint {
    return this.isCalm ? { address: "127.0.0.1", port: 9 } : { address: "10.0.99.99", port: 5060 };
  }

  // --- Time -------------------------------------------------------------------------------------------------

  /** Lets so many milliseconds pass, and everything happen that is due in them. */
  advance(milliseconds: number): Promise<void> {
    return this.#time.advance(milliseconds);
  }

  /** Lets what is under way arrive and be acted on. In bad weather that takes a few seconds of the stage's time. */
  settle(): Promise<void> {
    return this.#time.settle();
  }

  /** Seconds since the play began. */
  get time(): number {
    return this.#time.elapsed / 1000;
  }

  // --- Assertions on the wire -------------------------------------------------------------------------------

  /** Messages sent so far, each once, in order. */
  messages(where: Where = {}): readonly Recorded[] {
    return this.recording.messages.filter(
      (message) =>
        !message.isCopy &&
        (where.from === undefined || message.sender === where.from) &&
        (where.to === undefined || this.recording.nameOf(message.to) === where.to),
    );
  }

  /** Waits for a message of that kind; patterns as for `Peer.expect`. What they capture is known everywhere then. */
  async sees(name: string, where: Where, pattern: string): Promise<Recorded & { captures: Captures }> {
    let found: Match<Recorded> | undefined;
    await this.#time.until(() => {
      found ??= this.#matching(where, pattern)[0];
      return found !== undefined;
    });
    if (found === undefined)
      this.check.fail(
        name,
        whyNoMatch(
          pattern,
          this.messages(where),
          this.captures,
          `from ${where.from ?? "anybody"} to ${where.to ?? "anybody"}`,
        ),
      );
    Object.assign(this.captures, found.captured);
    this.check.pass(name);
    return { ...found.message, captures: { ...this.captures } };
  }

  /** No such message was sent, nor is with what is under way. */
  async seesNone(name: string, where: Where, pattern = "{*}"): Promise<void> {
    await this.seesTimes(name, 0, where, pattern);
  }

  /** So many different messages of that kind were sent once what is under way has arrived; copies do not count. */
  async seesTimes(name: string, times: number, where: Where, pattern = "{*}"): Promise<void> {
    if (times > 0) await this.#time.until(() => this.#matching(where, pattern).length >= times);
    await this.settle();
    const found = this.#matching(where, pattern);
    if (found.length !== times)
      this.check.fail(
        name,
        `${found.length} of them, expected ${times}:\n${found.map(({ message }) => message.text).join("\n")}`,
      );
    this.check.pass(name);
  }

  // --- Assertions on what the application is told -----------------------------------------------------------

  /** A promise that `value` or `rejected` looks at later: until then its failure is not unhandled. */
  later<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    return promise;
  }

  /** What the promise is fulfilled with. */
  async value<T>(name: string, promise: Promise<T>): Promise<T> {
    const outcome = await this.#outcome(promise);
    if (outcome === undefined) this.check.fail(name, "nothing has happened");
    if ("error" in outcome) this.check.fail(name, `it failed: ${String(outcome.error)}`);
    this.check.pass(name);
    return outcome.value;
  }

  /** The `Rejected` that the promise fails with, and that its status code is this. */
  async rejected(name: string, promise: Promise<unknown>, statusCode: number): Promise<Rejected> {
    const outcome = await this.#outcome(promise);
    if (outcome === undefined) this.check.fail(name, "nothing has happened");
    if (!("error" in outcome)) this.check.fail(name, "it did not fail");
    const { error } = outcome;
    if (!(error instanceof Rejected)) this.check.fail(name, `it failed otherwise: ${String(error)}`);
    if (error.statusCode !== statusCode)
      this.check.fail(name, `it failed with ${error.statusCode}, expected ${statusCode}`);
    this.check.pass(name);
    return error;
  }

  /** Waits until it is so, as long as anything can still happen. */
  async until(name: string, isSo: () => boolean): Promise<void> {
    if (!(await this.#time.until(isSo))) this.check.fail(name, "it is not so, and nothing more is to come");
    this.check.pass(name);
  }

  /** For the runner: closes every socket. */
  async close(): Promise<void> {
    for (const { server } of this.#servers) await server.stop(0);
    await Promise.all(this.#drivers.map((driver) => driver.stop()));
  }

  // --- Inside -----------------------------------------------------------------------------------------------

  #driver(name: string): [StageDriver, address: string] {
    if (this.#parts.has(name)) throw new Error(`${name} is on the stage already`);
    const address = this.isCalm ? "127.0.0.1" : `10.0.0.${++this.#hosts}`;
    const driver = new StageDriver(this.#world, name, address);
    this.#drivers.push(driver);
    return [driver, address];
  }

  #add(part: Part): void {
    this.#parts.set(part.name, part);
    this.name(`${part.name}.example`, part);
  }

  #matching(where: Where, pattern: string): Match<Recorded>[] {
    return matchesOf(pattern, this.messages(where), this.captures);
  }

  async #outcome<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown } | undefined> {
    let outcome: { value: T } | { error: unknown } | undefined;
    promise.then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    await this.#time.until(() => outcome !== undefined);
    return outcome;
  }
}

/** The password of a user that `server` has made. */
export function passwordOf(user: string): string {
  return `${user}-password`;
}
