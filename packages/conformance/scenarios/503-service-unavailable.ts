// 503 Service Unavailable: this server cannot take more now. RFC 3261 §21.5.4, §8.1.3.1, §16.7 step 6, §20.33; RFC 3263 §4.3.

import { act, contentOf, scenario } from "../src/index.ts";

export default scenario({
  code: 503,
  sender: "a server in maintenance, or with as much to do as it may have",
  condition: "a request would begin something, and there is no room for it",
  reacts: "the next server is asked, and this one left alone for its Retry-After; a proxy tells it as 500",

  producer: {
    "in maintenance": async (stage) => {
      await stage.server({ users: ["bob"], config: { overload: { maintenance: true, retryAfter: 60 } } });
      const carol = await stage.peer("carol");
      for (const method of ["INVITE", "MESSAGE", "REGISTER"]) {
        carol.request(`${method} sip:bob@home.example`);
        await carol.expect(
          `${method}: 503 with a To tag, and when to come again`,
          `SIP/2.0 503 Service Unavailable
           To: <sip:bob@home.example>;tag={tag${method}}
           Retry-After: 60
           CSeq: 1 ${method}
           !Contact: {*}`,
        );
      }
    },
    "as many transactions as it may have": async (stage) => {
      await stage.server({
        config: { limits: { transactions: 2 }, aliases: { bob: "sip:bob@bob.example" } },
      });
      const [alice, bob, carol] = await stage.peers("alice", "bob", "carol");
      alice.request("INVITE sip:bob@home.example");
      await bob.expect("alice's call takes two, one for either side", "INVITE {*}");
      bob.reply("180 Ringing");
      await alice.expect("it rings", "SIP/2.0 180 Ringing");
      carol.request("INVITE sip:bob@home.example");
      await carol.expect(
        "there is no room for carol's",
        "SIP/2.0 503 {*}\nTo: {*};tag={tag}\nRetry-After: 10",
      );
      alice.cancel();
      await alice.expect("but alice can still give up", "SIP/2.0 200 OK\nCSeq: 1 CANCEL");
      await bob.expect("which bob hears of", "CANCEL {*}");
    },
    "about to stop": act(
      { notInWeather: "who has stopped cannot send again what was lost" },
      async (stage) => {
        const { server } = await stage.server({ config: { aliases: { bob: "sip:bob@bob.example" } } });
        const [alice, bob, carol] = await stage.peers("alice", "bob", "carol");
        alice.request("INVITE sip:bob@home.example");
        await bob.expect("alice calls", "INVITE {*}");
        bob.reply("180 Ringing");
        await alice.expect("it rings", "SIP/2.0 180 Ringing");
        const stopping = server.stop();
        carol.request("INVITE sip:bob@home.example");
        await carol.expect("carol comes too late", "SIP/2.0 503 {*}\nTo: {*};tag={tag}\nRetry-After: 10");
        bob.reply("486 Busy Here");
        await alice.expect("alice still has her answer", "SIP/2.0 486 Busy Here");
        await stage.value("then the server stops", stopping);
      },
    ),
    "more requests than one source may send": act(
      { notInWeather: "a second's requests are counted where time stands still" },
      async (stage) => {
        await stage.server({ config: { limits: { requestsPerSource: 3 } } });
        const carol = await stage.peer("carol");
        for (const which of ["first", "second", "third"]) {
          carol.request("OPTIONS sip:home.example");
          await carol.expect(`the ${which} is answered`, "SIP/2.0 200 OK\nCall-ID: {callId}");
        }
        carol.request("OPTIONS sip:home.example");
        await carol.expect("the fourth in one second is too many", "SIP/2.0 503 {*}\nRetry-After: {*}");
        await stage.advance(1000);
        carol.request("OPTIONS sip:home.example");
        await carol.expect("a second later all is well", "SIP/2.0 200 OK\nCall-ID: {callId}");
      },
    ),
  },

  nearMiss: {
    "a call that is up": async (stage) => {
      const { server } = await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [call] = await stage.talk(alice, bob);
      server.stack.isOverloaded = true;
      const { cause } = await stage.value("goes on to its end, however much there is to do", call.hangUp());
      stage.check.equal("by BYE", cause, "bye");
      await stage.sees("which the server passes on", { from: "server", to: "bob" }, "BYE {*}");
    },
    "one call less": async (stage) => {
      await stage.server({
        config: { limits: { transactions: 2 }, aliases: { bob: "sip:bob@bob.example" } },
      });
      const [bob, carol] = await stage.peers("bob", "carol");
      carol.request("INVITE sip:bob@home.example");
      await bob.expect("there is room for carol", "INVITE {*}");
    },
  },

  reaction: {
    "the next server": async (stage) => {
      const alice = await stage.phone("alice");
      const [first, second] = await stage.peers("first", "second");
      stage.name("dual.example", first, second);
      const call = alice.call("sip:bob@dual.example");
      await first.expect("the first of two servers", "INVITE {*}");
      await stage.sees(
        "is asked",
        { from: "alice", to: "first" },
        "INVITE {*}\nVia: {*};branch={one:[^;]+}{*}\nCall-ID: {callId}\nFrom: {from}\nCSeq: {sequence} INVITE",
      );
      first.reply("503 Service Unavailable", "Retry-After: 30");
      await second.expect("then the second", "INVITE {*}");
      await stage.sees(
        "by the very same request; only the branch is another: it is a new transaction",
        { from: "alice", to: "second" },
        "INVITE {*}\n!Via: {*};branch={one}{*}\nCall-ID: {callId}\nFrom: {from}\nCSeq: {sequence} INVITE",
      );
      second.reply("200 OK", ...contentOf("second"));
      await stage.value("and takes it", call.answered);
      alice.ua.message("sip:bob@dual.example", "hello").catch(() => {});
      await second.expect("within half a minute the first is not asked again", "MESSAGE {*}");
      second.reply("200 OK");
      await stage.advance(31_000);
      alice.ua.message("sip:bob@dual.example", "again").catch(() => {});
      await first.expect("then it is", "MESSAGE {*}\n\nagain");
      first.reply("200 OK");
    },
    "without Retry-After": async (stage) => {
      const alice = await stage.phone("alice");
      const [first, second] = await stage.peers("first", "second");
      stage.name("dual.example", first, second);
      const sending = alice.ua.message("sip:bob@dual.example", "hello");
      await first.expect("the first", "MESSAGE {*}");
      first.reply("503 Service Unavailable");
      await second.expect("the second", "MESSAGE {*}");
      second.reply("200 OK");
      await stage.value("takes it", sending);
      alice.ua.message("sip:bob@dual.example", "again").catch(() => {});
      await first.expect("who does not ask to be left alone is not (§21.5.4)", "MESSAGE {*}\n\nagain");
      first.reply("200 OK");
    },
    "no other server": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message(bob.aor, "hello");
      await bob.expect("the only one", "MESSAGE {*}\nCSeq: 1 MESSAGE");
      bob.reply("503 Service Unavailable", "Retry-After: 20");
      await stage.advance(20_000);
      await bob.expect("is asked again when it said", "MESSAGE {*}\nCSeq: 2 MESSAGE");
      bob.reply("503 Service Unavailable", "Retry-After: 3600");
      const { retryAfter } = await stage.rejected("an hour is for the application to wait", sending, 503);
      stage.check.equal("which is told", retryAfter, 3600);
    },
    "a proxy": async (stage) => {
      await stage.server({
        users: ["mobile"],
        config: { aliases: { bob: "sip:bob@dual.example", carol: ["sip:carol@first.example", "mobile"] } },
      });
      const [first, second] = await stage.peers("first", "second");
      const [mobile, alice] = await stage.peers("mobile", "alice");
      stage.name("dual.example", first, second);
      alice.request("INVITE sip:bob@home.example");
      await first.expect("the proxy asks one server", "INVITE {*}");
      first.reply("503 Service Unavailable");
      await second.expect("after the other", "INVITE {*}");
      second.reply("503 Service Unavailable");
      await alice.expect(
        "that both are out of service is not to say that the proxy is (§16.7)",
        "SIP/2.0 500 Server Internal Error\nTo: {*};tag={tag}\n!Retry-After: {*}",
      );
      mobile.request("REGISTER sip:home.example", "To: <sip:mobile@home.example>");
      await mobile.expect("carol has a mobile here", "SIP/2.0 200 OK");
      alice.request("INVITE sip:carol@home.example");
      await first.expect("in a fork", "INVITE sip:carol@{*}");
      first.reply("503 Service Unavailable");
      await mobile.expect("any other answer", "INVITE {*}");
      mobile.reply("480 Temporarily Unavailable");
      await alice.expect("says more", "SIP/2.0 480 Temporarily Unavailable");
    },
    "nobody there at all": act(
      { transports: ["TCP"], notInWeather: "who is not there does not even refuse the connection" },
      async (stage) => {
        const alice = await stage.phone("alice");
        stage.name("void.example", stage.nowhere());
        const sending = alice.ua.message("sip:bob@void.example", "hello");
        const { origin } = await stage.rejected("counts as a 503 (§8.1.3.1)", sending, 503);
        stage.check.equal("that nobody has sent", origin, "transport");
      },
    ),
  },

  mutants: {
    producer: {
      title: "there is always room",
      file: "packages/sip/src/transaction/transaction-layer.ts",
      find: 'return this.isDraining || this.isOverloaded || this.size >= maxTransactions ? "refuse" : "pass";',
      replace: 'return "pass";',
    },
    reaction: {
      title: "a 503 speaks for every server",
      file: "packages/sip/src/stack-request.ts",
      find: "if (status === 503) {",
      replace: "if (false) {",
    },
  },
});
