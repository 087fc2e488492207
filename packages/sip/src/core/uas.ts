// The user agent server: the checks that every request passes before its method counts. RFC 3261 §8.2.

import type { HeaderInit, SipRequest, Uri } from "../message/index.ts";
import type { Clock } from "../ports.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";

/** What a server of requests takes. Everything has a default but `allow`. */
export interface UasRules {
  /** Methods for Allow, in upper case. */
  readonly allow: readonly string[];
  /** Option tags of extensions implemented here. */
  readonly supported?: readonly string[];
  /** Media types of bodies. Default `["application/sdp"]`. */
  readonly accept?: readonly string[];
  /** Schemes of Request-URIs, in lower case. Default sip, sips, tel. */
  readonly schemes?: readonly string[];
  /** True if the Request-URI names somebody here (§8.2.2.1). Default: anybody. */
  acceptsUri?(uri: Uri): boolean;
}

/** Why a request is refused, ready to be answered. */
export interface Refusal {
  readonly statusCode: number;
  readonly options: RespondOptions;
}

/** Methods that any server recognises; one that is not here and not allowed gets 501 instead of 405. */
const registered = new Set([
  ...["ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER"],
  ...["REGISTER", "SUBSCRIBE", "UPDATE"],
]);

/**
 * The checks of §8.2 in their order; undefined if the request passes. Authentication (§22) comes before,
 * detection of merged requests (`MergedRequests`) and of loops is the caller's.
 */
export function checkRequest(request: SipRequest, rules: UasRules): Refusal | undefined {
  const inDialog = request.to.tag !== undefined;
  return (
    checkMethod(request, rules) ??
    (inDialog ? undefined : checkUri(request, rules)) ??
    checkRequire(request, rules) ??
    checkContent(request, rules)
  );
}

function refuse(statusCode: number, headers: readonly HeaderInit[] = []): Refusal {
  return { statusCode, options: { headers } };
}

/** §8.2.1, §21.4.6, §21.5.2. */
function checkMethod({ method }: SipRequest, { allow }: UasRules): Refusal | undefined {
  if (allow.includes(method)) return undefined;
  return refuse(registered.has(method) ? 405 : 501, [["Allow", allow.join(", ")]]);
}

/** §8.2.2.1. */
function checkUri({ requestUri, method }: SipRequest, rules: UasRules): Refusal | undefined {
  const { schemes = ["sip", "sips", "tel"] } = rules;
  if (!schemes.includes(requestUri.scheme)) return refuse(416);
  // §11.2: OPTIONS is answered as an INVITE would be; ACK is never refused here, it has no answer.
  if (method !== "ACK" && rules.acceptsUri?.(requestUri) === false) return refuse(404);
  return undefined;
}

/** §8.2.2.3: not in CANCEL, nor in the ACK of a non-2xx. */
function checkRequire(request: SipRequest, { supported = [] }: UasRules): Refusal | undefined {
  if (request.method === "CANCEL" || request.method === "ACK") return undefined;
  const unknown = unknownTags(
    request.headers.rawAll("Require"),
    new Set(supported.map((tag) => tag.toLowerCase())),
  );
  return unknown.length === 0 ? undefined : refuse(420, [["Unsupported", unknown.join(", ")]]);
}

/** The option tags in these lines that are not among the known ones, as they were written. */
export function unknownTags(lines: readonly string[], known: ReadonlySet<string>): string[] {
  return lines
    .flatMap((line) => line.split(","))
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "" && !known.has(tag.toLowerCase()));
}

/** §8.2.3: a body that has to be understood and is not, by type, encoding or language. */
function checkContent(request: SipRequest, rules: UasRules): Refusal | undefined {
  const { headers, body } = request;
  if (body.length === 0 || request.method === "ACK") return undefined;
  // §20.11: a part marked as optional is ignored.
  if (/;\s*handling\s*=\s*"?optional"?/i.test(headers.raw("Content-Disposition") ?? "")) return undefined;
  const { accept = ["application/sdp"] } = rules;
  const encoding = headers.raw("Content-Encoding")?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== "identity")
    return refuse(415, [["Accept-Encoding", "identity"]]);
  const type = mediaTypeOf(request);
  if (type !== undefined && !accept.includes(type) && !accept.includes("*/*")) {
    return refuse(415, [["Accept", accept.join(", ")]]);
  }
  return undefined;
}

/** Type and subtype of a message's body in lower case, without parameters. */
export function mediaTypeOf(message: { readonly headers: SipRequest["headers"] }): string | undefined {
  return message.headers.raw("Content-Type")?.split(";", 1)[0]?.replace(/\s+/g, "").toLowerCase();
}

/**
 * Finds requests that came by two ways, §8.2.2.2: same From tag, Call-ID and CSeq as another one that has no To
 * tag either, but a transaction of its own.
 */
export class MergedRequests {
  readonly #clock: Pick<Clock, "now">;
  readonly #lifetime: number;
  readonly #seen = new Map<string, number>();

  /** @param lifetime - milliseconds for which a request is remembered, at least that of its transaction */
  constructor(clock: Pick<Clock, "now">, lifetime: number) {
    this.#clock = clock;
    this.#lifetime = lifetime;
  }

  /** True if `incoming` is a further copy of a request seen before; remembers it if not. */
  isMerged(incoming: IncomingRequest): boolean {
    const { request } = incoming;
    if (request.to.tag !== undefined || incoming.transaction === undefined) return false;
    const now = this.#clock.now();
    for (const [key, until] of this.#seen) {
      if (until > now) break;
      this.#seen.delete(key);
    }
    const { cSeq, callId, from } = request;
    const key = `${callId} ${from.tag ?? ""} ${cSeq.sequence} ${cSeq.method}`;
    if (this.#seen.has(key)) return true;
    this.#seen.set(key, now + this.#lifetime);
    return false;
  }
}
