// 400 Bad Request: nobody can make sense of it. RFC 3261 §21.4.1, §16.3 step 1, §18.3, §10.3 step 6, §8.1.1.8, §8.1.3.2;
// RFC 4475; RFC 5630 §5.1.2.

import { act, scenario, triedAgain } from "../src/index.ts";

export default scenario({
  code: 400,
  sender: "whoever reads the request first: proxy, registrar or phone",
  condition: "it breaks the grammar, lacks what every request has, or contradicts itself",
  reacts:
    "the request fails, never to be sent again unchanged; so does one with a 4xx that nobody has heard of",

  producer: {
    "CSeq of another method": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "CSeq: 1 INVITE");
      await carol.expect(
        "phrase and Warning say what is wrong; the rest is repeated as it came",
        `SIP/2.0 400 Bad Request (CSeq: {*})
         Warning: 399 {*} "CSeq: {*}"
         To: <sip:bob@home.example>;tag={tag}
         Call-ID: {callId}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.seesNone("and bob does not get it", { from: "server", to: "bob" }, "MESSAGE {*}");
    },
    "no Call-ID": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "!Call-ID");
      await carol.expect(
        "what is missing is named, and missing in the answer",
        `SIP/2.0 400 Bad Request (Call-ID: missing)
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 MESSAGE
         !Call-ID: {*}`,
      );
    },
    "two of what there is one of": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request(
        "MESSAGE sip:bob@home.example",
        "To: <sip:bob@home.example>",
        "To: <sip:dave@home.example>",
      );
      await carol.expect("who of them is meant?", "SIP/2.0 400 Bad Request (To: {*})");
    },
    "half a message": act({ transports: ["UDP"] }, async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request(
        "MESSAGE sip:bob@home.example",
        "Content-Length: 100",
        "Content-Type: text/plain",
        "",
        "hel",
      );
      await carol.expect(
        "a datagram that ends before its body does has been cut short (§18.3)",
        "SIP/2.0 400 Bad Request (Content-Length: {*})\nTo: {*};tag={tag}\nCSeq: 1 MESSAGE",
      );
    }),
    "all contacts and one of them": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Contact: *", "Expires: 60");
      await bob.expect(
        "`*` takes everything away, and nothing else (§10.3)",
        "SIP/2.0 400 Contact * Needs Expires 0 and Stands Alone\nTo: {*};tag={tag}",
      );
      stage.check.equal("so the binding is still there", server.store.locations.memory.bindingCount, 1);
    },
    "nowhere to answer to": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "!Contact");
      await carol.expect(
        "a call without Contact could never be ended",
        "SIP/2.0 400 Missing Contact\nTo: {*};tag={tag}\nCSeq: 1 INVITE",
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "bob" }, "ACK {*}\nTo: {*};tag={tag}");
      stage.check.equal("the phone does not ring", bob.ua.calls.size, 0);
    },
  },

  nearMiss: {
    "odd, but legal": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(
        `INVITE ${bob.aor}`,
        "t  :   Bob <sip:bob@bob.example> ; odd = very",
        "!To",
        "cAlL-iD : odd(but)legal!",
        'X-Unheard-Of: "((<,;=',
        "Contact:<{uri}>",
      );
      await bob.rings("spaces, capitals, short names and unknown fields are no errors");
      await carol.expectNone("nothing is refused", "SIP/2.0 400 {*}");
    },
    "what the proxy need not read": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Date: whenever", "Expires: soon");
      await bob.expect(
        "goes on as it came, nonsense or not (§16.3)",
        "INVITE {*}\nDate: whenever\nExpires: soon",
      );
    },
    "an ACK": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request("ACK sip:bob@home.example", "!Call-ID");
      await carol.expectNone("is never answered, however bad it is");
    },
  },

  reaction: {
    "a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("400 Bad Hair Day", 'Warning: 399 bob "comb first"');
      const rejected = await stage.rejected("the application is told 400", call.answered, 400);
      stage.check.equal("in the words of the peer", rejected.reasonPhrase, "Bad Hair Day");
      stage.check.equal("and why", rejected.warnings[0]?.text, "comb first");
      stage.check.equal(
        "it would be no better a second time",
        [rejected.retry, rejected.retries],
        ["never", []],
      );
      await stage.advance(60_000);
      await stage.seesTimes("nor later", 1, { from: "alice" }, "INVITE {*}");
    },
    "a number that nobody has ever heard of": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("431 Whatever");
      const rejected = await stage.rejected("the application is told what came", call.answered, 431);
      stage.check.equal(
        "and to take it for a 400 (§8.1.3.2)",
        [rejected.reasonPhrase, rejected.retry],
        ["Whatever", "never"],
      );
    },
    "in a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob", { update: false });
      const [call] = await stage.talk(alice, bob);
      const held = stage.later(call.hold());
      await bob.expect("she wants to put bob on hold", "INVITE {*}\nCSeq: 2 INVITE\n\na=sendonly");
      bob.reply("400 Bad Request");
      await stage.rejected("he does not understand", held, 400);
      stage.check.equal(
        "and the call is as before (§14.1)",
        [call.state, call.isOnHold],
        ["established", false],
      );
      await stage.seesTimes("nothing is sent again", 2, { from: "alice" }, "INVITE {*}");
      await stage.seesNone("nobody hangs up", {}, "BYE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const old = await stage.registeredPeer("old", "bob");
      const mobile = await stage.registered("mobile", { aor: "sip:bob@home.example" });
      const call = alice.call("sip:bob@home.example");
      await old.expect("which is called too", "INVITE {*}");
      old.reply("400 Bad Request");
      const incoming = await mobile.rings("the mobile rings");
      await stage.seesNone(
        "that one phone does not understand says nothing about the other",
        { from: "server", to: "alice" },
        "SIP/2.0 400 {*}",
      );
      await stage.value("which is busy", incoming.reject(486));
      await stage.rejected("and that says more", call.answered, 486);
    },
  },

  mutants: {
    producer: {
      title: "the method in CSeq does not matter",
      file: "packages/sip/src/message/parse.ts",
      find: "layout.methodId !== cSeqParts.methodId ||\n    (",
      replace: "(",
    },
    reaction: triedAgain(400),
  },
});
