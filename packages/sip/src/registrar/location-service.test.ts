// Bindings: §10.3 steps 6 and 7 as a table, expiry in virtual time, order of lookup, what calls can reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import { equalUri, parseUri } from "../message/index.ts";
import { nodeRandom as random } from "../node/index.ts";
import type { Timer } from "../ports.ts";
import { type BindingChange, type ContactChange, equalContact } from "./binding.ts";
import { MemoryLocationService } from "./location-service.ts";

/** Time that moves when told to. */
function makeClock() {
  const timers = new Set<{ at: number; callback: () => void }>();
  const clock = {
    time: 1_800_000_000_250,
    now: () => clock.time,
    schedule(delay: number, callback: () => void): Timer {
      const timer = { at: clock.time + delay, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance(duration: number) {
      const until = clock.time + duration;
      for (;;) {
        const next = [...timers].sort((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > until) break;
        timers.delete(next);
        clock.time = next.at;
        next.callback();
      }
      clock.time = until;
    },
    timers,
  };
  return clock;
}

const aor = "sip:alice@example.com";

function setUp(options: { maxBindings?: number; whenFull?: "reject" | "replace oldest" } = {}) {
  const clock = makeClock();
  const seen: string[] = [];
  const locations = new MemoryLocationService({
    clock,
    random,
    ...options,
    observer: {
      changed: (key, after, before, cause) => seen.push(`${key} ${before.length}→${after.length} ${cause}`),
    },
  });
  return { clock, locations, seen };
}

type Row = [uri: string, expires: number, q?: number];

function change(now: number, callId: string, cSeq: number, contacts: readonly Row[] | "*"): BindingChange {
  const list =
    contacts === "*"
      ? contacts
      : contacts.map(([uri, expires, q = 1]): ContactChange => ({ uri, expires, q }));
  return { callId, cSeq, contacts: list, path: [], now };
}

type Step = [callId: string, cSeq: number, contacts: readonly Row[] | "*", expected: string[] | string];

for (const [title, ...steps] of [
  ["a new contact is bound", ["c", 1, [["sip:a@h", 60]], ["sip:a@h"]]],
  [
    "same Call-ID, higher CSeq: refreshed",
    ["c", 1, [["sip:a@h", 60]], ["sip:a@h"]],
    ["c", 2, [["sip:a@h", 60]], ["sip:a@h"]],
  ],
  [
    "same Call-ID, equal or lower CSeq: aborted",
    ["c", 5, [["sip:a@h", 60]], ["sip:a@h"]],
    ["c", 5, [["sip:a@h", 60]], "out of order"],
    ["c", 4, [["sip:a@h", 0]], "out of order"],
  ],
  [
    "other Call-ID: updated or removed whatever the CSeq",
    ["c", 5, [["sip:a@h", 60]], ["sip:a@h"]],
    ["d", 1, [["sip:a@h", 60]], ["sip:a@h"]],
    ["d", 1, [["sip:a@h", 60]], "out of order"],
    ["c", 5, [["sip:a@h", 60]], ["sip:a@h"]],
    ["e", 1, [["sip:a@h", 0]], []],
  ],
  [
    "all or nothing: one contact out of order undoes the others",
    ["c", 5, [["sip:a@h", 60]], ["sip:a@h"]],
    [
      "c",
      4,
      [
        ["sip:b@h", 60],
        ["sip:a@h", 60],
      ],
      "out of order",
    ],
    ["d", 1, [], ["sip:a@h"]],
  ],
  [
    "several contacts, one added, one removed",
    [
      "c",
      1,
      [
        ["sip:a@h", 60],
        ["sip:b@h", 60, 0.5],
      ],
      ["sip:a@h", "sip:b@h"],
    ],
    [
      "c",
      2,
      [
        ["sip:a@h", 0],
        ["sip:c@h", 60],
      ],
      ["sip:b@h", "sip:c@h"],
    ],
  ],
  ["removing what is not bound changes nothing", ["c", 1, [["sip:a@h", 0]], []]],
  [
    "a contact named twice: the later value counts",
    [
      "c",
      1,
      [
        ["sip:a@h", 60],
        ["sip:a@h", 0],
      ],
      [],
    ],
  ],
  [
    "contacts are compared by §19.1.4: host in any case, escapes, order of parameters",
    ["c", 1, [["sip:%61lice@H.example;lr;x=1", 60]], ["sip:%61lice@H.example;lr;x=1"]],
    ["c", 2, [["sip:alice@h.example;x=1;lr", 60]], ["sip:alice@h.example;x=1;lr"]],
    [
      "c",
      3,
      [["sip:ALICE@h.example;x=1;lr", 60]],
      ["sip:alice@h.example;x=1;lr", "sip:ALICE@h.example;x=1;lr"],
    ],
  ],
  [
    "contacts are compared by §19.1.4: a port with zeros in front, another port, none",
    ["c", 1, [["sip:007@h:05070;lr", 60]], ["sip:007@h:05070;lr"]],
    ["c", 2, [["sip:007@h:5070;lr", 60]], ["sip:007@h:5070;lr"]],
    ["c", 3, [["sip:007@h:5071;lr", 60]], ["sip:007@h:5070;lr", "sip:007@h:5071;lr"]],
    ["c", 4, [["sip:007@h;lr", 60]], ["sip:007@h:5070;lr", "sip:007@h:5071;lr", "sip:007@h;lr"]],
  ],
  [
    "contacts are compared by §19.1.4: IPv6 in any case, semicolons in the user part, sips",
    ["c", 1, [["sip:a;b@[2001:DB8::1]", 60]], ["sip:a;b@[2001:DB8::1]"]],
    ["c", 2, [["sip:a;b@[2001:db8::1]", 60]], ["sip:a;b@[2001:db8::1]"]],
    ["c", 3, [["sips:a;b@[2001:db8::1]", 60]], ["sip:a;b@[2001:db8::1]", "sips:a;b@[2001:db8::1]"]],
  ],
  [
    "contacts are compared by RFC 3966 §4: visual separators do not count",
    ["c", 1, [["tel:+1-201-555-0123", 60]], ["tel:+1-201-555-0123"]],
    ["c", 2, [["tel:+12015550123", 60]], ["tel:+12015550123"]],
  ],
  [
    "contacts of other schemes, and with header fields",
    [
      "c",
      1,
      [
        ["mailto:a@h", 60],
        ["sip:a@h?Route=%3Csip:p%3E", 60],
      ],
      ["mailto:a@h", "sip:a@h?Route=%3Csip:p%3E"],
    ],
    ["c", 2, [["sip:a@h", 60]], ["mailto:a@h", "sip:a@h?Route=%3Csip:p%3E", "sip:a@h"]],
  ],
  [
    "step 6: * removes bindings of other Call-IDs, and of this one with a higher CSeq",
    ["c", 1, [["sip:a@h", 60]], ["sip:a@h"]],
    ["d", 1, [["sip:b@h", 60]], ["sip:a@h", "sip:b@h"]],
    ["c", 2, "*", []],
  ],
  [
    "step 6: * with an old CSeq removes nothing at all",
    ["c", 2, [["sip:a@h", 60]], ["sip:a@h"]],
    ["d", 1, [["sip:b@h", 60]], ["sip:a@h", "sip:b@h"]],
    ["c", 2, "*", "out of order"],
    ["e", 1, [], ["sip:a@h", "sip:b@h"]],
  ],
] as [string, ...Step[]][]) {
  test(`§10.3 step 7: ${title}`, () => {
    const { clock, locations } = setUp();
    for (const [callId, cSeq, contacts, expected] of steps) {
      const result = locations.update(aor, change(clock.now(), callId, cSeq, contacts));
      if (typeof expected === "string") assert.deepEqual(result, { ok: false, reason: expected });
      else assert.deepEqual(result.ok && result.bindings.map((binding) => binding.contact), expected);
    }
  });
}

test("§10.3: a binding remembers Call-ID, CSeq, q, Path, flow and what the phone said", () => {
  const { clock, locations } = setUp();
  const received = { transport: "TCP", address: "192.0.2.1", port: 1234 } as const;
  locations.update(aor, {
    ...{
      callId: "c",
      cSeq: 7,
      path: ["<sip:p1;lr>", "<sip:p2;lr>"],
      flowId: "f",
      received,
      userAgent: "phone",
    },
    contacts: [{ uri: "sip:a@h", expires: 60, q: 0.3, instanceId: "<urn:uuid:1>", params: ";x" }],
    now: clock.now(),
  });
  assert.deepEqual(locations.lookup(aor), [
    {
      ...{ aor, contact: "sip:a@h", callId: "c", cSeq: 7, expiresAt: clock.now() + 60_000, q: 0.3 },
      ...{ path: ["<sip:p1;lr>", "<sip:p2;lr>"], flowId: "f", received, userAgent: "phone" },
      ...{ instanceId: "<urn:uuid:1>", regId: undefined, params: ";x", updatedAt: clock.now() },
    },
  ]);
});

test("lookup: highest q first, then the one refreshed last; expired ones are gone at once", () => {
  const { clock, locations } = setUp();
  locations.update(aor, change(clock.now(), "1", 1, [["sip:a@h", 10, 0.5]]));
  locations.update(aor, change(clock.now(), "2", 1, [["sip:b@h", 100, 0.9]]));
  clock.advance(1);
  locations.update(aor, change(clock.now(), "3", 1, [["sip:c@h", 100, 0.5]]));
  const contacts = () => locations.lookup(aor).map((binding) => binding.contact);
  assert.deepEqual(contacts(), ["sip:b@h", "sip:c@h", "sip:a@h"]);
  clock.time += 9_999;
  assert.deepEqual(contacts(), ["sip:b@h", "sip:c@h"]);
  assert.deepEqual(locations.lookup("sip:bob@example.com"), []);
});

test("expiry: by one timer, told to the observer, within a second", () => {
  const { clock, locations, seen } = setUp();
  locations.update(
    aor,
    change(clock.now(), "1", 1, [
      ["sip:a@h", 60],
      ["sip:b@h", 3600],
    ]),
  );
  locations.update("sip:bob@example.com", change(clock.now(), "2", 1, [["sip:c@h", 60]]));
  assert.equal(clock.timers.size, 1);
  seen.length = 0;
  clock.advance(59_000);
  assert.deepEqual(seen, []);
  locations.update("sip:bob@example.com", change(clock.now(), "2", 2, [["sip:c@h", 60]]));
  clock.advance(2_000);
  assert.deepEqual(seen, ["sip:bob@example.com 1→1 registered", `${aor} 2→1 expired`]);
  assert.equal(locations.bindingCount, 2);
  clock.advance(59_000);
  assert.equal(locations.aorCount, 1);
  clock.advance(3_600_000);
  assert.equal(locations.bindingCount, 0);
  assert.equal(clock.timers.size, 0);
});

test("§19.1.4: what the text of two contacts says is what their parts say", () => {
  const users = ["", "a@", "ab@", "A@", "%61@", "%61b@", "a;b@", "a:x@", "a:X@", "0a@", "00@"];
  const hosts = ["h", "H", "hi", "h.", "10.0.0.1", "[2001:db8::1]", "[2001:DB8:0::1]"];
  const ends = ["", ":5060", ":05060", ":0506", ":506", ";ob", ";OB", ";lr=1", ";transport=udp", "?a=b"];
  const contacts = ["sip:", "sips:", "SIP:"].flatMap((scheme) =>
    users.flatMap((user) => hosts.flatMap((host) => ends.map((end) => scheme + user + host + end))),
  );
  const parsed = contacts.map((contact) => parseUri(contact));
  // Each beside those near it, and some far away.
  for (let i = 0; i < contacts.length; i++) {
    for (let j = i; j < contacts.length; j += j < i + 80 ? 1 : 37) {
      const expected = equalUri(parsed[i]!, parsed[j]!);
      assert.equal(equalContact(contacts[i]!, contacts[j]!), expected, `${contacts[i]} ${contacts[j]}`);
    }
  }
});

test("one of two bindings refreshed again and again: the other one still expires", () => {
  const { clock, locations, seen } = setUp();
  locations.update(
    aor,
    change(clock.now(), "1", 1, [
      ["sip:a@h", 60],
      ["sip:b@h", 60],
    ]),
  );
  for (let cSeq = 2; cSeq < 6; cSeq++) {
    clock.advance(21_000);
    const { length } = locations.lookup(aor);
    const result = locations.update(aor, change(clock.now(), "1", cSeq, [["sip:a@h", 60]]));
    assert.ok(result.ok && result.bindings.length === length);
  }
  assert.deepEqual(
    seen.filter((line) => line.endsWith("expired")),
    [`${aor} 2→1 expired`],
  );
  clock.advance(61_000);
  assert.equal(locations.bindingCount, 0);
});

test("an observer that registers while bindings expire loses nothing", () => {
  const clock = makeClock();
  const other = "sip:bob@example.com";
  const locations = new MemoryLocationService({
    clock,
    random,
    observer: {
      changed(_key, _after, _before, cause) {
        if (cause !== "expired" || locations.lookup(other).length > 0) return;
        locations.remove(other);
        locations.update(other, change(clock.now(), "new", 1, [["sip:b@h", 60]]));
      },
    },
  });
  locations.update(aor, change(clock.now(), "a", 1, [["sip:a@h", 60]]));
  locations.update(other, change(clock.now(), "b", 1, [["sip:b@h", 60]]));
  clock.advance(61_000);
  assert.deepEqual(
    locations.lookup(other).map(({ callId }) => callId),
    ["new"],
  );
  clock.advance(61_000);
  assert.deepEqual(locations.lookup(aor), []);
});

test("an expired binding's CSeq no longer counts", () => {
  const { clock, locations } = setUp();
  locations.update(aor, change(clock.now(), "c", 9, [["sip:a@h", 60]]));
  clock.time += 60_000;
  const result = locations.update(aor, change(clock.now(), "c", 1, [["sip:a@h", 60]]));
  assert.ok(result.ok);
});

for (const [whenFull, outcome] of [
  ["reject", "too many bindings"],
  ["replace oldest", ["sip:2@h", "sip:3@h"]],
] as const) {
  test(`an address-of-record with as many bindings as it may have: ${whenFull}`, () => {
    const { clock, locations } = setUp({ maxBindings: 2, whenFull });
    for (const n of [1, 2]) {
      locations.update(aor, change(clock.now(), `${n}`, 1, [[`sip:${n}@h`, 60]]));
      clock.advance(1000);
    }
    const third = locations.update(aor, change(clock.now(), "3", 1, [["sip:3@h", 60]]));
    if (third.ok)
      assert.deepEqual(
        third.bindings.map((binding) => binding.contact),
        outcome,
      );
    else assert.equal(third.reason, outcome);
    // Refreshing what is there is always possible.
    assert.ok(locations.update(aor, change(clock.now(), "2", 2, [["sip:2@h", 60]])).ok);
  });
}

test("remove, entries, load, close", () => {
  const { clock, locations, seen } = setUp();
  locations.update(
    aor,
    change(clock.now(), "1", 1, [
      ["sip:a@h", 60],
      ["sip:b@h", 60],
    ]),
  );
  assert.equal(locations.remove(aor, "sip:x@h"), 0);
  assert.equal(locations.remove(aor, "sip:a@h"), 1);
  assert.equal(seen.at(-1), `${aor} 2→1 removed`);
  const kept = [...locations.entries()];
  assert.equal(kept.length, 1);

  const other = setUp();
  other.locations.load([...kept, { ...kept[0]!, contact: "sip:old@h", expiresAt: other.clock.now() }]);
  assert.deepEqual([...other.locations.entries()], kept);
  assert.deepEqual(other.seen, []);
  other.clock.advance(61_000);
  assert.equal(other.locations.bindingCount, 0);

  locations.close();
  assert.equal(clock.timers.size, 0);
});
