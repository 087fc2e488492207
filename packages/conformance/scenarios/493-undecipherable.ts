// 493 Undecipherable: an encrypted body, and no key for it here. RFC 3261 §23.2, §21.4.28; RFC 8591 §7.3; RFC 8551 §3.3.

import { scenario, sdpOf } from "../src/index.ts";

const encrypted = [
  "Content-Type: application/pkcs7-mime;smime-type=enveloped-data",
  "",
  "MIAGCSqGSIb3DQEHA6CA",
];

export default scenario({
  code: 493,
  sender: "the called phone that can tell encrypted bodies",
  condition: "the body, or a part that must be understood, is encrypted with S/MIME and the phone has no key",
  reacts: "the request fails; it is never sent again in plain by itself, and a call goes on",

  producer: {
    "an encrypted offer": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob", { smime: "detect" });
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", ...encrypted);
      await stage.sees(
        "the proxy sees nothing and passes it on",
        { from: "server", to: "bob" },
        "INVITE {*}\nContent-Type: application/pkcs7-mime;smime-type=enveloped-data\n\nMIAGCSqGSIb3DQEHA6CA",
      );
      await stage.sees(
        "the phone cannot read it: 493 with a To tag, and no certificate to encrypt for",
        { from: "bob", to: "server" },
        `SIP/2.0 493 Undecipherable
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         CSeq: 1 INVITE
         Content-Length: 0
         !Contact: {*}`,
      );
      await stage.sees(
        "the proxy acknowledges it",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
      await carol.expect("and passes it on", "SIP/2.0 493 Undecipherable\nTo: {*};tag={tag}");
    },
    "one part of several": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { smime: "detect" });
      bob.ua.onInvite(() => {});
      carol.request(
        `OPTIONS ${bob.aor}`,
        ...["Content-Type: multipart/mixed;boundary=b", "", "--b", ...encrypted, "--b--"],
      );
      await carol.expect("in any method", "SIP/2.0 493 Undecipherable\nTo: {*};tag={tag}");
    },
  },

  nearMiss: {
    "signed only": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { smime: "detect" });
      const signature = ["Content-Type: application/pkcs7-signature", "", "x"];
      carol.request(
        `INVITE ${bob.aor}`,
        'Content-Type: multipart/signed;boundary=b;protocol="application/pkcs7-signature"',
        ...["", "--b", "Content-Type: application/sdp", ""],
        ...sdpOf("carol").trimEnd().split("\r\n"),
        ...["--b", ...signature, "--b--"],
      );
      const call = await bob.rings("what is signed can be read by anybody (§23.3)");
      stage.check.match("the offer is found", call.remoteDescription, /^o=carol /m);
    },
    "no S/MIME here": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, ...encrypted);
      await carol.expect(
        "a phone without S/MIME does not know the type at all (§23.2)",
        "SIP/2.0 415 Unsupported Media Type\nAccept: application/sdp{*}",
      );
    },
    "it need not be read": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { smime: "detect" });
      const [type, ...body] = encrypted;
      carol.request(`INVITE ${bob.aor}`, type!, "Content-Disposition: render;handling=optional", ...body);
      await bob.rings("a body that is optional is not looked into (§20.11)");
    },
  },

  reaction: {
    "a message": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message(bob.aor, "MIAGCSqGSIb3DQEHA6CA", {
        contentType: "application/pkcs7-mime;smime-type=enveloped-data",
        alternatives: [{ body: "the secret", contentType: "text/plain" }],
      });
      sending.catch(() => {});
      await bob.expect(
        "the secret, for bob's eyes only",
        "MESSAGE {*}\nContent-Type: application/pkcs7-mime{*}",
      );
      bob.reply(
        "493 Undecipherable",
        ...["Content-Type: application/pkcs7-mime;smime-type=certs-only", "", "(certificate)"],
      );
      const { response, retries } = await stage.rejected("bob has another key by now", sending, 493);
      stage.check.match(
        "the application gets his certificate, to look at and to ask about (§23.2)",
        new TextDecoder().decode(response.body),
        /certificate/,
      );
      stage.check.equal("nothing is sent by itself", retries, []);
      await stage.seesNone(
        "least of all the secret in plain",
        { from: "alice" },
        "MESSAGE {*}\n\nthe secret",
      );
    },
    "within a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const asking = call.request("INFO", { contentType: "application/pkcs7-mime", body: "?" });
      asking.catch(() => {});
      await bob.expect("an encrypted INFO", "INFO {*}");
      bob.reply("493 Undecipherable");
      await stage.rejected("fails alone", asking, 493);
      stage.check.equal("the call goes on", call.state, "established");
    },
  },

  mutants: {
    producer: {
      title: "encrypted bodies are not known as such",
      file: "packages/sip/src/core/request-body.ts",
      find: 'if (rules.smime === "detect" && isEncrypted(type, part.body)) return [493, []];',
      replace: "",
    },
    reaction: {
      title: "a secret that cannot be read goes out in plain",
      file: "packages/sip/src/core/reactions.ts",
      find: "return table[statusCode] ?? table[treatedAs(statusCode)] ?? final;",
      replace: "return table[statusCode] ?? (statusCode === 493 ? smallerBody : final);",
    },
  },
});
