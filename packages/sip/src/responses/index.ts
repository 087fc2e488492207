// Facts on every response code: the catalogue, the order of best responses, release causes. The texts are in text/.
export { preferenceOf } from "./best-response.ts";
export { catalogue, classOf, factsOf, type ResponseCode, reasonPhrase, treatedAs } from "./catalogue.ts";
export type {
  ConditionalHeader,
  Effect,
  HeaderRules,
  Reference,
  ResponseClass,
  ResponseFacts,
  Retry,
  Role,
  Standing,
} from "./facts.ts";
export {
  type CauseFacts,
  causeOfStatus,
  causesLeadingTo,
  causeTable,
  type ReleaseCause,
  statusOfCause,
} from "./q850.ts";
