// 502 Bad Gateway: whoever is behind us has answered, and nobody can make sense of it. RFC 3261 §16.7 item 3, §21.5.3,
// §18.3; RFC 5057 §5.1.

import { scenario } from "../src/index.ts";

export default scenario({
  code: 502,
  sender: "the proxy",
  condition:
    "the final response of a branch is so broken that it cannot be sent on: From, To, Call-ID or CSeq unreadable",
  reacts: "the request fails and is not tried again; a dialog that meets it is over",

  producer: {
    "a To that nobody can read": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      await stage.calls(carol, bob);
      bob.reply("200 OK", "To: <sip:bob@home.example;tag=1");
      await carol.expect(
        "the proxy answers in the place of an answer that leads nowhere, under a tag of its own",
        `SIP/2.0 502 Bad Gateway
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "server" }, "ACK {*}\nTo: {*};tag={tag}");
      await stage.seesNone(
        "the broken one does not go on",
        { from: "server", to: "carol" },
        "SIP/2.0 200 {*}",
      );
    },
    "a text": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example");
      await bob.expect("bob gets a text", "MESSAGE {*}");
      bob.reply("200 OK", "From: ???");
      await carol.expect("any method", "SIP/2.0 502 Bad Gateway\nCSeq: 1 MESSAGE");
    },
    "addressed to the proxy alone": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await bob.expect("bob is called", "INVITE {*}\nVia: {ours}");
      bob.reply("404 Not Found", "Via: {ours}");
      await carol.expect("without carol's own Via nobody knows whom it is for", "SIP/2.0 502 Bad Gateway");
    },
  },

  nearMiss: {
    "what the proxy need not read": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      await stage.calls(carol, bob);
      bob.reply("480 Gone Fishing", "Contact: <<<", "Retry-After: soon");
      await carol.expect(
        "goes on as it came, nonsense or not (§16.3)",
        "SIP/2.0 480 Gone Fishing\nContact: <<<\nRetry-After: soon",
      );
    },
    "a provisional response": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      await stage.calls(carol, bob);
      bob.reply("180 Ringing", "To: <sip:bob@home.example;tag=1");
      await carol.expectNone("may be lost without harm", "SIP/2.0 502 {*}");
      bob.reply("486 Busy Here");
      await carol.expect("since another one will come", "SIP/2.0 486 Busy Here");
    },
    "an answer of nobody's": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      await stage.calls(carol, bob);
      bob.reply("404 Not Found", "To: <sip:bob", "Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bKelse");
      await carol.expectNone("to a request that was never sent is dropped", "SIP/2.0 502 {*}");
      bob.reply("486 Busy Here");
      await carol.expect("and the branch goes on", "SIP/2.0 486 Busy Here");
    },
  },

  reaction: {
    "a call": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registeredPeer("bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("200 OK", "To: <sip:bob@home.example;tag=1");
      const rejected = await stage.rejected("the application is told 502", call.answered, 502);
      stage.check.equal("nothing is tried again", rejected.retries, []);
      await stage.advance(60_000);
      await stage.seesTimes("nor later", 1, { from: "alice" }, "INVITE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const broken = await stage.registeredPeer("broken", "bob");
      const sound = await stage.registeredPeer("sound", "bob");
      const call = alice.call("sip:bob@home.example");
      await broken.expect("one phone is called", "INVITE {*}");
      await sound.expect("and another", "INVITE {*}");
      broken.reply("404 Not Found", "To: <sip:bob");
      await stage.seesNone("the other may still answer", { from: "server", to: "alice" }, "SIP/2.0 502 {*}");
      sound.reply("486 Busy Here");
      await stage.rejected("and says more, even that it is busy", call.answered, 486);
    },
    "in a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const asked = stage.later(call.request("INFO"));
      await bob.expect("a question on the way", "INFO {*}");
      bob.reply("502 Bad Gateway");
      await stage.rejected("that does not get through", asked, 502);
      await bob.expect("nothing will, in this dialog (RFC 5057 §5.1)", "BYE {*}");
      bob.reply("200 OK");
      const { response } = await stage.value("the call is over", call.ended);
      stage.check.equal("and why", response?.statusCode, 502);
    },
  },

  mutants: {
    producer: {
      title: "a broken answer counts as none",
      file: "packages/sip/src/proxy/response-context.ts",
      find: '  if (kind === "malformed") return 502;\n',
      replace: "",
    },
    reaction: {
      title: "a dialog outlives a way that is broken",
      file: "packages/sip/src/responses/facts/5xx-6xx.ts",
      find: 'roles: ["proxy", "gateway"],\n    methods: "any",\n    headers: {},\n    retry: "never",\n    effect: "dialog"',
      replace:
        'roles: ["proxy", "gateway"],\n    methods: "any",\n    headers: {},\n    retry: "never",\n    effect: "transaction"',
    },
  },
});
