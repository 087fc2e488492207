// 504 Server Time-out: somebody else had to be asked, and did not say in time. RFC 3261 §21.5.5; RFC 3311 §5.2. (Silence of the
// next hop itself is 408.)

import { contentOf, scenario, sdpOf, silence } from "../src/index.ts";

export default scenario({
  code: 504,
  sender: "a proxy that waits for DNS; a phone that would have to ask its user about an UPDATE",
  condition:
    "what is needed for an answer cannot be known in time: where the next hop is, what a person says",
  reacts: "the request fails; instead of the UPDATE a re-INVITE asks, which can wait for a person",

  producer: {
    "DNS says nothing": async (stage) => {
      await stage.server({ config: { aliases: { bob: "sip:bob@slow.example" } } });
      const carol = await stage.peer("carol");
      stage.silentName("slow.example");
      for (const method of ["INVITE", "MESSAGE"]) {
        carol.request(`${method} sip:bob@home.example`);
        await stage.advance(silence + 2000);
        await carol.expect(
          `${method}: bob is elsewhere, and nobody says where that is: 504 with a To tag, nothing about when`,
          `SIP/2.0 504 Server Time-out
           To: <sip:bob@home.example>;tag={tag${method}}
           CSeq: 1 ${method}
           !Retry-After: {*}
           !Contact: {*}`,
        );
      }
    },
    "an UPDATE that a person has to see": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [call] = await stage.calls(carol, bob);
      const answering = call.answer((offer) =>
        offer?.includes("m=video") === true ? new Promise(() => {}) : sdpOf("bob"),
      );
      await carol.expect("bob answers", "SIP/2.0 200 OK");
      carol.ack();
      await stage.value("the call is up", answering);
      const video = sdpOf("carol", "m=video 40002 RTP/AVP 31");
      carol.requestInDialog("UPDATE", "Content-Type: application/sdp", "", video);
      if (stage.isCalm) {
        await stage.advance(1900);
        await carol.expectNone("bob's phone asks bob whether he likes to be seen", "SIP/2.0 5{*}");
        await stage.advance(100);
      }
      await carol.expect(
        "who does not know yet; an UPDATE does not wait for people",
        "SIP/2.0 504 Server Time-out\nCSeq: 2 UPDATE",
      );
      stage.check.equal("the call goes on", call.state, "established");
    },
  },

  nearMiss: {
    "DNS knows no such name": async (stage) => {
      await stage.server({ config: { aliases: { bob: "sip:bob@void.example" } } });
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await carol.expect("that is an answer, if a bad one", "SIP/2.0 500 {*}");
    },
    "the INVITE runs out first": async (stage) => {
      await stage.server({ config: { aliases: { bob: "sip:bob@slow.example" } } });
      const carol = await stage.peer("carol");
      stage.silentName("slow.example");
      carol.request("INVITE sip:bob@home.example", "Expires: 2");
      await stage.advance(silence);
      await carol.expect("its own time is over before DNS's: 408 (§21.5.5)", "SIP/2.0 408 Request Timeout");
    },
    "an UPDATE that nobody has to see": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      await stage.talk(carol, bob);
      carol.requestInDialog("UPDATE", ...contentOf("carol"));
      await carol.expect(
        "is answered at once",
        "SIP/2.0 200 OK\nCSeq: 2 UPDATE\nContent-Type: application/sdp",
      );
    },
  },

  reaction: {
    "re-INVITE instead of UPDATE": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("200 OK", "Allow: INVITE, ACK, BYE, UPDATE", ...contentOf("bob"));
      await bob.expect("and answers", "ACK {*}");
      await stage.value("the call is up", call.answered);
      const holding = call.hold();
      await bob.expect("bob takes UPDATE, so that is tried", "UPDATE {*}\nCSeq: 2 UPDATE\n\na=sendonly");
      bob.reply("504 Server Time-out");
      await bob.expect(
        "the same offer goes out by re-INVITE (RFC 3311 §5.2)",
        "INVITE {*}\nCSeq: 3 INVITE\n\na=sendonly",
      );
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("which bob takes his time for, and takes", holding);
      stage.check.equal("he is on hold", call.isOnHold, true);
    },
    "a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("an INVITE", "INVITE {*}");
      bob.reply("504 Server Time-out");
      const { retries } = await stage.rejected("fails", call.answered, 504);
      stage.check.equal("and is not tried again", retries, []);
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["desk"], config: { aliases: { bob: ["desk", "sip:bob@slow.example"] } } });
      const [desk, carol] = await stage.peers("desk", "carol");
      stage.silentName("slow.example");
      desk.request("REGISTER sip:home.example", "To: <sip:desk@home.example>");
      await desk.expect("bob has a desk phone here", "SIP/2.0 200 OK");
      carol.request("INVITE sip:bob@home.example");
      await desk.expect("which is called, and another one somewhere", "INVITE {*}");
      desk.reply("486 Busy Here");
      await stage.advance(silence + 2000);
      await carol.expect("what a phone says is worth more than not knowing (§16.7)", "SIP/2.0 486 Busy Here");
    },
  },

  mutants: {
    producer: {
      title: "silence of DNS is nothing special",
      file: "packages/sip/src/proxy/response-context.ts",
      find: 'return kind === "unresolved" && error instanceof TransportError && error.isTimeout ? 504 : undefined;',
      replace: "return undefined;",
    },
    reaction: {
      title: "an UPDATE that cannot wait is given up",
      file: "packages/sip/src/user-agent/renegotiation.ts",
      find: "const wantsInvite = [405, 501, 504].includes(response.statusCode);",
      replace: "const wantsInvite = [405, 501].includes(response.statusCode);",
    },
  },
});
