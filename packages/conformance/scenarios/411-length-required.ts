// 411 Length Required: where the message ends, only Content-Length can say. RFC 2543 §7.4.12. RFC 3261 has 400 for it
// (§18.3, §20.14), so it takes `compat.rfc2543`.

import { act, scenario, triedAgain } from "../src/index.ts";

const old = { compat: { rfc2543: true } };

export default scenario({
  code: 411,
  sender: "the server, with compat.rfc2543",
  condition:
    "a request without Content-Length on a stream, or with a body but without Content-Length in a datagram",
  reacts:
    "as 400, whose class it is of (§8.1.3.2): it fails, since the length was there, and is not tried again",

  producer: {
    "on a stream": act({ transports: ["TCP"] }, async (stage) => {
      await stage.server({ config: old });
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example", "!Content-Length");
      const refused = await carol.expect(
        "411 has a To tag and what else an answer has",
        `SIP/2.0 411 Length Required
         Via: {*};rport={firstPort:\\d+}{*}
         To: <sip:home.example>;tag={tag}
         Call-ID: {callId}
         CSeq: 1 OPTIONS
         Content-Length: 0`,
      );
      await stage.settle();
      carol.request("OPTIONS sip:home.example");
      const answered = await carol.expect(
        "who says how long his message is gets his answer",
        "SIP/2.0 200 OK\nVia: {*};rport={secondPort:\\d+}{*}\nCall-ID: {callId}",
      );
      stage.check.ok(
        "by a new connection: nobody could tell where the next message began on the old one",
        refused["firstPort"] !== answered["secondPort"],
      );
    }),
    "a datagram with a body": act({ transports: ["UDP"] }, async (stage) => {
      await stage.server({ users: ["bob"], config: old });
      const carol = await stage.peer("carol");
      carol.request(
        "MESSAGE sip:bob@home.example",
        "!Content-Length",
        "Content-Type: text/plain",
        "",
        "how long is this?",
      );
      await carol.expect(
        "the same",
        "SIP/2.0 411 Length Required\nTo: <sip:bob@home.example>;tag={tag}\nCSeq: 1 MESSAGE",
      );
    }),
  },

  nearMiss: {
    "a datagram without body": act({ transports: ["UDP"] }, async (stage) => {
      await stage.server({ config: old });
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example", "!Content-Length");
      await carol.expect("nothing needs no length", "SIP/2.0 200 OK");
    }),
    "by RFC 3261, in a datagram": act({ transports: ["UDP"] }, async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request(
        "MESSAGE sip:bob@home.example",
        "!Content-Length",
        "Content-Type: text/plain",
        "",
        "as long as the datagram",
      );
      await carol.expect("a datagram ends where it ends (§18.3)", "SIP/2.0 480 {*}");
    }),
    "by RFC 3261, on a stream": act({ transports: ["TCP"] }, async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example", "!Content-Length");
      await carol.expect(
        "it is as bad a request as any other",
        "SIP/2.0 400 Bad Request {*}Content-Length{*}",
      );
    }),
  },

  reaction: async (stage) => {
    const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
    const call = alice.call(bob.aor);
    await bob.expect("our phone says how long its messages are", "INVITE {*}\nContent-Length: {*}");
    bob.reply("411 Length Required");
    const rejected = await stage.rejected(
      "so nothing can be done: the application is told 411",
      call.answered,
      411,
    );
    stage.check.equal("nothing is tried again", rejected.retries, []);
    await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
    const sent = stage.later(alice.ua.message("sip:bob@bob.example", "hello"));
    await bob.expect("a text", "MESSAGE {*}\nContent-Length: 5");
    bob.reply("411 Length Required");
    await stage.rejected("fares the same", sent, 411);
    await stage.seesTimes("one MESSAGE", 1, { from: "alice" }, "MESSAGE {*}");
  },

  mutants: {
    producer: {
      title: "the code of RFC 2543 is forgotten on streams",
      file: "packages/sip/src/transport/framing.ts",
      find: "status: rfc2543 === true ? 411 : 400,",
      replace: "status: 400,",
    },
    reaction: triedAgain(411),
  },
});
