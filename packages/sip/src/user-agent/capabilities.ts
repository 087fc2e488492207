// What a user agent can do, as it tells its peers and as it holds theirs against it. RFC 3261 §8.2, §20.5, §20.37.

import type { UasRules } from "../core/index.ts";
import type { HeaderInit } from "../message/index.ts";
import type { MaybePromise } from "../ports.ts";
import type { IncomingRequest } from "../stack.ts";
import type { Addressing } from "./addressing.ts";
import type { InDialogHandler } from "./call-context.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

export class Capabilities {
  /** Who takes requests of a method outside dialogs, INVITE and OPTIONS excepted. */
  readonly handlers: Map<string, (incoming: IncomingRequest) => MaybePromise<void>> = new Map();
  /** Who takes requests of a method inside calls. */
  readonly inDialog: Map<string, InDialogHandler> = new Map();
  readonly supported: readonly string[];
  readonly #product: string | undefined;
  readonly #addressing: Addressing;

  constructor(options: Pick<UserAgentOptions, "supported" | "product">, addressing: Addressing) {
    this.supported = options.supported ?? [];
    this.#product = options.product;
    this.#addressing = addressing;
  }

  get allow(): string[] {
    const handled = [...this.handlers.keys(), ...this.inDialog.keys()];
    return [...new Set(["INVITE", "ACK", "CANCEL", "BYE", ...handled])];
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

  /** Allow, Supported, User-Agent or Server. */
  headers(message: "request" | "response"): HeaderInit[] {
    const headers: HeaderInit[] = [["Allow", this.allow.join(", ")]];
    if (this.supported.length > 0) headers.push(["Supported", this.supported.join(", ")]);
    const product = this.#product;
    if (product !== undefined) headers.push([message === "request" ? "User-Agent" : "Server", product]);
    return headers;
  }
}
