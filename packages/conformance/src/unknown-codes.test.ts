// Codes that no catalogue has: of a known class they are treated as its x00 (a 1xx as 183) and shown as they came; anything
// else is malformed. RFC 3261 §8.1.3.2, §7.2; RFC 4475 §3.1.2.19.

import { describe, it } from "node:test";
import type { TransportName } from "@offhook/sip/transport";
import { sdpOf } from "./openings.ts";
import type { Peer } from "./peer.ts";
import { Stage, type StageOptions } from "./stage.ts";

const runs: readonly Required<StageOptions>[] = (["UDP", "TCP"] satisfies TransportName[]).flatMap(
  (transport) => [
    { mode: "real", transport, seed: 1 } as const,
    { mode: "weather", transport, seed: 1 } as const,
    { mode: "weather", transport, seed: 2 } as const,
  ],
);

/** One play, over both transports and in every weather. */
function plays(title: string, play: (stage: Stage) => Promise<void>): void {
  it(title, async () => {
    for (const options of runs) {
      const stage = new Stage(options);
      try {
        await play(stage);
      } catch (error) {
        throw new Error(`${options.transport}, ${options.mode}, seed ${options.seed}: ${String(error)}`, {
          cause: error,
        });
      } finally {
        await stage.close();
      }
    }
  });
}

const callAndInvite = async (stage: Stage) => {
  const alice = await stage.phone("alice");
  const bob = await stage.peer("bob");
  const call = alice.ua.call("sip:bob@bob.example", { sdp: sdpOf("alice") });
  call.answered.catch(() => {});
  await bob.expect("the INVITE", "INVITE {*}");
  return { alice, bob, call };
};

const body = ["Content-Type: application/sdp", "", ...sdpOf("bob").split("\r\n")];

describe("unknown codes at a caller", () => {
  for (const [status, code, phrase] of [
    ["399 Elsewhere", 399, "Elsewhere"],
    ["499 Gone Fishing", 499, "Gone Fishing"],
    ["499 釣魚去了", 499, "釣魚去了"],
    ["499 ", 499, ""],
    ["486 I am in the bath, call again at nine", 486, "I am in the bath, call again at nine"],
    ["599 Too Hot", 599, "Too Hot"],
    ["699 Never", 699, "Never"],
  ] as const) {
    plays(`${status}: the call fails, and the application sees it as it came`, async (stage) => {
      const { bob, call } = await callAndInvite(stage);
      bob.reply(status);
      const rejected = await stage.rejected("it fails", call.answered, code);
      stage.check.equal("the phrase is kept", rejected.response.reasonPhrase, phrase);
      stage.check.equal("nothing is tried again", rejected.retries, []);
      await bob.expect("it is acknowledged", "ACK {*}");
    });
  }

  plays("185: treated as 183", async (stage) => {
    const { bob, call } = await callAndInvite(stage);
    bob.reply("185 Looking Under the Bed", ...body);
    await stage.until("early media", () => call.remoteDescription !== undefined && call.state === "ringing");
  });

  plays("299: the call is answered", async (stage) => {
    const { bob, call } = await callAndInvite(stage);
    bob.reply("299 More Than OK", ...body);
    await stage.value("answered", call.answered);
    await bob.expect("acknowledged", "ACK {*}");
  });

  plays("399 with a Contact: treated as 300", async (stage) => {
    const { bob, call } = await callAndInvite(stage);
    const carol = await stage.peer("carol");
    bob.reply("399 Elsewhere", "Contact: <sip:carol@carol.example>");
    await carol.expect("the next target", "INVITE sip:carol@carol.example SIP/2.0");
    carol.reply("200 OK", ...body);
    await stage.value("answers", call.answered);
  });

  plays("499 to a re-INVITE: the call goes on as it was", async (stage) => {
    const { bob, call } = await callAndInvite(stage);
    bob.reply("200 OK", "Allow: INVITE, ACK, BYE", ...body);
    await stage.value("the call is up", call.answered);
    await bob.expect("acknowledged", "ACK {*}");
    const holding = call.hold();
    holding.catch(() => {});
    await bob.expect("a re-INVITE", "INVITE {*}\nTo: {*};tag=bob-1");
    bob.reply("499 Not Now");
    await stage.rejected("is refused", holding, 499);
    stage.check.equal("the call stays", call.state, "established");
    stage.check.equal("not on hold", call.isOnHold, false);
  });

  plays("499 and 299 to other requests", async (stage) => {
    const alice = await stage.phone("alice");
    const bob = await stage.peer("bob");
    const first = alice.ua.message("sip:bob@bob.example", "one");
    first.catch(() => {});
    await bob.expect("a MESSAGE", "MESSAGE {*}");
    bob.reply("499 Mailbox on Fire");
    await stage.rejected("fails", first, 499);
    const second = alice.ua.message("sip:bob@bob.example", "two");
    await bob.expect("another", "MESSAGE {*}\n\ntwo");
    bob.reply("299 Read Aloud");
    const response = await stage.value("is delivered", second);
    stage.check.equal("as it came", response.reasonPhrase, "Read Aloud");
  });
});

describe("unknown codes at a registration", () => {
  plays("499: it fails", async (stage) => {
    const registrar = await stage.peer("registrar");
    const bob = await stage.phone("bob", { aor: "sip:bob@registrar.example" });
    const registering = bob.ua.register();
    registering.catch(() => {});
    await registrar.expect("a REGISTER", "REGISTER {*}");
    registrar.reply("499 Full Moon");
    await stage.rejected("fails", registering, 499);
  });
});

describe("unknown codes at a forking proxy", () => {
  for (const [first, second, best] of [
    ["499 Odd", "486 Busy Here", "486 Busy Here"],
    ["499 Odd", "404 Not Found", "404 Not Found"],
    ["482 Loop Detected", "499 Odd", "499 Odd"],
    ["599 Odder", "499 Odd", "499 Odd"],
    ["399 Elsewhere", "486 Busy Here", "399 Elsewhere"],
    ["486 Busy Here", "699 Never", "699 Never"],
  ] as const) {
    plays(`{${first}, ${second}}: ${best}, as it came`, async (stage) => {
      await stage.server({
        config: { aliases: { sales: ["sip:bob@bob.example", "sip:carol@carol.example"] } },
      });
      const alice = await stage.peer("alice");
      const bob = await stage.peer("bob");
      const carol = await stage.peer("carol");
      alice.request("INVITE sip:sales@home.example");
      await bob.expect("bob is called", "INVITE {*}");
      await carol.expect("carol is called", "INVITE {*}");
      bob.reply(first);
      await bob.expect("the proxy acknowledges", "ACK {*}");
      carol.reply(second);
      await alice.expect("the best of both", `SIP/2.0 ${best}\nTo: {*};tag={tag}`);
    });
  }

  plays("185 and 299 go through at once", async (stage) => {
    await stage.server({ config: { aliases: { sales: ["sip:bob@bob.example"] } } });
    const alice = await stage.peer("alice");
    const bob = await stage.peer("bob");
    alice.request("INVITE sip:sales@home.example");
    await bob.expect("bob is called", "INVITE {*}");
    bob.reply("185 Looking Under the Bed");
    await alice.expect("forwarded", "SIP/2.0 185 Looking Under the Bed");
    bob.reply("299 More Than OK");
    await alice.expect("forwarded too", "SIP/2.0 299 More Than OK");
  });
});

describe("what is no status code", () => {
  const statusLines = [
    "700 Seventh Heaven",
    "099 Before",
    "000 Nothing",
    "1000 Long",
    "48 Short",
    "4x6 Busy",
  ];

  const speak = (stage: Stage, bob: Peer) => {
    const { text } = bob.last!;
    for (const line of statusLines) {
      const fields = text.split("\r\n").filter((field) => /^(Via|From|To|Call-ID|CSeq):/.test(field));
      bob.sendBytes([`SIP/2.0 ${line}`, ...fields, "Content-Length: 0", "", ""].join("\r\n"), bob.last);
    }
    return stage.settle();
  };

  plays("a phone drops it and waits on", async (stage) => {
    const { alice, bob, call } = await callAndInvite(stage);
    await speak(stage, bob);
    stage.check.equal("the call waits", call.state, "calling");
    stage.check.equal("nothing was thrown", alice.errors, []);
    bob.reply("200 OK", ...body);
    await stage.value("and is answered by what can be read", call.answered);
  });

  plays("a proxy drops it and waits on", async (stage) => {
    await stage.server({ config: { aliases: { sales: ["sip:bob@bob.example"] } } });
    const alice = await stage.peer("alice");
    const bob = await stage.peer("bob");
    alice.request("INVITE sip:sales@home.example");
    await bob.expect("bob is called", "INVITE {*}");
    await speak(stage, bob);
    await stage.seesTimes("alice hears its 100 only", 1, { to: "alice" });
    bob.reply("200 OK", ...body);
    await alice.expect("and what can be read", "SIP/2.0 200 OK");
  });
});
