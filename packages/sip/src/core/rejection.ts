// The failure of a request as the error that applications see. RFC 3261 §8.1.3.

import { Rejected } from "../errors.ts";
import type { SipResponse } from "../message/index.ts";
import { retryAfterOf } from "./reactions.ts";
import type { ResponseContext } from "./uac.ts";

/** The error for a final response other than 2xx. */
export function rejectionOf(response: SipResponse, { origin, retries, error }: ResponseContext): Rejected {
  return new Rejected(response, {
    origin,
    retries,
    retryAfter: retryAfterOf(response),
    ...(error === undefined ? {} : { cause: error }),
  });
}
