// User agents: calls, registrations, requests. RFC 3261 §9–§11, §13–§15.
export { type AudioOptions, AudioSession, audioSessions } from "./audio.ts";
export { Call } from "./call.ts";
export type { CallTimers, InDialogHandler } from "./call-context.ts";
export type { CallEnd, CallState } from "./call-end.ts";
export type { AnswerOptions, ProgressOptions } from "./callee.ts";
export {
  GivenMedia,
  type MediaContext,
  type MediaFactory,
  type MediaSession,
  NoMedia,
  type SdpSource,
} from "./media-session.ts";
export { type RegisterOptions, Registration, type RegistrationState } from "./registration.ts";
export type { Runtime, StackDriver, Transport } from "./runtime.ts";
export { UserAgent } from "./user-agent.ts";
export type {
  CallOptions,
  ReliableProvisionals,
  RequestDetails,
  SharedStack,
  UserAgentOptions,
} from "./user-agent-options.ts";
