// 505 Version Not Supported: SIP, but not 2.0. RFC 3261 §21.5.6, §7.1; RFC 4475 §3.1.2.16.

import { scenario, triedAgain } from "../src/index.ts";

/** A request of another version, which is another protocol in every header as well. */
const request = (method: string, uri: string, version: string) => `${method} ${uri} ${version}
  Via: SIP/7.0/{transport} {host}:{port};branch=z9hG4bK-${method.toLowerCase()};rport
  Max-Forwards: 70
  From: <sip:carol@carol.example>;tag=1
  To: <${uri}>
  Call-ID: ${method}@carol.example
  CSeq: 1 ${method}
  Contact: <{uri}>
  Content-Length: 0`;

export default scenario({
  code: 505,
  sender: "any server and phone",
  condition: "the request line says SIP and another version than 2.0",
  reacts: "the request fails; there is no other version to try",

  producer: {
    "an INVITE": async (stage) => {
      await stage.server({ users: ["bob"] });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.send(request("INVITE", "sip:bob@home.example", "SIP/7.0"));
      await carol.expect(
        "in the version that we speak: 505 with a To tag, the Via as it came",
        `SIP/2.0 505 Version Not Supported
         Via: SIP/7.0/{transport} {host}:{port};{*}branch=z9hG4bK-invite
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}`,
      );
      await stage.seesNone("nothing goes on to bob", { from: "server", to: "bob" }, "INVITE {*}");
    },
    "any other method": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.send(request("OPTIONS", bob.aor, "SIP/3.1"));
      await carol.expect("a phone says so itself", "SIP/2.0 505 Version Not Supported\nTo: {*};tag={tag}");
      carol.send(request("DANCE", bob.aor, "SIP/7.0"));
      await carol.expect(
        "before it asks what the method may be",
        "SIP/2.0 505 Version Not Supported\nCSeq: 1 DANCE",
      );
    },
  },

  nearMiss: {
    "in small letters": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      bob.ua.onInvite(() => {});
      carol.send(request("OPTIONS", bob.aor, "sip/2.0").replace("Via: SIP/7.0", "Via: SIP/2.0"));
      await carol.expect("is the same version (§7.1)", "SIP/2.0 200 OK");
    },
    "no version at all": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      for (const version of ["HTTP/1.1", "SIP/2", "SIP/two.zero"]) {
        carol.send(request("OPTIONS", bob.aor, version).replaceAll("Call-ID: ", `Call-ID: ${version}-`));
        await carol.expect(`${version} is no SIP: a bad request`, `SIP/2.0 400 {*}\nCall-ID: ${version}-{*}`);
      }
    },
    "an ACK": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol");
      carol.send(request("ACK", bob.aor, "SIP/7.0"));
      await carol.expectNone("is never answered");
    },
  },

  reaction: async (stage) => {
    const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
    const call = alice.call(bob.aor);
    await bob.expect("alice's phone speaks 2.0", "INVITE {*} SIP/2.0");
    bob.reply("505 Version Not Supported");
    const rejected = await stage.rejected("the application is told 505", call.answered, 505);
    stage.check.equal("and that trying again is of no use", rejected.retry, "never");
    await bob.expect("the ACK", "ACK {*} SIP/2.0");
    await stage.seesTimes("nor is it tried", 1, { from: "alice" }, "INVITE {*}");
  },

  mutants: {
    producer: {
      title: "a version is a version, or nonsense",
      file: "packages/sip/src/message/parse.ts",
      find: "if (major > start + 4 && bytes[major] === 46 && minor > major + 1 && minor === end) {",
      replace: "if (false) {",
    },
    reaction: triedAgain(505),
  },
});
