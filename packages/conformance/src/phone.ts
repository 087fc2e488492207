// A phone on the stage: the product's user agent, with what a scenario wants to know of it.

import type { Endpoint, TransportName } from "@offhook/sip/transport";
import { type Call, type Registration, UserAgent, type UserAgentOptions } from "@offhook/sip/user-agent";
import type { Checks } from "./check.ts";
import type { Part } from "./peer.ts";
import type { CodecName } from "./quiet-audio.ts";
import type { StageDriver } from "./stage-driver.ts";

export interface PhoneOptions extends Partial<Omit<UserAgentOptions, "transports" | "stack">> {
  /** Default: the stage's. */
  readonly transport?: TransportName;
  /** Offers and answers audio of these codecs, best first. Default: it takes whatever is offered. */
  readonly audio?: readonly CodecName[];
}

/** What a phone needs of the stage. */
export interface PhoneContext {
  readonly driver: StageDriver;
  readonly check: Checks;
  readonly transport: TransportName;
  readonly options: UserAgentOptions;
  /** Undefined for a phone with media of its own. */
  readonly makesSdp: (() => string) | undefined;
  wait(done: () => boolean): Promise<boolean>;
  settled<T>(name: string, promise: Promise<T>): Promise<T>;
}

export class Phone implements Part {
  readonly name: string;
  /** The product's own user agent. Wait for its promises with `stage.value` and `stage.rejected`. */
  readonly ua: UserAgent;
  /** What it reported through `onError`. */
  readonly errors: unknown[] = [];
  readonly #context: PhoneContext;
  readonly #ringing: Call[] = [];

  constructor(name: string, context: PhoneContext) {
    this.name = name;
    this.#context = context;
    this.ua = new UserAgent({ onError: (error) => this.errors.push(error), ...context.options });
    this.ua.onInvite((call) => {
      this.#ringing.push(call);
    });
  }

  /** Its address-of-record as a URI. */
  get aor(): string {
    const { user, host } = this.ua.aor.uri;
    return `sip:${user}@${host}`;
  }

  endpoint(transport: TransportName): Endpoint {
    const listener = this.ua.listeners.find((one) => one.transport === transport) ?? this.ua.listeners[0];
    if (listener === undefined) throw new Error(`${this.name} is not on the stage yet`);
    const { address, port } = listener;
    return { address, port };
  }

  /** Its own address, past every proxy. */
  get uri(): string {
    const { transport } = this.#context;
    const { address, port } = this.endpoint(transport);
    const parameter = transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`;
    return `sip:${this.name}@${address}:${port}${parameter}`;
  }

  /** Registers with the server. */
  register(): Promise<Registration> {
    return this.#context.settled(`${this.name} registers`, this.ua.register());
  }

  /** Calls somebody; its media are the phone's own, or one stream of audio that nobody hears. */
  call(target: string): Call {
    const sdp = this.#context.makesSdp?.();
    return this.ua.call(target, sdp === undefined ? {} : { sdp });
  }

  /** Answers in the same way; fulfilled when the ACK is here. */
  answer(call: Call): Promise<void> {
    return call.answer(this.#context.makesSdp?.() ?? {});
  }

  /** The next call that comes in, unanswered and not yet ringing. */
  async rings(name: string): Promise<Call> {
    await this.#context.wait(() => this.#ringing.length > 0);
    const call = this.#ringing.shift();
    if (call === undefined) this.#context.check.fail(name, `no call has reached ${this.name}`);
    this.#context.check.pass(name);
    return call;
  }

  /** Pulls the plug: nothing more is sent or received. */
  async leave(): Promise<void> {
    await this.#context.driver.stop();
  }
}
