// 513 Message Too Large: header and body together are more than the server takes. RFC 3261 §21.5.7, §18.3, §18.1.1. (A long
// body alone is 413, a long Request-URI 414.)

import { scenario } from "../src/index.ts";

const long = "x".repeat(3000);

export default scenario({
  code: 513,
  sender: "any server and phone",
  condition: "a request is longer than the limit set for whole messages",
  reacts: "sent again once with a shorter body or with none, else it fails",

  producer: {
    "a long message": async (stage) => {
      await stage.server({ users: ["bob"], config: { limits: { messageSize: 2000 } } });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "Content-Type: text/plain", "", long);
      await carol.expect(
        "513 with a To tag",
        "SIP/2.0 513 Message Too Large\nTo: <sip:bob@home.example>;tag={tag}\nCSeq: 1 MESSAGE",
      );
      carol.request("OPTIONS sip:home.example");
      await carol.expect("what comes next is read, on a connection too", "SIP/2.0 200 OK\nCSeq: 1 OPTIONS");
      await stage.seesNone("nothing has gone on to bob", { from: "server", to: "bob" }, "MESSAGE {*}");
    },
    "a long header": async (stage) => {
      const bob = await stage.phone("bob", { limits: { messageSize: 2000 } });
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`INVITE ${bob.aor}`, `Subject: ${long}`);
      await carol.expect("the header counts as well", "SIP/2.0 513 Message Too Large\nTo: {*};tag={tag}");
      await stage.sees("the ACK ends it", { from: "carol", to: "bob" }, "ACK {*}\nTo: {*};tag={tag}");
    },
  },

  nearMiss: {
    "just short enough": async (stage) => {
      const bob = await stage.phone("bob", { limits: { messageSize: 2000 } });
      const carol = await stage.peer("carol", { to: bob });
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      carol.request(`MESSAGE ${bob.aor}`, "Content-Type: text/plain", "", "x".repeat(1000));
      const { text } = await stage.sees("a message", { from: "carol", to: "bob" }, "MESSAGE {*}");
      await carol.expect("that fits", "SIP/2.0 200 OK");
      carol.request(
        `MESSAGE ${bob.aor}`,
        ...["Content-Type: text/plain", "", "x".repeat(1000 + 2000 - text.length)],
      );
      await carol.expect("to the last byte", "SIP/2.0 200 OK\nCall-ID: {callId}");
    },
    "one part of it is too long": async (stage) => {
      await stage.server({ config: { limits: { messageSize: 2000, bodySize: 1000, uriLength: 100 } } });
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example", "Content-Type: text/plain", "", long);
      await carol.expect("the body is what to shorten, and 413 says so", "SIP/2.0 413 {*}");
      carol.request(`OPTIONS sip:${"x".repeat(100)}@home.example`);
      await carol.expect("or the Request-URI, 414", "SIP/2.0 414 {*}");
    },
  },

  reaction: {
    "a shorter body": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob", { limits: { messageSize: 2000 } });
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      const sending = alice.ua.message(bob.aor, long, {
        alternatives: [{ body: "in short", contentType: "text/plain" }],
      });
      await stage.sees(
        "the long message, which bob's phone does not take",
        { from: "alice", to: "server" },
        "MESSAGE {*}\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 1 MESSAGE",
      );
      await stage.sees("and says so", { from: "bob", to: "server" }, "SIP/2.0 513 Message Too Large");
      await stage.value("it arrives in the end", sending);
      await stage.sees(
        "as the same request with the other body, CSeq one higher",
        { from: "alice", to: "server" },
        "MESSAGE {*}\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 2 MESSAGE\n\nin short",
      );
    },
    "no body": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("an offer", "INVITE {*}\nContent-Type: application/sdp\nCSeq: 1 INVITE");
      bob.reply("513 Message Too Large");
      await bob.expect("is left to bob", "INVITE {*}\nContent-Length: 0\nCSeq: 2 INVITE");
      bob.reply("513 Message Too Large");
      const { retries } = await stage.rejected(
        "if that is too much, the application is told",
        call.answered,
        513,
      );
      stage.check.equal("after two tries", retries, [513]);
    },
    "nothing to leave out": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message(bob.aor, "hello");
      await bob.expect("a message that says one thing", "MESSAGE {*}");
      bob.reply("513 Message Too Large");
      const { retries } = await stage.rejected("cannot be any shorter", sending, 513);
      stage.check.equal("so it is not sent again", retries, []);
    },
  },

  mutants: {
    producer: {
      title: "no message is too long for the parser",
      file: "packages/sip/src/message/parse.ts",
      find: "if (layout.bodyEnd > limits.messageSize) throw tooLarge(",
      replace: "if (false) throw tooLarge(",
    },
    reaction: {
      title: "a 513 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: "  513: smallerBody,\n",
      replace: "",
    },
  },
});
