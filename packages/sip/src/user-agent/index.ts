// User agents: calls, registrations, requests. RFC 3261 §9–§11, §13–§15.
export { type AudioOptions, AudioSession, audioSessions } from "./audio.ts";
export { type AnswerOptions, Call, type CallEnd, type CallState } from "./call.ts";
export type { CallTimers, InDialogHandler } from "./call-context.ts";
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
export {
  type CallOptions,
  type RequestDetails,
  type SharedStack,
  UserAgent,
  type UserAgentOptions,
} from "./user-agent.ts";
