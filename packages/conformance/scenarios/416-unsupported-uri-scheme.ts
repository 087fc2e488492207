// 416 Unsupported URI Scheme: what stands before the colon of the Request-URI means nothing here. RFC 3261 §8.2.2.1,
// §16.3 step 2, §8.1.3.5, §19.1.6, §21.4.14; RFC 4475 §3.3.2, §3.3.3; RFC 5630 §5.1.2.

import { scenario, sdpOf } from "../src/index.ts";

/** A server that does not take telephone numbers. */
const sipOnly = { proxy: { uriSchemes: ["sip", "sips"] } };

export default scenario({
  code: 416,
  sender: "the proxy, or the called phone",
  condition: "the scheme of the Request-URI is none of those that it takes",
  reacts: "a telephone number is tried once more as a SIP URI of our own domain; else the request fails",

  producer: {
    "a scheme that nobody knows": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request("OPTIONS soap.beep://192.0.2.103:3002", "To: <sip:bob@home.example>");
      await carol.expect(
        "nobody there to look for",
        "SIP/2.0 416 Unsupported URI Scheme\nTo: <sip:bob@home.example>;tag={tag}\nCSeq: 1 OPTIONS",
      );
    },
    "a telephone number": async (stage) => {
      await stage.server({ users: ["bob"], config: sipOnly });
      const carol = await stage.peer("carol");
      carol.request("INVITE tel:+886212345678");
      await carol.expect(
        "not at this server",
        "SIP/2.0 416 Unsupported URI Scheme\nTo: <tel:+886212345678>;tag={tag}\n!Contact: {*}",
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "server" }, "ACK tel:{*}\nTo: {*};tag={tag}");
    },
    "at the phone": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request("INVITE mailto:bob@bob.example", "To: <sip:bob@bob.example>");
      await carol.expect("a phone takes no mail", "SIP/2.0 416 Unsupported URI Scheme\nTo: {*};tag={tag}");
      stage.check.equal("and does not ring", bob.ua.calls.size, 0);
    },
  },

  nearMiss: {
    "a number of ours": async (stage) => {
      await stage.server({ users: ["bob"], config: { aliases: { "+886212345678": "bob" } } });
      const bob = await stage.registered("bob", { accepts: true });
      const carol = await stage.peer("carol");
      carol.request("INVITE tel:+886212345678");
      await bob.rings("where telephone numbers are taken, its owner is called");
    },
    "a number of nobody": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request("INVITE tel:+886287654321");
      await carol.expect("is not unsupported but not found", "SIP/2.0 404 Not Found");
    },
    "elsewhere in the request": async (stage) => {
      await stage.server({ users: ["bob"], config: sipOnly });
      const bob = await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request(
        "INVITE sip:bob@home.example",
        "To: <soap.beep://192.0.2.103:3002>",
        "From: <tel:+1-201>;tag=1",
      );
      await bob.rings("only the Request-URI has to be understood");
    },
  },

  reaction: {
    "a telephone number": async (stage) => {
      await stage.server({
        users: ["alice", "bob"],
        config: { ...sipOnly, aliases: { "+886212345678": "bob" } },
      });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const call = alice.call("tel:+886212345678");
      await stage.sees(
        "alice dials a number",
        { from: "alice", to: "server" },
        "INVITE tel:+886212345678 SIP/2.0\nCall-ID: {callId}\nFrom: {*};tag={fromTag}\nCSeq: 1 INVITE",
      );
      const incoming = await bob.rings("and reaches bob");
      await stage.sees(
        "by the same number as a SIP URI of her domain: same Call-ID, To and From, CSeq + 1",
        { from: "alice", to: "server" },
        `INVITE sip:+886212345678@home.example;user=phone SIP/2.0
         To: <tel:+886212345678>
         Call-ID: {callId}
         From: {*};tag={fromTag}
         CSeq: 2 INVITE`,
      );
      await stage.value("bob answers", incoming.answer(sdpOf("bob")));
      await stage.value("the call is up", call.answered);
    },
    "a SIP URI": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("416 Unsupported URI Scheme");
      const rejected = await stage.rejected("simpler than sip: there is nothing", call.answered, 416);
      stage.check.equal("nothing is tried again", rejected.retries, []);
    },
    "it is never simple enough": async (stage) => {
      const proxy = await stage.peer("proxy");
      const alice = await stage.phone("alice", { aor: "sip:alice@proxy.example" });
      const call = alice.call("tel:110");
      await proxy.expect("a number", "INVITE tel:110 SIP/2.0");
      proxy.reply("416 Unsupported URI Scheme");
      await proxy.expect("as a SIP URI", "INVITE sip:110@proxy.example;user=phone SIP/2.0");
      proxy.reply("416 Unsupported URI Scheme");
      await stage.rejected("twice is enough", call.answered, 416);
      await stage.seesTimes("two INVITEs", 2, { from: "alice" }, "INVITE {*}");
    },
    "in a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob", { update: false });
      const [call] = await stage.talk(alice, bob);
      const held = stage.later(call.hold());
      await bob.expect("a re-INVITE to his own Contact", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("416 Unsupported URI Scheme");
      await stage.rejected("which he does not understand any more", held, 416);
      await bob.expect("the dialog is of no use then (RFC 5057 §5.1)", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("and the call over", call.ended);
    },
  },

  mutants: {
    producer: {
      title: "the proxy takes every scheme",
      file: "packages/sip/src/proxy/validate.ts",
      find: "if (!rules.uriSchemes.has(scheme)) return unsupportedScheme;",
      replace: "",
    },
    reaction: {
      title: "a 416 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  416: { kind: "retry with", change: sipUriForNumber },\n',
      replace: "",
    },
  },
});
