// The suite of every transport, over WS and WSS on real sockets: our listener, and the library's browser driver as
// the side that connects. RFC 7118.

import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { makeCertificate, NodeDriver, ServerCertificates } from "@offhook/sip/node";
import { type SuiteWorld, transportSuite } from "@offhook/sip/testing";
import type { Flow, StackInput, Target, TransportSink } from "@offhook/sip/transport";
import { WebDriver, type WebSocketConstructor } from "@offhook/sip/web";
import { WebSocket as NodeWebSocket } from "ws";
import { type HttpServer, makeUpgradeApp, serveHttp } from "./http.ts";
import { WebSocketGate } from "./websocket.ts";

const authority = makeCertificate({ names: [], commonName: "test authority", isAuthority: true });
const pair = makeCertificate({ names: ["127.0.0.1", "::1"], issuer: authority });

/** Node's own cannot be told whom to trust. */
class TrustingWebSocket extends NodeWebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols, { ca: authority.certificate });
  }
}

const clients: Record<"WS" | "WSS", WebSocketConstructor> = {
  WS: WebSocket as unknown as WebSocketConstructor,
  WSS: TrustingWebSocket as unknown as WebSocketConstructor,
};

function world(transport: "WS" | "WSS", address: string): SuiteWorld {
  return {
    transport,
    side() {
      const driver = new NodeDriver();
      const browsers = new Map<string, WebDriver>();
      const byFlow = new Map<Flow, WebDriver>();
      let http: HttpServer | undefined;
      let stack: StackInput;
      const through = (flow: Flow): TransportSink => byFlow.get(flow) ?? driver;
      const connect = (flow: Flow, { port }: Target): void => {
        const host = address.includes(":") ? `[${address}]` : address;
        const browser = new WebDriver({
          url: `${transport.toLowerCase()}://${host}:${port}/`,
          WebSocket: clients[transport],
        });
        browsers.set(flow.id, browser);
        browser.attach(stack);
        byFlow.set(flow, browser);
        browser.connect(flow);
      };
      return {
        sink: {
          send: (flow, bytes) => through(flow).send(flow, bytes),
          close: (flow) => through(flow).close(flow),
          connect,
          resolve: () => {},
          wake: (deadline) => driver.wake(deadline),
        },
        attach(input) {
          stack = input;
          driver.attach(input);
        },
        async listen() {
          const certificates = new ServerCertificates(pair, () => {});
          http = await serveHttp(
            makeUpgradeApp(),
            { host: address, port: 0 },
            transport === "WSS" ? { certificates, clientCertificates: "off" } : undefined,
          );
          certificates.close();
          const entry = driver.listenForMessages({ transport, address: http.address, port: http.port });
          new WebSocketGate(http.server, {
            listener: entry,
            origins: [],
            isOurHost: () => false,
            messageSize: 65_536,
            pingInterval: 25_000,
          });
          return entry.listener;
        },
        async stop() {
          await Promise.all([...browsers.values()].map((browser) => browser.stop()));
          await driver.stop();
          await http?.close();
        },
        now: () => driver.clock.now(),
      };
    },
    async until(done) {
      const end = performance.now() + 20_000;
      while (!done()) {
        if (performance.now() > end) return false;
        await setImmediate();
      }
      return true;
    },
  };
}

for (const transport of ["WS", "WSS"] as const) {
  for (const [family, address] of [
    ["IPv4", "127.0.0.1"],
    ["IPv6", "::1"],
  ] as const) {
    const cases = transportSuite(transport, () => world(transport, address));
    for (const { title, run } of cases) test(`${transport}, ${family}: ${title}`, run);
  }
}
