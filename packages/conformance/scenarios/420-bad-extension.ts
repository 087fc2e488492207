// 420 Bad Extension: what is required here, nobody here knows. RFC 3261 §8.2.2.3, §16.3 step 5, §10.3 step 2, §8.1.3.5,
// §21.4.15; RFC 3327 §5.3.

import { contentOf, scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 420,
  sender: "the called phone and the registrar for Require, the proxy for Proxy-Require",
  condition: "an option tag that the sender insists on is not among those implemented there",
  reacts: "sent again without the tags that Unsupported names, once",

  producer: {
    "Require at the phone": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Require: 100rel", "Require: Teleport, warp");
      await carol.expect(
        "all that the phone does not know is named, and nothing else",
        `SIP/2.0 420 Bad Extension
         Unsupported: Teleport, warp
         To: <sip:bob@bob.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "bob" }, "ACK {*}\nTo: {*};tag={tag}");
    },
    "Proxy-Require at the proxy": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Proxy-Require: teleport", "Require: warp");
      await carol.expect(
        "the proxy answers for Proxy-Require alone",
        "SIP/2.0 420 Bad Extension\nUnsupported: teleport\nTo: {*};tag={tag}",
      );
      await stage.seesNone("and does not send it on", { from: "server", to: "bob" }, "INVITE {*}");
      carol.request("MESSAGE sip:bob@home.example", "Proxy-Require: teleport");
      await carol.expect("any method", "SIP/2.0 420 Bad Extension\nUnsupported: teleport\nCSeq: 1 MESSAGE");
    },
    "Require at the registrar": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], auth: true });
      const bob = await stage.peer("bob");
      bob.request(
        "REGISTER sip:home.example",
        "To: <sip:bob@home.example>",
        "From: <sip:bob@home.example>;tag=1",
        "Require: path, teleport",
      );
      await bob.expect(
        "before anybody is asked for a password (§10.3)",
        "SIP/2.0 420 Bad Extension\nUnsupported: teleport\n!WWW-Authenticate: {*}",
      );
      stage.check.equal("nobody is registered", server.store.locations.memory.bindingCount, 0);
    },
    "a Path that the phone knows nothing of": async (stage) => {
      const config = { registrar: { unsupportedPath: "reject" } };
      const { server } = await stage.server({ users: ["bob"], config });
      const edge = await stage.peer("edge");
      const register = [
        "REGISTER sip:home.example",
        "To: <sip:bob@home.example>",
        "Path: <sip:{host}:{port};lr>",
      ];
      edge.request(register[0]!, ...register.slice(1));
      await edge.expect(
        "a registrar that is told so refuses it",
        "SIP/2.0 420 Bad Extension\nUnsupported: path\nTo: {*};tag={*}",
      );
      stage.check.equal("nobody is registered", server.store.locations.memory.bindingCount, 0);
      edge.request(register[0]!, ...register.slice(1), "Supported: path");
      await edge.expect(
        "and takes it from a phone that knows",
        "SIP/2.0 200 OK\nPath: <sip:{host}:{port};lr>",
      );
    },
  },

  nearMiss: {
    "Supported is only an offer": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Supported: teleport");
      await bob.rings("the call comes in");
      await carol.expectNone("and nothing is refused", "SIP/2.0 420 {*}");
    },
    "Require is none of the proxy's business": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.registeredPeer("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Require: teleport");
      await bob.expect("bob gets the call, and may know the extension", "INVITE {*}\nRequire: teleport");
    },
    "in capitals": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Require: 100REL");
      await bob.rings("option tags are the same in capitals (§7.3.1)");
    },
    "CANCEL requires nothing": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`CANCEL ${bob.aor}`, "Require: teleport");
      await carol.expect("Require in a CANCEL is ignored (§9.2)", "SIP/2.0 481 {*}\n!Unsupported: {*}");
    },
  },

  reaction: {
    "a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.ua.call("sip:bob@bob.example", {
        sdp: sdpOf("alice"),
        reliableProvisionals: "required",
        headers: [["Require", "teleport"]],
      });
      await bob.expect(
        "alice wants two things of bob",
        `INVITE {*}
         Require: 100rel
         Require: teleport
         Call-ID: {callId}
         From: {*};tag={fromTag}
         CSeq: 1 INVITE`,
      );
      bob.reply("420 Bad Extension", "Unsupported: Teleport");
      await bob.expect(
        "and does without what bob does not know: same Call-ID and From tag, CSeq + 1, no To tag",
        `INVITE {*}
         Require: 100rel
         !Require: {*}teleport{*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@bob.example>
         CSeq: 2 INVITE`,
      );
      bob.reply("200 OK", ...contentOf("bob"));
      await stage.value("the call is up", call.answered);
    },
    "a text": async (stage) => {
      const [alice, proxy] = await stage.phoneAndPeer("alice", "proxy");
      const sent = stage.later(
        alice.ua.message("sip:bob@proxy.example", "hello", { headers: [["Proxy-Require", "teleport"]] }),
      );
      await proxy.expect("alice insists", "MESSAGE {*}\nProxy-Require: teleport");
      proxy.reply("420 Bad Extension", "Unsupported: teleport");
      await proxy.expect("and gives in", "MESSAGE {*}\nCSeq: 2 MESSAGE\n!Proxy-Require: {*}");
      proxy.reply("200 OK");
      await stage.value("the text is there", sent);
    },
    "nothing of ours": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("alice requires nothing", "INVITE {*}\n!Require: {*}");
      bob.reply("420 Bad Extension", "Unsupported: teleport");
      const rejected = await stage.rejected("so there is nothing to leave out", call.answered, 420);
      stage.check.equal("and nothing is sent again", rejected.retries, []);
    },
    "one after the other": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.ua.call("sip:bob@bob.example", {
        sdp: sdpOf("alice"),
        headers: [["Require", "teleport, warp"]],
      });
      await bob.expect("two wishes", "INVITE {*}\nRequire: teleport, warp");
      bob.reply("420 Bad Extension", "Unsupported: teleport");
      await bob.expect("one wish", "INVITE {*}\nRequire: warp");
      bob.reply("420 Bad Extension", "Unsupported: warp");
      await stage.rejected(
        "who cannot say at once what he lacks is not asked a third time",
        call.answered,
        420,
      );
      await stage.seesTimes("two INVITEs", 2, { from: "alice" }, "INVITE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const desk = await stage.registered("desk", { aor: "sip:bob@home.example" });
      await stage.registered("mobile", { aor: "sip:bob@home.example", doNotDisturb: true });
      const call = alice.ua.call("sip:bob@home.example", {
        sdp: sdpOf("alice"),
        headers: [["Require", "teleport"]],
      });
      await stage.sees(
        "of two refusals the proxy sends up the one that can be helped",
        { from: "server", to: "alice" },
        "SIP/2.0 420 {*}\nUnsupported: teleport",
      );
      const incoming = await desk.rings("the desk phone rings at the second try");
      await stage.value("and is answered", incoming.answer(sdpOf("bob")));
      await stage.value("the call is up", call.answered);
    },
  },

  mutants: {
    producer: {
      title: "whatever is required passes",
      file: "packages/sip/src/core/uas.ts",
      find: 'return unknown.length === 0 ? undefined : refuse(420, [["Unsupported", unknown.join(", ")]]);',
      replace: "return undefined;",
    },
    reaction: {
      title: "a 420 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  420: { kind: "retry with", change: withoutUnsupported },\n',
      replace: "",
    },
  },
});
