import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type NativeSocket, native } from "./native.ts";
import { cleanups, Noting, skip, until } from "./socket.test.kit.ts";

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
    assert.throws(() => open(value, value, value, value, value, value), wrong);
  }
  assert.throws(() => (open as unknown as () => void)(), wrong);
  const socket = open(false, "127.0.0.1", 0, 0, 0, () => {});
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

test("no time to wait that stands there is taken for more than a second", { skip }, async () => {
  const { open, close } = native!;
  let batches = 0;
  const socket = open(false, "127.0.0.1", 0, 0, 0, () => {
    batches++;
    new Uint32Array(socket.buffer)[7] = 0xffffffff;
  }) as NativeSocket;
  cleanups.push(() => close(socket));
  const to = { address: "127.0.0.1", port: new DataView(socket.buffer, 8 * 4, 4).getUint16(2) };
  const near = new Noting();
  near.send("0", to);
  await until(() => batches === 1);
  near.send("1", to);
  await until(() => batches === 2);
});
