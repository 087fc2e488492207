// The proxy core without sockets: whole calls through Stack and ProxyServer, record-routed, as the load of bench/load
// makes them (6 messages in, 7 out), into a sink that keeps them in an array.
import type { Clock, Timer } from "@offhook/sip";
import { nodeRandom } from "@offhook/sip/node";
import { ProxyServer } from "@offhook/sip/proxy";
import { Stack, type StackObserver } from "@offhook/sip/stack";
import type { Endpoint, Flow, Listener, TransportSink } from "@offhook/sip/transport";

const server = { address: "192.0.2.1", port: 5060 };
const alice: Endpoint = { address: "192.0.2.7", port: 5070 };
const bob: Endpoint = { address: "192.0.2.8", port: 5090 };
const listener: Listener = { id: 1, transport: "UDP", ...server };

/** Calls that are set up side by side. */
const batch = 250;
/** Milliseconds of the clock for each batch: 1000 calls per second. */
const batchTime = 250;

const sdp = [
  ..."v=0|o=user1 53655765 2353687637 IN IP4 192.0.2.7|s=-|c=IN IP4 192.0.2.7|t=0 0".split("|"),
  ..."m=audio 6000 RTP/AVP 0 8 101|a=rtpmap:0 PCMU/8000|a=rtpmap:8 PCMA/8000".split("|"),
  ..."a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15|a=sendrecv|".split("|"),
].join("\r\n");

/** Time that the benchmark moves by hand; what is scheduled on it never fires. */
class HandClock implements Clock {
  time = 1_700_000_000_000;

  now(): number {
    return this.time;
  }

  schedule(): Timer {
    return { cancel() {} };
  }
}

const encoder = new TextEncoder();

function encode(...lines: string[]): Uint8Array {
  return encoder.encode(lines.join("\r\n"));
}

/** A request of Alice's: the INVITE, or what follows it along the recorded route. */
function request(method: string, call: number, within?: { toTag: string; route: string }): Uint8Array {
  const to =
    within === undefined ? "sip:bob@example.com" : `sip:bob@${bob.address}:${bob.port};transport=udp`;
  const isInvite = method === "INVITE";
  return encode(
    `${method} ${to} SIP/2.0`,
    `Via: SIP/2.0/UDP ${alice.address}:${alice.port};branch=z9hG4bK-7-${call}-${method}`,
    ...(within === undefined ? [] : [`Route: ${within.route}`]),
    "Max-Forwards: 70",
    `From: "Alice Caller" <sip:alice@example.com>;tag=7c${call}`,
    `To: <sip:bob@example.com>${within === undefined ? "" : `;tag=${within.toTag}`}`,
    `Call-ID: ${call}-7@${alice.address}`,
    `CSeq: ${method === "BYE" ? 2 : 1} ${method}`,
    ...(isInvite
      ? [
          `Contact: <sip:alice@${alice.address}:${alice.port};transport=udp>`,
          "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK",
          "Supported: replaces, timer, 100rel",
          "User-Agent: Deskphone 7/2.3.1",
          "Content-Type: application/sdp",
        ]
      : []),
    `Content-Length: ${isInvite ? sdp.length : 0}`,
    "",
    isInvite ? sdp : "",
  );
}

const copied = /^(Via|Record-Route|From|To|Call-ID|CSeq): (.*)$/gm;

/** Bob's answer to what reached him, with all Via values on one line as SIPp does it. */
function response(received: Uint8Array, statusCode: number): Uint8Array {
  const fields = new Map<string, string[]>();
  for (const [, name = "", value = ""] of Buffer.from(received)
    .toString()
    .replaceAll("\r", "")
    .matchAll(copied)) {
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  const [to = ""] = fields.get("To") ?? [];
  if (!to.includes(";tag=")) fields.set("To", [`${to};tag=8s1`]);
  const hasBody = statusCode === 200 && (fields.get("CSeq")?.[0] ?? "").endsWith("INVITE");
  return encode(
    `SIP/2.0 ${statusCode} ${statusCode === 180 ? "Ringing" : "OK"}`,
    ...Array.from(fields, ([name, values]) => `${name}: ${values.join(", ")}`),
    `Contact: <sip:bob@${bob.address}:${bob.port};transport=udp>`,
    `Content-Length: ${hasBody ? sdp.length : 0}`,
    "",
    hasBody ? sdp : "",
  );
}

/** Runs calls; gives microseconds of CPU per call, garbage collection included. */
export class Calls {
  readonly #clock = new HandClock();
  readonly #sent: { bytes: Uint8Array; flow: Flow }[] = [];
  readonly #stack: Stack;
  #next = 0;
  #cost = 0;

  constructor(observer?: StackObserver) {
    const sink: TransportSink = {
      send: (flow, bytes) => void this.#sent.push({ bytes, flow }),
      connect() {},
      close() {},
      resolve() {},
    };
    const clock = this.#clock;
    const random = nodeRandom;
    this.#stack = new Stack({ sink, clock, random, ...(observer && { observer }) });
    this.#stack.addListener(listener);
    const target = { uri: `sip:bob@${bob.address}:${bob.port};transport=udp` };
    const proxy = new ProxyServer({
      ...{ stack: this.#stack, clock, random },
      isOurs: (uri) => "host" in uri && (uri.host === "example.com" || uri.host === server.address),
      route: (_request, context) => void context.addTargets([target]),
      listeners: () => [listener],
    });
    this.#stack.roles = proxy.roles;
  }

  /** @throws {Error} if the proxy sent anything else than a call needs */
  run(batches: number): number {
    this.#cost = 0;
    for (let i = 0; i < batches; i++) this.#batch();
    return this.#cost / (batches * batch);
  }

  #batch(): void {
    const first = this.#next;
    this.#next += batch;
    const calls = Array.from({ length: batch }, (_, i) => first + i);
    const arrived = this.#pass(
      calls.map((call) => request("INVITE", call)),
      alice,
      2,
    ).filter((_, i) => i % 2 === 1);
    this.#pass(
      arrived.map((invite) => response(invite, 180)),
      bob,
      1,
    );
    this.#pass(
      arrived.map((invite) => response(invite, 200)),
      bob,
      1,
    );
    const route = /Record-Route: (.*)\r\n/;
    const within = arrived.map((invite) => ({
      toTag: "8s1",
      route: route.exec(Buffer.from(invite).toString())?.[1] ?? "",
    }));
    this.#pass(
      calls.map((call, i) => request("ACK", call, within[i])),
      alice,
      1,
    );
    const byes = this.#pass(
      calls.map((call, i) => request("BYE", call, within[i])),
      alice,
      1,
    );
    this.#pass(
      byes.map((bye) => response(bye, 200)),
      bob,
      1,
    );
    this.#clock.time += batchTime;
    this.#measured(() => this.#stack.tick(this.#clock.time));
  }

  /** Messages in; what came out of it, `each` per message. Only this is measured. */
  #pass(messages: readonly Uint8Array[], from: Endpoint, each: number): Uint8Array[] {
    const stack = this.#stack;
    const now = this.#clock.time;
    this.#sent.length = 0;
    this.#measured(() => {
      for (const bytes of messages) stack.receive(bytes, stack.acceptFlow(listener, from, now), now);
    });
    if (this.#sent.length !== messages.length * each) {
      throw new Error(`${this.#sent.length} messages sent for ${messages.length}, not ${each} for each`);
    }
    return this.#sent.map(({ bytes }) => bytes);
  }

  #measured(work: () => void): void {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    this.#cost += user + system;
  }
}

/** Prints the cost of a call; always true: the gate is that of the whole server, in bench/load. */
export function run(): boolean {
  const calls = new Calls();
  const cold = calls.run(8);
  calls.run(16);
  const warm = Math.min(...Array.from({ length: 5 }, () => calls.run(8)));
  console.log("proxy: a call of 13 messages through the core, without sockets, µs of CPU");
  console.log(
    `  the first 2000${cold.toFixed(1).padStart(9)}\n  warm, best of 5${warm.toFixed(1).padStart(8)}`,
  );
  return true;
}
