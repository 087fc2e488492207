// The facts checked against the tables of the RFCs they come from.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  catalogue,
  causeOfStatus,
  causesLeadingTo,
  causeTable,
  classOf,
  factsOf,
  preferenceOf,
  statusOfCause,
} from "./index.ts";

const all = catalogue.map((facts) => facts.code);
const codesWhere = (test: (facts: (typeof catalogue)[number]) => boolean) =>
  catalogue.filter(test).map((facts) => facts.code);

test("registry, the reference of each row, among the sources of the code", () => {
  const fixture = new URL("../../../../test/fixtures/iana/response-codes.json", import.meta.url);
  const rows: { code: number; reference: string }[] = JSON.parse(readFileSync(fixture, "utf8")).responseCodes;
  for (const row of rows) {
    const rfcs = factsOf(row.code)?.sources.map((source) => `RFC ${source.rfc}`);
    assert.ok(rfcs?.includes(row.reference), `${row.code}: ${row.reference} not in ${rfcs}`);
  }
});

test("§7.2, every code, class by its first digit", () => {
  for (const facts of catalogue) {
    assert.equal(facts.class, classOf(facts.code));
  }
});

test("§17.1.1.3 and RFC 3262, no code answers ACK", () => {
  for (const facts of catalogue) {
    assert.ok(facts.methods === "any" || !(facts.methods as readonly string[]).includes("ACK"));
  }
});

test("§22.1, CANCEL, is never challenged", () => {
  for (const code of [401, 407]) assert.deepEqual(factsOf(code)?.notMethods, ["CANCEL"]);
});

test("§10.3, registrar, sends no 6xx", () => {
  assert.deepEqual(
    codesWhere((facts) => facts.code >= 600 && facts.roles.includes("registrar")),
    [],
  );
});

// section             code  header that must be there
const mandatory = [
  ["§20.44", 401, "WWW-Authenticate"],
  ["§21.4.6", 405, "Allow"],
  ["§20.27", 407, "Proxy-Authenticate"],
  ["§20.40", 420, "Unsupported"],
  ["§21.4.16", 421, "Require"],
  ["RFC 4028 §6", 422, "Min-SE"],
  ["§20.23", 423, "Min-Expires"],
  ["RFC 6442 §4.3", 424, "Geolocation-Error"],
  ["RFC 8876 §5.1", 425, "AlertMsg-Error"],
  ["RFC 6228 §5", 199, "Reason"],
  ["RFC 6086 §4.2.2", 469, "Recv-Info"],
  ["RFC 3265 §7.2", 489, "Allow-Events"],
  ["RFC 3329 §2.3", 494, "Security-Server"],
  ["RFC 5839 §7.1", 204, "Expires"],
  ["§21.3.4", 305, "Contact"],
] as const;

for (const [section, code, header] of mandatory) {
  test(`${section}, ${code}, must carry ${header}`, () => {
    assert.deepEqual(factsOf(code)?.headers.must, [header]);
  });
}

test("the table of mandatory headers above is complete", () => {
  assert.deepEqual(
    codesWhere((facts) => facts.headers.must !== undefined),
    mandatory.map(([, code]) => code).sort((a, b) => a - b),
  );
});

// RFC 5057 Table 2; a 408 has the effect of a timeout, which ends the usage (note 4, §5.2).
const usage = [405, 408, 480, 481, 489, 501];
const dialog = [404, 410, 416, 482, 483, 484, 485, 502, 604];

test("RFC 5057 Table 2, failure inside a dialog, ends transaction, usage or dialog", () => {
  assert.deepEqual(
    codesWhere((facts) => facts.effect === "usage"),
    usage,
  );
  assert.deepEqual(
    codesWhere((facts) => facts.effect === "dialog"),
    dialog,
  );
  assert.deepEqual(
    codesWhere((facts) => facts.effect === undefined),
    all.filter((code) => code < 300),
  );
});

test("RFC 6665 §4.1.2.2, refresh answered, ends the subscription", () => {
  assert.deepEqual(
    codesWhere((facts) => facts.endsSubscription === true),
    [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604],
  );
});

// §16.7 step 6          responses              forwarded
const bestResponses = [
  ["6xx first", [404, 603, 486], 603],
  ["lowest class", [486, 302], 302],
  ["prefer what lets the caller send again", [486, 407, 404], 407],
  ["prefer 415", [486, 480, 415], 415],
  ["503 last", [503, 407, 501, 404], 407],
  ["503 after another 5xx", [503, 500], 500],
  ["a merged branch hides nothing", [482, 404], 404],
  ["a dead flow hides nothing", [430, 408], 408],
  ["a timeout hides nothing", [408, 404], 404],
  ["unknown 4xx before 408", [408, 499], 499],
] as const;

for (const [rule, received, forwarded] of bestResponses) {
  test(`§16.7 step 6, ${received.join(" and ")}, ${forwarded}: ${rule}`, () => {
    assert.equal(received.toSorted((a, b) => preferenceOf(a) - preferenceOf(b))[0], forwarded);
  });
}

// RFC 3398 §8.2.6.1      status  cause  location
const releases = [
  ["busy", 486, 17, "network"],
  ["busy everywhere", 600, 17, "user"],
  ["decline", 603, 21, "user"],
  ["not found", 404, 1, "network"],
  ["temporarily unavailable", 480, 18, "network"],
  ["the RFC's misprinted 504", 505, 127, "network"],
  ["younger than the table", 433, 31, "network"],
  ["younger than the table, 6xx", 608, 31, "user"],
  ["unfollowed redirection", 302, 23, "network"],
] as const;

for (const [name, status, cause, location] of releases) {
  test(`RFC 3398 §8.2.6.1, ${status} ${name}, cause ${cause} from the ${location}`, () => {
    const release = causeOfStatus(status);
    assert.deepEqual([release?.cause, release?.location], [cause, location]);
  });
}

test("RFC 3398 §8.2.6.1, 487 and below 300, no cause", () => {
  for (const code of [100, 180, 200, 487]) assert.equal(causeOfStatus(code), undefined);
});

test("RFC 3398 §7.2.4.1, cause to status, exceptions by location and new number", () => {
  assert.equal(statusOfCause(17), 486);
  assert.equal(statusOfCause(21), 403);
  assert.equal(statusOfCause(21, { location: "user" }), 603);
  assert.equal(statusOfCause(22), 410);
  assert.equal(statusOfCause(22, { hasNewNumber: true }), 301);
  assert.equal(statusOfCause(16), undefined);
  assert.equal(statusOfCause(44), undefined);
  assert.equal(statusOfCause(99), 500);
  assert.deepEqual(causesLeadingTo(480), [19, 20, 31]);
  for (const row of causeTable) if (row.status !== undefined) assert.ok(factsOf(row.status));
});
