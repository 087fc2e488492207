// 483 Too Many Hops: Max-Forwards has come to zero. RFC 3261 §16.3 step 3, §8.1.1.6, §21.4.21.

import { scenario, triedAgain } from "../src/index.ts";

export default scenario({
  code: 483,
  sender: "the proxy",
  condition: "a request with Max-Forwards 0 would have to be forwarded",
  reacts: "the call fails and is not tried again",

  producer: {
    "an INVITE": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Forwards: 0");
      await carol.expect("483 with a To tag", "SIP/2.0 483 Too Many Hops\nTo: {*};tag={tag}\nCSeq: 1 INVITE");
      await stage.seesNone("bob hears nothing of it", { from: "server", to: "bob" }, "INVITE {*}");
    },
    "a MESSAGE": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "Max-Forwards: 0");
      await carol.expect("any method", "SIP/2.0 483 Too Many Hops");
    },
  },

  nearMiss: {
    "one hop left": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Forwards: 1");
      await bob.rings("the last hop still leads to bob");
      await stage.sees("with none left", { from: "server", to: "bob" }, "INVITE {*}\nMax-Forwards: 0");
    },
    "an OPTIONS for the proxy itself": async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example", "Max-Forwards: 0");
      await carol.expect("who asks for the last hop gets its answer (§11)", "SIP/2.0 200 OK");
    },
  },

  reaction: async (stage) => {
    const [alice, proxy] = await stage.phoneAndPeer("alice", "proxy");
    const call = alice.call("sip:bob@proxy.example");
    await proxy.expect("the INVITE has 70 hops", "INVITE {*}\nMax-Forwards: 70");
    proxy.reply("483 Too Many Hops");
    const rejected = await stage.rejected("the application is told 483", call.answered, 483);
    stage.check.equal("without a retry: more hops would not help in a loop", rejected.retries, []);
    await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
  },

  mutants: {
    producer: {
      title: "hops are not counted",
      file: "packages/sip/src/proxy/validate.ts",
      find: "statusCode: 483",
      replace: "statusCode: 404",
    },
    reaction: triedAgain(483),
  },
});
