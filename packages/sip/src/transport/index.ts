// Transports, RFC 3261 §18: the public face of this folder.
export {
  canonicalHost,
  defaultPort,
  isIpv6,
  isLiteralAddress,
  isLoopback,
  isWildcard,
  sourceOf,
} from "./address.ts";
export * from "./flow.ts";
export { type FramingUser, StreamFraming } from "./framing.ts";
export { type Location, literalTarget, locate, targetsFor } from "./locate.ts";
export type { NaptrRecord } from "./naptr.ts";
export {
  defaultLocatorLimits,
  type LocatorLimits,
  type NameRecords,
  ServerLocator,
  type ServerLocatorOptions,
} from "./server-locator.ts";
export { SourceRates } from "./source-rates.ts";
export type { SrvRecord } from "./srv.ts";
export * from "./transport.ts";
export { TransportLayer, type TransportLayerOptions } from "./transport-layer.ts";
