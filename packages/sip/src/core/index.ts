// Behaviour of user agents that does not depend on the method: RFC 3261 §8.

export { ExpiringMap } from "./expiring-map.ts";
export { type Explanation, explain } from "./explanation.ts";
export type { FailedAttempt } from "./failed-attempt.ts";
export {
  acceptedOf,
  mediaTypeOf,
  optionTags,
  retryAfterOf,
  secondsOf,
  takesType,
  withHeader,
} from "./field-values.ts";
export { below, effectOf, type Reaction, type ReactionTable, reactions, reactionTo } from "./reactions.ts";
export { contactsOf, Redirection } from "./redirection.ts";
export { rejectionOf } from "./rejection.ts";
export { acceptOf, type BodyRules, checkBody, sessionDescriptionOf } from "./request-body.ts";
export { maxRedirectGenerations, maxRedirectTargets, maxRetries, RetryGuard } from "./retry-guard.ts";
export {
  type AutomaticRetry,
  type Origin,
  type RequestOutline,
  type ResponseContext,
  type SendContext,
  Uac,
  type UacOptions,
  UacRequest,
  type UacUser,
} from "./uac.ts";
export { checkRequest, MergedRequests, type Refusal, type UasRules, unknownTags } from "./uas.ts";
