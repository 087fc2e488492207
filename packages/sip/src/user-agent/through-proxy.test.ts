// Reliable provisional responses and UPDATE through a proxy that records its route and forks. RFC 3262, RFC 3311.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { aorOf, isSipUri } from "../message/index.ts";
import { ProxyServer, targetsOf } from "../proxy/index.ts";
import { MemoryLocationService } from "../registrar/index.ts";
import { Stack } from "../stack.ts";
import { SeededRandom, VirtualDriver } from "../testing/index.ts";
import type { Call } from "./call.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";

/** The proxy of example.com, with Bob registered at these places. */
function proxyFor(bed: Testbed, contacts: readonly string[]): string {
  const { clock, network } = bed;
  const host = bed.host("proxy");
  const driver = new VirtualDriver(network, host.address);
  const locations = new MemoryLocationService({ clock, random: new SeededRandom(4) });
  const stack = new Stack({ sink: driver, clock, random: new SeededRandom(5) });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  stack.roles = new ProxyServer({
    ...{ stack, clock, random: new SeededRandom(6), recordRoute: true },
    isOurs: (uri) => isSipUri(uri) && (uri.host === "example.com" || uri.host === host.address),
    route: (request, context) => {
      context.addTargets(targetsOf(locations.lookup(aorOf(request.requestUri)), () => undefined));
    },
  }).roles;
  locations.update("sip:bob@example.com", {
    ...{ callId: "r", cSeq: 1, path: [], now: clock.now() },
    contacts: contacts.map((uri) => ({ uri, expires: 3600, q: 1 })),
  });
  return `sip:${host.address}`;
}

const weathers = {
  calm: { latency: 20 },
  "lossy and out of order": { loss: 0.15, latency: 50, jitter: 200, duplication: 0.1 },
};

describe("through a proxy", () => {
  for (const [title, weather] of Object.entries(weathers)) {
    it(`RFC 3262 §4, RFC 3311 §5.1: 183, PRACK, UPDATE from both sides, 200; ${title}`, async () => {
      for (let seed = 1; seed <= 10; seed++) {
        const bed = new Testbed({ ...weather, seed });
        const phones = ["bob", "desk"].map((name) => bed.agent(name, { accepts: true }));
        const taken: Record<string, Call> = {};
        for (const { ua } of phones) {
          ua.onInvite((call) => {
            taken[ua.aor.uri.user ?? ""] = call;
            return call.progress({ sdp: sdpOf(ua.aor.uri.user ?? ""), reliable: true });
          });
        }
        const outboundProxy = proxyFor(
          bed,
          phones.map(({ uri }) => uri),
        );
        const alice = bed.agent("alice", { outboundProxy });
        const call = alice.ua.call("sip:bob@example.com", { sdp: sdpOf("alice") });
        await bed.clock.run(20_000);
        const last = /^o=(\w+)/m.exec(call.remoteDescription ?? "")?.[1] ?? "";
        const there = taken[last];
        assert(there !== undefined, `seed ${seed}`);
        await bed.settle(call.hold());
        await bed.settle(there.hold());
        await bed.settle(call.resume());
        await bed.settle(Promise.all([there.answer(), call.answered]));
        await bed.settle(there.resume());
        assert.deepEqual([call.isHeldByPeer, there.isHeldByPeer], [false, false]);
        for (const request of [...bed.requests("PRACK", "alice"), ...bed.requests("UPDATE")]) {
          assert.equal(request.headers.has("Route") || request.headers.rawAll("Via").length > 1, true);
        }
        assert.equal(
          new Set(bed.requests("UPDATE", "proxy").map(({ cSeq, from }) => `${from.tag} ${cSeq.sequence}`))
            .size,
          4,
        );
        await bed.settle(call.hangUp());
        await bed.close();
        // The registration runs out.
        await bed.clock.run(4_000_000);
        assert.deepEqual([bed.leftovers, bed.errors], [[], []], `seed ${seed}`);
      }
    });
  }
});
