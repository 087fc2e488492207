// Agreeing on one audio stream by offer and answer: call set-up, hold, resume, refusal. RFC 3264.
import {
  connectionOf,
  connectionTo,
  type Line,
  type MediaDescription,
  originOf,
  printSessionDescription,
  type SessionDescription,
} from "./session-description.ts";
import {
  type Codec,
  canReceive,
  canSend,
  codecLines,
  codecsOf,
  type Direction,
  directionOf,
  intersection,
  isNowhere,
  isSameCodec,
  pcma,
  pcmu,
  peerDirection,
  ptimeOf,
  reversed,
  rtcpPortOf,
  telephoneEvent,
} from "./stream.ts";

/** What this side brings to an offer or answer. */
export interface LocalSession {
  /** Decimal text, unlikely to be used twice (RFC 8866 §5.2); the same through the whole session. */
  readonly sessionId: string;
  /** Where we receive RTP. */
  readonly address: string;
  readonly port: number;
  /** In order of preference; PCMU, PCMA and telephone-event if absent. */
  readonly codecs?: readonly Codec[];
  /** What we want: "sendrecv" if absent, `onHold(…)` of it to hold. */
  readonly direction?: Direction;
  /** Milliseconds of audio per packet that we like to receive; 20 if absent. */
  readonly ptime?: number;
}

/** What was agreed on for the audio of a call, seen from this side. */
export interface AudioStream {
  /** Which `m=` line, from 0. */
  readonly index: number;
  /** Where to send RTP; undefined if the peer wants none for now (0.0.0.0, RFC 3264 §8.4). */
  readonly remote?: { readonly address: string; readonly port: number };
  readonly remoteRtcpPort: number;
  readonly direction: Direction;
  /** What we send, with the peer's payload type. */
  readonly codec: Codec;
  /** What may arrive, with our payload types, telephone-event included. */
  readonly receive: readonly Codec[];
  /** Payload types for key presses if both have them (RFC 4733). */
  readonly telephoneEvent?: { readonly send: number; readonly receive: number };
  /** Milliseconds of audio per packet to send. */
  readonly ptime: number;
  /** The peer takes no audio from us: it has put us on hold. */
  readonly isHeldByPeer: boolean;
}

/** Why an offer cannot be accepted, with the code for the Warning of a 488 (RFC 3261 §20.43). */
export type Refusal =
  | { readonly reason: "no audio stream"; readonly warning: 304 }
  | { readonly reason: "incompatible transport"; readonly warning: 302 }
  | { readonly reason: "incompatible address"; readonly warning: 301 }
  | { readonly reason: "no common codec"; readonly warning: 305 };

export type AnswerResult =
  | { readonly ok: true; readonly answer: SessionDescription; readonly audio?: AudioStream }
  | ({ readonly ok: false } & Refusal);

/** How an answer can fail to fit its offer; the call is then ended, since an answer cannot be refused. */
export type AnswerFault =
  | "wrong number of streams"
  | "stream of another kind"
  | "stream that was not offered"
  | "no address"
  | "no common codec";

export type AppliedAnswer =
  | { readonly ok: true; readonly audio?: AudioStream }
  | { readonly ok: false; readonly reason: AnswerFault };

const defaultCodecs: readonly Codec[] = [pcmu, pcma, telephoneEvent];
const defaultPtime = 20;

/**
 * The first offer of a session, or with `previous` (our last description in it) a new one: same streams in the same
 * places, same payload types, and a higher version if anything changed (§5, §8).
 */
export function createOffer(local: LocalSession, previous?: SessionDescription): SessionDescription {
  const direction = local.direction ?? "sendrecv";
  if (previous === undefined) return describe(local, [audioSection(local, offered(local), direction)]);
  // §8: streams never disappear from a session, they are switched off in place; a place switched off may be reused.
  const place = placeOfAudio(previous);
  const media = previous.media.map((old, index) =>
    index === place
      ? audioSection(local, keepPayloadTypes(offered(local), old), direction)
      : switchedOff(old),
  );
  if (place < 0) media.push(audioSection(local, offered(local), direction));
  return describe(local, media, previous);
}

/**
 * What we could do, without a stream: for the answer to OPTIONS and the body of a 488 (§9).
 */
export function createCapabilities(local: LocalSession): SessionDescription {
  return describe(local, [audioSection({ ...local, port: 0 }, offered(local), "sendrecv")]);
}

/**
 * Answers an offer: one audio stream is accepted, every other one refused by port 0 (§6). Codecs come in the
 * offerer's order, with its payload types. `previous` is our last description in the same session. An offer that
 * has streams but none that we can take gives a refusal, to be sent as 488.
 */
export function createAnswer(
  local: LocalSession,
  offer: SessionDescription,
  previous?: SessionDescription,
): AnswerResult {
  const choices = offer.media.map((media) => choose(local, offer, media));
  const usable = choices.flatMap((choice, index) => (typeof choice === "object" ? [index] : []));
  const before = previous === undefined ? -1 : previous.media.findIndex((media) => media.port !== 0);
  const place = usable.includes(before) ? before : (usable[0] ?? -1);
  if (place < 0 && choices.some((choice) => choice !== "switched off")) {
    return { ok: false, ...refusalFor(choices) };
  }
  const chosen = choices[place];
  const media = offer.media.map((theirs, index) =>
    index === place && typeof chosen === "object"
      ? audioSection(local, chosen.codecs, chosen.direction)
      : switchedOff(theirs),
  );
  const answer = describe(local, media, previous);
  const ours = answer.media[place];
  const theirs = offer.media[place];
  if (ours === undefined || theirs === undefined || typeof chosen !== "object") return { ok: true, answer };
  return { ok: true, answer, audio: agreed(place, offer, theirs, ours, chosen.direction) };
}

/** Reads the answer to our offer (§7). Nothing of it is trusted to fit. */
export function applyAnswer(offer: SessionDescription, answer: SessionDescription): AppliedAnswer {
  // §6: as many m= lines as the offer, in its order.
  if (answer.media.length !== offer.media.length) return { ok: false, reason: "wrong number of streams" };
  let audio: AudioStream | undefined;
  for (const [index, ours] of offer.media.entries()) {
    const theirs = answer.media[index];
    if (theirs === undefined || theirs.port === 0) continue;
    if (ours.port === 0) return { ok: false, reason: "stream that was not offered" };
    if (theirs.media !== ours.media || theirs.protocol !== ours.protocol) {
      return { ok: false, reason: "stream of another kind" };
    }
    if (audio !== undefined || ours.media !== "audio") continue;
    if (connectionOf(answer, theirs) === undefined) return { ok: false, reason: "no address" };
    const common = codecsOf(theirs).filter((codec) => codecsOf(ours).some((own) => isSameCodec(own, codec)));
    if (!common.some(isAudio)) return { ok: false, reason: "no common codec" };
    const direction = intersection(directionOf(offer, ours), reversed(peerDirection(answer, theirs)));
    audio = agreed(index, answer, theirs, ours, direction);
  }
  return audio === undefined ? { ok: true } : { ok: true, audio };
}

// --- Making descriptions ----------------------------------------------------------------------------------------

function offered(local: LocalSession): readonly Codec[] {
  return local.codecs ?? defaultCodecs;
}

function audioSection(local: LocalSession, codecs: readonly Codec[], direction: Direction): MediaDescription {
  return {
    media: "audio",
    port: local.port,
    protocol: "RTP/AVP",
    formats: codecs.map((codec) => `${codec.payloadType}`),
    lines: [
      ...codecLines(codecs),
      { type: "a", name: "ptime", value: `${local.ptime ?? defaultPtime}` },
      { type: "a", name: direction },
    ],
  };
}

// §6, §8.2: port 0; the rest of the section does not matter, but media, protocol and a format must be there.
function switchedOff({ media, protocol, formats }: MediaDescription): MediaDescription {
  return { media, port: 0, protocol, formats, lines: [] };
}

function describe(
  local: LocalSession,
  media: readonly MediaDescription[],
  previous?: SessionDescription,
): SessionDescription {
  const withVersion = (sessionVersion: string): SessionDescription => {
    // §8: everything in o= but the version stays, even if our address has changed.
    const origin =
      previous === undefined
        ? { username: "-", sessionId: local.sessionId, address: connectionTo(local.address) }
        : originOf(previous);
    const lines: Line[] = [
      { type: "text", letter: "v", value: "0" },
      { type: "o", origin: { ...origin, sessionVersion } },
      { type: "text", letter: "s", value: "-" },
      { type: "c", connection: connectionTo(local.address) },
      { type: "text", letter: "t", value: "0 0" },
    ];
    return { lines, media };
  };
  if (previous === undefined) return withVersion("1");
  const version = originOf(previous).sessionVersion;
  const unchanged = withVersion(version);
  // §8: same version only if nothing changed, else one more.
  if (printSessionDescription(unchanged) === printSessionDescription(previous)) return unchanged;
  return withVersion(String(BigInt(version) + 1n));
}

/** The place of the audio stream in our last description: the active one, else any that may be reused, else -1. */
function placeOfAudio(previous: SessionDescription): number {
  const active = previous.media.findIndex((media) => media.port !== 0);
  return active >= 0 ? active : previous.media.findIndex((media) => media.media === "audio");
}

// §8.3.2: a payload type never changes its meaning within a session.
function keepPayloadTypes(codecs: readonly Codec[], old: MediaDescription): Codec[] {
  const known = codecsOf(old);
  const taken = new Set(known.map((codec) => codec.payloadType));
  return codecs.map((codec) => {
    const same = known.find((before) => isSameCodec(before, codec));
    if (same !== undefined) return { ...codec, payloadType: same.payloadType };
    let payloadType = codec.payloadType;
    if (taken.has(payloadType)) {
      payloadType = 96;
      while (taken.has(payloadType) && payloadType < 127) payloadType += 1;
    }
    taken.add(payloadType);
    return { ...codec, payloadType };
  });
}

// --- Reading descriptions ---------------------------------------------------------------------------------------

interface Choice {
  /** What we take: the offerer's order and payload types, our parameters. */
  readonly codecs: readonly Codec[];
  readonly direction: Direction;
}

type NoChoice = "switched off" | Refusal["reason"];

function choose(local: LocalSession, offer: SessionDescription, media: MediaDescription): Choice | NoChoice {
  if (media.port === 0) return "switched off";
  if (media.media !== "audio") return "no audio stream";
  if (media.protocol !== "RTP/AVP") return "incompatible transport";
  const connection = connectionOf(offer, media);
  if (connection?.networkType !== "IN") return "incompatible address";
  if (connection.addressType !== connectionTo(local.address).addressType) return "incompatible address";
  const codecs = codecsOf(media).flatMap((theirs) => {
    const ours = offered(local).find((codec) => isSameCodec(codec, theirs));
    return ours === undefined ? [] : [{ ...ours, payloadType: theirs.payloadType }];
  });
  if (!codecs.some(isAudio)) return "no common codec";
  return {
    codecs,
    direction: intersection(local.direction ?? "sendrecv", reversed(peerDirection(offer, media))),
  };
}

const refusals = {
  "no audio stream": { reason: "no audio stream", warning: 304 },
  "incompatible transport": { reason: "incompatible transport", warning: 302 },
  "incompatible address": { reason: "incompatible address", warning: 301 },
  "no common codec": { reason: "no common codec", warning: 305 },
} as const satisfies { [Reason in Refusal["reason"]]: Extract<Refusal, { reason: Reason }> };

/** The refusal of the stream that came closest to being taken. */
function refusalFor(choices: readonly (Choice | NoChoice)[]): Refusal {
  const order = ["no common codec", "incompatible address", "incompatible transport"] as const;
  return refusals[order.find((reason) => choices.includes(reason)) ?? "no audio stream"];
}

function isAudio(codec: Codec): boolean {
  return codec.name.toLowerCase() !== "telephone-event" && codec.name.toUpperCase() !== "CN";
}

function agreed(
  index: number,
  peer: SessionDescription,
  theirs: MediaDescription,
  ours: MediaDescription,
  direction: Direction,
): AudioStream {
  const receive = codecsOf(ours);
  const send = codecsOf(theirs).filter((codec) => receive.some((own) => isSameCodec(own, codec)));
  // §6.1: the first format of the peer's list that we share is the one it prefers.
  const codec = send.find(isAudio) ?? pcmu;
  const sendEvents = send.find((found) => isSameCodec(found, telephoneEvent))?.payloadType;
  const receiveEvents = receive.find((found) => isSameCodec(found, telephoneEvent))?.payloadType;
  const address = connectionOf(peer, theirs)?.address;
  return {
    index,
    ...(address === undefined || isNowhere(peer, theirs) ? {} : { remote: { address, port: theirs.port } }),
    remoteRtcpPort: rtcpPortOf(theirs) ?? theirs.port + 1,
    direction,
    codec,
    receive,
    ...(sendEvents === undefined || receiveEvents === undefined
      ? {}
      : { telephoneEvent: { send: sendEvents, receive: receiveEvents } }),
    ptime: ptimeOf(theirs) ?? defaultPtime,
    isHeldByPeer: !canReceive(peerDirection(peer, theirs)),
  };
}

/** True if audio goes out on this stream now. */
export function isSending(stream: AudioStream): boolean {
  return canSend(stream.direction) && stream.remote !== undefined;
}
