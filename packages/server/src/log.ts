// The log: JSON lines by pino, to standard error or a file. Nothing secret is ever handed to it.

import { resolve } from "node:path";
import { destination, type Logger, pino } from "pino";
import type { Config } from "./config.ts";

/** Bytes kept for a place that takes none at the moment. */
const maxWaiting = 1 << 20;

export function makeLog({ log }: Config, folder: string): Logger {
  const place = log.file === undefined ? 2 : resolve(folder, log.file);
  const out = destination({ dest: place, sync: true, mkdir: true, maxLength: maxWaiting });
  // A full disk or a closed pipe loses lines, not calls.
  out.on("error", () => {});
  return pino({ level: log.level, base: null }, out);
}
