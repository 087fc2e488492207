// What is written while running must never be what ends it: a full disk, a closed pipe.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Writable } from "node:stream";
import { test } from "node:test";
import { Call } from "./call.ts";
import { CallLines, printCallLine } from "./call-lines.ts";
import { parseConfig } from "./config.ts";
import { makeLog } from "./log.ts";

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

function failed(reasonPhrase: string): Call {
  const call = new Call("1", 1, "c", "sip:alice@example.com", "sip:bob@example.com", "a", 0);
  call.status = 486;
  call.reasonPhrase = reasonPhrase;
  return call;
}
