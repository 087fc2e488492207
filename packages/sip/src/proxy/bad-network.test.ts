// Whole calls through the proxy while the network loses, delays, doubles and reorders. RFC 3261 §16, §17, §13.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  aorOf,
  draftRequest,
  isSipUri,
  printNameAddr,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import { MemoryLocationService } from "../registrar/index.ts";
import { Stack } from "../stack.ts";
import { Network, SeededRandom, VirtualClock, VirtualDriver, type Weather } from "../testing/index.ts";
import { ProxyServer } from "./proxy.ts";
import { targetsOf } from "./targets.ts";

function makeStack(network: Network, address: string): Stack {
  const driver = new VirtualDriver(network, address);
  const onError = (error: unknown) => assert.fail(`${address}: ${error}`);
  // Chance of its own: how many random bytes a stack takes must not change the weather.
  const random = new SeededRandom(Number(address.split(".").at(-1)));
  const stack = new Stack({ sink: driver, clock: network.clock, random, onError });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  driver.listen({ transport: "TCP" });
  return stack;
}

/** Answers every INVITE after a moment and repeats its 2xx until the ACK comes (§13.3.1.4). */
function makeCallee(
  network: Network,
  address: string,
  seen: { acked: Set<string>; byes: Set<string> },
): void {
  const stack = makeStack(network, address);
  const { clock } = network;
  stack.roles = {
    isOurs: () => true,
    dialog: (incoming) => {
      const { request } = incoming;
      if (request.method === "ACK") seen.acked.add(request.callId);
      if (request.method === "BYE") seen.byes.add(request.callId);
      incoming.respond(200);
      return true;
    },
    methods: new Map([
      [
        "INVITE",
        (incoming) => {
          const { callId } = incoming.request;
          const headers = [["Contact", `<sip:bob@${address}:5060>`] as const];
          const recorded = incoming.request.headers.rawAll("Record-Route");
          const all = [...headers, ...recorded.map((value) => ["Record-Route", value] as const)];
          incoming.respond(180, { headers: all });
          let interval = 500;
          const answer = () => {
            if (seen.acked.has(callId) || interval > 32_000) return;
            incoming.respond(200, { headers: all });
            clock.schedule(interval, answer);
            interval = Math.min(4000, interval * 2);
          };
          clock.schedule(300, answer);
        },
      ],
    ]),
  };
}

const weathers: readonly (readonly [title: string, Partial<Weather>])[] = [
  ["calm", {}],
  ["a fifth is lost", { loss: 0.2 }],
  ["half comes twice", { duplication: 0.5 }],
  ["late and out of order", { jitter: 800 }],
  ["all of it", { loss: 0.15, duplication: 0.3, jitter: 600 }],
];

for (const [title, weather] of weathers) {
  for (const forks of [1, 2]) {
    test(`30 calls to ${forks === 1 ? "one phone" : "two phones, one of them dead"}, ${title}: all answered, acknowledged, ended`, () => {
      const clock = new VirtualClock();
      const network = new Network({ clock, seed: 7, ...weather });
      const locations = new MemoryLocationService({ clock, random: new SeededRandom(2) });
      const stack = makeStack(network, "10.0.0.1");
      const proxy = new ProxyServer({
        stack,
        clock,
        random: new SeededRandom(1),
        isOurs: (uri: Uri) => isSipUri(uri) && (uri.host === "example.com" || uri.host === "10.0.0.1"),
        route: (request, context) => {
          context.addTargets(targetsOf(locations.lookup(aorOf(request.requestUri)), () => undefined));
        },
      });
      stack.roles = proxy.roles;
      const contacts = ["sip:bob@10.0.0.2:5060", "sip:bob@10.0.0.3:5060"].slice(0, forks);
      locations.update("sip:bob@example.com", {
        callId: "r",
        cSeq: 1,
        contacts: contacts.map((uri) => ({ uri, expires: 3600, q: 1 })),
        path: [],
        now: clock.now(),
      });
      const seen = { acked: new Set<string>(), byes: new Set<string>() };
      makeCallee(network, "10.0.0.2", seen);

      const caller = makeStack(network, "10.0.0.9");
      caller.roles = { isOurs: () => true };
      const finals = new Map<string, number[]>();
      const ended = new Set<string>();
      for (let i = 0; i < 30; i++) {
        const callId = `call-${i}`;
        const from = `<sip:alice@example.com>;tag=a${i}`;
        const inDialog = (method: string, sequence: number, response: SipResponse) => {
          const contact = response.headers.get("Contact");
          assert.ok(contact !== undefined && contact !== "*");
          return draftRequest({
            method,
            requestUri: contact.uri,
            headers: [
              ...response.headers
                .getAll("Record-Route")
                .reverse()
                .map((route) => ["Route", printNameAddr(route)] as const),
              ["From", from],
              ["To", response.headers.raw("To") ?? ""],
              ["Call-ID", callId],
              ["CSeq", `${sequence} ${method}`],
            ],
          });
        };
        const invite = draftRequest({
          method: "INVITE",
          requestUri: "sip:bob@example.com",
          headers: [
            ["Route", "<sip:10.0.0.1;lr>"],
            ["From", from],
            ["To", "<sip:bob@example.com>"],
            ["Call-ID", callId],
            ["CSeq", "1 INVITE"],
            ["Contact", "<sip:alice@10.0.0.9:5060>"],
          ],
        });
        const list: number[] = [];
        finals.set(callId, list);
        const call = () =>
          caller.request(invite, {
            user: {
              onResponse: (response) => {
                if (response.statusCode < 200) return;
                list.push(response.statusCode);
                if (response.statusCode >= 300) return;
                caller.sendAck(inDialog("ACK", 1, response));
                if (list.length > 1) return;
                clock.schedule(5000, () => {
                  caller.request(inDialog("BYE", 2, response), {
                    user: {
                      onResponse: (answer) => {
                        if (answer.statusCode === 200) ended.add(callId);
                      },
                      onFailure: (failure) => assert.fail(`BYE of ${callId}: ${failure.kind}`),
                    },
                  });
                });
              },
              onFailure: (failure) => list.push(failure.kind === "timeout" ? 408 : 503),
            },
          });
        clock.schedule(i * 20, call);
      }
      clock.advance(400_000);
      for (const [callId, list] of finals) {
        assert.ok(list.length > 0 && list.every((status) => status === 200), `${callId}: ${list}`);
      }
      assert.equal(seen.acked.size, 30);
      assert.equal(seen.byes.size, 30);
      assert.equal(ended.size, 30);
      // Nothing is left behind.
      assert.equal(stack.transactionCount, 0);
      assert.equal(caller.transactionCount, 0);
      proxy.close();
      locations.close();
    });
  }
}
