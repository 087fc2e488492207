// kill -9 of the whole server under REGISTER load over UDP, then a restart: who was told 200 is still registered.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hrtime } from "node:process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseMessage, type SipResponse } from "@offhook/sip/message";
import { freePort } from "./free-port.ts";
import { until } from "./interop/peers/program.ts";

const program = fileURLToPath(new URL("./kill9/server-child.ts", import.meta.url));
const users = 1500;

async function bindSocket(): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** A phone for everybody: sends REGISTERs and hears the answers. */
class Phones {
  readonly #socket: Socket;
  readonly #serverPort: number;
  /** Branch → what to do with the answer. */
  readonly #waiting = new Map<string, (response: SipResponse) => void>();
  #sent = 0;

  constructor(socket: Socket, serverPort: number) {
    this.#socket = socket;
    this.#serverPort = serverPort;
    socket.on("message", (bytes) => {
      const response = parseMessage(bytes) as SipResponse;
      const branch = response.topVia.branch ?? "";
      if (response.statusCode >= 200) {
        this.#waiting.get(branch)?.(response);
        this.#waiting.delete(branch);
      }
    });
    // The server that was killed refuses what is still on its way.
    socket.on("error", () => {});
  }

  /** With a contact it registers, without one it asks. */
  register(user: number, withContact: boolean, onAnswer: (response: SipResponse) => void): void {
    const { port } = this.#socket.address() as AddressInfo;
    const branch = `z9hG4bK${++this.#sent}`;
    this.#waiting.set(branch, onAnswer);
    const lines = [
      "REGISTER sip:example.com SIP/2.0",
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=${branch}`,
      "Max-Forwards: 70",
      `From: <sip:user${user}@example.com>;tag=${user}`,
      `To: <sip:user${user}@example.com>`,
      `Call-ID: ${user}@127.0.0.1`,
      `CSeq: ${this.#sent} REGISTER`,
      ...(withContact ? [`Contact: <sip:user${user}@127.0.0.1:${port}>`] : []),
      "Content-Length: 0\r\n\r\n",
    ];
    this.#socket.send(lines.join("\r\n"), this.#serverPort, "127.0.0.1");
  }

  /** Asks for the bindings of one user until an answer comes. */
  async fetch(user: number): Promise<number> {
    for (let tries = 0; tries < 40; tries++) {
      const answer = Promise.withResolvers<SipResponse | undefined>();
      this.register(user, false, answer.resolve);
      const timer = setTimeout(() => answer.resolve(undefined), 500);
      const response = await answer.promise;
      clearTimeout(timer);
      if (response === undefined) continue;
      assert.equal(response.statusCode, 200);
      return response.headers.rawAll("Contact").length;
    }
    assert.fail("the server does not answer");
  }
}

function serve(context: TestContext, config: string): ChildProcess {
  const child = spawn(process.execPath, ["--conditions=@offhook/source", program, config], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  context.after(() => child.kill("SIGKILL"));
  return child;
}

for (const durable of [false, true]) {
  test(`kill -9 of the server under load (durable: ${durable})`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "offhook-kill9-"));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    const port = await freePort("127.0.0.1");
    const config = join(folder, "offhook.yaml");
    const log = join(folder, "log.json");
    writeFileSync(
      config,
      [
        "domains: [example.com]",
        `listeners: [{ transport: udp, host: 127.0.0.1, port: ${port} }]`,
        "auth: { enabled: false }",
        "accounts: any",
        `store: { path: offhook.db, durable: ${durable} }`,
        "http: false",
        `log: { level: debug, file: ${JSON.stringify(log)}, calls: false }`,
      ].join("\n"),
    );
    const socket = await bindSocket();
    context.after(() => socket.close());
    const phones = new Phones(socket, port);

    const first = serve(context, config);
    const ahead = once(first, "message").then(([milliseconds]) => milliseconds as number);
    assert.equal(await phones.fetch(0), 0);
    /** User → when the first 200 arrived here, which is after the server sent it; by the server's clock. */
    const acknowledged = new Map<number, number>();
    const offset = await ahead;
    const enough = Promise.withResolvers<void>();
    /** When each flush began that has been committed, as the server says; nothing else is promised. */
    const flushes = () =>
      readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line.endsWith("}") && line.includes('"startedAt"'))
        .map((line) => (JSON.parse(line) as { startedAt: number }).startedAt);
    const promisedBy = (lastFlush: number) =>
      [...acknowledged].filter(([, at]) => durable || at < lastFlush).map(([user]) => user);
    let next = 0;
    let answers = 0;
    const load = setInterval(() => {
      for (let i = 0; i < 8; i++) {
        const user = next++ % users;
        phones.register(user, true, (response) => {
          assert.equal(response.statusCode, 200);
          if (!acknowledged.has(user)) acknowledged.set(user, Number(hrtime.bigint()) / 1e6 + offset);
          // In the middle of the first round, so that the last ones have just been told.
          if (++answers === 1100) enough.resolve();
        });
      }
    }, 2);
    await enough.promise;
    // However slow the disk is.
    await until("a flush of what was told", () => promisedBy(Math.max(...flushes())).length > 0, 60_000);
    first.kill("SIGKILL");
    clearInterval(load);
    await once(first, "exit");
    const told = acknowledged.size;
    const promised = promisedBy(Math.max(...flushes()));

    const second = serve(context, config);
    const lost: number[] = [];
    for (const user of promised) if ((await phones.fetch(user)) !== 1) lost.push(user);
    context.diagnostic(
      `${told} users told 200, ${flushes().length} flushes, ${promised.length} promised, ${lost.length} lost`,
    );
    second.kill("SIGKILL");
    await once(second, "exit");
    assert.deepEqual(lost, []);
  });
}
