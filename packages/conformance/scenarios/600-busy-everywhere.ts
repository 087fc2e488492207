// 600 Busy Everywhere: this phone is busy, and knows that no other one will answer. RFC 3261 §21.6.1, §13.3.1.3, §16.7 step 5.
// (Busy, but others may answer, is 486.)

import { scenario } from "../src/index.ts";

export default scenario({
  code: 600,
  sender: "the called phone that is its user's only one",
  condition: "as many calls as it takes are up, and nobody else answers calls of this user",
  reacts: "the call fails everywhere: other phones stop ringing, other targets are not tried",

  producer: {
    "all its lines are in use": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob", { maxCalls: 1, soleEndpoint: true });
      const carol = await stage.peer("carol");
      await stage.talk(alice, bob);
      carol.request("INVITE sip:bob@home.example");
      await stage.sees(
        "a second caller gets 600 with a To tag",
        { from: "bob", to: "server" },
        `SIP/2.0 600 Busy Everywhere
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees(
        "the proxy acknowledges it",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
      await carol.expect("and passes it on", "SIP/2.0 600 Busy Everywhere\nTo: {*};tag={tag}");
      carol.request("OPTIONS sip:bob@home.example");
      await carol.expect(
        "who only asks is told the same (§11.2)",
        "SIP/2.0 600 Busy Everywhere\nCSeq: 1 OPTIONS",
      );
    },
  },

  nearMiss: {
    "there are other phones": async (stage) => {
      const bob = await stage.phone("bob", { maxCalls: 1 });
      const [alice, carol] = [await stage.phone("alice"), await stage.peer("carol", { to: bob })];
      await stage.talk(alice, bob);
      carol.request(`INVITE ${bob.aor}`);
      await carol.expect("so this one speaks for itself only", "SIP/2.0 486 Busy Here");
    },
    "a line is free": async (stage) => {
      const bob = await stage.phone("bob", { maxCalls: 2, soleEndpoint: true });
      const [alice, carol] = [await stage.phone("alice"), await stage.peer("carol", { to: bob })];
      await stage.talk(alice, bob);
      carol.request(`INVITE ${bob.aor}`);
      await bob.rings("the only phone takes it");
    },
  },

  reaction: {
    "no other target": async (stage) => {
      const alice = await stage.phone("alice");
      const [bob, desk, mobile] = await stage.peers("bob", "desk", "mobile");
      const call = alice.call(bob.aor);
      await bob.expect("bob", "INVITE {*}");
      bob.reply("302 Moved Temporarily", `Contact: <${desk.aor}>;q=0.9`, `Contact: <${mobile.aor}>;q=0.1`);
      await desk.expect("is to be found at two places, the likelier one first", "INVITE {*}");
      desk.reply("600 Busy Everywhere", "Retry-After: 300");
      const rejected = await stage.rejected("which speaks for all of them", call.answered, 600);
      stage.check.equal("the application is told when to try again", rejected.retryAfter, 300);
      await mobile.expectNone("the other place is not tried");
      await stage.advance(310_000);
      await stage.seesTimes("nor anything by itself later", 2, { from: "alice" }, "INVITE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      carol.request("INVITE sip:bob@home.example");
      await mobile.expect("the mobile", "INVITE {*}");
      const onMobile = mobile.last;
      mobile.reply("180 Ringing");
      await carol.expect("rings", "SIP/2.0 180 Ringing");
      await desk.expect("the desk phone", "INVITE {*}");
      desk.reply("600 Busy Everywhere");
      await mobile.expect(
        "is busy for all: the mobile is told to stop, and why",
        "CANCEL {*}\nReason: SIP;cause=600",
      );
      mobile.reply("200 OK");
      await carol.expectNone("the caller hears nothing while it may still answer", "SIP/2.0 600 {*}");
      if (onMobile !== undefined) mobile.replyTo(onMobile, "487 Request Terminated");
      await carol.expect("then 600 counts, and not 487", "SIP/2.0 600 Busy Everywhere");
    },
  },

  mutants: {
    producer: {
      title: "a phone never speaks for its user",
      file: "packages/sip/src/user-agent/reception.ts",
      find: "if (calls.size >= maxCalls) return { statusCode: context.isSoleEndpoint ? 600 : 486, options: {} };",
      replace: "if (calls.size >= maxCalls) return { statusCode: 486, options: {} };",
    },
    reaction: {
      title: "a caller tries other targets after 6xx",
      file: "packages/sip/src/core/uac.ts",
      find: "if (this.#isGivenUp || response.statusCode >= 600) return false;",
      replace: "if (this.#isGivenUp) return false;",
    },
  },
});
