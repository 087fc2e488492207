// The failure of a request as the error that applications see. RFC 3261 §8.1.3.

import { ParseError, Rejected } from "../errors.ts";
import type { SipResponse } from "../message/index.ts";
import { causeOfStatus, factsOf, treatedAs } from "../responses/index.ts";
import { retryAfterOf } from "./field-values.ts";
import type { ResponseContext } from "./uac.ts";

/** The error for a final response other than 2xx. */
export function rejectionOf(response: SipResponse, { origin, retries, error }: ResponseContext): Rejected {
  const { statusCode, headers } = response;
  const reasons = readable(() => headers.getAll("Reason"));
  const named = reasons.find(({ protocol }) => protocol.toUpperCase() === "Q.850")?.cause;
  return new Rejected(response, {
    ...{ origin, retries, reasons },
    // §8.1.3.2: an unknown code is treated as the x00 of its class.
    retry: factsOf(treatedAs(statusCode))?.retry ?? "never",
    retryAfter: retryAfterOf(response),
    warnings: readable(() => headers.getAll("Warning")),
    q850: named ?? causeOfStatus(statusCode)?.cause,
    ...(error === undefined ? {} : { cause: error }),
  });
}

/** What only explains the failure must not become one. */
function readable<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof ParseError) return [];
    throw error;
  }
}
