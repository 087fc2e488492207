import assert from "node:assert/strict";
import { test } from "node:test";
import { TransportError } from "../errors.ts";
import { parseUri } from "../message/index.ts";
import { SeededRandom } from "../testing/index.ts";
import { locate } from "./locate.ts";
import { type LocatorLimits, type NameRecords, ServerLocator } from "./server-locator.ts";
import type { Reach } from "./transport.ts";

/** "TYPE name" → records as in a zone file, or an error for "SERVFAIL". */
type Zone = Readonly<Record<string, readonly string[] | "SERVFAIL">>;

class ZoneRecords implements NameRecords {
  readonly asked: string[] = [];
  readonly #zone: Zone;

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  async naptr(name: string) {
    return this.#lookup("NAPTR", name).map((line) => {
      const [order, preference, flags = "", service = "", regexp = "", replacement = ""] = line.split(" ");
      const plain = (text: string) => (text === "-" ? "" : text);
      return {
        order: Number(order),
        preference: Number(preference),
        flags: plain(flags),
        service,
        regexp: plain(regexp),
        replacement,
      };
    });
  }

  async srv(name: string) {
    return this.#lookup("SRV", name).map((line) => {
      const [priority, weight, port, target = ""] = line.split(" ");
      return { priority: Number(priority), weight: Number(weight), port: Number(port), target };
    });
  }

  async addresses(name: string) {
    return [...this.#lookup("A", name)];
  }

  #lookup(type: string, name: string): readonly string[] {
    this.asked.push(`${type} ${name}`);
    const records = this.#zone[`${type} ${name}`] ?? [];
    if (records === "SERVFAIL") throw new Error("SERVFAIL");
    return records;
  }
}

const all: Reach = { transports: ["UDP", "TCP", "TLS", "WS", "WSS"], families: [6, 4] };
const plain: Reach = { transports: ["UDP", "TCP"], families: [6, 4] };
const streams: Reach = { transports: ["TCP"], families: [6, 4] };
const ipv4: Reach = { transports: ["UDP", "TCP"], families: [4] };
const ipv6: Reach = { transports: ["UDP", "TCP"], families: [6] };

const hosts: Zone = {
  "A b.example": ["192.0.2.1"],
  "A s1.b.example": ["192.0.2.11"],
  "A s2.b.example": ["192.0.2.12"],
  "A s3.b.example": ["192.0.2.13"],
};
/** The records of §4.1's example. */
const example: Zone = {
  ...hosts,
  "NAPTR b.example": [
    "100 50 s SIP+D2U - _sip._udp.b.example",
    "50 50 s SIPS+D2T - _sips._tcp.b.example.",
    "90 50 S sip+d2t - _sip._tcp.b.example",
  ],
  "SRV _sips._tcp.b.example": ["0 1 5061 s1.b.example"],
  "SRV _sip._tcp.b.example": ["0 1 5060 s2.b.example."],
  "SRV _sip._udp.b.example": ["0 1 5062 S3.b.example"],
};
const srvOnly: Zone = { ...example, "NAPTR b.example": [] };
const dual: Zone = {
  "A b.example": ["2001:db8::1", "192.0.2.1", "2001:DB8:0::2", "192.0.2.2"],
};
const srvs = (...records: string[]): Zone => ({ ...hosts, "SRV _sip._udp.b.example": records });

// section, case                  URI                    reach   zone    targets, or "error: …"
const rows: [title: string, uri: string, reach: Reach, zone: Zone, expected: string][] = [
  ["§4.1, NAPTR, TLS known: the first order", "sip:b.example", all, example, "TLS 192.0.2.11 5061"],
  ["§4.1, NAPTR, TLS not known: the next order", "sip:b.example", plain, example, "TCP 192.0.2.12 5060"],
  ["§4.1, NAPTR, sips: only SIPS services", "sips:b.example", all, example, "TLS 192.0.2.11 5061"],
  [
    "§4.1, NAPTR, sips: SIP services do not count, _sips SRV does",
    "sips:b.example",
    all,
    { ...example, "NAPTR b.example": ["10 10 s SIP+D2T - _sip._tcp.b.example"] },
    "TLS 192.0.2.11 5061",
  ],
  [
    "RFC 3403 §4.1, equal order: all, by preference",
    "sip:b.example",
    plain,
    {
      ...example,
      "NAPTR b.example": [
        "10 20 s SIP+D2U - _sip._udp.b.example",
        "10 10 s SIP+D2T - _sip._tcp.b.example",
        "11 0 s SIP+D2T - _sip._tcp.other.example",
      ],
      "SRV _sip._tcp.other.example": ["0 0 5060 s1.b.example"],
    },
    "TCP 192.0.2.12 5060, UDP 192.0.2.13 5062",
  ],
  [
    "§4.1, replacement in another domain",
    "sip:b.example",
    plain,
    {
      ...hosts,
      "NAPTR b.example": ["10 10 s SIP+D2U - _sip._udp.school.example"],
      "SRV _sip._udp.school.example": ["0 0 5080 s1.b.example"],
    },
    "UDP 192.0.2.11 5080",
  ],
  [
    "§4.1, services of others, rewriting and non-terminal records are left out",
    "sip:b.example",
    plain,
    {
      ...example,
      "NAPTR b.example": [
        "1 1 u E2U+sip !^.*$!sip:x@y! .",
        "2 1 s SIP+D2S - _sip._sctp.b.example",
        "3 1 s SIP+D2T !a!b! _sip._tcp.b.example",
        "4 1 - SIP+D2T - other.example",
        "5 1 s SIP+D2T - .",
        "6 1 s SIP+D2U - _sip._udp.b.example",
      ],
    },
    "UDP 192.0.2.13 5062",
  ],
  [
    "RFC 3403 §4.1, flag a: addresses at the default port",
    "sip:b.example",
    all,
    { ...hosts, "NAPTR b.example": ["10 10 a SIPS+D2T - s1.b.example"] },
    "TLS 192.0.2.11 5061",
  ],
  [
    "RFC 7118 §10.2, WebSocket services",
    "sips:b.example",
    all,
    {
      ...hosts,
      "NAPTR b.example": ["10 10 s SIP+D2W - _sip._ws.b.example", "20 10 s SIPS+D2W - _sips._ws.b.example"],
      "SRV _sip._ws.b.example": ["0 0 80 s1.b.example"],
      "SRV _sips._ws.b.example": ["0 0 443 s2.b.example"],
    },
    "WSS 192.0.2.12 443",
  ],
  [
    "§4.1, NAPTR leads nowhere: the next order",
    "sip:b.example",
    plain,
    { ...example, "SRV _sip._tcp.b.example": [] },
    "UDP 192.0.2.13 5062",
  ],
  [
    "§4.1, no NAPTR: SRV of each transport, all found are used",
    "sip:b.example",
    plain,
    srvOnly,
    "UDP 192.0.2.13 5062, TCP 192.0.2.12 5060",
  ],
  [
    "§4.2, no NAPTR, TLS known: it comes last for sip",
    "sip:b.example",
    all,
    srvOnly,
    "UDP 192.0.2.13 5062, TCP 192.0.2.12 5060, TLS 192.0.2.11 5061",
  ],
  ["§4.1, no NAPTR, sips: _sips only", "sips:b.example", all, srvOnly, "TLS 192.0.2.11 5061"],
  ["§4.1, no NAPTR: only what we speak", "sip:b.example", streams, srvOnly, "TCP 192.0.2.12 5060"],
  ["§4.1, no NAPTR, no SRV: UDP for sip", "sip:b.example", all, hosts, "UDP 192.0.2.1 5060"],
  ["§4.1, no NAPTR, no SRV: TLS for sips", "sips:b.example", all, hosts, "TLS 192.0.2.1 5061"],
  ["§4.1, nothing but addresses, we without UDP: TCP", "sip:b.example", streams, hosts, "TCP 192.0.2.1 5060"],
  ["§4.2, port: no SRV", "sip:b.example:5099", all, example, "UDP 192.0.2.1 5099"],
  ["§4.2, port 5060 written out: no SRV", "sip:b.example:5060", all, example, "UDP 192.0.2.1 5060"],
  ["§4.2, port, sips: TLS", "sips:b.example:5099", all, example, "TLS 192.0.2.1 5099"],
  ["§4.2, port and transport", "sip:b.example:5099;transport=tcp", all, example, "TCP 192.0.2.1 5099"],
  ["§4.1, transport: no NAPTR, its SRV", "sip:b.example;transport=udp", all, example, "UDP 192.0.2.13 5062"],
  ["§4.2, transport with sips: _sips", "sips:b.example;transport=tcp", all, example, "TLS 192.0.2.11 5061"],
  ["§4.2, TLS wished for: _sips", "sip:b.example;transport=tls", all, example, "TLS 192.0.2.11 5061"],
  ["§4.2, transport, no SRV: addresses", "sip:b.example;transport=tcp", all, hosts, "TCP 192.0.2.1 5060"],
  ["RFC 7118 §5.4, transport=ws", "sip:b.example;transport=ws", all, hosts, "WS 192.0.2.1 80"],
  ["§4, maddr is the target", "sip:b.example;maddr=s1.b.example", all, hosts, "UDP 192.0.2.11 5060"],
  [
    "RFC 2782, priorities",
    "sip:b.example",
    plain,
    srvs("20 0 5062 s2.b.example", "10 0 5061 s1.b.example", "30 0 5063 s3.b.example"),
    "UDP 192.0.2.11 5061, UDP 192.0.2.12 5062, UDP 192.0.2.13 5063",
  ],
  [
    "RFC 2782, target that is an address: taken",
    "sip:b.example",
    plain,
    srvs("0 0 5070 192.0.2.99"),
    "UDP 192.0.2.99 5070",
  ],
  [
    "RFC 2782, the root as target of one transport: the other",
    "sip:b.example",
    plain,
    { ...srvs("0 0 0 ."), "SRV _sip._tcp.b.example": ["0 0 5060 s1.b.example"] },
    "TCP 192.0.2.11 5060",
  ],
  [
    "RFC 2782, the root as target: not by the address either",
    "sip:b.example",
    plain,
    srvs("0 0 0 ."),
    "error: SRV _sip._udp.b.example: the service is not offered",
  ],
  [
    "RFC 2782, the root as target of TCP says nothing of UDP",
    "sip:b.example",
    plain,
    { ...hosts, "SRV _sip._tcp.b.example": ["0 0 0 ."] },
    "UDP 192.0.2.1 5060",
  ],
  [
    "§4.2, servers without addresses: no way round them",
    "sip:b.example",
    plain,
    srvs("0 0 5060 gone.example"),
    "error: A, AAAA gone.example: none",
  ],
  [
    "§4.3, one of two servers without address: the other",
    "sip:b.example",
    plain,
    srvs("0 0 5060 gone.example", "1 0 5060 s2.b.example"),
    "UDP 192.0.2.12 5060",
  ],
  [
    "RFC 7984 §3.1, both families",
    "sip:b.example:5060",
    plain,
    dual,
    "UDP 2001:db8::1 5060, UDP 192.0.2.1 5060, UDP 2001:db8::2 5060, UDP 192.0.2.2 5060",
  ],
  [
    "RFC 7984 §3.1, only IPv4 here",
    "sip:b.example:5060",
    ipv4,
    dual,
    "UDP 192.0.2.1 5060, UDP 192.0.2.2 5060",
  ],
  [
    "RFC 7984 §3.1, only IPv6 here",
    "sip:b.example:5060",
    ipv6,
    dual,
    "UDP 2001:db8::1 5060, UDP 2001:db8::2 5060",
  ],
  [
    "RFC 7984 §4, the order of servers before that of addresses",
    "sip:b.example",
    plain,
    {
      "SRV _sip._udp.b.example": ["10 1 5060 s1.b.example", "20 1 5060 s2.b.example"],
      "A s1.b.example": ["2001:db8::1", "192.0.2.1"],
      "A s2.b.example": ["2001:db8::2", "192.0.2.2"],
    },
    "UDP 2001:db8::1 5060, UDP 192.0.2.1 5060, UDP 2001:db8::2 5060, UDP 192.0.2.2 5060",
  ],
  [
    "two servers with one address: one target",
    "sip:b.example",
    plain,
    { ...srvs("0 0 5060 s1.b.example", "1 0 5060 alias.example"), "A alias.example": ["192.0.2.11"] },
    "UDP 192.0.2.11 5060",
  ],
  [
    "NAPTR cannot be asked: SRV",
    "sip:b.example",
    plain,
    { ...srvOnly, "NAPTR b.example": "SERVFAIL" },
    "UDP 192.0.2.13 5062, TCP 192.0.2.12 5060",
  ],
  [
    "SRV cannot be asked: addresses",
    "sip:b.example",
    plain,
    { ...hosts, "SRV _sip._udp.b.example": "SERVFAIL" },
    "UDP 192.0.2.1 5060",
  ],
  [
    "nothing there: the error names each question",
    "sip:gone.example",
    plain,
    { "NAPTR gone.example": "SERVFAIL" },
    "error: NAPTR gone.example: SERVFAIL; SRV _sip._udp.gone.example: none; SRV _sip._tcp.gone.example: none; A, AAAA gone.example: none",
  ],
];

function find(
  uri: string,
  reach: Reach,
  records: NameRecords,
  limits: Partial<LocatorLimits> = {},
  isStateless = false,
) {
  const location = locate(parseUri(uri));
  assert.equal(location.kind, "query");
  if (location.kind !== "query") throw new Error("not a name");
  const locator = new ServerLocator({ records, random: new SeededRandom(3263), limits });
  return locator.resolve({ id: 1, ...location.query, isStateless }, reach);
}

const text = (targets: Awaited<ReturnType<typeof find>>) =>
  targets.map(({ transport, address, port }) => `${transport} ${address} ${port}`).join(", ");

for (const [title, uri, reach, zone, expected] of rows) {
  test(`locate server: ${title}`, async () => {
    const found = await find(uri, reach, new ZoneRecords(zone)).catch((error: unknown) => {
      assert.ok(error instanceof TransportError);
      return error;
    });
    if (expected.startsWith("error: ")) {
      assert.ok(found instanceof Error);
      assert.ok(found.message.includes(expected.slice(7)), found.message);
    } else {
      assert.ok(!(found instanceof Error), String(found));
      assert.equal(text(found), expected);
    }
  });
}

// what is asked for, and nothing more
const questions: [title: string, uri: string, asked: string][] = [
  ["port", "sip:b.example:5060", "A b.example"],
  ["transport", "sip:b.example;transport=udp", "SRV _sip._udp.b.example, A s3.b.example"],
  ["NAPTR", "sip:b.example", "NAPTR b.example, SRV _sips._tcp.b.example, A s1.b.example"],
  ["a name without dots", "sip:pbx", "A pbx"],
  ["localhost (RFC 6761 §6.3)", "sip:localhost", "A localhost"],
  ["RFC 6761 §6.4, .invalid: nothing", "sip:df7jal23ls0d.invalid", ""],
];

for (const [title, uri, asked] of questions) {
  test(`locate server, questions asked: ${title}`, async () => {
    const records = new ZoneRecords(example);
    await find(uri, all, records).catch(() => {});
    assert.equal(records.asked.join(", "), asked);
  });
}

test("RFC 5922 §4: certificates are checked against the domain, not the server's name", async () => {
  const targets = await find("sip:b.example", all, new ZoneRecords(example));
  assert.deepEqual(
    targets.map(({ hostName }) => hostName),
    ["b.example"],
  );
});

test("bounds: look-ups, servers and targets of one query", async () => {
  const many = Array.from({ length: 200 }, (_, i) => i);
  const zone: Zone = {
    "SRV _sip._udp.b.example": many.map((i) => `${i} 0 5060 s${i}.example`),
    ...Object.fromEntries(many.map((i) => [`A s${i}.example`, many.map((j) => `10.0.${i}.${j}`)])),
    "NAPTR flood.example": many.map((i) => `1 ${i} s SIP+D2U - _sip._udp.n${i}.example`),
  };
  const records = new ZoneRecords(zone);
  const targets = await find("sip:b.example", plain, records);
  assert.equal(targets.length, 16);
  assert.equal(records.asked.length, 3 + 8);
  const flood = new ZoneRecords(zone);
  await assert.rejects(find("sip:flood.example", plain, flood), /too many look-ups/);
  assert.ok(flood.asked.length <= 32);
  assert.equal((await find("sip:b.example", plain, new ZoneRecords(zone), { targets: 3 })).length, 3);
});

test("§4.4: whoever keeps no state gets the same order each time", async () => {
  const zone = srvs("0 5 5060 s1.b.example", "0 6 5060 s2.b.example", "0 5 5060 s3.b.example");
  const orders = new Set<string>();
  for (let i = 0; i < 20; i++)
    orders.add(text(await find("sip:b.example", plain, new ZoneRecords(zone), {}, true)));
  assert.deepEqual([...orders], ["UDP 192.0.2.12 5060, UDP 192.0.2.11 5060, UDP 192.0.2.13 5060"]);
});
