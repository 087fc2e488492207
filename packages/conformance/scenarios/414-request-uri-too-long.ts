// 414 Request-URI Too Long: longer than anybody here is willing to read. RFC 3261 §21.4.12, §8.1.3.4; RFC 4475 §3.1.1.7.

import { scenario, sdpOf } from "../src/index.ts";

/** A URI of exactly so many bytes. */
function uriOf(bytes: number, host: string): string {
  return `sip:${"a".repeat(bytes - "sip:@".length - host.length)}@${host}`;
}

export default scenario({
  code: 414,
  sender: "whoever reads the request first: proxy, registrar or phone",
  condition: "the Request-URI has more bytes than `limits` allows, 4096 by default",
  reacts: "the next Contact of a redirection; else the call fails",

  producer: {
    "at the proxy": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request(`INVITE ${uriOf(4097, "home.example")}`, "To: <sip:bob@home.example>");
      await carol.expect(
        "the proxy does not look for such an address, nor repeat it",
        `SIP/2.0 414 Request-URI Too Long
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 1 INVITE
         !Contact: {*}
         !Warning: {*}aaaa{*}`,
      );
      await stage.sees("the ACK ends it", { from: "carol", to: "server" }, "ACK {*}\nTo: {*};tag={tag}");
      carol.request(`OPTIONS ${uriOf(4097, "home.example")}`, "To: <sip:bob@home.example>");
      await carol.expect("any method", "SIP/2.0 414 Request-URI Too Long\nCSeq: 1 OPTIONS");
    },
    "on its way to elsewhere": async (stage) => {
      await stage.server({ users: ["alice"], config: { limits: { uriLength: 200 } } });
      const alice = await stage.peer("alice");
      const carol = await stage.peer("carol");
      alice.request(
        `MESSAGE ${uriOf(201, "carol.example")}`,
        "From: <sip:alice@home.example>;tag=1",
        "To: <sip:carol@carol.example>",
      );
      await alice.expect("before any routing", "SIP/2.0 414 Request-URI Too Long");
      await carol.expectNone("carol hears nothing of it");
    },
    "at the phone": async (stage) => {
      const bob = await stage.phone("bob", { limits: { uriLength: 100 }, accepts: true });
      const carol = await stage.peer("carol", { to: bob });
      carol.request(`INVITE ${uriOf(101, "bob.example")}`, `To: <${bob.aor}>`);
      await carol.expect("a phone has its own limit", "SIP/2.0 414 Request-URI Too Long\nTo: {*};tag={tag}");
    },
  },

  nearMiss: {
    "just short enough": async (stage) => {
      await stage.server({ users: ["bob"] });
      const carol = await stage.peer("carol");
      carol.request(`INVITE ${uriOf(4096, "home.example")}`, "To: <sip:bob@home.example>");
      await carol.expect("is looked for, and nobody has that name", "SIP/2.0 404 Not Found");
    },
    "other long fields": async (stage) => {
      const bob = await stage.phone("bob", { limits: { uriLength: 100 } });
      const carol = await stage.peer("carol", { to: bob });
      carol.request(
        `INVITE ${bob.aor}`,
        `To: <${bob.aor}?x=${"y".repeat(1000)}>`,
        `Subject: ${"s".repeat(1000)}`,
      );
      await bob.rings("only the Request-URI counts");
      await carol.expectNone("nothing is refused", "SIP/2.0 414 {*}");
    },
  },

  reaction: {
    "of several contacts": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const carol = await stage.phone("carol", { limits: { uriLength: 100 }, accepts: true });
      const call = alice.call(bob.aor);
      await bob.expect("alice calls bob", "INVITE {*}");
      const long = uriOf(101, "carol.example");
      bob.reply(
        "302 Moved Temporarily",
        `Contact: <${long}>;q=0.9`,
        "Contact: <sip:carol@carol.example>;q=0.1",
      );
      const incoming = await carol.rings("she reaches carol in the end");
      await stage.sees(
        "by her long name first",
        { from: "alice", to: "carol" },
        `INVITE ${long} SIP/2.0\nCSeq: 2 INVITE`,
      );
      await stage.sees(
        "which is too long",
        { from: "carol", to: "alice" },
        "SIP/2.0 414 {*}\nCSeq: 2 INVITE",
      );
      await stage.sees(
        "so by the next one",
        { from: "alice", to: "carol" },
        "INVITE sip:carol@carol.example SIP/2.0\nCSeq: 3 INVITE\nTo: <sip:bob@bob.example>",
      );
      await stage.value("carol answers", incoming.answer(sdpOf("carol")));
      await stage.value("the call is up", call.answered);
    },
    "one address alone": async (stage) => {
      const alice = await stage.phone("alice");
      const bob = await stage.phone("bob", { limits: { uriLength: 100 }, accepts: true });
      const call = alice.ua.call(uriOf(101, "bob.example"), { sdp: sdpOf("alice") });
      const rejected = await stage.rejected("the application is told 414", call.answered, 414);
      stage.check.equal("and nothing is tried again", rejected.retries, []);
      await stage.seesTimes("one INVITE", 1, { from: "alice" }, "INVITE {*}");
      await stage.rejected(
        "a text fares the same",
        alice.ua.message(uriOf(101, "bob.example"), "hello"),
        414,
      );
      stage.check.equal("bob knows of nothing", bob.ua.calls.size, 0);
    },
  },

  mutants: {
    producer: {
      title: "no URI is too long",
      file: "packages/sip/src/message/parse.ts",
      find: "if (p - uriStart > limits.uriLength) {",
      replace: "if (p - uriStart > limits.messageSize) {",
    },
    reaction: {
      title: "the failure of one contact ends the search",
      file: "packages/sip/src/core/uac.ts",
      find: "if (this.#isGivenUp || response.statusCode >= 600) return false;",
      replace: "if (this.#isGivenUp || response.statusCode >= 400) return false;",
    },
  },
});
