// One attempt to get a request through, as the reactions to its failure see it. RFC 3261 §8.1.3.

import type { RequestPlan } from "../dialog/index.ts";
import type { SipResponse } from "../message/index.ts";
import type { Random } from "../ports.ts";

export interface FailedAttempt {
  readonly plan: RequestPlan;
  readonly response: SipResponse;
  /** True inside a dialog, and true if we made its Call-ID (§14.1). */
  readonly isInDialog: boolean;
  readonly ownsCallId: boolean;
  /** Option tags that this user agent implements. */
  readonly supported: readonly string[];
  /** Media types that this user agent can read. */
  readonly accept: readonly string[];
  /** Whether it goes where a 3xx sends it. */
  readonly followsRedirects: boolean;
  /** The host to use for telephone numbers, ours (§19.1.6). */
  readonly homeHost: string | undefined;
  readonly random: Random;
}
