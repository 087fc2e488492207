// @offhook/sip: the front door. Everything that runs anywhere; sockets are in @offhook/sip/node and /web,
// the virtual network for tests in @offhook/sip/testing.

export * from "./auth/index.ts";
// Names that two folders use: the plain name goes to the one that applications meet.
export { Credentials } from "./auth/index.ts";
export type { Origin, Refusal } from "./core/index.ts";
export * from "./core/index.ts";
export * from "./dialog/index.ts";
export * from "./errors.ts";
export * from "./media/index.ts";
export type { Credentials as CredentialsValue } from "./message/index.ts";
export * from "./message/index.ts";
export * from "./ports.ts";
export * from "./proxy/index.ts";
export * from "./registrar/index.ts";
export * from "./responses/index.ts";
export type { Origin as SdpOrigin, Refusal as OfferRefusal } from "./sdp/index.ts";
export * from "./sdp/index.ts";
export * from "./stack.ts";
export * from "./transaction/index.ts";
export * from "./transport/index.ts";
export * from "./user-agent/index.ts";
