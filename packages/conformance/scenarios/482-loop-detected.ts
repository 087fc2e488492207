// 482 Loop Detected: a request has come back to a proxy that would fork it again, or to a phone by two ways.
// RFC 5393 §4.1, §4.2; RFC 3261 §8.2.2.2, §16.7, §21.4.20.

import { type Peer, type Stage, scenario } from "../src/index.ts";

/** Two servers whose aliases call each other: alice calls the sales desk, which rings bob, who forwards to the sales desk. */
async function mutualForwarding(stage: Stage): Promise<Peer> {
  await stage.server({ config: { aliases: { sales: ["sip:bob@away.example", "sip:carol@carol.example"] } } });
  await stage.server({
    name: "away",
    domain: "away.example",
    config: { aliases: { bob: "sip:sales@home.example" } },
  });
  return await stage.peer("carol");
}

export default scenario({
  code: 482,
  sender: "the proxy before it forks; the phone that a request reaches twice",
  condition:
    "one of its own Vias shows the same request at the same place; From tag, Call-ID and CSeq of a request that is under way",
  reacts:
    "the last choice of a forking proxy, so that it hides no other answer; alone the call fails and is not tried again",

  producer: {
    "a loop": async (stage) => {
      const carol = await mutualForwarding(stage);
      const alice = await stage.peer("alice");
      alice.request("INVITE sip:sales@home.example");
      await carol.expect("carol is called", "INVITE {*}");
      await stage.sees(
        "the loop comes back",
        { from: "away", to: "server" },
        "INVITE sip:sales@home.example SIP/2.0",
      );
      await stage.sees(
        "and is seen through before it forks again",
        { from: "server", to: "away" },
        "SIP/2.0 482 Loop Detected\nTo: {*};tag={tag}\nCSeq: 1 INVITE",
      );
      await stage.seesTimes("carol is called once", 1, { from: "server", to: "carol" }, "INVITE {*}");
    },
    "a merged request": async (stage) => {
      const [bob, proxy] = await stage.phoneAndPeer("bob", "proxy");
      proxy.request(`INVITE ${bob.aor}`, "Call-ID: one");
      const call = await bob.rings("bob is called");
      await stage.value("it rings", call.ring());
      await proxy.expect("the first way rings", "SIP/2.0 180 Ringing\nVia: {*}branch=z9hG4bK-proxy1{*}");
      proxy.request(`INVITE ${bob.aor}`, "Call-ID: one", "From: <sip:proxy@proxy.example>;tag=from-proxy1");
      await proxy.expect(
        "the second is told that it is one too many",
        "SIP/2.0 482 Merged Request\nVia: {*}branch=z9hG4bK-proxy2{*}\nTo: {*};tag={tag}",
      );
    },
  },

  nearMiss: {
    "a spiral": async (stage) => {
      await stage.server({
        users: ["bob"],
        config: { aliases: { sales: ["sip:sales@away.example", "sip:carol@carol.example"] } },
      });
      await stage.server({
        name: "away",
        domain: "away.example",
        config: { aliases: { sales: "sip:bob@home.example" } },
      });
      await stage.peer("carol");
      const bob = await stage.registered("bob");
      const alice = await stage.peer("alice");
      alice.request("INVITE sip:sales@home.example");
      await bob.rings("what comes back for somebody else goes on");
      await stage.seesNone("and is no loop", {}, "SIP/2.0 482 {*}");
    },
    "the next call": async (stage) => {
      const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
      alice.request(`INVITE ${bob.aor}`, "Call-ID: one");
      await bob.rings("a first call");
      alice.request(`INVITE ${bob.aor}`, "Call-ID: two");
      await bob.rings("a second one is a call of its own");
    },
  },

  reaction: {
    "in a fork": async (stage) => {
      await stage.server({
        config: { aliases: { sales: ["sip:bob@bob.example", "sip:carol@carol.example"] } },
      });
      const alice = await stage.peer("alice");
      const bob = await stage.peer("bob");
      const carol = await stage.peer("carol");
      alice.request("INVITE sip:sales@home.example");
      await bob.expect("bob is called", "INVITE {*}");
      await carol.expect("carol is called", "INVITE {*}");
      bob.reply("482 Loop Detected");
      await stage.sees("a loop on one way", { from: "bob", to: "server" }, "SIP/2.0 482 {*}");
      await bob.expect("is taken in", "ACK {*}");
      carol.reply("400 Bad Request");
      await alice.expect("any other failure says more", "SIP/2.0 400 Bad Request");
    },
    alone: async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("482 Loop Detected");
      const rejected = await stage.rejected("the application is told 482", call.answered, 482);
      stage.check.equal("without a retry", rejected.retries, []);
    },
  },

  mutants: {
    producer: {
      title: "a proxy does not look at its own Vias",
      file: "packages/sip/src/proxy/response-context.ts",
      find: "if (!hasLooped(this.request, mark)) {",
      replace: "if (mark !== undefined) {",
    },
    reaction: {
      title: "a loop says as much as any other failure",
      file: "packages/sip/src/responses/best-response.ts",
      find: "  [482],\n",
      replace: "",
    },
  },
});
