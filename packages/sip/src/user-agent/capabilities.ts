// What a user agent can do, as it tells its peers and as it holds theirs against it. RFC 3261 §8.2, §20.5, §20.37.

import { acceptOf, type UasRules } from "../core/index.ts";
import type { HeaderInit } from "../message/index.ts";
import type { MaybePromise } from "../ports.ts";
import type { IncomingRequest } from "../stack.ts";
import type { Addressing } from "./addressing.ts";
import type { InDialogHandler } from "./call-context.ts";
import { reliableTag } from "./reliable-provisional.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

type CapabilityOptions = Pick<
  UserAgentOptions,
  | (
      | "supported"
      | "product"
      | "reliableProvisionals"
      | "update"
      | "requires"
      | "languages"
      | "smime"
      | "sips"
    )
  | ("acceptsTo" | "acceptsFrom" | "existsNowhere" | "maxBody" | "allow")
>;

/** What a call cannot be without. */
const basic: ReadonlySet<string> = new Set(["INVITE", "ACK", "CANCEL", "BYE"]);

export class Capabilities {
  /** Who takes requests of a method outside dialogs, INVITE and OPTIONS excepted. */
  readonly handlers: Map<string, (incoming: IncomingRequest) => MaybePromise<void>> = new Map();
  /** Who takes requests of a method inside calls. */
  readonly inDialog: Map<string, InDialogHandler> = new Map();
  readonly supported: readonly string[];
  readonly #options: CapabilityOptions;
  readonly #addressing: Addressing;
  readonly #extensions: readonly string[];
  /** Those that do not depend on the method. */
  readonly #rules: Omit<UasRules, "allow" | "accept">;

  constructor(options: CapabilityOptions, addressing: Addressing) {
    const { supported = [], reliableProvisionals = "supported", update = true } = options;
    const isReliable = reliableProvisionals !== "off" || supported.includes(reliableTag);
    const all = [...supported, ...(options.requires ?? []), ...(isReliable ? [reliableTag] : [])];
    this.supported = [...new Set(all)];
    this.#extensions = [...(isReliable ? ["PRACK"] : []), ...(update ? ["UPDATE"] : [])];
    this.#options = options;
    this.#addressing = addressing;
    this.#rules = this.#fixedRules();
  }

  get allow(): string[] {
    const handled = [...this.handlers.keys(), ...this.inDialog.keys()];
    const all = new Set(["INVITE", "ACK", "CANCEL", "BYE", ...this.#extensions, ...handled]);
    const { allow } = this.#options;
    return [...all].filter((method) => allow === undefined || allow.includes(method) || basic.has(method));
  }

  /** @param method - of a request outside dialogs */
  rules(method?: string): UasRules {
    return {
      ...this.#rules,
      allow: this.allow,
      // What a handler of its own understands is for that handler to say.
      accept: method !== undefined && this.handlers.has(method) ? ["*/*"] : ["application/sdp"],
    };
  }

  #fixedRules(): Omit<UasRules, "allow" | "accept"> {
    const { reliableProvisionals, requires = [], languages, smime, sips, maxBody } = this.#options;
    const { acceptsTo, acceptsFrom, existsNowhere } = this.#options;
    const required = [...requires, ...(reliableProvisionals === "required" ? [reliableTag] : [])];
    return {
      supported: this.supported,
      acceptsUri: (uri) => this.#addressing.accepts(uri),
      ...(required.length === 0 ? {} : { required: required.map((tag) => tag.toLowerCase()) }),
      ...(languages === undefined ? {} : { languages: languages.map((tag) => tag.toLowerCase()) }),
      ...(smime === undefined ? {} : { smime }),
      ...(sips === undefined ? {} : { sips }),
      ...(maxBody === undefined ? {} : { maxBody }),
      ...(acceptsTo === undefined ? {} : { acceptsTo }),
      ...(acceptsFrom === undefined ? {} : { acceptsFrom }),
      ...(existsNowhere === undefined ? {} : { existsNowhere }),
    };
  }

  /** What can be read here, for the 200 of an OPTIONS (§11.2). */
  get content(): HeaderInit[] {
    return [
      ["Accept", acceptOf()],
      ["Accept-Encoding", "identity"],
      ["Accept-Language", this.#options.languages?.join(", ") ?? "en"],
    ];
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
    const { product } = this.#options;
    if (product !== undefined) headers.push([message === "request" ? "User-Agent" : "Server", product]);
    return headers;
  }
}
