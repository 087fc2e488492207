// What a user agent does on a final response, as one table from code to reaction. RFC 3261 §8.1.3.4, §8.1.3.5,
// §21; the effect on a dialog (RFC 5057) comes from the catalogue. What is changed is in changes.ts and other-body.ts.

import type { RequestPlan } from "../dialog/index.ts";
import type { Random } from "../ports.ts";
import { type Effect, factsOf, treatedAs } from "../responses/index.ts";
import {
  sipUriForNumber,
  throughProxy,
  withLongerExpiry,
  withLongerSession,
  withoutUnsupported,
  withRequiredExtensions,
  withWiderAccept,
} from "./changes.ts";
import type { FailedAttempt } from "./failed-attempt.ts";
import { retryAfterOf } from "./field-values.ts";
import { withAcceptedBody, withOtherOffer, withSmallerBody } from "./other-body.ts";

/**
 * - "retry with": send again at once, changed; `undefined` from `change` means that there is nothing to change.
 * - "answer challenge": send again with credentials (§22.2, §22.3).
 * - "next target": try the Contacts of a redirection (§8.1.3.4).
 * - "wait, then retry": send the same again after `delay` milliseconds; `undefined` means `otherwise`, or not at all.
 * - "final": the request has failed; what that does to a dialog says the catalogue (`effectOf`).
 */
export type Reaction =
  | { readonly kind: "retry with"; change(attempt: FailedAttempt): RequestPlan | undefined }
  | { readonly kind: "answer challenge" }
  | { readonly kind: "next target" }
  | {
      readonly kind: "wait, then retry";
      delay(attempt: FailedAttempt): number | undefined;
      readonly otherwise?: Reaction;
    }
  | { readonly kind: "final" };

/** Reactions by status code; an application may replace rows. A code without a row is final. */
export type ReactionTable = Readonly<Record<number, Reaction>>;

const final: Reaction = { kind: "final" };
const nextTarget: Reaction = { kind: "next target" };
const answerChallenge: Reaction = { kind: "answer challenge" };
const smallerBody: Reaction = { kind: "retry with", change: withSmallerBody };
const otherOffer: Reaction = { kind: "retry with", change: withOtherOffer };

export const reactions: ReactionTable = {
  300: nextTarget,
  301: nextTarget,
  302: nextTarget,
  305: { kind: "retry with", change: throughProxy },
  401: answerChallenge,
  406: { kind: "retry with", change: withWiderAccept },
  407: answerChallenge,
  413: { kind: "wait, then retry", delay: serverDelay, otherwise: smallerBody },
  415: { kind: "retry with", change: withAcceptedBody },
  416: { kind: "retry with", change: sipUriForNumber },
  420: { kind: "retry with", change: withoutUnsupported },
  421: { kind: "retry with", change: withRequiredExtensions },
  422: { kind: "retry with", change: withLongerSession },
  423: { kind: "retry with", change: withLongerExpiry },
  488: otherOffer,
  491: { kind: "wait, then retry", delay: glareDelay },
  500: { kind: "wait, then retry", delay: errorDelay },
  503: { kind: "wait, then retry", delay: serverDelay },
  513: smallerBody,
  606: otherOffer,
};

/** The row for a code; one that is not in the catalogue is treated as the x00 of its class (§8.1.3.2). */
export function reactionTo(statusCode: number, table: ReactionTable = reactions): Reaction {
  return table[statusCode] ?? table[treatedAs(statusCode)] ?? final;
}

/** RFC 5057 §5.1 note 3: methods without which their usage cannot be. */
const integral: ReadonlySet<string> = new Set(["INVITE", "BYE", "SUBSCRIBE", "NOTIFY"]);

/**
 * What a failure ends when it meets a request of this method inside a dialog (RFC 5057 §5.1): only the transaction,
 * the usage (a call, a subscription), or the dialog with all its usages.
 */
export function effectOf(statusCode: number, method = "INVITE"): Effect {
  const code = treatedAs(statusCode);
  const effect = factsOf(code)?.effect ?? "transaction";
  if (effect !== "usage") return effect;
  // Note 3: a method that the peer does not take. Note 12: 489 means something in subscriptions only.
  if ((code === 405 || code === 501) && !integral.has(method)) return "transaction";
  if (code === 489 && method !== "SUBSCRIBE" && method !== "NOTIFY") return "transaction";
  // Note 8: the transaction that a CANCEL meant. A PRACK that comes too late fails alone, its INVITE lives.
  return code === 481 && (method === "CANCEL" || method === "PRACK") ? "transaction" : effect;
}

/** §14.1: 2.1 to 4 s if we made the Call-ID, else 0 to 2 s, in steps of 10 ms. */
function glareDelay({ isInDialog, ownsCallId, random }: FailedAttempt): number | undefined {
  if (!isInDialog) return undefined;
  return ownsCallId ? 2100 + 10 * below(random, 191) : 10 * below(random, 201);
}

/** No request waits longer than this for its retry, seconds: 64·T1, and §14.2 lets a peer in a dialog ask for 10. */
const longestDelay = 32;
const longestDelayInDialog = 10;

/** §20.33: the time that the server asks for, if it is one that a caller waits for. */
function serverDelay({ response, plan, isInDialog }: FailedAttempt): number | undefined {
  const seconds = retryAfterOf(response);
  // §15.1.1: the session is over, whatever becomes of the BYE.
  if (seconds === undefined || plan.method === "BYE") return undefined;
  return seconds <= (isInDialog ? longestDelayInDialog : longestDelay) ? seconds * 1000 : undefined;
}

const untroubled: ReadonlySet<string> = new Set(["OPTIONS", "SUBSCRIBE", "PUBLISH"]);

/**
 * §21.5.1: "after several seconds": 2 at least, outside dialogs, where §14.2 and RFC 3311 §5.2 allow none. Without
 * Retry-After only for methods that do no harm twice; a registration has a back-off of its own.
 */
function errorDelay(attempt: FailedAttempt): number | undefined {
  const { response, plan, isInDialog } = attempt;
  if (isInDialog) return serverDelay(attempt);
  if (retryAfterOf(response) === undefined) return untroubled.has(plan.method) ? 2000 : undefined;
  const delay = serverDelay(attempt);
  return delay === undefined ? undefined : Math.max(delay, 2000);
}

/** An integer from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  const [a = 0, b = 0, c = 0] = random.bytes(3);
  return ((a << 16) | (b << 8) | c) % limit;
}
