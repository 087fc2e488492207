// The log: JSON lines by pino, to standard error or a file. Nothing secret is ever handed to it.

import { resolve } from "node:path";
import { destination, type Logger, pino } from "pino";
import type { Config } from "./config.ts";

export function makeLog({ log }: Config, folder: string): Logger {
  const place = log.file === undefined ? 2 : resolve(folder, log.file);
  return pino({ level: log.level, base: null }, destination({ dest: place, sync: true, mkdir: true }));
}
