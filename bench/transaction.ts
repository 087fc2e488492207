// A transaction's life without sockets: a request in, its answer out, and half a minute later its end.
import { nodeRandom } from "@offhook/sip/node";
import { Stack } from "@offhook/sip/stack";
import type { Listener } from "@offhook/sip/transport";

const listener: Listener = { id: 1, transport: "UDP", address: "192.0.2.1", port: 5060 };
const remote = { address: "192.0.2.7", port: 5070 };
/** Transactions side by side, and milliseconds of the clock for each batch of them: 4000 a second. */
const batch = 1000;
const batchTime = 250;

const encoder = new TextEncoder();

function options(number: number): Uint8Array {
  const lines = [
    "OPTIONS sip:example.com SIP/2.0",
    `Via: SIP/2.0/UDP ${remote.address}:${remote.port};branch=z9hG4bK-7-${number}`,
    "Max-Forwards: 70",
    `From: <sip:alice@example.com>;tag=7c${number}`,
    "To: <sip:example.com>",
    `Call-ID: ${number}-7@${remote.address}`,
    "CSeq: 1 OPTIONS",
    "Accept: application/sdp",
    "Content-Length: 0\r\n\r\n",
  ];
  return encoder.encode(lines.join("\r\n"));
}

/** Prints the cost; false if a request was not answered, or its transaction never ended. */
export function run(): boolean {
  let time = 1_700_000_000_000;
  let sent = 0;
  const stack = new Stack({
    sink: { send: () => void sent++, connect() {}, close() {}, resolve() {} },
    clock: { now: () => time },
    random: nodeRandom,
    roles: { isOurs: () => true, methods: new Map([["OPTIONS", (incoming) => void incoming.respond(200)]]) },
  });
  stack.addListener(listener);
  let number = 0;
  const batchCost = () => {
    const messages = Array.from({ length: batch }, () => options(number++));
    const before = process.cpuUsage();
    for (const bytes of messages) stack.receive(bytes, stack.acceptFlow(listener, remote, time), time);
    time += batchTime;
    stack.tick(time);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / batch;
  };
  const costs = Array.from({ length: 200 }, batchCost);
  const cold = costs.slice(0, 12).reduce((sum, cost) => sum + cost, 0) / 12;
  const warm = costs.slice(130).sort((a, b) => a - b);
  console.log("transaction: OPTIONS answered by 200, from the first byte to timer J, µs of CPU");
  console.log(
    `  the first 12000${cold.toFixed(1).padStart(7)}\n  warm, median${warm[warm.length >> 1]!.toFixed(1).padStart(10)}`,
  );
  time += 64_000;
  stack.tick(time);
  return sent === number && stack.transactionCount === 0;
}
