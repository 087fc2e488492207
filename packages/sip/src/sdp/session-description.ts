// Session descriptions: text ↔ data, every line kept in its place. RFC 8866 §5, §9.
import { ArgumentError, ParseError } from "../errors.ts";

/** The `o=` line (§5.2). Ids and versions are decimal text, since they may pass 2^53. */
export interface Origin {
  readonly username: string;
  readonly sessionId: string;
  readonly sessionVersion: string;
  readonly address: Connection;
}

/** A `c=` line (§5.7) or the address part of `o=`. `address` holds no /ttl; IPv6 has no brackets. */
export interface Connection {
  readonly networkType: string;
  /** "IP4", "IP6" or what else came. */
  readonly addressType: string;
  /** A literal address, or a host name. */
  readonly address: string;
  /** What follows the address, e.g. "/127/3" of a multicast group; usually absent. */
  readonly suffix?: string;
}

/** One `a=` line (§5.13): a flag, or a name with a value. */
export interface Attribute {
  readonly type: "a";
  readonly name: string;
  readonly value?: string;
}

/** One line. Lines without a shape of their own here (b=, t=, k=, unknown letters, …) are `text`. */
export type Line =
  | { readonly type: "o"; readonly origin: Origin }
  | { readonly type: "c"; readonly connection: Connection }
  | Attribute
  | { readonly type: "text"; readonly letter: string; readonly value: string };

/** One `m=` line (§5.14) with the lines that belong to it, in their order. */
export interface MediaDescription {
  /** "audio", "video", … */
  readonly media: string;
  /** 0 means that the stream is refused or switched off (RFC 3264 §6, §8.2). */
  readonly port: number;
  /** Number of ports, as in `49170/2`. */
  readonly portCount?: number;
  /** "RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", … */
  readonly protocol: string;
  /** Payload types for RTP, in order of preference. */
  readonly formats: readonly string[];
  readonly lines: readonly Line[];
}

/** A whole description: the lines before the first `m=`, and the media sections. */
export interface SessionDescription {
  readonly lines: readonly Line[];
  readonly media: readonly MediaDescription[];
}

/** What a parser accepts at most. */
export const sdpLimits = { size: 65_536, lines: 2048, media: 128 } as const;

/**
 * Parses a description.
 * @param body UTF-8 bytes or text; lines end in CRLF, or in LF as §5 asks receivers to accept
 * @throws ParseError (status 400, field "body") for what the grammar forbids or what passes `sdpLimits`
 */
export function parseSessionDescription(body: Uint8Array | string): SessionDescription {
  if (body.length > sdpLimits.size) throw bad("the session description is too large", 0);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const lines: Line[] = [];
  const media: (MediaDescription & { readonly lines: Line[] })[] = [];
  let section = lines;
  let count = 0;
  for (const { letter, value, offset } of scan(text)) {
    count += 1;
    if (count > sdpLimits.lines) throw bad("too many lines", offset);
    if (count === 1 && (letter !== "v" || value !== "0")) throw bad("the first line is not v=0", offset);
    if (letter === "m") {
      if (media.length >= sdpLimits.media) throw bad("too many media descriptions", offset);
      section = [];
      media.push({ ...parseMedia(value, offset), lines: section });
    } else {
      section.push(parseLine(letter, value, offset));
    }
  }
  // Let through: a missing t= (§5.9), which no receiver of SIP calls uses.
  if (lines.filter((line) => line.type === "o").length !== 1) throw bad("not exactly one o= line", 0);
  if (lines.filter((line) => line.type === "text" && line.letter === "s").length !== 1) {
    throw bad("not exactly one s= line", 0);
  }
  if (lines.filter((line) => line.type === "text" && line.letter === "v").length !== 1) {
    throw bad("more than one v= line", 0);
  }
  return { lines, media };
}

/**
 * Prints a description with CRLF line ends.
 * @throws ArgumentError if a value holds a line break, which would smuggle a line in
 */
export function printSessionDescription(description: SessionDescription): string {
  let text = "";
  const print = (letter: string, value: string) => {
    if (/[\r\n\0]/.test(value)) throw new ArgumentError(`line break in the ${letter}= line`);
    text += `${letter}=${value}\r\n`;
  };
  const printLines = (lines: readonly Line[]) => {
    for (const line of lines) print(line.type === "text" ? line.letter : line.type, printValue(line));
  };
  printLines(description.lines);
  for (const { media, port, portCount, protocol, formats, lines } of description.media) {
    const ports = portCount === undefined ? `${port}` : `${port}/${portCount}`;
    print("m", [media, ports, protocol, ...formats].join(" "));
    printLines(lines);
  }
  return text;
}

/** The `o=` line, which a parsed or made description always has. */
export function originOf(description: SessionDescription): Origin {
  for (const line of description.lines) if (line.type === "o") return line.origin;
  throw new ArgumentError("the session description has no o= line");
}

/** Where a stream wants its packets: its own `c=`, else that of the session (§5.7); undefined if neither. */
export function connectionOf(
  description: SessionDescription,
  media: MediaDescription,
): Connection | undefined {
  for (const line of media.lines) if (line.type === "c") return line.connection;
  for (const line of description.lines) if (line.type === "c") return line.connection;
  return undefined;
}

/** All attributes of a section with this name (names are case-sensitive, §5.13). */
export function attributesOf(section: { readonly lines: readonly Line[] }, name: string): Attribute[] {
  return section.lines.filter((line): line is Attribute => line.type === "a" && line.name === name);
}

/** The connection data of an address: IP6 if it has a colon. */
export function connectionTo(address: string): Connection {
  return { networkType: "IN", addressType: address.includes(":") ? "IP6" : "IP4", address };
}

interface RawLine {
  readonly letter: string;
  readonly value: string;
  readonly offset: number;
}

// §9: every line is a letter, "=", and text without NUL, CR and LF.
function* scan(text: string): Generator<RawLine> {
  let offset = 0;
  while (offset < text.length) {
    const feed = text.indexOf("\n", offset);
    const end = feed < 0 ? text.length : feed;
    const line = text.slice(offset, text.charCodeAt(end - 1) === 13 && end > offset ? end - 1 : end);
    if (line === "") {
      // Let through: blank lines at the very end.
      if (text.slice(offset).trim() !== "") throw bad("blank line", offset);
      return;
    }
    const letter = line.charAt(0);
    if (line.charAt(1) !== "=" || !/[a-z]/.test(letter)) throw bad("a line is not letter=value", offset);
    if (/[\r\0]/.test(line)) throw bad("CR or NUL inside a line", offset);
    yield { letter, value: line.slice(2), offset };
    offset = end + 1;
  }
  if (text.trim() === "") throw bad("the session description is empty", 0);
}

function parseLine(letter: string, value: string, offset: number): Line {
  switch (letter) {
    case "o":
      return { type: "o", origin: parseOrigin(value, offset) };
    case "c":
      return { type: "c", connection: parseConnection(value, offset) };
    case "a":
      return parseAttribute(value, offset);
    default:
      return { type: "text", letter, value };
  }
}

function parseOrigin(value: string, offset: number): Origin {
  const [username, sessionId, sessionVersion, networkType, addressType, address, ...rest] = value.split(" ");
  if (!username || !networkType || !addressType || !address || rest.length > 0) {
    throw bad("o= does not have six fields", offset);
  }
  if (!/^\d{1,32}$/.test(sessionId ?? "") || !/^\d{1,32}$/.test(sessionVersion ?? "")) {
    throw bad("o= has an id or version that is not a number", offset);
  }
  return {
    username,
    sessionId: sessionId ?? "",
    sessionVersion: sessionVersion ?? "",
    address: { networkType, addressType, address },
  };
}

function parseConnection(value: string, offset: number): Connection {
  const [networkType, addressType, whole, ...rest] = value.split(" ");
  // Let through: blanks at the end, which some devices send.
  if (!networkType || !addressType || !whole || rest.some((field) => field !== "")) {
    throw bad("c= does not have three fields", offset);
  }
  const slash = whole.indexOf("/");
  if (slash === 0) throw bad("c= has no address", offset);
  if (slash < 0) return { networkType, addressType, address: whole };
  return { networkType, addressType, address: whole.slice(0, slash), suffix: whole.slice(slash) };
}

function parseAttribute(value: string, offset: number): Attribute {
  const colon = value.indexOf(":");
  const name = colon < 0 ? value : value.slice(0, colon);
  if (!/^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+$/.test(name)) throw bad("a= has no valid name", offset);
  return colon < 0 ? { type: "a", name } : { type: "a", name, value: value.slice(colon + 1) };
}

function parseMedia(value: string, offset: number): Omit<MediaDescription, "lines"> {
  const [media, ports, protocol, ...formats] = value.trimEnd().split(/ +/);
  const matched = /^(\d{1,5})(?:\/(\d{1,5}))?$/.exec(ports ?? "");
  if (!media || !protocol || matched === null) throw bad("m= is not media, port, protocol, formats", offset);
  const port = Number(matched[1]);
  if (port > 65_535) throw bad("m= has a port above 65535", offset);
  if (formats.length === 0) throw bad("m= lists no format", offset);
  const portCount = matched[2] === undefined ? undefined : Number(matched[2]);
  return { media, port, ...(portCount === undefined ? {} : { portCount }), protocol, formats };
}

function printValue(line: Line): string {
  switch (line.type) {
    case "o": {
      const { username, sessionId, sessionVersion, address } = line.origin;
      return `${username} ${sessionId} ${sessionVersion} ${printConnection(address)}`;
    }
    case "c":
      return printConnection(line.connection);
    case "a":
      return line.value === undefined ? line.name : `${line.name}:${line.value}`;
    case "text":
      return line.value;
  }
}

function printConnection({ networkType, addressType, address, suffix = "" }: Connection): string {
  return `${networkType} ${addressType} ${address}${suffix}`;
}

function bad(reason: string, offset: number): ParseError {
  return new ParseError("body", reason, { status: 400, offset });
}
