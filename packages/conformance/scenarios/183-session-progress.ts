// 183 Session Progress: more to say before the answer, mostly early media; and how every unknown 1xx is treated.
// RFC 3261 §21.1.5, §8.1.3.2, §13.2.1; RFC 3262 §3, §5; RFC 3960.

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 183,
  sender: "the called phone",
  condition: "its application has something to say before it answers: early media, mostly",
  reacts:
    "early dialog; its session description is the answer, so that media flows; an unknown 1xx is treated like it",

  producer: {
    "early media, unreliable": async (stage) => {
      const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
      const [call] = await stage.calls(alice, bob);
      await stage.value("an announcement begins", call.progress({ sdp: sdpOf("bob") }));
      await alice.expect(
        "183 makes a dialog and carries the answer; nothing reliable, as nobody asked for it",
        `SIP/2.0 183 Session Progress
         To: {*};tag={tag}
         Contact: {*}
         Content-Type: application/sdp
         !Require: {*}
         !RSeq: {*}

         m=audio 40000 RTP/AVP 0`,
      );
      await stage.value("bob answers", Promise.race([call.answer(sdpOf("bob")), Promise.resolve()]));
      await alice.expect(
        "the 200 carries the same answer (§13.2.1)",
        "SIP/2.0 200 OK\nTo: {*};tag={tag}\n\nm=audio 40000 RTP/AVP 0",
      );
    },
    "early media, reliable": async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob");
      const [, incoming] = await stage.calls(alice, bob);
      const progress = incoming.progress({ sdp: sdpOf("bob"), reliable: true });
      await stage.sees(
        "183 with 100rel and RSeq",
        { from: "bob", to: "alice" },
        "SIP/2.0 183 Session Progress\nRequire: 100rel\nRSeq: {rSeq:\\d+}\nCSeq: {cSeq:\\d+} INVITE",
      );
      await stage.value("the caller has it for certain", progress);
      await stage.sees("by its PRACK", { from: "alice", to: "bob" }, "PRACK {*}\nRAck: {rSeq} {cSeq} INVITE");
      await stage.sees("which is answered", { from: "bob", to: "alice" }, "SIP/2.0 200 OK\nCSeq: {*} PRACK");
    },
    "through a proxy": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registered("bob");
      const alice = await stage.peer("alice");
      const [call] = await stage.calls(alice, bob);
      await stage.value("progress without media", call.progress());
      await stage.sees(
        "with the route that the proxy has recorded",
        { from: "bob", to: "server" },
        "SIP/2.0 183 Session Progress\nTo: {*};tag={progressTag:[^;]+}\nRecord-Route: {*}",
      );
      await alice.expect(
        "the proxy passes it on at once, as it is",
        "SIP/2.0 183 Session Progress\nTo: {*};tag={progressTag}",
      );
    },
  },

  nearMiss: async (stage) => {
    const [bob, alice] = await stage.phoneAndPeer("bob", "alice");
    const [call] = await stage.calls(alice, bob);
    await stage.value("a phone that only rings", call.ring());
    await alice.expect("says 180", "SIP/2.0 180 Ringing");
    await alice.expectNone("and not 183", "SIP/2.0 183 {*}");
  },

  reaction: {
    "early media": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.calls(alice, bob);
      bob.reply("183 Session Progress", ...contentOf("bob", "a=x-early"));
      await stage.until("its session description is in force", () => call.remoteDescription !== undefined);
      stage.check.match("as it came", call.remoteDescription, /a=x-early/);
      stage.check.equal("the call is in progress", call.state, "ringing");
    },
    "an unknown 1xx": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      call.answered.catch(() => {});
      const heard: string[] = [];
      call.onProgress((response) => heard.push(`${response.statusCode} ${response.reasonPhrase}`));
      await bob.expect("the INVITE", "INVITE {*}");
      bob.reply("185 Polishing the Bell");
      await stage.until("is shown as it came", () => heard.includes("185 Polishing the Bell"));
      stage.check.equal("and taken for a 183 (§8.1.3.2)", call.state, "ringing");
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("the call goes on from there", call.answered);
      await bob.expect("with an ACK in that dialog", "ACK {*}\nTo: {*};tag=bob-1");
    },
  },

  mutants: {
    producer: {
      title: "progress is told as ringing",
      file: "packages/sip/src/user-agent/callee.ts",
      find: "statusCode = 183,",
      replace: "statusCode = 180,",
    },
    reaction: {
      title: "a session description in a provisional response is not heard",
      file: "packages/sip/src/user-agent/outgoing-invite.ts",
      find: "hasExchanged !== true ? sdpOf(response) : undefined;",
      replace: "hasExchanged !== true ? undefined : undefined;",
    },
  },
});
