// sipsak's usrloc mode (-U: register, then look for oneself through the server) and its ping.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { freePort } from "../free-port.ts";
import { needs, Program } from "./peers/program.ts";
import { configuration, OffhookServer } from "./peers/server.ts";
import { Capture } from "./peers/tshark.ts";

/** A free port of four digits. */
async function freeShortPort(host: string): Promise<number> {
  for (let port = 5061; port < 10_000; port++) {
    const socket = createSocket("udp4");
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once("error", () => resolve(false));
      socket.bind(port, host, () => resolve(true));
    });
    await new Promise<void>((resolve) => (isFree ? socket.close(resolve) : resolve()));
    if (isFree) return port;
  }
  throw new Error("no free port below 10000");
}

test("sipsak: OPTIONS ping, and -U registers with a password", needs("sipsak", "tshark"), async (t) => {
  const host = "127.0.0.1";
  // sipsak 0.9.8 cuts a port of five digits to four.
  const port = await freeShortPort(host);
  const capture = await Capture.start();
  t.after(() => capture.close());
  const server = await OffhookServer.start(configuration(host, port), [
    { name: "carol", password: "kitten-9" },
  ]);
  t.after(() => server.close());

  const ping = new Program("sipsak", ["-v", "-s", `sip:${host}:${port}`]);
  assert.equal(await ping.ended, 0, ping.output);

  const own = await freePort(host);
  const register = (password: string) =>
    new Program("sipsak", [
      ...["-U", "-vvv", "-u", "carol", "-x", "600", "-s", `sip:carol@${host}:${port}`, "-a", password],
      ...["-C", `sip:carol@${host}:${own}`],
    ]);
  const right = register("kitten-9");
  assert.equal(await right.ended, 0, right.output);
  const wrong = register("not-it");
  assert.notEqual(await wrong.ended, 0, wrong.output);

  await capture.stop();
  const { messages, faults } = await capture.sentFrom(port);
  assert.equal(faults, "");
  assert.ok(messages >= 4, `${messages} messages of ours were captured`);
});
