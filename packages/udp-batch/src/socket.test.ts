import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import {
  BatchSocket,
  type BatchSocketOptions,
  isAvailable,
  openSockets,
  type Peer,
  type SystemError,
  whyUnavailable,
} from "./index.ts";
import { native } from "./native.ts";

if (process.env["CI"] === "true" && process.platform === "linux") assert.equal(whyUnavailable, undefined);
const skip = !isAvailable && whyUnavailable;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const index = new URL("./index.ts", import.meta.url).href;

/** A socket that notes what happens to it. */
class Noting {
  readonly batches: string[][] = [];
  readonly from: Peer[] = [];
  readonly failures: [address: string, port: number, code: string][] = [];
  readonly errors: Error[] = [];
  readonly socket: BatchSocket;
  /** What else happens with a batch. */
  react: (texts: string[], socket: BatchSocket) => void = () => {};

  constructor(options: Partial<BatchSocketOptions> = {}) {
    this.socket = new BatchSocket({
      address: "127.0.0.1",
      port: 0,
      receiveBufferSize: 1 << 20,
      onBatch: (count, socket) => {
        const texts: string[] = [];
        for (let i = 0; i < count; i++) {
          texts.push(text(socket.bytes(i)));
          this.from.push(socket.peer(i));
        }
        this.batches.push(texts);
        this.react(texts, socket);
      },
      onSendFailed: ({ address, port }, error) => this.failures.push([address, port, error.code]),
      onError: (error) => this.errors.push(error),
      ...options,
    });
    cleanups.push(() => this.socket.close());
  }

  get received(): string[] {
    return this.batches.flat();
  }

  send(content: string | Uint8Array, to: { address: string; port: number }): void {
    const peer = this.socket.peerAt(to.address, to.port);
    assert.ok(peer);
    this.socket.send(typeof content === "string" ? Buffer.from(content) : content, peer);
  }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const numbered = (count: number, name = "") => Array.from({ length: count }, (_, i) => `${name}${i}`);

async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!done()) {
    assert.ok(performance.now() < end, "waited in vain");
    await setImmediate();
  }
}

for (const address of ["127.0.0.1", "::1"]) {
  test(`${address}: what waits comes at once, in order, whole, and with its source`, { skip }, async () => {
    const near = new Noting({ address });
    const far = new Noting({ address });
    const contents = numbered(100, "x".repeat(700));
    for (const content of contents) near.send(content, far.socket);
    await until(() => far.received.length === 100);
    assert.deepEqual(far.received, contents);
    assert.ok(far.batches.length <= 3, `${far.batches.length} batches`);
    assert.ok(far.from.every((peer) => peer === far.from[0]));
    assert.deepEqual([far.from[0]?.address, far.from[0]?.port], [address, near.socket.port]);
    assert.equal(far.socket.peerAt(address, near.socket.port), far.from[0]);
  });

  test(`${address}: with node:dgram both ways, from nothing to the longest datagram`, { skip }, async () => {
    const batched = new Noting({ address, receiveBufferSize: 1 << 20, sendBufferSize: 1 << 20 });
    batched.react = (_texts, socket) => socket.send(socket.bytes(0), socket.peer(0));
    const plain = createSocket(address === "::1" ? "udp6" : "udp4");
    cleanups.push(() => plain.close());
    plain.setMaxListeners(0);
    plain.bind(0, address);
    await once(plain, "listening");
    for (const length of [0, 1, 1300, 2048, 9000, address === "::1" ? 65_527 : 65_507]) {
      const bytes = Buffer.alloc(length, length & 0xff);
      plain.send(bytes, batched.socket.port, address);
      const [back, from] = (await once(plain, "message")) as [Buffer, { address: string; port: number }];
      assert.ok(back.equals(bytes), `${length} bytes`);
      assert.deepEqual([from.address, from.port], [address, batched.socket.port]);
    }
  });
}

test("answers to a batch leave together, after it", { skip }, async () => {
  const near = new Noting();
  const far = new Noting();
  far.react = (texts, socket) => {
    for (const content of texts) far.send(`${content} back`, near.socket);
    assert.equal(near.received.length, 0);
    void socket;
  };
  for (const content of numbered(20)) near.send(content, far.socket);
  await until(() => near.received.length === 20);
  assert.deepEqual(near.batches, [numbered(20).map((content) => `${content} back`)]);
});

test("what promises and ticks of a batch send, leaves with it", { skip }, async () => {
  const near = new Noting();
  const far = new Noting();
  far.react = () => {
    far.send("at once", near.socket);
    void Promise.resolve().then(() => far.send("promised", near.socket));
    process.nextTick(() => far.send("ticked", near.socket));
  };
  near.send("go", far.socket);
  await until(() => near.received.length === 3);
  assert.equal(near.batches.length, 1);
});

test("what timers, immediates and other sockets send, leaves before the loop waits", { skip }, async () => {
  const near = new Noting();
  const far = new Noting();
  await setTimeout(1);
  near.send("timer", far.socket);
  await setImmediate();
  near.send("immediate", far.socket);
  await until(() => far.received.length === 2);
});

test("more than the queue holds in one turn: sent in between", { skip }, async () => {
  const near = new Noting();
  const far = new Noting({ receiveBufferSize: 8 << 20 });
  for (const content of numbered(3000)) near.send(content, far.socket);
  await until(() => far.received.length === 3000);
  assert.deepEqual(far.received, numbered(3000));
  assert.equal(near.socket.lost, 0);
});

test("what the system refuses is told, by peer; the rest goes out", { skip }, async () => {
  const near = new Noting();
  const far = new Noting();
  near.send("before", far.socket);
  near.send(Buffer.alloc(66_000), far.socket);
  near.send("port of nobody", { address: "127.0.0.1", port: 0 });
  near.send(Buffer.alloc(2_000_000), far.socket);
  near.send("network of nobody", { address: "255.255.255.255", port: 9 });
  near.send("after", far.socket);
  assert.equal(near.failures.length, 0, "told during send");
  await until(() => near.failures.length === 4 && far.received.length === 2);
  assert.deepEqual(far.received, ["before", "after"]);
  const { port } = far.socket;
  const byCode = near.failures.map(([address, to, code]) => `${code} ${address}:${to}`).sort();
  assert.deepEqual(byCode, [
    "EACCES 255.255.255.255:9",
    "EINVAL 127.0.0.1:0",
    `EMSGSIZE 127.0.0.1:${port}`,
    `EMSGSIZE 127.0.0.1:${port}`,
  ]);
});

test("who answers a failure by another send that fails: told again, and others have their turn", {
  skip,
}, async () => {
  const far = new Noting();
  let rounds = 0;
  const near = new Noting({
    onSendFailed: (peer) => {
      if (++rounds < 50) near.socket.send(Buffer.from("again"), peer);
    },
  });
  near.send("x", { address: "127.0.0.1", port: 0 });
  let turns = 0;
  while (rounds < 50) {
    await setImmediate();
    assert.ok(++turns < 1000, "not told");
  }
  assert.ok(turns >= 25, `${turns} turns of the loop`);
  near.send("still there", far.socket);
  await until(() => far.received.length === 1);
});

test("addresses: literal ones of the own family only", { skip }, () => {
  const four = new Noting().socket;
  const six = new Noting({ address: "::1" }).socket;
  for (const address of ["", "localhost", "::1", "1.2.3", "1.2.3.4.5", "1.2.3.4\0", "1".repeat(200)]) {
    assert.equal(four.peerAt(address, 5060), undefined, address);
  }
  for (const address of ["127.0.0.1", "::1%", "::1%nosuchdevice", "[::1]", ":::", "1".repeat(200)]) {
    assert.equal(six.peerAt(address, 5060), undefined, address);
  }
  assert.equal(four.peerAt("192.0.2.1", 65_536), undefined);
  assert.equal(six.peerAt("2001:DB8:0:0::1", 5060)?.address, "2001:db8::1");
  assert.equal(six.peerAt("fe80::1%1", 5060)?.address, "fe80::1%lo");
  assert.notEqual(six.peerAt("fe80::1%1", 5060), six.peerAt("fe80::1", 5060));
});

test("many peers: each keeps its own data, in bounded memory", { skip }, () => {
  const { socket } = new Noting();
  const peers = Array.from({ length: 5000 }, (_, i) => ({
    address: `10.0.${i >> 8}.${i & 255}`,
    port: 5060,
  }));
  for (const { address, port } of peers) {
    const peer = socket.peerAt(address, port);
    assert.deepEqual([peer?.address, peer?.port], [address, port]);
    if (peer) peer.data = address;
  }
  let kept = 0;
  for (const { address, port } of peers) {
    const data = socket.peerAt(address, port)?.data;
    assert.ok(data === undefined || data === address);
    if (data === address) kept++;
  }
  assert.ok(kept > 3000, `${kept} of 5000 found again`);
});

test("bind: the system's errors, with Node's properties", { skip }, () => {
  const { socket } = new Noting();
  const { address, port } = socket;
  const errorOf = (options: Partial<BatchSocketOptions>) => {
    try {
      new Noting(options);
    } catch (error) {
      return error as SystemError;
    }
    return undefined;
  };
  const { code, syscall, errno, message } = errorOf({ port }) ?? {};
  assert.deepEqual(
    [code, syscall, errno, message],
    ["EADDRINUSE", "bind", -98, `bind EADDRINUSE 127.0.0.1:${port}`],
  );
  assert.equal(errorOf({ address: "198.51.100.1" })?.code, "EADDRNOTAVAIL");
  assert.equal(errorOf({ address: "localhost" })?.code, "EINVAL");
  // IPv6 only: the same port is free there.
  assert.equal(new Noting({ address: "::1", port }).socket.port, port);
  assert.equal(address, "127.0.0.1");
});

test("close in the middle of a batch: no more of it, nothing leaks", { skip }, async () => {
  const near = new Noting();
  const far = new Noting();
  far.react = (_texts, socket) => {
    far.send("goodbye", near.socket);
    socket.close();
    socket.close();
    socket.send(Buffer.from("too late"), socket.peer(0));
  };
  for (const content of numbered(100)) near.send(content, far.socket);
  await until(() => near.received.length === 1);
  assert.equal(far.batches.length, 1);
  assert.deepEqual(near.received, ["goodbye"]);
  // The port is free at once.
  new Noting({ port: far.socket.port });
});

test("close in the middle of failures: no more of them", { skip }, async () => {
  let told = 0;
  const near: Noting = new Noting({
    onSendFailed: () => {
      told++;
      near.socket.close();
    },
  });
  for (let i = 0; i < 5; i++) near.send("x", { address: "127.0.0.1", port: 0 });
  await until(() => told > 0);
  await setTimeout(5);
  assert.equal(told, 1);
});

test("close with datagrams in the queue: they leave first", { skip }, async () => {
  const near = new Noting();
  const far = new Noting();
  for (const content of numbered(10)) near.send(content, far.socket);
  near.socket.close();
  await until(() => far.received.length === 10);
});

test("after close: sends go nowhere, addresses are still read", { skip }, async () => {
  const open = openSockets();
  const { socket } = new Noting();
  assert.equal(openSockets(), open + 1);
  const peer = socket.peerAt("127.0.0.1", 9);
  socket.close();
  assert.equal(openSockets(), open);
  assert.ok(peer);
  socket.send(Buffer.from("x"), peer);
  assert.equal(socket.peerAt("127.0.0.1", 9), peer);
  assert.ok(socket.isClosed);
});

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

/** Two datagrams each millisecond, so many in all; resolves when the last one was sent. */
async function stream(from: Noting, to: Noting, count: number): Promise<void> {
  for (let i = 0; i < count; i += 2) {
    from.send(`${i}`, to.socket);
    from.send(`${i + 1}`, to.socket);
    await setTimeout(1);
  }
}

test("gathering: many are read at once while many come, the last of them too", { skip }, async () => {
  const near = new Noting();
  const far = new Noting({ gather: 20 });
  await stream(near, far, 1200);
  await until(() => far.received.length === 1200);
  assert.deepEqual(far.received, numbered(1200));
  // A batch each millisecond would be 600.
  assert.ok(far.batches.length < 400, `${far.batches.length} batches`);
});

test("gathering: nothing waits where little comes", { skip }, async () => {
  const near = new Noting();
  const far = new Noting({ gather: 8 });
  for (const content of numbered(30)) {
    near.send(content, far.socket);
    await until(() => far.received.at(-1) === content);
    await setTimeout(3);
  }
  assert.equal(far.batches.length, 30);
});

test("gathering: whoever waits for answers is not kept waiting", { skip }, async () => {
  const peer = new Noting();
  const echo = new Noting({ gather: 20 });
  // So that gathering has begun. Then sixteen are under way: half a batch never comes before the answers are there.
  await stream(peer, echo, 400);
  echo.react = (texts) => {
    for (const content of texts) echo.send(content, peer.socket);
  };
  let answers = 0;
  peer.react = (texts) => {
    answers += texts.length;
    for (const content of texts) peer.send(content, echo.socket);
  };
  for (const content of numbered(16)) peer.send(content, echo.socket);
  // By waiting 20 ms for each sixteen it would be 800 in a second.
  await until(() => answers > 40_000);
});

test("gathering: a time that is none is refused", { skip }, () => {
  for (const gather of [-1, 0.5, 21, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => new Noting({ gather }), RangeError);
});

test("gathering: what is sent does not wait, nor what the system refuses", { skip }, async () => {
  const near = new Noting({ gather: 20 });
  const far = new Noting();
  let sent = 0;
  near.react = (texts) => {
    for (const content of texts) near.send(content, far.socket);
    sent += texts.length;
  };
  await stream(far, near, 400);
  await until(() => sent === 400 && far.received.length === 400);
  near.send(new Uint8Array(70_000), far.socket);
  await until(() => near.failures.length === 1);
});

test("gathering: closed while datagrams wait", { skip }, async () => {
  const near = new Noting();
  const far = new Noting({ gather: 20 });
  far.react = () => {
    if (far.received.length >= 360) far.socket.close();
  };
  await stream(near, far, 400);
  await until(() => far.socket.isClosed);
  const count = far.received.length;
  await stream(near, far, 10);
  assert.equal(far.received.length, count);
});

test("the compiled half trusts neither arguments nor what stands in the shared memory", {
  skip,
}, async () => {
  const { open, flush, close, parseAddress, printAddress, words, queued, received } = native!;
  const wrong = { code: "ERR_INVALID_ARG_VALUE" };
  for (const odd of [undefined, null, 1, "x", {}, [], () => {}]) {
    const value = odd as never;
    assert.throws(() => flush(value), wrong);
    assert.throws(() => close(value), wrong);
    assert.throws(() => parseAddress(value, "127.0.0.1", 1), wrong);
    assert.throws(() => printAddress(value, 1), wrong);
    assert.throws(() => open(value, value, value, value, value, value, value), wrong);
  }
  assert.throws(() => (open as unknown as () => void)(), wrong);
  const socket = open(false, "127.0.0.1", 0, 0, 0, 0, () => {});
  assert.ok(typeof socket === "object");
  cleanups.push(() => close(socket));
  const port = new DataView(socket.buffer, 8 * 4, 4).getUint16(2);
  const near = new Noting();
  assert.ok(parseAddress(socket, "127.0.0.1", near.socket.port));
  assert.throws(() => printAddress(socket, words), wrong);
  assert.throws(() => parseAddress(socket, undefined as never, 1), wrong);
  const shared = new Uint32Array(socket.buffer, 0, words);
  for (const [offset, length] of [
    [0xffffffff, 1],
    [0, 0xffffffff],
    [0, (1 << 20) + 1],
    [1 << 20, 1],
    [0x80000000, 0x80000000],
  ]) {
    shared.set([offset!, length!, ...shared.subarray(8, 15)], queued);
    shared[1] = 0xffffffff;
    shared[2] = 0xffffffff;
    shared[3] = 0xffffffff;
    flush(socket);
    assert.equal(shared[1], 0);
  }
  assert.equal(typeof printAddress(socket, received), "string");
  // Taken away by the application: nothing is seen in it any more, and nothing else is harmed.
  socket.buffer.transfer();
  assert.equal(socket.buffer.byteLength, 0);
  near.send("x", { address: "127.0.0.1", port });
  flush(socket);
  await setTimeout(5);
  assert.deepEqual(near.received, []);
  close(socket);
  flush(socket);
});

async function runProgram(program: string, ...more: string[]): Promise<string> {
  const flags = process.execArgv.filter((flag) => !flag.startsWith("--test") && !flag.startsWith("--import"));
  const args = [...flags, ...more, "--input-type=module", "-e", program];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}
