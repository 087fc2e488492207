// `/metrics` and `/health` over HTTP, on loopback unless configured otherwise.

import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import type { Registry } from "prom-client";

/** What `/health` tells; "draining" is answered with 503, so that load balancers go elsewhere. */
export interface Health {
  readonly status: "ok" | "draining";
  readonly uptime: number;
  readonly listeners: readonly string[];
  readonly bindings: number;
  readonly activeCalls: number;
}

export function makeHttpApp(registry: Registry, health: () => Health): Hono {
  const app = new Hono();
  app.get("/metrics", async (context) => {
    context.header("Content-Type", registry.contentType);
    return context.body(await registry.metrics());
  });
  app.get("/health", (context) => {
    const now = health();
    return context.json(now, now.status === "ok" ? 200 : 503);
  });
  return app;
}

/** A server that listens on TCP or on a Unix socket. */
export interface HttpServer {
  /** The bound port; 0 for a Unix socket. */
  readonly port: number;
  close(): Promise<void>;
}

/** Starts to serve. Rejects with the system's error if the place is taken. */
export async function serveHttp(
  app: Hono,
  place: { host: string; port: number } | { path: string },
): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(place, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? (address as AddressInfo).port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Idle keep-alive connections would hold it open.
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}
