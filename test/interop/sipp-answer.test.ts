// SIPp provokes each code that a user agent sends from `offhook answer`, by its documented options, over UDP and TCP.
// The scripts in sipp/ check status line and header fields; a failed check fails the SIPp call.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../free-port.ts";
import { needs, Program } from "./peers/program.ts";
import { commandLine } from "./peers/server.ts";
import { failureOf, playSipp, scriptsNamed } from "./peers/sipp.ts";

const host = "127.0.0.1";

/** Options of `offhook answer sip:bob@… --no-register`, and the scripts that meet it, by name. */
const phones: [what: string, options: string[], scripts: string[]][] = [
  [
    "a phone with limits",
    [
      ...["--ring", "0.5", "--codecs", "pcmu", "--accept", "bob", "--nowhere", "0900", "--deny", "mallory"],
      ...["--max-body", "400", "--max-uri", "100", "--max-message", "2000"],
    ],
    [
      ...["answer-180", "answer-200", "answer-400", "answer-400-offer", "answer-403", "answer-404"],
      ...["answer-405", "answer-406", "answer-413", "answer-414", "answer-415", "answer-415-encoding"],
      ...["answer-416", "answer-420", "answer-481", "answer-481-cancel", "answer-482", "answer-487"],
      ...["answer-488", "answer-500", "answer-500-overlap", "answer-501", "answer-505", "answer-513"],
      "answer-604",
    ],
  ],
  ["a phone that wants more than others", ["--require", "timer", "--smime"], ["answer-421", "answer-493"]],
  ["a phone that is not to be disturbed", ["--dnd"], ["answer-480"]],
  ["a phone with no line left", ["--max-calls", "0"], ["answer-486", "answer-486-options"]],
  ["the only phone, with no line left", ["--max-calls", "0", "--sole"], ["answer-600"]],
  ["the only phone", ["--sole", "--codecs", "pcma"], ["answer-606"]],
  ["somebody who declines", ["--refuse", "decline"], ["answer-603"]],
  ["somebody who is elsewhere", ["--forward", "sip:carol@192.0.2.9"], ["answer-302"]],
  ["a phone that plays before it answers", ["--early-media", "--ring", "0.3"], ["answer-183"]],
  ["a phone that is slow", ["--alert-after", "0.5", "--ring", "0.2"], ["answer-100"]],
  ["a phone that nobody answers", ["--ring", "60", "--ring-timeout", "1"], ["answer-480-no-answer"]],
  ["somebody who puts callers on hold", ["--ring", "0.1", "--hold", "0.1"], ["answer-491"]],
];

test("every script answer-*.xml is played", () => {
  const played = phones.flatMap(([, , scripts]) => scripts);
  assert.deepEqual([...new Set(played)].sort(), scriptsNamed("answer-"));
});

for (const [what, options, scripts] of phones) {
  describe(`SIPp and ${what}: offhook answer ${options.join(" ")}`, {
    ...needs("sipp"),
    concurrency: 3,
  }, () => {
    let phone: Program;
    let port = 0;
    before(async () => {
      port = await freePort(host);
      const address = ["answer", "sip:bob@127.0.0.1", "--no-register", "--address", host];
      phone = new Program(process.execPath, [...commandLine, ...address, "--port", `${port}`, ...options], {
        name: "offhook answer",
      });
      await phone.says(/waiting for calls/, 20_000);
    });
    after(async () => {
      await phone.stop("SIGINT", 10_000);
    });
    for (const script of scripts) {
      for (const transport of ["udp", "tcp"] as const) {
        test(`${script} over ${transport.toUpperCase()}`, async () => {
          const play = () => playSipp(script, { host, port, transport, service: "bob" });
          assert.ifError(await failureOf(play));
        });
      }
    }
  });
}
