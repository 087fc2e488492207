// 481 Call/Transaction Does Not Exist: a request about something that is not there, or not any more. RFC 3261 §12.2.2,
// §12.2.1.2, §9.2, §15.1.1, §21.4.19; RFC 3262 §3; RFC 5057 §5.1.

import { contentOf, scenario } from "../src/index.ts";

export default scenario({
  code: 481,
  sender: "the phone that is asked; a server for what names the server itself",
  condition: "a To tag of no dialog here, a CANCEL of no transaction, a PRACK of no provisional response",
  reacts: "the call is over, with a BYE to be sure; after CANCEL and PRACK it goes on",

  producer: {
    "a phone that has lost the call": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [call, lost] = await stage.talk(alice, bob);
      lost.abandon();
      const info = call.request("INFO");
      info.catch(() => {});
      await stage.sees(
        "alice's next request in the call",
        { from: "server", to: "bob" },
        "INFO {*}\nTo: {*};tag={tag:[^;]+}\nCSeq: {sequence} INFO",
      );
      await stage.sees(
        "finds nothing that its tag belongs to: 481, the tag as it came, no Contact",
        { from: "bob", to: "server" },
        `SIP/2.0 481 Call/Transaction Does Not Exist
         To: {*};tag={tag}
         CSeq: {sequence} INFO
         !Contact: {*}`,
      );
      await stage.sees(
        "the proxy passes it on",
        { from: "server", to: "alice" },
        "SIP/2.0 481 Call/Transaction Does Not Exist\nTo: {*};tag={tag}\nVia: {one:[^,]+}",
      );
      await stage.rejected("and alice's application is told", info, 481);
    },
    "whatever the method": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      for (const method of ["BYE", "INFO", "OPTIONS", "UPDATE", "INVITE"]) {
        carol.request(`${method} ${bob.aor}`, `To: <${bob.aor}>;tag=nobody`);
        await carol.expect(
          `${method} in a dialog that bob does not know`,
          `SIP/2.0 481 Call/Transaction Does Not Exist\nTo: <${bob.aor}>;tag=nobody\nCSeq: 1 ${method}`,
        );
      }
    },
    "a CANCEL of nothing": async (stage) => {
      const bob = await stage.phone("bob");
      const [alice, carol] = [await stage.phone("alice"), await stage.peer("carol", { to: bob })];
      const [call] = await stage.talk(alice, bob);
      carol.request(`CANCEL ${bob.aor}`);
      await carol.expect(
        "no INVITE has its branch (§9.2)",
        "SIP/2.0 481 Call/Transaction Does Not Exist\nCSeq: 1 CANCEL\nTo: {*};tag={tag}",
      );
      stage.check.equal("other calls do not mind", call.state, "established");
    },
    "a PRACK of nothing": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      const [call] = await stage.talk(carol, bob);
      carol.requestInDialog("PRACK", "RAck: 7 1 INVITE");
      await carol.expect(
        "no provisional response waits for it (RFC 3262 §3)",
        "SIP/2.0 481 Call/Transaction Does Not Exist\nCSeq: 2 PRACK",
      );
      stage.check.equal("the call does not mind", call.state, "established");
    },
    "the server itself": async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example", "To: <sip:home.example>;tag=nobody");
      await carol.expect(
        "what names the server and no user can go no further",
        "SIP/2.0 481 Call/Transaction Does Not Exist\nTo: <sip:home.example>;tag=nobody",
      );
    },
  },

  nearMiss: {
    "a call that is there": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      await stage.talk(carol, bob);
      carol.requestInDialog("OPTIONS");
      await carol.expect("is answered", "SIP/2.0 200 OK\nCSeq: 2 OPTIONS");
      carol.requestInDialog("BYE");
      await carol.expect("to its end", "SIP/2.0 200 OK\nCSeq: 3 BYE");
    },
    "an ACK": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`ACK ${bob.aor}`, `To: <${bob.aor}>;tag=nobody`);
      await carol.expectNone("has no answer, whatever it is about");
    },
    "a proxy": async (stage) => {
      await stage.server({ users: ["bob"] });
      const [bob, carol] = await stage.peers("bob", "carol");
      await bob.register("sip:bob@home.example");
      carol.request("BYE sip:bob@home.example", "To: <sip:bob@home.example>;tag=bobs");
      await bob.expect("has no dialogs and knows of none: it asks bob", "BYE {*}\nTo: {*};tag=bobs");
      bob.reply("200 OK");
      await carol.expect("who knows", "SIP/2.0 200 OK\nCSeq: 1 BYE");
    },
  },

  reaction: {
    "within a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const holding = call.hold();
      holding.catch(() => {});
      await bob.expect("alice wants to put bob on hold", "INVITE {*}\nTo: {*};tag={*}\nCSeq: 2 INVITE");
      bob.reply("481 Call/Transaction Does Not Exist");
      await bob.expect("which was the wrong call", "ACK {*}\nCSeq: 2 ACK");
      await bob.expect("she says good-bye to be sure (§12.2.1.2)", "BYE {*}\nCSeq: 3 BYE");
      bob.reply("481 Call/Transaction Does Not Exist");
      await stage.rejected("the hold has failed", holding, 481);
      const { by, cause } = await stage.value("and the call is over", call.ended);
      stage.check.equal("because the other side has lost it", [by, cause], ["local", "no dialog"]);
      stage.check.equal("no call is left", alice.ua.calls.size, 0);
    },
    "to a BYE": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const ending = call.hangUp();
      await bob.expect("the BYE", "BYE {*}");
      bob.reply("481 Call/Transaction Does Not Exist");
      const { cause } = await stage.value("what was to end is ended (§15.1.1)", ending);
      stage.check.equal("as if it had been there", cause, "bye");
      await stage.seesTimes("no further BYE", 1, { from: "alice" }, "BYE {*}");
    },
    "to a CANCEL": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      const invite = bob.last;
      bob.reply("180 Ringing");
      await stage.until("it rings", () => call.state === "ringing");
      const ending = call.hangUp();
      await bob.expect("alice gives up", "CANCEL {*}");
      bob.reply("481 Call/Transaction Does Not Exist");
      await stage.sees("only the CANCEL has failed", { from: "bob", to: "alice" }, "SIP/2.0 481 {*}");
      await stage.settle();
      stage.check.equal("the INVITE still has no answer", call.state, "ending");
      if (invite !== undefined) bob.replyTo(invite, "200 OK", ...contentOf("bob"));
      await bob.expect("which is acknowledged when it comes", "ACK {*}");
      await bob.expect("and the call ended", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("then it is over", ending);
    },
    "to a PRACK": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("alice takes reliable provisional responses", "INVITE {*}\nSupported: {*}100rel{*}");
      const invite = bob.last;
      bob.reply("180 Ringing", "Require: 100rel", "RSeq: 1");
      await bob.expect("and acknowledges them", "PRACK {*}\nRAck: 1 1 INVITE");
      bob.reply("481 Call/Transaction Does Not Exist");
      if (invite !== undefined) bob.replyTo(invite, "200 OK", ...contentOf("bob"));
      await bob.expect("an acknowledgement that came too late ends no call", "ACK {*}");
      await stage.value("it is answered", call.answered);
      await stage.seesNone("and nobody hangs up", { from: "alice" }, "BYE {*}");
    },
  },

  mutants: {
    producer: {
      title: "a phone does not look at To tags",
      file: "packages/sip/src/user-agent/reception.ts",
      find: "if (request.to.tag !== undefined) {",
      replace: "if (false) {",
    },
    reaction: {
      title: "a call outlives its dialog at the peer",
      file: "packages/sip/src/core/reactions.ts",
      find: 'return code === 481 && (method === "CANCEL" || method === "PRACK") ? "transaction" : effect;',
      replace: 'return "transaction";',
    },
  },
});
