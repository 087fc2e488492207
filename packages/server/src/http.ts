// `/metrics` and `/health` over HTTP, on loopback unless configured otherwise.

import type { Server } from "node:http";
import { createServer, type Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { ServerCertificates } from "@offhook/sip/node";
import { Hono } from "hono";
import type { Metrics } from "./metrics.ts";

/** What `/health` tells; anything but "ok" is answered with 503, so that load balancers go elsewhere. */
export interface Health {
  readonly status: "ok" | "draining" | "maintenance" | "overloaded";
  readonly uptime: number;
  readonly listeners: readonly string[];
  readonly bindings: number;
  readonly activeCalls: number;
}

export function makeHttpApp(metrics: Metrics, health: () => Health): Hono {
  const app = new Hono();
  app.get("/metrics", async (context) => {
    context.header("Content-Type", metrics.contentType);
    return context.body(await metrics.print());
  });
  app.get("/health", (context) => {
    const now = health();
    return context.json(now, now.status === "ok" ? 200 : 503);
  });
  return app;
}

/** For ports where nothing but WebSocket is spoken. */
export function makeUpgradeApp(): Hono {
  const app = new Hono();
  app.all("*", (context) =>
    context.text("Only WebSocket with the subprotocol sip is spoken here.\n", 426, { Upgrade: "websocket" }),
  );
  return app;
}

/** A server that listens on TCP or on a Unix socket. */
export interface HttpServer {
  /** The bound address; the path of a Unix socket. */
  readonly address: string;
  /** The bound port; 0 for a Unix socket. */
  readonly port: number;
  /** For upgrades. */
  readonly server: Server;
  close(): Promise<void>;
}

function makeServer(app: Hono, https: HttpsOptions | undefined): Server {
  if (https === undefined) return createAdaptorServer({ fetch: app.fetch }) as Server;
  const { certificates, clientCertificates } = https;
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    serverOptions: {
      ...certificates.fallback,
      ...certificates.sni,
      requestCert: clientCertificates !== "off",
      rejectUnauthorized: clientCertificates === "required",
    },
  }) as Server & SecureServer;
  certificates.onReload = (fallback) => server.setSecureContext(fallback);
  return server;
}

/** HTTPS: what to show, and whom to ask for a certificate. */
export interface HttpsOptions {
  readonly certificates: ServerCertificates;
  readonly clientCertificates: "off" | "optional" | "required";
}

/** Starts to serve. Rejects with the system's error if the place is taken. */
export async function serveHttp(
  app: Hono,
  place: { host: string; port: number } | { path: string },
  https?: HttpsOptions,
): Promise<HttpServer> {
  const server = makeServer(app, https);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(place, () => {
      server.off("error", reject);
      // From now on an error is one connection that could not be taken (EMFILE): the others go on.
      server.on("error", () => {});
      resolve();
    });
  });
  const bound = server.address() as AddressInfo | string;
  return {
    ...(typeof bound === "string"
      ? { address: bound, port: 0 }
      : { address: bound.address, port: bound.port }),
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Idle keep-alive connections would hold it open.
        server.closeAllConnections();
      }),
  };
}
