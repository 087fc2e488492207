// 200 OK: what was asked for is done. RFC 3261 §13.3.1.4, §13.2.2.4, §10.3 step 8, §11.2, §15.1.2, §9.2; RFC 6026.

import { act, contentOf, type Recorded, type Stage, scenario, sdpOf } from "../src/index.ts";

const exact = "times and copies are exact only where time stands still";

const copies = (stage: Stage, sender: string, startLine: RegExp): readonly Recorded[] =>
  stage.recording.messages.filter((one) => one.sender === sender && startLine.test(one.startLine));

export default scenario({
  code: 200,
  sender: "whoever did what was asked: the called phone, the registrar, the server itself",
  condition: "the person answers; bindings are stored; a BYE, CANCEL or OPTIONS finds what it is for",
  reacts:
    "an INVITE's is acknowledged, every copy of it; of two phones that answer one is kept, the other ended",

  producer: {
    "a call": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const bob = await stage.registered("bob");
      const [call, incoming] = await stage.talk(alice, bob);
      await stage.sees(
        "200 makes the dialog and carries the answer",
        { from: "bob", to: "server" },
        `SIP/2.0 200 OK
         To: {*};tag={okTag:[^;]+}
         Contact: {okContact}
         Record-Route: {*}
         Allow: {*}INVITE{*}
         Supported: {*}
         Content-Type: application/sdp
         CSeq: 1 INVITE

         m=audio 40000 RTP/AVP 0`,
      );
      await stage.sees(
        "the proxy passes it on at once, as it is",
        { from: "server", to: "alice" },
        "SIP/2.0 200 OK\nTo: {*};tag={okTag}\nContact: {okContact}\nCSeq: 1 INVITE",
      );
      await stage.value("and a BYE", call.hangUp());
      await stage.sees(
        "is answered with 200",
        { from: "bob", to: "server" },
        "SIP/2.0 200 OK\nCSeq: {*} BYE",
      );
      stage.check.equal("by whom it ends", (await stage.value("the call", incoming.ended)).by, "remote");
    },
    "again until the ACK": act({ notInWeather: exact }, async (stage) => {
      const bob = await stage.phone("bob");
      const alice = await stage.peer("alice", { to: bob, manners: false });
      const [call] = await stage.calls(alice, bob);
      const answered = call.answer(sdpOf("bob"));
      answered.catch(() => {});
      await alice.expect("the first 200", "SIP/2.0 200 OK");
      await stage.advance(7500);
      stage.check.equal(
        "again after 0.5, 1.5, 3.5 and 7.5 s",
        copies(stage, "bob", /^SIP\/2.0 200/).length,
        5,
      );
      await stage.advance(24_500);
      await alice.expect("and after 32 s without ACK a BYE (§13.3.1.4)", "BYE {*}");
    }),
    "a registration": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Contact: <{uri}>;expires=600");
      await bob.expect(
        "200 with every binding and its time, and no route",
        `SIP/2.0 200 OK
         Contact: <{uri}>;expires={seconds:\\d+}{*}
         !Record-Route: {*}
         CSeq: 1 REGISTER`,
      );
    },
    "OPTIONS for the server": async (stage) => {
      await stage.server();
      const carol = await stage.peer("carol");
      carol.request("OPTIONS sip:home.example");
      await carol.expect("200 says what it takes", "SIP/2.0 200 OK\nAllow: {*}OPTIONS{*}\nAccept: {*}");
    },
    CANCEL: async (stage) => {
      const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
      await stage.ringing(alice, bob);
      await alice.expect("alice hears it", "SIP/2.0 180 Ringing\nTo: {*};tag={tag}");
      alice.cancel();
      await alice.expect(
        "the CANCEL is answered by itself, with the tag of the INVITE",
        "SIP/2.0 200 OK\nTo: {*};tag={tag}\nCSeq: 1 CANCEL",
      );
    },
  },

  nearMiss: {
    "nobody answers": async (stage) => {
      const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
      const [call] = await stage.calls(alice, bob);
      await stage.value("it only rings", call.ring());
      await stage.seesNone("no phone answers by itself", { from: "bob" }, "SIP/2.0 200 {*}\nCSeq: 1 INVITE");
    },
  },

  reaction: {
    "an ACK for every copy": act({ notInWeather: exact }, async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.peer("bob", { manners: false });
      const call = alice.call(bob.aor);
      await bob.expect("the INVITE", "INVITE {*}\nCSeq: {n:\\d+} INVITE\nVia: {*}branch={branch:[^;]+}{*}");
      const invite = bob.last!;
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("the call is up", call.answered);
      await bob.expect(
        "the ACK: to the Contact, in a transaction of its own, with the CSeq of the INVITE",
        "ACK {uri} SIP/2.0\nCSeq: {n} ACK\nTo: {*};tag=bob-1\n!Via: {*}branch={branch}{*}",
      );
      bob.replyTo(invite, "200 OK", ...contentOf("bob"));
      await bob.expect("the 200 once more, the ACK once more (§13.2.2.4)", "ACK {*}\nCSeq: {n} ACK");
      stage.check.equal("and nothing else happens", call.state, "established");
    }),
    "two phones answer": async (stage) => {
      const [alice, proxy] = await stage.phoneAndPeer("alice", "proxy");
      const call = alice.call("sip:bob@proxy.example");
      await proxy.expect("the INVITE", "INVITE {*}\nCall-ID: {callId}");
      const invite = proxy.last!;
      proxy.reply("200 OK", ...contentOf("desk"));
      await stage.value("the first answer is the call", call.answered);
      await proxy.expect("it gets its ACK", "ACK {*}\nTo: {*};tag=proxy-1");
      const second = {
        ...invite,
        fields: invite.fields.map((field) => (/^To:/i.test(field) ? `${field};tag=mobile` : field)),
      };
      proxy.replyTo(second, "200 OK", ...contentOf("mobile"));
      await proxy.expect("the second gets an ACK too", "ACK {*}\nTo: {*};tag=mobile");
      await proxy.expect("and then a BYE", "BYE {*}\nTo: {*};tag=mobile");
      proxy.reply("200 OK");
      stage.check.equal("the call goes on", call.state, "established");
    },
    "a 200 that crosses the CANCEL": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      const invite = bob.last!;
      bob.reply("180 Ringing");
      await stage.until("it rings", () => call.state === "ringing");
      void call.hangUp();
      await bob.expect("alice gives up", "CANCEL {*}");
      bob.replyTo(invite, "200 OK", ...contentOf("bob"));
      await bob.expect("the answer came first: it is acknowledged", "ACK {*}");
      await bob.expect("and ended (§15)", "BYE {*}");
      bob.reply("200 OK");
      await stage.value("the call is over", call.ended);
    },
  },

  mutants: {
    producer: {
      title: "who answers says 202",
      file: "packages/sip/src/user-agent/incoming-invite.ts",
      find: "this.#make(200, {",
      replace: "this.#make(202, {",
    },
    reaction: {
      title: "further copies of a 2xx are not acknowledged",
      file: "packages/sip/src/user-agent/outgoing-invite.ts",
      find: "      fork.ack?.send();\n",
      replace: "",
    },
  },
});
