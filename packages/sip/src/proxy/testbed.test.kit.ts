// For the tests of this folder: a real stack with a proxy on it in virtual time, fed with messages and read like a wire.

import assert from "node:assert/strict";
import {
  type HeaderInit,
  isSipUri,
  makeResponse,
  noLimits,
  parseMessage,
  SipRequest,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import type { Clock, Timer } from "../ports.ts";
import { Stack } from "../stack.ts";
import type { Flow, Listener, Target, TransportName } from "../transport/flow.ts";
import type { ResolveQuery, TransportSink } from "../transport/transport.ts";
import { type ProxyOptions, ProxyServer } from "./proxy.ts";
import type { RouteProgram } from "./route.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message that left the proxy. */
export interface Sent {
  /** address:port, with the transport before it unless it is UDP: "10.0.0.9:5060", "tcp 10.0.0.9:40000". */
  readonly to: string;
  readonly flow: Flow;
  readonly text: string;
  readonly message: SipRequest | SipResponse;
}

class TestClock implements Clock {
  time = 1_700_000_000_000;
  readonly timers: { due: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  schedule(delay: number, callback: () => void): Timer {
    const timer = { due: this.time + delay, callback };
    this.timers.push(timer);
    return { cancel: () => void remove(this.timers, timer) };
  }

  get deadline(): number {
    return Math.min(...this.timers.map((timer) => timer.due));
  }

  tick(): void {
    for (const timer of this.timers.filter(({ due }) => due <= this.time)) {
      remove(this.timers, timer);
      timer.callback();
    }
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}

export const udp: Listener = { id: 1, transport: "UDP", address: "10.0.0.1", port: 5060 };
export const tcp: Listener = { id: 2, transport: "TCP", address: "10.0.0.1", port: 5060 };
export const ws: Listener = { id: 3, transport: "WS", address: "10.0.0.1", port: 80 };

/** The proxy of example.com at 10.0.0.1; every other address is a peer. */
export class Testbed {
  readonly clock = new TestClock();
  readonly stack: Stack;
  readonly proxy: ProxyServer;
  readonly errors: unknown[] = [];
  readonly queries: ResolveQuery[] = [];
  #sent: Sent[] = [];
  #opening: Flow[] = [];
  #seed = 1;

  constructor(options: Partial<ProxyOptions> = {}, listeners: readonly Listener[] = [udp, tcp, ws]) {
    const sink: TransportSink = {
      send: (flow, bytes) => this.#record(flow, bytes),
      connect: (flow) => this.#opening.push(flow),
      close: () => {},
      resolve: (query) => this.queries.push(query),
    };
    const random = {
      // Reproducible, and different each time: enough for unique branches.
      bytes: (length: number) =>
        Uint8Array.from({ length }, () => (this.#seed = (this.#seed * 75 + 74) % 65537)),
    };
    this.stack = new Stack({ sink, clock: this.clock, random, onError: (error) => this.errors.push(error) });
    for (const listener of listeners) this.stack.addListener(listener);
    this.proxy = new ProxyServer({
      stack: this.stack,
      clock: this.clock,
      random,
      isOurs: (uri) => this.isOurs(uri),
      route: () => {},
      listeners: () => listeners,
      secret: new Uint8Array(16),
      ...options,
    });
    this.stack.roles = this.proxy.roles;
  }

  isOurs(uri: Uri): boolean {
    if (!isSipUri(uri)) return false;
    return uri.host === "example.com" || this.stack.isLocalAddress(uri.host, uri.port);
  }

  /** A connection that a peer has opened. */
  accept(listener: Listener, address: string, port = 40_000): Flow {
    const flow = this.stack.acceptFlow(listener, { address, port }, this.clock.time);
    if (flow.state === "connecting") this.stack.flowOpened(flow, this.clock.time);
    return flow;
  }

  /** A message arrives, from "address:port" by UDP or over a flow. Lines may end in LF. */
  receive(from: string | Flow, text: string): void {
    const flow = typeof from === "string" ? this.#udpFlow(from) : from;
    this.stack.receive(encoder.encode(text.replace(/\r?\n/g, "\r\n")), flow, this.clock.time);
    this.settle();
  }

  /** The peer that got this request answers it. Returns what the proxy sent then. */
  respond(
    to: Sent,
    statusCode: number,
    options: { toTag?: string; headers?: readonly HeaderInit[]; body?: string } = {},
  ): Sent[] {
    assert.ok(to.message instanceof SipRequest);
    const toTag =
      to.message.hasToTag || statusCode === 100
        ? undefined
        : (options.toTag ?? `tag-${to.to.replace(/[^0-9a-z]/g, "-")}`);
    const response = makeResponse(to.message, statusCode, {
      ...options,
      ...(toTag === undefined ? {} : { toTag }),
    });
    this.stack.receive(response.bytes.slice(), to.flow, this.clock.time);
    this.settle();
    return this.take();
  }

  /** Opens what waits to be opened and fires what is due now. */
  settle(): void {
    for (const flow of this.#opening.splice(0)) {
      if (flow.state === "connecting") this.stack.flowOpened(flow, this.clock.time);
    }
    if (this.stack.deadline <= this.clock.time) this.stack.tick(this.clock.time);
    this.clock.tick();
  }

  advance(milliseconds: number): void {
    const end = this.clock.time + milliseconds;
    for (;;) {
      const next = Math.min(this.stack.deadline, this.clock.deadline);
      if (next > end) break;
      this.clock.time = Math.max(next, this.clock.time);
      this.stack.tick(this.clock.time);
      this.clock.tick();
    }
    this.clock.time = end;
  }

  /** Everything sent since the last call. */
  take(): Sent[] {
    return this.#sent.splice(0);
  }

  /** The only message sent since the last call. */
  takeOne(): Sent {
    const sent = this.take();
    assert.deepEqual(sent.map(nameOf).length, 1, `sent: ${sent.map(nameOf).join(", ")}`);
    return sent[0] as Sent;
  }

  resolve(host: string, targets: readonly Target[] | Error): void {
    const query = this.queries.find((one) => one.host === host);
    assert.ok(query, `no query for ${host}`);
    remove(this.queries, query);
    this.stack.resolved(query.id, targets, this.clock.time);
    this.settle();
  }

  #udpFlow(from: string): Flow {
    const [address = "", port = "5060"] = from.split(":");
    return this.stack.acceptFlow(udp, { address, port: Number(port) }, this.clock.time);
  }

  #record(flow: Flow, bytes: Uint8Array): void {
    const copy = bytes.slice();
    const transport: TransportName = flow.transport;
    const to = `${flow.remote.address}:${flow.remote.port}`;
    this.#sent.push({
      to: transport === "UDP" ? to : `${transport.toLowerCase()} ${to}`,
      flow,
      text: decoder.decode(copy),
      message: parseMessage(copy, noLimits),
    });
  }
}

/** "INVITE 10.0.0.2:5060", "180 10.0.0.9:5060". */
export function nameOf(sent: Sent): string {
  const { message } = sent;
  const what = message.kind === "request" ? message.method : `${message.statusCode}`;
  return `${what} ${sent.to}`;
}

export function names(sent: readonly Sent[]): string[] {
  return sent.map(nameOf);
}

/** The first sent message by name: "INVITE 10.0.0.2:5060", or "INVITE" alone. */
export function find(sent: readonly Sent[], name: string): Sent {
  const found = sent.find((one) => nameOf(one) === name || nameOf(one).startsWith(`${name} `));
  assert.ok(found, `no ${name} among: ${names(sent).join(", ")}`);
  return found;
}

let calls = 0;

/** A request of alice at 10.0.0.9, to bob at our domain unless told otherwise. */
export function request(
  method: string,
  options: {
    uri?: string;
    via?: string;
    branch?: string;
    callId?: string;
    cSeq?: number;
    fromTag?: string;
    toTag?: string;
    maxForwards?: number;
    headers?: readonly string[];
  } = {},
): string {
  calls++;
  const { uri = "sip:bob@example.com", branch = `z9hG4bKa${calls}`, callId = `call-${calls}` } = options;
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: ${options.via ?? "SIP/2.0/UDP 10.0.0.9:5060"};branch=${branch}`,
    `Max-Forwards: ${options.maxForwards ?? 70}`,
    ...(options.headers ?? []),
    `From: <sip:alice@example.com>;tag=${options.fromTag ?? "a"}`,
    `To: <sip:bob@example.com>${options.toTag === undefined ? "" : `;tag=${options.toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${options.cSeq ?? 1} ${method}`,
    "Contact: <sip:alice@10.0.0.9:5060>",
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

/** All values of a header field, as they stand on the wire. */
export function header(sent: Sent, name: string): string[] {
  return sent.message.headers.rawAll(name);
}

// --- Bob's phones -----------------------------------------------------------------------------------------

export const bob = "10.0.0.2:5060";
export const toBob: RouteProgram = (_request, context) =>
  void context.addTargets([{ uri: "sip:bob@10.0.0.2:5060;ob" }]);

/** bob has a device at 10.0.0.2, 10.0.0.3, … with these q values. */
export function forkTo(...qs: number[]): RouteProgram {
  return (_request, context) => {
    context.addTargets(qs.map((q, i) => ({ uri: `sip:bob@10.0.0.${i + 2}:5060`, q })));
  };
}

/** The copies of a request. */
export function branchesOf(sent: readonly Sent[], method = "INVITE"): Sent[] {
  return sent.filter((one) => one.message.kind === "request" && one.message.method === method);
}

/** What alice got, without the 100. */
export function toAlice(sent: readonly Sent[]): number[] {
  return sent.flatMap(({ to, message }) =>
    to === "10.0.0.9:5060" && message.kind === "response" && message.statusCode > 100
      ? [message.statusCode]
      : [],
  );
}

/** Alice calls bob; returns the INVITE as bob got it and the Record-Route set. */
export function call(bed: Testbed, options: Parameters<typeof request>[1] = {}) {
  bed.receive("10.0.0.9:5060", request("INVITE", { callId: "dialog-1", fromTag: "a", ...options }));
  const invite = find(bed.take(), "INVITE");
  return { invite, recorded: header(invite, "Record-Route") };
}

/** For requests of that call. */
export const inDialog = { callId: "dialog-1", fromTag: "a", toTag: "b", uri: "sip:bob@10.0.0.2:5060;ob" };
export const routes = (recorded: readonly string[]) => ({
  headers: recorded.map((route) => `Route: ${route}`),
});
