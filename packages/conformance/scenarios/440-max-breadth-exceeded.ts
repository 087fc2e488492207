// 440 Max-Breadth Exceeded: more phones to ring at once than the caller allows. RFC 5393 §5.3.3, §5.3.4, §5.1, §6.2.

import { contentOf, scenario, sdpOf } from "../src/index.ts";

/** Who would rather have an error than wait while one phone rings after the other. */
const impatient = { proxy: { onBreadth: "reject" } };

export default scenario({
  code: 440,
  sender: "the forking proxy",
  condition:
    "there are more targets to ring at once than Max-Breadth has room for, and it is told not to ring them in turn",
  reacts:
    "the call fails: not everybody was called; a proxy before it has its room back and tries other targets",

  producer: {
    "a call": async (stage) => {
      await stage.server({ users: ["bob"], config: impatient });
      await stage.devicePeers("bob", "desk", "mobile", "kitchen");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Breadth: 2");
      await carol.expect(
        "three phones do not fit into two branches",
        `SIP/2.0 440 Max-Breadth Exceeded
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "server" }, "ACK {*}\nTo: {*};tag={tag}");
      await stage.seesNone("nobody was called, not even two", { from: "server" }, "INVITE {*}");
    },
    "a text": async (stage) => {
      await stage.server({ users: ["bob"], config: impatient });
      await stage.devicePeers("bob", "desk", "mobile");
      const carol = await stage.peer("carol");
      carol.request("MESSAGE sip:bob@home.example", "Max-Breadth: 1");
      await carol.expect("any method that forks", "SIP/2.0 440 Max-Breadth Exceeded\nCSeq: 1 MESSAGE");
      await stage.seesNone("nobody got it", { from: "server" }, "MESSAGE {*}");
    },
  },

  nearMiss: {
    "just enough": async (stage) => {
      await stage.server({ users: ["bob"], config: impatient });
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Breadth: 2");
      await desk.expect("one branch has one", "INVITE {*}\nMax-Breadth: 1");
      await mobile.expect("and the other the other", "INVITE {*}\nMax-Breadth: 1");
      await carol.expectNone("no error", "SIP/2.0 440 {*}");
    },
    "one phone": async (stage) => {
      await stage.server({ users: ["bob"], config: impatient });
      const desk = await stage.registeredPeer("desk", "bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Breadth: 1");
      await desk.expect("does not fork, and all of the breadth goes on", "INVITE {*}\nMax-Breadth: 1");
    },
    "the caller says nothing": async (stage) => {
      await stage.server({ users: ["bob"], config: impatient });
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "!Max-Breadth");
      await desk.expect("sixty count as said, half for each", "INVITE {*}\nMax-Breadth: 30");
      await mobile.expect("half for each", "INVITE {*}\nMax-Breadth: 30");
    },
    "in turn, as by default": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.devicePeers("bob", "desk", "mobile", "kitchen");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Breadth: 2");
      await stage.seesTimes(
        "two are called, and the third waits",
        2,
        { from: "server" },
        "INVITE {*}\nMax-Breadth: 1",
      );
      await carol.expectNone("no error", "SIP/2.0 440 {*}");
    },
  },

  reaction: {
    "the caller": async (stage) => {
      await stage.server({ users: ["alice", "bob"], config: impatient });
      const alice = await stage.phone("alice");
      await stage.devicePeers("bob", "desk", "mobile");
      const call = alice.ua.call("sip:bob@home.example", {
        sdp: sdpOf("alice"),
        headers: [["Max-Breadth", 1]],
      });
      const rejected = await stage.rejected("the application is told 440", call.answered, 440);
      stage.check.equal("nothing is tried again by itself", rejected.retries, []);
      await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
    },
    "a proxy before it": async (stage) => {
      await stage.server({ users: ["bob"] });
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Max-Breadth: 1");
      await stage.seesTimes("one branch at a time", 1, { from: "server" }, "INVITE {*}\nMax-Breadth: 1");
      const [first, second] = desk.waiting.length === 1 ? [desk, mobile] : [mobile, desk];
      await first.expect("the first branch leads to another proxy", "INVITE {*}");
      first.reply("440 Max-Breadth Exceeded");
      await second.expect(
        "its 440 gives the room back, and the next is called",
        "INVITE {*}\nMax-Breadth: 1",
      );
      second.reply("200 OK", ...contentOf("bob"));
      await carol.expect("who answers is heard", "SIP/2.0 200 OK\nCSeq: 1 INVITE");
      carol.ack();
      await stage.seesNone("and the 440 hides nothing", { from: "server", to: "carol" }, "SIP/2.0 440 {*}");
    },
  },

  mutants: {
    producer: {
      title: "all are called, whatever the breadth",
      file: "packages/sip/src/proxy/response-context.ts",
      find: 'if (free < ready && this.#settings.onBreadth === "reject") {',
      replace: "if (free < 0) {",
    },
    reaction: {
      title: "a branch that has failed keeps its room",
      file: "packages/sip/src/proxy/branches.ts",
      find: "    this.#breadthUsed -= branch.breadth;\n",
      replace: "",
    },
  },
});
