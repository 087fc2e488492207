// A failure inside a call: whether the call goes on. RFC 5057 §5.1, RFC 3261 §12.2.1.2 and §14.1.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rejected } from "../errors.ts";
import { catalogue } from "../responses/index.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

describe("RFC 5057 §5.1: a failure inside a call", () => {
  // Each code by method: "" the call goes on, "BYE" it is over.
  const dialog = [404, 410, 416, 482, 483, 484, 485, 502, 604];
  const usage = [408, 480, 481];
  const ends = (code: number, method: string) =>
    dialog.includes(code) || usage.includes(code) || ([405, 501].includes(code) && method === "INVITE");
  const codes = catalogue.map(({ code }) => code).filter((code) => code >= 300);
  for (const method of ["INVITE", "UPDATE", "INFO"]) {
    for (const code of [...codes, 399, 499, 599, 699]) {
      // RFC 4320 §4.2: nobody sends a 408 to another method.
      if (code === 408 && method !== "INVITE") continue;
      const isOver = ends(code, method);
      it(`${code} to ${method}: ${isOver ? "BYE" : "the call goes on"}`, async () => {
        const bed = new Testbed();
        const alice = bed.agent("alice", { update: method === "UPDATE" });
        const bob = bed.agent("bob", { update: method === "UPDATE" });
        bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
        const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
        const { deliver } = bob.ua;
        bob.ua.deliver = (incoming) =>
          incoming.request.method === method ? incoming.respond(code) : deliver.call(bob.ua, incoming);
        const refused = bed.settle<unknown>(
          method === "INVITE"
            ? call.hold()
            : method === "UPDATE"
              ? call.update()
              : call.request("INFO", { body: "x", contentType: "a/b" }),
        );
        await assert.rejects(refused, (error) => error instanceof Rejected && error.statusCode === code);
        // §14.1: the session is as it was.
        assert.deepEqual([call.isOnHold, call.localDescription?.includes("sendrecv")], [false, true]);
        await bed.clock.run(100);
        assert.equal(call.state, isOver ? "ended" : "established");
        assert.equal(bed.requests("BYE").length, isOver ? 1 : 0);
        if (isOver) assert.equal((await call.ended).cause, "no dialog");
        bob.ua.deliver = deliver;
        await bed.close();
        assert.deepEqual(bed.leftovers, []);
      });
    }
  }

  for (const method of ["INVITE", "INFO"]) {
    it(`§12.2.1.2: no answer to ${method} at all: BYE`, async () => {
      const bed = new Testbed();
      const alice = bed.agent("alice", { update: false });
      const bob = bed.agent("bob");
      bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
      const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
      const { deliver } = bob.ua;
      bob.ua.deliver = (incoming) => incoming.request.method === method || deliver.call(bob.ua, incoming);
      const lost = bed.settle<unknown>(method === "INVITE" ? call.hold() : call.request("INFO"));
      // Bob's transactions send a 100; only silence is no answer.
      bed.network.disconnect(bob.address);
      await assert.rejects(lost, { code: "SIP_TIMEOUT", statusCode: 408 });
      bed.network.reconnect(bob.address);
      assert.equal((await bed.settle(call.ended)).cause, "no answer");
      await bed.close();
    });
  }

  it("§14.1: 491 again and again: two tries, then it is told", async () => {
    for (const [method, update] of [
      ["INVITE", false],
      ["UPDATE", true],
    ] as const) {
      const bed = new Testbed();
      const alice = bed.agent("alice", { update });
      const bob = bed.agent("bob", { update });
      bob.ua.onInvite((call) => call.answer(sdpOf("bob")));
      const call = await bed.settle(alice.ua.invite(bob.uri, { sdp: sdpOf("alice") }));
      const before = bed.requests(method).length;
      const { deliver } = bob.ua;
      bob.ua.deliver = (incoming) =>
        incoming.request.method === method ? incoming.respond(491) : deliver.call(bob.ua, incoming);
      await assert.rejects(bed.settle(call.hold()), { statusCode: 491, retries: [] });
      const at = bed.sent
        .filter(({ message }) => message.kind === "request" && message.method === method)
        .slice(before)
        .map((sent) => sent.at);
      assert.equal(at.length, 2);
      const wait = (at[1] ?? 0) - (at[0] ?? 0) - 2;
      assert(wait >= 2100 && wait <= 4000, `${wait}`);
      assert.equal(call.state, "established");
      bob.ua.deliver = deliver;
      await bed.close();
    }
  });
});
