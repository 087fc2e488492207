// A peer that sends text and expects patterns: SIP by hand, for what no well-behaved stack would send.

import type { Wire } from "../node/wire.ts";
import type { Endpoint } from "../transport/index.ts";

/** What patterns have captured so far, by name. */
export type Captures = Record<string, string>;

/** A message that came, as text. */
export interface WireText {
  readonly text: string;
  readonly startLine: string;
  /** Field lines, folds undone. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly from: Endpoint;
}

/** A message did not come, or not as expected. The text says what came instead. */
export class WireMismatch extends Error {
  override readonly name = "WireMismatch";
}

export interface WirePeerOptions {
  /** Where datagrams go until somebody has written to us. */
  remote?: Endpoint;
  /** How long `expect` waits, milliseconds; default 10 000. */
  timeout?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 *     const peer = new WirePeer(await udpWire(), { remote: listener });
 *     peer.send(`OPTIONS sip:bob@example.com SIP/2.0
 *       Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1;rport
 *       …`);
 *     const { tag } = await peer.expect(`SIP/2.0 200 OK
 *       To: <sip:bob@example.com>;tag={tag}`);
 *
 * In both, `{name}` stands for what was captured under that name; in a pattern it captures if nothing was.
 * `{host}` and `{port}` are our own, `{peerHost}` and `{peerPort}` the other side's, `{length}` the length of
 * the body sent. Lines may be indented.
 */
export class WirePeer {
  readonly wire: Wire;
  readonly captures: Captures;
  /** The last message that `expect` took. */
  last: WireText | undefined;
  readonly #timeout: number;
  #remote: Endpoint | undefined;

  constructor(wire: Wire, options: WirePeerOptions = {}) {
    this.wire = wire;
    this.#timeout = options.timeout ?? 10_000;
    this.captures = { host: bracketed(wire.local.address), port: String(wire.local.port) };
    if (options.remote) this.#setRemote(options.remote);
  }

  /** Sends a message written as text, one line each, filled in; the body after an empty line. */
  send(text: string): void {
    this.sendBytes(composeText(text, this.captures));
  }

  /** Sends these bytes, whatever they are. */
  sendBytes(bytes: Uint8Array | string): void {
    this.wire.send(typeof bytes === "string" ? encoder.encode(bytes) : bytes, this.#remote);
  }

  /** Answers the last request: `peer.reply("180 Ringing", "Contact: <sip:me@{host}:{port}>")`. */
  reply(status: string, ...extra: string[]): void {
    this.send(replyText(this.#lastRequest(), this.captures["localTag"] ?? "wire", status, extra));
  }

  /**
   * Waits for the next message and compares: the first line with its first, each further line with any field
   * line of that name, lines after an empty one with the body's. A line that begins with `!` must match none.
   * `{name}` captures up to what follows it, `{name:regular expression}` what that matches, `{*}` anything.
   */
  async expect(pattern: string, options: { timeout?: number } = {}): Promise<Captures & { text: string }> {
    const message = await this.receive(options.timeout);
    if (!message) {
      const why = this.wire.isClosed ? "the connection ended" : "nothing came";
      throw new WireMismatch(`${why}, expected:\n${pattern}`);
    }
    this.last = message;
    const captured = matchText(pattern, message, this.captures);
    Object.assign(this.captures, captured);
    return { ...this.captures, text: message.text };
  }

  /** Fails if anything comes within this time, milliseconds. */
  async expectNothing(time: number): Promise<void> {
    const message = await this.receive(time);
    if (message) throw new WireMismatch(`expected nothing, but this came:\n${message.text}`);
  }

  /** The next message, whatever it is. */
  async receive(timeout: number = this.#timeout): Promise<WireText | undefined> {
    const message = await this.wire.receive(timeout);
    if (!message) return undefined;
    if (this.wire.transport === "UDP") this.#setRemote(message.from);
    return readText(message.bytes, message.from);
  }

  async close(): Promise<void> {
    await this.wire.close();
  }

  #setRemote(remote: Endpoint): void {
    this.#remote = { address: remote.address, port: remote.port };
    this.captures["peerHost"] = bracketed(remote.address);
    this.captures["peerPort"] = String(remote.port);
  }

  #lastRequest(): WireText {
    if (!this.last || this.last.startLine.startsWith("SIP/")) throw new WireMismatch("no request to answer");
    return this.last;
  }
}

/** The bytes of a message written as for `WirePeer.send`, filled in. */
export function composeText(text: string, captures: Captures): Uint8Array {
  const [head, body] = lines(text);
  const bodyBytes = encoder.encode(body);
  const filled = head
    .map((line) => fill(line, { ...captures, length: String(bodyBytes.length) }))
    .join("\r\n");
  return concatenate(encoder.encode(`${filled}\r\n\r\n`), bodyBytes);
}

/** The text of a response, for `composeText`: what §8.2.6.2 copies, a To tag unless it is a 100, and `extra`. */
export function replyText(
  request: WireText,
  toTag: string,
  status: string,
  extra: readonly string[] = [],
): string {
  const copied = request.fields.filter((line) =>
    /^(via|v|from|f|to|t|call-id|i|cseq|record-route)\s*:/i.test(line),
  );
  const tagged = copied.map((line) =>
    /^(to|t)\s*:/i.test(line) && !/;\s*tag=/i.test(line) && !status.startsWith("100")
      ? `${line};tag=${toTag}`
      : line,
  );
  const [fields, body] = splitBody(extra);
  return [`SIP/2.0 ${status}`, ...tagged, ...fields, "Content-Length: {length}", "", ...body].join("\n");
}

/** Bytes that came, as text. */
export function readText(bytes: Uint8Array, from: Endpoint): WireText {
  const text = decoder.decode(bytes);
  const headEnd = text.indexOf("\r\n\r\n");
  const head = headEnd < 0 ? text : text.slice(0, headEnd);
  const [startLine = "", ...fields] = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  return { text, startLine, fields, body: headEnd < 0 ? "" : text.slice(headEnd + 4), from };
}

/**
 * What the pattern (see `WirePeer.expect`) captures from the message, beyond what is known.
 * @throws {WireMismatch} if they do not fit
 */
export function matchText(pattern: string, message: WireText, known: Captures): Captures {
  const captured: Captures = {};
  const [[startLine = "", ...fields], body] = lines(pattern);
  const mismatch = (line: string) =>
    new WireMismatch(`no match for\n  ${line}\nin\n${message.text.replaceAll("\r", "")}`);
  if (!match(startLine, message.startLine, known, captured)) throw mismatch(startLine);
  for (const field of fields) {
    if (field.startsWith("!")) {
      if (message.fields.some((line) => matchField(field.slice(1), line, known, {}))) throw mismatch(field);
    } else if (!message.fields.some((line) => matchField(field, line, known, captured))) {
      throw mismatch(field);
    }
  }
  const bodyLines = message.body.split("\r\n");
  for (const line of body.split("\r\n").filter((line) => line !== "")) {
    if (!bodyLines.some((other) => match(line, other, known, captured))) throw mismatch(line);
  }
  return captured;
}

function matchField(pattern: string, line: string, known: Captures, captured: Captures): boolean {
  const [name = "", value] = splitField(line);
  const [wantedName = "", wantedValue] = splitField(pattern);
  return name.toLowerCase() === wantedName.toLowerCase() && match(wantedValue, value, known, captured);
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(":");
  return colon < 0 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** True if the whole text fits; what it captures is added. */
function match(pattern: string, text: string, known: Captures, captured: Captures): boolean {
  const names: string[] = [];
  let source = "";
  for (const part of pattern.split(/(\{[A-Za-z*]\w*(?::(?:[^{}]|\{[^{}]*\})*)?\})/)) {
    const hole = /^\{([A-Za-z*]\w*)(?::(.*))?\}$/s.exec(part);
    const [, name = "", expression] = hole ?? [];
    const value = captured[name] ?? known[name];
    if (!hole) source += literally(part);
    else if (name === "*") source += ".*";
    else if (value !== undefined && expression === undefined) source += literally(value);
    else {
      names.push(name);
      source += `(${(expression ?? ".+?").replace(/(?<!\\)\((?!\?)/g, "(?:")})`;
    }
  }
  const found = new RegExp(`^${source}$`).exec(text);
  if (!found) return false;
  names.forEach((name, index) => {
    captured[name] = found[index + 1] ?? "";
  });
  return true;
}

/** Head lines without their indentation, and the body with CRLF. */
function lines(text: string): [string[], string] {
  const all = text.split(/\r?\n/).map((line) => line.trim());
  while (all[0] === "") all.shift();
  const [head, body] = splitBody(all);
  while (body.length > 0 && body[body.length - 1] === "") body.pop();
  return [head, body.map((line) => `${line}\r\n`).join("")];
}

function splitBody(all: readonly string[]): [string[], string[]] {
  const gap = all.indexOf("");
  return gap < 0 ? [[...all], []] : [all.slice(0, gap), all.slice(gap + 1)];
}

function fill(line: string, captures: Captures): string {
  return line.replace(/\{([A-Za-z]\w*)\}/g, (hole, name: string) => captures[name] ?? hole);
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
