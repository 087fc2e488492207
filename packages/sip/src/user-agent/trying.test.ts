// 100 Trying: when a user agent sends one, and that it need not. RFC 3261 §17.2.1, §21.1.1; RFC 4320 §4.1.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMessage, type SipResponse } from "../message/index.ts";
import { meet } from "./scripted-caller.test.kit.ts";
import type { Testbed } from "./testbed.test.kit.ts";

describe("§21.1.1: 100", () => {
  for (const transport of ["UDP", "TCP"] as const) {
    it(`to an INVITE after 200 ms, to other requests after 3.5 s (RFC 4320 §4.1): ${transport}`, async () => {
      for (const [method, after] of [
        ["INVITE", 200],
        ["MESSAGE", 3500],
      ] as const) {
        const { bed, bob, wire, write, final, ack } = await meet(transport, {});
        bob.ua.onInvite((call) => wait(bed, 5000).then(() => call.reject(486)));
        bob.ua.onRequest("MESSAGE", (incoming) => wait(bed, 5000).then(() => void incoming.respond(200)));
        const start = bed.clock.now();
        write({ method, headers: [["Timestamp", 54]] });
        const came = await wire.receive(60_000);
        const trying = parseMessage(came!.bytes) as SipResponse;
        assert.deepEqual([trying.statusCode, trying.to.tag], [100, undefined]);
        assert.equal(bed.clock.now() - start, after + 2);
        assert.match(trying.headers.raw("Timestamp") ?? "", /^54/);
        const last = await final();
        assert.equal(bed.clock.now() - start, 5002);
        ack(last);
        await wire.close();
        await bed.close();
      }
    });

    it(`none if the answer is quick: ${transport}`, async () => {
      const { bed, bob, wire, write, ack } = await meet(transport, {});
      bob.ua.onInvite((call) => call.reject(486));
      write({});
      const first = parseMessage((await wire.receive(60_000))!.bytes) as SipResponse;
      assert.equal(first.statusCode, 486);
      ack(first);
      await wire.close();
      await bed.close();
    });
  }
});

function wait(bed: Testbed, time: number): Promise<void> {
  return new Promise((resolve) => bed.clock.schedule(time, resolve));
}
