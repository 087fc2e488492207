// 501 Not Implemented: nobody here has ever heard of that method. RFC 3261 §8.2.1, §16.3, §21.5.2; RFC 4475 §3.1.2.18;
// RFC 5057 §5.1 note 3.

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 501,
  sender: "the called phone, or the server for requests that name itself; never a proxy for what it forwards",
  condition: "the method is in no registry that it knows",
  reacts: "the request fails; a session is changed by re-INVITE instead of UPDATE from then on",

  producer: {
    "at the phone": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("FROBNICATE sip:bob@home.example");
      await stage.sees(
        "the proxy sends on what it does not know",
        { from: "server", to: "bob" },
        "FROBNICATE {*}",
      );
      await stage.sees(
        "and the phone, where it ends, does not know either",
        { from: "bob", to: "server" },
        `SIP/2.0 501 Not Implemented
         Allow: INVITE, ACK, CANCEL, BYE{*}
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         CSeq: 1 FROBNICATE
         !Contact: {*}`,
      );
      await carol.expect("the proxy passes it on", "SIP/2.0 501 {*}\nTo: {*};tag={tag}\nVia: {one:[^,]+}");
    },
    "at the server itself": async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("FROBNICATE sip:home.example");
      await carol.expect(
        "what names the server ends there",
        "SIP/2.0 501 Not Implemented\nAllow: REGISTER, OPTIONS, ACK, CANCEL\nTo: {*};tag={tag}",
      );
    },
    "in lower case": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`Invite ${bob.aor}`);
      await carol.expect(
        "methods are case-sensitive: that is no INVITE (§7.1)",
        "SIP/2.0 501 Not Implemented",
      );
      stage.check.equal("nobody is called", bob.ua.calls.size, 0);
    },
    "with a CSeq of another method": async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("FROBNICATE sip:home.example", "CSeq: 1 OPTIONS");
      await carol.expect(
        "that nobody knows it says more than that it is wrong",
        "SIP/2.0 501 Not Implemented\nCSeq: 1 OPTIONS",
      );
    },
  },

  nearMiss: {
    "a known method": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`PUBLISH ${bob.aor}`);
      await carol.expect("is known and not taken", "SIP/2.0 405 Method Not Allowed\nAllow: {*}");
    },
    "a method of the application's own": async (stage) => {
      const bob = await stage.phone("bob");
      bob.ua.onRequest("FROBNICATE", (incoming) => void incoming.respond(200));
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`FROBNICATE ${bob.aor}`);
      await carol.expect("is known where somebody takes it", "SIP/2.0 200 OK");
    },
  },

  reaction: {
    "a request": async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob");
      const sent = stage.later(alice.ua.request("FROBNICATE", bob.aor));
      const rejected = await stage.rejected("the application is told 501", sent, 501);
      stage.check.equal("and nothing is tried again", rejected.retries, []);
      await stage.seesTimes("one request", 1, { from: "alice" }, "FROBNICATE {*}");
    },
    "an UPDATE": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("200 OK", "Allow: INVITE, ACK, BYE, UPDATE", ...contentOf("bob"));
      await stage.value("the call is up", call.answered);
      const held = stage.later(call.hold());
      await bob.expect("somebody on the way has promised too much", "UPDATE {*}\nCSeq: 2 UPDATE");
      bob.reply("501 Not Implemented");
      await bob.expect(
        "the same by re-INVITE, which everybody knows",
        "INVITE {*}\nCSeq: 3 INVITE\n\na=sendonly",
      );
      bob.reply("200 OK", "Content-Type: application/sdp", "", sdpOf("bob").replace("sendrecv", "recvonly"));
      await stage.value("bob is on hold", held);
      const resumed = stage.later(call.resume());
      await bob.expect("UPDATE is not tried again", "INVITE {*}\nCSeq: 4 INVITE");
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("and is no more", resumed);
    },
    "what a call can do without": async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob");
      const [call] = await stage.talk(alice, bob);
      await stage.rejected("nobody frobnicates in this call", stage.later(call.request("FROBNICATE")), 501);
      stage.check.equal("which goes on", call.state, "established");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["bob"] });
      const [, mobile] = await stage.devices("bob", "desk", "mobile");
      mobile.ua.onRequest("FROBNICATE", (incoming) => void incoming.respond(200));
      const carol = await stage.peer("carol");
      carol.request("FROBNICATE sip:bob@home.example");
      await stage.sees("one phone does not know it", { from: "desk", to: "server" }, "SIP/2.0 501 {*}");
      await carol.expect("one that does is enough", "SIP/2.0 200 OK\nCSeq: 1 FROBNICATE");
      await carol.expectNone("and the 501 goes no further", "SIP/2.0 501 {*}");
    },
  },

  mutants: {
    producer: {
      title: "a method that nobody knows is only forbidden",
      file: "packages/sip/src/core/uas.ts",
      find: "registered.has(method) ? 405 : 501",
      replace: "registered !== undefined ? 405 : 501",
    },
    reaction: {
      title: "an UPDATE that is not implemented is the last word",
      file: "packages/sip/src/user-agent/renegotiation.ts",
      find: "[405, 501, 504].includes",
      replace: "[405, 504].includes",
    },
  },
});
