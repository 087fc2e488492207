// 491 Request Pending: two offers meet in one call. RFC 3261 §14.1, §14.2, §21.4.27; RFC 3311 §5.2; RFC 6337 §4.3.

import { act, contentOf, scenario, sdpOf } from "../src/index.ts";

const whoIsFirst = "which request is the first is for the network to say";

export default scenario({
  code: 491,
  sender: "either phone in a call",
  condition: "a re-INVITE, or an UPDATE with an offer, comes while one of its own is not answered yet",
  reacts:
    "offered again 2.1 to 4 s later by who made the Call-ID, up to 2 s later by the other; all stays as it was",

  producer: {
    "re-INVITE meets re-INVITE": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registeredPeer("bob");
      const call = alice.call(bob.aor);
      await bob.expect("bob is called", "INVITE {*}\nFrom: {*};tag={aliceTag:[^;]+}");
      bob.reply("200 OK", ...contentOf("bob"));
      await bob.expect("and answers", "ACK {*}");
      const holding = call.hold();
      await bob.expect("alice puts bob on hold", "INVITE {*}\nCSeq: 2 INVITE\n\na=sendonly");
      const hers = bob.last;
      bob.requestInDialog("INVITE", ...contentOf("bob"));
      await bob.expect(
        "and cannot take an offer before hers is answered: 491, tags as they are, nothing about when",
        `SIP/2.0 491 Request Pending
         To: {*};tag={aliceTag}
         CSeq: 1 INVITE
         !Retry-After: {*}`,
      );
      if (hers !== undefined) bob.replyTo(hers, "200 OK", ...contentOf("bob"));
      await stage.value("hers goes its way", holding);
      stage.check.equal("bob is on hold", call.isOnHold, true);
    },
    "UPDATE meets UPDATE": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("200 OK", "Allow: INVITE, ACK, BYE, UPDATE", ...contentOf("bob"));
      await bob.expect("and answers", "ACK {*}");
      await stage.value("the call is up", call.answered);
      const holding = call.hold();
      await bob.expect("alice puts bob on hold", "UPDATE {*}\nCSeq: 2 UPDATE\n\na=sendonly");
      const hers = bob.last;
      bob.requestInDialog("UPDATE", ...contentOf("bob"));
      await bob.expect("an offer by UPDATE", "SIP/2.0 491 Request Pending\nCSeq: 1 UPDATE");
      bob.requestInDialog("INVITE", ...contentOf("bob"));
      await bob.expect("or by re-INVITE", "SIP/2.0 491 Request Pending\nCSeq: 2 INVITE");
      if (hers !== undefined) bob.replyTo(hers, "200 OK", "Contact: <{uri}>", ...contentOf("bob"));
      await stage.value("has to wait for the answer to hers", holding);
    },
  },

  nearMiss: {
    "theirs is not answered yet": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, ...contentOf("carol"));
      let answer = (): void => {};
      const call = await bob.rings("bob is called");
      const answering = call.answer((offer) =>
        offer?.includes("sendonly") === true
          ? new Promise((resolve) => {
              answer = () => resolve(sdpOf("bob"));
            })
          : sdpOf("bob"),
      );
      await carol.expect("and answers", "SIP/2.0 200 OK");
      carol.ack();
      await stage.value("the call is up", answering);
      const held = sdpOf("carol").replace("sendrecv", "sendonly");
      carol.requestInDialog("INVITE", "Content-Type: application/sdp", "", held);
      await stage.sees("carol offers", { from: "carol", to: "bob" }, "INVITE {*}\nCSeq: 2 INVITE");
      await stage.settle();
      carol.requestInDialog("INVITE", ...contentOf("carol"));
      await carol.expect(
        "and offers again without waiting: her own mistake, 500 (§14.2)",
        "SIP/2.0 500 {*}\nCSeq: 3 INVITE\nRetry-After: {*}",
      );
      answer();
      await carol.expect("the first is answered", "SIP/2.0 200 OK\nCSeq: 2 INVITE");
      carol.ack();
    },
    "no offer": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const holding = call.hold();
      await bob.expect("alice's offer is under way", "INVITE {*}\nCSeq: 2 INVITE");
      const hers = bob.last;
      bob.requestInDialog("UPDATE");
      await bob.expect("an UPDATE that offers nothing meets nothing", "SIP/2.0 200 OK\nCSeq: 1 UPDATE");
      if (hers !== undefined) bob.replyTo(hers, "200 OK", ...contentOf("bob"));
      await stage.value("bob is on hold", holding);
    },
    "ours was refused": act({ notInWeather: whoIsFirst }, async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      call.hold().catch(() => {});
      await bob.expect("alice's offer", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("491 Request Pending");
      await bob.expect("was refused", "ACK {*}\nCSeq: 2 ACK");
      bob.requestInDialog("INVITE", ...contentOf("bob"));
      await bob.expect("then nothing of hers is pending", "SIP/2.0 200 OK\nCSeq: 1 INVITE");
      bob.ack();
    }),
  },

  reaction: {
    "who made the Call-ID": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const before = call.localDescription;
      const holding = call.hold();
      await bob.expect(
        "alice puts bob on hold",
        "INVITE {*}\nCall-ID: {callId}\nCSeq: 2 INVITE\n\na=sendonly",
      );
      bob.reply("491 Request Pending");
      await bob.expect("491 is acknowledged", "ACK {*}\nCSeq: 2 ACK");
      if (stage.isCalm) {
        await stage.advance(2090);
        await bob.expectNone("alice waits, 2.1 s at least", "INVITE {*}");
        stage.check.equal("in the session that there was", call.localDescription, before);
        await stage.advance(4000 - 2090);
      }
      await bob.expect(
        "4 s at most, then she offers again: the same dialog, CSeq one higher",
        "INVITE {*}\nCall-ID: {callId}\nCSeq: 3 INVITE\nTo: {*};tag={*}\n\na=sendonly",
      );
      bob.reply("200 OK", ...contentOf("bob"));
      await bob.expect("this time it is taken", "ACK {*}\nCSeq: 3 ACK");
      await stage.value("bob is on hold", holding);
    },
    "who did not": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [call] = await stage.talk(carol, bob);
      const holding = call.hold();
      await carol.expect("bob puts carol on hold", "INVITE {*}\nCSeq: {first:\\d+} INVITE");
      carol.reply("491 Request Pending");
      await carol.expect("491 is acknowledged", "ACK {*}\nCSeq: {first} ACK");
      if (stage.isCalm) await stage.advance(2000);
      await carol.expect(
        "bob offers again within 2 s, before carol could",
        "INVITE {*}\n!CSeq: {first} INVITE",
      );
      carol.reply("200 OK", ...contentOf("carol"));
      await carol.expect("and is heard", "ACK {*}");
      await stage.value("carol is on hold", holding);
    },
    "the other goes first": act({ notInWeather: whoIsFirst }, async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const holding = call.hold();
      await bob.expect("alice's offer", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("491 Request Pending");
      await bob.expect("meets bob's", "ACK {*}\nCSeq: 2 ACK");
      bob.requestInDialog("INVITE", ...contentOf("bob"));
      await bob.expect("while she waits his is taken", "SIP/2.0 200 OK\nCSeq: 1 INVITE");
      bob.ack();
      await stage.advance(4000);
      await bob.expect("hers follows", "INVITE {*}\nCSeq: 3 INVITE\n\na=sendonly");
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("and bob is on hold", holding);
    }),
    "both at once": act({ notInWeather: whoIsFirst }, async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [hers, his] = await stage.talk(alice, bob);
      const [herHold, hisHold] = [hers.hold(), his.hold()];
      await stage.sees("both refuse: bob", { from: "bob", to: "server" }, "SIP/2.0 491 {*}");
      await stage.sees("and alice", { from: "alice", to: "server" }, "SIP/2.0 491 {*}");
      await stage.advance(2000);
      await stage.value("bob did not make the Call-ID and goes first", hisHold);
      await stage.advance(2000);
      await stage.value("then alice", herHold);
      stage.check.equal("each holds the other", [hers.isHeldByPeer, his.isHeldByPeer], [true, true]);
    }),
    "who hangs up meanwhile": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const holding = call.hold();
      holding.catch(() => {});
      await bob.expect("alice puts bob on hold", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("491 Request Pending");
      await bob.expect("491 is acknowledged", "ACK {*}\nCSeq: 2 ACK");
      const ending = call.hangUp();
      await bob.expect("she hangs up instead of waiting", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("the call is over", ending);
      await stage.advance(5000);
      await stage.seesTimes("and nothing is offered any more", 2, { from: "alice" }, "INVITE {*}");
    },
    "a peer that always says so": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const holding = call.hold();
      holding.catch(() => {});
      await bob.expect("once", "INVITE {*}\nCSeq: 2 INVITE");
      bob.reply("491 Request Pending");
      await stage.advance(4000);
      await bob.expect("twice", "INVITE {*}\nCSeq: 3 INVITE");
      bob.reply("491 Request Pending");
      await stage.rejected("then the application is told", holding, 491);
      await stage.advance(10_000);
      await stage.seesTimes("and that is all", 3, { from: "alice" }, "INVITE {*}");
      stage.check.equal("the call goes on", call.state, "established");
    },
  },

  mutants: {
    producer: {
      title: "a re-INVITE is taken at any time",
      file: "packages/sip/src/user-agent/renegotiation.ts",
      find: "if ((this.#outgoing !== undefined && !this.#outgoing.isWaiting) || this.#isOfferingByUpdate) {",
      replace: "if (false) {",
    },
    reaction: {
      title: "a 491 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  491: { kind: "wait, then retry", delay: glareDelay },\n',
      replace: "",
    },
  },
});
