import assert from "node:assert/strict";
import { test } from "node:test";
import { ParseError } from "../errors.ts";
import { answerMalformed, parseMessage } from "../message/index.ts";
import { SeededRandom } from "../testing/index.ts";
import { request } from "./sink.test.kit.ts";
import {
  isSameKey,
  statelessTag,
  type TransactionKey,
  TransactionKeys,
  UniqueIds,
} from "./transaction-id.ts";

/** Says how often it was asked. */
function countingRandom(): { asked: number; bytes(length: number): Uint8Array } {
  return {
    asked: 0,
    bytes(length) {
      this.asked++;
      return new Uint8Array(length).fill(0xff);
    },
  };
}

test("§8.1.1.7: branches begin with the magic cookie and the worker number, and never repeat", () => {
  const ids = new UniqueIds(countingRandom(), 37);
  const branches = Array.from({ length: 5000 }, () => ids.branch());
  assert.equal(new Set(branches).size, 5000);
  for (const branch of branches) assert.match(branch, /^z9hG4bK11-z{8}[0-9a-z]+$/);
});

test("§19.3: tags and Call-IDs are tokens in one case, with 40 and 80 random bits", () => {
  const ids = new UniqueIds(countingRandom());
  assert.match(ids.tag(), /^0-z{8}[0-9a-z]+$/);
  assert.match(ids.callId(), /^0-z{16}[0-9a-z]+$/);
});

test("random bytes come from a pool, not one call each", () => {
  const random = countingRandom();
  const ids = new UniqueIds(random);
  for (let i = 0; i < 800; i++) ids.tag();
  assert.equal(random.asked, 1);
});

const made = new TransactionKeys(new SeededRandom(5));

type MatchRow = [section: string, what: string, one: TransactionKey, other: TransactionKey, same: boolean];
const keys: MatchRow[] = [
  [
    "§17.1.3",
    "response to INVITE and to its CANCEL",
    made.client("z9hG4bK1", false),
    made.client("z9hG4bK1", true),
    false,
  ],
  ["§17.1.3", "two branches", made.client("z9hG4bK1", false), made.client("z9hG4bK2", false), false],
  [
    "§17.2.3",
    "INVITE and its ACK",
    key("INVITE"),
    made.server(request("ACK", { toTag: "x" }), "INVITE"),
    true,
  ],
  ["§17.2.3", "INVITE and its CANCEL, as such", key("INVITE"), key("CANCEL"), false],
  [
    "§9.2",
    "INVITE and the INVITE of its CANCEL",
    key("INVITE"),
    made.server(request("CANCEL"), "INVITE"),
    true,
  ],
  ["§17.2.3", "another sent-by host", key("INVITE"), key("INVITE", { host: "192.0.2.7:5060" }), false],
  ["§17.2.3", "another sent-by port", key("INVITE"), key("INVITE", { host: "192.0.2.1:5061" }), false],
  [
    "§17.2.3",
    "another Call-ID is no matter with the cookie",
    key("INVITE"),
    key("INVITE", { callId: "2" }),
    true,
  ],
  ["§17.2.3, 2543", "the same", key2543("INVITE"), key2543("INVITE"), true],
  ["§17.2.3, 2543", "another Call-ID", key2543("INVITE"), key2543("INVITE", { callId: "2" }), false],
  ["§17.2.3, 2543", "another CSeq", key2543("INVITE"), key2543("INVITE", { sequence: 2 }), false],
  [
    "§17.2.3, 2543",
    "another Request-URI",
    key2543("INVITE"),
    key2543("INVITE", { uri: "sip:carol@192.0.2.2" }),
    false,
  ],
  ["§17.2.3, 2543", "another To tag", key2543("INVITE"), key2543("INVITE", { toTag: "b" }), false],
  [
    "§17.2.3, 2543",
    "another Via",
    key2543("INVITE"),
    key2543("INVITE", { via: "SIP/2.0/UDP 192.0.2.8" }),
    false,
  ],
];

for (const [section, what, one, other, same] of keys) {
  test(`${section}: ${what} → ${same ? "same" : "another"} transaction`, () =>
    assert.equal(isSameKey(one, other), same));
}

test("a key in which a letter moves from one part to the next has another hash", () => {
  const keys = [
    key("INVITE", { branch: "z9hG4bK1", host: "23.example" }),
    key("INVITE", { branch: "z9hG4bK12", host: "3.example" }),
    key("aINVITE", { branch: "z9hG4bK1", host: "23.example" }),
    key("INVITE", { branch: "z9hG4bK1", host: "23.examplea" }),
  ];
  assert.equal(new Set(keys.map(({ hash }) => hash)).size, keys.length);
});

function key(method: string, options: Parameters<typeof request>[1] = {}): TransactionKey {
  return made.server(request(method, options), method);
}

function key2543(method: string, options: Parameters<typeof request>[1] = {}): TransactionKey {
  return key(method, { via: "SIP/2.0/UDP 192.0.2.1", ...options });
}

test("§8.2.7: a stateless To tag is the same each time, and another for another request", () => {
  assert.equal(statelessTag(request("INVITE")), statelessTag(request("INVITE")));
  assert.notEqual(statelessTag(request("INVITE")), statelessTag(request("INVITE", { callId: "2" })));
});

test("§8.2.7: the answer to a malformed INVITE has the tag by which its ACK is known", () => {
  const invite = request("INVITE");
  const answer = answerMalformed(invite.bytes, new ParseError("message", "too long", { status: 513 }));
  assert.equal(parseMessage(answer!.bytes).toTag, statelessTag(invite));
});
