// 180 Ringing: the phone alerts its user. RFC 3261 §21.1.2, §13.3.1.1, §12.1, §13.2.2.1, §16.7.

import { act, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 180,
  sender: "the called phone",
  condition: "an INVITE has passed every check and the phone begins to alert",
  reacts: "early dialog, one per To tag; the application is told that it rings",

  producer: {
    "through the proxy": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [call, incoming] = await stage.ringing(alice, bob);
      await stage.sees(
        "180 makes a dialog: To tag, Contact, the Record-Route of the request",
        { from: "bob", to: "server" },
        `SIP/2.0 180 Ringing
         To: {*};tag={ringTag:[^;]+}
         Contact: {ringContact}
         Record-Route: {*}
         CSeq: 1 INVITE
         !Require: {*}
         !Content-Type: {*}`,
      );
      await stage.sees(
        "the proxy passes it on at once, tag and Contact untouched",
        { from: "server", to: "alice" },
        "SIP/2.0 180 Ringing\nTo: {*};tag={ringTag}\nContact: {ringContact}",
      );
      await stage.value("bob answers", incoming.answer(sdpOf("bob")));
      await stage.value("alice hears it", call.answered);
      await stage.sees(
        "the 200 confirms the same dialog",
        { from: "server", to: "alice" },
        "SIP/2.0 200 OK\nTo: {*};tag={ringTag}\nCSeq: 1 INVITE",
      );
    },
    "again every minute": act(
      { notInWeather: "the minute is exact only where time stands still" },
      async (stage) => {
        const bob = await stage.phone("bob");
        const carol = await stage.peer("carol", { to: bob, manners: false });
        await stage.ringing(carol, bob);
        await carol.expect("the first 180", "SIP/2.0 180 Ringing");
        await stage.advance(59_900);
        await carol.expectNone("no second one yet", "SIP/2.0 180 Ringing");
        await stage.advance(100);
        await carol.expect("but after a minute, for the timers of proxies", "SIP/2.0 180 Ringing");
      },
    ),
  },

  nearMiss: {
    "not before it rings": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`);
      await bob.rings("bob's application has the call");
      await stage.seesNone("the phone does not ring by itself", { from: "bob" }, "SIP/2.0 180 {*}");
    },
    "not to an OPTIONS": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`OPTIONS ${bob.aor}`);
      await carol.expect("an OPTIONS alerts nobody", "SIP/2.0 200 OK");
      await stage.seesNone("and gets no 180", { from: "bob" }, "SIP/2.0 180 {*}");
    },
  },

  reaction: {
    alone: async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      const heard: number[] = [];
      call.onProgress((response) => heard.push(response.statusCode));
      await bob.expect("the INVITE", "INVITE {*}");
      bob.reply("180 Ringing");
      await stage.until("the application is told", () => heard.includes(180));
      stage.check.equal("the call rings", call.state, "ringing");
      await stage.advance(40_000);
      stage.check.equal("and goes on ringing past timer B", call.state, "ringing");
      void call.hangUp();
      await bob.expect("who gives up cancels it now", "CANCEL {*}");
    },
    "two phones ring": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
      const call = alice.call("sip:bob@home.example");
      call.answered.catch(() => {});
      const tags = new Set<string | undefined>();
      call.onProgress((response) => {
        if (response.statusCode === 180) tags.add(response.to.tag);
      });
      await stage.value("the desk phone rings", (await desk.rings("the desk phone is called")).ring());
      await stage.value("the mobile rings", (await mobile.rings("the mobile is called")).ring());
      await stage.until("two early dialogs, two tags", () => tags.size === 2);
    },
  },

  mutants: {
    producer: {
      title: "ringing is told as 183",
      file: "packages/sip/src/user-agent/call.ts",
      find: "statusCode: 180 }",
      replace: "statusCode: 183 }",
    },
    reaction: {
      title: "the call does not notice that it rings",
      file: "packages/sip/src/user-agent/caller.ts",
      find: 'if (response.statusCode > 100) core.setState("ringing");',
      replace: "",
    },
  },
});
