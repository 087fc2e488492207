// 409 Conflict: phones of one user that disagree on what is done with calls. RFC 2543 §7.4.10 and §4.2.6; RFC 3261 knows
// neither the code nor the parameter, so it takes `compat.rfc2543`.

import { scenario, triedAgain } from "../src/index.ts";

const old = { compat: { rfc2543: true } };
const register = ["REGISTER sip:home.example", "To: <sip:bob@home.example>"] as const;

export default scenario({
  code: 409,
  sender: "the registrar, with compat.rfc2543",
  condition: "a Contact with another `action` than the user's other contacts have",
  reacts: "as 400, whose class it is of (§8.1.3.2): it fails and is not tried again",

  producer: {
    "proxy or redirect": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], config: old });
      const bob = await stage.peer("bob");
      bob.request(...register, "Contact: <sip:bob@192.0.2.1>;action=proxy");
      await bob.expect("one phone wants calls to be forwarded", "SIP/2.0 200 OK");
      bob.request(...register, "Contact: <sip:bob@192.0.2.2>;action=redirect");
      await bob.expect(
        "the other wants callers to be sent: they cannot both have it",
        "SIP/2.0 409 Conflict\nTo: <sip:bob@home.example>;tag={tag}\nCSeq: 1 REGISTER\n!Contact: {*}",
      );
      stage.check.equal("nothing has changed", server.store.locations.memory.bindingCount, 1);
      bob.request(...register, "!Contact");
      await bob.expect(
        "who asks sees what was there before",
        `SIP/2.0 200 OK
         Contact: <sip:bob@192.0.2.1>{*};action=proxy{*}
         !Contact: {*}192.0.2.2{*}`,
      );
    },
  },

  nearMiss: {
    "they agree": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], config: old });
      const bob = await stage.peer("bob");
      bob.request(...register, "Contact: <sip:bob@192.0.2.1>;action=proxy");
      await bob.expect("one phone", "SIP/2.0 200 OK");
      bob.request(...register, "Contact: <sip:bob@192.0.2.2>;action=proxy");
      await bob.expect("another of the same mind", "SIP/2.0 200 OK");
      bob.request(...register, "Contact: <sip:bob@192.0.2.3>");
      await bob.expect("and one that does not mind", "SIP/2.0 200 OK");
      stage.check.equal("all three are there", server.store.locations.memory.bindingCount, 3);
    },
    "it goes away": async (stage) => {
      const { server } = await stage.server({ users: ["bob"], config: old });
      const bob = await stage.peer("bob");
      bob.request(...register, "Contact: <sip:bob@192.0.2.1>;action=proxy");
      await bob.expect("one phone", "SIP/2.0 200 OK");
      bob.request(...register, "Contact: <sip:bob@192.0.2.1>;action=redirect;expires=0");
      await bob.expect("whoever leaves disagrees with nobody", "SIP/2.0 200 OK");
      stage.check.equal("nobody is there", server.store.locations.memory.bindingCount, 0);
    },
    "by RFC 3261": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request(...register, "Contact: <sip:bob@192.0.2.1>;action=proxy");
      await bob.expect("`action` is a parameter like any other", "SIP/2.0 200 OK");
      bob.request(...register, "Contact: <sip:bob@192.0.2.2>;action=redirect");
      await bob.expect("of which the registrar takes no notice", "SIP/2.0 200 OK");
      stage.check.equal("both are there", server.store.locations.memory.bindingCount, 2);
    },
  },

  reaction: {
    "a registration": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
      const registering = stage.later(bob.ua.register());
      await registrar.expect("our phone never says `action`", "REGISTER {*}\n!Contact: {*}action{*}");
      registrar.reply("409 Conflict");
      const rejected = await stage.rejected("the application is told 409", registering, 409);
      stage.check.equal("as it came, though no RFC in force has it", rejected.reasonPhrase, "Conflict");
      stage.check.equal("nothing is tried again", rejected.retries, []);
      await stage.advance(3_600_000);
      await stage.seesTimes("nor later", 1, { from: "bob" }, "REGISTER {*}");
    },
    "a number that nobody has ever heard of": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
      const registering = stage.later(bob.ua.register());
      await registrar.expect("bob registers", "REGISTER {*}");
      registrar.reply("499 Whatever");
      await stage.rejected("fares the same, as received", registering, 499);
      await stage.seesTimes("one REGISTER", 1, { from: "bob" }, "REGISTER {*}");
    },
  },

  mutants: {
    producer: {
      title: "phones may disagree",
      file: "packages/sip/src/registrar/registrar.ts",
      find: "return expires > 0 && action !== undefined && bound.some((other) => other !== action);",
      replace: "return false;",
    },
    reaction: triedAgain(409),
  },
});
