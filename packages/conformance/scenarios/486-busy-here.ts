// 486 Busy Here: this phone cannot take the call now; others of the user may. RFC 3261 §21.4.24, §13.3.1.3, §16.7.

import { scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 486,
  sender: "the called phone",
  condition: "the person rejects the call as busy, or as many calls as the phone takes are up",
  reacts: "the call fails as busy; a proxy waits for the other phones and sends 486 up if nobody answers",

  producer: {
    "a person rejects": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [, incoming] = await stage.calls(alice, bob);
      await stage.value("the person rejects it", incoming.reject(486));
      await stage.sees(
        "the phone sends 486 with a To tag, and no Contact",
        { from: "bob", to: "server" },
        `SIP/2.0 486 Busy Here
         To: {*};tag={busyTag:[^;]+}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees(
        "the proxy acknowledges it itself",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={busyTag}",
      );
      await stage.sees(
        "the proxy passes it on as it came, one Via less",
        { from: "server", to: "alice" },
        "SIP/2.0 486 Busy Here\nTo: {*};tag={busyTag}\nVia: {one:[^,]+}",
      );
    },
    "all its lines are in use": async (stage) => {
      const bob = await stage.phone("bob", { maxCalls: 1 });
      const alice = await stage.phone("alice");
      const carol = await stage.peer("carol", { to: bob });
      await stage.talk(alice, bob);
      carol.request(`INVITE ${bob.aor}`);
      await carol.expect("the phone itself says 486", "SIP/2.0 486 Busy Here\nTo: {*};tag={tag}");
      carol.request(`OPTIONS ${bob.aor}`);
      await carol.expect("an OPTIONS is told what an INVITE would be (§11.2)", "SIP/2.0 486 Busy Here");
    },
  },

  nearMiss: async (stage) => {
    const bob = await stage.phone("bob", { maxCalls: 2 });
    const alice = await stage.phone("alice");
    const carol = await stage.peer("carol", { to: bob });
    await stage.talk(alice, bob);
    carol.request(`INVITE ${bob.aor}`);
    const second = await bob.rings("a call waiting is no refusal");
    await stage.value("the second call rings", second.ring());
    await carol.expect("its caller hears that", "SIP/2.0 180 Ringing");
    await carol.expectNone("and no 486", "SIP/2.0 486 {*}");
  },

  reaction: {
    alone: async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("486 Busy Here", "Retry-After: 60");
      const rejected = await stage.rejected("the application is told 486", call.answered, 486);
      stage.check.equal("and when bob is free again", rejected.retryAfter, 60);
      stage.check.equal("nothing is tried again by itself", rejected.retries, []);
      await bob.expect("the ACK", "ACK {*}");
      await stage.advance(70_000);
      await stage.seesTimes("nor later", 1, { from: "alice" }, "INVITE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
      const call = alice.call("sip:bob@home.example");
      const onDesk = await desk.rings("the desk phone is called");
      const onMobile = await mobile.rings("the mobile is called");
      await stage.value("the desk phone is busy", onDesk.reject(486));
      await stage.sees("its 486 reaches the proxy", { from: "desk", to: "server" }, "SIP/2.0 486 {*}");
      await stage.seesNone(
        "which keeps it while the mobile may answer",
        { from: "server", to: "alice" },
        "SIP/2.0 486 {*}",
      );
      await stage.seesNone("and cancels nothing", { from: "server", to: "mobile" }, "CANCEL {*}");
      await stage.value("the mobile answers", onMobile.answer(sdpOf("bob")));
      await stage.value("and the call is up", call.answered);
    },
    "everywhere in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const [desk, mobile] = await stage.devices("bob", "desk", "mobile");
      const call = alice.call("sip:bob@home.example");
      call.answered.catch(() => {});
      await stage.value("one is busy", (await desk.rings("the desk phone is called")).reject(486));
      await stage.value("the other not there", (await mobile.rings("the mobile is called")).reject(480));
      await stage.rejected("busy says more than unavailable", call.answered, 486);
    },
  },

  mutants: {
    producer: {
      title: "the limit of calls does not count",
      file: "packages/sip/src/user-agent/reception.ts",
      find: "if (calls.size >= maxCalls)",
      replace: "if (calls.size > maxCalls)",
    },
    reaction: {
      title: "a proxy sends up the first failure",
      file: "packages/sip/src/responses/best-response.ts",
      find: "  [486],\n",
      replace: "",
    },
  },
});
