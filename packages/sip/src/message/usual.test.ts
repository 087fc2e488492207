// What is taken as written as usual is what the grammar takes, with the same parts; and whole messages mean the same
// however their core fields are written.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ParseError } from "../errors.ts";
import { newCSeqParts, scanCSeq } from "./header/cseq.ts";
import { newViaParts, scanVia } from "./header/via.ts";
import { headerEntries, headerIdAt, nameSpellings } from "./header-table.ts";
import { type HostParts, hostOf } from "./host.ts";
import { parseMessage } from "./index.ts";
import { noLimits } from "./limits.ts";
import { AS_IT_IS, newNameAddrParts, scanNameAddr } from "./name-addr.ts";
import { random } from "./random.test.kit.ts";
import { newUriParts, scanUri } from "./uri.ts";
import { scanUsualCSeq, scanUsualFromTo, scanUsualUri, scanUsualVia } from "./usual.ts";
import { fillWindow, findControl, findInvisible, spanAt } from "./window.ts";

const encode = (text: string) => new TextEncoder().encode(text);

type Pick = (below: number) => number;
const one = (pick: Pick, texts: readonly string[]): string => texts[pick(texts.length)]!;
/** What most write, and now and then something else. */
const mostly = (pick: Pick, usual: readonly string[], odd: readonly string[]): string =>
  one(pick, pick(12) > 0 ? usual : odd);

const hosts = ["a.example.com", "192.0.2.1", "b", "x-1.example.", "_a.b"];
const oddHosts = ["B.com", "1.2.3", "1.2.3.4.5", "-a", "a-", "a..b", ".a", "[::1]", "256.1.1.1", "", "9"];
const ports = ["", ":5060", ":0", ":65535"];
const oddPorts = [":65536", ":", ":050600", ":5a", " : 5060"];
const hostPort = (pick: Pick): string => mostly(pick, hosts, oddHosts) + mostly(pick, ports, oddPorts);

const users = ["", "alice@", "+1-212;x=(y)@", "a;b?c@", "#31#@"];
const oddUsers = ["al%69ce@", "al%6@", "a:b@", "5060:5060@", "@", "a b@", "b:5@"];
const uriParams = ["", ";lr", ";transport=udp;lr", ";a=b=c", ";a[1]=/"];
const oddUriParams = [";a=%41", ";", ";=a", ";a;;b", "?subject=x", ";ä"];

function uri(pick: Pick): string {
  const scheme = mostly(pick, ["sip:"], ["sips:", "SIP:", "tel:", "sip"]);
  return scheme + mostly(pick, users, oddUsers) + hostPort(pick) + mostly(pick, uriParams, oddUriParams);
}

const names = ["", "Alice ", '"Alice" ', '"Alice"', '"Zoë" ', "Zoë ", '"" '];
const oddNames = ["Alice", '"A\\"B" ', "A B ", '"A" B ', '"A', '"A\tB" ', " ", "é\t"];
const fromToParams = ["", ";tag=1928301774", ";tag=[::1]", ";tag=a=b"];
const oddFromToParams = [
  ";TAG=1",
  ";tag=",
  ";tag",
  ';tag="1"',
  ";tag=a;tag=b",
  ";x;tag=a",
  " ;tag=a",
  ";tag=a ",
  ";tag=a,",
];

function fromTo(pick: Pick): string {
  const written = uri(pick);
  const address = mostly(pick, [`<${written}>`], [written, `<${written}`, `< ${written}>`, `<${written}> `]);
  return mostly(pick, names, oddNames) + address + mostly(pick, fromToParams, oddFromToParams);
}

const protocols = ["SIP/2.0/UDP ", "SIP/2.0/TLS-SCTP ", "SIP/2.0/udp "];
const oddProtocols = [
  "sip/2.0/UDP ",
  "SIP/2.0/ ",
  "SIP/2.0/UDP",
  "SIP/2.0/UDP  ",
  "SIP / 2.0 / UDP ",
  "SIP/2.1/UDP ",
];
const viaParams = [";branch=z9hG4bK776asdhds", ";rport", ";rport=5060", ";received=192.0.2.9"];
const oddViaParams = [
  ...[
    ";rport=65536",
    ";rport=",
    ";received=::1",
    ";received=a",
    ";received=1.2.3",
    ";Branch=z",
    ";branch=",
    ";branch",
  ],
  ...[';branch="a"', ";rportal=1", ";branches=1", ";ttl=5", ";maddr=a", ";alias", ";", " ;rport", ";rport "],
  ...[",SIP/2.0/UDP b", ";branch=z9hG4bK", ";received=192.0.2.9:1"],
];

function via(pick: Pick): string {
  let params = "";
  for (let count = pick(4); count > 0; count--) params += mostly(pick, viaParams, oddViaParams);
  return mostly(pick, protocols, oddProtocols) + hostPort(pick) + params;
}

function cSeq(pick: Pick): string {
  const number = mostly(pick, ["1", "999999999", "007"], ["4294967295", "4294967296", "", "a", "-1"]);
  const method = mostly(pick, ["INVITE"], ["ACK", "REGISTER", "invite", "FOO", "", "IN VITE", "INVITE "]);
  return number + mostly(pick, [" "], ["  ", "\t", ""]) + method;
}

const callIds = ["a@b", "843817637684230@998sdasdh09", "x"];
const oddCallIds = ["a b", "", "é", "a\tb", "\x7f"];

// what, a maker of values, both readings of one: parts, or undefined if it is not for that reading
type Reading = (bytes: Uint8Array, start: number, end: number) => unknown;
const readings: [string, (pick: Pick) => string, Reading, Reading][] = [
  [
    "Via",
    via,
    (_, start, end) => {
      const parts = newViaParts();
      return scanUsualVia(start, parts) === end ? parts : undefined;
    },
    (bytes, start, end) => {
      const parts = newViaParts();
      return scanVia(bytes, start, end, "Via", parts) === end ? parts : undefined;
    },
  ],
  [
    "From",
    fromTo,
    (_, start, end) => {
      const parts = newNameAddrParts();
      return scanUsualFromTo(start, parts) === end ? parts : undefined;
    },
    (bytes, start, end) => {
      const parts = newNameAddrParts();
      const stop = scanNameAddr(bytes, start, end, "From", false, parts);
      // The grammar does not look whether a display name has anything to be undone.
      parts.displayForm = AS_IT_IS;
      return stop === end ? parts : undefined;
    },
  ],
  [
    "URI",
    uri,
    (_, start, end) => {
      const parts = newUriParts();
      return scanUsualUri(start, parts) === end ? parts : undefined;
    },
    (bytes, start, end) => {
      const parts = newUriParts();
      scanUri(bytes, start, end, "URI", parts);
      return parts;
    },
  ],
  [
    "CSeq",
    cSeq,
    (_, start, end) => {
      const parts = newCSeqParts();
      return scanUsualCSeq(start, parts) === end ? parts : undefined;
    },
    (bytes, start, end) => {
      const parts = newCSeqParts();
      scanCSeq(bytes, start, end, "CSeq", parts);
      return parts;
    },
  ],
];
for (const [what, make, usual, grammar] of readings) {
  test(`a ${what} written as usual, has the parts that the grammar finds`, () => {
    let taken = 0;
    for (let seed = 0; seed < 20_000; seed++) {
      const value = make(random(seed));
      const bytes = encode(`xyz${value}\r\nabcdefghijklmnopq`);
      const end = bytes.length - 19;
      fillWindow(bytes);
      const found = usual(bytes, 3, end);
      if (found === undefined) continue;
      taken++;
      assert.deepEqual(withHosts(bytes, found), withHosts(bytes, grammar(bytes, 3, end)), value);
    }
    assert.ok(taken > 2000, `only ${taken} were taken`);
  });
}

/** The same parts with their hosts, which one of an earlier message may have given. */
function withHosts(bytes: Uint8Array, parts: unknown): unknown {
  const { uri } = parts as { readonly uri?: HostParts };
  if ("host" in (parts as object)) hostOf(bytes, parts as HostParts);
  if (uri !== undefined) hostOf(bytes, uri);
  return parts;
}

/** What a message says, or why it is refused. */
function reading(text: string): unknown {
  try {
    const message = parseMessage(encode(text));
    const { topVia, from, to, callId, cSeq, methodId, hasToTag, headers } = message;
    return [
      message.kind === "request" ? message.requestUri : message.statusCode,
      [
        topVia,
        [...topVia.params],
        from,
        [...from.params],
        to,
        [...to.params],
        callId,
        cSeq,
        methodId,
        hasToTag,
      ],
      [message.writtenFromAor, message.writtenToAor, message.topBranch, message.fromTag, message.toTag],
      [...headers.entries()].map(([name, value]) => [name.toLowerCase(), value]),
    ];
  } catch (error) {
    if (error instanceof ParseError) return [error.message, error.status];
    throw error;
  }
}

test("a message, means the same or is refused for the same whether its fields are written as usual or not", () => {
  let accepted = 0;
  for (let seed = 0; seed < 4000; seed++) {
    const pick = random(seed);
    const fields = [
      ["Via", via(pick)],
      ["From", fromTo(pick)],
      ["To", fromTo(pick)],
      ["Call-ID", mostly(pick, callIds, oddCallIds)],
      ["CSeq", cSeq(pick)],
      [
        "Route",
        mostly(pick, [`<${uri(pick)}>`], [uri(pick), fromTo(pick), `<${uri(pick)}>, <${uri(pick)}>`, ""]),
      ],
      ["Max-Forwards", mostly(pick, ["70", "007"], ["256", "", "7a", "7 "])],
      ["Content-Length", "0"],
    ];
    // One more of them, or one less, now and then; and in another order.
    if (pick(8) === 0) fields.push(fields[pick(fields.length)]!);
    if (pick(16) === 0) fields.splice(pick(fields.length), 1);
    for (let i = fields.length - 1; i > 0; i--) {
      const j = pick(i + 1);
      [fields[i], fields[j]] = [fields[j]!, fields[i]!];
    }
    const start = one(pick, [`INVITE ${uri(pick)} SIP/2.0`, "INVITE sip:b@c SIP/2.0", "SIP/2.0 200 OK"]);
    const message = (separator: string, change: (name: string) => string) =>
      `${start}\r\n${fields.map(([name, value]) => `${change(name!)}${separator}${value}\r\n`).join("")}\r\n`;
    const usual = message(": ", (name) => name);
    const first = reading(usual);
    assert.deepEqual(reading(message(":  ", (name) => name.toUpperCase())), first, usual);
    if ((first as unknown[]).length > 2) accepted++;
  }
  assert.ok(accepted > 500, `only ${accepted} were accepted`);
});

test("§7.3.1, a name that was guessed, is the one that stands there", () => {
  const room = new Uint8Array(64);
  for (const { name } of headerEntries) {
    for (let at = 0; at < 4; at++) {
      for (const text of [`${name}: x`, `${name}x: y`, `${name} : x`, name.toLowerCase()]) {
        room.fill(58);
        room.set(encode(text), at);
        fillWindow(room);
        const colon = room.indexOf(58, at);
        for (const { id } of headerEntries) {
          const span = spanAt(at, nameSpellings, id);
          if (span === 0) continue;
          assert.equal(span, colon - at + 1);
          assert.equal(headerIdAt(room, at, colon), id);
        }
      }
    }
  }
});

test("a search by words, finds what one by bytes finds", () => {
  for (let seed = 0; seed < 20_000; seed++) {
    const pick = random(seed);
    const odd = [0, 9, 10, 13, 14, 32, 33, 126, 127, 128, 141, 142, 160, 161, 255];
    const bytes = Uint8Array.from({ length: 8 + pick(24) }, () =>
      pick(6) === 0 ? odd[pick(odd.length)]! : 97,
    );
    fillWindow(bytes);
    const at = pick(8);
    const control = bytes.findIndex((c, i) => i >= at && c < 14);
    assert.equal(findControl(at), control < 0 ? bytes.length : control);
    const invisible = bytes.findIndex((c, i) => i >= at && (c <= 32 || c >= 127));
    assert.equal(findInvisible(at), invisible < 0 ? bytes.length : invisible);
  }
});

test("a head, is taken up to its limit, and up to the end of the window without one", () => {
  const start =
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n";
  const rest = "Call-ID: x@y\r\nCSeq: 1 INVITE\r\n\r\n";
  const body = "\r\n".repeat(5000);
  const most = { ...noLimits, headSize: 65_536 };
  for (const [limits, limit] of [[most, 65_536] as const, [noLimits, 131_072] as const]) {
    for (let headEnd = limit - 40; headEnd < limit + 40; headEnd++) {
      const padding = "y".repeat(headEnd - start.length - rest.length - "X: \r\n".length);
      const bytes = encode(`${start}X: ${padding}\r\n${rest}${body}`);
      if (headEnd <= limit) {
        const message = parseMessage(bytes, limits);
        assert.equal(message.callId, "x@y");
        assert.equal(message.body.length, body.length);
      } else {
        assert.throws(() => parseMessage(bytes, limits), { name: "ParseError", status: 513 });
      }
    }
  }
});

test("what is longer than the window before any header field, is refused as too large or for what it is", () => {
  const long = "y".repeat(140_000);
  const good =
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n";
  const rows: [start: string, status: number][] = [
    [`${"\r\n".repeat(70_000)}INVITE sip:a@b SIP/2.0\r\n${good}`, 513],
    [`${long} sip:a@b SIP/2.0\r\n${good}`, 513],
    [`INVITE sip:${long} SIP/2.0\r\n${good}`, 513],
    [`SIP/2.0 200 ${long}\r\n${good}`, 513],
    [`INVITE sip:${long}`, 400],
    [long, 400],
  ];
  for (const [text, status] of rows)
    assert.throws(
      () => parseMessage(encode(text), noLimits),
      { name: "ParseError", status },
      text.slice(0, 20).trim(),
    );
});

test("a message that is cut off, is refused whatever stood there before", () => {
  const whole = encode(
    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
  );
  for (let length = 0; length < whole.length; length++) {
    parseMessage(whole);
    assert.throws(
      () => parseMessage(whole.slice(0, length)),
      { name: "ParseError", status: 400 },
      `${length}`,
    );
  }
});
