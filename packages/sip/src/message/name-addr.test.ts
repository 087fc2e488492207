// Addresses: the three ways to write one, RFC 8217's rule, printing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ParseError } from "../errors.ts";
import {
  type FromTo,
  parseContact,
  parseNameAddr,
  parseUri,
  printContact,
  printNameAddr,
  printUri,
} from "./index.ts";

// section, text, display name, URI, parameters
const readable: [string, string, string | undefined, string, Record<string, string>][] = [
  [
    "§20.20",
    '"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s',
    "A. G. Bell",
    "sip:agb@bell-telephone.com",
    { tag: "a48s" },
  ],
  [
    "§20.20",
    "sip:+12125551212@server.phone2net.com;tag=887s",
    undefined,
    "sip:+12125551212@server.phone2net.com",
    { tag: "887s" },
  ],
  [
    "§20.20",
    "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
    "Anonymous",
    "sip:c8oqz84zk7z@privacy.org",
    { tag: "hyh8" },
  ],
  [
    "§20.10",
    '"Mr. Watson" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600',
    "Mr. Watson",
    "sip:watson@worcester.bell-telephone.com",
    { q: "0.7", expires: "3600" },
  ],
  ["RFC 4475 §3.1.1.6", "caller<sip:caller@example.com>", "caller", "sip:caller@example.com", {}],
  ["§25.1, several tokens", "T. Watson  Jr <sip:t@w>", "T. Watson  Jr", "sip:t@w", {}],
  ["§25.1, quoted-pair", '"a \\"b\\" \\\\ c" <sip:a@b>', 'a "b" \\ c', "sip:a@b", {}],
  ["§7.3.1, folded", '"a\r\n b"\r\n\t<sip:a@b>\r\n ;\r\n tag\r\n =\r\n x', "a b", "sip:a@b", { tag: "x" }],
  ["§25.1, empty quotes", '"" <sip:a@b>', undefined, "sip:a@b", {}],
  ["lenient, UTF-8 without quotes", "José <sip:j@b>", "José", "sip:j@b", {}],
  [
    "RFC 8217 §3, parameters of the header",
    "sip:a@b;transport=tcp",
    undefined,
    "sip:a@b",
    { transport: "tcp" },
  ],
  ["RFC 8217 §3, parameters of the URI", "<sip:a@b;transport=tcp>", undefined, "sip:a@b;transport=tcp", {}],
  [
    "§25.1, quoted value",
    '<sip:a@b>;+sip.instance="<urn:uuid:1>";reg-id=1',
    undefined,
    "sip:a@b",
    { "+sip.instance": "<urn:uuid:1>", "reg-id": "1" },
  ],
  ["§25.1, a comma in the URI", "<sip:a,b@c>", undefined, "sip:a,b@c", {}],
];
for (const [section, text, displayName, uri, params] of readable) {
  test(`${section}, ${JSON.stringify(text)}, is read`, () => {
    const value = parseNameAddr(text);
    assert.equal(value.displayName, displayName);
    assert.equal(printUri(value.uri), uri);
    assert.deepEqual(Object.fromEntries(value.params), params);
    assert.equal(value.tag, params["tag"]);
    const again = parseNameAddr(printNameAddr(value));
    assert.equal(again.displayName, displayName);
    assert.equal(printUri(again.uri), uri);
    assert.deepEqual(Object.fromEntries(again.params), params);
  });
}

const refused: [string, string][] = [
  ["RFC 4475 §3.1.2.15, no quotes around a comma", "Bell, Alexander <sip:a@b>"],
  ["RFC 4475 §3.1.2.14, spaces inside the brackets", '"W" < sip:t@w >'],
  ["RFC 4475 §3.1.2.6, quotes without end", '"Mr. J. User <sip:j@u>'],
  ["RFC 4475 §3.1.2.13, ? without brackets", "sip:a@b?Route=%3Csip:c%3E"],
  ["no closing bracket", "<sip:a@b"],
  ["text after the address", "<sip:a@b> x"],
  ["two addresses", "<sip:a@b>, <sip:c@d>"],
  ["name without address", '"A"'],
  ["nothing", ""],
  ["empty parameter", "<sip:a@b>;"],
  ["parameter without value", "<sip:a@b>;tag="],
  ["tag in quotes", '<sip:a@b>;tag="x"'],
  ["tag without value", "<sip:a@b>;tag"],
];
for (const [what, text] of refused) {
  test(`§25.1, ${what}, is refused`, () => {
    assert.throws(() => parseNameAddr(text), ParseError);
  });
}

test("§20.10, Contact, has q and expires and may be *", () => {
  const contact = parseContact('"X" <sip:a@b>;q=0.35;expires=60');
  assert.ok(contact !== "*");
  assert.equal(contact.q, 0.35);
  assert.equal(contact.expires, 60);
  assert.equal(printContact(contact), "X <sip:a@b>;q=0.35;expires=60");
  assert.equal(printContact({ ...contact, expires: 30 }), "X <sip:a@b>;q=0.35;expires=30");
  assert.equal(parseContact(" * "), "*");
  for (const q of ["2", "0.1234", "-1", "x", "1.001"]) {
    assert.throws(() => parseContact(`<sip:a@b>;q=${q}`), ParseError, `q=${q}`);
  }
  assert.equal(
    (parseContact("<sip:a@b>;expires=99999999999999999") as { expires?: number }).expires,
    undefined,
  );
  assert.equal((parseContact("<sip:a@b>;expires=5000000000") as { expires?: number }).expires, 4294967295);
});

test("§8.1.1.3, the tag property, decides what is printed", () => {
  const to = parseNameAddr("<sip:a@b>;tag=old;x=y");
  assert.equal(printNameAddr({ ...to, tag: "new" } as FromTo), "<sip:a@b>;tag=new;x=y");
  const { tag: _, ...withoutTag } = parseNameAddr("<sip:a@b>");
  assert.equal(printNameAddr(withoutTag), "<sip:a@b>");
  assert.equal(printNameAddr(parseUri("sip:a@b;lr")), "<sip:a@b;lr>");
});
