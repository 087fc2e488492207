// The HTTP servers of one SIP server: `/metrics` and `/health`, and where phones come in by WebSocket (RFC 7118).

import { type NodeDriver, ServerCertificates } from "@offhook/sip/node";
import type { Listener } from "@offhook/sip/transport";
import type { Hono } from "hono";
import type { Logger } from "pino";
import type { Config, TlsConfig } from "./config.ts";
import { tlsOptions } from "./configured-files.ts";
import type { Domains } from "./domains.ts";
import { type HttpServer, type HttpsOptions, serveHttp } from "./http.ts";
import { WebSocketGate } from "./websocket.ts";

export interface WebServersOptions {
  readonly config: Config;
  /** Where the files of the configuration are found from. */
  readonly folder: string;
  readonly driver: Pick<NodeDriver, "listenForMessages">;
  readonly domains: Domains;
  readonly log: Logger;
}

export class WebServers {
  readonly #options: WebServersOptions;
  readonly #servers: HttpServer[] = [];
  readonly #gates: WebSocketGate[] = [];
  readonly #certificates: ServerCertificates[] = [];

  constructor(options: WebServersOptions) {
    this.#options = options;
  }

  /** Starts to serve. Rejects with the system's error if the port is taken, with a TransportError for files. */
  async serve(app: Hono, host: string, port: number, tls: TlsConfig | undefined): Promise<HttpServer> {
    const server = await serveHttp(app, { host, port }, this.#httpsOptions(tls));
    this.#servers.push(server);
    return server;
  }

  /** SIP over WebSocket on a server that serves already. */
  takeWebSockets(server: HttpServer, isSecure: boolean, advertise?: Listener["advertise"]): void {
    const { config, driver, domains } = this.#options;
    const entry = driver.listenForMessages({
      ...{ transport: isSecure ? "WSS" : "WS", address: server.address, port: server.port },
      ...(advertise === undefined ? {} : { advertise }),
    });
    domains.addListener(entry.listener);
    const gate = new WebSocketGate(server.server, {
      listener: entry,
      origins: config.webSocket.origins,
      isOurHost: (host) => domains.isOurHost(host),
      messageSize: config.limits.messageSize,
      pingInterval: config.webSocket.pingInterval * 1000,
    });
    this.#gates.push(gate);
  }

  /** Reads certificates and keys again; returns what could not be used, and so stays as it was. */
  reloadCertificates(): Error[] {
    const problems: Error[] = [];
    for (const certificates of this.#certificates) {
      try {
        certificates.reload();
      } catch (error) {
        problems.push(error as Error);
      }
    }
    return problems;
  }

  /** No new WebSockets from now on. */
  closeGates(): void {
    for (const gate of this.#gates) gate.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    for (const certificates of this.#certificates) certificates.close();
  }

  /** @throws {TransportError} saying which file cannot be used */
  #httpsOptions(tls: TlsConfig | undefined): HttpsOptions | undefined {
    if (tls === undefined) return undefined;
    const { folder, log } = this.#options;
    const certificates = new ServerCertificates(tlsOptions(tls, folder), (error) =>
      log.warn({ err: error }, "certificates"),
    );
    this.#certificates.push(certificates);
    return { certificates, clientCertificates: tls.clientCertificates };
  }
}
