// sipsak's usrloc mode (-U: register, then look for oneself through the server) and its ping.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "./peers/baresip.ts";
import { needs, Program } from "./peers/program.ts";
import { configuration, OffhookServer } from "./peers/server.ts";

test("sipsak: OPTIONS ping, and -U registers with a password", needs("sipsak"), async (t) => {
  const host = "127.0.0.1";
  const port = await freePort(host);
  const server = await OffhookServer.start(configuration(host, port), [
    { name: "carol", password: "kitten-9" },
  ]);
  t.after(() => server.close());

  const ping = new Program("sipsak", ["-v", "-s", `sip:${host}:${port}`]);
  assert.equal(await ping.ended, 0, ping.output);

  const own = ["-C", `sip:carol@${host}:${await freePort(host)}`];
  const right = new Program("sipsak", [
    "-U",
    "-vvv",
    "-s",
    `sip:carol@${host}:${port}`,
    "-a",
    "kitten-9",
    ...own,
  ]);
  assert.equal(await right.ended, 0, right.output);

  const wrong = new Program("sipsak", [
    "-U",
    "-vvv",
    "-s",
    `sip:carol@${host}:${port}`,
    "-a",
    "not-it",
    ...own,
  ]);
  assert.notEqual(await wrong.ended, 0, wrong.output);
});
