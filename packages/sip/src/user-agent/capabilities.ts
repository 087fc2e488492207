// What a user agent can do, as it tells its peers and as it holds theirs against it. RFC 3261 §8.2, §20.5, §20.37.

import type { UasRules } from "../core/index.ts";
import type { HeaderInit } from "../message/index.ts";
import type { MaybePromise } from "../ports.ts";
import type { IncomingRequest } from "../stack.ts";
import type { Addressing } from "./addressing.ts";
import type { InDialogHandler } from "./call-context.ts";
import { reliableTag } from "./reliable-provisional.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

type CapabilityOptions = Pick<UserAgentOptions, "supported" | "product" | "reliableProvisionals" | "update">;

export class Capabilities {
  /** Who takes requests of a method outside dialogs, INVITE and OPTIONS excepted. */
  readonly handlers: Map<string, (incoming: IncomingRequest) => MaybePromise<void>> = new Map();
  /** Who takes requests of a method inside calls. */
  readonly inDialog: Map<string, InDialogHandler> = new Map();
  readonly supported: readonly string[];
  readonly #product: string | undefined;
  readonly #addressing: Addressing;

  readonly #extensions: readonly string[];

  constructor(options: CapabilityOptions, addressing: Addressing) {
    const { supported = [], reliableProvisionals = "supported", update = true } = options;
    const isReliable = reliableProvisionals !== "off" || supported.includes(reliableTag);
    this.supported = isReliable ? [...new Set([...supported, reliableTag])] : supported;
    this.#extensions = [...(isReliable ? ["PRACK"] : []), ...(update ? ["UPDATE"] : [])];
    this.#product = options.product;
    this.#addressing = addressing;
  }

  get allow(): string[] {
    const handled = [...this.handlers.keys(), ...this.inDialog.keys()];
    return [...new Set(["INVITE", "ACK", "CANCEL", "BYE", ...this.#extensions, ...handled])];
  }

  /** @param method - of a request outside dialogs */
  rules(method?: string): UasRules {
    return {
      allow: this.allow,
      supported: this.supported,
      // What a handler of its own understands is for that handler to say.
      accept: method !== undefined && this.handlers.has(method) ? ["*/*"] : ["application/sdp"],
      acceptsUri: (uri) => this.#addressing.accepts(uri),
    };
  }

  /** Those of an INVITE, which says what it wants of RFC 3262 (§4). */
  inviteHeaders(reliableProvisionals: "supported" | "required" | "off"): HeaderInit[] {
    const others = this.supported.filter((tag) => tag !== reliableTag);
    if (reliableProvisionals === "off") return this.headers("request", others);
    const headers = this.headers("request", [...others, reliableTag]);
    return reliableProvisionals === "required" ? [...headers, ["Require", reliableTag]] : headers;
  }

  /** Allow, Supported, User-Agent or Server. */
  headers(message: "request" | "response", supported: readonly string[] = this.supported): HeaderInit[] {
    const headers: HeaderInit[] = [["Allow", this.allow.join(", ")]];
    if (supported.length > 0) headers.push(["Supported", supported.join(", ")]);
    const product = this.#product;
    if (product !== undefined) headers.push([message === "request" ? "User-Agent" : "Server", product]);
    return headers;
  }
}
