// Phones in a browser over WS and WSS: JsSIP, SIP.js and our own, with passwords, audio by WebRTC. RFC 7118.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeCertificate } from "@offhook/sip/node";
import { freePort } from "../free-port.ts";
import { Baresip } from "./peers/baresip.ts";
import { type BrowserPhone, Chromium, type Library } from "./peers/browser.ts";
import { hostAddress as host, needs, until } from "./peers/program.ts";
import { configuration, OffhookServer } from "./peers/server.ts";

const users = ["alice", "bob", "carol", "dave", "erin"].map((name) => ({
  name,
  password: `${name}-secret-7`,
}));
type Pair = readonly [caller: Library, callee: Library];
const pairs: readonly Pair[] = [
  ["jssip", "sipjs"],
  ["sipjs", "jssip"],
  ["offhook", "jssip"],
  ["jssip", "offhook"],
  ["offhook", "sipjs"],
  ["sipjs", "offhook"],
  ["offhook", "offhook"],
];
/** The same messages by another way: each library once on either side. */
const securePairs: readonly Pair[] = [
  ["jssip", "sipjs"],
  ["sipjs", "offhook"],
  ["offhook", "jssip"],
];

describe("phones in a browser", needs("chromium"), () => {
  let folder: string;
  let server: OffhookServer;
  let browser: Chromium;
  let port: number;
  const urls = { ws: "", wss: "" };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "offhook-wss-"));
    const { certificate, key } = makeCertificate({ names: [host] });
    await writeFile(join(folder, "cert.pem"), certificate);
    await writeFile(join(folder, "key.pem"), key);
    port = await freePort(host);
    const [http, secure] = [await freePort(host), await freePort(host)];
    urls.ws = `ws://${host}:${http}/`;
    urls.wss = `wss://${host}:${secure}/`;
    const config = configuration(host, port, "registrar: { minExpires: 5 }\n")
      .replace("http: { port: 0 }", `http: { host: "${host}", port: ${http} }`)
      .replace(
        "listeners:\n",
        `listeners:\n  - { transport: wss, host: "${host}", port: ${secure}, tls: { certificate: ${folder}/cert.pem, key: ${folder}/key.pem } }\n`,
      );
    [server, browser] = await Promise.all([OffhookServer.start(config, users), Chromium.start()]);
  });

  after(async () => {
    await browser?.close();
    const code = await server?.close();
    await rm(folder, { recursive: true, force: true });
    assert.equal(code ?? 0, 0, `the server's exit code; it said:\n${server?.program.output.slice(-2000)}`);
  });

  function phone(
    library: Library,
    transport: "ws" | "wss",
    user: string,
    expires = 600,
  ): Promise<BrowserPhone> {
    return browser.phone(library, {
      ...{ url: urls[transport], domain: `${host}:${port}`, user, expires },
      password: `${user}-secret-7`,
    });
  }

  async function talk(alice: BrowserPhone, bob: BrowserPhone, to: string): Promise<void> {
    await alice.call(to);
    await bob.is("ringing", ({ call }) => call === "ringing");
    await bob.answer();
    await Promise.all([alice, bob].map((one) => one.is("up", ({ call }) => call === "up")));
    await Promise.all([alice.hears(), bob.hears()]);
  }

  async function over(...phones: BrowserPhone[]): Promise<void> {
    await Promise.all(phones.map((one) => one.is("idle", ({ call }) => call === "none")));
  }

  for (const transport of ["ws", "wss"] as const) {
    for (const [caller, callee] of transport === "ws" ? pairs : securePairs) {
      describe(`${caller} calls ${callee} over ${transport.toUpperCase()}`, () => {
        let alice: BrowserPhone;
        let bob: BrowserPhone;

        before(async () => {
          [alice, bob] = await Promise.all([
            phone(caller, transport, "alice"),
            phone(callee, transport, "bob"),
          ]);
        });
        after(() => Promise.all([alice?.close(), bob?.close()]));

        test("§13 audio both ways; §14 hold and resume by the caller; §15 the caller hangs up", async () => {
          await talk(alice, bob, "bob");
          await alice.hold();
          await bob.is("held", ({ direction }) => direction === "recvonly" || direction === "inactive");
          await alice.resume();
          await bob.is("on again", ({ direction }) => direction === "sendrecv");
          await Promise.all([alice.hears(), bob.hears()]);
          await alice.hangUp();
          await over(alice, bob);
        });

        test("§14 hold and resume by the callee; §15 the callee hangs up", async () => {
          await talk(alice, bob, "bob");
          await bob.hold();
          await alice.is("held", ({ direction }) => direction === "recvonly" || direction === "inactive");
          await bob.resume();
          await Promise.all([alice.hears(), bob.hears()]);
          await bob.hangUp();
          await over(alice, bob);
        });

        test("RFC 3428 a MESSAGE each way", async () => {
          assert.equal(await alice.message("bob", "Grüße 👋"), 200);
          await bob.is("told", ({ messages }) => messages.includes("Grüße 👋"));
          assert.equal(await bob.message("alice", "and back"), 200);
          await alice.is("told", ({ messages }) => messages.includes("and back"));
        });
      });
    }
  }

  for (const library of ["jssip", "sipjs", "offhook"] as const) {
    const title = `${library} over WSS and baresip over TCP, with DTLS-SRTP and ICE`;
    describe(title, needs("namespace", "chromium", "baresip"), () => {
      let alice: BrowserPhone;
      let erin: Baresip;

      before(async () => {
        [alice, erin] = await Promise.all([
          phone(library, "wss", "alice"),
          Baresip.start({
            ...{ host, server: `${host}:${port}`, transport: "tcp", webRtc: true },
            aor: `sip:erin@${host}:${port}`,
            password: "erin-secret-7",
          }),
        ]);
        await erin.registered();
      });
      after(() => Promise.all([alice?.close(), erin?.close()]));

      /** 25 packets more, decrypted. */
      async function erinHears(): Promise<void> {
        const heard = async () => {
          const report = await erin.command("audio_debug");
          assert.match(report, /menc: dtls_srtp \(secure=yes\)/);
          return Number(/ rcvd=(\d+)/.exec(report)?.[1] ?? 0);
        };
        const before = await heard();
        await until("baresip to hear 25 packets", async () => (await heard()) >= before + 25);
      }

      test("§13 the browser calls, audio both ways, baresip hangs up", async () => {
        const since = erin.events.length;
        await alice.call("erin");
        await erin.event("CALL_INCOMING", since);
        await erin.command("accept");
        await erin.event("CALL_ESTABLISHED", since);
        await alice.is("up", ({ call }) => call === "up");
        await alice.hears();
        await erinHears();
        await erin.command("hangup");
        await over(alice);
      });

      test("§13 baresip calls, audio both ways, the browser hangs up", async () => {
        const since = erin.events.length;
        await erin.command("dial", `sip:alice@${host}:${port}`);
        await alice.is("ringing", ({ call }) => call === "ringing");
        await alice.answer();
        await erin.event("CALL_ESTABLISHED", since);
        await alice.hears();
        await erinHears();
        await alice.hangUp();
        await erin.event("CALL_CLOSED", since);
        await over(alice);
      });
    });
  }

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`RFC 5626 §4.5 the server is restarted (${signal}): all are registered again within 15 s and call`, async () => {
      const phones = await Promise.all([
        phone("jssip", "ws", "alice", 10),
        phone("sipjs", "wss", "bob", 10),
        phone("offhook", "ws", "carol", 10),
        phone("offhook", "wss", "dave", 10),
      ]);
      const [alice, bob, carol, dave] = phones;
      await talk(alice, carol, "carol");
      await server.restart(signal);
      await Promise.all(phones.map((one) => one.is("registered again", (now) => now.isRegistered, 15_000)));
      // The call of before has lost its way through the server: each side lets go of it by itself.
      await Promise.all([alice.hangUp(), carol.hangUp()]);
      await over(alice, carol);
      for (const [caller, callee, to] of [
        [alice, bob, "bob"],
        [dave, alice, "alice"],
        [bob, carol, "carol"],
        [carol, dave, "dave"],
      ] as const) {
        await talk(caller, callee, to);
        await caller.hangUp();
        await over(caller, callee);
      }
      await Promise.all(phones.map((one) => one.close()));
    });
  }
});
