// One readable line per call on the terminal: when it is answered or fails, and when it ends.

import { styleText } from "node:util";
import type { Call } from "./call.ts";
import type { CallEvent } from "./call-monitor.ts";

/** Lines waiting for the terminal, at most; a terminal that cannot keep up loses lines, not calls. */
const maxWaiting = 1000;
const interval = 50;

export class CallLines {
  readonly #out: NodeJS.WritableStream & { isTTY?: boolean };
  #waiting: string[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  /** A pipe whose reader has ended (EPIPE) ends the lines, not the server. */
  readonly #gone = () => {};

  constructor(out: NodeJS.WritableStream & { isTTY?: boolean }) {
    this.#out = out;
    out.on("error", this.#gone);
  }

  show(call: Call, event: CallEvent, now: number): void {
    if (event === "ringing") return;
    if (this.#waiting.length >= maxWaiting) this.#dropped++;
    else this.#waiting.push(printCallLine(call, event, now, this.#out.isTTY === true));
    this.#timer ??= setTimeout(() => this.flush(), interval);
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#dropped > 0) this.#waiting.push(`… and ${this.#dropped} lines more than this terminal took`);
    if (this.#waiting.length > 0 && this.#out.writable) this.#out.write(`${this.#waiting.join("\n")}\n`);
    this.#waiting = [];
    this.#dropped = 0;
  }

  /** Writes what waits; nothing is shown after that. */
  close(): void {
    this.flush();
    this.#out.off("error", this.#gone);
  }
}

/** E.g. "14:03:27 alice → bob  answered after 2.1 s  (trace t7k2b1-4)". */
export function printCallLine(call: Call, event: CallEvent, now: number, isColored: boolean): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    isColored ? styleText(style, text, { validateStream: false }) : text;
  const time = new Date(now).toTimeString().slice(0, 8);
  const who = `${shortName(call.caller)} → ${shortName(call.callee)}`;
  return `${paint("dim", time)} ${who}  ${outcome()}  ${paint("dim", `(trace ${call.id})`)}`;

  function outcome(): string {
    switch (event) {
      case "answered":
        return paint("green", `answered after ${printDuration(now - call.startedAt)}`);
      case "ended":
        return `ended by the ${call.endedBy} after ${printDuration(now - (call.answeredAt ?? now))}`;
      case "failed":
        return call.status === 487
          ? paint("yellow", `given up after ${printDuration(now - call.startedAt)}`)
          : paint("red", printable(`${call.status} ${call.reasonPhrase}`));
      default:
        return event;
    }
  }
}

/** "sip:alice@example.com" → "alice", unless that would say nothing. */
export function shortName(address: string): string {
  const name = /^sips?:([^@]+)@/.exec(address)?.[1] ?? address.replace(/^sips?:/, "");
  return printable(name);
}

/** What peers sent never moves the cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

/** "0.4 s", "65 s", "12 min 5 s". */
export function printDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 600) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
