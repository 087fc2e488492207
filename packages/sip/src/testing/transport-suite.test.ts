import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { udpKinds } from "../node/batched-udp.test.kit.ts";
import { NodeDriver } from "../node/driver.ts";
import { makeCertificate } from "../node/make-certificate.ts";
import { tcpWire, tlsWire } from "../node/wire.ts";
import { Network, transportSuite, VirtualClock, VirtualDriver, virtualStreamWire } from "./index.ts";
import type { NetworkOptions } from "./network.ts";
import type { SuiteWorld } from "./transport-suite.ts";

type Carried = "UDP" | "TCP" | "TLS";

const pair = makeCertificate({ names: ["127.0.0.1", "::1"] });

function virtualWorld(
  transport: Carried | "WS",
  prefix: string,
  weather: Partial<NetworkOptions>,
): SuiteWorld {
  const clock = new VirtualClock();
  const network = new Network({ clock, ...weather });
  let host = 1;
  return {
    transport,
    side() {
      const driver = new VirtualDriver(network, `${prefix}${host++}`);
      return {
        sink: driver,
        attach: (stack) => driver.attach(stack),
        listen: async () => driver.listen({ transport }),
        stop: async () => driver.stop(),
        now: () => clock.now(),
      };
    },
    until: (done) => clock.runUntil(done, 20_000),
    wire: (to) => virtualStreamWire(network, { address: `${prefix}99`, port: network.freePort() }, to),
  };
}

function realWorld(transport: Carried, address: string, batch = false): SuiteWorld {
  return {
    transport,
    side() {
      const driver = new NodeDriver({ tls: { ca: pair.certificate } });
      return {
        sink: driver,
        attach: (stack) => driver.attach(stack),
        listen: () => driver.listen({ transport, address, batch, ...(transport === "TLS" && { tls: pair }) }),
        stop: () => driver.stop(),
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
    wire: (to) => (transport === "TLS" ? tlsWire(to) : tcpWire(to)),
  };
}

const worlds: [string, Carried | "WS", () => SuiteWorld][] = [
  ["memory, datagrams", "UDP", () => virtualWorld("UDP", "10.0.0.", { latency: 5 })],
  ["memory, datagrams out of order", "UDP", () => virtualWorld("UDP", "10.0.0.", { latency: 5, jitter: 50 })],
  ["memory, streams", "TCP", () => virtualWorld("TCP", "10.0.0.", { latency: 5 })],
  [
    "memory, streams in pieces",
    "TCP",
    () => virtualWorld("TCP", "fd00::", { jitter: 5, loss: 0.1, pieces: 300 }),
  ],
  ["memory, messages over a connection", "WS", () => virtualWorld("WS", "10.0.0.", { latency: 5 })],
  ["tcp, IPv4", "TCP", () => realWorld("TCP", "127.0.0.1")],
  ["tcp, IPv6", "TCP", () => realWorld("TCP", "::1")],
  ["tls, IPv4", "TLS", () => realWorld("TLS", "127.0.0.1")],
  ["tls, IPv6", "TLS", () => realWorld("TLS", "::1")],
];

for (const [name, transport, makeWorld] of worlds) {
  for (const { title, run } of transportSuite(transport, makeWorld)) test(`${name}: ${title}`, run);
}

for (const { name, batch, skip } of udpKinds) {
  for (const [family, address] of [
    ["IPv4", "127.0.0.1"],
    ["IPv6", "::1"],
  ] as const) {
    for (const { title, run } of transportSuite("UDP", () => realWorld("UDP", address, batch))) {
      test(`udp by ${name}, ${family}: ${title}`, { skip }, run);
    }
  }
}
