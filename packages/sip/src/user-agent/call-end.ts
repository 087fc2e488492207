// Where a call stands, and how it ended.

import type { SipRequest, SipResponse } from "../message/index.ts";

/**
 * - "calling": our INVITE is out · "incoming": the peer's is here · "ringing": a provisional response came or went
 * - "established": a 2xx came or went · "ending": our BYE or CANCEL is out · "ended"
 */
export type CallState = "calling" | "incoming" | "ringing" | "established" | "ending" | "ended";

/** How a call ended. */
export interface CallEnd {
  readonly by: "local" | "remote";
  /**
   * "bye", "canceled" (before it was answered), "rejected" (by a final response), "expired" (nobody answered in
   * time), "no ack", "no prack" (RFC 3262 §3), "no dialog" (the peer has lost it), "no answer" (the peer is silent), "bad answer".
   */
  readonly cause:
    | "bye"
    | "canceled"
    | "rejected"
    | "expired"
    | "no ack"
    | "no prack"
    | "no dialog"
    | "no answer"
    | "bad answer";
  /** The final response that ended it. */
  readonly response?: SipResponse;
  /** The BYE or CANCEL that ended it; its Reason header may say why. */
  readonly request?: SipRequest;
}
