// 403 Forbidden: understood, and not to be had, whoever you say that you are. RFC 3261 §21.4.4, §10.3 step 4, §8.2.2.1,
// §16.3 step 6.

import { printUri, type Uri } from "@offhook/sip/message";
import { type Peer, type Stage, scenario, sdpOf } from "../src/index.ts";

const notMallory = (from: Uri) => printUri(from) !== "sip:mallory@mallory.example";

/** A server that stands before a registrar elsewhere, and the way to bob through it (RFC 3327). */
async function edge(stage: Stage): Promise<{ registrar: Peer; bob: Peer; path: string }> {
  await stage.server({ config: { relay: { peers: ["127.0.0.1", "10.0.0.0/8"] } } });
  const registrar = await stage.peer("registrar");
  const bob = await stage.peer("bob");
  bob.request("REGISTER sip:registrar.example", "To: <sip:bob@registrar.example>", "Supported: path");
  const { path = "" } = await registrar.expect(
    "bob registers elsewhere, by way of us",
    "REGISTER {*}\nPath: {path}",
  );
  registrar.reply("200 OK");
  await bob.expect("bob is registered", "SIP/2.0 200 OK");
  return { registrar, bob, path };
}

export default scenario({
  code: 403,
  sender: "the registrar, the proxy by its relay rules, or a phone that does not want the caller",
  condition: "who it is has been shown or does not matter, and he may not do that",
  reacts: "the request fails; a registration is given up and not tried again",

  producer: {
    "somebody else's registration": async (stage) => {
      const { server } = await stage.server({ users: ["alice", "bob"], auth: true });
      await stage.registered("bob");
      const alice = await stage.phone("alice", {
        aor: "sip:bob@home.example",
        credentials: { user: "alice", password: "alice-password" },
      });
      await stage.rejected("alice cannot take bob's calls", stage.later(alice.ua.register()), 403);
      await stage.sees(
        "her password is asked for",
        { from: "server", to: "alice" },
        "SIP/2.0 401 {*}\nCSeq: 1 REGISTER",
      );
      await stage.sees(
        "and right, which does not help: no challenge, and none of his bindings",
        { from: "server", to: "alice" },
        `SIP/2.0 403 Forbidden
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 2 REGISTER
         !WWW-Authenticate: {*}
         !Contact: {*}`,
      );
      stage.check.equal("bob has the one binding that he had", server.store.locations.memory.bindingCount, 1);
    },
    "in somebody else's name": async (stage) => {
      await stage.server({ users: ["alice", "bob", "carol"], auth: true });
      await stage.registered("bob");
      const alice = await stage.phone("alice");
      const call = alice.ua.call("sip:bob@home.example", {
        sdp: sdpOf("alice"),
        from: "sip:carol@home.example",
      });
      await stage.rejected("alice cannot call as carol", call.answered, 403);
      await stage.sees(
        "the proxy says why",
        { from: "server", to: "alice" },
        "SIP/2.0 403 From Is Somebody Else's\nTo: {*};tag={tag}\nCSeq: 2 INVITE\n!Proxy-Authenticate: {*}",
      );
      await stage.seesNone("and bob hears nothing", { from: "server", to: "bob" }, "INVITE {*}");
    },
    "no open relay": async (stage) => {
      await stage.server({ users: ["bob"] });
      const mallory = await stage.peer("mallory");
      const carol = await stage.peer("carol");
      mallory.request("INVITE sip:carol@carol.example");
      await mallory.expect(
        "strangers do not call strangers by way of us",
        "SIP/2.0 403 Relaying Denied\nTo: <sip:carol@carol.example>;tag={tag}\n!Contact: {*}",
      );
      await stage.sees("the ACK ends it", { from: "mallory", to: "server" }, "ACK {*}\nTo: {*};tag={tag}");
      mallory.request("MESSAGE sip:carol@carol.example");
      await mallory.expect("any method", "SIP/2.0 403 Relaying Denied\nCSeq: 1 MESSAGE");
      await carol.expectNone("carol hears nothing");
    },
    "nobody from outside": async (stage) => {
      await stage.server({ users: ["bob"], config: { relay: { inbound: "deny" } } });
      await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await carol.expect("a closed house", "SIP/2.0 403 Calls from Other Domains Are Not Accepted");
      await stage.seesNone("bob hears nothing", { from: "server", to: "bob" }, "INVITE {*}");
    },
    "who guesses passwords": async (stage) => {
      await stage.server({ users: ["bob"], auth: true, config: { limits: { failedAuthPerSource: 2 } } });
      const bob = await stage.phone("bob", { credentials: { user: "bob", password: "wrong" } });
      for (const guess of ["one wrong password", "another one"])
        await stage.rejected(`${guess} is asked for again`, stage.later(bob.ua.register()), 401);
      await stage.rejected("a third is not even looked at", stage.later(bob.ua.register()), 403);
      await stage.sees(
        "and there is no challenge any more",
        { from: "server", to: "bob" },
        "SIP/2.0 403 Too Many Wrong Passwords\n!WWW-Authenticate: {*}",
      );
    },
    "a forged way": async (stage) => {
      const { registrar, bob, path } = await edge(stage);
      // A character of the signature is another one.
      const forged = path.replace(/;sig=(.)/, (_, first: string) => `;sig=${first === "0" ? "1" : "0"}`);
      registrar.request("MESSAGE sip:bob@nowhere.example", `Route: ${forged}`);
      await registrar.expect(
        "nobody makes up connections of ours (RFC 5626 §5.3.1)",
        "SIP/2.0 403 Invalid Flow Token\nTo: {*};tag={tag}",
      );
      await bob.expectNone("so nothing goes by it", "MESSAGE {*}");
    },
    "a phone that does not want her": async (stage) => {
      const [bob, mallory] = await stage.phoneAndPeer("bob", "mallory", { acceptsFrom: notMallory });
      mallory.request(`INVITE ${bob.aor}`);
      await mallory.expect(
        "the phone does not ring",
        "SIP/2.0 403 Forbidden (caller refused)\nTo: {*};tag={tag}\n!Contact: {*}",
      );
      stage.check.equal("for her", bob.ua.calls.size, 0);
    },
  },

  nearMiss: {
    "one's own": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], auth: true });
      await stage.registered("bob");
      stage.check.equal("bob may register as bob", server.store.locations.memory.bindingCount, 1);
    },
    "a wrong password": async (stage) => {
      await stage.server({ users: ["bob"], auth: true });
      const bob = await stage.phone("bob", { credentials: { user: "bob", password: "wrong" } });
      await stage.rejected(
        "who has not shown who he is, is asked again",
        stage.later(bob.ua.register()),
        401,
      );
    },
    "from outside to one of us": async (stage) => {
      await stage.server({ users: ["bob"], auth: true });
      const bob = await stage.registered("bob");
      const carol = await stage.peer("carol");
      carol.request("INVITE sip:bob@home.example");
      await bob.rings("is no relaying");
    },
    "a minute later": async (stage) => {
      await stage.server({ users: ["bob"], auth: true, config: { limits: { failedAuthPerSource: 1 } } });
      const stranger = await stage.phone("stranger", {
        aor: "sip:bob@home.example",
        credentials: { user: "bob", password: "wrong" },
      });
      await stage.rejected("a wrong password", stage.later(stranger.ua.register()), 401);
      await stage.advance(61_000);
      await stage.registered("bob");
    },
    "the way as it was given": async (stage) => {
      const { registrar, bob, path } = await edge(stage);
      registrar.request("MESSAGE sip:bob@nowhere.example", `Route: ${path}`);
      await bob.expect("leads to bob", "MESSAGE {*}");
    },
    "anybody else": async (stage) => {
      const [bob, carol] = await stage.phoneAndPeer("bob", "carol", { acceptsFrom: notMallory });
      carol.request(`INVITE ${bob.aor}`);
      await bob.rings("carol may call");
    },
  },

  reaction: {
    "a call": async (stage) => {
      await stage.server({ users: ["alice"], config: { relay: { inbound: "deny" } } });
      const dave = await stage.phone("dave", { aor: "sip:dave@elsewhere.example" });
      const call = dave.call("sip:alice@home.example");
      const rejected = await stage.rejected("the application is told 403", call.answered, 403);
      stage.check.equal("and why", rejected.reasonPhrase, "Calls from Other Domains Are Not Accepted");
      stage.check.equal("nothing is tried again", rejected.retries, []);
      await stage.advance(120_000);
      await stage.seesTimes("nor later", 1, { from: "dave" }, "INVITE {*}");
    },
    "a registration": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
      const registering = stage.later(bob.ua.register({ expires: 600 }));
      await registrar.expect("bob registers", "REGISTER {*}\nCSeq: 1 REGISTER");
      registrar.reply("200 OK", "Expires: 600");
      const registration = await stage.value("and is registered", registering);
      await stage.advance(570_000);
      await registrar.expect("until his account is closed", "REGISTER {*}\nCSeq: 2 REGISTER");
      registrar.reply("403 Forbidden");
      await stage.until("the application is told", () => registration.state === "failed");
      stage.check.equal("and why", registration.failure?.statusCode, 403);
      await stage.advance(7_200_000);
      await stage.seesTimes(
        "who is not wanted does not ask again by himself",
        2,
        { from: "bob" },
        "REGISTER {*}",
      );
    },
    "in a fork": async (stage) => {
      await stage.server({ users: ["alice", "bob"] });
      const alice = await stage.phone("alice");
      const acceptsFrom = () => false;
      await stage.registered("desk", { aor: "sip:bob@home.example", acceptsFrom });
      const mobile = await stage.registered("mobile", { aor: "sip:bob@home.example" });
      const call = alice.call("sip:bob@home.example");
      const onMobile = await mobile.rings("the mobile rings");
      await stage.sees("the desk phone refuses", { from: "desk", to: "server" }, "SIP/2.0 403 {*}");
      await stage.value("the mobile is busy", onMobile.reject(486));
      await stage.rejected("which says more about bob", call.answered, 486);
    },
  },

  mutants: {
    producer: {
      title: "who has a password may do everything",
      file: "packages/sip/src/registrar/registrar.ts",
      find: "if (!isAllowed) return refuse(incoming, 403);",
      replace: "",
    },
    reaction: {
      title: "a registration that is forbidden is tried again",
      file: "packages/sip/src/user-agent/registration.ts",
      find: "response.statusCode >= 500 ||",
      replace: "response.statusCode >= 400 ||",
    },
  },
});
