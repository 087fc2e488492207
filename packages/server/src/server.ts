// The server: configuration in, a running registrar and proxy out. Joins stores, sockets, roles and what looks on.

import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Random } from "@offhook/sip";
import { computeHa1, type Ha1Lookup } from "@offhook/sip/auth";
import { defaultLimits } from "@offhook/sip/message";
import { NodeDriver, nodeHash, nodeRandom, ServerCertificates } from "@offhook/sip/node";
import { ProxyServer } from "@offhook/sip/proxy";
import { Registrar } from "@offhook/sip/registrar";
import { Stack, type StackObserver } from "@offhook/sip/stack";
import type { Listener, TransportName, TransportSink } from "@offhook/sip/transport";
import type { Logger } from "pino";
import { isAnswering, serveAdmin } from "./admin.ts";
import { AdministrationError, LocalAdministration } from "./administration.ts";
import { CallLines } from "./call-lines.ts";
import { CallMonitor } from "./call-monitor.ts";
import {
  type Config,
  demoCertificate,
  isLoopback,
  type LoadedConfig,
  sipHosts,
  type TlsConfig,
} from "./config.ts";
import {
  adminSocketOf,
  clientTlsOptions,
  databaseOf,
  openConfiguredStore,
  tlsOptions,
} from "./configured-files.ts";
import { ensureDemoCertificate, makeDemoUsers } from "./demo.ts";
import { Domains } from "./domains.ts";
import {
  type Health,
  type HttpServer,
  type HttpsOptions,
  makeHttpApp,
  makeUpgradeApp,
  serveHttp,
} from "./http.ts";
import { makeLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { OverloadWatch } from "./overload.ts";
import { makeOwnAnswers } from "./own-requests.ts";
import { PasswordThrottle, ThrottledChallenger } from "./password-throttle.ts";
import { AccountDirectory, makeAdmission, PeerList } from "./routing/index.ts";
import { loadSecret } from "./secret.ts";
import type { Store } from "./store/index.ts";
import { WebSocketGate } from "./websocket.ts";

/** The server cannot start, for a reason outside of it: a port in use, a folder that may not be written. */
export class StartError extends Error {
  readonly code = "OFFHOOK_START";
}

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
  readonly #random: Random;
  readonly #log: Logger;
  readonly #lines: CallLines | undefined;
  readonly #proxy: ProxyServer;
  readonly #startedAt: number;
  readonly #folder: string;
  #http: HttpServer | undefined;
  #admin: HttpServer | undefined;
  #state: Health["status"] = "ok";
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
    this.#random = options.world?.random ?? nodeRandom;
    const { clock } = this.#driver;
    this.#startedAt = clock.now();
    this.domains = new Domains(config.domains);
    this.#lines = config.log.calls ? new CallLines(options.terminal ?? process.stdout) : undefined;
    this.monitor = new CallMonitor({
      ...config.trace,
      startedAt: this.#startedAt,
      onEvent: (call, event) => {
        const now = clock.now();
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
      random: this.#random,
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
    this.#proxy = this.#makeRoles(options);
    if (config.overload.maintenance) {
      this.#state = "maintenance";
      this.stack.isOverloaded = true;
    } else if (options.world === undefined) {
      this.#watch = new OverloadWatch({
        ...{ clock, limit: config.overload.eventLoopDelay },
        onChange: (isOverloaded) => {
          this.stack.isOverloaded = isOverloaded;
          this.#state = isOverloaded ? "overloaded" : "ok";
          log.warn(isOverloaded ? "overloaded: requests outside dialogs get 503" : "no longer overloaded");
        },
      });
    }
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
    const problems = this.#driver.reloadCertificates();
    for (const certificates of this.#certificates) {
      try {
        certificates.reload();
      } catch (error) {
        problems.push(error as Error);
      }
    }
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
    this.#state = "draining";
    for (const gate of this.#gates) gate.close();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((done) => {
      timer = setTimeout(done, patience);
    });
    await Promise.race([this.stack.drain("answered"), limit]);
    clearTimeout(timer);
    this.metrics.close();
    await this.#closeAll();
  }

  #observer(): StackObserver {
    const { monitor, metrics } = this;
    const log = this.#log;
    return {
      received: (message, flow, now) => {
        metrics.received(message);
        monitor.received(message, flow, now);
      },
      sent: (bytes, flow, now, callId) => {
        metrics.sent(bytes);
        monitor.sent(bytes, flow, now, callId);
      },
      malformed: (error, flow) => {
        metrics.malformed();
        if (log.isLevelEnabled("info"))
          log.info({ from: flow.remote, reason: error.message }, "malformed message");
      },
      flowFailed: (flow, error) => {
        // Handshakes that fail are told: their operator will ask why.
        if (flow.transport === "TLS" && log.isLevelEnabled("info"))
          log.info({ peer: flow.remote, reason: error.message }, "TLS connection failed");
      },
      refused: (request, status) => {
        metrics.refused(request);
        if (log.isLevelEnabled("info")) log.info({ callId: request.callId, status }, "request refused");
      },
      stray: (response, flow) => metrics.stray(response, flow),
      resent: () => metrics.resent(),
    };
  }

  #makeRoles(options: ServerOptions): ProxyServer {
    const { config, domains, store, stack } = this;
    const { clock } = this.#driver;
    const secret =
      config.store.kind === "memory"
        ? this.#random.bytes(32)
        : secretOf(join(dirname(databaseOf(options)), "secret.key"));
    const authentication = this.#authentication();
    const directory = new AccountDirectory({
      ...{ domains, aliases: config.aliases, locations: store.locations },
      accounts: config.accounts === "database" ? store.accounts : undefined,
      flowById: (id) => stack.flowById(id),
      ...(config.listeners.filter(({ transport }) => transport === "udp").length < 2
        ? {}
        : { listenerOf: (flowId: string) => stack.flowById(flowId)?.listener }),
    });
    const registrar = new Registrar({
      ...{ clock, locations: store.locations },
      isOurDomain: (host) => domains.isOurHost(host),
      ...(authentication === undefined
        ? {}
        : { authentication: { ...authentication, realm: (host: string) => domains.canonical(host) } }),
      // A password for the realm of one domain is good for that domain only.
      authorize: (user, to) => user === undefined || directory.owns(user, to),
      addressOfRecord: directory.addressOfRecord,
      minExpires: config.registrar.minExpires,
      defaultExpires: config.registrar.defaultExpires,
      maxExpires: config.registrar.maxExpires,
      unsupportedPath: config.registrar.unsupportedPath,
      rfc2543: config.compat.rfc2543,
    });
    const proxy = new ProxyServer({
      ...{ stack, clock, random: this.#random, isOurs: domains.isOurs, secret: secret.subarray(0, 16) },
      route: directory.route,
      admit: makeAdmission({
        ...{ domains, authentication, owns: directory.owns },
        inbound: config.relay.inbound ?? (sipHosts(config).every(isLoopback) ? "allow" : "peers"),
        peers: config.relay.peers,
      }),
      // Without passwords no realm is ours.
      isOurRealm: (realm) => authentication !== undefined && domains.isOurHost(realm),
      listeners: () => this.#driver.listeners.map(({ listener }) => listener),
      ...config.proxy,
    });
    const answerOwn = makeOwnAnswers(["REGISTER"]);
    stack.roles = {
      ...proxy.roles,
      methods: new Map([["REGISTER", registrar.handle]]),
      route: (incoming) => (answerOwn(incoming) ? undefined : proxy.route(incoming)),
    };
    return proxy;
  }

  #authentication(): { challenger: ThrottledChallenger; ha1: Ha1Lookup } | undefined {
    const { auth, accounts, limits } = this.config;
    if (!auth.enabled) return undefined;
    const { clock } = this.#driver;
    const challenger = new ThrottledChallenger({
      ...{ clock, hash: nodeHash, random: this.#random },
      algorithms: auth.algorithms,
      nonceLifetime: auth.nonceLifetime,
      acceptsUri: this.domains.isOurs,
      throttle: new PasswordThrottle(clock, limits.failedAuthPerSource),
      onFailed: (user, address) => {
        this.metrics.authFailed();
        this.#log.info({ user, address }, "wrong password");
      },
      onBlocked: () => this.metrics.authThrottled(),
    });
    if (typeof accounts === "string") return { challenger, ha1: this.store.accounts.ha1 };
    const { password } = accounts.any;
    return {
      challenger,
      ha1: (user, realm, algorithm) => computeHa1(nodeHash, algorithm, { user, realm, password }),
    };
  }

  async #listen(socket: string | undefined): Promise<void> {
    const { config } = this;
    for (const { transport, host, port, advertise, bufferSize, batch, tls } of config.listeners) {
      try {
        if (transport === "ws" || transport === "wss") {
          const http = await serveHttp(makeUpgradeApp(), { host, port }, this.#certificatesOf(tls));
          this.#webServers.push(http);
          this.#takeWebSockets(http, tls !== undefined, advertise);
          continue;
        }
        const listener = await this.#driver.listen({
          ...{ transport: transport.toUpperCase() as TransportName, address: host, port, bufferSize },
          ...(batch === "auto" ? {} : { batch: batch === "on" }),
          ...(advertise === undefined ? {} : { advertise }),
          ...(tls === undefined ? {} : { tls: tlsOptions(tls, this.#folder) }),
        });
        this.domains.addListener(listener);
      } catch (error) {
        throw new StartError(`${transport} ${printAddress(host, port)} ${explain(error)}`);
      }
    }
    if (config.http !== false) {
      const app = makeHttpApp(this.metrics.registry, () => ({
        status: this.#state,
        uptime: Math.round((this.#driver.clock.now() - this.#startedAt) / 1000),
        listeners: this.listening,
        bindings: this.store.locations.memory.bindingCount,
        activeCalls: this.monitor.activeCount,
      }));
      try {
        const { host, port, tls } = config.http;
        this.#http = await serveHttp(app, { host, port }, this.#certificatesOf(tls));
        this.#webServers.push(this.#http);
        if (config.webSocket.onHttp) this.#takeWebSockets(this.#http, tls !== undefined);
      } catch (error) {
        throw new StartError(`http ${printAddress(config.http.host, config.http.port)} ${explain(error)}`);
      }
    }
    if (socket === undefined) return;
    const administration = new LocalAdministration({
      store: this.store,
      domain: this.domains.primary,
      monitor: this.monitor,
    });
    try {
      this.#admin = await serveAdmin(administration, socket);
    } catch (error) {
      if (error instanceof AdministrationError) throw new StartError(error.message);
      throw new StartError(`${socket} ${explain(error)}`);
    }
    this.#closers.push(() => rmSync(socket, { force: true }));
  }

  /** SIP over WebSocket on an HTTP server that listens already. */
  #takeWebSockets(http: HttpServer, isSecure: boolean, advertise?: Listener["advertise"]): void {
    const { webSocket, limits } = this.config;
    const entry = this.#driver.listenForMessages({
      ...{ transport: isSecure ? "WSS" : "WS", address: http.address, port: http.port },
      ...(advertise === undefined ? {} : { advertise }),
    });
    this.domains.addListener(entry.listener);
    const gate = new WebSocketGate(http.server, {
      listener: entry,
      origins: webSocket.origins,
      isOurHost: (host) => this.domains.isOurHost(host),
      messageSize: limits.messageSize,
      pingInterval: webSocket.pingInterval * 1000,
    });
    this.#gates.push(gate);
  }

  /** @throws {TransportError} saying which file cannot be used */
  #certificatesOf(tls: TlsConfig | undefined): HttpsOptions | undefined {
    if (tls === undefined) return undefined;
    const options = tlsOptions(tls, this.#folder);
    const certificates = new ServerCertificates(options, (error) =>
      this.#log.warn({ err: error }, "certificates"),
    );
    this.#certificates.push(certificates);
    this.#closers.push(() => certificates.close());
    return { certificates, clientCertificates: tls.clientCertificates };
  }

  readonly #gates: WebSocketGate[] = [];
  readonly #webServers: HttpServer[] = [];
  /** Those of HTTP servers; the driver has its own. */
  readonly #certificates: ServerCertificates[] = [];
  readonly #closers: (() => void)[] = [];

  async #closeAll(): Promise<void> {
    this.#watch?.close();
    await this.#driver.stop();
    this.#proxy.close();
    await this.#admin?.close();
    await Promise.all(this.#webServers.map((server) => server.close()));
    for (const close of this.#closers) close();
    await this.store.close();
    this.#lines?.close();
    this.#log.flush();
  }
}

/** @throws {StartError} if it can be neither read nor made */
function secretOf(path: string): Uint8Array {
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

export function printAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function explain(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "EADDRINUSE":
      return "is in use by another program";
    case "EACCES":
      return "may not be used by this user";
    case "EADDRNOTAVAIL":
      return "is not an address of this machine";
    case "ENOTFOUND":
      return "cannot be found: there is no such name";
    default:
      return `cannot be used: ${message}`;
  }
}
