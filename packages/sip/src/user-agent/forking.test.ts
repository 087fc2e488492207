// One INVITE, several callees: early dialogs, several 2xx, CANCEL. RFC 3261 §12.1.2, §13.2.2.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftForward, forwardResponse, makeResponse, parseUri } from "../message/index.ts";
import { type IncomingRequest, type RequestUser, Stack } from "../stack.ts";
import { SeededRandom, VirtualDriver } from "../testing/index.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

/** A hop that sends an INVITE to everybody and every response back, and sees to nothing else. */
function forker(bed: Testbed, targets: readonly string[]): string {
  const host = bed.host("forker");
  const driver = new VirtualDriver(bed.network, host.address);
  const fork = (incoming: IncomingRequest) => {
    const { request, transaction } = incoming;
    if (transaction === undefined) return;
    const user: RequestUser = {
      onResponse: (response) => {
        if (response.statusCode > 100) transaction.respond(forwardResponse(response));
      },
      onFailure: () => {},
    };
    const branches = targets.map((requestUri) =>
      stack.request(draftForward(request, { requestUri, maxForwards: 69 }), {
        user,
        uri: parseUri(requestUri),
      }),
    );
    transaction.user = {
      onCancel: () => {
        for (const branch of branches) branch.cancel();
      },
    };
  };
  const stack: Stack = new Stack({
    ...{ sink: driver, clock: bed.clock, random: new SeededRandom(99) },
    roles: { isOurs: () => true, route: fork },
  });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  return `sip:team@${host.address}`;
}

function team(onInvite: Record<"bob" | "carol", (call: Call) => Promise<void> | void>) {
  const bed = new Testbed();
  const alice = bed.agent("alice");
  const calls: Record<string, Call> = {};
  const members = (["bob", "carol"] as const).map((name) => {
    const member = bed.agent(name, { accepts: true });
    member.ua.onInvite((call) => {
      calls[name] = call;
      return onInvite[name](call);
    });
    return member.uri;
  });
  return { bed, alice, calls, uri: forker(bed, members) };
}

const sdp = sdpOf("alice");

describe("forking", () => {
  it("§12.1.2: two early dialogs; the one that answers is kept, the other forgotten after 64·T1", async () => {
    const { bed, alice, calls, uri } = team({ bob: (call) => call.ring(), carol: (call) => call.ring() });
    const call = alice.ua.call(uri, { sdp });
    const tags = new Set<string | undefined>();
    call.onProgress((response) => tags.add(response.to.tag));
    await bed.clock.run(1000);
    assert.equal(tags.size, 2);
    assert.equal(alice.ua.dialogs.size, 2);
    await bed.settle(calls["carol"]!.answer(sdpOf("carol")));
    await bed.settle(call.answered);
    assert.equal(call.dialog?.remoteTag, calls["carol"]!.dialog?.localTag);
    assert.equal(alice.ua.dialogs.size, 2);
    await bed.clock.run(32_000);
    assert.equal(alice.ua.dialogs.size, 1);
    await bed.settle(call.hangUp());
    await bed.settle(calls["bob"]!.reject(486));
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
    assert.deepEqual(bed.errors, []);
  });

  it("§13.2.2.4: two 2xx: the first is the call, the second is acknowledged and ended", async () => {
    const { bed, alice, calls, uri } = team({
      bob: (call) => call.answer(sdpOf("bob")),
      carol: (call) => call.answer(sdpOf("carol")),
    });
    const call = await bed.settle(alice.ua.invite(uri, { sdp }));
    await bed.clock.run(2000);
    const [kept, other] = call.remoteDescription === sdpOf("bob") ? ["bob", "carol"] : ["carol", "bob"];
    assert.equal(calls[kept]?.state, "established");
    assert.equal(calls[other]?.state, "ended");
    assert.equal((await calls[other]!.ended).cause, "bye");
    assert.equal(bed.requests("ACK", "alice").length, 2);
    assert.equal(bed.requests("BYE", "alice").length, 1);
    assert.equal(alice.ua.calls.size, 1);
    await bed.settle(call.hangUp());
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.2.2.4: the second 2xx comes when the call is over already", async () => {
    const { bed, alice, calls, uri } = team({
      bob: (call) => call.answer(sdpOf("bob")),
      carol: (call) => call.ring(),
    });
    const call = await bed.settle(alice.ua.invite(uri, { sdp }));
    await bed.settle(call.hangUp());
    const late = calls["carol"]!.answer(sdpOf("carol"));
    await bed.settle(late);
    assert.equal((await bed.settle(calls["carol"]!.ended)).cause, "bye");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§9.1: CANCEL ends both; a 487 each, one for the caller", async () => {
    const { bed, alice, calls, uri } = team({ bob: (call) => call.ring(), carol: (call) => call.ring() });
    const call = alice.ua.call(uri, { sdp });
    await bed.clock.run(1000);
    const end = await bed.settle(call.hangUp());
    assert.equal(end.response?.statusCode, 487);
    await bed.clock.run(100);
    assert.deepEqual([calls["bob"]?.state, calls["carol"]?.state], ["ended", "ended"]);
    assert.equal(alice.ua.dialogs.size, 0);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("§13.2.1: early media of both forks: the answer of the 2xx counts", async () => {
    const { bed, alice, calls, uri } = team({
      bob: (call) => call.progress({ sdp: sdpOf("bob") }),
      carol: (call) => call.progress({ sdp: sdpOf("carol") }),
    });
    const call = alice.ua.call(uri, { sdp });
    await bed.clock.run(1000);
    assert.notEqual(call.remoteDescription, undefined);
    await bed.settle(calls["bob"]!.answer(sdpOf("bob")));
    await bed.settle(call.answered);
    assert.equal(call.remoteDescription, sdpOf("bob"));
    await bed.settle(call.hangUp());
    await calls["carol"]!.reject(480);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("RFC 3262 §4: each early dialog has a sequence of its own; the session of the one that answers counts", async () => {
    const { bed, alice, calls, uri } = team({
      bob: async (call) => {
        await call.progress({ sdp: sdpOf("bob"), reliable: true });
        await call.ring({ reliable: true });
      },
      carol: (call) => call.progress({ sdp: sdpOf("carol"), reliable: true }),
    });
    const call = alice.ua.call(uri, { sdp });
    await bed.clock.run(1000);
    const tagOf = (name: string) => calls[name]?.dialog?.localTag;
    const pracks = bed.requests("PRACK", "alice");
    assert.deepEqual(
      ["bob", "carol"].map((name) => pracks.filter(({ toTag }) => toTag === tagOf(name)).length),
      [2, 1],
    );
    assert.equal(bed.responses(200, "PRACK").length, 3);
    // The session is changed with one fork, the other one answers.
    const last = call.remoteDescription === sdpOf("bob") ? "bob" : "carol";
    const other = last === "bob" ? "carol" : "bob";
    await bed.settle(call.hold());
    assert.deepEqual([calls[last]?.isHeldByPeer, calls[other]?.isHeldByPeer], [true, false]);
    await bed.settle(calls[other]!.answer());
    await bed.settle(call.answered);
    await bed.clock.run(5000);
    assert.equal(call.remoteDescription, calls[other]!.localDescription);
    assert.equal(calls[other]!.isHeldByPeer, true);
    await bed.settle(call.hangUp());
    await bed.settle(calls[last]!.reject(486));
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
    assert.deepEqual(bed.errors, []);
  });

  it("a callee that rings under 1000 tags: 64 early dialogs, and the one that answers is taken", async () => {
    const { bed, alice, uri } = team({ bob: () => {}, carol: () => {} });
    const [, bob] = bed.agents;
    assert(bob !== undefined);
    bob.handle = async ({ request, transaction }) => {
      if (request.method !== "INVITE") return;
      const reply = (statusCode: number, toTag: string) => {
        const headers = [["Contact", "<sip:bob@10.0.0.2>"] as const];
        const content = { body: sdpOf("bob"), contentType: "application/sdp" };
        transaction?.respond(makeResponse(request, statusCode, { toTag, headers, ...content }));
      };
      for (let fork = 0; fork < 1000; fork++) reply(183, `fork${fork}`);
      reply(200, "fork999");
    };
    const call = alice.ua.call(uri, { sdp });
    let heard = 0;
    let most = 0;
    call.onProgress(({ statusCode }) => {
      if (statusCode === 183) heard++;
      most = Math.max(most, alice.ua.dialogs.size);
    });
    await bed.settle(call.answered);
    assert.deepEqual([heard, most], [1000, 64]);
    assert.equal(call.dialog?.remoteTag, "fork999");
    call.abandon();
    await bed.clock.run(100_000);
    assert.equal(alice.ua.dialogs.size, 0);
  });

  it("§13.2.2.4: a 2xx that cannot be used, then that of another fork: ACK and BYE for it", async () => {
    const { bed, alice, calls, uri } = team({ bob: () => {}, carol: (call) => call.answer(sdpOf("carol")) });
    const [, bob] = bed.agents;
    assert(bob !== undefined);
    bob.handle = async (incoming) =>
      void incoming.respond(200, {
        headers: [["Contact", "<nothing>"]],
        body: sdpOf("bob"),
        contentType: "application/sdp",
      });
    const call = alice.ua.call(uri, { sdp });
    call.answered.catch(() => {});
    assert.equal((await bed.settle(call.ended)).cause, "bad answer");
    await bed.clock.run(100);
    assert.deepEqual(
      bed.ladder().filter((line) => /^alice (ACK|BYE)/.test(line)),
      ["alice ACK", "alice BYE"],
    );
    assert.equal((await bed.settle(calls["carol"]!.ended)).by, "remote");
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
  });

  it("RFC 3262 §5: no offer in the INVITE: each fork's early offer is answered in its own PRACK", async () => {
    const { bed, alice, calls, uri } = team({
      bob: (call) => call.progress({ sdp: sdpOf("bob") }),
      carol: (call) => call.progress({ sdp: sdpOf("carol") }),
    });
    const call = alice.ua.call(uri, { sdp, offer: false });
    await bed.clock.run(1000);
    assert.deepEqual(
      [calls["bob"]?.remoteDescription, calls["carol"]?.remoteDescription].every(
        (text) => text !== undefined,
      ),
      true,
    );
    await bed.settle(calls["bob"]!.answer());
    await bed.settle(call.answered);
    await bed.clock.run(5000);
    assert.equal(call.remoteDescription, calls["bob"]!.localDescription);
    assert.equal(call.localDescription, calls["bob"]!.remoteDescription);
    await bed.settle(call.hangUp());
    await calls["carol"]!.reject(480);
    await bed.close();
    assert.deepEqual(bed.leftovers, []);
    assert.deepEqual(bed.errors, []);
  });
});
