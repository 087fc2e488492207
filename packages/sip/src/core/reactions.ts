// What a user agent does on a final response, as one table from code to reaction. RFC 3261 §8.1.3.4, §8.1.3.5,
// §21; the effect on a dialog (RFC 5057) comes from the catalogue.

import type { RequestPlan } from "../dialog/index.ts";
import { type HeaderInit, isSipUri, isTelUri, printUri, type SipResponse } from "../message/index.ts";
import type { Random } from "../ports.ts";
import { type Effect, factsOf } from "../responses/index.ts";

/** One attempt that failed, as a reaction sees it. */
export interface FailedAttempt {
  readonly plan: RequestPlan;
  readonly response: SipResponse;
  /** True inside a dialog, and true if we made its Call-ID (§14.1). */
  readonly isInDialog: boolean;
  readonly ownsCallId: boolean;
  /** Option tags that this user agent implements. */
  readonly supported: readonly string[];
  /** The host to use for telephone numbers, ours (§19.1.6). */
  readonly homeHost: string | undefined;
  readonly random: Random;
}

/**
 * - "retry with": send again at once, changed; `undefined` from `change` means that there is nothing to change.
 * - "answer challenge": send again with credentials (§22.2, §22.3).
 * - "next target": try the Contacts of a redirection (§8.1.3.4).
 * - "wait, then retry": send the same again after `delay` milliseconds; `undefined` means not at all.
 * - "final": the request has failed; what that does to a dialog says the catalogue (`effectOf`).
 */
export type Reaction =
  | { readonly kind: "retry with"; change(attempt: FailedAttempt): RequestPlan | undefined }
  | { readonly kind: "answer challenge" }
  | { readonly kind: "next target" }
  | { readonly kind: "wait, then retry"; delay(attempt: FailedAttempt): number | undefined }
  | { readonly kind: "final" };

/** Reactions by status code; an application may replace rows. A code without a row is final. */
export type ReactionTable = Readonly<Record<number, Reaction>>;

const final: Reaction = { kind: "final" };
const nextTarget: Reaction = { kind: "next target" };
const answerChallenge: Reaction = { kind: "answer challenge" };

export const reactions: ReactionTable = {
  300: nextTarget,
  301: nextTarget,
  302: nextTarget,
  401: answerChallenge,
  407: answerChallenge,
  416: { kind: "retry with", change: sipUriForNumber },
  420: { kind: "retry with", change: withoutUnsupported },
  421: { kind: "retry with", change: withRequiredExtensions },
  423: { kind: "retry with", change: withLongerExpiry },
  491: { kind: "wait, then retry", delay: glareDelay },
};

/** The row for a code. */
export function reactionTo(statusCode: number, table: ReactionTable = reactions): Reaction {
  return table[statusCode] ?? final;
}

/**
 * What a failure ends when it meets a request inside a dialog (RFC 5057 §5.1): only the transaction, the
 * usage (a call, a subscription), or the dialog with all its usages. Unknown codes end the transaction only.
 */
export function effectOf(statusCode: number): Effect {
  return factsOf(statusCode)?.effect ?? "transaction";
}

/** §21.4.14, §19.1.6: a telephone number as SIP URI. A sips: URI is never turned into sip: (RFC 5630 §5.1.2). */
function sipUriForNumber({ plan, homeHost }: FailedAttempt): RequestPlan | undefined {
  const { requestUri } = plan;
  if (!isTelUri(requestUri) || homeHost === undefined) return undefined;
  const user = printUri(requestUri).slice("tel:".length);
  return {
    ...plan,
    requestUri: {
      scheme: "sip",
      user,
      host: homeHost,
      params: new Map([["user", "phone"]]),
      headers: new Map(),
    },
  };
}

/** §8.1.3.5, §21.4.15: leave out the extensions that the server named. */
function withoutUnsupported({ plan, response }: FailedAttempt): RequestPlan | undefined {
  const refused = new Set(optionTags(response.headers.rawAll("Unsupported")));
  let dropped = false;
  const headers = plan.headers.flatMap((field): HeaderInit[] => {
    const [name, value] = field;
    if (!isHeader(name, "Require") && !isHeader(name, "Proxy-Require")) return [field];
    const tags = optionTags([String(value)]);
    const kept = tags.filter((tag) => !refused.has(tag));
    dropped ||= kept.length < tags.length;
    return kept.length === 0 ? [] : [[name, kept.join(", ")]];
  });
  return dropped ? { ...plan, headers } : undefined;
}

/** §21.4.16: name what the server wants among the supported extensions, if all of it is implemented here. */
function withRequiredExtensions({ plan, response, supported }: FailedAttempt): RequestPlan | undefined {
  const wanted = optionTags(response.headers.rawAll("Require"));
  const named = plan.headers
    .filter(([name]) => isHeader(name, "Supported"))
    .flatMap(([, value]) => optionTags([String(value)]));
  const missing = wanted.filter((tag) => !named.includes(tag));
  if (missing.length === 0 || !missing.every((tag) => supported.includes(tag))) return undefined;
  return { ...plan, headers: withHeader(plan.headers, "Supported", [...named, ...missing].join(", ")) };
}

/** §21.4.17, §10.2.8: at least the Min-Expires that the registrar named, in Expires and in every Contact. */
function withLongerExpiry({ plan, response }: FailedAttempt): RequestPlan | undefined {
  // The one retry without a usable Min-Expires asks for an hour.
  const minimum = secondsOf(response.headers.raw("Min-Expires")) ?? 3600;
  const raised = (contact: string) =>
    contact.replace(/;\s*expires\s*=\s*(\d+)/i, (whole, asked: string) =>
      Number(asked) === 0 || Number(asked) >= minimum ? whole : `;expires=${minimum}`,
    );
  const headers = plan.headers.map(
    ([name, value]): HeaderInit =>
      isHeader(name, "Contact") && typeof value === "string" ? [name, raised(value)] : [name, value],
  );
  const { contact } = plan;
  return {
    ...plan,
    headers: withHeader(headers, "Expires", minimum),
    ...(contact === undefined
      ? {}
      : { contact: (sentBy: string, transport: string) => raised(contact(sentBy, transport)) }),
  };
}

/** §14.1: 2.1 to 4 s if we made the Call-ID, else 0 to 2 s, in steps of 10 ms. */
function glareDelay({ isInDialog, ownsCallId, random }: FailedAttempt): number | undefined {
  if (!isInDialog) return undefined;
  return ownsCallId ? 2100 + 10 * below(random, 191) : 10 * below(random, 201);
}

/** An integer from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  const [a = 0, b = 0, c = 0] = random.bytes(3);
  return ((a << 16) | (b << 8) | c) % limit;
}

/** §20.33: seconds to wait from Retry-After, undefined if it is not there or cannot be read. */
export function retryAfterOf(response: SipResponse): number | undefined {
  return secondsOf(response.headers.raw("Retry-After"));
}

/** A leading delta-seconds; comments and parameters after it do not matter. */
export function secondsOf(text: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,10})/.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), 2 ** 32 - 1);
}

/** Option tags of header lines, in lower case (§7.3.1: tokens are case-insensitive). */
export function optionTags(lines: readonly string[]): string[] {
  return lines
    .flatMap((line) => line.split(","))
    .map((tag) => tag.trim().toLowerCase())
    .filter((tag) => tag !== "");
}

/** The fields with all of one name replaced by one. */
export function withHeader(
  headers: readonly HeaderInit[],
  name: string,
  value: string | number,
): HeaderInit[] {
  return [...headers.filter(([other]) => !isHeader(other, name)), [name, value]];
}

function isHeader(name: string, expected: string): boolean {
  return name.toLowerCase() === expected.toLowerCase();
}

/** True if a URI may be tried instead of another because of a 3xx: sips: never gives way to sip: (RFC 5630 §5.3). */
export function mayRedirect(from: RequestPlan["requestUri"], to: RequestPlan["requestUri"]): boolean {
  return isSipUri(to) && (from.scheme !== "sips" || to.scheme === "sips");
}
