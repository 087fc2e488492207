// The server's own secret, which signs Record-Route values: kept, so that dialogs outlive a restart.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const length = 32;

/** Reads the secret, or makes it (mode 0600). */
export function loadSecret(path: string): Uint8Array {
  try {
    const known = readFileSync(path);
    if (known.length >= length) return new Uint8Array(known.subarray(0, length));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const made = randomBytes(length);
  writeFileSync(path, made, { mode: 0o600 });
  return new Uint8Array(made);
}
