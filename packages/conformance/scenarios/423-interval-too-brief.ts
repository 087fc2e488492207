// 423 Interval Too Brief: registrations that end so soon are too much work. RFC 3261 §10.3 step 7, §10.2.8, §21.4.17.

import { scenario } from "../src/index.ts";

export default scenario({
  code: 423,
  sender: "the registrar",
  condition: "a Contact is to last less than the least that the registrar keeps, and less than an hour",
  reacts: "asked again for Min-Expires, once; refreshes ask for that from then on",

  producer: {
    "half a minute": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request(
        "REGISTER sip:home.example",
        "To: <sip:bob@home.example>",
        "Contact: <{uri}>;expires=3600",
        "CSeq: 1 REGISTER",
        "Call-ID: same",
      );
      await bob.expect("an hour is fine", "SIP/2.0 200 OK\nContact: <{uri}>;expires=3600");
      bob.request(
        "REGISTER sip:home.example",
        "To: <sip:bob@home.example>",
        "Contact: <{uri}>;expires=30",
        "CSeq: 2 REGISTER",
        "Call-ID: same",
      );
      await bob.expect(
        "half a minute is not: 423 says what would be, with a To tag and no bindings",
        `SIP/2.0 423 Interval Too Brief
         Min-Expires: 60
         To: <sip:bob@home.example>;tag={tag}
         CSeq: 2 REGISTER
         !Contact: {*}`,
      );
      stage.check.equal("the old binding is still there", server.store.locations.memory.bindingCount, 1);
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "!Contact");
      const { left = "" } = await bob.expect(
        "it can be asked for",
        "SIP/2.0 200 OK\nContact: <{uri}>;expires={left:\\d+}",
      );
      stage.check.ok("and lasts as long as it did", Number(left) > 3000);
    },
    "by the Expires header field": async (stage) => {
      await stage.server({ users: ["bob"], config: { registrar: { minExpires: 300 } } });
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Expires: 299");
      await bob.expect(
        "Expires counts where the Contact says nothing",
        "SIP/2.0 423 Interval Too Brief\nMin-Expires: 300",
      );
    },
    "one Contact of two": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request(
        "REGISTER sip:home.example",
        "To: <sip:bob@home.example>",
        "Contact: <{uri}>;expires=3600",
        "Contact: <sip:bob@192.0.2.1>;expires=1",
      );
      await bob.expect("one is enough", "SIP/2.0 423 Interval Too Brief\nMin-Expires: 60");
      stage.check.equal("to store none of them", server.store.locations.memory.bindingCount, 0);
    },
  },

  nearMiss: {
    "just long enough": async (stage) => {
      await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Contact: <{uri}>;expires=60");
      await bob.expect("the least there is", "SIP/2.0 200 OK\nContact: <{uri}>;expires=60");
    },
    "a removal": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Expires: 0");
      await bob.expect("nothing at all is never too brief", "SIP/2.0 200 OK\n!Contact: {*}");
      stage.check.equal("nobody is registered", server.store.locations.memory.bindingCount, 0);
    },
    "an hour": async (stage) => {
      await stage.server({ users: ["bob"], config: { registrar: { minExpires: 7200 } } });
      const bob = await stage.peer("bob");
      bob.request("REGISTER sip:home.example", "To: <sip:bob@home.example>", "Expires: 3600");
      await bob.expect(
        "an hour has to do, whatever the registrar would like",
        "SIP/2.0 200 OK\nContact: <{uri}>;expires=3600",
      );
    },
  },

  reaction: {
    "the phone asks for longer": async (stage) => {
      const { server } = await stage.server({ users: ["bob"] });
      const bob = await stage.phone("bob");
      const registered = stage.later(bob.ua.register({ expires: 30 }));
      await stage.sees(
        "the phone would like half a minute",
        { from: "bob" },
        `REGISTER {*}
         Contact: {*};expires=30
         Call-ID: {callId}
         From: {*};tag={fromTag}
         CSeq: 1 REGISTER`,
      );
      await stage.value("and is registered in the end", registered);
      await stage.sees(
        "because it asks again, in Expires and Contact, with CSeq + 1 and no To tag",
        { from: "bob" },
        `REGISTER {*}
         Contact: {*};expires=60
         Expires: 60
         Call-ID: {callId}
         From: {*};tag={fromTag}
         To: <sip:bob@home.example>
         CSeq: 2 REGISTER`,
      );
      stage.check.equal("one binding", server.store.locations.memory.bindingCount, 1);
      await stage.advance(61_000);
      await stage.sees(
        "the refresh asks for a minute at once",
        { from: "bob" },
        "REGISTER {*}\nExpires: 60\nCSeq: 3 REGISTER",
      );
      await stage.seesTimes(
        "half a minute was asked for once",
        1,
        { from: "bob" },
        "REGISTER {*}\nExpires: 30",
      );
      stage.check.equal("the binding never went away", server.store.locations.memory.bindingCount, 1);
    },
    "without Min-Expires": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
      const registered = stage.later(bob.ua.register({ expires: 30 }));
      await registrar.expect("half a minute", "REGISTER {*}\nExpires: 30");
      registrar.reply("423 Interval Too Brief");
      await registrar.expect("an hour, which nobody may refuse", "REGISTER {*}\nExpires: 3600");
      registrar.reply("200 OK", "Contact: <sip:bob@192.0.2.1>", "Expires: 3600");
      await stage.value("registered", registered);
    },
    "it is never long enough": async (stage) => {
      const registrar = await stage.peer("registrar");
      const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
      const registering = stage.later(bob.ua.register({ expires: 30 }));
      await registrar.expect("half a minute", "REGISTER {*}\nExpires: 30");
      registrar.reply("423 Interval Too Brief", "Min-Expires: 60");
      await registrar.expect("a minute", "REGISTER {*}\nExpires: 60");
      registrar.reply("423 Interval Too Brief", "Min-Expires: 120");
      await stage.rejected("the application is told 423 then", registering, 423);
      await stage.seesTimes("after two REGISTERs", 2, { from: "bob" }, "REGISTER {*}");
    },
  },

  mutants: {
    producer: {
      title: "nothing is too brief",
      file: "packages/sip/src/registrar/registrar.ts",
      find: "return expires > 0 && expires < 3600 && expires < this.#minExpires;",
      replace: "return false;",
    },
    reaction: {
      title: "a 423 is final",
      file: "packages/sip/src/core/reactions.ts",
      find: '  423: { kind: "retry with", change: withLongerExpiry },\n',
      replace: "",
    },
  },
});
