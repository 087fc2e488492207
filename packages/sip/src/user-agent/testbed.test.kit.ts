// User agents on the virtual network, and what they said to one another, for the tests beside.

import { ParseError } from "../errors.ts";
import type { SipMessage, SipRequest, SipResponse } from "../message/index.ts";
import { parseMessage } from "../message/index.ts";
import { nodeHash } from "../node/index.ts";
import { Network, SeededRandom, VirtualClock, VirtualDriver, type Weather } from "../testing/index.ts";
import type { TransportName } from "../transport/index.ts";
import type { Runtime, Transport } from "./runtime.ts";
import { UserAgent } from "./user-agent.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

/** One message on the wire. */
export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly isLost: boolean;
  readonly message: SipMessage;
}

export class Testbed {
  readonly clock = new VirtualClock();
  readonly network: Network;
  readonly start: number;
  readonly sent: Sent[] = [];
  /** What user agents reported through `onError`. */
  readonly errors: unknown[] = [];
  readonly agents: UserAgent[] = [];
  readonly #names = new Map<string, string>();
  #nextHost = 1;

  constructor(options: Partial<Weather> & { seed?: number } = {}) {
    this.network = new Network({ clock: this.clock, ...options });
    this.start = this.clock.now();
    this.network.onSend = ({ at, from, to, bytes, fate }) => {
      const message = readable(bytes);
      if (message === undefined) return;
      this.sent.push({
        at: at - this.start,
        from: this.#names.get(from.address) ?? from.address,
        to: this.#names.get(to.address) ?? to.address,
        isLost: fate === "lost",
        message,
      });
    };
  }

  /** A host of its own with one socket. */
  host(name: string): { address: string; runtime: Runtime; transport(name?: TransportName): Transport } {
    const address = `10.0.0.${this.#nextHost++}`;
    this.#names.set(address, name);
    const { clock, network } = this;
    const runtime: Runtime = {
      clock,
      random: new SeededRandom(this.#nextHost * 7919 + 13),
      hash: nodeHash,
      createDriver: () => new VirtualDriver(network, address),
    };
    return {
      address,
      runtime,
      transport: (transport = "UDP") => ({ runtime, transport, address, port: 5060 }),
    };
  }

  /** A user agent `sip:NAME@ADDRESS`. */
  agent(
    name: string,
    options: Partial<UserAgentOptions> & { transport?: TransportName } = {},
  ): { ua: UserAgent; uri: string; address: string } {
    const { transport = "UDP", ...others } = options;
    const host = this.host(name);
    const parameter = transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`;
    const uri = `sip:${name}@${host.address}${parameter}`;
    const ua = new UserAgent({
      aor: uri,
      transports: [host.transport(transport)],
      onError: (error) => this.errors.push(error),
      ...others,
    });
    this.agents.push(ua);
    return { ua, uri, address: host.address };
  }

  /** "alice INVITE", "bob 180 INVITE", … in the order sent; 100s and copies left out unless wanted. */
  ladder(options: { hundreds?: boolean; copies?: boolean } = {}): string[] {
    const seen = new Set<string>();
    const lines: string[] = [];
    for (const { from, message } of this.sent) {
      if (!options.hundreds && message.kind === "response" && message.statusCode === 100) continue;
      const key = new TextDecoder().decode(message.bytes);
      if (!options.copies && seen.has(key)) continue;
      seen.add(key);
      lines.push(`${from} ${summary(message)}`);
    }
    return lines;
  }

  requests(method: string, from?: string): SipRequest[] {
    return this.#messages(from).filter(
      (message): message is SipRequest => message.kind === "request" && message.method === method,
    );
  }

  responses(statusCode: number, method: string, from?: string): SipResponse[] {
    return this.#messages(from).filter(
      (message): message is SipResponse =>
        message.kind === "response" && message.statusCode === statusCode && message.cSeq.method === method,
    );
  }

  /** Lets the promise settle in virtual time, within an hour of it. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    promise.then(mark, mark);
    if (!(await this.clock.runUntil(() => isSettled))) throw new Error("still pending after an hour");
    return await promise;
  }

  /** Stops everybody and sees that nothing is left: no call, no dialog, no timer. */
  async close(): Promise<void> {
    for (const ua of this.agents) await this.settle(ua.stop());
    await this.clock.run(200_000);
  }

  get leftovers(): string[] {
    const left: string[] = [];
    for (const ua of this.agents) {
      if (ua.calls.size > 0) left.push(`${ua.calls.size} calls`);
      if (ua.dialogs.size > 0) left.push(`${ua.dialogs.size} dialogs of ${ua.aor.uri.user}`);
    }
    if (this.clock.next !== Number.POSITIVE_INFINITY) left.push("a timer");
    return left;
  }

  #messages(from: string | undefined): SipMessage[] {
    return this.sent.filter((sent) => from === undefined || sent.from === from).map((sent) => sent.message);
  }
}

/** What some tests send is no message at all, on purpose. */
function readable(bytes: Uint8Array): SipMessage | undefined {
  try {
    return parseMessage(bytes);
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

function summary(message: SipMessage): string {
  return message.kind === "request" ? message.method : `${message.statusCode} ${message.cSeq.method}`;
}

/** A session description with one audio stream. */
export function sdpOf(owner: string, port = 40_000): string {
  return [
    "v=0",
    `o=${owner} 1 1 IN IP4 10.0.0.9`,
    "s=-",
    "c=IN IP4 10.0.0.9",
    "t=0 0",
    `m=audio ${port} RTP/AVP 0`,
    "a=rtpmap:0 PCMU/8000",
    "a=sendrecv",
    "",
  ].join("\r\n");
}
