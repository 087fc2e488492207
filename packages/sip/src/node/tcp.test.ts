import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { WirePeer } from "../testing/index.ts";
import type { Flow, StackInput } from "../transport/index.ts";
import { nodeClock } from "./clock.ts";
import { DROP_AT, StreamSocket } from "./tcp.ts";
import { tcpWireServer } from "./wire.ts";

const modules = {
  node: new URL("./index.ts", import.meta.url).href,
  stack: new URL("../stack.ts", import.meta.url).href,
  message: new URL("../message/index.ts", import.meta.url).href,
};

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

test("what is sent in the turn that ends the process leaves before", async (t) => {
  const server = await tcpWireServer();
  t.after(() => server.close());
  const program = `
    const { NodeDriver, nodeRandom } = await import(${JSON.stringify(modules.node)});
    const { Stack } = await import(${JSON.stringify(modules.stack)});
    const { draftRequest } = await import(${JSON.stringify(modules.message)});
    const driver = new NodeDriver();
    const stack = new Stack({ sink: driver, clock: driver.clock, random: nodeRandom });
    driver.attach(stack);
    await driver.listen({ transport: "TCP", address: "127.0.0.1" });
    const headers = [["From", "<sip:a@a.example>;tag=1"], ["To", "<sip:b@b.example>"], ["CSeq", "1 MESSAGE"]];
    function send(callId, onResponse) {
      const requestUri = "sip:b@127.0.0.1:${server.local.port};transport=tcp";
      const draft = draftRequest({ method: "MESSAGE", requestUri, headers: [...headers, ["Call-ID", callId]] });
      stack.request(draft, { user: { onResponse, onFailure() {} } });
    }
    send("first", () => {
      send("last", () => {});
      process.exit();
    });`;
  const flags = process.execArgv.filter((flag) => !flag.startsWith("--test") && !flag.startsWith("--import"));
  const ended = promisify(execFile)(process.execPath, [...flags, "--input-type=module", "-e", program]);
  const peer = new WirePeer(await server.accept());
  await peer.expect("MESSAGE {*}");
  peer.reply("200 OK");
  assert.match((await peer.expect("MESSAGE {*}")).text, /Call-ID: last/);
  await ended;
});
