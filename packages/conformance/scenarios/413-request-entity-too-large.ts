// 413 Request Entity Too Large: the body alone is more than the server takes. RFC 3261 §21.4.11, §8.1.3.5, §20.33. (A whole
// message that is too long is 513.)

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 413,
  sender: "the called phone, and a server that bounds bodies",
  condition: "the body of a request is longer than the limit set for bodies",
  reacts: "sent again once with a shorter body or with none; after Retry-After as it was",

  producer: {
    "a phone with little room": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob", { maxBody: 1000 });
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "Content-Type: text/plain", "", "x".repeat(1001));
      await stage.sees(
        "413 with a To tag; it will not pass, so there is no Retry-After",
        { from: "bob", to: "server" },
        `SIP/2.0 413 Request Entity Too Large
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 MESSAGE
         !Retry-After: {*}`,
      );
      await carol.expect(
        "the proxy passes it on as it came",
        "SIP/2.0 413 Request Entity Too Large\nTo: <sip:bob@home.example>;tag={tag}",
      );
    },
    "a long offer": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { maxBody: 1000 });
      const offer = sdpOf("carol", `a=x:${"x".repeat(1000)}`);
      carol.request(`INVITE ${bob.aor}`, "Content-Type: application/sdp", "", offer);
      await carol.expect(
        "an INVITE is no exception",
        "SIP/2.0 413 Request Entity Too Large\nTo: {*};tag={tag}",
      );
      await stage.sees("its ACK ends it", { from: "carol", to: "bob" }, "ACK {*}\nTo: {*};tag={tag}");
    },
    "the server's own bound": async (stage) => {
      await stage.server({ users: ["bob"], config: { limits: { bodySize: 1000 } } });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "Content-Type: text/plain", "", "x".repeat(1001));
      await carol.expect(
        "the server refuses it itself",
        "SIP/2.0 413 Request Entity Too Large\nTo: {*};tag={tag}",
      );
      carol.request("OPTIONS sip:home.example");
      await carol.expect("and goes on listening, on a connection too", "SIP/2.0 200 OK\nCSeq: 1 OPTIONS");
      await stage.seesNone("bob hears nothing of it", { from: "server", to: "bob" }, "MESSAGE {*}");
    },
  },

  nearMiss: async (stage) => {
    const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { maxBody: 1000 });
    bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
    carol.request(`MESSAGE ${bob.aor}`, "Content-Type: text/plain", "", "x".repeat(998));
    await stage.sees(
      "with its line end a thousand bytes",
      { from: "carol" },
      "MESSAGE {*}\nContent-Length: 1000",
    );
    await carol.expect("just as much as there is room for", "SIP/2.0 200 OK");
    carol.request(`MESSAGE ${bob.aor}`, `Subject: ${"s".repeat(1000)}`, "Content-Type: text/plain", "", "x");
    await carol.expect("the header does not count", "SIP/2.0 200 OK");
  },

  reaction: {
    "a shorter version": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob", { maxBody: 100 });
      const texts: string[] = [];
      bob.ua.onRequest("MESSAGE", (incoming) => {
        texts.push(new TextDecoder().decode(incoming.request.body));
        incoming.respond(200);
      });
      const sending = alice.ua.message(bob.aor, "the whole story ".repeat(10), {
        alternatives: [{ body: "the story in short", contentType: "text/plain" }],
      });
      await stage.sees(
        "the long one",
        { from: "alice", to: "server" },
        "MESSAGE {*}\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 1 MESSAGE",
      );
      await stage.value("is refused, and bob takes the short one", sending);
      await stage.sees(
        "the same request, CSeq one higher, with the other body",
        { from: "alice", to: "server" },
        `MESSAGE {*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: 2 MESSAGE
         Content-Type: text/plain

         the story in short`,
      );
      stage.check.equal("nothing else has reached bob", texts, ["the story in short"]);
    },
    "an INVITE without offer": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("the offer", "INVITE {*}\nContent-Type: application/sdp\nCSeq: 1 INVITE");
      bob.reply("413 Request Entity Too Large");
      await bob.expect(
        "an INVITE can do without, and leave the offer to bob (§13.2.1)",
        "INVITE {*}\nContent-Length: 0\nCSeq: 2 INVITE\n!Content-Type: {*}",
      );
      bob.reply("200 OK", ...contentOf("bob"));
      await bob.expect("then the ACK brings the answer", "ACK {*}\nContent-Type: application/sdp");
      await stage.value("and the call is up", call.answered);
    },
    "no room for now": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message("sip:bob@bob.example", "hello");
      await bob.expect("a message for a full mailbox", "MESSAGE {*}\nCSeq: 1 MESSAGE");
      bob.reply("413 Request Entity Too Large", "Retry-After: 20");
      if (stage.isCalm) {
        await stage.advance(19_900);
        await bob.expectNone("alice's phone waits", "MESSAGE {*}\nCSeq: 2 MESSAGE");
        await stage.advance(100);
      }
      await bob.expect(
        "after that time the same goes out again (§21.4.11)",
        "MESSAGE {*}\nCSeq: 2 MESSAGE\n\nhello",
      );
      bob.reply("200 OK");
      await stage.value("and arrives", sending);
    },
    "nothing shorter": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message("sip:bob@bob.example", "hello", {
        alternatives: [
          { body: "hi", contentType: "text/plain" },
          { body: "h", contentType: "text/plain" },
        ],
      });
      sending.catch(() => {});
      await bob.expect("a message", "MESSAGE {*}");
      bob.reply("413 Request Entity Too Large");
      await bob.expect("a shorter one", "MESSAGE {*}\n\nhi");
      bob.reply("413 Request Entity Too Large");
      const { retries } = await stage.rejected("after two tries the application is told", sending, 413);
      stage.check.equal("and that one was automatic", retries, [413]);
      await stage.seesTimes("two in all", 2, { from: "alice" }, "MESSAGE {*}");
    },
  },

  mutants: {
    producer: {
      title: "a body is never too long for a phone",
      file: "packages/sip/src/core/uas.ts",
      find: "return maxBody !== undefined && body.length > maxBody ? refuse(413) : undefined;",
      replace: "return undefined;",
    },
    reaction: {
      title: "a 413 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  413: { kind: "wait, then retry", delay: serverDelay, otherwise: smallerBody },\n',
      replace: "",
    },
  },
});
