// The server: configuration in, a running registrar and proxy out. Joins stores, sockets, roles and what looks on.

import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Random } from "@offhook/sip";
import { defaultLimits } from "@offhook/sip/message";
import { NodeDriver, nodeRandom } from "@offhook/sip/node";
import type { ProxyServer } from "@offhook/sip/proxy";
import { Stack, type StackObserver } from "@offhook/sip/stack";
import type { Listener, TransportName, TransportSink } from "@offhook/sip/transport";
import type { Logger } from "pino";
import { isAnswering, serveAdmin } from "./admin.ts";
import { LocalAdministration } from "./administration.ts";
import { CallLines } from "./call-lines.ts";
import { CallMonitor } from "./call-monitor.ts";
import { type Config, demoCertificate, type LoadedConfig } from "./config.ts";
import {
  adminSocketOf,
  clientTlsOptions,
  databaseOf,
  openConfiguredStore,
  tlsOptions,
} from "./configured-files.ts";
import { ensureDemoCertificate, makeDemoUsers } from "./demo.ts";
import { Domains } from "./domains.ts";
import { type Health, type HttpServer, makeHttpApp, makeUpgradeApp } from "./http.ts";
import { FloodLog, makeLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { OverloadWatch } from "./overload.ts";
import { addressOf } from "./password-throttle.ts";
import { assignRoles } from "./roles.ts";
import { PeerList } from "./routing/index.ts";
import { loadSecret } from "./secret.ts";
import { printAddress, StartError, startingAt } from "./start-error.ts";
import type { Store } from "./store/index.ts";
import { WebServers } from "./web-servers.ts";

/** Sockets and time, as the server uses them. */
export type ServerDriver = TransportSink &
  Pick<
    NodeDriver,
    "attach" | "clock" | "listen" | "listeners" | "listenForMessages" | "reloadCertificates" | "stop"
  >;

/** What a test gives the server instead of the process's own; nobody administers such a server. */
export interface ServerWorld {
  readonly driver: ServerDriver;
  readonly random: Random;
}

export interface ServerOptions extends LoadedConfig {
  /** True without a configuration file: two users are made at the first start. */
  readonly isDemo?: boolean;
  /** Where the lines about calls go. Default: standard output. */
  readonly terminal?: NodeJS.WritableStream & { isTTY?: boolean };
  /** Default: this process's sockets, clock and random numbers. */
  readonly world?: ServerWorld;
}

/** Milliseconds that requests under way have for their answer once the server is told to stop. */
const drainTime = 5000;

/** A running server; `start` makes it. */
export class OffhookServer {
  readonly config: Config;
  readonly domains: Domains;
  readonly store: Store;
  readonly monitor: CallMonitor;
  readonly metrics: Metrics;
  readonly stack: Stack;
  /** Users made by this start of the demo, with their passwords. */
  demoUsers: readonly { user: string; password: string }[] = [];
  readonly #driver: ServerDriver;
  readonly #log: Logger;
  readonly #floodLog: FloodLog;
  readonly #lines: CallLines | undefined;
  readonly #proxy: ProxyServer;
  readonly #startedAt: number;
  readonly #folder: string;
  readonly #webServers: WebServers;
  /** Of /metrics and /health. */
  #http: HttpServer | undefined;
  #admin: HttpServer | undefined;
  #adminSocket: string | undefined;
  #isDraining = false;
  #isInMaintenance = false;
  #isOverloaded = false;
  #watch: OverloadWatch | undefined;

  /** @throws {StartError} if a port is taken; other errors of store and configuration as they are */
  static async start(options: ServerOptions): Promise<OffhookServer> {
    const socket = options.world === undefined ? adminSocketOf(options) : undefined;
    if (socket !== undefined && (await isAnswering(socket)))
      throw new StartError(`a server with this store runs already (it answers on ${socket})`);
    const log = makeLog(options.config, options.folder);
    const metricsLater: { metrics?: Metrics } = {};
    const store = await openConfiguredStore(options, {
      ...(options.world !== undefined && { clock: options.world.driver.clock }),
      log: (level, message) => log[level](message),
      onFlushCommitted: ({ sequence, startedAt, size }) => {
        metricsLater.metrics?.flushed(startedAt);
        log.debug({ sequence, startedAt, size }, "bindings written");
      },
    });
    let server: OffhookServer;
    try {
      server = new OffhookServer(options, store, log);
    } catch (error) {
      await store.close();
      throw error;
    }
    metricsLater.metrics = server.metrics;
    try {
      if (options.isDemo) {
        const hosts = options.config.listeners.map(({ host }) => host);
        const { certificate, key } = demoCertificate;
        const inFolder = (file: string) => resolve(options.folder, file);
        ensureDemoCertificate({ certificate: inFolder(certificate), key: inFolder(key) }, hosts);
      }
      await server.#listen(socket);
      if (options.isDemo) server.demoUsers = await makeDemoUsers(store, server.domains.primary);
    } catch (error) {
      await server.#closeAll();
      throw error;
    }
    return server;
  }

  private constructor(options: ServerOptions, store: Store, log: Logger) {
    const { config } = options;
    this.config = config;
    this.#folder = options.folder;
    this.store = store;
    this.#log = log;
    const { servers, timeout } = config.dns;
    this.#driver =
      options.world?.driver ??
      new NodeDriver({
        dns: { timeout, ...(servers !== undefined && { servers }) },
        tls: clientTlsOptions(config.tls, options.folder),
        onError: (error) => log.error({ err: error }, "listening socket or certificates"),
      });
    const random = options.world?.random ?? nodeRandom;
    const { clock } = this.#driver;
    this.#startedAt = clock.now();
    this.#floodLog = new FloodLog(log, clock);
    this.domains = new Domains(config.domains);
    this.#lines = config.log.calls ? new CallLines(options.terminal ?? process.stdout) : undefined;
    this.monitor = new CallMonitor({
      ...config.trace,
      startedAt: this.#startedAt,
      onEvent: (call, event, now) => {
        this.#lines?.show(call, event, now);
        if (event !== "failed" && event !== "ended") return;
        this.metrics.callOver(call.status);
        const { id, callId, caller, callee, startedAt, answeredAt, status } = call;
        store.calls.add({
          id,
          callId,
          caller,
          callee,
          startedAt,
          answeredAt,
          endedAt: call.endedAt ?? now,
          status,
        });
        if (event === "failed") log.info({ callId, caller, callee, status }, "call failed");
      },
    });
    this.metrics = new Metrics({
      transactions: () => this.stack.transactionCount,
      bindings: () => store.locations.memory.bindingCount,
      registeredUsers: () => store.locations.memory.aorCount,
      activeCalls: () => this.monitor.activeCount,
      tracedBytes: () => this.monitor.tracedBytes,
      connections: () => this.stack.connectionCount,
    });
    const peers = new PeerList(config.relay.peers);
    this.stack = new Stack({
      sink: this.#driver,
      clock,
      random,
      limits: {
        connections: config.limits.connections,
        connectionsPerAddress: config.limits.connectionsPerSource,
        silentTime: config.limits.silentConnection * 1000,
        idleTime: config.limits.idleConnection * 1000,
      },
      messageLimits: {
        ...defaultLimits,
        messageSize: config.limits.messageSize,
        headerCount: config.limits.headerCount,
        uriLength: config.limits.uriLength,
        ...(config.limits.bodySize !== undefined && { bodySize: config.limits.bodySize }),
      },
      rfc2543: config.compat.rfc2543,
      maxTransactions: config.limits.transactions,
      requestsPerSource: config.limits.requestsPerSource,
      isTrustedSource: (address) => peers.has(address),
      retryAfter: config.overload.retryAfter,
      observer: this.#observer(),
      onError: (error, incoming) =>
        log.error({ err: error, callId: incoming?.request.callId }, "request failed"),
    });
    this.#driver.attach(this.stack);
    this.#proxy = assignRoles({
      ...{ config, store, log, domains: this.domains, stack: this.stack, metrics: this.metrics },
      ...{ driver: this.#driver, random, secret: secretOf(options, random) },
    });
    this.#webServers = new WebServers({
      ...{ config, log, folder: options.folder, driver: this.#driver, domains: this.domains },
    });
    this.isInMaintenance = config.overload.maintenance;
    if (options.world === undefined) {
      this.#watch = new OverloadWatch({
        ...{ clock, limit: config.overload.eventLoopDelay },
        onChange: (isOverloaded) => {
          this.#isOverloaded = isOverloaded;
          this.#refuseIfNeeded();
          log.warn(isOverloaded ? "overloaded: requests outside dialogs get 503" : "no longer overloaded");
        },
      });
    }
  }

  /** Calls that are up go on, requests outside dialogs get 503 (§21.5.4). */
  get isInMaintenance(): boolean {
    return this.#isInMaintenance;
  }
  set isInMaintenance(isOn: boolean) {
    if (isOn !== this.#isInMaintenance) this.#log.warn(isOn ? "in maintenance" : "no longer in maintenance");
    this.#isInMaintenance = isOn;
    this.#refuseIfNeeded();
  }

  /** Addresses that SIP comes in by, e.g. "udp 127.0.0.1:5060". */
  get listening(): string[] {
    return this.#driver.listeners.map(({ listener }) => printListener(listener));
  }

  /** The port of `/metrics` and `/health`; undefined if it is turned off. */
  get httpPort(): number | undefined {
    return this.#http?.port;
  }

  /**
   * Reads certificates and keys again; no connection is dropped. Changed files are noticed without it.
   * @returns what could not be used, and so stays as it was
   */
  reloadCertificates(): Error[] {
    const problems = [...this.#driver.reloadCertificates(), ...this.#webServers.reloadCertificates()];
    for (const err of problems) this.#log.error({ err }, "certificates");
    return problems;
  }

  /**
   * Stops in order: no new requests (503), an answer for those under way if it comes soon, everything stored.
   * Calls that are up go on without us; their next request finds the server that is started next.
   * @param patience - milliseconds that requests under way have for their answer
   */
  async stop(patience: number = drainTime): Promise<void> {
    this.#watch?.close();
    this.#isDraining = true;
    this.#webServers.closeGates();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((done) => {
      timer = setTimeout(done, patience);
    });
    await Promise.race([this.stack.drain("answered"), limit]);
    clearTimeout(timer);
    await this.#closeAll();
  }

  #refuseIfNeeded(): void {
    this.stack.isOverloaded = this.#isInMaintenance || this.#isOverloaded;
  }

  get #status(): Health["status"] {
    if (this.#isDraining) return "draining";
    if (this.#isInMaintenance) return "maintenance";
    return this.#isOverloaded ? "overloaded" : "ok";
  }

  #observer(): StackObserver {
    const { monitor, metrics } = this;
    const log = this.#floodLog;
    return {
      received: (message, flow, now) => {
        metrics.received(message);
        monitor.received(message, flow, now);
      },
      sent: (bytes, flow, now, callId, methodId) => {
        metrics.sent(bytes);
        monitor.sent(bytes, flow, now, callId, methodId);
      },
      malformed: (error, flow) => {
        metrics.malformed();
        const { address, port } = flow.remote;
        log.info(address, { port, reason: error.message }, "malformed message");
      },
      flowFailed: (flow, error) => {
        // Handshakes that fail are told: their operator will ask why.
        if (flow.transport !== "TLS") return;
        const { address, port } = flow.remote;
        log.info(address, { port, reason: error.message }, "TLS connection failed");
      },
      refused: (request, status) => {
        metrics.refused(request);
        log.info(addressOf(request), { callId: request.callId, status }, "request refused");
      },
      stray: (response, flow) => metrics.stray(response, flow),
      resent: () => metrics.resent(),
    };
  }

  async #listen(socket: string | undefined): Promise<void> {
    const { config } = this;
    for (const listener of config.listeners) {
      const { transport, host, port } = listener;
      await startingAt(`${transport} ${printAddress(host, port)}`, () => this.#listenOn(listener));
    }
    if (config.http !== false) {
      const { host, port, tls } = config.http;
      const app = makeHttpApp(this.metrics, () => this.#health());
      await startingAt(`http ${printAddress(host, port)}`, async () => {
        this.#http = await this.#webServers.serve(app, host, port, tls);
        if (config.webSocket.onHttp) this.#webServers.takeWebSockets(this.#http, tls !== undefined);
      });
    }
    if (socket !== undefined) await this.#administer(socket);
  }

  async #listenOn(options: Config["listeners"][number]): Promise<void> {
    const { transport, host, port, advertise, bufferSize, batch, gather, tls } = options;
    if (transport === "ws" || transport === "wss") {
      const server = await this.#webServers.serve(makeUpgradeApp(), host, port, tls);
      this.#webServers.takeWebSockets(server, tls !== undefined, advertise);
      return;
    }
    const listener = await this.#driver.listen({
      ...{ transport: transport.toUpperCase() as TransportName, address: host, port, bufferSize, gather },
      ...(batch === "auto" ? {} : { batch: batch === "on" }),
      ...(advertise === undefined ? {} : { advertise }),
      ...(tls === undefined ? {} : { tls: tlsOptions(tls, this.#folder) }),
    });
    this.domains.addListener(listener);
  }

  #health(): Health {
    return {
      status: this.#status,
      uptime: Math.round((this.#driver.clock.now() - this.#startedAt) / 1000),
      listeners: this.listening,
      bindings: this.store.locations.memory.bindingCount,
      activeCalls: this.monitor.activeCount,
    };
  }

  async #administer(socket: string): Promise<void> {
    const server = this;
    const administration = new LocalAdministration({
      store: this.store,
      domain: this.domains.primary,
      monitor: this.monitor,
      maintenance: {
        get isOn() {
          return server.isInMaintenance;
        },
        set isOn(isOn) {
          server.isInMaintenance = isOn;
        },
      },
    });
    await startingAt(socket, async () => {
      this.#admin = await serveAdmin(administration, socket);
    });
    this.#adminSocket = socket;
  }

  async #closeAll(): Promise<void> {
    this.#watch?.close();
    this.metrics.close();
    await this.#driver.stop();
    this.#proxy.close();
    await this.#admin?.close();
    await this.#webServers.close();
    if (this.#adminSocket !== undefined) rmSync(this.#adminSocket, { force: true });
    await this.store.close();
    this.#lines?.close();
    this.#floodLog.close();
    this.#log.flush();
  }
}

/** Signs Record-Route values. @throws {StartError} if it can be neither read nor made */
function secretOf(options: ServerOptions, random: Random): Uint8Array {
  if (options.config.store.kind === "memory") return random.bytes(32);
  const path = join(dirname(databaseOf(options)), "secret.key");
  try {
    return loadSecret(path);
  } catch (error) {
    throw new StartError(`${path} cannot be used: ${(error as Error).message}`);
  }
}

function printListener({ transport, address, port, advertise }: Listener): string {
  const shown = `${transport.toLowerCase()} ${printAddress(address, port)}`;
  return advertise === undefined
    ? shown
    : `${shown} (as ${printAddress(advertise.host, advertise.port ?? port)})`;
}
