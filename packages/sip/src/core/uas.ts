// The user agent server: the checks that every request passes before its method counts. RFC 3261 §8.2.

import type { HeaderInit, SipRequest, Uri } from "../message/index.ts";
import type { Clock } from "../ports.ts";
import type { IncomingRequest, RespondOptions } from "../stack.ts";
import { ExpiringMap } from "./expiring-map.ts";
import { acceptedOf, optionTags, takesType } from "./field-values.ts";
import { type BodyRules, checkBody } from "./request-body.ts";

/** What a server of requests takes. Everything has a default but `allow`. */
export interface UasRules extends BodyRules {
  /** Methods for Allow, in upper case. */
  readonly allow: readonly string[];
  /** Option tags of extensions implemented here. */
  readonly supported?: readonly string[];
  /** Option tags that the client has to support (§8.2.4), in lower case. For INVITE and OPTIONS. */
  readonly required?: readonly string[];
  /** The longest body, bytes. Default: no limit but that of the message. */
  readonly maxBody?: number;
  /** Schemes of Request-URIs, in lower case. Default sip, sips, tel. */
  readonly schemes?: readonly string[];
  /** SIPS Request-URIs (RFC 5630 §5.1.2): "refused" where they are not wanted, "required" where SIP is not. */
  readonly sips?: "refused" | "required";
  /** False for a To that policy does not let through (§8.2.2.1), and for a From likewise. */
  acceptsTo?(uri: Uri): boolean;
  acceptsFrom?(uri: Uri): boolean;
  /** True if the Request-URI names somebody here (§8.2.2.1). Default: anybody. */
  acceptsUri?(uri: Uri): boolean;
  /** True if nobody anywhere has this address, to certain knowledge (§21.6.3). Default: never. */
  existsNowhere?(uri: Uri): boolean;
  /** True for a further copy of a request that came by another way (§8.2.2.2). */
  isMerged?(): boolean;
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

/** Methods whose 2xx brings a session description. Not OPTIONS: ours has none, and tools that ask take text only. */
const describing = new Set(["INVITE", "UPDATE"]);

/**
 * The checks of §8.2 in their order; undefined if the request passes. Version, syntax and the size of the message
 * (505, 400, 414, 513) come before, in the parser; authentication (§22) is the caller's.
 * @throws {ParseError} if the body is not what it says it is
 */
export function checkRequest(request: SipRequest, rules: UasRules): Refusal | undefined {
  // §9.2: nothing else of a CANCEL matters. §17: an ACK has no answer.
  if (request.method === "CANCEL" || request.method === "ACK") return undefined;
  if (request.hasToTag) {
    return (
      checkSize(request, rules) ??
      checkMethod(request, rules) ??
      checkRequire(request, rules) ??
      checkContent(request, rules) ??
      checkAccept(request, rules)
    );
  }
  return (
    checkSize(request, rules) ??
    checkMethod(request, rules) ??
    checkParties(request, rules) ??
    checkUri(request, rules) ??
    (rules.isMerged?.() === true ? refuse(482, [], "Merged Request") : undefined) ??
    checkRequire(request, rules) ??
    checkContent(request, rules) ??
    checkContact(request) ??
    checkSupported(request, rules) ??
    checkAccept(request, rules)
  );
}

function refuse(statusCode: number, headers: readonly HeaderInit[] = [], reasonPhrase?: string): Refusal {
  return { statusCode, options: { headers, ...(reasonPhrase === undefined ? {} : { reasonPhrase }) } };
}

/** §21.4.11: the body alone. */
function checkSize({ body }: SipRequest, { maxBody }: UasRules): Refusal | undefined {
  return maxBody !== undefined && body.length > maxBody ? refuse(413) : undefined;
}

/** §8.2.1, §21.4.6, §21.5.2. */
function checkMethod({ method }: SipRequest, { allow }: UasRules): Refusal | undefined {
  if (allow.includes(method)) return undefined;
  return refuse(registered.has(method) ? 405 : 501, [["Allow", allow.join(", ")]]);
}

/** §8.2.2.1, §21.4.4: who asks, and for whom. */
function checkParties(request: SipRequest, rules: UasRules): Refusal | undefined {
  if (rules.acceptsTo?.(request.to.uri) === false) return refuse(403, [], "Forbidden (To not accepted)");
  if (rules.acceptsFrom?.(request.from.uri) === false) return refuse(403, [], "Forbidden (caller refused)");
  return undefined;
}

const defaultSchemes = ["sip", "sips", "tel"];

/** §8.2.2.1. */
function checkUri({ requestUri }: SipRequest, rules: UasRules): Refusal | undefined {
  const { schemes = defaultSchemes, sips } = rules;
  const { scheme } = requestUri;
  if (!schemes.includes(scheme)) return refuse(416);
  // RFC 5630 §5.1.2, §5.1: that is not the fault of the scheme, which we know.
  if (scheme === "sips" && sips === "refused") return refuseSips(380, "SIPS Not Allowed");
  if (scheme === "sip" && sips === "required") return refuseSips(381, "SIPS Required");
  if (rules.existsNowhere?.(requestUri) === true) return refuse(604);
  return rules.acceptsUri?.(requestUri) === false ? refuse(404) : undefined;
}

function refuseSips(warning: number, text: string): Refusal {
  return refuse(480, [["Warning", `${warning} offhook "${text}"`]], `Temporarily Unavailable (${text})`);
}

/** §8.2.2.3. */
function checkRequire({ headers }: SipRequest, { supported = [] }: UasRules): Refusal | undefined {
  if (!headers.has("Require")) return undefined;
  const known = new Set(supported.map((tag) => tag.toLowerCase()));
  const unknown = unknownTags(headers.rawAll("Require"), known);
  return unknown.length === 0 ? undefined : refuse(420, [["Unsupported", unknown.join(", ")]]);
}

/** The option tags in these lines that are not among the known ones, as they were written. */
export function unknownTags(lines: readonly string[], known: ReadonlySet<string>): string[] {
  return lines
    .flatMap((line) => line.split(","))
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "" && !known.has(tag.toLowerCase()));
}

/** §8.2.3. */
function checkContent(request: SipRequest, rules: UasRules): Refusal | undefined {
  const objection = checkBody(request, rules);
  return objection === undefined ? undefined : refuse(...objection);
}

/** §8.1.1.8: an INVITE has a Contact, and RFC 5630 §5.1.2: a SIPS one if its Request-URI is. */
function checkContact({ method, headers, requestUri }: SipRequest): Refusal | undefined {
  if (method !== "INVITE") return undefined;
  const contact = headers.get("Contact");
  if (contact === undefined) return refuseBad("Missing Contact");
  if (typeof contact === "string") return refuseBad("Contact is no address");
  const isDowngrade = requestUri.scheme === "sips" && contact.uri.scheme === "sip";
  return isDowngrade ? refuseBad("SIP Contact with SIPS Request-URI") : undefined;
}

function refuseBad(fault: string): Refusal {
  return refuse(400, [["Warning", `399 offhook "${fault}"`]], fault);
}

/** §8.2.4, §21.4.16. */
function checkSupported({ method, headers }: SipRequest, { required }: UasRules): Refusal | undefined {
  if (required === undefined || (method !== "INVITE" && method !== "OPTIONS")) return undefined;
  const named = optionTags([...headers.rawAll("Supported"), ...headers.rawAll("Require")]);
  const missing = required.filter((tag) => !named.includes(tag));
  return missing.length === 0 ? undefined : refuse(421, [["Require", missing.join(", ")]]);
}

/** §21.4.7, §20.1: without Accept it is application/sdp, with an empty one nothing. */
function checkAccept({ method, headers }: SipRequest, rules: UasRules): Refusal | undefined {
  if (!describing.has(method)) return undefined;
  const accepted = acceptedOf(headers, "Accept");
  if (accepted === undefined || takesType(accepted, "application/sdp")) return undefined;
  const { accept = ["application/sdp"] } = rules;
  return accept.includes("application/sdp") || accept.includes("*/*")
    ? refuse(406, [["Warning", '399 offhook "Only application/sdp can be sent"']])
    : undefined;
}

/**
 * Finds requests that came by two ways, §8.2.2.2: same From tag, Call-ID and CSeq as another one that has no To
 * tag either, but a transaction of its own.
 */
export class MergedRequests {
  readonly #clock: Pick<Clock, "now">;
  readonly #lifetime: number;
  readonly #seen = new ExpiringMap<string, true>();

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
    while (this.#seen.firstTime <= now - this.#lifetime) this.#seen.shift();
    const { cSeq, callId, from } = request;
    const key = `${callId} ${from.tag ?? ""} ${cSeq.sequence} ${cSeq.method}`;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key, true, now);
    return false;
  }
}
