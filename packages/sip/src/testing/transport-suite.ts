// What every transport must do, whatever carries it: one suite for memory, UDP, TCP, and those to come.
// RFC 3261 §18. The cases use no test runner: `for (const { title, run } of transportSuite(…)) test(title, run)`.

import type { ParseError } from "../errors.ts";
import type { SipRequest, SipResponse } from "../message/index.ts";
import { makeResponse } from "../message/index.ts";
import type { Wire } from "../node/wire.ts";
import type {
  Endpoint,
  Flow,
  Listener,
  StackInput,
  TransportName,
  TransportSink,
} from "../transport/index.ts";
import { TransportLayer } from "../transport/index.ts";
import { SeededRandom } from "./random.ts";

/** One host with the transport under test. */
export interface SuiteSide {
  readonly sink: TransportSink;
  attach(stack: StackInput): void;
  listen(): Promise<Listener>;
  stop(): Promise<void>;
  now(): number;
}

/** The transport under test and the world around it; made anew for each case. */
export interface SuiteWorld {
  readonly transport: TransportName;
  side(): SuiteSide;
  /** Lets time pass until `done`; false if that does not happen within some seconds. */
  until(done: () => boolean): Promise<boolean>;
  /** A bare connection to a listener; for streams only. */
  wire?(to: Endpoint): Promise<Wire>;
}

export interface SuiteCase {
  readonly title: string;
  run(): Promise<void>;
}

interface Context {
  readonly world: SuiteWorld;
  readonly near: End;
  readonly far: End;
  readonly until: (what: string, done: () => boolean) => Promise<void>;
}

type Kind = "any" | "reliable" | "stream" | "datagram";

/** The cases that apply to a transport. */
export function transportSuite(transport: TransportName, makeWorld: () => SuiteWorld): readonly SuiteCase[] {
  const kinds = new Set<Kind>(["any"]);
  if (transport === "UDP") kinds.add("datagram");
  else kinds.add("reliable");
  if (transport === "TCP" || transport === "TLS") kinds.add("stream");
  return cases
    .filter(([, kind]) => kinds.has(kind))
    .map(([title, , body]) => ({ title, run: () => runCase(makeWorld(), body) }));
}

const cases: readonly [title: string, kind: Kind, body: (context: Context) => Promise<void>][] = [
  [
    "§18.2.1, a request arrives as it was sent, with its sent-by and what the layer adds",
    "any",
    async ({ near, far, until }) => {
      const flow = near.request(far, "one", "some text\r\n");
      await until("the request", () => far.requests.length === 1);
      const [arrival] = far.requests;
      const via = arrival?.request.topVia;
      check(arrival?.request.callId === "one", "another Call-ID");
      check(arrival?.request.bodyText === "some text\r\n", "another body");
      const own = near.listener;
      check(via?.host === own.address && via.port === own.port, `another sent-by: ${via?.host}:${via?.port}`);
      check(via?.transport === flow.transport, "another transport in the Via");
      if (!flow.isReliable)
        check(via?.rport === own.port && via.received === own.address, "no rport, received");
    },
  ],
  [
    "§18.2.2, the response comes back over the same flow",
    "any",
    async ({ near, far, until }) => {
      const flow = near.request(far, "one");
      await until("the request", () => far.requests.length === 1);
      far.respond(200);
      await until("the response", () => near.responses.length === 1);
      check(near.responses[0]?.response.statusCode === 200, "another status");
      check(near.responses[0]?.flow.id === flow.id, "another flow");
    },
  ],
  [
    "§18.2.2, a provisional and a final response, both by the flow of the request",
    "any",
    async ({ near, far, until }) => {
      near.request(far, "one");
      await until("the request", () => far.requests.length === 1);
      far.respond(180);
      far.respond(200);
      await until("two responses", () => near.responses.length === 2);
    },
  ],
  [
    "§18, requests to the same target use the same flow",
    "any",
    async ({ near, far, until }) => {
      for (const id of ["a", "b", "c"]) near.request(far, id);
      await until("three requests", () => far.requests.length === 3);
      check(new Set(far.requests.map(({ flow }) => flow.id)).size === 1, "several flows");
    },
  ],
  [
    "§18, the far side sends requests over the flow that it received on",
    "any",
    async ({ near, far, until }) => {
      const flow = near.request(far, "there");
      await until("the request", () => far.requests.length === 1);
      const back = far.requests[0]?.flow as Flow;
      check(far.layer.flowById(back.id) === back, "the flow is not found by its id");
      far.requestOn(back, "back");
      await until("the request back", () => near.requests.length === 1);
      check(near.requests[0]?.flow.id === flow.id, "another flow");
    },
  ],
  [
    "300 requests in a row all arrive, in order where the transport keeps it",
    "any",
    async ({ near, far, until, world }) => {
      for (let i = 0; i < 300; i++) near.request(far, `r${i}`);
      await until("300 requests", () => far.requests.length === 300);
      const ids = far.requests.map(({ request }) => request.callId);
      check(world.transport === "UDP" || ids.every((id, i) => id === `r${i}`), "out of order");
    },
  ],
  [
    "§18.3, a message of 60 000 bytes between small ones",
    "reliable",
    async ({ near, far, until }) => {
      const body = "0123456789".repeat(5900);
      near.request(far, "a");
      near.request(far, "b", body);
      near.request(far, "c");
      await until("three requests", () => far.requests.length === 3);
      check(far.requests[1]?.request.bodyText === body, "another body");
    },
  ],
  [
    "§18.4, nobody listens: the flow fails, and says so once",
    "reliable",
    async ({ near, far, until }) => {
      await far.side.stop();
      const flow = near.request(far, "one");
      await until("the failure", () => near.failures.length === 1);
      check(near.failures[0]?.id === flow.id, "another flow");
      check(flow.state === "closed" && near.closed.includes(flow.id), "not closed");
    },
  ],
  [
    "§18.2.2, the far side ends the connection: told, and the next request makes a new one",
    "reliable",
    async ({ near, far, until }) => {
      const flow = near.request(far, "one");
      await until("the request", () => far.requests.length === 1);
      far.layer.close(far.requests[0]?.flow as Flow, far.side.now());
      await until("the end", () => near.closed.includes(flow.id));
      check(near.failures.length === 0, "an end in order is no failure");
      const again = near.request(far, "two");
      check(again.id !== flow.id, "the same flow");
      await until("the second request", () => far.requests.length === 2);
    },
  ],
  [
    "§18, what was sent just before a close arrives",
    "reliable",
    async ({ near, far, until }) => {
      const flow = near.request(far, "one");
      await until("the request", () => far.requests.length === 1);
      near.requestOn(flow, "two", "x".repeat(50_000));
      near.layer.close(flow, near.side.now());
      await until("the second request", () => far.requests.length === 2);
    },
  ],
  [
    "RFC 5626 §4.4.1, our ping gets its pong",
    "reliable",
    async ({ near, far, until }) => {
      const flow = near.request(far, "one");
      await until("the request", () => far.requests.length === 1);
      near.layer.ping(flow, near.side.now());
      check(near.layer.deadline <= near.side.now() + near.layer.limits.pongTime, "nobody waits for the pong");
      near.request(far, "two");
      await until("the second request", () => far.requests.length === 2);
      check(flow.state === "open", "not open any more");
    },
  ],
  [
    "§18.2.1, a malformed request is answered, and the next one heard",
    "any",
    async ({ near, far, until }) => {
      const flow = near.request(far, "one");
      await until("the request", () => far.requests.length === 1);
      near.sendText(
        flow,
        requestText(near.layer.via(flow, "z9hG4bKbad"), "bad").replace("CSeq: 1", "CSeq: x"),
      );
      await until("the 400", () => near.responses.length === 1 || near.malformed.length === 1);
      check(far.malformed[0]?.status === 400, "not counted as malformed");
      near.request(far, "two");
      await until("the second request", () => far.requests.length === 2);
    },
  ],
  [
    "§18.3, a stream cut after each byte of a message: nothing passed up, nothing lost for others",
    "stream",
    async ({ world, far, until }) => {
      const text = requestText(`SIP/2.0/${world.transport} cut.example.com;branch=z9hG4bKc`, "cut");
      for (let cut = 0; cut < text.length; cut++) {
        const wire = await openWire(world, far);
        wire.send(encoder.encode(text.slice(0, cut)));
        await wire.close();
      }
      await until("all connections to end", () => far.layer.connectionCount === 0);
      check(far.requests.length === 0, "a request from a fragment");
      check(far.failures.length === 0, "an end in order is no failure");
      const wire = await openWire(world, far);
      wire.send(encoder.encode(text));
      await until("the whole request", () => far.requests.length === 1);
      await wire.close();
    },
  ],
  [
    "§18.3, a stream in two pieces, at each byte of a message: passed up whole",
    "stream",
    async ({ world, far, until }) => {
      const text = requestText(`SIP/2.0/${world.transport} cut.example.com;branch=z9hG4bKc`, "cut", "body");
      const wire = await openWire(world, far);
      for (let cut = 1, whole = 1; cut < text.length; cut++, whole++) {
        wire.send(encoder.encode(text.slice(0, cut)));
        await until("the first piece", () => far.bytesIn === (whole - 1) * text.length + cut);
        wire.send(encoder.encode(text.slice(cut)));
        await until("the request", () => far.requests.length === whole);
      }
      check(
        far.requests.every(({ request }) => request.bodyText === "body"),
        "another body",
      );
      await wire.close();
    },
  ],
  [
    "RFC 5626 §4.4.1, double CRLF between messages: one CRLF back",
    "stream",
    async ({ world, far, until }) => {
      const wire = await openWire(world, far);
      wire.send(encoder.encode("\r\n\r\n"));
      const pong = await wire.receive(20_000);
      check(pong !== undefined && decoder.decode(pong.bytes) === "\r\n", "no pong");
      wire.send(encoder.encode(requestText(`SIP/2.0/${world.transport} a.example.com;branch=z9hG4bKa`, "a")));
      await until("the request", () => far.requests.length === 1);
      await wire.close();
    },
  ],
  [
    "§18.3, no Content-Length: answered with 400, then closed",
    "stream",
    async ({ world, far }) => {
      const wire = await openWire(world, far);
      const text = requestText(`SIP/2.0/${world.transport} a.example.com;branch=z9hG4bKa`, "a");
      wire.send(encoder.encode(text.replace(/Content-Length.*\r\n/, "")));
      const answer = await wire.receive(20_000);
      check(answer !== undefined && decoder.decode(answer.bytes).startsWith("SIP/2.0 400 "), "no 400");
      check((await wire.receive(20_000)) === undefined && wire.isClosed, "not closed");
      check(far.requests.length === 0, "passed up");
      await wire.close();
    },
  ],
];

async function runCase(world: SuiteWorld, body: (context: Context) => Promise<void>): Promise<void> {
  const near = new End(world.side(), 1);
  const far = new End(world.side(), 2);
  try {
    await near.start();
    await far.start();
    const until = async (what: string, done: () => boolean) => {
      if (!(await world.until(done))) throw new Error(`waited in vain for ${what}`);
    };
    await body({ world, near, far, until });
  } finally {
    await near.side.stop();
    await far.side.stop();
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One side's layer, and what it was told. Messages are kept, so they are detached. */
class End implements StackInput {
  readonly side: SuiteSide;
  readonly layer: TransportLayer;
  readonly requests: { request: SipRequest; flow: Flow }[] = [];
  readonly responses: { response: SipResponse; flow: Flow }[] = [];
  readonly malformed: ParseError[] = [];
  readonly failures: Flow[] = [];
  readonly closed: string[] = [];
  bytesIn = 0;
  #listener: Listener | undefined;

  constructor(side: SuiteSide, seed: number) {
    this.side = side;
    this.layer = new TransportLayer({
      sink: side.sink,
      random: new SeededRandom(seed),
      user: {
        receiveRequest: (request, flow) => this.requests.push({ request: request.detach(), flow }),
        receiveResponse: (response, flow) => this.responses.push({ response: response.detach(), flow }),
        malformed: (error) => this.malformed.push(error),
        flowFailed: (flow) => this.failures.push(flow),
        flowClosed: (flow) => this.closed.push(flow.id),
      },
    });
    side.attach(this);
  }

  async start(): Promise<void> {
    this.#listener = await this.side.listen();
  }

  get listener(): Listener {
    if (!this.#listener) throw new Error("not listening");
    return this.#listener;
  }

  request(to: End, callId: string, body?: string): Flow {
    const { transport, address, port } = to.listener;
    return this.requestOn(this.layer.flowTo({ transport, address, port }, this.side.now()), callId, body);
  }

  requestOn(flow: Flow, callId: string, body?: string): Flow {
    this.sendText(flow, requestText(this.layer.via(flow, `z9hG4bK${callId}`), callId, body));
    return flow;
  }

  sendText(flow: Flow, text: string): void {
    this.layer.send(flow, encoder.encode(text));
  }

  /** Answers the first request. */
  respond(statusCode: number): void {
    const [arrival] = this.requests;
    if (!arrival) throw new Error("no request to answer");
    const { bytes } = makeResponse(arrival.request, statusCode);
    this.layer.sendResponse(arrival.request, arrival.flow, bytes, this.side.now());
  }

  // StackInput: straight on to the layer.
  addListener(listener: Listener): void {
    this.layer.addListener(listener);
  }
  removeListener(id: number): void {
    this.layer.removeListener(id);
  }
  acceptFlow(listener: Listener, remote: Endpoint, now: number): Flow {
    return this.layer.acceptFlow(listener, remote, now);
  }
  receive(bytes: Uint8Array, flow: Flow, now: number): void {
    this.bytesIn += bytes.length;
    this.layer.receive(bytes, flow, now);
  }
  flowOpened(flow: Flow, now: number): void {
    this.layer.flowOpened(flow, now);
  }
  flowClosed(flow: Flow, error: Error | undefined, now: number): void {
    this.layer.flowClosed(flow, error, now);
  }
  sendFailed(flow: Flow, error: Error, now: number): void {
    this.layer.sendFailed(flow, error, now);
  }
  resolved(): void {}
  tick(now: number): void {
    this.layer.tick(now);
  }
  get deadline(): number {
    return this.layer.deadline;
  }
}

function requestText(via: string, callId: string, body: string = ""): string {
  return [
    "MESSAGE sip:far@example.com SIP/2.0",
    `Via: ${via}`,
    "From: <sip:near@example.com>;tag=1",
    "To: <sip:far@example.com>",
    `Call-ID: ${callId}`,
    "CSeq: 1 MESSAGE",
    `Content-Length: ${encoder.encode(body).length}`,
    "",
    body,
  ].join("\r\n");
}

async function openWire(world: SuiteWorld, far: End): Promise<Wire> {
  if (!world.wire) throw new Error("this world has no wires");
  return await world.wire(far.listener);
}

function check(condition: boolean, complaint: string): void {
  if (!condition) throw new Error(complaint);
}
