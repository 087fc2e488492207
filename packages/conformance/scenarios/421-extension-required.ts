// 421 Extension Required: it does not go without, and the caller has not offered it. RFC 3261 §8.2.4, §21.4.16;
// RFC 3262 §3; RFC 3327 §5.2.

import { scenario, sdpOf } from "../src/index.ts";

export default scenario({
  code: 421,
  sender: "the called phone, or a proxy on the way to a registrar",
  condition: "an extension that it cannot do without is named neither in Supported nor in Require",
  reacts: "sent again with the tag in Supported if the phone implements it, once; else the call fails",

  producer: {
    "a phone that wants reliable responses": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { reliableProvisionals: "required" });
      carol.request(`INVITE ${bob.aor}`, "Supported: timer");
      await carol.expect(
        "Require says what is missing",
        `SIP/2.0 421 Extension Required
         Require: 100rel
         To: <sip:bob@bob.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "bob" }, "ACK {*}\nTo: {*};tag={tag}");
      carol.request(`OPTIONS ${bob.aor}`);
      await carol.expect(
        "an OPTIONS is told what an INVITE would be (§11.2)",
        "SIP/2.0 421 Extension Required\nRequire: 100rel\nCSeq: 1 OPTIONS",
      );
    },
    "a proxy that has to stay on the path": async (stage) => {
      const config = {
        proxy: { requirePath: true },
        relay: { peers: ["127.0.0.1", "10.0.0.0/8"] },
      };
      await stage.server({ config });
      const registrar = await stage.peer("registrar");
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:registrar.example", "To: <sip:bob@registrar.example>");
      await bob.expect(
        "a REGISTER for elsewhere, without Path, would lead past it",
        "SIP/2.0 421 Extension Required\nRequire: path\nTo: {*};tag={tag}\nCSeq: 1 REGISTER",
      );
      await registrar.expectNone("so the registrar does not get it", "REGISTER {*}");
    },
  },

  nearMiss: {
    "it is supported": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { reliableProvisionals: "required" });
      carol.request(`INVITE ${bob.aor}`, "Supported: timer, 100rel");
      await bob.rings("one tag of several is enough");
      await carol.expectNone("nothing is refused", "SIP/2.0 421 {*}");
    },
    "it is required": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { reliableProvisionals: "required" });
      carol.request(`INVITE ${bob.aor}`, "Require: 100rel");
      await bob.rings("who insists on it supports it");
    },
    "not a call": async (stage) => {
      const bob = await stage.phone("bob", { reliableProvisionals: "required" });
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`MESSAGE ${bob.aor}`);
      await carol.expect("a text rings nowhere, so it need not do so reliably", "SIP/2.0 200 OK");
    },
    "the phone knows Path": async (stage) => {
      const config = {
        proxy: { requirePath: true },
        relay: { peers: ["127.0.0.1", "10.0.0.0/8"] },
      };
      await stage.server({ config });
      const registrar = await stage.peer("registrar");
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:registrar.example", "To: <sip:bob@registrar.example>", "Supported: path");
      await registrar.expect(
        "the registrar gets it with the path back",
        "REGISTER {*}\nPath: <sip:{*};lr{*}>\nRequire: path",
      );
    },
  },

  reaction: {
    "the phone can do it": async (stage) => {
      const bob = await stage.phone("bob", { reliableProvisionals: "required" });
      const alice = await stage.phone("alice");
      const call = alice.ua.call("sip:bob@bob.example", {
        sdp: sdpOf("alice"),
        reliableProvisionals: "off",
      });
      await stage.sees(
        "alice would rather do without",
        { from: "alice" },
        `INVITE {*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         CSeq: 1 INVITE
         !Supported: {*}100rel{*}`,
      );
      const incoming = await bob.rings("bob is called at the second try");
      await stage.sees(
        "which offers it: same Call-ID and From tag, CSeq + 1, no To tag",
        { from: "alice" },
        `INVITE {*}
         Supported: {*}100rel{*}
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@bob.example>
         CSeq: 2 INVITE`,
      );
      await stage.value("bob's phone rings, reliably", incoming.ring({ reliable: true }));
      await stage.sees("as it wanted to", { from: "bob" }, "SIP/2.0 180 Ringing\nRequire: 100rel\nRSeq: {*}");
      await stage.sees("and alice confirms that she knows", { from: "alice" }, "PRACK {*}");
      await stage.value("bob answers", incoming.answer(sdpOf("bob")));
      await stage.value("the call is up", call.answered);
    },
    "the phone cannot do it": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("the INVITE", "INVITE {*}\n!Supported: {*}teleport{*}");
      bob.reply("421 Extension Required", "Require: teleport");
      const rejected = await stage.rejected("the application is told 421", call.answered, 421);
      stage.check.equal("and what is missing", rejected.response.headers.raw("Require"), "teleport");
      stage.check.equal("nothing is sent again", rejected.retries, []);
    },
    "it is never enough": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.ua.call("sip:bob@bob.example", {
        sdp: sdpOf("alice"),
        reliableProvisionals: "off",
      });
      await bob.expect("a call", "INVITE {*}\n!Supported: {*}");
      bob.reply("421 Extension Required", "Require: 100rel");
      await bob.expect("once more, with what was asked for", "INVITE {*}\nSupported: 100rel");
      bob.reply("421 Extension Required", "Require: 100rel");
      await stage.rejected("who gets that and asks for it again is not asked again", call.answered, 421);
      await stage.seesTimes("two INVITEs", 2, { from: "alice" }, "INVITE {*}");
    },
  },

  mutants: {
    producer: {
      title: "the phone can do without",
      file: "packages/sip/src/core/uas.ts",
      find: 'return missing.length === 0 ? undefined : refuse(421, [["Require", missing.join(", ")]]);',
      replace: "return undefined;",
    },
    reaction: {
      title: "a 421 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  421: { kind: "retry with", change: withRequiredExtensions },\n',
      replace: "",
    },
  },
});
