// Between SIP and the telephone network: release causes of Q.850. RFC 3398 §7.2.4.1, §8.2.6.1; RFC 6432.
import { classOf } from "./catalogue.ts";

/** A release cause as a gateway sends it for a failed SIP request. */
export interface ReleaseCause {
  readonly cause: number;
  /** Which end is named as the origin: 6xx speak for the user, the rest for the network. */
  readonly location: "user" | "network";
  /** The gateway should first repair the request or authenticate, and release only if that fails. */
  readonly repairFirst: boolean;
  /** The Warning header may name a better cause, e.g. 65 when the media cannot be carried. */
  readonly dependsOnWarning: boolean;
}

/** One row from cause to SIP. `status` is undefined where a BYE or CANCEL is sent instead (16). */
export interface CauseFacts {
  readonly cause: number;
  readonly name: string;
  readonly status: number | undefined;
  /** Instead of `status` if the release came from the user's side. */
  readonly statusFromUser?: number;
  /** Instead of `status` if the release names a new number. */
  readonly statusWithNewNumber?: number;
}

/** What has no row in the table gets this cause: normal, unspecified. */
const unspecified = 31;

// §8.2.6.1, status to cause; in its own words "by Warning" for 488 and 606. The RFC prints 505 as 504.
const causes: Readonly<Record<number, number>> = {
  400: 41,
  401: 21,
  402: 21,
  403: 21,
  404: 1,
  405: 63,
  406: 79,
  407: 21,
  408: 102,
  410: 22,
  413: 127,
  414: 127,
  415: 79,
  416: 127,
  420: 127,
  421: 127,
  423: 127,
  480: 18,
  481: 41,
  482: 25,
  483: 25,
  484: 28,
  485: 1,
  486: 17,
  500: 41,
  501: 79,
  502: 38,
  503: 41,
  504: 102,
  505: 127,
  513: 127,
  600: 17,
  603: 21,
  604: 1,
};
const repairable: ReadonlySet<number> = new Set([
  401, 406, 407, 413, 414, 415, 416, 420, 421, 423, 484, 505, 513,
]);

/**
 * The cause that a gateway releases with, or undefined where none belongs to the code: below 300, and for 487,
 * since the gateway itself has released by then. A 3xx that nobody follows becomes 23 (RFC 3398 §8.2.5).
 */
export function causeOfStatus(code: number): ReleaseCause | undefined {
  if (code < 300 || code === 487) return undefined;
  return {
    cause: code < 400 ? 23 : (causes[code] ?? unspecified),
    location: classOf(code) === "global failure" ? "user" : "network",
    repairFirst: repairable.has(code),
    dependsOnWarning: code === 488 || code === 606,
  };
}

/** RFC 3398 §7.2.4.1, cause to status. 44 has no row there: it never leaves the gateway. */
export const causeTable = [
  { cause: 1, name: "unallocated number", status: 404 },
  { cause: 2, name: "no route to network", status: 404 },
  { cause: 3, name: "no route to destination", status: 404 },
  { cause: 16, name: "normal call clearing", status: undefined },
  { cause: 17, name: "user busy", status: 486 },
  { cause: 18, name: "no user responding", status: 408 },
  { cause: 19, name: "no answer from the user", status: 480 },
  { cause: 20, name: "subscriber absent", status: 480 },
  { cause: 21, name: "call rejected", status: 403, statusFromUser: 603 },
  { cause: 22, name: "number changed", status: 410, statusWithNewNumber: 301 },
  { cause: 23, name: "redirection to new destination", status: 410 },
  { cause: 26, name: "non-selected user clearing", status: 404 },
  { cause: 27, name: "destination out of order", status: 502 },
  { cause: 28, name: "address incomplete", status: 484 },
  { cause: 29, name: "facility rejected", status: 501 },
  { cause: 31, name: "normal, unspecified", status: 480 },
  { cause: 34, name: "no circuit available", status: 503 },
  { cause: 38, name: "network out of order", status: 503 },
  { cause: 41, name: "temporary failure", status: 503 },
  { cause: 42, name: "switching equipment congestion", status: 503 },
  { cause: 44, name: "requested circuit not available", status: undefined },
  { cause: 47, name: "resource unavailable", status: 503 },
  { cause: 55, name: "incoming calls barred within the closed user group", status: 403 },
  { cause: 57, name: "bearer capability not authorized", status: 403 },
  { cause: 58, name: "bearer capability not presently available", status: 503 },
  { cause: 65, name: "bearer capability not implemented", status: 488 },
  { cause: 70, name: "only restricted digital information available", status: 488 },
  { cause: 79, name: "service or option not implemented", status: 501 },
  { cause: 87, name: "user not member of the closed user group", status: 403 },
  { cause: 88, name: "incompatible destination", status: 503 },
  { cause: 102, name: "recovery on timer expiry", status: 504 },
  { cause: 111, name: "protocol error", status: 500 },
  { cause: 127, name: "interworking, unspecified", status: 500 },
] as const satisfies readonly CauseFacts[];

const byCause = new Map<number, CauseFacts>(causeTable.map((row) => [row.cause, row]));

/**
 * The status that a gateway answers a released call set-up with, or undefined when the release is no failure
 * (16) or stays inside the gateway (44). Causes without a row give 500.
 */
export function statusOfCause(
  cause: number,
  release: { location?: "user" | "network"; hasNewNumber?: boolean } = {},
): number | undefined {
  const row = byCause.get(cause);
  if (row === undefined) return 500;
  if (release.location === "user" && row.statusFromUser !== undefined) return row.statusFromUser;
  if (release.hasNewNumber && row.statusWithNewNumber !== undefined) return row.statusWithNewNumber;
  return row.status;
}

/** The causes that lead to a code, in ascending order: the way from the telephone network to SIP. */
export function causesLeadingTo(code: number): number[] {
  return (causeTable as readonly CauseFacts[])
    .filter((row) => row.status === code || row.statusFromUser === code || row.statusWithNewNumber === code)
    .map((row) => row.cause);
}
