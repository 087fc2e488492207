// A program for slow-network.heavy.test.ts, run where the loopback interface passes 20 Mbit/s: prints what became of
// datagrams that were sent faster than that.

import { setTimeout } from "node:timers/promises";
import { BatchSocket } from "./index.ts";

const received: string[] = [];
const errors: string[] = [];
const receiver = new BatchSocket({
  ...{ address: "127.0.0.1", port: 0, receiveBufferSize: 16 << 20 },
  onBatch(count, socket) {
    for (let i = 0; i < count; i++) received.push(Buffer.from(socket.bytes(i)).toString().trimEnd());
  },
});
const sender = new BatchSocket({
  ...{ address: "127.0.0.1", port: 0, sendBufferSize: 65_536 },
  onBatch() {},
  onSendFailed: (_peer, error) => errors.push(error.message),
  onError: (error) => errors.push(error.message),
});
const peer = sender.peerAt("127.0.0.1", receiver.port);
if (peer === undefined) throw new Error("no peer");

/** Sends in one turn of the event loop, and waits until nothing more comes. */
async function burst(name: string, count: number): Promise<object> {
  const lostBefore = sender.lost;
  received.length = errors.length = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < count; i++) sender.send(Buffer.from(`${name}${i}`.padEnd(1000)), peer!);
  const leftAtOnce = received.length;
  for (let before = -1; before !== received.length; ) {
    before = received.length;
    await setTimeout(100);
  }
  const { user, system } = process.cpuUsage(cpu);
  const numbers = received.map((text) => Number(text.slice(name.length)));
  return {
    received: received.length,
    inOrder: numbers.every((number, i) => i === 0 || number > numbers[i - 1]!),
    leftAtOnce,
    lost: sender.lost - lostBefore,
    errors: [...errors],
    busy: (user + system) / 1000 / (performance.now() - start),
  };
}

const bursts = [await burst("a", 800), await burst("b", 3000), await burst("c", 10)];
// Something still waits when it is closed.
for (let i = 0; i < 500; i++) sender.send(Buffer.alloc(1000), peer);
await setTimeout(1);
sender.close();
receiver.close();
console.log(JSON.stringify(bursts));
