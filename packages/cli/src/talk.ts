// One call at the terminal: says what happens, shows the audio both ways, hangs up on Ctrl-C.

import { styleText } from "node:util";
import type { RtpReport } from "@offhook/sip/media";
import { AudioSession, type Call, type CallEnd } from "@offhook/sip/user-agent";
import { clean } from "./text-table.ts";

/** The outcome of a call, as `--json` prints it. */
export interface CallOutcome {
  readonly outcome: "ended" | "rejected" | "canceled" | "failed";
  readonly by: "local" | "remote";
  readonly status: number | undefined;
  readonly reason: string | undefined;
  /** Milliseconds between answer and end. */
  readonly duration: number;
  readonly audio: RtpReport | undefined;
}

/** Follows an answered call to its end. `duration` in seconds; `signal` hangs up. */
export async function talk(
  call: Call,
  options: { duration?: number | undefined; signal: AbortSignal; isQuiet: boolean },
): Promise<CallOutcome> {
  const startedAt = performance.now();
  let last: RtpReport | undefined;
  const read = () => {
    last = reportOf(call) ?? last;
    return last;
  };
  const hangUp = () => void call.hangUp().catch(() => {});
  if (options.signal.aborted) hangUp();
  options.signal.addEventListener("abort", hangUp, { once: true });
  const limit = options.duration === undefined ? undefined : setTimeout(hangUp, options.duration * 1000);
  const isLive = process.stdout.isTTY === true && !options.isQuiet;
  const meter = setInterval(() => {
    const report = read();
    if (isLive && report !== undefined) {
      process.stdout.write(`\r\x1b[K${printReport(report, performance.now() - startedAt)}`);
    }
  }, 250);
  const end = await call.ended;
  clearInterval(meter);
  clearTimeout(limit);
  options.signal.removeEventListener("abort", hangUp);
  if (isLive) process.stdout.write("\r\x1b[K");
  const outcome = outcomeOf(end, performance.now() - startedAt, read());
  if (!options.isQuiet) {
    console.log(
      `ended by ${end.by === "local" ? "us" : "the other side"} after ${(outcome.duration / 1000).toFixed(1)} s`,
    );
    if (outcome.audio !== undefined) console.log(printReport(outcome.audio));
  }
  return outcome;
}

/** Tells the keys that the other side presses, from now on. */
export function showKeys(call: Call, say: (text: string) => void): void {
  call.onDtmf((key) => say(`${process.stdout.isTTY ? "\r\x1b[K" : ""}key ${key}`));
}

export function outcomeOf(end: CallEnd, duration: number, audio: RtpReport | undefined): CallOutcome {
  const { by, cause, response } = end;
  return {
    outcome:
      cause === "bye"
        ? "ended"
        : cause === "rejected"
          ? "rejected"
          : cause === "canceled"
            ? "canceled"
            : "failed",
    by,
    status: response?.statusCode,
    reason: response?.reasonPhrase ?? (cause === "bye" ? undefined : cause),
    duration: Math.round(duration),
    audio,
  };
}

function reportOf(call: Call): RtpReport | undefined {
  return call.media instanceof AudioSession ? call.media.rtp?.report() : undefined;
}

/** "sent 250 packets · received 248, lost 0, jitter 0.4 ms, level −18 dBov". */
export function printReport({ sent, received }: RtpReport, elapsed?: number): string {
  const time = elapsed === undefined ? "" : `${Math.floor(elapsed / 1000)} s · `;
  const level =
    received.packets === 0 ? "" : `, level ${Math.round(received.level)} dBov ${bar(received.level)}`;
  const counts = `received ${received.packets}, lost ${received.lost}, jitter ${received.jitter.toFixed(1)} ms${level}`;
  const digits = received.digits === "" ? "" : ` · keys ${clean(received.digits)}`;
  return `${time}sent ${sent.packets} packets · ${counts}${digits}`;
}

/** −60 dBov and below is empty, 0 dBov full. */
function bar(level: number): string {
  const width = 10;
  const full = Math.round(Math.min(1, Math.max(0, (level + 60) / 60)) * width);
  return (
    styleText(level > -6 ? "red" : "green", "▮".repeat(full)) + styleText("dim", "▯".repeat(width - full))
  );
}

/** Aborts on Ctrl-C and SIGTERM; the second one ends the process at once. */
export function stopSignal(): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  let first: number | undefined;
  const stop = (name: NodeJS.Signals) => {
    const now = performance.now();
    // The same signal may come twice: from the terminal and from a parent.
    if (first !== undefined && now - first > 500) process.exit(name === "SIGINT" ? 130 : 143);
    first ??= now;
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(name, stop);
    },
  };
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
