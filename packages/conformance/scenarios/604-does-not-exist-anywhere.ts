// 604 Does Not Exist Anywhere: nobody has this address, to certain knowledge. RFC 3261 §21.6.3, §16.7 step 5; RFC 5057 §5.1. (Not
// known here, but perhaps elsewhere, is 404.)

import { isSipUri, type Uri } from "@offhook/sip/message";
import { scenario } from "../src/index.ts";

const begins = (uri: Uri, digits: string) => isSipUri(uri) && uri.user?.startsWith(digits) === true;

/** The phones 5550… are behind it, and it has the list of numbers that were given back: 5559…. */
const gateway = {
  accepts: (uri: Uri) => begins(uri, "5550"),
  existsNowhere: (uri: Uri) => begins(uri, "5559"),
};

export default scenario({
  code: 604,
  sender: "a user agent that knows for all the world, such as a gateway with the list of numbers",
  condition: "the Request-URI names somebody who does not exist anywhere",
  reacts: "the number is wrong: nothing else is tried; within a dialog all of it is over",

  producer: {
    "a number that was given back": async (stage) => {
      await stage.server({ config: { aliases: { "5559000": "sip:5559000@gateway.example" } } });
      const number = await stage.phone("gateway", gateway);
      number.ua.onInvite(() => {});
      const carol = await stage.peer("carol");
      for (const method of ["INVITE", "OPTIONS"]) {
        carol.request(`${method} sip:5559000@home.example`);
        await carol.expect(
          `${method}: the proxy asks the gateway, which knows better: 604 with a To tag`,
          `SIP/2.0 604 Does Not Exist Anywhere
           To: <sip:5559000@home.example>;tag={tag${method}}
           CSeq: 1 ${method}
           !Contact: {*}`,
        );
      }
      await stage.sees("the proxy acknowledges it", { from: "server", to: "gateway" }, "ACK {*}");
    },
  },

  nearMiss: {
    "a number of somebody else": async (stage) => {
      const number = await stage.phone("gateway", gateway);
      const carol = await stage.peer("carol", { to: number });
      carol.request("INVITE sip:5551000@gateway.example");
      await carol.expect("which is not here, but may be elsewhere", "SIP/2.0 404 Not Found");
    },
    "a number that rings": async (stage) => {
      const number = await stage.phone("gateway", gateway);
      const carol = await stage.peer("carol", { to: number });
      carol.request("INVITE sip:5550000@gateway.example");
      await number.rings("exists");
    },
  },

  reaction: {
    "no other target": async (stage) => {
      const alice = await stage.phone("alice");
      const [bob, desk, mobile] = await stage.peers("bob", "desk", "mobile");
      const call = alice.call(bob.aor);
      await bob.expect("bob", "INVITE {*}");
      bob.reply("302 Moved Temporarily", `Contact: <${desk.aor}>;q=0.9`, `Contact: <${mobile.aor}>;q=0.1`);
      await desk.expect("is said to be at two places", "INVITE {*}");
      desk.reply("604 Does Not Exist Anywhere");
      const rejected = await stage.rejected("but there is no such person", call.answered, 604);
      stage.check.equal("so there is nothing to try again", rejected.retry, "never");
      await mobile.expectNone("nor any other place");
    },
    "in a fork": async (stage) => {
      await stage.server({
        config: { aliases: { "555": ["sip:555@north.example", "sip:555@south.example"] } },
      });
      const [north, south, carol] = await stage.peers("north", "south", "carol");
      carol.request("INVITE sip:555@home.example");
      await north.expect("one gateway", "INVITE {*}");
      await south.expect("and another", "INVITE {*}");
      south.reply("486 Busy Here");
      await stage.sees("one says busy", { from: "south", to: "server" }, "SIP/2.0 486 {*}");
      north.reply("604 Does Not Exist Anywhere");
      await carol.expect("the other knows for all the world, and is believed", "SIP/2.0 604 {*}");
    },
    "within a call": async (stage) => {
      const [alice, bob] = await stage.phoneAndPeer("alice", "bob");
      const [call] = await stage.talk(alice, bob);
      const asking = call.request("INFO");
      asking.catch(() => {});
      await bob.expect("a request in a call", "INFO {*}");
      bob.reply("604 Does Not Exist Anywhere");
      await bob.expect("with nobody (RFC 5057 §5.1): BYE", "BYE {*}");
      bob.reply("200 OK");
      await stage.rejected("the request has failed", asking, 604);
      await stage.value("and the call is over", call.ended);
    },
  },

  mutants: {
    producer: {
      title: "nobody knows for all the world",
      file: "packages/sip/src/core/uas.ts",
      find: "if (rules.existsNowhere?.(requestUri) === true) return refuse(604);",
      replace: "",
    },
    reaction: {
      title: "a 6xx weighs no more than its number",
      file: "packages/sip/src/responses/best-response.ts",
      find: "if (code >= 600) return 0;",
      replace: "",
    },
  },
});
