// Request validation before anything is forwarded. RFC 3261 §16.3, RFC 5393 §4.2. Syntax (step 1) was checked by the parser.

import { unknownTags } from "../core/index.ts";
import { type HashKey, keyedHash } from "../keyed-hash.ts";
import { headerIdOf } from "../message/header-table.ts";
import type { HeaderInit, SipRequest } from "../message/index.ts";

const PROXY_REQUIRE = headerIdOf("Proxy-Require");

/** What this proxy accepts. */
export interface ValidationRules {
  /** Schemes of Request-URIs, lower case. */
  readonly uriSchemes: ReadonlySet<string>;
  /** Option tags of Proxy-Require that this proxy understands. */
  readonly proxyRequire: ReadonlySet<string>;
}

/** Why a request is not forwarded, and what to answer it with (nothing for ACK). */
export interface Refusal {
  readonly statusCode: number;
  readonly headers?: readonly HeaderInit[];
}

const unsupportedScheme: Refusal = { statusCode: 416 };
const tooManyHops: Refusal = { statusCode: 483 };
/** §16.3 step 3 lets a proxy answer an OPTIONS that ends here (§11). */
const answeredHere: Refusal = { statusCode: 200 };

/** Steps 2, 3 and 5 in the RFC's order; loops are looked for when a request forks (RFC 5393 §4.1). */
export function validate(request: SipRequest, scheme: string, rules: ValidationRules): Refusal | undefined {
  if (!rules.uriSchemes.has(scheme)) return unsupportedScheme;
  if (request.maxForwards === 0) return request.method === "OPTIONS" ? answeredHere : tooManyHops;
  if (!request.headers.hasField(PROXY_REQUIRE)) return undefined;
  // §9.2 and §17.1.1.3: Proxy-Require has no meaning in CANCEL, nor in an ACK.
  if (request.method === "ACK" || request.method === "CANCEL") return undefined;
  const unknown = unknownTags(request.headers.rawAll("Proxy-Require"), rules.proxyRequire);
  return unknown.length === 0
    ? undefined
    : { statusCode: 420, headers: [["Unsupported", unknown.join(", ")]] };
}

/**
 * The second part of a branch (RFC 5393 §4.2.1): the same when the same request comes back with everything
 * that decides its targets unchanged, different when it spirals. Does not depend on the method.
 */
export function loopMark(key: HashKey, request: SipRequest): string {
  const { headers } = request;
  const parts = [
    request.requestUriText,
    request.callId,
    String(request.cSeq.sequence),
    request.fromTag ?? "",
  ];
  for (const name of ["Route", "Proxy-Require", "Proxy-Authorization"]) {
    if (headers.has(name)) parts.push(...headers.rawAll(name));
  }
  return keyedHash(key, parts.join("\n"));
}

/**
 * Whether the request has been here before, unchanged. Our own Via values are known by the mark itself, which
 * nobody else can make; other elements' branches are only compared, never taken apart.
 */
export function hasLooped(request: SipRequest, mark: string): boolean {
  // As text: a Via further down that cannot be read is no business of ours.
  return request.headers.rawAll("Via").some((line) => line.includes(`.${mark}`));
}
