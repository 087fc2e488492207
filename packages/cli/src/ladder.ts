// Draws the ladder of a call in text: a column per party, an arrow per message.

import { styleText } from "node:util";
import type { Ladder, LadderMessage } from "@offhook/server";
import { clean } from "./text-table.ts";

type Style = Parameters<typeof styleText>[0];

/** Columns between two parties, at most. */
const widest = 44;

/** A ladder of a call, or of a scenario that was played: there the network may have lost a message. */
interface Drawn extends Ladder {
  readonly messages: readonly (LadderMessage & { readonly isLost?: boolean })[];
}

/** The drawing; with `full`, every message follows its arrow. */
export function printLadder(ladder: Drawn, options: { full?: boolean; color?: boolean } = {}): string {
  const paint = (style: Style, text: string) =>
    options.color === false ? text : styleText(style, text, options.color ? { validateStream: false } : {});
  const { participants, messages } = ladder;
  // The transport stands with each message only where it differs.
  const isMixed = new Set(messages.map(({ transport }) => transport)).size > 1;
  const texts = messages.map((message) => label(message, isMixed));
  // Wide enough for the names and for most labels between two neighbours.
  const longest = Math.max(
    0,
    ...texts.map((text) => text.length + 3),
    ...participants.map((one) => one.length + 2),
  );
  const gap = Math.min(widest, Math.max(24, longest));
  const margin = 11 + Math.ceil((participants[0]?.length ?? 0) / 2);
  const center = (column: number) => margin + column * gap;
  const width = center(participants.length - 1) + Math.ceil((participants.at(-1)?.length ?? 0) / 2) + 1;
  const started = messages[0]?.at ?? 0;
  const put = (line: string[], at: number, text: string) => {
    for (let i = 0; i < text.length; i++) line[at + i] = text[i] ?? " ";
  };
  const rails = () => {
    const line = Array<string>(width).fill(" ");
    for (let i = 0; i < participants.length; i++) line[center(i)] = "│";
    return line;
  };
  const head = Array<string>(width).fill(" ");
  for (const [i, name] of participants.entries()) put(head, center(i) - Math.floor(name.length / 2), name);
  const out = [paint("bold", head.join("").trimEnd())];
  for (const [i, message] of messages.entries()) {
    const [from, to] = [participants.indexOf(message.from), participants.indexOf(message.to)];
    const [left, right] = [center(Math.min(from, to)), center(Math.max(from, to))];
    const above = rails();
    const room = right - left - 2;
    const whole = texts[i] ?? "";
    const text = whole.length > room ? `${whole.slice(0, room - 1)}…` : whole;
    put(above, left + Math.max(1, Math.floor((right - left - text.length) / 2) + 1), text);
    const arrow = rails();
    for (let at = left + 1; at < right; at++) arrow[at] = "─";
    if (from < to) arrow[right - 1] = ">";
    else arrow[left + 1] = "<";
    put(arrow, 0, `${((message.at - started) / 1000).toFixed(3)} s`.padStart(9));
    out.push(
      paint(styleOf(message), above.join("").trimEnd()),
      paint(styleOf(message), arrow.join("").trimEnd()),
    );
    if (options.full) {
      out.push(
        ...message.text
          .trimEnd()
          .split(/\r?\n/)
          .map((line) => `          ${paint("dim", clean(line))}`),
        "",
      );
    }
  }
  if (ladder.omitted > 0) out.push(`… and ${ladder.omitted} messages that were not kept`);
  return out.join("\n");
}

function label(message: Drawn["messages"][number], isMixed: boolean): string {
  const { summary, cSeq, isRetransmission, transport, isLost } = message;
  // "180 Ringing (INVITE)"; a request is its method: the URI is in the messages.
  const isResponse = /^\d{3} /.test(summary);
  const text = isResponse ? `${summary} (${cSeq.replace(/^\d+\s+/, "")})` : (summary.split(" ", 1)[0] ?? "");
  const notes = [
    isMixed && transport.toLowerCase(),
    isRetransmission && "again",
    isLost === true && "(lost)",
  ];
  return clean([text, ...notes].filter((part) => part !== false).join(" "));
}

function styleOf({ summary, isRetransmission }: LadderMessage): Style {
  if (isRetransmission) return "dim";
  if (/^[456]\d\d /.test(summary)) return /^(401|407|487) /.test(summary) ? "yellow" : "red";
  return /^2\d\d /.test(summary) ? "green" : "reset";
}
