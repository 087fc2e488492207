// For the tests of the stack: one stack on virtual time, with a sink that keeps what is sent.

import {
  draftRequest,
  noLimits,
  parseMessage,
  type RequestDraft,
  SipRequest,
  type SipResponse,
} from "./message/index.ts";
import { Stack, type StackOptions } from "./stack.ts";
import type {
  Flow,
  Listener,
  ResolveQuery,
  Target,
  TransportName,
  TransportSink,
} from "./transport/index.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface Sent {
  readonly flow: Flow;
  readonly text: string;
  readonly at: number;
  readonly message: SipRequest | SipResponse;
  /** "INVITE" or "486". */
  readonly name: string;
}

/** Random numbers that are none: tests repeat. */
function pseudoRandom(): { bytes(length: number): Uint8Array } {
  let state = 1;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        bytes[i] = state >>> 16;
      }
      return bytes;
    },
  };
}

export class Bench {
  readonly stack: Stack;
  now = 1_000_000;
  readonly sent: Sent[] = [];
  readonly connects: Flow[] = [];
  readonly queries: ResolveQuery[] = [];
  readonly wakes: number[] = [];
  readonly errors: unknown[] = [];
  readonly udp: Listener = { id: 1, transport: "UDP", address: "192.0.2.1", port: 5060 };
  readonly tcp: Listener = { id: 2, transport: "TCP", address: "192.0.2.1", port: 5060 };

  constructor(options: Partial<StackOptions> = {}) {
    const sink: TransportSink = {
      send: (flow, bytes) => {
        const message = parseMessage(bytes.slice(), noLimits);
        const name =
          message instanceof SipRequest ? message.method : String((message as SipResponse).statusCode);
        this.sent.push({ flow, text: decoder.decode(bytes), at: this.now, message, name });
      },
      connect: (flow) => this.connects.push(flow),
      close: () => {},
      resolve: (query) => this.queries.push(query),
      wake: (deadline) => this.wakes.push(deadline),
    };
    this.stack = new Stack({
      sink,
      clock: { now: () => this.now },
      random: pseudoRandom(),
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.stack.addListener(this.udp);
    this.stack.addListener(this.tcp);
  }

  flow(transport: TransportName = "UDP", address = "192.0.2.9", port = 5060): Flow {
    const flow = this.stack.acceptFlow(
      transport === "UDP" ? this.udp : this.tcp,
      { address, port },
      this.now,
    );
    if (transport !== "UDP") this.stack.flowOpened(flow, this.now);
    return flow;
  }

  receive(text: string, flow = this.flow()): void {
    this.stack.receive(encoder.encode(text), flow, this.now);
  }

  advance(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let guard = 0; this.stack.deadline <= end; guard++) {
      if (guard > 100_000) throw new Error("the stack's deadline does not move");
      this.now = Math.max(this.now, this.stack.deadline);
      this.stack.tick(this.now);
    }
    this.now = end;
  }

  /** Names of what was sent since the last call, in order. */
  take(): string {
    return this.sent
      .splice(0)
      .map(({ name }) => name)
      .join(" ");
  }
}

export interface RequestText {
  branch?: string;
  uri?: string;
  toTag?: string;
  sequence?: number;
  callId?: string;
  headers?: readonly string[];
  via?: string;
}

let count = 0;

export function requestText(method: string, options: RequestText = {}): string {
  const { branch = `z9hG4bKpeer${++count}`, toTag, headers = [] } = options;
  return [
    `${method} ${options.uri ?? "sip:bob@192.0.2.1"} SIP/2.0`,
    `Via: ${options.via ?? `SIP/2.0/UDP 192.0.2.9:5060;branch=${branch}`}`,
    "Max-Forwards: 70",
    "From: <sip:alice@192.0.2.9>;tag=a",
    `To: <sip:bob@192.0.2.1>${toTag === undefined ? "" : `;tag=${toTag}`}`,
    `Call-ID: ${options.callId ?? "call@192.0.2.9"}`,
    `CSeq: ${options.sequence ?? 1} ${method}`,
    ...headers,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

/** A response of the peer to something that the stack sent. */
export function responseText(sent: Sent, statusCode: number, headers: readonly string[] = []): string {
  const request = sent.message as SipRequest;
  const tag = statusCode === 100 || request.hasToTag ? "" : ";tag=peer";
  return [
    `SIP/2.0 ${statusCode} Whatever`,
    ...request.headers.rawAll("Via").map((via) => `Via: ${via}`),
    `From: ${request.headers.raw("From")}`,
    `To: ${request.headers.raw("To")}${tag}`,
    `Call-ID: ${request.callId}`,
    `CSeq: ${request.headers.raw("CSeq")}`,
    ...headers,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

export function draft(method: string, requestUri = "sip:bob@192.0.2.9", body?: string): RequestDraft {
  return draftRequest({
    method,
    requestUri,
    headers: [
      ["From", "<sip:alice@192.0.2.1>;tag=a"],
      ["To", "<sip:bob@192.0.2.9>"],
      ["Call-ID", "mine@192.0.2.1"],
      ["CSeq", `1 ${method}`],
      ["Contact", "<sip:alice@192.0.2.1>"],
    ],
    ...(body === undefined ? {} : { body }),
  });
}

export function target(address: string, transport: TransportName = "UDP"): Target {
  return { address, port: 5060, transport };
}
