// The registrar with 100 000 bindings: heap per binding, REGISTER per second, lookups, and the store's start.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@offhook/server";
import { type IncomingRequest, parseMessage, type SipRequest } from "@offhook/sip";
import { nodeClock, nodeHash, nodeRandom } from "@offhook/sip/node";
import { MemoryLocationService, Registrar } from "@offhook/sip/registrar";
import type { Flow } from "@offhook/sip/transport";

const users = 100_000;
/** Bytes of live heap per binding that are allowed (docs/performance.md). */
const heapGate = 450;
/** Milliseconds that a server with 100 000 registrations may take to load them. */
const loadGate = 2000;

const encoder = new TextEncoder();
const flow: Flow = {
  ...{ id: "0.0.1.7", transport: "UDP", isReliable: false, state: "open" },
  listener: { id: 1, transport: "UDP", address: "192.0.2.9", port: 5060 },
  remote: { address: "192.0.2.1", port: 5061 },
};

/** A REGISTER as a desk phone sends it. */
function makeRegister(user: number, cSeq: number): SipRequest {
  const text = [
    "REGISTER sip:example.com SIP/2.0",
    `Via: SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bK-${user}-${cSeq};rport=5061;received=192.0.2.1`,
    "Max-Forwards: 70",
    `From: <sip:user${user}@example.com>;tag=f${user}`,
    `To: <sip:user${user}@example.com>`,
    `Call-ID: ${user}-3848276298220188511@192.0.2.1`,
    `CSeq: ${cSeq} REGISTER`,
    `Contact: <sip:user${user}@192.0.2.1:5061;ob>;expires=3600`,
    "User-Agent: Deskphone 7/2.3.1",
    "Content-Length: 0\r\n\r\n",
  ].join("\r\n");
  return parseMessage(encoder.encode(text)) as SipRequest;
}

/** Hands a request over as the stack does, and counts what is answered. */
function incomingOf(request: SipRequest, counts: Map<number, number>): IncomingRequest {
  const incoming: IncomingRequest = {
    ...{ request, borrowed: request, flow, transaction: undefined, receivedAt: 0 },
    respond(statusCode) {
      counts.set(statusCode, (counts.get(statusCode) ?? 0) + 1);
      return true;
    },
    withRequest: () => incoming,
  };
  return incoming;
}

function liveHeap(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Prints the numbers; false if a gate is missed. Heap is measured only with --expose-gc. */
export default async function run(): Promise<boolean> {
  let isWithin = true;
  const locations = new MemoryLocationService({ clock: nodeClock, random: nodeRandom });
  const registrar = new Registrar({
    locations,
    clock: nodeClock,
    isOurDomain: (host) => host === "example.com",
  });
  const counts = new Map<number, number>();
  // Once around first, so that code and shapes are warm and not counted as bindings.
  for (let i = 0; i < 2000; i++) await registrar.handle(incomingOf(makeRegister(i, 1), counts));
  for (let i = 0; i < 2000; i++) locations.remove(`sip:user${i}@example.com`);
  const before = liveHeap();
  for (let i = 0; i < users; i++) await registrar.handle(incomingOf(makeRegister(i, 1), counts));
  const perBinding = (liveHeap() - before) / users;
  if (globalThis.gc === undefined) console.log("heap per binding: not measured (needs --expose-gc)");
  else {
    console.log(`heap per binding: ${perBinding.toFixed(0)} B (gate ${heapGate})`);
    isWithin &&= perBinding <= heapGate;
  }

  const requests = Array.from({ length: 20_000 }, (_, i) => incomingOf(makeRegister(i * 5, 2), counts));
  for (const { request } of requests) void request.to;
  const refreshStart = cpuMicroseconds();
  for (const incoming of requests) await registrar.handle(incoming);
  console.log(
    `refresh, without parsing and printing: ${((cpuMicroseconds() - refreshStart) / requests.length).toFixed(2)} µs`,
  );
  const lookupStart = cpuMicroseconds();
  let found = 0;
  for (let i = 0; i < users; i++) found += locations.lookup(`sip:user${i}@example.com`).length;
  console.log(`lookup: ${((cpuMicroseconds() - lookupStart) / users).toFixed(2)} µs`);
  isWithin &&= found === users && counts.size === 1 && counts.get(200) === users + 22_000;

  const folder = mkdtempSync(join(tmpdir(), "offhook-bench-"));
  try {
    const path = join(folder, "offhook.db");
    const store = await openStore({ path, clock: nodeClock, hash: nodeHash });
    const now = nodeClock.now();
    for (const { aor, contact, callId } of locations.entries()) {
      const contacts = [{ uri: contact, expires: 3600, q: 1 }];
      void store.locations.update(aor, { callId, cSeq: 1, contacts, path: [], now });
    }
    const flushStart = performance.now();
    await store.locations.flushed();
    console.log(`flush of ${users} bindings at once: ${(performance.now() - flushStart).toFixed(0)} ms`);
    await store.close();
    const loadStart = performance.now();
    const again = await openStore({ path, clock: nodeClock, hash: nodeHash });
    const loadTime = performance.now() - loadStart;
    console.log(`start with ${users} bindings: ${loadTime.toFixed(0)} ms (gate ${loadGate})`);
    isWithin &&= loadTime <= loadGate && again.locations.memory.bindingCount === users;
    await again.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  locations.close();
  return isWithin;
}

export { run };
