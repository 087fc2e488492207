// For the tests of this folder: a transport layer between a sink and a user that note what they are told.

import type { Limits, SipRequest, SipResponse } from "../message/index.ts";
import { SeededRandom } from "../testing/index.ts";
import type { Flow, Listener, Target, TransportName } from "./flow.ts";
import type { TransportLimits } from "./transport.ts";
import { TransportLayer } from "./transport-layer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const START = 1_000_000;

export interface Bench {
  layer: TransportLayer;
  udp: Listener;
  tcp: Listener;
  /** What the sink was asked for: "send UDP 192.0.2.1:5060", "connect …", "close …". */
  effects: string[];
  /** The texts sent, in the same order as the sends. */
  sent: string[];
  requests: { request: SipRequest; flow: Flow }[];
  responses: SipResponse[];
  /** "malformed 400", "failed TCP 192.0.2.1:5060", "closed …". */
  reports: string[];
  wakes: number[];
  receive(text: string, flow: Flow, now?: number): void;
  datagram(text: string, from: string, now?: number): Flow;
  accept(from: string, now?: number): Flow;
}

export function bench(
  limits: Partial<TransportLimits> = {},
  extra: readonly Listener[] = [],
  options: { rfc2543?: boolean; messageLimits?: Limits } = {},
): Bench {
  const effects: string[] = [];
  const sent: string[] = [];
  const reports: string[] = [];
  const requests: Bench["requests"] = [];
  const responses: SipResponse[] = [];
  const wakes: number[] = [];
  const layer = new TransportLayer({
    random: new SeededRandom(1),
    limits,
    ...options,
    sink: {
      send(flow, bytes) {
        effects.push(`send ${name(flow)}`);
        sent.push(decoder.decode(bytes));
      },
      connect: (flow) => effects.push(`connect ${name(flow)}`),
      close: (flow) => effects.push(`close ${name(flow)}`),
      resolve() {},
      wake: (deadline) => wakes.push(deadline),
    },
    user: {
      receiveRequest: (request, flow) => requests.push({ request, flow }),
      receiveResponse: (response) => responses.push(response),
      malformed: (error) => reports.push(`malformed ${error.status}`),
      flowFailed: (flow, error) => reports.push(`failed ${name(flow)}: ${error.message}`),
      flowClosed: (flow) => reports.push(`closed ${name(flow)}`),
    },
  });
  const udp = listener(1, "UDP", "192.0.2.1", 5060);
  const tcp = listener(2, "TCP", "192.0.2.1", 5060);
  for (const each of [udp, tcp, ...extra]) layer.addListener(each);
  return {
    layer,
    udp,
    tcp,
    effects,
    sent,
    requests,
    responses,
    reports,
    wakes,
    receive: (text, flow, now = START) => layer.receive(encoder.encode(text), flow, now),
    datagram(text, from, now = START) {
      const flow = layer.acceptFlow(udp, endpoint(from), now);
      layer.receive(encoder.encode(text), flow, now);
      return flow;
    },
    accept(from, now = START) {
      const flow = layer.acceptFlow(tcp, endpoint(from), now);
      if (flow.state !== "closed") layer.flowOpened(flow, now);
      return flow;
    },
  };
}

export function listener(id: number, transport: TransportName, address: string, port: number): Listener {
  return { id, transport, address, port };
}

/** "192.0.2.1:5060" or "::1:5060": the port is after the last colon. */
export function endpoint(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

export function target(transport: TransportName, text: string, hostName?: string): Target {
  return { transport, ...endpoint(text), ...(hostName !== undefined && { hostName }) };
}

/** A request with this top Via value and whatever else is given. */
export function request(via: string, ...more: string[]): string {
  return message("OPTIONS sip:bob@example.com SIP/2.0", via, ...more);
}

export function response(via: string, ...more: string[]): string {
  return message("SIP/2.0 200 OK", via, ...more);
}

function message(startLine: string, via: string, ...more: string[]): string {
  return [
    startLine,
    `Via: ${via}`,
    "From: <sip:alice@example.com>;tag=1",
    "To: <sip:bob@example.com>",
    "Call-ID: a",
    "CSeq: 1 OPTIONS",
    ...more,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

function name(flow: Flow): string {
  return `${flow.transport} ${flow.remote.address}:${flow.remote.port}`;
}
