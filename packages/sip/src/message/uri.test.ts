// URIs: reading, printing, comparing, canonical addresses-of-record.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ParseError } from "../errors.ts";
import {
  aorOf,
  equalUri,
  isSipUri,
  isTelUri,
  parseMessage,
  parseUri,
  printUri,
  type SipUri,
} from "./index.ts";

const none = new Map<string, string>();

// section, text, parts that differ from an empty URI with that host
const readable: [string, string, Partial<SipUri>][] = [
  ["§19.1.3", "sip:alice@atlanta.com", { user: "alice", host: "atlanta.com" }],
  [
    "§19.1.3",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    { user: "alice", password: "secretword", host: "atlanta.com", params: new Map([["transport", "tcp"]]) },
  ],
  [
    "§19.1.3",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    {
      scheme: "sips",
      user: "alice",
      host: "atlanta.com",
      headers: new Map([
        ["subject", "project x"],
        ["priority", "urgent"],
      ]),
    },
  ],
  [
    "§19.1.3",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    { user: "+1-212-555-1212", password: "1234", host: "gateway.com", params: new Map([["user", "phone"]]) },
  ],
  ["§19.1.3", "sip:alice@192.0.2.4", { user: "alice", host: "192.0.2.4" }],
  [
    "§19.1.3",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    {
      host: "atlanta.com",
      params: new Map([["method", "REGISTER"]]),
      headers: new Map([["to", "alice@atlanta.com"]]),
    },
  ],
  ["§19.1.3", "sip:alice;day=tuesday@atlanta.com", { user: "alice;day=tuesday", host: "atlanta.com" }],
  [
    "§19.1.1",
    "SIP:Alice@ATLANTA.com;LR",
    { user: "Alice", host: "atlanta.com", params: new Map([["lr", ""]]) },
  ],
  ["§19.1.1", "sip:[2001:DB8::9:1]:5062", { host: "2001:db8::9:1", port: 5062 }],
  ["§19.1.1", "sip:a%40b@c", { user: "a@b", host: "c" }],
  ["§19.1.1", "sip:%e5%a4%a7@c", { user: "大", host: "c" }],
  ["§19.1.1", "sip:%ff%00@c", { user: "\udcff\u0000", host: "c" }],
  ["§25.1, empty password", "sip:a:@c", { user: "a", password: "", host: "c" }],
  ["§25.1, name ends in a dot", "sip:a@example.com.", { user: "a", host: "example.com." }],
  ["lenient, feature code", "sip:*67#@pbx_1", { user: "*67#", host: "pbx_1" }],
  ["shortest", "sip:a", { host: "a" }],
];
for (const [section, text, parts] of readable) {
  test(`${section}, ${text}, is read`, () => {
    const uri = parseUri(text) as SipUri;
    assert.deepEqual(
      { ...uri, params: new Map(uri.params), headers: new Map(uri.headers) },
      {
        scheme: "sip",
        user: undefined,
        password: undefined,
        port: undefined,
        params: none,
        headers: none,
        ...parts,
      },
    );
    assert.ok(equalUri(parseUri(printUri(uri)), uri), `printed as ${printUri(uri)}`);
  });
}

// section, text
const refused: [string, string][] = [
  ["no scheme", "alice@atlanta.com"],
  ["nothing", ""],
  ["no host", "sip:"],
  ["no host after @", "sip:alice@"],
  ["empty user", "sip:@atlanta.com"],
  ["two @", "sip:a@b@c"],
  ["space", "sip:alice @atlanta.com"],
  ["space at the start", " sip:alice@atlanta.com"],
  ["bare %", "sip:a%@b"],
  ["half an escape", "sip:a%4@b"],
  ["escape in the host", "sip:a@%62"],
  ["port without digits", "sip:a@b:"],
  ["port of letters", "sip:a@b:x"],
  ["port above 65535", "sip:a@b:65536"],
  ["RFC 5118 §4.2, IPv6 without brackets", "sip:2001:db8::10"],
  ["IPv6 of nine groups", "sip:[1:2:3:4:5:6:7:8:9]"],
  ["IPv6 with two ::", "sip:[1::2::3]"],
  ["IPv6 with five digits", "sip:[12345::]"],
  ["IPv6 that ends with a colon", "sip:[1:2:3:4:5:6:7:]"],
  ["IPv6 with a bad IPv4 tail", "sip:[::1.2.3]"],
  ["IPv6 without end", "sip:[::1"],
  ["empty brackets", "sip:[]"],
  ["IPv4 of three numbers", "sip:a@1.2.3"],
  ["IPv4 with a number above 255", "sip:a@1.2.3.256"],
  ["empty label", "sip:a@b..c"],
  ["only a dot", "sip:a@."],
  ["hyphen at the end", "sip:a@b-"],
  ["parameter without name", "sip:a@b;"],
  ["parameter without name", "sip:a@b;=x"],
  ["header without value", "sip:a@b?x"],
  ["quote", 'sip:a"b@c'],
  ["angle bracket", "sip:a@b>"],
  ["line break", "sip:a@b\r\n"],
  ["raw UTF-8", "sip:大@b"],
  ["tel without digits", "tel:"],
  ["tel with letters", "tel:+1xyz"],
  ["nothing after the scheme", "urn:"],
];
for (const [what, text] of refused) {
  test(`§25.1, ${what} (${JSON.stringify(text)}), is refused`, () => {
    assert.throws(() => parseUri(text), ParseError);
  });
}

test("RFC 5118 §4.10, a third colon before an IPv4 tail, is read and not printed", () => {
  const uri = parseUri("sip:u@[2001:db8:::192.0.2.1]") as SipUri;
  assert.equal(uri.host, "2001:db8::192.0.2.1");
  assert.equal(printUri(uri), "sip:u@[2001:db8::192.0.2.1]");
});

for (const params of [
  ";lr",
  ";transport=tcp;lr",
  ";Transport=TCP;LR;x-Y_z=1",
  ";lr=;lr=on;lrx;xlr=2",
  ";lr2=a;lr",
  ";l%72;tr%61nsport=u%64p",
  ";maddr=[2001:db8::1];ttl=1;lr",
  ";transport;transport=udp",
]) {
  test(`§19.1.1, parameters ${params}: one that is asked for is what the map of all has`, () => {
    const uri = parseUri(`sip:host${params}`) as SipUri;
    const all = new Map((parseUri(`sip:host${params}`) as SipUri).params);
    for (const name of ["lr", "lr2", "lrx", "xlr", "r", "transport", "maddr", "ttl", "x-y_z", "tcp", ""]) {
      assert.equal(uri.params.get(name), all.get(name), name);
      assert.equal(uri.params.has(name), all.has(name), name);
    }
    assert.deepEqual([...uri.params], [...all]);
    assert.equal(uri.params.size, all.size);
  });
}

test("RFC 3966 §3, tel: URIs, are read and printed", () => {
  const uri = parseUri("tel:7042;phone-context=example.com;ext=3");
  assert.ok(isTelUri(uri));
  assert.equal(uri.number, "7042");
  assert.equal(uri.params.get("phone-context"), "example.com");
  assert.equal(printUri(uri), "tel:7042;phone-context=example.com;ext=3");
});

test("§19.1, URIs of other schemes, keep their text", () => {
  const uri = parseUri("URN:service:sos.police");
  assert.equal(uri.scheme, "urn");
  assert.ok(!isSipUri(uri) && !isTelUri(uri));
  assert.equal(printUri(uri), "URN:service:sos.police");
});

// The sets of §19.1.4.
const equal: string[][] = [
  ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
  ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"],
  [
    "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
    "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
  ],
  [
    "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
  ],
  ["sip:carol@chicago.com", "sip:carol@chicago.com;security=off"],
  // RFC 5954 §4.2.
  ["sip:bob@[::ffff:192.0.2.128]", "sip:bob@[::ffff:c000:280]"],
  ["sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:01]"],
  ["sip:bob@[0:0:0:0:0:FFFF:129.144.52.38]", "sip:bob@[::FFFF:129.144.52.38]"],
  ["tel:+1-201-555-0123", "tel:+12015550123"],
  ["tel:+1(201)5550123;ext=4-2", "TEL:+12015550123;EXT=42"],
  ["urn:service:sos", "URN:service:sos"],
];
const different: string[][] = [
  ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
  ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
  ["sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
  ["sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:10]"],
  ["sip:bob@[::ffff:192.0.2.128]", "sip:bob@192.0.2.128"],
  ["sip:a@b", "sips:a@b"],
  ["sip:a@b", "sip:a:@b"],
  ["sip:a@b", "sip:b"],
  ["sip:a@b;maddr=192.0.2.1", "sip:a@b"],
  ["sip:a@b;user=phone", "sip:a@b"],
  ["sip:a@b;ttl=15", "sip:a@b"],
  ["sip:a%3Bb@c", "sip:a%2Cb@c"],
  ["tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example"],
  ["tel:7042", "sip:7042@a"],
  ["urn:service:sos", "urn:service:SOS"],
];
for (const [a, b] of equal) {
  test(`§19.1.4, ${a} and ${b}, are equal`, () => {
    assert.ok(equalUri(parseUri(a!), parseUri(b!)));
    assert.ok(equalUri(parseUri(b!), parseUri(a!)));
  });
}
for (const [a, b] of different) {
  test(`§19.1.4, ${a} and ${b}, are different`, () => {
    assert.ok(!equalUri(parseUri(a!), parseUri(b!)));
    assert.ok(!equalUri(parseUri(b!), parseUri(a!)));
  });
}

// From or To, and whether its address-of-record stands there as it is
const written: [string, boolean][] = [
  ["<sip:alice@atlanta.com>", true],
  ["sip:alice@atlanta.com;tag=1", true],
  ['"A" <sip:+1-212;x=(y)@gateway.com:5070;user=phone>', true],
  ["<sip:192.0.2.4;lr>", true],
  ["<sip:192.0.2.4:5060;lr>", true],
  ["<sip:alice@Atlanta.com>", false],
  ["<SIP:alice@atlanta.com>", false],
  ["<sips:alice@atlanta.com>", false],
  ["<sip:alice:secret@atlanta.com>", false],
  ["<sip:al%69ce@atlanta.com>", false],
  ["<sip:*21#@atlanta.com>", false],
  ["<sip:alice@[2001:DB8::1]>", false],
  ["<sip:alice@[2001:db8::1]>", false],
  ["<tel:+1-212>", false],
];
for (const [field, isWritten] of written) {
  test(`an address-of-record ${isWritten ? "stands in" : "is worked out from"} ${field}`, () => {
    const message = parseMessage(
      new TextEncoder().encode(
        [
          "INVITE sip:b@example.com SIP/2.0",
          "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
          `From: ${field}${field.includes("tag") ? "" : ";tag=1"}`,
          `To: ${field.replace(";tag=1", "")}`,
          "Call-ID: 1",
          "CSeq: 1 INVITE",
          "",
          "",
        ].join("\r\n"),
      ),
    );
    const aor = isWritten ? aorOf(message.from.uri) : undefined;
    assert.deepEqual([message.writtenFromAor, message.writtenToAor], [aor, aor]);
  });
}

test("§10.3 step 5, the address-of-record, has no parameters, escapes or port", () => {
  assert.equal(
    aorOf(parseUri("SIPS:%61lice:pw@EXAMPLE.com:5061;transport=tcp?x=y")),
    "sip:alice@example.com",
  );
  assert.equal(aorOf(parseUri("sip:example.com")), "sip:example.com");
  assert.equal(aorOf(parseUri("sip:a%20b@[2001:DB8::1]")), "sip:a%20b@[2001:db8::1]");
  assert.equal(aorOf(parseUri("tel:+1-201-555-0123;ext=1")), "tel:+12015550123");
});
