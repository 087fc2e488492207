// Behaviour of user agents that does not depend on the method: RFC 3261 §8.
export {
  below,
  effectOf,
  type FailedAttempt,
  optionTags,
  type Reaction,
  type ReactionTable,
  reactions,
  reactionTo,
  retryAfterOf,
  secondsOf,
  withHeader,
} from "./reactions.ts";
export { contactsOf, Redirection } from "./redirection.ts";
export { rejectionOf } from "./rejection.ts";
export { maxRedirectGenerations, maxRedirectTargets, maxRetries, RetryGuard } from "./retry-guard.ts";
export {
  type Origin,
  type RequestOutline,
  type ResponseContext,
  type SendContext,
  Uac,
  type UacOptions,
  UacRequest,
  type UacUser,
} from "./uac.ts";
export {
  checkRequest,
  MergedRequests,
  mediaTypeOf,
  type Refusal,
  type UasRules,
  unknownTags,
} from "./uas.ts";
