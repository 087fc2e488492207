// The messages of a call as people and programs read them: a ladder, with secrets taken out. Formatted only here.

import type { Call } from "./call.ts";
import type { TracedMessage } from "./message-trace.ts";
import { findHeader } from "./raw-message.ts";

/** One arrow of the ladder. */
export interface LadderMessage {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Names from `participants`. */
  readonly from: string;
  readonly to: string;
  readonly transport: string;
  /** "INVITE sip:bob@example.com" or "180 Ringing". */
  readonly summary: string;
  /** "1 INVITE" */
  readonly cSeq: string;
  /** True if the same bytes went the same way before. */
  readonly isRetransmission: boolean;
  /** The whole message, secrets replaced. */
  readonly text: string;
}

/** A call's trace as JSON. */
export interface Ladder {
  readonly callId: string;
  /** The server is called "server"; the others are addresses with port, in the order of their appearance. */
  readonly participants: readonly string[];
  readonly messages: readonly LadderMessage[];
  /** Messages of this call that were not kept. */
  readonly omitted: number;
}

const server = "server";

export function ladderOf(call: Call): Ladder {
  const traced = call.messages ?? [];
  const peers = [...new Set(traced.map(peerOf))];
  // Caller left, we in the middle, whoever we asked on the right.
  const participants = [...peers.slice(0, 1), server, ...peers.slice(1)];
  const seen = new Set<string>();
  const messages = traced.map((message) => {
    const peer = peerOf(message);
    const text = Buffer.from(message.bytes).toString("utf8");
    const key = `${message.isSent} ${peer} ${text}`;
    const isRetransmission = seen.has(key);
    seen.add(key);
    const shown = redact(text);
    return {
      at: message.at,
      from: message.isSent ? server : peer,
      to: message.isSent ? peer : server,
      transport: message.transport,
      summary: summaryOf(shown),
      cSeq: findHeader(message.bytes, "cseq") ?? "",
      isRetransmission,
      text: shown,
    };
  });
  return { callId: call.callId, participants, messages, omitted: call.omitted };
}

function peerOf({ remote }: TracedMessage): string {
  const { address, port } = remote;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The start line without the version. */
function summaryOf(text: string): string {
  const line = text.slice(0, Math.max(0, text.indexOf("\r\n")));
  return line.startsWith("SIP/2.0 ") ? line.slice(8) : line.replace(/ SIP\/2\.0$/, "");
}

/**
 * Takes out what would help somebody to pose as one of the parties or to listen in: the answers to challenges and
 * what they were made from (RFC 3261 §22), passwords in URIs (§19.1.1), and keys of the media (RFC 4566 §5.12,
 * RFC 4567, RFC 4568, RFC 8839), also as capabilities (RFC 5939).
 */
export function redact(text: string): string {
  return text
    .replace(
      /^((?:proxy-)?authorization|(?:www|proxy)-authenticate|(?:proxy-)?authentication-info)([ \t]*:)([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)/gim,
      (_, name: string, colon: string, value: string) =>
        `${name}${colon}${
          /^\s*digest\b/i.test(value) || name.toLowerCase().endsWith("authentication-info")
            ? value.replace(
                /\b(response|nonce|nextnonce|cnonce|opaque|rspauth)(\s*=\s*)("(?:[^"\\]|\\.)*"|[^,\s]+)/gi,
                "$1$2…",
              )
            : " …"
        }`,
    )
    .replace(/^(a=(?:acap:\d+[ \t]+)?crypto:\d+[ \t]+\S+[ \t]+).*$/gim, "$1…")
    .replace(/^(a=(?:acap:\d+[ \t]+)?(?:ice-pwd:|key-mgmt:\S+[ \t]+)|k=).*$/gim, "$1…")
    .replace(/(\bsips?:[^@:\s<>"]+:)[^@:\s<>"]+(?=@)/gi, "$1…");
}
