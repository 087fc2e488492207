// 415 Unsupported Media Type: a body that has to be understood, and is not. RFC 3261 §8.2.3, §21.4.13, §8.1.3.5; RFC 5621 §8.
// (A session description whose contents do not suit is 488.)

import { scenario, sdpOf } from "../src/index.ts";

const multipart = [
  'Content-Type: multipart/mixed;boundary="b"',
  "",
  "--b",
  "Content-Type: application/sdp",
  "",
  ...sdpOf("carol").trimEnd().split("\r\n"),
  "--b",
];

export default scenario({
  code: 415,
  sender: "the called phone",
  condition: "type, encoding or language of a body that must be understood are none that the phone knows",
  reacts:
    "sent again once with a body of what Accept, Accept-Encoding and Accept-Language name; else it fails",

  producer: {
    "an unknown type": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example", "Content-Type: application/unknownformat", "", "?");
      await stage.sees(
        "the proxy does not look into bodies",
        { from: "server", to: "bob" },
        "INVITE {*}\nContent-Type: application/unknownformat",
      );
      await stage.sees(
        "the phone has to: 415 with a To tag, and an Accept that names what it reads",
        { from: "bob", to: "server" },
        `SIP/2.0 415 Unsupported Media Type
         To: <sip:bob@home.example>;tag={tag:[^;]+}
         Accept: application/sdp{*}
         CSeq: 1 INVITE
         !Accept-Encoding: {*}
         !Contact: {*}`,
      );
      await carol.expect(
        "which reaches the caller",
        "SIP/2.0 415 Unsupported Media Type\nTo: {*};tag={tag}\nAccept: application/sdp{*}",
      );
      await stage.sees(
        "the ACK of the last hop",
        { from: "server", to: "bob" },
        "ACK {*}\nTo: {*};tag={tag}",
      );
    },
    "an encoding": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, "Content-Type: application/sdp", "Content-Encoding: gzip", "", "?");
      await carol.expect(
        "what cannot be unpacked: Accept-Encoding says so, Accept would be no help",
        "SIP/2.0 415 Unsupported Media Type\nAccept-Encoding: identity\n!Accept: {*}",
      );
    },
    "a language": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { languages: ["zh-TW", "en"] });
      bob.ua.onInvite(() => {});
      carol.request(
        `OPTIONS ${bob.aor}`,
        ...["Content-Type: application/sdp", "Content-Language: fr", "", sdpOf("carol")],
      );
      await carol.expect(
        "in whatever method, where languages matter",
        "SIP/2.0 415 Unsupported Media Type\nAccept-Language: zh-tw, en",
      );
    },
    "one part of several": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(`INVITE ${bob.aor}`, ...multipart, "Content-Type: application/isup", "", "x", "--b--");
      await carol.expect(
        "every part has to be understood unless it says otherwise (§20.11)",
        "SIP/2.0 415 Unsupported Media Type\nAccept: application/sdp{*}",
      );
    },
  },

  nearMiss: {
    "a part that is optional": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.request(
        `INVITE ${bob.aor}`,
        ...multipart,
        "Content-Type: application/isup",
        ...["Content-Disposition: signal;handling=optional", "", "x", "--b--"],
      );
      const call = await bob.rings("it need not be understood");
      stage.check.match("the offer beside it is found", call.remoteDescription, /^o=carol /m);
    },
    "the application reads it": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      bob.ua.onRequest("MESSAGE", (incoming) => void incoming.respond(200));
      carol.request(`MESSAGE ${bob.aor}`, "Content-Type: application/unknownformat", "", "?");
      await carol.expect("what a handler takes is for the handler to judge", "SIP/2.0 200 OK");
    },
  },

  reaction: {
    "another type": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message("sip:bob@bob.example", "<b>hello</b>", {
        contentType: "text/html",
        alternatives: [
          { body: "{}", contentType: "application/json" },
          { body: "hello", contentType: "text/plain" },
        ],
      });
      await bob.expect(
        "the best there is",
        "MESSAGE {*}\nCall-ID: {same}\nCSeq: 1 MESSAGE\nContent-Type: text/html",
      );
      bob.reply("415 Unsupported Media Type", "Accept: text/plain");
      await bob.expect(
        "the same request, CSeq one higher, with the one that bob reads",
        "MESSAGE {*}\nCall-ID: {same}\nCSeq: 2 MESSAGE\nTo: <sip:bob@bob.example>\nContent-Type: text/plain\n\nhello",
      );
      bob.reply("200 OK");
      await stage.value("which arrives", sending);
    },
    "the part that can be read": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.request("INFO", "sip:bob@bob.example", {
        contentType: "multipart/mixed;boundary=b",
        body: "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/isup\r\n\r\nx\r\n--b--\r\n",
      });
      await bob.expect("two parts", "INFO {*}\nContent-Type: multipart/mixed{*}");
      bob.reply("415 Unsupported Media Type", "Accept: text/plain");
      await bob.expect("one of them, alone", "INFO {*}\nContent-Type: text/plain\n\nhello");
      bob.reply("200 OK");
      await stage.value("arrives", sending);
    },
    "without the encoding": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message("sip:bob@bob.example", "(packed)", {
        headers: [["Content-Encoding", "gzip"]],
        alternatives: [{ body: "hello", contentType: "text/plain" }],
      });
      await bob.expect("packed", "MESSAGE {*}\nContent-Encoding: gzip");
      bob.reply("415 Unsupported Media Type", "Accept-Encoding: identity");
      await bob.expect("as it is", "MESSAGE {*}\nCSeq: 2 MESSAGE\n!Content-Encoding: {*}\n\nhello");
      bob.reply("200 OK");
      await stage.value("arrives", sending);
    },
    "nothing else to say": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const call = alice.call(bob.aor);
      await bob.expect("a session description", "INVITE {*}\nContent-Type: application/sdp");
      bob.reply("415 Unsupported Media Type", "Accept: application/sdp");
      const { retries } = await stage.rejected(
        "what was sent is what is asked for, so it was not the type (RFC 5621 §8.1): that is the end",
        call.answered,
        415,
      );
      stage.check.equal("without a second try", retries, []);
      await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
    },
    "one try and no more": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const sending = alice.ua.message("sip:bob@bob.example", "1", {
        contentType: "text/html",
        alternatives: [
          { body: "2", contentType: "text/plain" },
          { body: "3", contentType: "application/json" },
        ],
      });
      sending.catch(() => {});
      await bob.expect("the first", "MESSAGE {*}\n\n1");
      bob.reply("415 Unsupported Media Type", "Accept: text/plain");
      await bob.expect("the second", "MESSAGE {*}\n\n2");
      bob.reply("415 Unsupported Media Type", "Accept: application/json");
      await stage.rejected("a peer that changes its mind is not followed", sending, 415);
      await stage.seesTimes("two in all", 2, { from: "alice" }, "MESSAGE {*}");
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      const [desk, mobile] = await stage.devicePeers("bob", "desk", "mobile");
      carol.request("INVITE sip:bob@home.example", "Content-Type: application/isup", "", "x");
      await desk.expect("the desk phone is called", "INVITE {*}");
      await mobile.expect("and the mobile", "INVITE {*}");
      mobile.reply("486 Busy Here");
      desk.reply("415 Unsupported Media Type", "Accept: application/sdp");
      await carol.expect(
        "what the caller can mend is worth more than busy (§16.7)",
        "SIP/2.0 415 Unsupported Media Type\nAccept: application/sdp",
      );
    },
  },

  mutants: {
    producer: {
      title: "unknown types are let through",
      file: "packages/sip/src/core/request-body.ts",
      find: 'if (!takesType(accept, type.type)) return [415, [["Accept", acceptOf(accept)]]];',
      replace: "",
    },
    reaction: {
      title: "a 415 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  415: { kind: "retry with", change: withAcceptedBody },\n',
      replace: "",
    },
  },
});
