// What the lines of a media section say about its stream: codecs, direction, timing, RTCP. RFC 8866 §6, RFC 3551.
import {
  type Attribute,
  attributesOf,
  connectionOf,
  type MediaDescription,
  type SessionDescription,
} from "./session-description.ts";

/** An RTP payload format as `a=rtpmap` and `a=fmtp` describe it. */
export interface Codec {
  /** 0–127; at 96 and above the number means nothing without its rtpmap. */
  readonly payloadType: number;
  /** The encoding name; compared without regard to case. */
  readonly name: string;
  /** RTP timestamp ticks per second. */
  readonly clockRate: number;
  readonly channels: number;
  /** Format parameters, the text after the payload type. */
  readonly fmtp?: string;
}

/** Who sends, seen from the one who wrote the description (RFC 8866 §6.7). */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** G.711 µ-law, payload type 0 (RFC 3551 §6). */
export const pcmu: Codec = { payloadType: 0, name: "PCMU", clockRate: 8000, channels: 1 };

/** G.711 A-law, payload type 8 (RFC 3551 §6). */
export const pcma: Codec = { payloadType: 8, name: "PCMA", clockRate: 8000, channels: 1 };

/** Key presses, events 0–15 (RFC 4733 §2.4.1); 101 is the number that most phones use. */
export const telephoneEvent: Codec = {
  payloadType: 101,
  name: "telephone-event",
  clockRate: 8000,
  channels: 1,
  fmtp: "0-15",
};

// RFC 3551 §6: payload types with a fixed meaning, for the formats that may come without an rtpmap.
const staticCodecs = new Map<number, Codec>(
  [
    pcmu,
    pcma,
    { payloadType: 3, name: "GSM", clockRate: 8000, channels: 1 },
    { payloadType: 4, name: "G723", clockRate: 8000, channels: 1 },
    { payloadType: 9, name: "G722", clockRate: 8000, channels: 1 },
    { payloadType: 13, name: "CN", clockRate: 8000, channels: 1 },
    { payloadType: 15, name: "G728", clockRate: 8000, channels: 1 },
    { payloadType: 18, name: "G729", clockRate: 8000, channels: 1 },
  ].map((codec) => [codec.payloadType, codec]),
);

/** The codecs of an RTP stream in the order of its `m=` line; formats that nothing explains are left out. */
export function codecsOf(media: MediaDescription): Codec[] {
  const maps = new Map(attributesOf(media, "rtpmap").map(splitByPayloadType));
  const parameters = new Map(attributesOf(media, "fmtp").map(splitByPayloadType));
  // One that stands there a thousand times counts once: what comes of this goes into answers, and meets every packet.
  return [...new Set(media.formats)].flatMap((format) => {
    const payloadType = payloadTypeOf(format);
    if (payloadType === undefined) return [];
    const codec = parseRtpmap(payloadType, maps.get(payloadType)) ?? staticCodecs.get(payloadType);
    if (codec === undefined) return [];
    const fmtp = parameters.get(payloadType);
    return [fmtp === undefined ? codec : { ...codec, fmtp }];
  });
}

/** The lines that describe codecs: every rtpmap, and an fmtp where there are parameters. */
export function codecLines(codecs: readonly Codec[]): Attribute[] {
  return codecs.flatMap(({ payloadType, name, clockRate, channels, fmtp }) => {
    const rate = channels === 1 ? `${clockRate}` : `${clockRate}/${channels}`;
    const lines: Attribute[] = [{ type: "a", name: "rtpmap", value: `${payloadType} ${name}/${rate}` }];
    if (fmtp !== undefined) lines.push({ type: "a", name: "fmtp", value: `${payloadType} ${fmtp}` });
    return lines;
  });
}

/** True if both are the same format, whatever their payload types (RFC 3264 §6.1). */
export function isSameCodec(a: Codec, b: Codec): boolean {
  return (
    a.name.toLowerCase() === b.name.toLowerCase() && a.clockRate === b.clockRate && a.channels === b.channels
  );
}

/** The direction of a stream: its own attribute, else that of the session, else sendrecv (RFC 8866 §6.7). */
export function directionOf(description: SessionDescription, media: MediaDescription): Direction {
  return ownDirection(media) ?? ownDirection(description) ?? "sendrecv";
}

/** The peer's direction; 0.0.0.0 says "send me nothing", the hold of RFC 2543 (RFC 3264 §8.4). */
export function peerDirection(description: SessionDescription, media: MediaDescription): Direction {
  const direction = directionOf(description, media);
  return isNowhere(description, media) ? intersection(direction, "sendonly") : direction;
}

/** True if its address is the one that means none. */
export function isNowhere(description: SessionDescription, media: MediaDescription): boolean {
  const address = connectionOf(description, media)?.address;
  return address === "0.0.0.0" || address === "::";
}

/** Milliseconds of audio per packet (RFC 8866 §6.4), undefined if not said or not a sensible number. */
export function ptimeOf(media: MediaDescription): number | undefined {
  const value = Number(attributesOf(media, "ptime")[0]?.value);
  return value > 0 && value <= 1000 ? value : undefined;
}

/** Where RTCP goes if not to the port after RTP: `a=rtcp` (RFC 3605 §2.1). */
export function rtcpPortOf(media: MediaDescription): number | undefined {
  const matched = /^(\d{1,5})( |$)/.exec(attributesOf(media, "rtcp")[0]?.value ?? "");
  const port = Number(matched?.[1]);
  return port > 0 && port <= 65_535 ? port : undefined;
}

/** True if RTP and RTCP may share one port (RFC 5761 §5.1.1). */
export function hasRtcpMux(media: MediaDescription): boolean {
  return attributesOf(media, "rtcp-mux").length > 0;
}

/** The same stream as the other side sees it: sendonly there is recvonly here. */
export function reversed(direction: Direction): Direction {
  if (direction === "sendonly") return "recvonly";
  return direction === "recvonly" ? "sendonly" : direction;
}

/** What both allow: each of sending and receiving only if both have it (RFC 3264 §6.1). */
export function intersection(a: Direction, b: Direction): Direction {
  return directionFor(canSend(a) && canSend(b), canReceive(a) && canReceive(b));
}

/** RFC 3264 §8.4: a stream goes on hold by no longer receiving, sendrecv → sendonly, recvonly → inactive. */
export function onHold(direction: Direction): Direction {
  return directionFor(canSend(direction), false);
}

export function canSend(direction: Direction): boolean {
  return direction === "sendrecv" || direction === "sendonly";
}

export function canReceive(direction: Direction): boolean {
  return direction === "sendrecv" || direction === "recvonly";
}

function directionFor(sends: boolean, receives: boolean): Direction {
  if (sends) return receives ? "sendrecv" : "sendonly";
  return receives ? "recvonly" : "inactive";
}

const directions: readonly string[] = ["sendrecv", "sendonly", "recvonly", "inactive"];

function ownDirection(section: SessionDescription | MediaDescription): Direction | undefined {
  for (const line of section.lines) {
    if (line.type === "a" && directions.includes(line.name)) return line.name as Direction;
  }
  return undefined;
}

function splitByPayloadType({ value = "" }: Attribute): [payloadType: number | undefined, rest: string] {
  const blank = value.indexOf(" ");
  return blank < 0 ? [undefined, ""] : [payloadTypeOf(value.slice(0, blank)), value.slice(blank + 1).trim()];
}

function payloadTypeOf(text: string): number | undefined {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 128;
  return number <= 127 ? number : undefined;
}

function parseRtpmap(payloadType: number, text: string | undefined): Codec | undefined {
  const matched = /^([^/\s]+)\/(\d{1,9})(?:\/(\d{1,3}))?$/.exec(text ?? "");
  if (matched === null) return undefined;
  const [, name = "", clockRate, channels = "1"] = matched;
  if (Number(clockRate) === 0 || Number(channels) === 0) return undefined;
  return { payloadType, name, clockRate: Number(clockRate), channels: Number(channels) };
}
