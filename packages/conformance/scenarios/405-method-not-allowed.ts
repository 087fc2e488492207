// 405 Method Not Allowed: we know what that means, and do not do it here. RFC 3261 §8.2.1, §20.5, §21.4.6; RFC 5057 §5.1
// note 3.

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 405,
  sender: "the called phone, or the server for requests that name itself",
  condition: "the method is a registered one, and not among those taken there",
  reacts: "the request fails; a session is changed by re-INVITE instead of UPDATE from then on",

  producer: {
    "a phone without texts": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "Content-Type: text/plain", "", "hello");
      await stage.sees(
        "the phone says what it takes instead, ACK and CANCEL too",
        { from: "bob", to: "server" },
        `SIP/2.0 405 Method Not Allowed
         Allow: INVITE, ACK, CANCEL, BYE{*}
         !Allow: {*}MESSAGE{*}
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         CSeq: 1 MESSAGE
         !Contact: {*}`,
      );
      await carol.expect(
        "the proxy, who has no opinion on methods, passes it on",
        "SIP/2.0 405 Method Not Allowed\nAllow: INVITE, ACK, CANCEL, BYE{*}\nTo: {*};tag={tag}\nVia: {one:[^,]+}",
      );
    },
    "a phone that is told what to take": async (stage) => {
      const bob = await stage.phone("bob", { allow: [] });
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`MESSAGE ${bob.aor}`);
      await carol.expect(
        "a call and nothing else",
        "SIP/2.0 405 Method Not Allowed\nAllow: INVITE, ACK, CANCEL, BYE",
      );
    },
    "the server itself": async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:home.example");
      await carol.expect(
        "the server is nobody to talk to",
        "SIP/2.0 405 Method Not Allowed\nAllow: REGISTER, OPTIONS, ACK, CANCEL\nTo: {*};tag={tag}",
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "server" }, "ACK {*}\nTo: {*};tag={tag}");
    },
    "in a call": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [incoming] = await stage.calls(carol, bob);
      const answering = stage.later(incoming.answer(sdpOf("bob")));
      await carol.expect("bob answers", "SIP/2.0 200 OK\nTo: {*};tag={tag:[^;]+}");
      carol.ack();
      await stage.value("the call is up", answering);
      carol.requestInDialog("REFER", "Refer-To: <sip:dave@dave.example>");
      await carol.expect(
        "the phone cannot transfer calls",
        "SIP/2.0 405 Method Not Allowed\nAllow: INVITE, ACK, CANCEL, BYE{*}\nTo: {*};tag={tag}\nCSeq: 2 REFER",
      );
      stage.check.equal("and the call goes on", incoming.state, "established");
    },
  },

  nearMiss: {
    "a method that nobody knows": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`FROBNICATE ${bob.aor}`);
      await carol.expect("is not forbidden but unheard of", "SIP/2.0 501 Not Implemented");
    },
    "a method that the application takes": async (stage) => {
      const bob = await stage.phone("bob");
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`MESSAGE ${bob.aor}`);
      await carol.expect("the text is taken", "SIP/2.0 200 OK");
      carol.request(`OPTIONS ${bob.aor}`);
      await carol.expect("and Allow has it", "SIP/2.0 200 OK\nAllow: {*}MESSAGE{*}");
    },
    "on the way to somebody else": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      carol.request("PUBLISH sip:bob@home.example");
      await bob.expect("what the server does not do itself it sends on", "PUBLISH {*}");
    },
  },

  reaction: {
    "a text": async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob");
      const sent = stage.later(alice.ua.message(bob.aor, "hello"));
      const rejected = await stage.rejected("the application is told 405", sent, 405);
      stage.check.match(
        "and what bob takes",
        rejected.response.headers.rawAll("Allow").join(", "),
        /^INVITE, ACK, CANCEL, BYE/,
      );
      stage.check.equal("nothing is tried again", rejected.retries, []);
      await stage.seesTimes("one MESSAGE", 1, { from: "alice" }, "MESSAGE {*}");
    },
    "an UPDATE": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("200 OK", "Allow: INVITE, ACK, BYE, UPDATE", ...contentOf("bob"));
      await stage.value("the call is up", call.answered);
      const held = stage.later(call.hold());
      await bob.expect("bob says that he takes UPDATE", "UPDATE {*}\nCSeq: 2 UPDATE\n\na=sendonly");
      bob.reply("405 Method Not Allowed", "Allow: INVITE, ACK, BYE");
      await bob.expect("and does not: the same by re-INVITE", "INVITE {*}\nCSeq: 3 INVITE\n\na=sendonly");
      bob.reply("200 OK", "Content-Type: application/sdp", "", sdpOf("bob").replace("sendrecv", "recvonly"));
      await stage.value("bob is on hold", held);
      const resumed = stage.later(call.resume());
      await bob.expect(
        "the next change does not try UPDATE again",
        "INVITE {*}\nCSeq: 4 INVITE\n\na=sendrecv",
      );
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("and is no more", resumed);
      stage.check.equal("all in one call", call.state, "established");
    },
    "what a call can do without": async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob");
      const [call] = await stage.talk(alice, bob);
      const asked = stage.later(call.request("MESSAGE", { body: "hello", contentType: "text/plain" }));
      await stage.rejected("no texts in this call", asked, 405);
      stage.check.equal("which goes on (RFC 5057 §5.1)", call.state, "established");
      await stage.seesNone("nobody hangs up", {}, "BYE {*}");
    },
    "what it cannot do without": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob", { update: false });
      const [call] = await stage.talk(alice, bob);
      const held = stage.later(call.hold());
      await bob.expect("a re-INVITE", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("405 Method Not Allowed", "Allow: BYE");
      await stage.rejected("somebody who takes no INVITE has no call either", held, 405);
      await bob.expect("so it is ended", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("the call is over", call.ended);
    },
  },

  mutants: {
    producer: {
      title: "a method that is known is taken",
      file: "packages/sip/src/core/uas.ts",
      find: "if (allow.includes(method)) return undefined;",
      replace: "if (allow.includes(method) || registered.has(method)) return undefined;",
    },
    reaction: {
      title: "an UPDATE that is not allowed is the last word",
      file: "packages/sip/src/user-agent/renegotiation.ts",
      find: "[405, 501, 504].includes",
      replace: "[501, 504].includes",
    },
  },
});
