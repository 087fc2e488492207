// DNS against a name server in this process: nothing here asks the network.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TransportError } from "../errors.ts";
import { parseUri } from "../message/index.ts";
import { SeededRandom } from "../testing/index.ts";
import { locate, type Reach, type Target } from "../transport/index.ts";
import { a, aaaa, cname, NameServer, naptr, srv, type Zone } from "./dns.test.kit.ts";
import { type DnsOptions, dnsResolver } from "./dns.ts";

const plain: Reach = { transports: ["UDP", "TCP"], families: [4, 6] };

/** For those who wait for an answer that does not come; all others get theirs, however busy this machine is. */
const impatient: DnsOptions = { timeout: 250 };

/** What the impatient find if this machine stands still while they wait: nothing at first. */
async function inTheEnd(find: () => Promise<string>): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await find();
    } catch (error) {
      if (tries === 20 || !/no answer in time/.test((error as Error).message)) throw error;
    }
  }
}

async function setup(t: TestContext, zone: Zone, options: DnsOptions = {}) {
  const server = await NameServer.open(zone);
  t.after(() => server.close());
  const clock = { at: 1_000_000, now: () => clock.at };
  const resolver = dnsResolver({
    servers: [server.address],
    hostsFile: false,
    timeout: 30_000,
    tries: 1,
    clock,
    random: new SeededRandom(1),
    ...options,
  });
  t.after(() => resolver.close());
  let id = 0;
  const find = async (uri: string, reach = plain) => {
    const location = locate(parseUri(uri));
    assert.equal(location.kind, "query");
    if (location.kind !== "query") return "";
    return text(await resolver.resolve({ id: ++id, ...location.query }, reach));
  };
  return { server, clock, resolver, find };
}

const text = (targets: readonly Target[]) =>
  targets.map(({ transport, address, port }) => `${transport} ${address} ${port}`).join(", ");

const whole: Zone = {
  "NAPTR b.example": [
    naptr("b.example", "20 10 s SIP+D2U _sip._udp.b.example"),
    naptr("b.example", "10 10 s SIP+D2T _sip._tcp.b.example"),
  ],
  "SRV _sip._tcp.b.example": [
    srv("_sip._tcp.b.example", "20 0 5061 s2.b.example"),
    srv("_sip._tcp.b.example", "10 0 5060 s1.b.example"),
  ],
  "A s1.b.example": [a("s1.b.example", "192.0.2.11")],
  "AAAA s1.b.example": [aaaa("s1.b.example", "2001:db8::11")],
  "A s2.b.example": [a("s2.b.example", "192.0.2.12")],
  "AAAA s2.b.example": [],
  "A host.example": [a("host.example", "192.0.2.7")],
};

test("RFC 3263 §4: NAPTR, SRV, A and AAAA on the wire", async (t) => {
  const { server, find } = await setup(t, whole);
  assert.equal(
    await find("sip:b.example"),
    "TCP 192.0.2.11 5060, TCP 2001:db8::11 5060, TCP 192.0.2.12 5061",
  );
  assert.equal(
    server.take(),
    [
      "A s1.b.example, A s2.b.example, AAAA s1.b.example, AAAA s2.b.example",
      "NAPTR b.example, SRV _sip._tcp.b.example",
    ].join(", "),
  );
});

test("RFC 7984 §3.1: only the families that we have are asked for", async (t) => {
  const { server, find } = await setup(t, whole);
  assert.equal(await find("sip:s1.b.example:5060", { ...plain, families: [6] }), "UDP 2001:db8::11 5060");
  assert.equal(server.take(), "AAAA s1.b.example");
});

test("cache: within the time to live nothing is asked again", async (t) => {
  const { server, clock, resolver, find } = await setup(t, {
    ...whole,
    "A short.example": [a("short.example", "192.0.2.8", 20), a("short.example", "192.0.2.9", 30)],
  });
  const ipv4: Reach = { ...plain, families: [4] };
  await find("sip:b.example");
  await find("sip:short.example:5060", ipv4);
  const questions = resolver.counts.misses;
  assert.equal(server.asked.length, questions);
  await Promise.all([find("sip:b.example"), find("sip:b.example"), find("sip:short.example:5060", ipv4)]);
  assert.equal(server.asked.length, questions);
  assert.equal(resolver.counts.misses, questions);
  assert.ok(resolver.counts.hits >= 8);
  server.asked.splice(0);
  clock.at += 20_000;
  await find("sip:short.example:5060", ipv4);
  assert.equal(server.take(), "A short.example");
  // node:dns tells no time to live of NAPTR and SRV: they are kept for a minute.
  clock.at += 40_000;
  await find("sip:b.example", ipv4);
  assert.equal(server.take(), "NAPTR b.example, SRV _sip._tcp.b.example");
  resolver.clear();
  await find("sip:short.example:5060", ipv4);
  assert.equal(server.take(), "A short.example");
});

test("cache: a time to live of 0 is not kept; those who ask at once share the question", async (t) => {
  const { server, resolver, find } = await setup(t, { "A now.example": [a("now.example", "192.0.2.8", 0)] });
  const ask = () => find("sip:now.example:5060", { ...plain, families: [4] });
  assert.deepEqual(new Set(await Promise.all([ask(), ask(), ask()])), new Set(["UDP 192.0.2.8 5060"]));
  assert.equal(server.take(), "A now.example");
  assert.equal(resolver.counts.shared, 2);
  await ask();
  assert.equal(server.take(), "A now.example");
});

test("cache: that there is nothing is remembered for a shorter time", async (t) => {
  const { server, clock, find } = await setup(t, {});
  await assert.rejects(find("sip:gone.example;transport=tcp"), {
    name: "TransportError",
    message:
      "no SIP server found for gone.example (SRV _sip._tcp.gone.example: none; A, AAAA gone.example: none)",
  });
  server.take();
  clock.at += 9_999;
  await assert.rejects(find("sip:gone.example;transport=tcp"));
  assert.equal(server.take(), "");
  server.zone = { "A gone.example": [a("gone.example", "192.0.2.5")] };
  clock.at += 1;
  assert.equal(await find("sip:gone.example;transport=tcp"), "TCP 192.0.2.5 5060");
});

// what comes for SRV, and what the error says if there is no address either
const failures: [reply: Zone[string], error: RegExp][] = [
  ["NXDOMAIN", /SRV _sip\._udp\.b\.example: none/],
  [[], /SRV _sip\._udp\.b\.example: none/],
  ["SERVFAIL", /SRV _sip\._udp\.b\.example: the name server failed \(SERVFAIL\)/],
  ["REFUSED", /SRV _sip\._udp\.b\.example: the name server refuses to answer \(REFUSED\)/],
  ["silence", /SRV _sip\._udp\.b\.example: no answer in time/],
  ["garbage", /SRV _sip\._udp\.b\.example: (the answer is malformed|no answer in time)/],
  ["referral", /SRV _sip\._udp\.b\.example: none/],
];

for (const [reply, error] of failures) {
  const what = typeof reply === "string" ? reply : "no record";
  test(`RFC 3263 §4.2, SRV gets ${what}: the address is tried, the error says why`, async (t) => {
    const isAnswered = reply !== "silence" && reply !== "garbage";
    const zone = { "SRV _sip._udp.b.example": reply };
    const { server, clock, find } = await setup(t, zone, isAnswered ? {} : impatient);
    await assert.rejects(find("sip:b.example;transport=udp"), (failure: TransportError) => {
      assert.match(failure.message, error);
      if (reply !== "garbage") assert.equal(failure.isTimeout, reply === "silence");
      return true;
    });
    server.zone = { ...server.zone, "A b.example": [a("b.example", "192.0.2.1")] };
    const later = () => {
      clock.at += 60_000;
      return find("sip:b.example;transport=udp");
    };
    assert.equal(await (isAnswered ? later() : inTheEnd(later)), "UDP 192.0.2.1 5060");
  });
}

test("RFC 2782: the root as target", async (t) => {
  const { find } = await setup(t, {
    "SRV _sip._udp.b.example": [srv("_sip._udp.b.example", "0 0 0 .")],
    "A b.example": [a("b.example", "192.0.2.1")],
  });
  await assert.rejects(
    find("sip:b.example;transport=udp"),
    /SRV _sip\._udp\.b\.example: the service is not offered/,
  );
});

test("one family fails: the other will do; if that has none, the failure is told", async (t) => {
  const { server, clock, find } = await setup(t, {
    "A b.example": [a("b.example", "192.0.2.1")],
    "AAAA b.example": "SERVFAIL",
  });
  assert.equal(await find("sip:b.example:5060"), "UDP 192.0.2.1 5060");
  server.zone = { ...server.zone, "A b.example": [] };
  clock.at += 3_600_000;
  await assert.rejects(find("sip:b.example:5060"), /A, AAAA b\.example: the name server failed/);
});

test("a CNAME leads to the address, and to SRV records", async (t) => {
  const { find } = await setup(t, {
    "A b.example": [
      cname("b.example", "c.example"),
      cname("c.example", "d.example"),
      a("d.example", "192.0.2.4"),
    ],
    "SRV _sip._tcp.b.example": [
      cname("_sip._tcp.b.example", "_sip._tcp.c.example"),
      srv("_sip._tcp.c.example", "0 0 5070 b.example"),
    ],
  });
  assert.equal(await find("sip:b.example:5060"), "UDP 192.0.2.4 5060");
  assert.equal(await find("sip:b.example;transport=tcp"), "TCP 192.0.2.4 5070");
});

test("RFC 5966: a truncated answer is asked for again over TCP", async (t) => {
  const name = "_sip._udp.b.example";
  const servers = Array.from({ length: 8 }, (_, i) => srv(name, `${i} 0 506${i} s1.b.example`));
  const { server, find } = await setup(t, { ...whole, [`SRV ${name}`]: { truncated: servers } });
  const found = await find("sip:b.example;transport=udp", { ...plain, families: [4] });
  assert.equal(found.split(", ").length, 8);
  assert.match(server.take(), /tcp SRV _sip\._udp\.b\.example/);
});

test("a second name server answers where the first is silent", async (t) => {
  const silent = await NameServer.open({ "A host.example": "silence", "AAAA host.example": "silence" });
  t.after(() => silent.close());
  const second = await NameServer.open(whole);
  t.after(() => second.close());
  const { clock, find } = await setup(t, {}, { ...impatient, servers: [silent.address, second.address] });
  const found = await inTheEnd(() => {
    clock.at += 60_000;
    return find("sip:host.example:5060", { ...plain, families: [4] });
  });
  assert.equal(found, "UDP 192.0.2.7 5060");
});

test("the hosts file goes before DNS, for services too", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "offhook-hosts-"));
  t.after(() => rm(folder, { recursive: true }));
  const hostsFile = join(folder, "hosts");
  await writeFile(
    hostsFile,
    "127.0.0.1 localhost # and more\n10.0.0.5\tB.example b\r\n::5 b.example\nnonsense\n",
  );
  const { server, find } = await setup(t, whole, { hostsFile });
  assert.equal(await find("sip:b.example"), "UDP 10.0.0.5 5060, UDP ::5 5060");
  assert.equal(await find("sip:b"), "UDP 10.0.0.5 5060");
  assert.equal(await find("sip:localhost:5070"), "UDP 127.0.0.1 5070");
  assert.equal(server.take(), "");
});

test("RFC 6761 §6.3, §6.4: localhost and invalid never go to DNS", async (t) => {
  const { server, find } = await setup(t, {});
  assert.equal(await find("sip:localhost"), "UDP 127.0.0.1 5060, UDP ::1 5060");
  assert.equal(await find("sip:a.localhost"), "UDP 127.0.0.1 5060, UDP ::1 5060");
  await assert.rejects(find("sip:x.invalid"), /no name of any host/);
  assert.equal(server.take(), "");
});

test("close: questions under way fail at once", async (t) => {
  const { resolver, find } = await setup(t, { "A b.example": "silence" });
  const asked = assert.rejects(find("sip:b.example:5060", { ...plain, families: [4] }), /given up/);
  await new Promise((resolve) => setImmediate(resolve));
  resolver.close();
  await asked;
});

test("servers: addresses only", () => {
  assert.throws(() => dnsResolver({ servers: ["ns.example"] }), { name: "ArgumentError" });
  dnsResolver({ servers: ["192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", "2001:db8::1"] }).close();
});
