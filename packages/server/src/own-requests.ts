// Requests for this server itself, not for one of its users: a user agent server's checks and OPTIONS. RFC 3261 §8.2, §11.2.

import { checkRequest, type UasRules } from "@offhook/sip/core";
import { isSipUri, PrintedHeaders } from "@offhook/sip/message";
import type { IncomingRequest } from "@offhook/sip/stack";

/**
 * Answers what names this server itself, a Request-URI of ours without a user: OPTIONS, and by §8.2 whatever else is
 * not handled before (405, 501, 420, 415).
 * @param methods those that this server takes, besides OPTIONS
 * @returns a handler that is false for a request for somebody else
 */
export function makeOwnAnswers(methods: readonly string[]): (incoming: IncomingRequest) => boolean {
  const rules: UasRules = { allow: [...methods, "OPTIONS", "ACK", "CANCEL"], supported: ["path"] };
  const printed = new PrintedHeaders([
    ["Allow", rules.allow.join(", ")],
    ["Accept", "application/sdp"],
    ["Accept-Encoding", "identity"],
    ["Accept-Language", "en"],
    ["Supported", "path"],
  ]);
  const answer = { printed };
  return (incoming) => {
    const { requestUri } = incoming.borrowed;
    if (!isSipUri(requestUri) || (requestUri.user ?? "") !== "") return false;
    const refusal = checkRequest(incoming.borrowed, rules);
    if (refusal === undefined) incoming.respond(200, answer);
    else incoming.respond(refusal.statusCode, refusal.options);
    return true;
  };
}
