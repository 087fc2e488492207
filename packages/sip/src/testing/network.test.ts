import assert from "node:assert/strict";
import { test } from "node:test";
import { draftRequest } from "../message/index.ts";
import { Stack } from "../stack.ts";
import {
  Network,
  type NetworkOptions,
  VirtualClock,
  VirtualDriver,
  virtualStreamServer,
  virtualUdpWire,
  WirePeer,
} from "./index.ts";

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Sends 1000 numbered datagrams and tells what arrived, in order, at which millisecond. */
function flood(weather: Partial<NetworkOptions>): { numbers: number[]; times: number[] } {
  const clock = new VirtualClock(0);
  const network = new Network({ clock, ...weather });
  const to = { address: "10.0.0.2", port: 5060 };
  const numbers: number[] = [];
  const times: number[] = [];
  network.occupy("UDP", to, {
    datagram: (bytes) => {
      numbers.push(Number(decode(bytes)));
      times.push(clock.now());
    },
  });
  for (let i = 0; i < 1000; i++) {
    network.sendDatagram({ address: "10.0.0.1", port: 1 }, to, new TextEncoder().encode(String(i)));
    clock.advance(1);
  }
  clock.advance(1000);
  return { numbers, times };
}

const isSorted = (numbers: number[]) => numbers.every((n, i) => i === 0 || n >= (numbers[i - 1] ?? 0));

test("network: calm weather delivers everything once, in order, after the latency", () => {
  const { numbers, times } = flood({ latency: 7 });
  assert.deepEqual(
    numbers,
    Array.from({ length: 1000 }, (_, i) => i),
  );
  assert.equal(times[0], 7);
});

test("network: loss, duplication and jitter, in about the proportion asked for", () => {
  const lossy = flood({ loss: 0.3 }).numbers;
  assert.ok(lossy.length > 620 && lossy.length < 780 && isSorted(lossy), String(lossy.length));
  const doubled = flood({ duplication: 0.2 }).numbers;
  assert.ok(doubled.length > 1140 && doubled.length < 1260, String(doubled.length));
  const jittery = flood({ jitter: 20 }).numbers;
  assert.equal(jittery.length, 1000);
  assert.ok(!isSorted(jittery));
});

test("network: the same seed gives the same run, another one another", () => {
  const weather = { loss: 0.3, duplication: 0.2, jitter: 20 };
  assert.deepEqual(flood({ ...weather, seed: 5 }), flood({ ...weather, seed: 5 }));
  assert.notDeepEqual(flood({ ...weather, seed: 5 }), flood({ ...weather, seed: 6 }));
});

test("clock: timers in order of time, then of making; canceled ones never; now() is theirs", () => {
  const clock = new VirtualClock(0);
  const calls: string[] = [];
  const note = (name: string) => () => calls.push(`${name} ${clock.now()}`);
  clock.schedule(20, note("c"));
  clock.schedule(10, note("a"));
  const canceled = clock.schedule(10, note("x"));
  clock.schedule(10, () => {
    note("b")();
    clock.schedule(0, note("b2"));
    clock.schedule(10, note("d"));
  });
  canceled.cancel();
  clock.advance(15);
  assert.deepEqual(calls, ["a 10", "b 10", "b2 10"]);
  assert.deepEqual([clock.now(), clock.next], [15, 20]);
  clock.advance(100);
  assert.deepEqual(calls.slice(3), ["c 20", "d 20"]);
  assert.deepEqual([clock.now(), clock.next, clock.step()], [115, Number.POSITIVE_INFINITY, false]);
});

test("clock: run lets promises resolve between timers; runUntil stops at the condition", async () => {
  const clock = new VirtualClock(0);
  const wait = (ms: number) => new Promise<void>((resolve) => clock.schedule(ms, resolve));
  const seen: number[] = [];
  const work = (async () => {
    for (let i = 0; i < 5; i++) {
      await wait(100);
      for (let turn = 0; turn < 5; turn++) await undefined;
      seen.push(clock.now());
    }
  })();
  assert.ok(await clock.runUntil(() => seen.length === 2));
  assert.equal(clock.now(), 200);
  await clock.run(300);
  assert.deepEqual(seen, [100, 200, 300, 400, 500]);
  assert.equal(await clock.runUntil(() => false, 1000), false);
  assert.equal(clock.now(), 1500);
  await work;
});

test("a stack, a wire peer and a bad network: the stack's timers carry it through", async () => {
  const clock = new VirtualClock();
  const network = new Network({ clock, latency: 10, loss: 1, names: { "b.example": ["10.0.0.2"] } });
  const driver = new VirtualDriver(network, "10.0.0.1");
  const stack = new Stack({ sink: driver, clock, random: network.random });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  const peer = new WirePeer(virtualUdpWire(network, { address: "10.0.0.2", port: 5060 }));
  const statuses: number[] = [];
  const draft = draftRequest({
    method: "OPTIONS",
    requestUri: "sip:bob@b.example",
    headers: [
      ["From", "<sip:alice@a.example>;tag=1"],
      ["To", "<sip:bob@b.example>"],
      ["Call-ID", "x"],
      ["CSeq", "1 OPTIONS"],
      ["Max-Forwards", 70],
    ],
  });
  stack.request(draft, {
    user: {
      onResponse: (response) => statuses.push(response.statusCode),
      onFailure: () => statuses.push(0),
    },
  });
  await peer.expectNothing(3000);
  network.weather.loss = 0;
  const { branch } = await peer.expect(`OPTIONS sip:bob@b.example SIP/2.0
    Via: SIP/2.0/UDP 10.0.0.1:5060;{*}branch={branch}`);
  assert.match(branch ?? "", /^z9hG4bK/);
  peer.reply("404 Not Found");
  await clock.run(50);
  assert.deepEqual(statuses, [404]);
});

test("a connection from a stack to a wire server, and its end", async () => {
  const clock = new VirtualClock();
  const network = new Network({ clock });
  const driver = new VirtualDriver(network, "fd00::1");
  const stack = new Stack({ sink: driver, clock, random: network.random });
  driver.attach(stack);
  driver.listen({ transport: "TCP" });
  const server = virtualStreamServer(network, { address: "fd00::2", port: 5060 });
  const failures: string[] = [];
  const draft = draftRequest({
    method: "OPTIONS",
    requestUri: "sip:bob@[fd00::2];transport=tcp",
    headers: [
      ["From", "<sip:alice@a.example>;tag=1"],
      ["To", "<sip:bob@b.example>"],
      ["Call-ID", "x"],
      ["CSeq", "1 OPTIONS"],
    ],
  });
  stack.request(draft, {
    user: { onResponse() {}, onFailure: (failure) => failures.push(failure.kind) },
  });
  const peer = new WirePeer(await server.accept());
  await peer.expect("OPTIONS sip:bob@[fd00::2];transport=tcp SIP/2.0\nVia: SIP/2.0/TCP [fd00::1]:5060;{*}");
  driver.stop();
  assert.equal(await peer.receive(1000), undefined);
  assert.ok(peer.wire.isClosed);
  server.close();
});
