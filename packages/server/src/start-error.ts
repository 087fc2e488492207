// Why the server cannot start, in words for its operator.

import { AdministrationError } from "./administration.ts";

/** The server cannot start, for a reason outside of it: a port in use, a folder that may not be written. */
export class StartError extends Error {
  readonly code = "OFFHOOK_START";
}

/** What `work` resolves to. Its failures become a StartError that begins with the place: "udp 127.0.0.1:5060 is in use …". */
export async function startingAt<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AdministrationError) throw new StartError(error.message);
    throw new StartError(`${place} ${explain(error)}`);
  }
}

export function printAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function explain(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "EADDRINUSE":
      return "is in use by another program";
    case "EACCES":
      return "may not be used by this user";
    case "EADDRNOTAVAIL":
      return "is not an address of this machine";
    case "ENOTFOUND":
      return "cannot be found: there is no such name";
    default:
      return `cannot be used: ${message}`;
  }
}
