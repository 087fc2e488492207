// 401 Unauthorized: the registrar wants a password. RFC 3261 §22.2, §22.4, §10.3 step 3, §21.4.2; RFC 8760.

import { scenario } from "../src/index.ts";

export default scenario({
  code: 401,
  sender: "the registrar",
  condition: "a REGISTER without credentials, or with ones that are wrong or stale",
  reacts: "sent again with Authorization and CSeq + 1, once per realm and once more if stale",

  producer: {
    "no credentials": async (stage) => {
      await stage.server({ users: ["bob"], auth: true });
      const carol = await stage.peer("carol");
      carol.request(
        "REGISTER sip:home.example",
        "To: <sip:bob@home.example>",
        "From: <sip:bob@home.example>;tag=1",
      );
      await carol.expect(
        "401 with a challenge for our realm, and no binding",
        `SIP/2.0 401 Unauthorized
         WWW-Authenticate: Digest realm="home.example"{*}
         WWW-Authenticate: {*}nonce="{nonce}"{*}
         WWW-Authenticate: {*}qop="auth"{*}
         To: {*};tag={tag}
         !Proxy-Authenticate: {*}
         !Contact: {*}`,
      );
    },
    "a wrong password": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], auth: true });
      const bob = await stage.phone("bob", { credentials: { user: "bob", password: "wrong" } });
      const rejected = await stage.rejected("refused again, and that is the end", bob.ua.register(), 401);
      stage.check.equal("after one try", rejected.retries, [401]);
      stage.check.equal("nobody is registered", server.store.locations.memory.bindingCount, 0);
    },
    "a nonce that is too old": async (stage) => {
      const { server } = await stage.server({
        users: ["bob"],
        config: { auth: { enabled: true, nonceLifetime: 60 } },
      });
      const bob = await stage.phone("bob");
      await stage.value("bob registers", bob.ua.register({ expires: 120 }));
      await stage.advance(121_000);
      await stage.sees(
        "the refresh comes with a password that is right and a nonce that is not: stale, and another one",
        { from: "server", to: "bob" },
        `SIP/2.0 401 Unauthorized
         WWW-Authenticate: Digest {*}nonce="{nonce}"{*}
         WWW-Authenticate: {*}stale=true{*}`,
      );
      await stage.sees(
        "which is used without asking anybody (RFC 7616 §3.3)",
        { from: "bob", to: "server" },
        'REGISTER {*}\nAuthorization: {*}nonce="{nonce}"{*}',
      );
      stage.check.equal("bob stays registered", server.store.locations.memory.bindingCount, 1);
    },
  },

  nearMiss: async (stage) => {
    await stage.server({ users: ["bob"], auth: false });
    const carol = await stage.peer("carol");
    carol.request(
      "REGISTER sip:home.example",
      "To: <sip:bob@home.example>",
      "From: <sip:bob@home.example>;tag=1",
    );
    await carol.expect("where no password is wanted nobody is asked", "SIP/2.0 200 OK\nContact: {*}");
  },

  reaction: {
    "the right password": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], auth: true });
      await stage.registered("bob");
      await stage.sees(
        "the first REGISTER",
        { from: "bob", to: "server" },
        "REGISTER {*}\nCall-ID: {callId}\nCSeq: {first:\\d+} REGISTER\nFrom: {*};tag={fromTag}\n!Authorization: {*}",
      );
      const again = await stage.sees(
        "the second has credentials, the same Call-ID and From tag, no To tag",
        { from: "bob", to: "server" },
        `REGISTER {*}
         Authorization: Digest {*}realm="home.example"{*}
         Authorization: {*}uri="sip:home.example"{*}
         Authorization: {*}nc=00000001{*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: {second:\\d+} REGISTER`,
      );
      stage.check.equal(
        "CSeq is one higher",
        Number(again.captures["second"]),
        Number(again.captures["first"]) + 1,
      );
      stage.check.equal("bob is registered", server.store.locations.memory.bindingCount, 1);
    },
    "a peer that never has enough": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", {
        aor: "sip:bob@registrar.example",
        credentials: { user: "bob", password: "secret" },
      });
      const registering = bob.ua.register();
      registering.catch(() => {});
      const challenge = (nonce: string, more = "") =>
        registrar.reply(
          "401 Unauthorized",
          `WWW-Authenticate: Digest realm="r", nonce="${nonce}", qop="auth"${more}`,
        );
      await registrar.expect("without credentials first", "REGISTER {*}\n!Authorization: {*}");
      challenge("one");
      await registrar.expect("with the nonce given", 'REGISTER {*}\nAuthorization: {*}nonce="one"{*}');
      challenge("two", ", stale=true");
      await registrar.expect("a stale nonce is no refusal", 'REGISTER {*}\nAuthorization: {*}nonce="two"{*}');
      challenge("three", ", stale=true");
      await stage.rejected("but only once", registering, 401);
      await stage.seesTimes("three REGISTERs in all", 3, { from: "bob" }, "REGISTER {*}");
    },
    "a proxy": async (stage) => {
      await stage.server({ users: ["bob"] });
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      const alice = await stage.peer("alice");
      alice.request("INVITE sip:bob@home.example");
      await desk.expect("the desk phone is called", "INVITE {*}");
      await mobile.expect("and the mobile", "INVITE {*}");
      desk.reply("401 Unauthorized", 'WWW-Authenticate: Digest realm="desk", nonce="1", qop="auth"');
      mobile.reply("401 Unauthorized", 'WWW-Authenticate: Digest realm="mobile", nonce="2", qop="auth"');
      await alice.expect(
        "passes on what both ask for, as they said it (§16.7 step 7)",
        `SIP/2.0 401 Unauthorized
         WWW-Authenticate: Digest realm="desk", nonce="1", qop="auth"
         WWW-Authenticate: Digest realm="mobile", nonce="2", qop="auth"`,
      );
    },
  },

  mutants: {
    producer: {
      title: "credentials are not asked for",
      file: "packages/sip/src/registrar/registrar.ts",
      find: "incoming.respond(401, { write })",
      replace: "incoming.respond(403, { write })",
    },
    reaction: {
      title: "a 401 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: "  401: answerChallenge,\n",
      replace: "",
    },
  },
});
