import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Flow, StackInput } from "../transport/index.ts";
import { nodeClock } from "./clock.ts";
import { DROP_AT, StreamSocket } from "./tcp.ts";

/** The system's side of a connection: takes at once whatever it is given. */
class Taking extends Duplex {
  /** What came with each call. */
  readonly calls: string[] = [];

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this._writev([{ chunk }], done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: () => void): void {
    this.calls.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString("latin1"));
    done();
  }
}

function connection(): { system: Taking; stream: StreamSocket; errors: Error[] } {
  const system = new Taking();
  const errors: Error[] = [];
  const stack: Partial<StackInput> = {
    receive() {},
    flowClosed: (_flow, error) => void (error && errors.push(error)),
  };
  const host = { stack: stack as StackInput, clock: nodeClock, afterInput() {}, report() {} };
  const stream = new StreamSocket(host, system as unknown as Socket, {} as Flow, () => {});
  return { system, stream, errors };
}

test("what one turn of the event loop sends leaves together, in order", async () => {
  const { system, stream } = connection();
  for (const text of ["one ", "two ", "three"]) stream.send(Buffer.from(text));
  queueMicrotask(() => stream.send(Buffer.from(", four")));
  assert.deepEqual(system.calls, []);
  await setImmediate();
  stream.send(Buffer.from("five"));
  await setImmediate();
  assert.deepEqual(system.calls, ["one two three, four", "five"]);
});

test("more in one turn than a peer may leave unread goes to the system before the peer is judged", async () => {
  const { system, stream, errors } = connection();
  const bytes = Buffer.alloc(60_000);
  for (let i = 0; i * bytes.length < 3 * DROP_AT; i++) stream.send(bytes);
  await setImmediate();
  assert.ok(system.calls.join("").length > 3 * DROP_AT);
  assert.deepEqual(errors, []);
  assert.ok(!system.destroyed && !system.isPaused());
});

test("closed in the turn that sent: the last words leave before", async () => {
  const { system, stream } = connection();
  Object.assign(system, { bytesWritten: 1 });
  stream.send(Buffer.from("goodbye"));
  stream.close();
  await setImmediate();
  assert.deepEqual(system.calls, ["goodbye"]);
  assert.ok(system.writableEnded);
  stream.destroy();
});
