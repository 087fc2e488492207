// For the tests of this folder: Alice, and a callee who answers her requests as told.

import type { HeaderInit, SipRequest } from "../message/index.ts";
import type { IncomingRequest } from "../stack.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

export type Answer = readonly [statusCode: number, ...headers: HeaderInit[]];

export const credentials = { user: "alice", password: "secret" };
export const challenge: HeaderInit = ["WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'];

/** Alice, and Bob who answers requests outside dialogs as told, then as he would by himself. */
export function meet(
  answer: (request: SipRequest, count: number) => Answer | undefined,
  options: Partial<UserAgentOptions> = {},
) {
  const bed = new Testbed();
  const alice = bed.agent("alice", { registrar: "sip:10.0.0.2", ...options });
  const bob = bed.agent("bob");
  const { handle } = bob.ua;
  let count = 0;
  bob.ua.handle = async (incoming: IncomingRequest) => {
    if (incoming.request.method === "ACK") return;
    const given = answer(incoming.request, ++count);
    if (given === undefined) await handle.call(bob.ua, incoming);
    else incoming.respond(given[0], { headers: given.slice(1) as HeaderInit[] });
  };
  bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
  bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
  return { bed, alice, bob };
}
