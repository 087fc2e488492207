// 603 Decline: the person called does not want to talk, on any phone. RFC 3261 §21.6.2, §13.3.1.3, §16.7 step 5; RFC 3326. (Busy
// here, or not now, leaves the other phones ringing: 486, 480.)

import { scenario } from "../src/index.ts";

export default scenario({
  code: 603,
  sender: "the called phone",
  condition: "its user declines the call for all phones",
  reacts: "the call is declined: nothing else is tried, the other phones stop ringing",

  producer: {
    "a person declines": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [, incoming] = await stage.ringing(alice, bob);
      await stage.sees("under a To tag", { from: "bob" }, "SIP/2.0 180 Ringing\nTo: {*};tag={tag:[^;]+}");
      await stage.value("bob declines", incoming.reject(603));
      await stage.sees(
        "603 under the same tag, without a reason why",
        { from: "bob", to: "server" },
        `SIP/2.0 603 Decline
         To: {*};tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}
         !Reason: {*}
         !Warning: {*}`,
      );
      await stage.sees(
        "the proxy acknowledges it",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
      await stage.sees(
        "and passes it on",
        { from: "server", to: "alice" },
        "SIP/2.0 603 Decline\nTo: {*};tag={tag}\nVia: {one:[^,]+}",
      );
      const { by, cause } = await stage.value("bob's phone has no call any more", incoming.ended);
      stage.check.equal("by his own choice", [by, cause], ["local", "rejected"]);
    },
  },

  nearMiss: async (stage) => {
    await stage.server({ users: ["alice", "bob"] });
    const alice = await stage.phone("alice");
    const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
    const call = alice.call("sip:bob@home.example");
    const onMobile = await mobile.rings("the mobile is called");
    const onDesk = await desk.rings("the desk phone too");
    await stage.value("who is only not at his desk", onDesk.reject(480));
    await stage.sees("says so", { from: "desk", to: "server" }, "SIP/2.0 480 {*}");
    await stage.seesNone("and the mobile rings on", { from: "server", to: "mobile" }, "CANCEL {*}");
    await stage.value("it can be answered", mobile.answer(onMobile));
    await stage.value("and the call is up", call.answered);
  },

  reaction: {
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
      const call = alice.call("sip:bob@home.example");
      const onMobile = await mobile.rings("the mobile is called");
      const onDesk = await desk.rings("the desk phone too");
      await stage.value("the mobile rings", onMobile.ring());
      await stage.sees("which the proxy hears", { from: "mobile", to: "server" }, "SIP/2.0 180 {*}");
      await stage.value("bob declines at his desk", onDesk.reject(603));
      await stage.sees(
        "the proxy stops the mobile, and says why",
        { from: "server", to: "mobile" },
        "CANCEL {*}\nReason: SIP;cause=603",
      );
      const { by, cause } = await stage.value("it rings no more", onMobile.ended);
      stage.check.equal("cancelled from elsewhere", [by, cause], ["remote", "canceled"]);
      await stage.rejected("of 603 and 487 the caller hears 603", call.answered, 603);
    },
    "no other target": async (stage) => {
      const alice = await stage.phone("alice");
      const [bob, desk, mobile] = await stage.peers("bob", "desk", "mobile");
      const call = alice.call(bob.aor);
      await bob.expect("bob", "INVITE {*}");
      bob.reply("302 Moved Temporarily", `Contact: <${desk.aor}>;q=0.9`, `Contact: <${mobile.aor}>;q=0.1`);
      await desk.expect("is to be found at two places", "INVITE {*}");
      desk.reply("603 Decline");
      const { retries } = await stage.rejected("and wants to talk at neither", call.answered, 603);
      stage.check.equal("only the redirection was followed", retries, [302]);
      await mobile.expectNone("nor the other place tried");
    },
    "within a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const asking = call.request("INFO");
      asking.catch(() => {});
      await bob.expect("a request in a call", "INFO {*}");
      bob.reply("603 Decline");
      await stage.rejected("can be declined", asking, 603);
      stage.check.equal("without an end to the call (RFC 5057 §5.1)", call.state, "established");
    },
  },

  mutants: {
    producer: {
      title: "calls cannot be refused for all phones",
      file: "packages/sip/src/user-agent/callee.ts",
      find: "if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 699) {",
      replace: "if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 599) {",
    },
    reaction: {
      title: "a proxy takes a 6xx for one phone's word",
      file: "packages/sip/src/proxy/response-context.ts",
      find: "if (statusCode >= 600) {",
      replace: "if (false) {",
    },
  },
});
