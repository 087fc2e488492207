// A caller and callee of our own beside SIPp's, whose clock is too coarse: the time from an INVITE to its 180.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { address, pause } from "./contestants.ts";

const domain = "perf.test";

/** One call after the other at a steady rate: INVITE, 180, 486, ACK. */
export class Probe {
  readonly #caller: Socket;
  readonly #callee: Socket;
  readonly #started = new Map<string, number>();
  #times: number[] = [];
  /** When `measure` began: what rings late counts there. */
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  private constructor(caller: Socket, callee: Socket) {
    this.#caller = caller;
    this.#callee = callee;
    callee.on("message", (bytes) => this.#answer(bytes.toString("latin1")));
    caller.on("message", (bytes) => this.#note(bytes.toString("latin1")));
  }

  /** Registers the callee. */
  static async start(): Promise<Probe> {
    const sockets = [createSocket("udp4"), createSocket("udp4")] as const;
    for (const socket of sockets) {
      socket.bind(0, address.host);
      await once(socket, "listening");
    }
    const [caller, callee] = sockets;
    const { port } = callee.address();
    const lines = [
      `REGISTER sip:${domain} SIP/2.0`,
      `Via: SIP/2.0/UDP ${address.host}:${port};branch=z9hG4bKprobe${Date.now()}`,
      ...["Max-Forwards: 70", `From: <sip:probe@${domain}>;tag=1`, `To: <sip:probe@${domain}>`],
      ...[`Call-ID: probe${Date.now()}`, "CSeq: 1 REGISTER", `Contact: <sip:probe@${address.host}:${port}>`],
      ...["Expires: 3600", "Content-Length: 0"],
    ];
    callee.send(`${lines.join("\r\n")}\r\n\r\n`, address.port, address.host);
    const [answer] = (await once(callee, "message", { signal: AbortSignal.timeout(5000) })) as [Buffer];
    if (!answer.toString().startsWith("SIP/2.0 200 "))
      throw new Error(`the probe cannot register: ${answer}`);
    return new Probe(caller, callee);
  }

  /** Calls for so long; the times in ms, sorted, for ever (Infinity) if it has not rung half a second after the last one. */
  async measure(rate: number, seconds: number): Promise<number[]> {
    this.#times = [];
    const start = performance.now();
    this.#since = start;
    let sent = 0;
    this.#timer = setInterval(() => {
      // Timers are late now and then: what is due is sent.
      for (; sent < ((performance.now() - start) / 1000) * rate; sent++) this.#invite();
    }, 1);
    await pause(seconds * 1000);
    clearInterval(this.#timer);
    await pause(500);
    const silent = new Array<number>(sent - this.#times.length).fill(Number.POSITIVE_INFINITY);
    return [...this.#times, ...silent].sort((a, b) => a - b);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#caller.close();
    this.#callee.close();
  }

  #invite(): void {
    const id = `p${process.pid}-${this.#count++}`;
    this.#started.set(id, performance.now());
    this.#send("INVITE", id, "");
  }

  #send(method: string, id: string, toTag: string): void {
    const { port } = this.#caller.address();
    const lines = [
      `${method} sip:probe@${domain} SIP/2.0`,
      `Via: SIP/2.0/UDP ${address.host}:${port};branch=z9hG4bK${id}`,
      ...["Max-Forwards: 70", `From: <sip:caller@${domain}>;tag=${id}`, `To: <sip:probe@${domain}>${toTag}`],
      ...[`Call-ID: ${id}`, `CSeq: 1 ${method}`, `Contact: <sip:caller@${address.host}:${port}>`],
      "Content-Length: 0",
    ];
    this.#caller.send(`${lines.join("\r\n")}\r\n\r\n`, address.port, address.host);
  }

  #note(text: string): void {
    const id = /^Call-ID: (.*)\r$/m.exec(text)?.[1] ?? "";
    const start = this.#started.get(id);
    if (start === undefined) return;
    if (text.startsWith("SIP/2.0 180 ") && start >= this.#since) this.#times.push(performance.now() - start);
    if (text.startsWith("SIP/2.0 486 ")) {
      this.#started.delete(id);
      this.#send("ACK", id, /^To: .*(;tag=[^\r]*)\r$/m.exec(text)?.[1] ?? "");
    }
  }

  #answer(text: string): void {
    if (!text.startsWith("INVITE ")) return;
    const copied = [...text.matchAll(/^(?:Via|Record-Route|From|To|Call-ID|CSeq): .*\r\n/gm)].map(([line]) =>
      line.startsWith("To: ") ? line.replace("\r\n", ";tag=c\r\n") : line,
    );
    const answer = (status: string) =>
      this.#callee.send(
        `SIP/2.0 ${status}\r\n${copied.join("")}Content-Length: 0\r\n\r\n`,
        address.port,
        address.host,
      );
    answer("180 Ringing");
    // Not at once: a server of several processes might handle this one first.
    setTimeout(answer, 20, "486 Busy Here");
  }
}
