// What is written while running must never be what ends it: a full disk, a closed pipe.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { VirtualClock } from "@offhook/sip/testing";
import { Call } from "./call.ts";
import { CallLines, printCallLine } from "./call-lines.ts";
import { parseConfig } from "./config.ts";
import { FloodLog, makeLog } from "./log.ts";

const hasFull = existsSync("/dev/full");

test("a full disk under the log: the server goes on", { skip: !hasFull && "no /dev/full here" }, () => {
  const log = makeLog(parseConfig("log: { level: info, file: /dev/full }\n", "x"), "/");
  for (let i = 0; i < 3; i++) log.info("cannot be written");
});

test("a terminal that is gone (EPIPE): the server goes on", async () => {
  const broken = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error("EPIPE"), { code: "EPIPE" })),
  });
  const lines = new CallLines(broken);
  lines.show(failed("Busy Here"), "failed", 0);
  lines.flush();
  await new Promise((resolve) => broken.once("close", resolve));
  lines.show(failed("Busy Here"), "failed", 0);
  lines.close();
});

test("§7.2 a reason phrase with control characters: they do not reach the terminal", () => {
  const line = printCallLine(failed("Busy\u001b[2J\u009b31m"), "failed", 0, false);
  assert.match(line, /486 Busy\?\[2J\?31m/);
});

test("a flood: in each second one line of a kind and source, then how many more; 21 sources at most", async () => {
  const folder = mkdtempSync(join(tmpdir(), "offhook-log-"));
  const file = join(folder, "log");
  const lines = () =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { source: string; msg: string; count?: number; reason?: string });
  const clock = new VirtualClock();
  const log = new FloodLog(
    makeLog(parseConfig(`log: { level: info, file: ${JSON.stringify(file)} }\n`, "x"), "/"),
    clock,
  );
  try {
    for (let i = 0; i < 1000; i++) log.info("192.0.2.1", { reason: `bad ${i}` }, "malformed message");
    log.info("192.0.2.1", {}, "request refused");
    log.info("192.0.2.2", { reason: "bad" }, "malformed message");
    await clock.run(1000);
    assert.deepEqual(
      lines().map(({ source, msg, count, reason }) => [source, msg, count ?? reason]),
      [
        ["192.0.2.1", "malformed message", "bad 0"],
        ["192.0.2.1", "request refused", undefined],
        ["192.0.2.2", "malformed message", "bad"],
        ["192.0.2.1", "malformed message: more within a second", 999],
      ],
    );
    const before = lines().length;
    // The sender makes its addresses up.
    for (let i = 0; i < 5000; i++) log.info(`2001:db8::${i}`, {}, "malformed message");
    log.close();
    const made = lines().slice(before);
    assert.equal(made.length, 21);
    assert.deepEqual([made.at(-1)?.source, made.at(-1)?.count], ["others", 4980]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function failed(reasonPhrase: string): Call {
  const call = new Call("1", 1, "c", "sip:alice@example.com", "sip:bob@example.com", "a", 0);
  call.status = 486;
  call.reasonPhrase = reasonPhrase;
  return call;
}
