import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { type BatchSocketOptions, openSockets, type SystemError } from "./index.ts";
import { cleanups, Noting, numbered, skip, until } from "./socket.test.kit.ts";

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
