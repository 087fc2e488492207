// 407 Proxy Authentication Required: who calls in our name shows that it is his. RFC 3261 §22.3, §16.3 step 6, §16.7
// step 7, §21.4.8; RFC 8760.

import { contentOf, scenario } from "../src/index.ts";

/** A challenge as a proxy makes it. */
const challenge = (realm: string, nonce: string) =>
  `Proxy-Authenticate: Digest realm="${realm}", nonce="${nonce}", qop="auth"`;

export default scenario({
  code: 407,
  sender: "the proxy",
  condition: "the From is of its own domain, and no credentials for that realm come with the request",
  reacts:
    "sent again with Proxy-Authorization and CSeq + 1, once per realm; the same credentials for the rest of the call",

  producer: {
    "an INVITE": async (stage) => {
      await stage.server({ users: ["alice", "bob"], auth: true });
      await stage.registered("bob");
      const stranger = await stage.peer("stranger");
      stranger.request("INVITE sip:bob@home.example", "From: <sip:alice@home.example>;tag=1");
      await stranger.expect(
        "who says to be alice is asked for her password, by Proxy-Authenticate alone",
        `SIP/2.0 407 Proxy Authentication Required
         Proxy-Authenticate: Digest realm="home.example"{*}
         Proxy-Authenticate: {*}nonce="{nonce}"{*}
         Proxy-Authenticate: {*}qop="auth"{*}
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 INVITE
         !WWW-Authenticate: {*}
         !Record-Route: {*}`,
      );
      await stage.sees("whose ACK is not asked again", { from: "stranger" }, "ACK {*}\nTo: {*};tag={tag}");
      await stage.seesTimes("one answer", 1, { to: "stranger" }, "SIP/2.0 407 {*}");
      await stage.seesNone("and bob hears nothing", { from: "server", to: "bob" }, "INVITE {*}");
    },
    "a MESSAGE": async (stage) => {
      await stage.server({ users: ["alice", "bob"], auth: true });
      const stranger = await stage.peer("stranger");
      stranger.request("MESSAGE sip:bob@home.example", "From: <sip:alice@home.example>;tag=1");
      await stranger.expect(
        "any method",
        'SIP/2.0 407 {*}\nProxy-Authenticate: Digest realm="home.example"{*}',
      );
    },
    "on the way to elsewhere": async (stage) => {
      await stage.server({ users: ["alice"], auth: true });
      const stranger = await stage.peer("stranger");
      await stage.peer("carol");
      stranger.request("INVITE sip:carol@carol.example", "From: <sip:alice@home.example>;tag=1");
      await stranger.expect("nobody calls the world in our name", "SIP/2.0 407 {*}");
      await stage.seesNone("and carol hears nothing", { to: "carol" });
    },
  },

  nearMiss: {
    "a caller from elsewhere": async (stage) => {
      await stage.server({ users: ["bob"], auth: true });
      const bob = await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await bob.rings("who has no password of ours is not asked for one");
      await carol.expectNone("no 407", "SIP/2.0 407 {*}");
    },
    "a CANCEL": async (stage) => {
      await stage.server({ users: ["alice", "bob"], auth: true });
      const stranger = await stage.peer("stranger");
      stranger.request("CANCEL sip:bob@home.example", "From: <sip:alice@home.example>;tag=1");
      await stranger.expect("cannot be sent again, so it is not challenged (§22.1)", "SIP/2.0 481 {*}");
    },
  },

  reaction: {
    "a call": async (stage) => {
      await stage.server({ users: ["alice", "bob"], auth: true });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [call, incoming] = await stage.talk(alice, bob);
      await stage.sees(
        "alice calls without a password",
        { from: "alice" },
        `INVITE {*}
         Via: {*};branch={first:[^;]+}{*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         CSeq: 1 INVITE
         !Proxy-Authorization: {*}`,
      );
      await stage.sees(
        "acknowledges the 407, in the same transaction",
        { from: "alice" },
        "ACK {*}\nVia: {*};branch={first}{*}\nCSeq: 1 ACK",
      );
      const again = await stage.sees(
        "and calls again with credentials: same Call-ID and From tag, CSeq + 1, no To tag",
        { from: "alice" },
        `INVITE {*}
         Via: {*};branch={second:[^;]+}{*}
         Proxy-Authorization: Digest {*}realm="home.example"{*}
         Proxy-Authorization: {*}nc=00000001{*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: 2 INVITE`,
      );
      stage.check.ok("in a new transaction", again.captures["second"] !== again.captures["first"]);
      await stage.sees(
        "bob does not get to see them",
        { from: "server", to: "bob" },
        "INVITE {*}\nCSeq: 2 INVITE\n!Proxy-Authorization: {*}",
      );
      await stage.sees(
        "the ACK has those of its INVITE (§22.1)",
        { from: "alice" },
        "ACK {*}\nCSeq: 2 ACK\nProxy-Authorization: {*}nc=00000001{*}",
      );
      void call.hangUp();
      await stage.sees(
        "and the BYE the same nonce, counted on",
        { from: "alice" },
        "BYE {*}\nCSeq: 3 BYE\nProxy-Authorization: {*}nc=00000002{*}",
      );
      await stage.value("which ends the call", incoming.ended);
    },
    "a text": async (stage) => {
      const alice = await stage.phone("alice", { credentials: { user: "alice", password: "secret" } });
      const proxy = await stage.peer("proxy");
      const sent = stage.later(alice.ua.message("sip:bob@proxy.example", "hello"));
      await proxy.expect("first without", "MESSAGE {*}\nCSeq: 1 MESSAGE\n!Proxy-Authorization: {*}");
      proxy.reply("407 Proxy Authentication Required", challenge("p", "one"));
      await proxy.expect("then with", 'MESSAGE {*}\nCSeq: 2 MESSAGE\nProxy-Authorization: {*}nonce="one"{*}');
      proxy.reply("200 OK");
      await stage.value("the text is there", sent);
    },
    "two proxies, one after the other": async (stage) => {
      const alice = await stage.phone("alice", {
        credentials: [
          { user: "alice", password: "inner", realm: "inner" },
          { user: "alice", password: "outer", realm: "outer" },
        ],
      });
      const proxy = await stage.peer("proxy");
      const call = alice.call("sip:bob@proxy.example");
      await proxy.expect("nobody has asked yet", "INVITE {*}\nCSeq: 1 INVITE\n!Proxy-Authorization: {*}");
      proxy.reply("407 Proxy Authentication Required", challenge("outer", "one"));
      await proxy.expect(
        "the first proxy is content",
        'INVITE {*}\nCSeq: 2 INVITE\nProxy-Authorization: Digest {*}realm="outer"{*}',
      );
      proxy.reply("407 Proxy Authentication Required", challenge("inner", "two"));
      await proxy.expect(
        "and the next one too: credentials for both",
        `INVITE {*}
         CSeq: 3 INVITE
         Proxy-Authorization: Digest {*}realm="outer"{*}
         Proxy-Authorization: Digest {*}realm="inner"{*}`,
      );
      proxy.reply("200 OK", ...contentOf("bob"));
      await stage.value("the call is up", call.answered);
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice", {
        credentials: [
          { user: "alice", password: "one", realm: "one" },
          { user: "alice", password: "two", realm: "two" },
        ],
      });
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      const call = alice.call("sip:bob@home.example");
      await desk.expect("the desk phone is called", "INVITE {*}\nCSeq: 1 INVITE");
      await mobile.expect("the mobile is called", "INVITE {*}\nCSeq: 1 INVITE");
      desk.reply("401 Unauthorized", 'WWW-Authenticate: Digest realm="one", nonce="a", qop="auth"');
      mobile.reply("407 Proxy Authentication Required", challenge("two", "b"));
      await stage.sees(
        "alice gets every challenge in one response",
        { from: "server", to: "alice" },
        `SIP/2.0 {*}
         WWW-Authenticate: Digest realm="one"{*}
         Proxy-Authenticate: Digest realm="two"{*}`,
      );
      await desk.expect(
        "and meets both at once",
        `INVITE {*}
         CSeq: 2 INVITE
         Authorization: Digest {*}realm="one"{*}
         Proxy-Authorization: Digest {*}realm="two"{*}`,
      );
      desk.reply("200 OK", ...contentOf("bob"));
      await stage.value("the call is up", call.answered);
    },
    "a wrong password": async (stage) => {
      await stage.server({ users: ["alice", "bob"], auth: true });
      const alice = await stage.phone("alice", { credentials: { user: "alice", password: "wrong" } });
      const call = alice.call("sip:bob@home.example");
      await stage.rejected("the application is told 407", call.answered, 407);
      await stage.seesTimes("after one try: a third would not be better", 2, { from: "alice" }, "INVITE {*}");
      stage.check.equal("the call is over", call.state, "ended");
    },
  },

  mutants: {
    producer: {
      title: "nobody is asked who he is",
      file: "packages/server/src/routing/relay.ts",
      find: "if (authentication === undefined) return true;",
      replace: "return true;",
    },
    reaction: {
      title: "a 407 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: "  407: answerChallenge,\n",
      replace: "",
    },
  },
});
