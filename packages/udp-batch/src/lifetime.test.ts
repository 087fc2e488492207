// Who keeps a socket, and how it ends with its process or thread.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { Noting, skip, until } from "./socket.test.kit.ts";

const index = new URL("./index.ts", import.meta.url).href;

test("the socket lives as long as it is open, whoever holds it", { skip }, async () => {
  // In a process of its own: collecting a heap as large as that of all tests takes half a second each time.
  const program = `
    const { setImmediate } = await import("node:timers/promises");
    const { BatchSocket } = await import(${JSON.stringify(index)});
    const ports = [], closers = [], got = [];
    let all;
    const gotAll = new Promise((resolve) => { all = resolve; });
    function openForgotten() {
      const socket = new BatchSocket({ address: "127.0.0.1", port: 0, onBatch(n, self) {
        self.close();
        if (got.push(n) === 20) all();
      } });
      ports.push(socket.port);
      closers.push(new WeakRef(socket));
    }
    async function collect(times) {
      for (let i = 0; i < times; i++) {
        await setImmediate();
        gc();
      }
    }
    for (let i = 0; i < 20; i++) openForgotten();
    await collect(3);
    const near = new BatchSocket({ address: "127.0.0.1", port: 0, onBatch() {} });
    for (const port of ports) near.send(Buffer.from("hello"), near.peerAt("127.0.0.1", port));
    await gotAll;
    await collect(5);
    near.close();
    console.log(got.length, "heard,", closers.filter((ref) => ref.deref() === undefined).length > 15 ? "let go" : "held");`;
  assert.equal(await runProgram(program, "--expose-gc"), "20 heard, let go\n");
});

test("what a callback throws is an uncaught exception, and the socket goes on", { skip }, async () => {
  const program = `
    const { BatchSocket } = await import(${JSON.stringify(index)});
    let count = 0;
    const socket = new BatchSocket({ address: "127.0.0.1", port: 0, onBatch(n, self) {
      if (++count === 1) { self.send(Buffer.from("again"), self.peerAt("127.0.0.1", self.port)); throw new Error("thrown"); }
      console.log("second batch");
      self.close();
    } });
    process.on("uncaughtException", (error) => console.log("caught", error.message));
    socket.send(Buffer.from("x"), socket.peerAt("127.0.0.1", socket.port));`;
  assert.equal(await runProgram(program), "caught thrown\nsecond batch\n");
});

test("the process ends within a callback", { skip }, async () => {
  const program = `
    const { BatchSocket } = await import(${JSON.stringify(index)});
    const socket = new BatchSocket({ address: "127.0.0.1", port: 0, onBatch(n, self) {
      self.send(Buffer.from("x"), self.peer(0)); console.log("end"); process.exit(0);
    } });
    socket.send(Buffer.from("x"), socket.peerAt("127.0.0.1", socket.port));`;
  assert.equal(await runProgram(program), "end\n");
});

test("what is queued when the process ends leaves before", { skip }, async () => {
  const near = new Noting();
  await runProgram(`
    const { BatchSocket } = await import(${JSON.stringify(index)});
    const socket = new BatchSocket({ address: "127.0.0.1", port: 0, onBatch() {} });
    socket.send(Buffer.from("last words"), socket.peerAt("127.0.0.1", ${near.socket.port}));
    process.exit(0);`);
  await until(() => near.received.length === 1);
});

test("worker threads: sockets of their own, that end with them", { skip }, async () => {
  const near = new Noting();
  const program = `
    import { BatchSocket } from ${JSON.stringify(index)};
    import { parentPort } from "node:worker_threads";
    const socket = new BatchSocket({ address: "127.0.0.1", port: 0, onBatch(n, self) {
      for (let i = 0; i < n; i++) self.send(self.bytes(i), self.peer(i));
      if (Buffer.from(self.bytes(0)).toString() === "spin") for (;;);
    } });
    parentPort.postMessage(socket.port);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const workers = Array.from({ length: 3 }, () => new Worker(url));
  const ports = await Promise.all(
    workers.map(async (worker) => ((await once(worker, "message")) as [number])[0]),
  );
  for (const port of ports) near.send("hello", { address: "127.0.0.1", port });
  await until(() => near.received.length === 3);
  // One is ended in the middle of its callback, one with something queued, one while idle.
  near.send("spin", { address: "127.0.0.1", port: ports[0]! });
  await setTimeout(20);
  await Promise.all(workers.map((worker) => worker.terminate()));
  for (const port of ports) new Noting({ port });
});

async function runProgram(program: string, ...more: string[]): Promise<string> {
  const flags = process.execArgv.filter((flag) => !flag.startsWith("--test") && !flag.startsWith("--import"));
  const args = [...flags, ...more, "--input-type=module", "-e", program];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}
