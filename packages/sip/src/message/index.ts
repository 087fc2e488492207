// Messages: bytes to objects and back. RFC 3261 §7, §19, §20, §25.

export type { HeaderWriter } from "./byte-writer.ts";
export { contentLengthOf, findHeadEnd } from "./head.ts";
export {
  type AuthenticationInfo,
  type Challenge,
  type Credentials,
  DigestCredentials,
  parseChallenge,
  printAuthenticationInfo,
  printChallenge,
  printCredentials,
} from "./header/auth.ts";
export {
  type Contact,
  type ContactAsWritten,
  type InfoUri,
  parseContact,
  printContact,
} from "./header/contact.ts";
export { type CSeq, printCSeq, printRAck, type RAck } from "./header/cseq.ts";
export { printDate } from "./header/date.ts";
export {
  type Event,
  type EventInit,
  printEvent,
  printSubscriptionState,
  type SubscriptionState,
  type SubscriptionStateInit,
} from "./header/event.ts";
export { type Identity, type IdentityInit, printIdentity } from "./header/identity.ts";
export {
  type MediaType,
  parseMediaType,
  printMediaType,
  printTokenWithParams,
  type TokenWithParams,
} from "./header/media-type.ts";
export { printReason, type Reason, type ReasonInit } from "./header/reason.ts";
export { parseReplaces, printReplaces, type Replaces, type ReplacesInit } from "./header/replaces.ts";
export { printRetryAfter, type RetryAfter } from "./header/retry-after.ts";
export {
  printSessionExpires,
  type SessionExpires,
  type SessionExpiresInit,
} from "./header/session-expires.ts";
export { printTimestamp, type Timestamp } from "./header/timestamp.ts";
export { parseVia, printVia, type Via, type ViaInit } from "./header/via.ts";
export { printWarning, type Warning } from "./header/warning.ts";
export { type HeaderName, type HeaderPrintable, type HeaderValue, headerEntries } from "./header-table.ts";
export { SipHeaders } from "./headers.ts";
export { printHost, printHostPort } from "./host.ts";
export { defaultLimits, type Limits, noLimits } from "./limits.ts";
export {
  answerMalformed,
  type BrokenResponse,
  type MalformedAnswer,
  readBrokenResponse,
} from "./malformed.ts";
export { type SipMessage, SipRequest, SipResponse } from "./message.ts";
export {
  ACK,
  BYE,
  CANCEL,
  INVITE,
  methodIdAt,
  methodNames,
  OPTIONS,
  REGISTER,
} from "./method.ts";
export { type BodyPart, type BodyPartInit, bodyParts, parseMultipart, printMultipart } from "./multipart.ts";
export { type FromTo, type NameAddr, parseNameAddr, printNameAddr } from "./name-addr.ts";
export { isToken, noParams, type Params, printParams, quote } from "./params.ts";
export { parseMessage } from "./parse.ts";
export {
  draftForward,
  draftRequest,
  makeAck,
  makeCancel,
  type RequestDraft,
  type RequestInit,
} from "./request.ts";
export {
  forwardResponse,
  makeResponse,
  type OutgoingResponse,
  PrintedHeaders,
  printResponse,
  type ResponseOptions,
} from "./response.ts";
export {
  type HeaderInit,
  type HeaderInitValue,
  printHeaders,
  printHeaderValue,
  printMessage,
} from "./serialize.ts";
export { type Edits, type ForwardEdits, type LineWriter, splice } from "./splice.ts";
export type { TelUri } from "./tel-uri.ts";
export { type DecodeAscii, decodeAscii, encodeText, setDecodeAscii } from "./text.ts";
export {
  aorOf,
  isSipUri,
  isTelUri,
  type OtherUri,
  parseUri,
  printUri,
  type SipUri,
  type Uri,
} from "./uri.ts";
export { equalUri } from "./uri-compare.ts";
