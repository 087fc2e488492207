// 404 Not Found: nobody of that name at a domain of ours. RFC 3261 §16.5, §10.3 step 5, §21.4.5.

import { scenario, triedAgain } from "../src/index.ts";

export default scenario({
  code: 404,
  sender: "the proxy, for a domain that is its own",
  condition: "the Request-URI names no account, alias or binding of the domain",
  reacts: "the call fails and is not tried again",

  producer: {
    "an INVITE": async (stage) => {
      await stage.server({ users: ["bob"] });
      const mallory = await stage.peer("mallory");
      mallory.request("INVITE sip:nobody@home.example");
      await mallory.expect(
        "the proxy answers 404 with a To tag of its own, and no dialog's headers",
        `SIP/2.0 404 Not Found
         To: <sip:nobody@home.example>;tag={tag:[^;]+}
         CSeq: 1 INVITE
         !Contact: {*}
         !Record-Route: {*}`,
      );
      await stage.sees("the ACK ends there", { from: "mallory", to: "server" }, "ACK {*} SIP/2.0");
    },
    "an OPTIONS": async (stage) => {
      await stage.server({ users: ["bob"] });
      const mallory = await stage.peer("mallory");
      mallory.request("OPTIONS sip:nobody@home.example");
      await mallory.expect("the same for another method", "SIP/2.0 404 Not Found");
    },
  },

  nearMiss: async (stage) => {
    await stage.server({ users: ["bob"] });
    const mallory = await stage.peer("mallory");
    mallory.request("INVITE sip:bob@home.example");
    await mallory.expect("who exists and is not registered is unavailable, not unknown", "SIP/2.0 480 {*}");
  },

  reaction: async (stage) => {
    await stage.server({ users: ["alice"] });
    const alice = await stage.phone("alice");
    const call = alice.ua.call("sip:nobody@home.example", { sdp: "v=0\r\n" });
    const rejected = await stage.rejected("the application is told 404", call.answered, 404);
    stage.check.equal("by the peer, not by a timer", rejected.origin, "peer");
    stage.check.equal("without a retry", rejected.retries, []);
    await stage.seesTimes("one INVITE and no more", 1, { from: "alice" }, "INVITE {*}");
    stage.check.equal("no call is left", alice.ua.calls.size, 0);
  },

  mutants: {
    producer: {
      title: "unknown names count as unavailable",
      file: "packages/server/src/routing/account-directory.ts",
      find: "context.answer(404)",
      replace: "context.answer(480)",
    },
    reaction: triedAgain(404),
  },
});
