// Numbers for Prometheus. Hot paths raise plain numbers; they become metrics only when somebody asks.

import { monitorEventLoopDelay } from "node:perf_hooks";
import {
  methodIdAt,
  methodNames,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "@offhook/sip/message";
import type { StackObserver } from "@offhook/sip/stack";
import type { Flow } from "@offhook/sip/transport";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { statusCodeOf } from "./raw-message.ts";

const SPACE = 0x20;

/** Milliseconds between two looks at how late the event loop is: each wakes a server that has nothing to do. */
const loopInterval = 20;

/** Labels with a fixed set of values, by the method's number: a peer that makes up methods must not make up time series. */
const methods = methodNames.map((name) => (name === "" ? "other" : name));

/** What is asked for when the metrics are read. */
export interface Gauges {
  transactions(): number;
  bindings(): number;
  registeredUsers(): number;
  activeCalls(): number;
  tracedBytes(): number;
  connections(): number;
}

/** Counts what the stack shows it, and prints it all. */
export class Metrics implements StackObserver {
  readonly #registry = new Registry();
  readonly #requestsReceived = new Float64Array(methods.length);
  readonly #requestsSent = new Float64Array(methods.length);
  readonly #responsesReceived = new Float64Array(700);
  readonly #responsesSent = new Float64Array(700);
  readonly #callOutcomes = new Float64Array(700);
  #malformed = 0;
  #stray = 0;
  #refused = 0;
  #resent = 0;
  #authFailures = 0;
  #authThrottled = 0;
  #flushes = 0;
  #lastFlush = 0;
  readonly #loopDelay = monitorEventLoopDelay({ resolution: loopInterval });

  constructor(gauges: Gauges) {
    const registry = this.#registry;
    nodeMetrics ??= collectNodeMetrics();
    const byMethod = (name: string, help: string, values: Float64Array) =>
      labelled(registry, name, help, "method", () => methods.map((method, i) => [method, values[i] ?? 0]));
    const byStatus = (name: string, help: string, values: Float64Array) =>
      labelled(registry, name, help, "code", () =>
        Array.from(values, (value, code) => [String(code), value] as const),
      );
    byMethod(
      "offhook_requests_received_total",
      "Requests received, retransmissions included",
      this.#requestsReceived,
    );
    byMethod("offhook_requests_sent_total", "Requests sent, retransmissions included", this.#requestsSent);
    byStatus("offhook_responses_received_total", "Responses received", this.#responsesReceived);
    byStatus("offhook_responses_sent_total", "Responses sent", this.#responsesSent);
    byStatus("offhook_calls_total", "Calls by the final status of their INVITE", this.#callOutcomes);
    const counters: [string, string, () => number][] = [
      ["offhook_malformed_total", "Messages that could not be parsed", () => this.#malformed],
      ["offhook_stray_responses_total", "Responses that matched no transaction", () => this.#stray],
      ["offhook_refused_total", "Requests refused for overload or shutdown", () => this.#refused],
      ["offhook_retransmissions_sent_total", "Messages that we had to send again", () => this.#resent],
      ["offhook_auth_failures_total", "Requests with wrong credentials", () => this.#authFailures],
      ["offhook_auth_throttled_total", "Requests refused after many of these", () => this.#authThrottled],
      ["offhook_store_flushes_total", "Writes of bindings to the database", () => this.#flushes],
    ];
    for (const [name, help, value] of counters) single(Counter, registry, name, help, value);
    const levels: [string, string, () => number][] = [
      ["offhook_transactions", "Live transactions", () => gauges.transactions()],
      ["offhook_bindings", "Registered contacts", () => gauges.bindings()],
      ["offhook_registered_users", "Addresses-of-record with a contact", () => gauges.registeredUsers()],
      ["offhook_active_calls", "Calls answered and not ended", () => gauges.activeCalls()],
      ["offhook_trace_bytes", "Bytes of messages kept for traces", () => gauges.tracedBytes()],
      ["offhook_connections", "Open connections", () => gauges.connections()],
      [
        "offhook_store_last_flush_seconds",
        "When the last write began, Unix time",
        () => this.#lastFlush / 1000,
      ],
    ];
    for (const [name, help, value] of levels) single(Gauge, registry, name, help, value);
    this.#loopDelay.enable();
    single(
      ...([Gauge, registry, "offhook_event_loop_delay_p999_seconds"] as const),
      "99.9th percentile of how late the event loop was since the metrics were last read",
      () => this.#takeLoopDelay(),
    );
  }

  received(message: SipMessage): void {
    if (message.kind === "request") raise(this.#requestsReceived, message.methodId);
    else raise(this.#responsesReceived, message.statusCode);
  }

  sent(bytes: Uint8Array): void {
    const status = statusCodeOf(bytes);
    if (status > 0) raise(this.#responsesSent, status);
    else raise(this.#requestsSent, methodIdAt(bytes, 0, endOfMethod(bytes)));
  }

  malformed(): void {
    this.#malformed++;
  }

  stray(_response: SipResponse, _flow: Flow): void {
    this.#stray++;
  }

  refused(_request: SipRequest): void {
    this.#refused++;
  }

  resent(): void {
    this.#resent++;
  }

  callOver(status: number): void {
    raise(this.#callOutcomes, status);
  }

  authFailed(): void {
    this.#authFailures++;
  }

  authThrottled(): void {
    this.#authThrottled++;
  }

  /** All of them, in the format of `contentType`. */
  async print(): Promise<string> {
    const texts = [this.#registry.metrics(), nodeMetrics?.metrics() ?? ""];
    return (await Promise.all(texts)).join("\n");
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Stops what measures by itself. */
  close(): void {
    this.#loopDelay.disable();
  }

  /** Seconds; then it is measured anew. */
  #takeLoopDelay(): number {
    // What is recorded is the whole interval, of which only what exceeds the timer's own is delay.
    const interval = this.#loopDelay.count === 0 ? 0 : this.#loopDelay.percentile(99.9) / 1e6;
    this.#loopDelay.reset();
    return Math.max(0, interval - loopInterval) / 1000;
  }

  flushed(startedAt: number): void {
    this.#flushes++;
    this.#lastFlush = startedAt;
  }
}

/** Of a request of ours. What is longer than any method that is counted by name need not be read to its end. */
function endOfMethod(bytes: Uint8Array): number {
  let end = 0;
  while (end < 16 && bytes[end] !== SPACE) end++;
  return end;
}

/**
 * What prom-client knows of the process, once for all servers in it: it never lets go of where it puts that. Its own watch
 * over the event loop has nothing to add, and is never awake.
 */
let nodeMetrics: Registry | undefined;

function collectNodeMetrics(): Registry {
  const registry = new Registry();
  const never = 2 ** 31 - 1;
  collectDefaultMetrics({ register: registry, prefix: "offhook_", eventLoopMonitoringPrecision: never });
  for (const { name } of registry.getMetricsAsArray())
    if (name.startsWith("offhook_nodejs_eventloop_lag_")) registry.removeSingleMetric(name);
  return registry;
}

function raise(values: Float64Array, index: number): void {
  if (index >= 0 && index < values.length) values[index]!++;
}

function labelled(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  values: () => readonly (readonly [string, number])[],
): void {
  new Counter({
    ...{ name, help, labelNames: [label], registers: [registry] },
    collect() {
      this.reset();
      for (const [value, count] of values()) if (count > 0) this.inc({ [label]: value }, count);
    },
  });
}

function single(
  kind: typeof Counter | typeof Gauge,
  registry: Registry,
  name: string,
  help: string,
  value: () => number,
): void {
  new kind({
    ...{ name, help, registers: [registry] },
    collect(this: Counter | Gauge) {
      this.reset();
      this.inc(value());
    },
  });
}
