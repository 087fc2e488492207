// The proxy, RFC 3261 §16: the public face of this folder.

export { type HashKey, hashKey, keyedHash } from "../keyed-hash.ts";
export { sipsNotAllowed } from "./best-response.ts";
export { defaultMaxBreadth } from "./forward.ts";
export { type OwnIdentity, preprocessRoute, type RouteDecision } from "./preprocess-route.ts";
export { type Admission, type Destination, type ProxyOptions, ProxyServer } from "./proxy.ts";
export type { RouteContext, RouteProgram } from "./route.ts";
export {
  type ProxyTarget,
  type RegisteredContact,
  type TargetOrder,
  TargetSet,
  targetsOf,
} from "./targets.ts";
